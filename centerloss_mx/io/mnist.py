"""MNIST: the digits of the package, or all of them from the four standard files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from mxnet import io as mxio

from .center_loss_iter import CenterLossIter
from .idx import read_idx_with_magic

_MNIST_STEMS = (
    'train-images-idx3-ubyte',
    'train-labels-idx1-ubyte',
    't10k-images-idx3-ubyte',
    't10k-labels-idx1-ubyte',
)

_MNIST_MAGICS = {2051: 'images', 2049: 'labels'}


def load_mnist(
    data_dir: str | os.PathLike[str] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return MNIST: the 12,000 digits in the package, or the whole set from its four files.

    Parameters
    ----------
    data_dir : path-like, optional
        The directory of ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``
        and ``t10k-labels-idx1-ubyte``, each with or without ``.gz``, or spelled ``train-images.idx3-ubyte``.
        Left out, the digits of the package: 10,000 for training and 2,000 for testing with the class shares
        of the whole set (``data/README.md`` beside this module tells the rule and the licence).

    Returns
    -------
    train_images, train_labels, test_images, test_labels : numpy.ndarray
        Images uint8 (N, 28, 28), 0 is background and 255 ink; labels uint8 (N,), 0 to 9.

    Raises
    ------
    FileNotFoundError
        If files are missing; the message has the names that were looked for.
    ValueError
        If a file is broken (see `read_idx`), images and labels differ in number, images are not 28x28, or a
        label is beyond 9.
    """
    if data_dir is None:
        embedded = Path(__file__).parents[1] / 'data' / 'mnist.npz'
        if not embedded.is_file():
            raise FileNotFoundError(f'{embedded}: missing; reinstall the package, or pass data_dir')
        with np.load(str(embedded), allow_pickle=False) as arrays:
            return (
                arrays['train_images'],
                arrays['train_labels'],
                arrays['test_images'],
                arrays['test_labels'],
            )

    data_dir = Path(data_dir)
    paths, missing = [], []
    for stem in _MNIST_STEMS:
        dotted = stem.replace('-idx', '.idx')
        names = [stem, stem + '.gz', dotted, dotted + '.gz']
        # is_file, because some unpackers make a directory of the file's name.
        found = [data_dir / name for name in names if (data_dir / name).is_file()]
        paths.extend(found[:1])
        if not found:
            missing.append(' or '.join(names))
    if missing:
        where = data_dir if data_dir.is_dir() else f'{data_dir} (no such directory)'
        raise FileNotFoundError(f'MNIST files not found in {where}: ' + '; '.join(missing))
    return (*_read_mnist(paths[0], paths[1]), *_read_mnist(paths[2], paths[3]))


def mnist_iter(
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    shuffle: bool = False,
    ignore_label: float | None = None,
) -> CenterLossIter:
    """Serve images and labels of `load_mnist` in batches, the label to both losses.

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
        What the center labels of padding become, see `CenterLossIter`.

    Returns
    -------
    CenterLossIter
        Over an `mxnet.io.NDArrayIter`.

    Raises
    ------
    ValueError
        If images are not uint8 (N, height, width) or labels are not (N,).
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.ndim != 3:
        # Floats may already be in [0, 1], and dividing them once more would go unnoticed.
        raise ValueError(f'images are {images.dtype} {images.shape}, expected uint8 (N, height, width)')
    if labels.shape != images.shape[:1]:
        raise ValueError(f'labels have shape {labels.shape}, expected {images.shape[:1]}: one an image')
    data = images[:, np.newaxis].astype(np.float32) / np.float32(255)
    samples = mxio.NDArrayIter(data, labels.astype(np.float32), batch_size, shuffle=shuffle)
    return CenterLossIter(samples, ignore_label=ignore_label)


def _read_mnist(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    arrays = []
    for path, expected in (images_path, 2051), (labels_path, 2049):
        magic, array = read_idx_with_magic(path)
        if magic != expected:
            found = _MNIST_MAGICS.get(magic, 'neither images nor labels')
            raise ValueError(
                f'{path}: magic {magic} (0x{magic:08x}), that of {found}; '
                f'expected {expected}, that of {_MNIST_MAGICS[expected]}'
            )
        arrays.append(array)
    images, labels = arrays
    if images.shape[1:] != (28, 28):
        raise ValueError(f'{images_path}: images are {images.shape[1]}x{images.shape[2]}, expected 28x28')
    if len(images) != len(labels):
        raise ValueError(
            f'{images_path} has {len(images)} images, but {labels_path} has {len(labels)} labels'
        )
    beyond = np.flatnonzero(labels > 9)
    if len(beyond):
        raise ValueError(f'{labels_path}: label {labels[beyond[0]]} at row {beyond[0]} is outside 0..9')
    return images, labels
