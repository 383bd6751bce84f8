"""The same pictures in all kinds of files that hold arrays."""

from __future__ import annotations

import centerloss_mx  # noqa: F401  (before mxnet, which newer NumPys need)

import numpy as np
import pytest
from makers import SEED, write_idx


@pytest.fixture(scope='module')
def pictures():
    """12 grey pictures of classes 3, 5 and 8, all classes among the first and among the last of them."""
    rng = np.random.RandomState(SEED)
    return rng.randint(0, 256, (12, 6, 5)).astype('uint8'), np.tile([5, 3, 8], 4)


@pytest.fixture(scope='module')
def sources(pictures, tmp_path_factory):
    """The same pictures in an .npz file, in idx files, and in a folder of idx files with two parts."""
    folder = tmp_path_factory.mktemp('sources')
    images, labels = pictures
    np.savez(folder / 'all.npz', images=images, labels=labels)
    write_idx(folder / 'some-images-idx3-ubyte.gz', images)
    write_idx(folder / 'some-labels-idx1-ubyte', labels.astype('uint8'))
    (folder / 'parts').mkdir()
    for part, rows in ('train', slice(0, 8)), ('t10k', slice(8, 12)):
        write_idx(folder / 'parts' / f'{part}-images-idx3-ubyte', images[rows])
        write_idx(folder / 'parts' / f'{part}-labels-idx1-ubyte.gz', labels[rows].astype('uint8'))
    return folder
