"""The checkpoints of a training: the last one is kept, and the best one where a column selects it."""

from __future__ import annotations

import os
from typing import Any

from ..io import Images
from ..io.preprocessing import IMAGENET
from ..model import latest_checkpoint, remove_checkpoints, save_checkpoint
from ..model.checkpoint import note_best, saved_epochs
from ..symbol.names import EMBEDDING_OUTPUT
from .best import best_epoch, check_column, check_history
from .hooks import Hook, TrainingState


class Checkpoint(Hook):
    """Save a checkpoint after each epoch, then remove those that are neither the last nor the best one.

    The best one is noted after its checkpoint is there, and before the one that was the best is removed. The
    best epoch follows from the history and from the checkpoints that there are, so that a resumed training
    finds what a killed one has left undone.

    Parameters
    ----------
    prefix : path-like
        Beginning of the files' names.
    select : str or None
        The column of the history that tells the best epoch, see `EarlyStopping`; None: there is none.
    """

    def __init__(self, prefix: str | os.PathLike, select: str | None = None) -> None:
        self.prefix, self.select = prefix, select
        self.best: int | None = None

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Note the best epoch, and remove the other checkpoints: a training was killed before it did so."""
        if self.select is not None:
            check_history(training, self.select, begin_epoch)
        self.best = self._best_saved(training)
        if begin_epoch:
            note_best(self.prefix, self.best)
        if begin_epoch == latest_checkpoint(self.prefix):
            remove_checkpoints(self.prefix, keep=(begin_epoch, self.best))

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Save the network, with the classes that it was trained on and how pictures became arrays."""
        train = training.train
        notes: dict[str, Any] = {'class_names': train.class_names, 'pictures': isinstance(train, Images)}
        if isinstance(train, Images):
            used = train.preprocessing.over(IMAGENET)
            notes['preprocessing'] = {'fit': used.fit, 'mean': used.mean, 'std': used.std}
        notes['layer'] = None if training.layer == EMBEDDING_OUTPUT else training.layer
        if self.select is not None:
            check_column(training, self.select)
        save_checkpoint(training.module, self.prefix, epoch, {**notes, 'best_epoch': self.best})
        noted, self.best = self.best, self._best_saved(training)
        if self.best != noted:
            note_best(self.prefix, self.best)
        remove_checkpoints(self.prefix, keep=(epoch, self.best))

    def _best_saved(self, training: TrainingState) -> int | None:
        """Return the best epoch of those that have a checkpoint."""
        if self.select is None:
            return None
        saved = saved_epochs(self.prefix)
        return best_epoch([row for row in training.history if row['epoch'] in saved], self.select)


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
