"""What commands print and write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Mapping

from .._files import check_folder


def check_output(path: str | os.PathLike, force: bool, *endings: str) -> None:
    """Check that a file can be written, before the work is done."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise FileExistsError(
            f'{path} is {"a folder" if path.is_dir() else "a device or pipe"}; expected a file'
        )
    if path.suffix.lower() not in endings:
        raise ValueError(f'{path}: expected a file that ends in {" or ".join(endings)}')
    if path.exists() and not force:
        raise FileExistsError(f'{path} already exists; --force replaces it')
    check_folder(path)


def print_table(title: str, rows: Mapping[str, Any]) -> None:
    """Print a title and names with their values."""
    print(title)
    for name, value in rows.items():
        print(f'    {name.replace("_", " "):28} {shown(name, value):>13}')


def shown(name: str, value: bool | int | float | None) -> str:
    """Return a value as tables show it; None: there are too few samples or pairs for it."""
    if value is None:
        few = 'too few pairs' if name.startswith('tar_') else 'too few samples'
        return 'unknown' if name == 'seen_in_training' else few
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    return f'{value:,}' if isinstance(value, int) else f'{value:.4f}'
