"""Iterators that serve one label to both losses, MNIST, and pictures in folders and .rec files.

Softmax and center loss read the same classes, but a symbol needs two label Variables, and a data iterator
of MXNet has one label. `CenterLossIter` wraps any such iterator and serves its label under both names:

>>> import mxnet as mx
>>> from centerloss_mx.io import CenterLossIter, load_mnist, mnist_iter
>>> records = mx.io.NDArrayIter(mx.nd.zeros((4, 2)), mx.nd.array([3, 1, 4, 1]), batch_size=2)
>>> [desc.name for desc in CenterLossIter(records).provide_label]
['softmax_label', 'center_label']

`load_mnist` returns MNIST as NumPy arrays: 12,000 digits that come with the package, or all 70,000 from the
four standard files. `mnist_iter` makes such an iterator of them:

>>> train_images, train_labels, test_images, test_labels = load_mnist()
>>> train = mnist_iter(train_images, train_labels, batch_size=100, shuffle=True)
>>> train.next().data[0].shape
(100, 1, 28, 28)

`list_images` lists the pictures in a folder of class folders, or in a .rec file, and `image_iter` makes such
an iterator of them:

>>> images = list_images('birds')  # doctest: +SKIP
>>> train = image_iter(images, batch_size=32, image_size=64, shuffle=True)  # doctest: +SKIP
"""

from __future__ import annotations

import gzip
import math
import numbers
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Iterable, Iterator, NamedTuple

import numpy as np
from mxnet import image as mximage
from mxnet import io as mxio
from mxnet import recordio
from mxnet.base import MXNetError
from mxnet.ndarray import NDArray

from .rows import check_labels

__all__ = [
    'CenterLossIter',
    'Images',
    'PartIter',
    'image_iter',
    'list_images',
    'load_mnist',
    'mnist_iter',
    'read_idx',
    'readable_images',
    'with_progress',
]


class CenterLossIter(mxio.DataIter):
    """Serve the one label of a data iterator to both losses.

    Every batch of `data_iter` is handed on with its label under two names. The label is not copied: both
    entries are the same array. Data, `pad`, `index` and `bucket_key` stay as they are.

    Parameters
    ----------
    data_iter : mxnet.io.DataIter
        Any iterator with exactly one label, of shape (N,) or (N, 1): `NDArrayIter`, `ImageRecordIter`,
        `MNISTIter`, `CSVIter`, `mx.image.ImageIter`, one of your own. A label (N, 1) is served as (N,), the
        shape that the center loss takes.
    label_names : sequence of two str
        The label's name for the softmax, then for the center loss; as `Module` takes them. What `data_iter`
        calls its label does not matter.
    ignore_label : number, optional
        The class to give, in the center label alone, to the rows that merely pad a batch (its last
        `DataBatch.pad` rows, which `NDArrayIter` fills with the first samples once more), so that repeated
        samples do not move their centers twice. Give the same value to the center loss, with
        ``use_ignore=True``; without that, -1 is an error there. The softmax label keeps the class, so
        `SoftmaxOutput` trains on padding as MXNet always does. None marks nothing.

    Raises
    ------
    ValueError
        If `data_iter` has no label or several, if the label has another shape, if `label_names` are not two
        different names, or if the label's dtype cannot hold `ignore_label` (-1 in uint8); the last is looked
        at here and again on every batch, because a plain ``(name, shape)`` says nothing of the dtype.
    TypeError
        If `ignore_label` is not a number.

    Notes
    -----
    With ``last_batch_handle='roll_over'`` nothing is marked: the rows that `pad` counts there are samples
    carried over between epochs, at the front of the batch, and none is a repeat.

    The iterators written in C++ pad with the next epoch's first samples when ``round_batch=True`` (their
    default), which the same epoch has already had, and leave those out of the next epoch. `ImageRecordIter`
    with ``round_batch=False`` says ``pad=0`` of a last batch whose end nobody wrote, so nothing can be marked
    there: leave `round_batch` on.

    MXNet's `PrefetchingIter` waits for ever when the iterator inside it raises. Wrap it in a `CenterLossIter`
    rather than the other way round, and an error about a label is seen.

    Examples
    --------
    >>> import mxnet as mx
    >>> from centerloss_mx.io import CenterLossIter
    >>> samples = mx.io.NDArrayIter(mx.nd.zeros((3, 8)), mx.nd.array([7, 8, 9]), batch_size=2)
    >>> for batch in CenterLossIter(samples, ignore_label=-1):
    ...     print(batch.pad, [label.asnumpy().tolist() for label in batch.label])
    0 [[7.0, 8.0], [7.0, 8.0]]
    1 [[9.0, 7.0], [9.0, -1.0]]
    """

    def __init__(
        self,
        data_iter: mxio.DataIter,
        label_names: Sequence[str] = ('softmax_label', 'center_label'),
        ignore_label: float | None = None,
    ) -> None:
        if isinstance(label_names, str) or len(set(label_names)) != 2 or len(label_names) != 2:
            raise ValueError(f'label_names is {label_names!r}, expected two different names')
        if ignore_label is not None and not isinstance(ignore_label, numbers.Real):
            raise TypeError(f'ignore_label is {ignore_label!r}, expected a number or None')
        self.data_iter = data_iter
        self.label_names = tuple(label_names)
        self.ignore_label = ignore_label
        self.current_batch: Any = None
        self._pads = not _rolls_over(data_iter)
        if hasattr(data_iter, 'default_bucket_key'):
            self.default_bucket_key = data_iter.default_bucket_key

        label = self.provide_label[0]
        if ignore_label is not None:
            _check_ignore_label(ignore_label, label.dtype)
        # The label has one entry a sample, so this holds for iterators that left batch_size at 0 too.
        super().__init__(label.shape[0])

    @property
    def provide_data(self) -> list[mxio.DataDesc]:
        """Name, shape, dtype and layout of the data: those of the wrapped iterator."""
        return [_as_desc(desc) for desc in self.data_iter.provide_data]

    @property
    def provide_label(self) -> list[mxio.DataDesc]:
        """The same shape (N,), dtype and layout under each of the two label names."""
        return self._twice(self.data_iter.provide_label)

    def reset(self) -> None:
        """Begin the next epoch."""
        self.current_batch = None
        self.data_iter.reset()

    def next(self) -> mxio.DataBatch:
        """Return the next batch, its `label` a list of two.

        Raises
        ------
        StopIteration
            At the end of the epoch.
        ValueError
            If the batch has not exactly one label of shape (N,) or (N, 1), or one that cannot hold
            `ignore_label`.
        """
        if not self.iter_next():
            raise StopIteration
        return self.current_batch

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end of the epoch."""
        # Only next() will do: iter_next() of the C++ iterators stays on the first batch for ever, and their
        # getdata() gives no list.
        try:
            batch = self.data_iter.next()
        except StopIteration:
            self.current_batch = None
            return False
        provide_label = getattr(batch, 'provide_label', None)
        self.current_batch = mxio.DataBatch(
            data=batch.data,
            label=self._two_labels(batch),
            pad=getattr(batch, 'pad', None),
            index=getattr(batch, 'index', None),
            bucket_key=getattr(batch, 'bucket_key', None),
            provide_data=getattr(batch, 'provide_data', None),
            provide_label=None if provide_label is None else self._twice(provide_label),
        )
        return True

    def getdata(self) -> list[Any]:
        """Return the current batch's data, a list of arrays."""
        return self.current_batch.data

    def getlabel(self) -> list[Any]:
        """Return the current batch's two labels, arrays of shape (N,)."""
        return self.current_batch.label

    def getindex(self) -> np.ndarray | None:
        """Return the current batch's sample numbers, if the wrapped iterator gives them."""
        return self.current_batch.index

    def getpad(self) -> int | None:
        """Return how many rows of the current batch pad it."""
        return self.current_batch.pad

    def _twice(self, descs: Sequence[Any] | None) -> list[mxio.DataDesc]:
        descs = [_as_desc(desc) for desc in descs or ()]
        if len(descs) != 1:
            found = ', '.join(repr(desc.name) for desc in descs) or 'none'
            raise ValueError(f'the iterator must have exactly one label, found {len(descs)}: {found}')
        label = descs[0]
        shape = _checked_shape(label.name, label.shape)
        return [mxio.DataDesc(name, shape, label.dtype, label.layout) for name in self.label_names]

    def _two_labels(self, batch: mxio.DataBatch) -> list[Any]:
        if not batch.label or len(batch.label) != 1:
            raise ValueError(f'batch has {len(batch.label or ())} label arrays, expected exactly one')
        label = batch.label[0]
        shape = _checked_shape('of the batch', label.shape)
        if label.shape != shape:
            label = label.reshape(shape)  # a view of the same memory
        if self.ignore_label is None:
            return [label, label]
        _check_ignore_label(self.ignore_label, label.dtype)
        if not (self._pads and batch.pad):
            return [label, label]
        # Iterators hand out slices of their own memory: marking those would change the data set.
        center_label = label.copy()
        first = max(0, shape[0] - batch.pad)
        center_label[first:] = self.ignore_label
        return [label, center_label]


class PartIter(mxio.DataIter):
    """Serve one worker its part of every batch: together, the workers' parts are the batches of one process.

    With the same iterator and the same order of samples on each worker (seed the generator that shuffles),
    synchronous training on several workers takes the steps of one process. Each worker reads all samples; for
    large sets give `num_parts` and `part_index` to MXNet's own iterators instead, which splits the set but
    not its batches, and see that all workers have equally many.

    Parameters
    ----------
    data_iter : mxnet.io.DataIter
        Any iterator, `CenterLossIter` included, whose arrays have the batch first.
    part_index : int
        Which part, in 0..num_parts-1: the worker's `kvstore.rank`.
    num_parts : int
        How many parts, > 0: `kvstore.num_workers`; it divides the batch size.

    Raises
    ------
    ValueError
        A part that is not there, or parts that do not divide the batch.

    Examples
    --------
    >>> import mxnet as mx
    >>> samples = mx.io.NDArrayIter(mx.nd.zeros((4, 2)), mx.nd.array([7, 8, 9, 6]), batch_size=4)
    >>> next(PartIter(samples, part_index=1, num_parts=2)).label[0].asnumpy()
    array([9., 6.], dtype=float32)
    """

    def __init__(self, data_iter: mxio.DataIter, part_index: int, num_parts: int) -> None:
        if not 0 <= part_index < num_parts:
            raise ValueError(f'part_index {part_index} is outside 0..{num_parts - 1} (num_parts={num_parts})')
        if data_iter.batch_size % num_parts:
            raise ValueError(
                f'num_parts={num_parts} does not divide the batch size, {data_iter.batch_size}; expected a '
                'multiple, or the parts would weigh differently'
            )
        super().__init__(data_iter.batch_size // num_parts)
        self.data_iter = data_iter
        self._part = slice(part_index * self.batch_size, (part_index + 1) * self.batch_size)

    @property
    def provide_data(self) -> list[mxio.DataDesc]:
        """Name, shape, dtype and layout of the part's data."""
        return self._parts(self.data_iter.provide_data)

    @property
    def provide_label(self) -> list[mxio.DataDesc]:
        """Name, shape, dtype and layout of the part's labels."""
        return self._parts(self.data_iter.provide_label)

    def reset(self) -> None:
        """Begin the next epoch."""
        self.data_iter.reset()

    def next(self) -> mxio.DataBatch:
        """Return the part of the next batch; `pad` counts the part's own rows of padding."""
        batch = self.data_iter.next()
        begin, end = self._part.start, self._part.stop
        padding = self.data_iter.batch_size - (batch.pad or 0)  # its first row
        return mxio.DataBatch(
            data=[array[self._part] for array in batch.data],
            label=[array[self._part] for array in batch.label],
            pad=max(0, end - max(begin, padding)),
            index=None if batch.index is None else batch.index[self._part],
            bucket_key=batch.bucket_key,
            provide_data=batch.provide_data and self._parts(batch.provide_data),
            provide_label=batch.provide_label and self._parts(batch.provide_label),
        )

    def _parts(self, descs: Sequence[Any]) -> list[mxio.DataDesc]:
        descs = [_as_desc(desc) for desc in descs]
        return [
            mxio.DataDesc(desc.name, (self.batch_size, *desc.shape[1:]), desc.dtype, desc.layout)
            for desc in descs
        ]


def with_progress(items: Iterable[Any] | None, description: str, unit: str, **options: Any) -> Any:
    """Show a tqdm bar while something is iterated over, where somebody looks.

    Parameters
    ----------
    items : iterable
        What is iterated over.
    description, unit : str
        Written before the bar, and for one item.
    **options
        For `tqdm.tqdm`.

    Returns
    -------
    tqdm.tqdm

    Raises
    ------
    ImportError
        tqdm is not installed; the message says what to install.

    Examples
    --------
    >>> for batch in with_progress(train, 'features', 'batch'): ...  # doctest: +SKIP
    """
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError("a progress bar needs tqdm: pip install 'centerloss_mx[examples]'") from error
    # disable=None: no bar where nobody looks, in files and pipes
    return tqdm(items, desc=description, unit=unit, disable=None, **options)


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a file of the idx format, the one in which MNIST is published.

    Parameters
    ----------
    path : path-like
        The file, gzipped or not; its content tells, not its name.

    Returns
    -------
    numpy.ndarray
        Any number of dimensions; uint8, int8, int16, int32, float32 or float64 in the byte order of this
        machine (the file is big-endian).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is a directory, corrupt or truncated gzip, has another magic number, or has fewer or more bytes
        than its header says.

    References
    ----------
    http://yann.lecun.com/exdb/mnist/, "The IDX file format".
    """
    return _read_idx(Path(path))[1]


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
        embedded = Path(__file__).parent / 'data' / 'mnist.npz'
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


class Images(NamedTuple):
    """Pictures and their classes, as `list_images` finds them.

    Parameters
    ----------
    labels : numpy.ndarray
        int64 (N,), 0..num_class-1.
    class_names : list of str
        The name of each class, num_class of them.
    files : list of str or None
        The N files; None: they are the records of a .rec file.
    path_imgrec : str or None
        The .rec file, its records in the order of its index; None: they are files.
    records : list of int or None
        The keys of the N records; None: all of the .rec file, or files.
    """

    labels: np.ndarray
    class_names: list[str]
    files: list[str] | None = None
    path_imgrec: str | None = None
    records: list[int] | None = None

    @property
    def names(self) -> list[str]:
        """Of each picture, its file, or the .rec file and its record."""
        if self.files is not None:
            return self.files
        return [_record_name(str(self.path_imgrec), key) for key in _record_keys(self)]

    def take(self, rows: Sequence[int] | np.ndarray) -> Images:
        """Some of the pictures, by their rows; the classes stay as they are.

        Parameters
        ----------
        rows : sequence of int
            Which, in 0..N-1.

        Returns
        -------
        Images
        """
        images = self._replace(labels=self.labels[rows])
        if self.files is not None:
            return images._replace(files=[self.files[i] for i in rows])
        keys = _record_keys(self)
        return images._replace(records=[keys[i] for i in rows])


def list_images(
    path: str | os.PathLike[str], class_names: Sequence[str] | None = None, min_classes: int = 2
) -> Images:
    """List the pictures in a folder of class folders, or in a .rec file with its index.

    Nothing is decoded yet, but all labels are read and checked.

    Parameters
    ----------
    path : path-like
        A folder, each folder in it a class with its .jpg, .jpeg and .png files; classes are numbered in the
        order of their names, and other files and hidden ones passed over. Or a .rec file with its .idx beside
        it, as MXNet's `im2rec.py` writes them, each record with one label.
    class_names : sequence of str, optional
        The classes of a training set, to list the test set that goes with it: a folder's classes are looked
        up there, and the labels of a .rec file are positions in it. Left out, classes are those found; the
        labels of a .rec file must then be 0..C-1, each there once at least, and are named '0', '1', ...
    min_classes : int
        How many classes are expected at least.

    Returns
    -------
    Images
        For `image_iter`.

    Raises
    ------
    FileNotFoundError
        If there is neither a folder nor a .rec file, or no .idx beside it.
    ValueError
        If a class folder has no pictures or is not in `class_names`, fewer than `min_classes` are there, a
        record cannot be read, or its label is not one whole number of the expected range.

    Examples
    --------
    >>> images = list_images('birds')  # doctest: +SKIP
    >>> len(images.files), images.class_names[images.labels[0]]  # doctest: +SKIP
    (11788, 'Acadian_Flycatcher')
    """
    path = Path(path)
    if path.is_dir():
        images = _list_folder(path, class_names)
    elif path.suffix == '.rec' and path.is_file():
        images = _list_records(path, class_names)
    else:
        raise FileNotFoundError(f'{path}: not there; expected a folder of class folders, or a .rec file')
    found = np.unique(images.labels)
    if len(found) < min_classes:
        least = {1: 'one', 2: 'two'}.get(min_classes, min_classes)
        hint = ', each a folder of its pictures' if path.is_dir() else ''
        raise ValueError(f'{path}: {len(found)} classes of pictures; expected {least} at least{hint}')
    return images


def readable_images(images: Images) -> tuple[Images, list[str]]:
    """Leave out the pictures that cannot be decoded, and name them; each is decoded once for that.

    Parameters
    ----------
    images : Images
        What `list_images` returned, or, for files, a part of it.

    Returns
    -------
    images : Images
        Those that can be decoded; the classes stay as they are.
    unreadable : list of str
        The files left out, or the .rec file and the record's key.

    Raises
    ------
    ValueError
        None can be decoded.

    Examples
    --------
    >>> images, unreadable = readable_images(list_images('birds'))  # doctest: +SKIP
    >>> print(f'{len(unreadable)} pictures left out:', *unreadable)  # doctest: +SKIP
    """
    kept, unreadable = [], []
    for i, (name, content) in enumerate(zip(images.names, _contents(images))):
        try:
            _decoded(content)
        except RuntimeError:
            unreadable.append(name)
        else:
            kept.append(i)
    if not kept:
        raise ValueError(
            f'none of the {len(unreadable)} pictures can be decoded; the first is {unreadable[0]}'
        )
    return images.take(kept), unreadable


def image_iter(
    images: Images,
    batch_size: int,
    image_size: int,
    shuffle: bool = False,
    rand_mirror: bool = False,
    ignore_label: float | None = None,
) -> CenterLossIter:
    """Serve pictures in batches, the label to both losses.

    Parameters
    ----------
    images : Images
        What `list_images` returned, or, for files, a part of it.
    batch_size : int
        Samples a batch, no more than there are pictures. The last batch is padded with the first samples.
    image_size : int
        Height and width: the shorter side is resized to it, and the middle taken. Served as ``data``, float32
        (batch_size, 3, image_size, image_size), RGB, also of grey pictures, less the mean of ImageNet and
        divided by its standard deviation, as the networks of MXNet's model zoo expect.
    shuffle : bool
        Shuffle at every reset, with Python's global generator (seed it with `random.seed`).
    rand_mirror : bool
        Mirror every other picture, at random, with the same generator.
    ignore_label : number, optional
        What the center labels of padding become, see `CenterLossIter`.

    Returns
    -------
    CenterLossIter
        Over an `mxnet.image.ImageIter`, which decodes in the calling process. Its `next` raises `ValueError`
        naming the file or record that cannot be decoded. (Of a truncated JPEG, OpenCV makes up the rest.)

    Raises
    ------
    ValueError
        If `batch_size` is more than the number of pictures.

    Examples
    --------
    >>> train = image_iter(images, batch_size=32, image_size=64, shuffle=True)  # doctest: +SKIP
    """
    if batch_size > len(images.labels):
        # ImageIter pads with one round of the samples, and leaves the rest of the batch as malloc gave it.
        raise ValueError(f'batch_size {batch_size} is more than the {len(images.labels)} pictures')
    data_shape = (3, image_size, image_size)
    if images.files is None:
        path_imgrec = str(images.path_imgrec)
        source: dict[str, Any] = {'path_imgrec': path_imgrec, 'path_imgidx': str(_index_of(path_imgrec))}
    else:
        source = {'imglist': list(zip(images.labels.tolist(), images.files)), 'path_root': ''}
    augmenters = mximage.CreateAugmenter(
        data_shape, resize=image_size, rand_mirror=rand_mirror, mean=True, std=True, inter_method=9
    )  # 9: by area where it shrinks, cubic where it grows
    samples = _ImageIter(batch_size, data_shape, shuffle=shuffle, aug_list=augmenters, **source)
    if images.records is not None:
        samples.take(images.records)
    return CenterLossIter(samples, ignore_label=ignore_label)


_IDX_DTYPES = {0x08: 'u1', 0x09: 'i1', 0x0B: 'i2', 0x0C: 'i4', 0x0D: 'f4', 0x0E: 'f8'}
_MNIST_STEMS = (
    'train-images-idx3-ubyte',
    'train-labels-idx1-ubyte',
    't10k-images-idx3-ubyte',
    't10k-labels-idx1-ubyte',
)
_MNIST_MAGICS = {2051: 'images', 2049: 'labels'}


def _as_desc(desc: Any) -> mxio.DataDesc:
    return desc if isinstance(desc, mxio.DataDesc) else mxio.DataDesc(*desc)


def _checked_shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        return (shape[0],)
    raise ValueError(f'label {name} has shape {tuple(shape)}, expected one class a sample: (N,) or (N, 1)')


def _check_ignore_label(ignore_label: Any, dtype: Any) -> None:
    dtype = np.dtype(dtype)
    if dtype.kind == 'f':
        # A limit first: NumPy warns about a value that overflows to infinity.
        holds = abs(ignore_label) <= np.finfo(dtype).max and dtype.type(ignore_label) == ignore_label
    elif dtype.kind in 'iu':
        info = np.iinfo(dtype)
        holds = info.min <= ignore_label <= info.max and int(ignore_label) == ignore_label
    else:
        holds = False
    if not holds:
        raise ValueError(
            f'ignore_label {ignore_label} does not fit the label dtype {dtype}; '
            'let the iterator give float32 or int32 labels, or choose another value'
        )


def _rolls_over(data_iter: mxio.DataIter) -> bool:
    if isinstance(data_iter, mxio.ResizeIter):
        return _rolls_over(data_iter.data_iter)
    if isinstance(data_iter, mxio.PrefetchingIter):
        return any(_rolls_over(inner) for inner in data_iter.iters)
    return getattr(data_iter, 'last_batch_handle', None) == 'roll_over'


def _read_idx(path: Path) -> tuple[int, np.ndarray]:
    if path.is_dir():
        raise ValueError(f'{path}: is a directory, expected an idx file')
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: no such file, expected an idx file, gzipped or not') from None
    if content[:2] == b'\x1f\x8b':
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f'{path}: corrupt or truncated gzip ({len(content)} bytes): {error}') from error

    if len(content) < 4:
        raise ValueError(f'{path}: truncated: {len(content)} bytes found, an idx file begins with 4 of magic')
    magic = int.from_bytes(content[:4], 'big')
    code, ndim = content[2], content[3]
    if content[:2] != b'\0\0' or code not in _IDX_DTYPES or ndim > 32:  # 32: NumPy's own limit
        codes = ', '.join(f'{known:02x}' for known in _IDX_DTYPES)
        raise ValueError(
            f'{path}: magic 0x{magic:08x} is not that of an idx file: expected 0x0000TTDD, '
            f'TT the type (one of {codes}), DD the number of dimensions (at most 32)'
        )
    begin = 4 + 4 * ndim
    if len(content) < begin:
        raise ValueError(f'{path}: truncated: {len(content)} bytes found, its header alone has {begin}')
    shape = tuple(int(size) for size in np.frombuffer(content, '>u4', count=ndim, offset=4))
    dtype = np.dtype(_IDX_DTYPES[code]).newbyteorder('>')
    expected = begin + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        what = 'truncated' if len(content) < expected else f'{len(content) - expected} trailing bytes'
        raise ValueError(
            f'{path}: {what}: {len(content)} bytes found, {expected} expected '
            f'(magic 0x{magic:08x}, shape {shape})'
        )
    # astype copies: the result can be written to, and does not hold the file's bytes.
    array = np.frombuffer(content, dtype, offset=begin).reshape(shape).astype(dtype.newbyteorder('='))
    return magic, array


def _read_mnist(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    arrays = []
    for path, expected in (images_path, 2051), (labels_path, 2049):
        magic, array = _read_idx(path)
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


_IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')


def _list_folder(path: Path, class_names: Sequence[str] | None) -> Images:
    # Not ImageFolderDataset: it takes hidden and empty folders for classes, and hidden files for pictures.
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and entry.name[0] != '.')
    names = [folder.name for folder in folders] if class_names is None else list(class_names)
    numbers_of = {name: number for number, name in enumerate(names)}
    files: list[str] = []
    labels: list[int] = []
    for folder in folders:
        if folder.name not in numbers_of:
            raise ValueError(f'{folder}: not one of the {len(names)} classes: {_shortened(names)}')
        entries = sorted(entry for entry in folder.iterdir() if entry.name[0] != '.')
        of_class = [str(entry) for entry in entries if entry.suffix.lower() in _IMAGE_SUFFIXES]
        if not of_class:
            raise ValueError(f'{folder}: no {", ".join(_IMAGE_SUFFIXES)} in this class folder')
        files += of_class
        labels += [numbers_of[folder.name]] * len(of_class)
    return Images(np.array(labels, np.int64), names, files=files)


def _list_records(path: Path, class_names: Sequence[str] | None) -> Images:
    labels = _record_labels(path)
    try:
        classes, _ = check_labels(labels, len(class_names or labels))
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    if class_names is None:
        absent = np.setdiff1d(np.arange(classes.max(initial=-1)), classes)
        if len(absent):
            raise ValueError(
                f'{path}: no record of class {absent[0]}, though labels go up to {classes.max()}; '
                'expected 0..C-1, each of them there'
            )
        class_names = [str(number) for number in range(classes.max(initial=-1) + 1)]
    return Images(classes.astype(np.int64), list(class_names), path_imgrec=str(path))


def _record_labels(path: Path) -> np.ndarray:
    """Return the label of every record, in the order of the index; float32 (N,)."""
    index = _index_of(path)
    if not index.is_file():
        raise FileNotFoundError(
            f'{index}: not there; expected the index of {path.name}, as im2rec.py writes it'
        )
    labels = []
    try:
        records = _open_records(path)
        for key in records.keys:
            labels.append(recordio.unpack(records.read_idx(key) or b'')[0].label)
    except (IndexError, ValueError, MXNetError, struct.error):
        after = f'after {len(labels)} good records' if labels else 'from the first record on'
        raise ValueError(
            f'{path}: cannot be read {after}; is it whole, and {index.name} its index?'
        ) from None
    for key, label in zip(records.keys, labels):
        if np.ndim(label):
            raise ValueError(f'{path}: record {key} has {len(label)} labels, expected one number')
    return np.array(labels, np.float32)


def _index_of(path_imgrec: str | os.PathLike[str]) -> Path:
    return Path(path_imgrec).with_suffix('.idx')


def _shortened(names: Sequence[str]) -> str:
    return ', '.join(names[:10]) + (', ...' if len(names) > 10 else '')


def _open_records(path: str | os.PathLike[str]) -> recordio.MXIndexedRecordIO:
    return recordio.MXIndexedRecordIO(str(_index_of(path)), str(path), 'r')


def _record_keys(images: Images) -> list[int]:
    return _open_records(str(images.path_imgrec)).keys if images.records is None else images.records


def _contents(images: Images) -> Iterator[bytes]:
    """Each of the pictures, encoded."""
    if images.files is not None:
        for file in images.files:
            yield Path(file).read_bytes()
    else:
        records = _open_records(str(images.path_imgrec))
        for key in _record_keys(images):
            yield recordio.unpack(records.read_idx(key))[1]


def _record_name(path: str, key: int) -> str:
    return f'{path}: record {key}'


_PNG, _PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND\xaeB`\x82'


def _decoded(content: bytes) -> NDArray:
    """The picture; RuntimeError if it cannot be decoded."""
    # MXNet takes a picture for a PNG by its first 4 bytes. Of a shorter one it reads them behind its end.
    if _PNG[:4].startswith(content[:4]) and not _is_whole_png(content):
        raise RuntimeError('not a complete PNG')
    image = mximage.imdecode(content)
    # The engine decodes later, and would raise somewhere in training, without the name.
    image.wait_to_read()
    return image


def _is_whole_png(content: bytes) -> bool:
    """Whether a PNG has a header with the right checksum, and an end.

    MXNet takes the size of the header as it is, even from behind the end of the file: it was seen to ask for
    all memory, and to return what was in it for a picture that is cut off.
    """
    checksum = int.from_bytes(content[29:33], 'big')
    return len(content) > 33 and zlib.crc32(content[12:29]) == checksum and _PNG_END in content


class _ImageIter(mximage.ImageIter):
    """`ImageIter` that says at once, and of which picture, that it cannot be decoded."""

    def take(self, records: list[int]) -> None:
        """Serve these records of the .rec file only."""
        self.seq, self.num_image = list(records), len(records)
        self.reset()

    def imdecode(self, s: bytes) -> NDArray:
        try:
            return _decoded(s)
        except RuntimeError:
            key = self.seq[self.cur - 1]
            name = _record_name(self.imgrec.uri.value.decode(), key) if self.imgrec else self.imglist[key][1]
            raise ValueError(f'{name}: not a picture that MXNet can decode; mend or remove it') from None
