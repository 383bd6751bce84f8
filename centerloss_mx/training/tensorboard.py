"""The history of a training as event files of TensorBoard."""

from __future__ import annotations

import os
import time
from typing import Any

from .._optional import require
from .hooks import Hook, TrainingState


class TensorBoard(Hook):
    """Write each row of the history to an event file of TensorBoard: a scalar for each column.

    The steps are the epochs. A resumed training writes another file to the same folder; TensorBoard then
    hides what a killed training has written of the same epochs. Hooks that add columns come before this one.

    Parameters
    ----------
    folder : path-like
        Where the event files are; it is made after the first batch.

    Raises
    ------
    ImportError
        tensorboardX is not installed.
    OSError
        After the first batch: the folder cannot be made. After an epoch: the file cannot be written.

    Examples
    --------
    >>> training = Training(net, train, test, hooks=[TensorBoard('runs/events')])  # doctest: +SKIP
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        # Its SummaryWriter has a thread, which loses events of a killed process and errors of a full disk.
        self.writers, self.event_pb2, self.summary_pb2 = (
            require(f'tensorboardX.{name}', 'TensorBoard', 'tensorboard')
            for name in ('event_file_writer', 'proto.event_pb2', 'proto.summary_pb2')
        )
        self.folder = folder
        self.writer: Any = None

    def begin(self, training: TrainingState, begin_epoch: int) -> None:
        """Write a new file."""
        self.writer = None

    def first_batch_end(self, training: TrainingState) -> None:
        """Make the folder, so that an epoch is not lost where this fails."""
        if os.path.exists(self.folder) and not os.path.isdir(self.folder):
            raise NotADirectoryError(f'{self.folder} is not a folder; expected one for event files')
        os.makedirs(self.folder, exist_ok=True)

    def epoch_end(self, training: TrainingState, epoch: int) -> None:
        """Write the last row."""
        value = self.summary_pb2.Summary.Value
        row = [
            value(tag=name, simple_value=number)
            for name, number in training.history[-1].items()
            if name != 'epoch'
        ]
        try:
            if self.writer is None:
                self._open(epoch)
            self._write(epoch, summary=self.summary_pb2.Summary(value=row))
            self.writer.flush()
        except OSError as error:  # that of a full disk does not name the file
            raise OSError(error.errno, error.strerror, str(self.folder)) from None

    def end(self, training: TrainingState) -> None:
        """Close the file."""
        if self.writer is not None:
            self.writer.close()

    def _open(self, epoch: int) -> None:
        """Begin a file whose epochs take the place of those in earlier files.

        Names have the time in seconds only; the epoch tells files of one second apart.
        """
        self.writer = self.writers.EventsWriter(os.path.join(self.folder, 'events'), f'.epoch-{epoch:04d}')
        start = self.event_pb2.SessionLog(status=self.event_pb2.SessionLog.START)
        self._write(epoch, session_log=start)

    def _write(self, epoch: int, **content: Any) -> None:
        self.writer.write_event(self.event_pb2.Event(step=epoch, wall_time=time.time(), **content))
