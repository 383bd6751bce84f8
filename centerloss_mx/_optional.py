"""Packages of the extras: imported on first use, or an error that says what to install."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Iterable

__all__ = ['require', 'with_progress']


def require(module: str, purpose: str, extra: str = 'examples') -> Any:
    """Import a module of an optional package.

    Parameters
    ----------
    module : str
        Such as ``'sklearn.metrics'``.
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
        The package is not installed; the message says what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = {'sklearn': 'scikit-learn', 'PIL': 'Pillow'}.get(module.split('.')[0], module.split('.')[0])
        raise ImportError(f"{purpose} needs {package}: pip install 'centerloss_mx[{extra}]'") from error


def with_progress(items: Iterable[Any] | None, description: str, unit: str, **options: Any) -> Any:
    """Iterate with a tqdm bar, which is shown on a terminal only.

    Parameters
    ----------
    items : iterable
        What is iterated over.
    description, unit : str
        Written before the bar, and for one item.
    **options
        For `tqdm.tqdm`.

    Returns
    -------
    tqdm.tqdm

    Raises
    ------
    ImportError
        tqdm is not installed; the message says what to install.

    Examples
    --------
    >>> for batch in with_progress(train, 'features', 'batch'): ...  # doctest: +SKIP
    """
    tqdm = require('tqdm', 'a progress bar').tqdm
    # disable=None: no bar in files and pipes
    return tqdm(items, desc=description, unit=unit, disable=None, **options)
