"""The history of a training in a .csv file."""

from __future__ import annotations

import csv
import os
from typing import Any


def read_history(path: str | os.PathLike) -> list[dict[str, Any]]:
    try:
        with open(path, newline='') as file:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
        return [{**row, 'epoch': int(row['epoch'])} for row in rows]
    except (KeyError, TypeError, ValueError, OverflowError, csv.Error):
        raise ValueError(f'{path}: no history of a training; is the file whole?') from None
