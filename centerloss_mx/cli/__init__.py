"""The command line `centerloss-mx`, and what it shares with the scripts in examples."""

from .arguments import Help, Parser
from .main import main
from .process import run
from .samples import readable

__all__ = [
    'Help',
    'Parser',
    'main',
    'readable',
    'run',
]
