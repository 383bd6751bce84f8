"""The checkpoint of a training: the last one is kept."""

from __future__ import annotations

import os
from typing import Any

from ..io import Images
from ..io.preprocessing import IMAGENET
from ..model import latest_checkpoint, remove_checkpoints, save_checkpoint
from .hooks import Hook, TrainingState


class Checkpoint(Hook):
    """Save a checkpoint after each epoch, then remove the earlier ones.

    Parameters
    ----------
    prefix : path-like
        Beginning of the files' names.
    """

    def __init__(self, prefix: str | os.PathLike) -> None:
        self.prefix = prefix

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Remove the checkpoints before the one to go on from: a training was killed while it did so."""
        if begin_epoch == latest_checkpoint(self.prefix):
            remove_checkpoints(self.prefix, keep=begin_epoch)

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Save the network, with the classes that it was trained on and how pictures became arrays."""
        train = training.train
        notes: dict[str, Any] = {'class_names': train.class_names, 'pictures': isinstance(train, Images)}
        if isinstance(train, Images):
            used = train.preprocessing.over(IMAGENET)
            notes['preprocessing'] = {'fit': used.fit, 'mean': used.mean, 'std': used.std}
        save_checkpoint(training.module, self.prefix, epoch, notes)
        remove_checkpoints(self.prefix, keep=epoch)


class NoEarlierCheckpoint(Hook):
    """Remove the checkpoints of another training when the first epoch has ended, before files are replaced.

    Parameters
    ----------
    prefix : path-like
        Beginning of the files' names.
    """

    def __init__(self, prefix: str | os.PathLike) -> None:
        self.prefix = prefix

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Remove them; a resumed training has no first epoch."""
        if epoch == 1:
            remove_checkpoints(self.prefix)
