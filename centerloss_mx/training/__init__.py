"""A training from samples to checkpoints, as the command line and the examples run it."""

from .._choices import KV_STORES, LR_SCHEDULES
from ..model import remove_checkpoints
from .batches import IGNORE_LABEL, num_batches
from .best import EarlyStopping
from .devices import check_workers, contexts
from .history import read_history, resumable_epoch
from .hooks import Hook
from .lock import only_training
from .options import OtherOption, keep_options, read_options
from .schedules import ScaleSchedule, cosine, lr_schedule, scale_warmup, sgd
from .tensorboard import TensorBoard
from .training import Training
from .validation import Validation

__all__ = [
    'IGNORE_LABEL',
    'KV_STORES',
    'LR_SCHEDULES',
    'EarlyStopping',
    'Hook',
    'OtherOption',
    'ScaleSchedule',
    'TensorBoard',
    'Training',
    'Validation',
    'check_workers',
    'contexts',
    'cosine',
    'keep_options',
    'lr_schedule',
    'num_batches',
    'only_training',
    'read_history',
    'read_options',
    'remove_checkpoints',
    'resumable_epoch',
    'scale_warmup',
    'sgd',
]
