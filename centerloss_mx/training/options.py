"""The options of a training in a .json file beside its results."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Mapping

from .._files import write_bytes


class OtherOption(ValueError):
    """A resumed training has another option than before.

    Parameters
    ----------
    path : path-like
        The .json file of the options.
    name : str
        Name of the option.
    value, before : object
        Its value now, and when the training was begun.
    """

    def __init__(self, path: str | os.PathLike, name: str, value: Any, before: Any) -> None:
        super().__init__(f'{name} is {value}, but {path} says that the training was begun with {before}')
        self.path, self.name, self.value, self.before = path, name, value, before


def keep_options(
    path: str | os.PathLike, options: Mapping[str, Any], resume: bool = False, leads: bool = True
) -> None:
    """Write a training's options beside its results; a resumed training must have the same ones.

    Parameters
    ----------
    path : path-like
        The .json file of the options.
    options : mapping
        The options, by name.
    resume : bool
        Whether this training continues from a checkpoint; its options are then compared with the file.
    leads : bool
        Whether this process writes the file; the workers of other ranks only compare.

    Raises
    ------
    OtherOption
        The training was begun with other options: its numbers would belong to neither.
    ValueError
        The file is damaged.
    FileNotFoundError
        A worker of another rank does not find the file; it would not find the checkpoint, either.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> keep_options('runs/options.json', {'lr': 0.05, 'seed': 1}, resume=True)  # doctest: +SKIP
    """
    path = Path(path)
    options = json.loads(json.dumps(options, default=str))
    if resume and path.exists():
        for name, value in read_options(path).items():
            if options.get(name) != value:
                raise OtherOption(path, name, options.get(name), value)
    elif resume and not leads:
        raise FileNotFoundError(f'{path} does not exist; expected a folder that all workers share')
    if leads:
        write_bytes(path, json.dumps(options, indent=2).encode())


def read_options(path: str | os.PathLike) -> dict[str, Any]:
    """Read the options of a training that `keep_options` has written.

    Parameters
    ----------
    path : path-like
        The .json file of the options.

    Returns
    -------
    dict
        The options, by name.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is damaged.

    Examples
    --------
    >>> read_options('runs/options.json')['lr']  # doctest: +SKIP
    0.05
    """
    try:
        options = json.loads(Path(path).read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: not the options of a training: {error}') from None
    if not isinstance(options, dict):
        raise ValueError(f'{path}: not the options of a training: expected an object in JSON')
    return options
