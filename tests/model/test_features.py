"""Features in .npz files."""

from __future__ import annotations

from centerloss_mx.model import Features, load_features, save_features

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def some_features(**fields):
    rng = np.random.RandomState(20161008)
    found = Features(
        rng.randn(6, 3).astype('float32'), np.array([0, 2, 1, 1, 0, 2]), ['Ann', 'Bób', '3'],
        [f'{i}.png' for i in range(6)], rng.randn(2, 3), ['Ann', 'Eve'],
    )  # fmt: skip
    return found._replace(**fields)


def assert_same_features(found, expected):
    for name, value in expected._asdict().items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(found, name), value)
        else:
            assert getattr(found, name) == value


def test_saved_features_come_back(tmp_path):
    for expected in (
        some_features(),
        some_features(names=None, centers=None, trained_on=None),
        some_features(centers=None),
        some_features(
            training_settings={'seed': 1, 'loss': 'softmax', 'margins': [1, 0.5, 0], 'scale': None}
        ),
    ):
        save_features(tmp_path / 'features.npz', expected)
        found = load_features(tmp_path / 'features.npz')
        assert_same_features(found, expected)
        assert found.classes.tolist() == ['Ann', '3', 'Bób', 'Bób', 'Ann', '3']
    assert [path.name for path in tmp_path.iterdir()] == ['features.npz']
    np.savez(tmp_path / 'bare.npz', features=np.eye(3), labels=[7, 3, 7])
    bare = load_features(tmp_path / 'bare.npz')
    assert bare.class_names == ['3', '7'] and bare.classes.tolist() == ['7', '3', '7']


@pytest.mark.parametrize('arrays, message', [
    ({'features': np.eye(3)}, 'labels is not among features'),
    ({'features': np.ones(3), 'labels': np.zeros(3)}, r'features float64 \(3,\) and labels of shape \(3,\)'),
    ({'features': np.eye(3), 'labels': np.zeros(2)}, r'labels of shape \(2,\)'),
    ({'features': np.array([['a']]), 'labels': [0]}, r'expected numbers \(N, D\)'),
    ({'features': np.diag([1, np.nan, 1]), 'labels': [0, 1, 2]}, 'features at row 1 are not finite'),
    ({'features': np.eye(3), 'labels': [0, 1, 2], 'class_names': ['a', 'b']}, 'label 2 at row 2 is outside'),
    ({'features': np.eye(3), 'labels': [0, -1, 1], 'class_names': ['a', 'b']}, 'label -1 at row 1 is outs'),
    ({'features': np.eye(3), 'labels': [0.5, 0, 1], 'class_names': ['a', 'b']}, 'label 0.5 at row 0 is'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'centers': np.eye(3)}, r'centers of shape \(3, 3\)'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'centers': np.ones((2, 2)), 'trained_on': ['a', 'b']},
     r'centers of shape \(2, 2\); expected a row of 3'),
    ({'features': np.eye(3), 'labels': np.array([{}] * 3)}, 'Object arrays cannot be loaded'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'class_names': 'ab'}, r'class_names of shape \(\)'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'trained_on': 'ab'}, r'trained_on of shape \(\)'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'names': ['a']}, '3 features, but 1 name$'),
    ({'features': np.eye(3), 'labels': [0, np.nan, 1]}, 'label nan at row 1 is not finite'),
    ({'features': 1e200 * np.eye(3), 'labels': [0, 0, 1]}, 'features at row 0 are not finite'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'training_settings': '[1]'},
     r"training_settings are '\[1\]'; expected an object in JSON, whose seed is an integer"),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'training_settings': '{"seed": true}'},
     'training_settings are .*; expected an object in JSON, whose seed is an integer'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'training_settings': f'{{"a": "{"b" * 65536}"}}'},
     'training_settings are 65545 characters; expected 65536 at most'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'centers': [['a'] * 3], 'trained_on': ['a']},
     'centers are <U1; expected float'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'centers': [[np.nan] * 3], 'trained_on': ['a']},
     'the centers are not finite'),
])  # fmt: skip
def test_features_that_do_not_fit_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / 'features.npz', **arrays)
    with pytest.raises(ValueError, match=message) as refused:
        load_features(tmp_path / 'features.npz')
    assert str(refused.value).startswith(f'{tmp_path / "features.npz"}: ')


def test_features_that_are_not_finite_are_not_written(tmp_path):
    features = some_features()
    features.features[4, 1] = np.inf
    with pytest.raises(
        ValueError, match=r'features.npz is not written: features at row 4 \(4.png\) are not finite'
    ):
        save_features(tmp_path / 'features.npz', features)
    with pytest.raises(ValueError, match=r'expected a file that ends in \.npz'):
        save_features(tmp_path / 'features.csv', some_features())
    assert not list(tmp_path.iterdir())


NAMES = st.text(st.sampled_from('ab\0ü '), max_size=2)
CHECKPOINTS = st.none() | st.fixed_dictionaries(
    {
        'prefix': st.just('net'),
        'epoch': st.integers(0, 9),
        'layer': st.just('x_output'),
        'flip': st.booleans(),
        'preprocessing': st.just({}),
    }
)
LISTS = st.one_of(
    st.none(), st.lists(NAMES | st.sampled_from([7, 2.5, None]), max_size=3),
    st.lists(st.binary(max_size=2), max_size=3),
)  # fmt: skip
ARRAYS = st.builds(
    lambda dtype, shape, value: np.full(shape, value).astype(dtype),
    st.sampled_from(['float32', 'float64', 'float16', 'int64', 'uint8', 'bool', 'object', 'U2', 'complex64']),
    st.sampled_from([(2, 3), (3, 2), (3, 1), (0, 2), (3,), (2,), ()]),
    st.sampled_from([0, 1, 2]),
)


@settings(max_examples=100)
@given(
    features=st.builds(
        Features,
        ARRAYS,
        ARRAYS,
        LISTS,
        LISTS,
        st.none() | ARRAYS,
        LISTS,
        checkpoint=CHECKPOINTS,
        training_settings=st.none(),
    )
)
def test_what_is_saved_can_be_loaded_and_what_cannot_is_not_saved(tmp_path_factory, features):
    """The fields are mostly wrong; the file that NumPy would write of them says what loading makes of it."""
    check_saving(tmp_path_factory.mktemp('features'), features)


@given(size=st.integers(0, 3), data=st.data())
def test_what_is_saved_comes_back(tmp_path_factory, size, data):
    """The fields fit each other; their values are odd now and then."""
    values = st.sampled_from([0, 1, -1, np.nan, 1e39, 1e-50])
    names = [data.draw(st.lists(NAMES, min_size=n, max_size=n)) for n in (2, size, 3)]
    features, centers = (
        np.array(data.draw(st.lists(values, min_size=2 * n, max_size=2 * n)), float).reshape(n, 2)
        for n in (size, 3)
    )
    labels = np.array(data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)), int)
    check_saving(
        tmp_path_factory.mktemp('features'), Features(features, labels, names[0], names[1], centers, names[2])
    )


def check_saving(folder, features):
    def loaded(path):
        try:
            return load_features(path), None
        except ValueError as error:
            return None, str(error).replace(f'{path}: ', '')

    plain, saved = folder / 'plain.npz', folder / 'saved.npz'
    given_fields = {name: value for name, value in features._asdict().items() if value is not None}
    np.savez(plain, **{name: np.array(value) for name, value in given_fields.items()})
    expected, refusal = loaded(plain)
    try:
        save_features(saved, features)
    except ValueError as error:
        assert not saved.exists()
        if ' would be read as ' not in str(error):
            assert 'Object arrays' in refusal or str(error).endswith(refusal)
        return
    assert_same_features(loaded(saved)[0], expected)
    for name in 'class_names', 'names', 'trained_on':
        if name in given_fields:
            given_names = [one.decode() if isinstance(one, bytes) else str(one) for one in given_fields[name]]
            assert getattr(expected, name) == given_names


@pytest.mark.parametrize('fields, message', [
    ({'features': np.ones((6, 3), bool)}, r'features bool \(6, 3\) and labels'),
    ({'labels': np.array([0, 1, 2, 3, 0, 0])}, 'label 3 at row 3 is outside 0..2'),
    ({'labels': np.zeros(6)}, r'label 0\.0 at row 0 is outside 0..2'),
    ({'names': ['a']}, '6 features, but 1 name'),
    ({'names': None, 'features': np.ones((5, 3))}, r'features float64 \(5, 3\) and labels of shape \(6,\)'),
    ({'trained_on': None}, r'centers of shape \(2, 3\); expected a row of 3 for each class'),
    ({'centers': np.full((2, 3), np.inf)}, 'the centers are not finite'),
    ({'class_names': ['Ann', '3', 'Ann']}, "class_names: 'Ann' is there 2 times; expected a name for"),
    ({'class_names': ['Ann', '3\0', 'Bob']}, r"class_names: '3\\x00' at row 1 would be read as '3'"),
    ({'class_names': ['Ann', None, 'Bob']}, r'class_names of shape \(3,\); expected a list of names'),
    ({'trained_on': [b'Zo\xeb', b'Ann']}, r"trained_on: b'Zo\\xeb' at row 0 is not UTF-8"),
])  # fmt: skip
def test_features_that_could_not_be_loaded_are_not_written(tmp_path, fields, message):
    with pytest.raises(ValueError, match=rf'features\.npz is not written: {message}'):
        save_features(tmp_path / 'features.npz', some_features(**fields))
    assert not list(tmp_path.iterdir())


def test_names_in_bytes_are_read_as_text(tmp_path):
    names = [b'Ann', 'Zoë'.encode()]
    np.savez(tmp_path / 'f.npz', features=np.eye(2), labels=[1, 0], class_names=names)
    assert load_features(tmp_path / 'f.npz').classes.tolist() == ['Zoë', 'Ann']


@pytest.mark.parametrize('dtype', ['bool', 'int64', 'uint8', 'complex128'])
def test_centers_of_another_dtype_than_float_are_refused(tmp_path, dtype):
    centers = np.ones((1, 3), dtype)
    np.savez(tmp_path / 'x.npz', features=np.eye(3), labels=[0, 0, 1], centers=centers, trained_on=['a'])
    with pytest.raises(ValueError, match=f'centers are {dtype}; expected float'):
        load_features(tmp_path / 'x.npz')


@pytest.mark.parametrize('num_class', [1, 2, 4])
def test_a_label_that_is_no_class_is_refused_with_the_range_of_classes(tmp_path, num_class):
    names = [f'class {i}' for i in range(num_class)]
    np.savez(tmp_path / 'x.npz', features=np.eye(3), labels=[0, num_class, 0], class_names=names)
    with pytest.raises(ValueError, match=rf'label {num_class} at row 1 is outside 0\.\.{num_class - 1}$'):
        load_features(tmp_path / 'x.npz')
