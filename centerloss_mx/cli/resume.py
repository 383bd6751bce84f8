"""A training that is resumed, and one that would replace another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Mapping

from ..model import latest_checkpoint
from ..training import OtherOption, check_workers, keep_options
from .train_options import TrainOptions


def last_epoch(options: TrainOptions) -> int:
    """Return the epoch to go on from; 0: a new training begins.

    Raises
    ------
    ValueError
        `--output` is a folder.
    NotADirectoryError
        The folder of `--output` is a file.
    FileExistsError
        A new training would replace files of another one.
    FileNotFoundError
        One of several workers does not see the checkpoint: it would begin anew beside the others.
    """
    output = options.output
    if output.name in ('', '..'):
        raise ValueError(f'--output {output} is a folder; expected a file prefix such as runs/net')
    if output.parent.exists() and not output.parent.is_dir():
        raise NotADirectoryError(f'--output {output}: {output.parent} is not a folder')
    last = latest_checkpoint(output)
    if options.resume and last is not None:
        return last
    if options.resume and check_workers(options.kv_store) > 1:
        raise FileNotFoundError(
            f'--resume: there is no checkpoint of {output}; every worker has to see the same --output'
        )
    names = [f'{last or 0:04d}.params', 'symbol.json', 'history.csv', 'options.json']
    there = [path for path in (f'{output}-{name}' for name in names) if os.path.lexists(path)]
    if there and not (options.resume or options.force):
        raise FileExistsError(f'{there[0]} already exists; --resume goes on, --force replaces it')
    return 0


def save_options(path: Path, options: Mapping[str, Any], resume: bool, leads: bool) -> None:
    """Save a command's options beside its results; a resumed one must have the same.

    Parameters
    ----------
    path : path-like
        The .json file.
    options : mapping
        Values by the names of the arguments.
    resume : bool
        Whether to compare them with the file first.
    leads : bool
        Whether this process writes: rank 0 in distributed training.

    Raises
    ------
    ValueError
        Another option than before, or a damaged file.
    FileNotFoundError
        A worker of another rank does not see the file.

    Examples
    --------
    >>> save_options('runs/options.json', {'lr': 0.1}, resume=False, leads=True)  # doctest: +SKIP
    """
    try:
        keep_options(path, options, resume, leads)
    except OtherOption as error:
        flag = error.name.replace('_', '-')
        raise ValueError(
            f'--resume: --{flag} is {error.value}, but {path} says that it was begun with {error.before}'
        ) from None
    except FileNotFoundError:
        if not resume:
            raise
        raise FileNotFoundError(
            f'--resume: {path} does not exist; --output must be one folder for all workers'
        ) from None
    except ValueError as error:
        raise ValueError(f'--resume: {error}') from None
