"""`image_iter`: batches of pictures, decoded, resized and normalized."""

from __future__ import annotations

import os
import random
from functools import partial
from typing import Any, Iterator, NamedTuple

import numpy as np
from mxnet import io as mxio
from mxnet import ndarray as nd
from mxnet.ndarray import NDArray

from .._checks import check_size
from .._class_balanced import ClassBalanced
from .._mxnet.arrays import host_view
from .augmentation import Augmentation, check_augmentation, draws
from .center_loss_iter import CenterLossIter
from .images import Images
from .picture_loader import PictureLoader
from .prefetching import prefetched
from .preprocessing import IMAGENET, Size, preprocessing_of

_MOST_THREADS = 4
_PICTURES_A_PIECE = 4  # of the work that a thread takes at a time


def image_iter(
    images: Images,
    batch_size: int,
    image_size: Size | None = None,
    shuffle: bool = False,
    rand_mirror: bool = False,
    ignore_label: float | None = None,
    augmentation: Augmentation | None = None,
    num_threads: int | None = None,
    samples_per_class: int | None = None,
) -> CenterLossIter:
    """Serve pictures in batches, with one label for both losses.

    Parameters
    ----------
    images : Images
        What `list_images` returned, or a part of it. Its `preprocessing` says how pictures get their size and
        are normalized. What is not given there: the shorter side is resized and the middle is cropped; minus
        the mean of ImageNet, divided by its standard deviation, as the networks of MXNet's model zoo expect.
    batch_size : int
        Samples a batch; without `samples_per_class` not more than there are pictures. The last batch is then
        padded with the first samples.
    image_size : int, (int, int) or None
        Height and width in pixels, one number for both; None: those of `images.preprocessing`. The pictures
        are served as ``data``, float32 (batch_size, 3, height, width): RGB, also for grey pictures.
    shuffle : bool
        Shuffle at every reset, with Python's global generator (seed it with `random.seed`).
    rand_mirror : bool
        Mirror each picture with probability ½, with the same generator.
    ignore_label : number, optional
        Replaces the center labels of padding, see `CenterLossIter`.
    augmentation : Augmentation or None
        What is changed at random, for training; its numbers follow from the same generator.
    num_threads : int or None
        Number of threads that decode, and prepare the next two batches; None: one for each processor, 4 at
        most. Batches do not depend on it.
    samples_per_class : int or None
        K: batches of batch_size / K classes with K pictures of each, drawn at every reset with the same
        generator, whatever `shuffle` says, see `ClassBalancedIter`. None: each picture once an epoch.

    Returns
    -------
    CenterLossIter
        It shows each picture upright, as its EXIF orientation says. Its `next` raises ValueError for a
        picture that cannot be decoded and names its file or record. (OpenCV fills the missing part of a
        truncated JPEG.) JPEG, PNG, BMP and TIFF files of up to 2^28 pixels can be decoded, and, with
        Pillow, PBM, PGM, PPM and WebP files.

    Raises
    ------
    ValueError
        `batch_size` is more than the number of pictures, there is no size, a value is outside its range, or
        there are no such batches of `samples_per_class`.

    Examples
    --------
    >>> train = image_iter(images, batch_size=32, image_size=64, shuffle=True)  # doctest: +SKIP
    """
    balanced = (
        None if samples_per_class is None else ClassBalanced(images.labels, batch_size, samples_per_class)
    )
    if balanced is None and batch_size > len(images.labels):
        raise ValueError(f'batch_size {batch_size} is more than the {len(images.labels)} pictures')
    given = preprocessing_of(image_size).over(images.preprocessing)
    preprocessing = preprocessing_of(*given).over(IMAGENET)
    if preprocessing.size is None:
        raise ValueError('image_size=None: expected height and width for pictures in files')
    if num_threads is None:
        num_threads = min(_MOST_THREADS, os.cpu_count() or 1)
    check_size('', 'num_threads', num_threads)
    augmentation = augmentation or Augmentation()
    check_augmentation(augmentation)
    augmentation = augmentation._replace(rand_mirror=rand_mirror or augmentation.rand_mirror)
    loader = PictureLoader(images, preprocessing, augmentation)
    samples = _PictureIter(loader, images.labels, batch_size, shuffle, num_threads, balanced)
    return CenterLossIter(samples, ignore_label=ignore_label)


class _PictureIter(mxio.DataIter):
    """Pictures in batches, in the order of `mxnet.image.ImageIter` for the same seed, or class-balanced."""

    def __init__(
        self,
        loader: PictureLoader,
        labels: np.ndarray,
        batch_size: int,
        shuffle: bool,
        num_threads: int,
        balanced: ClassBalanced | None,
    ) -> None:
        super().__init__(batch_size)
        self.loader, self.labels = loader, labels.astype(np.float32)
        self.shuffle, self.num_threads, self.balanced = shuffle, num_threads, balanced
        shape = (batch_size, 3, *loader.size)
        self.provide_data = [mxio.DataDesc('data', shape, np.float32, 'NCHW')]
        self.provide_label = [mxio.DataDesc('softmax_label', (batch_size,), np.float32, 'N')]
        self.process = os.getpid()
        self.order = [*range(len(self.labels))]
        self.num_batches = -(-len(self.order) // batch_size)
        self.reset()

    def reset(self) -> None:
        """Begin the next epoch, and draw all that is random in it: threads may read as far as they like."""
        rows, num_padding = self._rows()
        augmentation = self.loader.augmentation
        mirrored = [augmentation.rand_mirror and random.random() < 0.5 for _ in rows]
        seed = random.getrandbits(64) if draws(augmentation) else None
        self.epoch = _Epoch(self.loader, self.labels, self.batch_size, rows, mirrored, num_padding, seed)
        self.num_served = 0
        self.ahead: Iterator[Any] | None = None  # threads begin with the first batch

    def _rows(self) -> tuple[list[int], int]:
        """The rows of an epoch, and how many of the last of them are padding."""
        if self.balanced is not None:
            return self.balanced.epoch(random.shuffle), 0
        if self.shuffle:
            random.shuffle(self.order)
        padding = self.order[: self.num_batches * self.batch_size - len(self.order)]
        return [*self.order, *padding], len(padding)

    def next(self) -> mxio.DataBatch:
        """Return the next batch; ValueError names the first of its pictures that cannot be served."""
        if self.ahead is None or self.process != os.getpid():  # a forked process has no threads
            batches = map(self.epoch.batch, range(self.num_served, self.num_batches))
            self.ahead, self.process = prefetched(batches, self.num_threads), os.getpid()
        batch, work = next(self.ahead)
        self.num_served += 1
        while work:  # a future that stays here, with its error, would keep all threads
            work.pop(0).result()
        return batch


class _Epoch(NamedTuple):
    """What is drawn for an epoch: the row of each position, whether it is mirrored, a seed of the rest."""

    loader: PictureLoader
    labels: np.ndarray
    batch_size: int
    rows: list[int]
    mirrored: list[bool]
    num_padding: int
    seed: int | None

    def batch(self, number: int) -> tuple[mxio.DataBatch, list[partial[None]]]:
        """Make a batch without its pictures, and the pieces of work that load them."""
        first = number * self.batch_size
        labels = self.labels[self.rows[first : first + self.batch_size]]
        pad = self.num_padding if first + self.batch_size == len(self.rows) else 0
        data = nd.empty((self.batch_size, 3, *self.loader.size))
        pieces = range(0, self.batch_size, _PICTURES_A_PIECE)
        work = [partial(self._load, data, host_view(data), first, piece) for piece in pieces]
        return mxio.DataBatch([data], [nd.array(labels)], pad=pad), work

    def _load(self, data: NDArray, memory: np.ndarray, first: int, piece: int) -> None:
        """Load a piece of a batch, whose rows begin at `first`, into the memory, which `data` owns."""
        for number, out in enumerate(memory[piece : piece + _PICTURES_A_PIECE], first + piece):
            generator = None if self.seed is None else np.random.default_rng((self.seed, number))
            self.loader.load(self.rows[number], self.mirrored[number], generator, out)
