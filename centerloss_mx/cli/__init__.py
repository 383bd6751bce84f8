"""The command line `centerloss-mx`, and what it shares with the scripts in examples."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .arguments import Help, Parser, devices, number, random_seed, whole_number
from .main import main

if TYPE_CHECKING:
    from .process import run
    from .resume import save_options
    from .samples import held_out, readable

__all__ = [
    'Help',
    'Parser',
    'devices',
    'held_out',
    'main',
    'number',
    'random_seed',
    'readable',
    'run',
    'save_options',
    'whole_number',
]

# They need MXNet, which the command line loads after it has read its arguments.
_MODULES = {'held_out': 'samples', 'readable': 'samples', 'run': 'process', 'save_options': 'resume'}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f'.{_MODULES[name]}', __name__), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
