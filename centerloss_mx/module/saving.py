"""A module whose checkpoints are written completely or not at all."""

from __future__ import annotations

import logging

from ..model.checkpoint import write_checkpoint
from .tables import TableModule


class SavingModule(TableModule):
    """`mx.mod.Module` that notices a full disk when it saves a checkpoint."""

    def save_checkpoint(
        self, prefix: str, epoch: int, save_optimizer_states: bool = False, remove_amp_cast: bool = True
    ) -> None:
        """Save the files that `mx.mod.Module.save_checkpoint` does, each completely or not at all.

        Row tables are saved, too. Where they are on servers, the worker of rank 0 saves the checkpoint alone.

        `mx.callback.module_checkpoint` calls this. `model.save_checkpoint` writes notes about the data, too.

        Parameters
        ----------
        prefix : str
            Folder, which must exist, and beginning of the file names.
        epoch : int
            Number of epochs trained.
        save_optimizer_states : bool
            Whether to save the optimizer's states, too.
        remove_amp_cast : bool
            As for `mx.mod.Module.save_checkpoint`.

        Raises
        ------
        OSError
            The folder does not exist or cannot be written to, or the disk is full.
        """
        if self._tables and self._on_servers and self._kvstore.rank != 0:
            return
        network = self._symbol.tojson(remove_amp_cast)
        write_checkpoint(self, prefix, epoch, network, save_optimizer_states)
        if save_optimizer_states:
            logging.info('Saved optimizer state to "%s-%04d.states"', prefix, epoch)
        logging.info('Saved checkpoint to "%s-%04d.params"', prefix, epoch)
