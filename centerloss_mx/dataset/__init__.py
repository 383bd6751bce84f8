"""Samples and their classes, in any kind of file: one way to load, to serve, and to hold out.

`load_samples` reads a set by its name, a folder of class folders, a .rec, .npz or idx file; `samples_iter`
serves the samples to a network:

>>> train = samples_iter(load_samples('digits'), batch_size=100, shuffle=True)
>>> train.next().data[0].shape
(100, 1, 28, 28)

`load_pairs` reads published pairs of pictures to verify.
"""

from .._choices import SOURCES
from .._files import read_npz
from .._source_options import SourceOptions
from ..io.class_names import numbered
from .arrays import Arrays, Samples, as_arrays, load_arrays
from .pack import pack
from .pair_files import load_pairs
from .serve import samples_iter
from .sources import has_parts, load_samples
from .split import hold_out, split_by_names, split_by_rows
from .tables import load_marks, load_table

__all__ = [
    'SOURCES',
    'Arrays',
    'Samples',
    'SourceOptions',
    'as_arrays',
    'has_parts',
    'hold_out',
    'load_arrays',
    'load_marks',
    'load_pairs',
    'load_samples',
    'load_table',
    'numbered',
    'pack',
    'read_npz',
    'samples_iter',
    'split_by_names',
    'split_by_rows',
]
