"""MNIST: the digits in the package, or the complete set from its four files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from mxnet import io as mxio

from .center_loss_iter import CenterLossIter
from .idx import read_idx_with_magic

_STEMS = (
    'train-images-idx3-ubyte',
    'train-labels-idx1-ubyte',
    't10k-images-idx3-ubyte',
    't10k-labels-idx1-ubyte',
)
_IMAGES_MAGIC, _LABELS_MAGIC = 2051, 2049
_KINDS = {_IMAGES_MAGIC: 'images', _LABELS_MAGIC: 'labels'}


def load_mnist(
    data_dir: str | os.PathLike[str] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return MNIST: the 12,000 digits in the package, or the complete set from its four files.

    Parameters
    ----------
    data_dir : path-like, optional
        The directory of ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``
        and ``t10k-labels-idx1-ubyte``, each with or without ``.gz``, or spelled ``train-images.idx3-ubyte``.
        None: the digits in the package, 10,000 for training and 2,000 for testing, with the class shares of
        the complete set (see ``data/README.md`` in the package for the selection and the licence).

    Returns
    -------
    train_images, train_labels, test_images, test_labels : numpy.ndarray
        Images uint8 (N, 28, 28), 0 is background and 255 ink; labels uint8 (N,), 0 to 9.

    Raises
    ------
    FileNotFoundError
        Files are missing; the message lists all names that they may have.
    ValueError
        A file is damaged (see `read_idx`), images and labels differ in number, images are not 28x28, or a
        label is greater than 9.
    """
    if data_dir is None:
        return _embedded_digits()
    train_images, train_labels, test_images, test_labels = _paths_in(Path(data_dir))
    return (*_read_pair(train_images, train_labels), *_read_pair(test_images, test_labels))


def mnist_iter(
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    shuffle: bool = False,
    ignore_label: float | None = None,
) -> CenterLossIter:
    """Serve images and labels of `load_mnist` in batches, with one label for both losses.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (N, height, width); served as ``data``, float32 (batch_size, 1, height, width) in [0, 1].
    labels : numpy.ndarray
        (N,); served as float32 (batch_size,) under ``softmax_label`` and ``center_label``.
    batch_size : int
        Samples a batch. The last batch is padded with the first samples.
    shuffle : bool
        Shuffle at every reset, with NumPy's global generator (seed it with `numpy.random.seed`).
    ignore_label : number, optional
        Replaces the center labels of padding, see `CenterLossIter`.

    Returns
    -------
    CenterLossIter
        Around an `mxnet.io.NDArrayIter`.

    Raises
    ------
    ValueError
        Images are not uint8 (N, height, width), or labels are not (N,).
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.ndim != 3:
        # Floats may be in [0, 1] already; a second division would not be noticed.
        raise ValueError(f'images are {images.dtype} {images.shape}, expected uint8 (N, height, width)')
    if labels.shape != images.shape[:1]:
        raise ValueError(f'labels have shape {labels.shape}, expected {images.shape[:1]}: one an image')
    data = images[:, np.newaxis].astype(np.float32) / np.float32(255)
    samples = mxio.NDArrayIter(data, labels.astype(np.float32), batch_size, shuffle=shuffle)
    return CenterLossIter(samples, ignore_label=ignore_label)


def _embedded_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    path = Path(__file__).parents[1] / 'data' / 'mnist.npz'
    if not path.is_file():
        raise FileNotFoundError(f'{path}: missing; reinstall the package, or pass data_dir')
    with np.load(str(path), allow_pickle=False) as arrays:
        return arrays['train_images'], arrays['train_labels'], arrays['test_images'], arrays['test_labels']


def _paths_in(data_dir: Path) -> list[Path]:
    """The four files, each in one of its spellings."""
    paths, missing = [], []
    for stem in _STEMS:
        dotted = stem.replace('-idx', '.idx')
        names = [stem, f'{stem}.gz', dotted, f'{dotted}.gz']
        # is_file, because some programs unpack a file into a directory of its name.
        found = [data_dir / name for name in names if (data_dir / name).is_file()]
        paths.extend(found[:1])
        if not found:
            missing.append(' or '.join(names))
    if missing:
        problem = 'lacks' if data_dir.is_dir() else 'does not exist; expected a folder with'
        raise FileNotFoundError(f'{data_dir} {problem} files of MNIST: ' + '; '.join(missing))
    return paths


def _read_pair(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images and their labels."""
    images, labels = _read(images_path, _IMAGES_MAGIC), _read(labels_path, _LABELS_MAGIC)
    if images.shape[1:] != (28, 28):
        raise ValueError(f'{images_path}: images are {images.shape[1]}x{images.shape[2]}, expected 28x28')
    if len(images) != len(labels):
        raise ValueError(
            f'{images_path} has {len(images)} images, but {labels_path} has {len(labels)} labels'
        )
    invalid = np.flatnonzero(labels > 9)
    if len(invalid):
        raise ValueError(f'{labels_path}: label {labels[invalid[0]]} at row {invalid[0]} is outside 0..9')
    return images, labels


def _read(path: Path, expected: int) -> np.ndarray:
    magic, array = read_idx_with_magic(path)
    if magic != expected:
        found = _KINDS.get(magic, 'neither images nor labels')
        raise ValueError(
            f'{path}: magic {magic} (0x{magic:08x}), that of {found}; '
            f'expected {expected}, that of {_KINDS[expected]}'
        )
    return array
