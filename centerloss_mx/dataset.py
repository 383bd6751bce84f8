"""Samples and their classes, whatever they are in: one way to load, to serve, and to hold out.

`load_samples` takes the name of a set, a folder of class folders, a .rec, .npz or idx file; `samples_iter`
serves what it found to a network:

>>> train = samples_iter(load_samples('digits'), batch_size=100, shuffle=True)
>>> train.next().data[0].shape
(100, 1, 28, 28)
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union

import numpy as np
from mxnet.io import NDArrayIter

from .io import CenterLossIter, Images, image_iter, list_images, load_mnist, read_idx

__all__ = [
    'SOURCES',
    'Arrays',
    'Samples',
    'as_arrays',
    'has_parts',
    'hold_out',
    'load_arrays',
    'load_samples',
    'numbered',
    'read_npz',
    'samples_iter',
]

SOURCES = ('digits', 'lfw', 'olivetti')  # that `load_samples` knows by name


class Arrays(NamedTuple):
    """Samples in memory and their classes, as `load_arrays` reads them.

    Parameters
    ----------
    images : numpy.ndarray
        float32 (N, channels, height, width).
    labels : numpy.ndarray
        int64 (N,), 0..num_class-1.
    class_names : list of str
        The name of each class, num_class of them.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: list[str]

    def take(self, rows: Sequence[int] | np.ndarray) -> Arrays:
        """Some of the samples, by their rows; the classes stay as they are.

        Parameters
        ----------
        rows : sequence of int
            Which, in 0..N-1.

        Returns
        -------
        Arrays
        """
        return self._replace(images=self.images[rows], labels=self.labels[rows])


Samples = Union[Images, Arrays]  # pictures in files, which are listed only, or all in memory


def load_samples(
    source: str | os.PathLike,
    part: str | None = None,
    class_names: Sequence[str] | None = None,
    min_classes: int = 1,
) -> Samples:
    """Find samples and their classes, whatever they are in.

    Parameters
    ----------
    source : str or path-like
        - ``'digits'``: the 12,000 digits of MNIST in the package;
        - ``'lfw'`` (people with 5 pictures at least) or ``'olivetti'``: faces that scikit-learn downloads;
        - a folder of idx files with MNIST's names (``train-images-idx3-ubyte``, ``t10k-…``, gzipped or not);
        - an idx file of images, with that of the labels beside it (``…-images-idx3-ubyte`` and
          ``…-labels-idx1-ubyte``);
        - an .npz file, see `load_arrays`;
        - a folder of class folders, or a .rec file, see `io.list_images`.
    part : {'train', 'test'} or None
        Of the digits and of a folder of idx files, which part; None: the one to train with. The other sources
        have no parts.
    class_names : sequence of str, optional
        The classes of a training set, to load the test set that goes with it: labels then count in these.
    min_classes : int
        How many classes are expected at least.

    Returns
    -------
    io.Images or Arrays
        For `samples_iter`.

    Raises
    ------
    FileNotFoundError
        There is nothing of that name.
    ValueError
        What is there cannot be read, has no parts, or too few classes, or has one that is not in
        `class_names`.
    ImportError
        Faces, and scikit-learn is not installed.

    Examples
    --------
    >>> load_samples('digits', 'test').images.shape
    (2000, 1, 28, 28)
    """
    if part not in (None, 'train', 'test'):
        raise ValueError(f'part={part!r} is not one of train, test')
    if part is not None and not has_parts(source):
        raise ValueError(f'{source} has no parts to train and to test with')
    path = Path(source)
    if str(source) in SOURCES:
        samples = _named(str(source), part)
    elif has_parts(source):
        samples = _idx_arrays(_part_of(path, part or 'train'))
    elif path.suffix == '.npz' and path.exists():
        samples = load_arrays(path)
    elif path.is_file() and path.suffix != '.rec':
        samples = _idx_arrays(path)
    elif path.exists():
        return list_images(path, class_names, min_classes)
    else:
        raise FileNotFoundError(
            f'{source}: not there; expected a folder of class folders, a .rec, .npz or idx file, or one of '
            f'{", ".join(SOURCES)}'
        )
    found = len(np.unique(samples.labels))
    if found < min_classes:
        raise ValueError(f'{source}: {found} classes; expected {min_classes} at least')
    return samples if class_names is None else _in_classes(samples, class_names, source)


def has_parts(source: str | os.PathLike) -> bool:
    """Whether a source of `load_samples` has parts of its own to train and to test with.

    Parameters
    ----------
    source : str or path-like
        As for `load_samples`.

    Returns
    -------
    bool

    Examples
    --------
    >>> has_parts('digits'), has_parts('olivetti')
    (True, False)
    """
    if str(source) in SOURCES:
        return str(source) == 'digits'
    return Path(source).is_dir() and any(_PARTS.fullmatch(name) for name in os.listdir(source))


def load_arrays(path: str | os.PathLike) -> Arrays:
    """Load images and labels from an .npz file; pickled ones are refused.

    Parameters
    ----------
    path : path-like
        The file, with the arrays ``images`` (N, height, width) or (N, height, width, channels), uint8 or
        float, and ``labels`` (N,): numbers or names.

    Returns
    -------
    Arrays
        Images in [0, 1] where they are uint8, else as they are. Classes are numbered in the order of their
        labels.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is damaged, or the arrays are not there, of other shapes or dtypes, or not finite.

    Examples
    --------
    >>> faces = load_arrays('faces.npz')  # doctest: +SKIP
    """
    arrays = read_npz(path, ['images', 'labels'])
    images, labels = arrays['images'], arrays['labels']
    if images.ndim not in (3, 4) or labels.shape != images.shape[:1] or not len(labels):
        raise ValueError(
            f'{path}: images of shape {images.shape} and labels of shape {labels.shape}; expected '
            '(N, height, width) or (N, height, width, channels), and (N,), N > 0'
        )
    if images.dtype != np.uint8 and images.dtype.kind != 'f':
        raise ValueError(f'{path}: images are {images.dtype}; expected uint8, or float')
    if not images[0].size:
        raise ValueError(f'{path}: images of shape {images.shape} have no pixels')
    try:
        with np.errstate(over='ignore'):  # beyond float32, which is told below
            samples = as_arrays(images, labels)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    finite = np.isfinite(samples.images).all(axis=(1, 2, 3))
    if not finite.all():  # a max pooling layer would hide it
        raise ValueError(f'{path}: images at row {int(finite.argmin())} are not finite')
    return samples


def as_arrays(images: np.ndarray, labels: np.ndarray) -> Arrays:
    """Make samples of images and labels in memory.

    Parameters
    ----------
    images : numpy.ndarray
        (N, height, width) or (N, height, width, channels); uint8 is brought to [0, 1].
    labels : numpy.ndarray
        (N,), numbers or names, from which the classes get their names; they are numbered in this order.

    Returns
    -------
    Arrays

    Raises
    ------
    ValueError
        A label that is not finite.

    Examples
    --------
    >>> as_arrays(np.zeros((2, 28, 28), np.uint8), np.array(['dog', 'cat'])).labels
    array([1, 0])
    """
    images = images[:, np.newaxis] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    scaled = images.astype(np.float32)
    if images.dtype == np.uint8:
        scaled /= np.float32(255)
    names, numbers = numbered(labels)
    return Arrays(scaled, numbers, names)


def numbered(labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Name the classes after their labels, and number them in the order of these.

    A class has the same name whatever its labels' dtype: 3, 3.0 and b'3' are '3'.

    Parameters
    ----------
    labels : numpy.ndarray
        (N,), numbers or names.

    Returns
    -------
    names : list of str
        Of the classes.
    numbers : numpy.ndarray
        int64 (N,).

    Raises
    ------
    ValueError
        A label that is not finite.

    Examples
    --------
    >>> numbered(np.array([7.0, 3.0, 7.0]))
    (['3', '7'], array([1, 0, 1]))
    """
    labels = np.asarray(labels)
    if labels.dtype.kind == 'f':
        if not np.isfinite(labels).all():
            row = int(np.isfinite(labels).argmin())
            raise ValueError(f'label {labels[row]} at row {row} is no class')
        if (labels == np.round(labels)).all():
            labels = labels.astype(np.int64)
    elif labels.dtype.kind == 'S':
        labels = np.char.decode(labels, 'utf-8', 'replace')
    names, numbers = np.unique(labels, return_inverse=True)
    return [*map(str, names)], numbers.astype(np.int64)


def read_npz(
    path: str | os.PathLike, names: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Read arrays from an .npz file; pickled ones are refused.

    Parameters
    ----------
    path : path-like
        The file.
    names, optional : sequence of str
        The arrays to read; those of `optional` may be missing.

    Returns
    -------
    dict of str to numpy.ndarray
        Those that are there.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is damaged, no .npz file, or lacks an array; the message names those that it has.

    Examples
    --------
    >>> labels = read_npz('faces.npz', ['labels'])['labels']  # doctest: +SKIP
    """
    expected = f'expected the arrays {" and ".join(names)}'
    if not Path(path).is_file():
        what = 'a folder' if Path(path).is_dir() else 'not there'
        raise FileNotFoundError(f'{path}: {what}; {expected} in an .npz file')
    if not zipfile.is_zipfile(path):
        raise ValueError(f'{path}: {expected}: it is no .npz file, or not whole')
    try:
        with open(path, 'rb') as file, np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in names if name not in arrays.files]
            if missing:
                raise ValueError(f'{missing[0]} is not among {", ".join(arrays.files) or "none"}')
            found = {name: arrays[name] for name in (*names, *optional) if name in arrays.files}
            for name, array in found.items():
                if not isinstance(array, np.ndarray):
                    raise ValueError(f'{name} is no array')
            return found
    except Exception as error:  # what NumPy raises of a damaged file has no common base
        raise ValueError(f'{path}: {expected}: {error}') from None


def samples_iter(
    samples: Samples,
    batch_size: int,
    image_size: int | None = None,
    shuffle: bool = False,
    rand_mirror: bool = False,
    ignore_label: float | None = None,
) -> CenterLossIter:
    """Serve samples in batches, the label to both losses.

    Parameters
    ----------
    samples : io.Images or Arrays
        What `load_samples` returned.
    batch_size : int
        Samples a batch; no more than there are, if they are in files. The last batch is padded with the first
        samples.
    image_size : int or None
        Height and width that pictures are brought to, see `io.image_iter`; arrays are served as they are.
    shuffle : bool
        Shuffle at every reset: pictures with Python's global generator, arrays with NumPy's.
    rand_mirror : bool
        Mirror every other picture, at random; for pictures in files only.
    ignore_label : number, optional
        What the center labels of padding become, see `io.CenterLossIter`.

    Returns
    -------
    io.CenterLossIter
        It serves ``data``, float32, ``softmax_label`` and ``center_label``.

    Raises
    ------
    ValueError
        `batch_size` is more than the number of pictures, these have no `image_size`, or arrays are to be
        mirrored.

    Examples
    --------
    >>> samples_iter(load_samples('digits'), batch_size=100).provide_data[0].shape
    (100, 1, 28, 28)
    """
    if isinstance(samples, Images):
        if image_size is None:
            raise ValueError('image_size=None: expected the height and width that pictures are brought to')
        return image_iter(samples, batch_size, image_size, shuffle, rand_mirror, ignore_label)
    if rand_mirror:
        raise ValueError('rand_mirror=True: only pictures in files can be mirrored')
    labels = samples.labels.astype(np.float32)
    return CenterLossIter(
        NDArrayIter(samples.images, labels, batch_size, shuffle=shuffle), ignore_label=ignore_label
    )


def hold_out(samples: Samples, share: float, seed: int = 0) -> tuple[Samples, Samples]:
    """Hold a share of the samples out, spread over the classes.

    Parameters
    ----------
    samples : io.Images or Arrays
        What `load_samples` returned, two of each class at least.
    share : float
        The share to hold out, > 0 and < 1.
    seed : int
        Of the drawing.

    Returns
    -------
    kept, held_out : io.Images or Arrays
        The classes of both are those of all.

    Raises
    ------
    ValueError
        A class of one sample, or a share that leaves nothing on one side for as many classes.
    ImportError
        scikit-learn is not installed.

    Examples
    --------
    >>> train, test = hold_out(load_samples('digits'), 0.2)
    >>> len(train.labels), len(test.labels)
    (8000, 2000)
    """
    try:
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError("this needs scikit-learn: pip install 'centerloss_mx[examples]'") from error
    counts = np.bincount(samples.labels)
    if (counts == 1).any():
        name = samples.class_names[int((counts == 1).argmax())]
        raise ValueError(f'class {name} has one sample; expected two at least, one of them to be held out')
    rows = np.arange(len(samples.labels))
    kept, held_out = train_test_split(rows, test_size=share, stratify=samples.labels, random_state=seed)
    return samples.take(kept), samples.take(held_out)


_PARTS = re.compile(r'(train|t10k)-images[-.]idx3-ubyte(\.gz)?')


def _named(source: str, part: str | None) -> Arrays:
    if source == 'digits':
        images, labels = load_mnist()[2:] if part == 'test' else load_mnist()[:2]
        return as_arrays(images, labels)
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(f"{source} needs scikit-learn: pip install 'centerloss_mx[examples]'") from error
    if source == 'lfw':
        found = datasets.fetch_lfw_people(min_faces_per_person=5, resize=0.5)
        return as_arrays(found.images, found.target_names[found.target])
    found = datasets.fetch_olivetti_faces()
    return as_arrays(found.images, found.target)


def _part_of(folder: Path, part: str) -> Path:
    """The idx file of images of a part."""
    prefix = {'train': 'train-', 'test': 't10k-'}[part]
    found = sorted(path for path in folder.iterdir() if _PARTS.fullmatch(path.name))
    of_part = [path for path in found if path.name.startswith(prefix)]
    if not of_part:
        raise FileNotFoundError(f'{folder}: expected {prefix}images-idx3-ubyte beside {found[0].name}')
    return of_part[0]


def _idx_arrays(images_path: Path) -> Arrays:
    labels_path = _labels_beside(images_path)
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise ValueError(
            f'{images_path}: {images.dtype} {images.shape}; expected images, uint8 (N, height, width)'
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(f'{labels_path}: labels of shape {labels.shape}; expected {images.shape[:1]}')
    return as_arrays(images, labels)


def _labels_beside(images_path: Path) -> Path:
    name = images_path.name.replace('images', 'labels').replace('idx3', 'idx1')
    if name == images_path.name:
        raise ValueError(
            f'{images_path}: expected a folder, an .npz or .rec file, or the idx file …-images-idx3-ubyte, '
            'with its labels beside it'
        )
    plain = name[: -len('.gz')] if name.endswith('.gz') else name
    paths = [images_path.with_name(other) for other in (name, plain, f'{plain}.gz')]
    return next((path for path in paths if path.is_file()), paths[0])


def _in_classes(samples: Arrays, class_names: Sequence[str], source: Any) -> Arrays:
    """The same samples, their labels counting in `class_names`."""
    numbers_of = {name: number for number, name in enumerate(class_names)}
    unknown = [name for name in samples.class_names if name not in numbers_of]
    if unknown:
        known = ', '.join(class_names[:10]) + (', ...' if len(class_names) > 10 else '')
        raise ValueError(f'{source}: class {unknown[0]} is not one of the {len(class_names)}: {known}')
    to = np.array([numbers_of[name] for name in samples.class_names])
    return samples._replace(labels=to[samples.labels], class_names=list(class_names))
