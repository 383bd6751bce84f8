"""The options of `centerloss-mx info`."""

from __future__ import annotations

from typing import Any, NamedTuple

from .arguments import add_command


class InfoOptions(NamedTuple):
    """`info` has no options."""


def add_info(commands: Any) -> None:
    """Add the command."""
    add_command(commands, 'info', InfoOptions, 'print versions, and which packages are missing', 'info')
