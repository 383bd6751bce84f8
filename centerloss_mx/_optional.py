"""Packages of the extras: imported on first use, with an error that says what to install."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Iterable

__all__ = ['require', 'with_progress']

_DISTRIBUTIONS = {'sklearn': 'scikit-learn', 'PIL': 'Pillow'}  # where pip uses another name than import


def require(module: str, purpose: str, extra: str = 'examples') -> Any:
    """Import a module of an optional package; ImportError says what to install.

    Parameters
    ----------
    module : str
        Name of the module, ``'sklearn.metrics'``.
    purpose : str
        What needs the package; the message begins with it.
    extra : str
        The extra of centerloss_mx that installs the package.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        The package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split('.')[0]
        package = _DISTRIBUTIONS.get(package, package)
        raise ImportError(f"{purpose} needs {package}: pip install 'centerloss_mx[{extra}]'") from error


def with_progress(items: Iterable[Any] | None, description: str, unit: str, **options: Any) -> Any:
    """Iterate with a tqdm bar, which appears on a terminal only.

    Parameters
    ----------
    items : iterable or None
        What to iterate over; None: the caller updates the bar.
    description, unit : str
        The text before the bar, and the name of one item.
    **options
        For `tqdm.tqdm`.

    Returns
    -------
    tqdm.tqdm

    Raises
    ------
    ImportError
        tqdm is not installed.

    Examples
    --------
    >>> for batch in with_progress(train, 'features', 'batch'): ...  # doctest: +SKIP
    """
    tqdm = require('tqdm', 'a progress bar').tqdm
    # disable=None: no bar where the output is not a terminal
    return tqdm(items, desc=description, unit=unit, disable=None, **options)
