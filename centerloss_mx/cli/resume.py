"""A training that is resumed, and one that would replace another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Mapping

from .._choices import ENDLESS_SCHEDULES
from ..model import latest_checkpoint, remove_checkpoints
from ..training import OtherOption, check_workers, keep_options, read_history, read_options, resumable_epoch
from .arguments import flag
from .train_arguments import default_options
from .train_options import TrainOptions, history_path, options_path, saved_options


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
        The history or the options tell of a checkpoint that is not there, or it lacks them. Or one of several
        workers does not see the checkpoint: it would begin anew beside the others.
    """
    output = options.output
    if output.name in ('', '..'):
        raise ValueError(f'--output {output} is a folder; expected a file prefix such as runs/net')
    if output.parent.exists() and not output.parent.is_dir():
        raise NotADirectoryError(f'--output {output}: {output.parent} is not a folder')
    if options.resume:
        return _epoch_to_resume(output, options.kv_store)
    last = latest_checkpoint(output)
    names = [f'{last or 0:04d}.params', 'symbol.json', 'history.csv', 'options.json', 'samples.npz']
    there = [path for path in (f'{output}-{name}' for name in names) if os.path.lexists(path)]
    if there and not options.force and not _has_no_epoch(output):
        raise FileExistsError(f'{there[0]} already exists; --resume goes on, --force replaces it')
    return 0


def _epoch_to_resume(output: Path, kv_store: str) -> int:
    path = options_path(output)
    if latest_checkpoint(output) is not None and not path.is_file():
        raise FileNotFoundError(f'--resume: {path} does not exist; expected the options of the checkpoint')
    try:
        last = resumable_epoch(output, history_path(output))
    except FileNotFoundError as error:
        raise FileNotFoundError(f'--resume: {error} with --force') from None
    if not last and check_workers(kv_store) > 1:
        raise FileNotFoundError(
            f'--resume: there is no checkpoint of {output}; every worker has to see the same --output'
        )
    return last


def _has_no_epoch(output: Path) -> bool:
    """Whether the files are all that a training has left which ended in its first epoch."""
    symbol, history = Path(f'{output}-symbol.json'), history_path(output)
    try:
        read_options(options_path(output))
        rows = read_history(history) if history.exists() else None
    except (FileNotFoundError, ValueError):  # missing, or a file of somebody else
        return False
    begun = rows == [] or (rows is None and not symbol.exists())
    return begun and latest_checkpoint(output) is None


def remove_training(options: TrainOptions) -> None:
    """Remove what an earlier training has left, except its options.

    Raises
    ------
    FileExistsError
        Another training has ended while this one began.
    """
    if last_epoch(options):
        raise FileExistsError(f'{options.output}: another training has ended meanwhile; --resume goes on')
    remove_checkpoints(options.output)  # first: --resume must not find one of another training
    for name in 'history.csv', 'symbol.json', 'samples.npz':
        path = Path(f'{options.output}-{name}')
        if path.exists():
            path.unlink()


def check_same_options(options: TrainOptions) -> None:
    """Compare the options of a resumed training with those that it was begun with.

    Where the learning rate does not depend on the number of epochs, there may be more of them.

    Raises
    ------
    ValueError
        Another option than before, or a damaged file.
    """
    path, saved = options_path(options.output), saved_options(options)
    try:
        before = read_options(path)
    except ValueError as error:
        raise ValueError(f'--resume: {error}') from None
    epochs = before.get('num_epochs')
    if options.lr_schedule in ENDLESS_SCHEDULES and isinstance(epochs, int) and epochs < options.num_epochs:
        saved['num_epochs'] = epochs
    for name, default in saved_options(default_options()).items():
        if name not in before and saved[name] != default:  # a version without this option has begun it
            raise ValueError(
                f'--resume: {flag(name)} is {saved[name]}, but {path} says that it was begun without'
            )
    save_options(path, saved, resume=True, leads=False)


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
        raise ValueError(
            f'--resume: {flag(error.name)} is {error.value}, but {path} says that it was begun with '
            f'{error.before}'
        ) from None
    except FileNotFoundError:
        if not resume:
            raise
        raise FileNotFoundError(
            f'--resume: {path} does not exist; --output must be one folder for all workers'
        ) from None
    except ValueError as error:
        raise ValueError(f'--resume: {error}') from None
