"""The checkpoints of a prefix, removed."""

from __future__ import annotations

import os
import re
from pathlib import Path


def remove_checkpoints(prefix: str | os.PathLike, keep: int | None = None) -> None:
    """Remove the checkpoints of a prefix: parameters and the optimizer's states.

    Parameters
    ----------
    prefix : path-like
        As given to `model.save_checkpoint`.
    keep : int or None
        The epoch whose checkpoint stays; None: none does.

    Raises
    ------
    OSError
        A file cannot be removed.

    Examples
    --------
    >>> remove_checkpoints('runs/lenet', keep=12)  # doctest: +SKIP
    """
    prefix = Path(prefix)
    checkpoint = re.compile(re.escape(prefix.name) + r'-(\d{4})\.(params|states)')
    for path in prefix.parent.iterdir():
        match = checkpoint.fullmatch(path.name)
        if match and int(match.group(1)) != keep:
            path.unlink()
