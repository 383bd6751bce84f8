"""The hooks that every training has, in their order."""

from __future__ import annotations

import os
from typing import Any, Callable, Sequence

import numpy as np

from .checkpoints import Checkpoint, NoEarlierCheckpoint
from .history import FirstRow, HistoryFile
from .hooks import AfterEpoch, AfterFirstBatch, Hook, Log, Progress, TrainingState
from .measurement import Measurement
from .sample_record import SampleRecordFile


def standard_hooks(
    training: TrainingState,
    own: Sequence[Hook],
    prefix: str | os.PathLike | None,
    history: str | os.PathLike | None,
    on_epoch: Callable[[Any, np.ndarray], None] | None,
    on_begin: Callable[[], None] | None,
) -> list[Hook]:
    """List the hooks of `Training.fit` in this process, a user's own between measurement and history.

    A hook may add to the row of the history. These hold at each moment, also after kill -9 or on a full disk:

    - Each file is whole, see `write_whole`.
    - If there is a checkpoint, its states are those of the same epoch, and the symbol and the record of the
      samples are those of the same training.
    - The files of other hooks and the history cover each epoch up to that of the last checkpoint: the
      checkpoint is saved after them, and only then the one before it is removed.
    - If the history has rows, there is a checkpoint: the first row is written after the first checkpoint.
    - The best checkpoint that the symbol file notes is there.
    """
    hooks: list[Hook] = [Measurement()]
    hooks += own
    hooks += [] if prefix is None else [NoEarlierCheckpoint(prefix)]
    hooks += [] if history is None else [HistoryFile(history)]
    hooks += [] if on_epoch is None else [AfterEpoch(on_epoch)]
    hooks += [] if prefix is None else [SampleRecordFile(prefix), Checkpoint(prefix, training.select)]
    hooks += [] if history is None else [FirstRow(history)]
    with_lines = training.test is not None or prefix is not None
    hooks += [Log()] if with_lines else []
    hooks += [Progress(with_lines)]
    hooks += [] if on_begin is None else [AfterFirstBatch(on_begin)]
    return hooks if training.leads else [hook for hook in hooks if hook.every_worker]
