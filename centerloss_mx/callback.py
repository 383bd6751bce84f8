"""Callbacks for `fit`: waiting for centers, and a progress bar."""

from __future__ import annotations

from mxnet.model import BatchEndParam

from ._mxnet import engine
from ._optional import with_progress

__all__ = ['ProgressBar', 'wait_for_centers']


def wait_for_centers(param: BatchEndParam) -> None:
    """Wait for the centers at each epoch's end, before `fit` copies them: a `batch_end_callback`.

    MXNet's engine does not know that backward moves the centers. Without a wait, `mx.mod.Module.fit` can copy
    them before the last update of an epoch, and then write the stale copy back. `CenterLossMetric` and
    `module.Module` wait themselves; this is for any other metric with `mx.mod.Module`.

    Parameters
    ----------
    param : mxnet.model.BatchEndParam
        What `fit` passes to a batch end callback.

    References
    ----------
    Keeps every update of Wen et al. 2016, Eq. 4.

    Examples
    --------
    >>> mod.fit(train, eval_metric='ce', batch_end_callback=wait_for_centers, num_epoch=1)  # doctest: +SKIP
    """
    if (param.locals or {}).get('end_of_batch', True):
        engine.wait_for_centers()


class ProgressBar:
    """A tqdm bar over all batches of `fit`, with the metrics behind it: a `batch_end_callback`.

    Parameters
    ----------
    total : int
        Number of batches in all epochs.
    description : str
        The text before the bar.
    initial : int
        Number of batches already trained, when training resumes.
    frequent : int
        Number of batches between two readings of the metrics; each reading waits for the device.

    Raises
    ------
    ImportError
        tqdm is not installed.

    Examples
    --------
    >>> mod.fit(train, batch_end_callback=ProgressBar(10 * 100, 'LeNet'), num_epoch=10)  # doctest: +SKIP
    """

    def __init__(self, total: int, description: str = '', initial: int = 0, frequent: int = 20) -> None:
        self.frequent = frequent
        self.bar = with_progress(None, description, 'batch', total=total, initial=initial)

    def __call__(self, param: BatchEndParam) -> None:
        """Advance by one batch."""
        self.bar.update()
        if not self.bar.disable and param.nbatch % self.frequent == 0 and param.eval_metric is not None:
            self.bar.set_postfix(dict(param.eval_metric.get_name_value()), epoch=param.epoch + 1)

    def write(self, line: str) -> None:
        """Print a line above the bar."""
        self.bar.write(line)

    def close(self) -> None:
        """End the bar; it stays on the screen."""
        self.bar.close()
