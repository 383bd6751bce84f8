"""A module whose checkpoints are written completely or not at all."""

from __future__ import annotations

import logging
from pathlib import Path

from mxnet.module import Module as MXModule

from ..model import save_whole
from ..model.checkpoint import write_symbol


class SavingModule(MXModule):
    """`mx.mod.Module` that notices a full disk when it saves a checkpoint."""

    def save_checkpoint(
        self, prefix: str, epoch: int, save_optimizer_states: bool = False, remove_amp_cast: bool = True
    ) -> None:
        """Save the files that `mx.mod.Module.save_checkpoint` does, each completely or not at all.

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
        checkpoint = f'{prefix}-{epoch:04d}'
        write_symbol(Path(f'{prefix}-symbol.json'), self._symbol.tojson(remove_amp_cast))
        if save_optimizer_states:
            save_whole(f'{checkpoint}.states', self.save_optimizer_states)
            logging.info('Saved optimizer state to "%s.states"', checkpoint)
        save_whole(f'{checkpoint}.params', self.save_params)
        logging.info('Saved checkpoint to "%s.params"', checkpoint)
