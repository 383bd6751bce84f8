"""Classes are named after their labels, and numbered in the order of these."""

from __future__ import annotations

from centerloss_mx.io.class_names import class_numbers, numbered

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize('labels', [
    np.array([7, 3, 7]), np.array([7.0, 3.0, 7.0]), np.array(['7', '3', '7']), np.array([b'7', b'3', b'7']),
    np.array([7, 3, 7], 'uint8'), [7, 3, 7],
])  # fmt: skip
def test_a_class_has_one_name_whatever_its_labels_are(labels):
    names, numbers = numbered(labels)
    assert names == ['3', '7'] and numbers.tolist() == [1, 0, 1] and numbers.dtype == np.int64


def test_labels_that_are_not_finite_are_refused():
    assert numbered(np.array([0.5, 2.0]))[0] == ['0.5', '2.0']
    with pytest.raises(ValueError, match='label nan at row 1 is not finite'):
        numbered(np.array([1, np.nan]))


def distinct(names, numbers, labels):
    """Whether rows have one number where their labels are equal, and only there, and classes own names."""
    groups = {}
    for label, number in zip(labels, numbers.tolist()):
        assert groups.setdefault(label, number) == number
    return len(set(groups.values())) == len(groups) == len(names) == len(set(names))


DTYPES = ['float16', 'float32', 'float64', 'int8', 'int64', 'uint64', 'bool']
INTEGERS = st.integers(-(2**63), 2**64 - 1)
NAMES = st.text(st.sampled_from('aé ü0.1\u0301ß'), max_size=3)
LABELS = st.one_of(
    st.lists(INTEGERS), st.lists(st.floats(allow_nan=False)), st.lists(NAMES),
    st.lists(st.binary(max_size=3)),
    st.lists(NAMES.map(lambda name: name.encode('latin-1', 'replace'))), st.lists(INTEGERS | NAMES),
    st.lists(st.integers(2**53 - 2, 2**53 + 2) | st.floats(2.0**53 - 2, 2.0**53 + 2)),
)  # fmt: skip


@settings(max_examples=200)
@given(LABELS, st.booleans())
def test_labels_that_differ_are_classes_that_differ_or_are_refused(labels, as_objects):
    try:
        names, numbers = numbered(np.array(labels, object) if as_objects else labels)
    except ValueError as error:
        assert str(error).startswith(('label', "b'", 'b"'))
        return
    assert distinct(names, numbers, labels)


@settings(max_examples=100)
@given(st.sampled_from(DTYPES), st.lists(st.integers(-(2**11), 2**24 + 9)))
def test_numbers_of_any_dtype_have_their_own_names_or_are_refused(dtype, values):
    with np.errstate(over='ignore'):
        labels = np.array(values, 'int64').astype(dtype)
    try:
        names, numbers = numbered(labels)
    except ValueError as error:
        assert 'may be rounded' in str(error) or 'is not finite' in str(error)
        return
    assert distinct(names, numbers, labels.tolist())
    if dtype != 'bool':
        assert [names[number] for number in numbers] == [str(int(label)) for label in labels]


@pytest.mark.parametrize('labels, message', [
    (np.array([b'Zo\xeb', b'Zo\xe9']), r"b'Zo\\xe9' at row 1 is not UTF-8; expected UTF-8, or str"),
    (np.array([3.0, 5e200, 7e200]), r'label 5e\+200 at row 1 may be rounded: float64 holds every whole'),
    (np.array([20000001, 3], 'float32'), r'20000000\.0 at row 0 may be rounded: .* below 16777216 only'),
    (np.array([5, 2049], 'float16'), r'label 2048\.0 at row 1 may be rounded: .* below 2048 only'),
    ([4, '4'], "label 4 at row 0 would become '4'; expected labels of one kind"),
    (np.array([4, '4'], object), "label 4 at row 0 would become '4'"),
    (['x', 'x\0'], r"label 'x\\x00' at row 1 would become 'x'"),
    (np.array(['x', None], object), 'labels are of type NoneType and str; expected numbers, or names'),
    ([-1, 2**64 - 1], r'label 1\.8\S+ at row 1 may be rounded'),
])  # fmt: skip
def test_labels_that_would_become_others_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        numbered(labels)


def test_names_that_look_alike_stay_apart():
    look_alike = ['e\u0301', '\xe9', 'E\u0301', ' \xe9', '\xe9 ', '1', '1.0']
    names, numbers = numbered(np.array(look_alike))
    assert [names[number] for number in numbers] == look_alike


def test_two_classes_of_one_name_are_refused():
    assert class_numbers(['dog', 'cat'], ['cat'], 'pets') == {'dog': 0, 'cat': 1}
    with pytest.raises(
        ValueError, match="class_names: 'dog' is there 2 times; expected a name for each class"
    ):
        class_numbers(['dog', 'cat', 'dog'], ['cat'], 'pets')
