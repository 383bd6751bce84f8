"""Which checkpoint a command reads."""

from __future__ import annotations

import re
from pathlib import Path

from ..model import best_checkpoint
from .arguments import BEST


def prefix_and_epoch(text: str, epoch: int | str | None) -> tuple[str, int | None]:
    """Return prefix and epoch; the name of a .params file has both.

    >>> prefix_and_epoch('runs/net-0003.params', None)
    ('runs/net', 3)
    """
    prefix = str(Path(text))
    match = re.fullmatch(r'(.+)-(\d{4})\.params', prefix)
    if match and epoch is None:
        return match.group(1), int(match.group(2))
    if epoch == BEST:
        best = best_checkpoint(prefix)
        if best is None:
            raise FileNotFoundError(
                f'--epoch best: {prefix} has no best checkpoint; `train --select` keeps it'
            )
        return prefix, best
    return prefix, None if epoch is None else int(epoch)
