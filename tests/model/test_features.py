"""Features in .npz files."""

from __future__ import annotations

from centerloss_mx.model import Features, load_features, save_features

import numpy as np
import pytest


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
