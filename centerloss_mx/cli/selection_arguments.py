"""The arguments of `centerloss-mx train` for what is measured on unseen classes, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._choices import SELECTIONS
from .arguments import whole_number


def add_selection(group: Any) -> None:
    """Add the arguments."""
    add = group.add_argument
    add(
        '--validate',
        metavar='DATA',
        help='samples of classes that are not trained, to measure retrieval and verification with',
    )
    add(
        '--select',
        choices=SELECTIONS,
        metavar='COLUMN',
        help='keep the best checkpoint beside the last one: best in a column of the history, one of '
        f'{", ".join(SELECTIONS)}',
    )
    add(
        '--patience',
        type=whole_number(1),
        metavar='EPOCHS',
        help='stop after so many epochs without a better value of --select',
    )
    add('--tensorboard', type=Path, metavar='FOLDER', help='write the history for TensorBoard, too')
