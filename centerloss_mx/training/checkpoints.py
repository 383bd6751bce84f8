"""The checkpoint of a training: the last one is kept."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..io import Images
from ..model import save_checkpoint
from .hooks import Hook
from .state import TrainingState


class Checkpoint(Hook):
    """Save a checkpoint after each epoch, then remove the ones before.

    Parameters
    ----------
    prefix : path-like
        Beginning of the files' names.
    """

    def __init__(self, prefix: str | os.PathLike) -> None:
        self.prefix = prefix

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Save the network, with the classes that it was trained on."""
        notes = {'class_names': training.train.class_names, 'pictures': isinstance(training.train, Images)}
        save_checkpoint(training.module, self.prefix, epoch, notes)
        remove_checkpoints(self.prefix, keep=epoch)


def remove_checkpoints(prefix: str | os.PathLike, keep: int | None = None) -> None:
    """Remove the checkpoints of a prefix: parameters and optimizer states.

    Parameters
    ----------
    prefix : path-like
        As given to `model.save_checkpoint`.
    keep : int or None
        Epoch of the checkpoint that stays; None: all are removed.

    Raises
    ------
    OSError
        A file cannot be removed.

    Examples
    --------
    >>> remove_checkpoints('runs/lenet', keep=12)  # doctest: +SKIP
    """
    prefix = Path(prefix)
    checkpoint = re.compile(re.escape(prefix.name) + r'-(\d{4})\.(params|states)')
    for path in prefix.parent.iterdir():
        match = checkpoint.fullmatch(path.name)
        if match and int(match.group(1)) != keep:
            path.unlink()
