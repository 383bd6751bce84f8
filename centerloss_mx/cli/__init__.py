"""The command line `centerloss-mx`, and what it shares with the scripts in examples."""

from .arguments import Help, Parser, devices, number, random_seed, whole_number
from .main import main
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
