"""What `fit` calls: waiting for centers, a progress bar."""

from __future__ import annotations

from mxnet.model import BatchEndParam

from ._mxnet import engine
from ._optional import with_progress

__all__ = ['ProgressBar', 'wait_for_centers']


def wait_for_centers(param: BatchEndParam) -> None:
    """Make `fit` copy exact centers at each epoch's end: a `batch_end_callback` for any metric.

    The engine does not know that backward moves the centers; without a wait `Module.fit` can copy them
    while the last update of an epoch still runs, and then writes the stale copy back. One wait per epoch.
    `CenterLossMetric` and `module.Module` wait by themselves.

    Parameters
    ----------
    param : mxnet.model.BatchEndParam
        What `fit` hands to a batch end callback.

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
    """A tqdm bar over all batches of a `fit`, with the metrics beside it: a `batch_end_callback`.

    Parameters
    ----------
    total : int
        Number of batches, of all epochs together.
    description : str
        Written before the bar.
    initial : int
        Batches already done, when training resumes.
    frequent : int
        Batches between two readings of the metrics, which wait for the device.

    Raises
    ------
    ImportError
        tqdm is not installed; the message says what to install.

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
        """Leave the bar as it is."""
        self.bar.close()
