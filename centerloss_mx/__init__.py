"""Center loss (Wen et al., ECCV 2016) for Apache MXNet 1.9.

Importing the package registers the operator `centerloss`, the optimizer `centers` and the metrics
`center_loss` and `centerloss_accuracy`. The modules are named after MXNet's own.
"""

from . import _program  # isort: skip  # first: in a program of ours, Ctrl-C is to be one line from here on

_program.begin()

from . import _compat  # isort: skip  # second: it makes `import mxnet` work

from importlib import import_module
from typing import TYPE_CHECKING, Any, List

if not _program.RUNNING:  # which reads its arguments before
    from . import _register

if TYPE_CHECKING:
    from . import (
        callback,
        dataset,
        evaluation,
        gluon,
        io,
        metric,
        model,
        model_zoo,
        module,
        operator,
        optimizer,
        row_table,
        symbol,
        training,
    )

__version__ = _compat.VERSION
__all__ = [
    'callback',
    'dataset',
    'evaluation',
    'gluon',
    'io',
    'metric',
    'model',
    'model_zoo',
    'module',
    'operator',
    'optimizer',
    'row_table',
    'symbol',
    'training',
]

_NOT_IMPORTED = ('cli', 'launch', 'visualization')  # they need optional packages, or are programs


def __getattr__(name: str) -> Any:
    """Import a module on first use: a server, with MXNet half imported, could not import them all."""
    if name in __all__:
        return import_module(f'{__name__}.{name}')
    hint = (
        f'; import it, as in `from {__name__} import {name}`' if name in ('launch', 'visualization') else ''
    )
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}{hint}')


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
