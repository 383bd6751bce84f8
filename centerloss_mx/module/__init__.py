"""`Module`: `mx.mod.Module` that validates labels, optimizer and KVStore of networks with center loss."""

from .module import Module
from .rows import sparse_row_id_fn

__all__ = [
    'Module',
    'sparse_row_id_fn',
]
