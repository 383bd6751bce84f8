"""Row tables: arrays of a row a class on the KVStore, of which a step moves the rows that it needs.

A table is cut into blocks, each a key of the KVStore: only the memory of the servers limits its size.
A worker never holds a table: it pulls the rows of a batch, and pushes their gradients.
"""

from .blocks import block_keys
from .lazy import check_lazy
from .sampling import sample_classes
from .start import normal_rows, zeros
from .table import RowTable

__all__ = ['RowTable', 'block_keys', 'check_lazy', 'normal_rows', 'sample_classes', 'zeros']
