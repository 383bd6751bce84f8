"""`samples_iter`: batches of samples."""

from __future__ import annotations

import numpy as np
from mxnet.io import NDArrayIter

from ..io import Augmentation, CenterLossIter, ClassBalancedIter, Images, image_iter
from .arrays import Samples


def samples_iter(
    samples: Samples,
    batch_size: int,
    image_size: int | tuple[int, int] | None = None,
    shuffle: bool = False,
    rand_mirror: bool = False,
    ignore_label: float | None = None,
    augmentation: Augmentation | None = None,
    samples_per_class: int | None = None,
) -> CenterLossIter:
    """Serve samples in batches, with one label for both losses.

    Parameters
    ----------
    samples : io.Images or Arrays
        What `load_samples` returned.
    batch_size : int
        Samples a batch; for pictures in files, not more than there are. The last batch is padded with the
        first samples.
    image_size : int, (int, int) or None
        Height and width in pixels of pictures in files, see `io.image_iter`; None: those of
        `samples.preprocessing`. Arrays are served as they are.
    shuffle : bool
        Shuffle at every reset: pictures in files with Python's global generator, arrays with NumPy's.
    rand_mirror : bool
        Mirror each picture with probability ½; for pictures in files only.
    ignore_label : number, optional
        Replaces the center labels of padding, see `io.CenterLossIter`.
    augmentation : io.Augmentation or None
        What else is changed at random in each picture; for pictures in files only.
    samples_per_class : int or None
        K: batches of batch_size / K classes with K samples of each, drawn at every reset whatever `shuffle`
        says, see `io.ClassBalancedIter`. None: each sample once an epoch.

    Returns
    -------
    io.CenterLossIter
        It serves ``data``, float32, ``softmax_label`` and ``center_label``.

    Raises
    ------
    ValueError
        `batch_size` is more than the number of pictures in files, `image_size` is missing for them,
        `rand_mirror` or `augmentation` is given for arrays, or there are no such batches of
        `samples_per_class`.

    Examples
    --------
    >>> samples_iter(load_samples('digits'), batch_size=100).provide_data[0].shape
    (100, 1, 28, 28)
    """
    if isinstance(samples, Images):
        return image_iter(
            samples,
            batch_size,
            image_size,
            shuffle,
            rand_mirror,
            ignore_label,
            augmentation,
            samples_per_class=samples_per_class,
        )
    if rand_mirror:
        raise ValueError('rand_mirror=True: only pictures in files can be mirrored')
    if augmentation is not None and any(augmentation):
        raise ValueError(f'augmentation={augmentation}: only pictures in files can be changed at random')
    labels = samples.labels.astype(np.float32)
    if samples_per_class is None:
        data_iter = NDArrayIter(samples.images, labels, batch_size, shuffle=shuffle)
    else:
        data_iter = ClassBalancedIter(samples.images, labels, batch_size, samples_per_class)
    return CenterLossIter(data_iter, ignore_label=ignore_label)
