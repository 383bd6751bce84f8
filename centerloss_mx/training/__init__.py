"""One training, from samples to checkpoints: what the command line and the examples share."""

from .checkpoints import remove_checkpoints
from .devices import KV_STORES, check_workers, contexts
from .options import keep_options
from .schedules import cosine, sgd
from .training import IGNORE_LABEL, Training, num_batches

__all__ = [
    'IGNORE_LABEL',
    'KV_STORES',
    'Training',
    'check_workers',
    'contexts',
    'cosine',
    'keep_options',
    'num_batches',
    'remove_checkpoints',
    'sgd',
]
