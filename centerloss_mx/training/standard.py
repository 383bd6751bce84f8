"""The hooks that every training has, in their order."""

from __future__ import annotations

import os
from typing import Any, Callable, Sequence

import numpy as np

from .checkpoints import Checkpoint
from .history import HistoryFile
from .hooks import AfterEpoch, AfterFirstBatch, Hook, Log, Progress, TrainingState
from .measurement import Measurement


def standard_hooks(
    training: TrainingState,
    own: Sequence[Hook],
    prefix: str | os.PathLike | None,
    history: str | os.PathLike | None,
    on_epoch: Callable[[Any, np.ndarray], None] | None,
    on_begin: Callable[[], None] | None,
) -> list[Hook]:
    """List the hooks of `Training.fit`, a user's own between measurement and history.

    A hook may add to the row of the history. The checkpoint comes after the hooks that write files: a resumed
    training relies on their files for every epoch up to that of the checkpoint.
    """
    hooks: list[Hook] = [Measurement()]
    hooks += own
    hooks += [] if history is None else [HistoryFile(history)]
    hooks += [] if on_epoch is None else [AfterEpoch(on_epoch)]
    hooks += [] if prefix is None else [Checkpoint(prefix)]
    with_lines = training.test is not None or prefix is not None
    hooks += [Log()] if with_lines else []
    hooks += [Progress(with_lines)]
    hooks += [] if on_begin is None else [AfterFirstBatch(on_begin)]
    return hooks
