"""The options of a training, kept beside its results."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Mapping

from .._files import write_whole


def keep_options(
    path: str | os.PathLike, options: Mapping[str, Any], resume: bool = False, leads: bool = True
) -> None:
    """Keep a training's options beside its results, and let nobody resume with others.

    Parameters
    ----------
    path : path-like
        The .json file of the options.
    options : mapping
        The options, by name.
    resume : bool
        Whether this training is to go on where one with these options ended.
    leads : bool
        Whether this process writes; the other workers only look.

    Raises
    ------
    ValueError
        It was begun with other options: the numbers would be of neither. Or the file cannot be read.
    FileNotFoundError
        A worker that does not lead does not see the file, and so would not see the checkpoint.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> keep_options('runs/options.json', {'lr': 0.05, 'seed': 1}, resume=True)  # doctest: +SKIP
    """
    path = Path(path)
    options = json.loads(json.dumps(options, default=str))
    if resume and path.exists():
        try:
            before = dict(json.loads(path.read_text(encoding='utf-8')))
        except (TypeError, ValueError) as error:
            raise ValueError(f'--resume: {path}: no options of a training: {error}') from None
        for name, value in before.items():
            if options.get(name) != value:
                raise ValueError(
                    f'--resume: --{name.replace("_", "-")} is {options.get(name)}, but {path} says that '
                    f'it was begun with {value}'
                )
    elif resume and not leads:
        raise FileNotFoundError(
            f'--resume: {path} is not there; --output has to be one folder for all workers'
        )
    if leads:
        text = json.dumps(options, indent=2)
        write_whole(path, lambda name: Path(name).write_text(text, encoding='utf-8'))
