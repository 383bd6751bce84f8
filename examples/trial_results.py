"""Results of trials, trained by several processes and kept in a file: what it has is not trained again."""

from __future__ import annotations

import csv
import json
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence, get_type_hints

from centerloss_mx.model import write_whole

from common import write_results
from tqdm import tqdm


class Results:
    """The results of trials, in `results.csv` of the folder `output`.

    `run` trains and measures a trial in a process of its own. A trial has a `key`; its result is a NamedTuple
    of words and numbers with the same `key`. `settings` are what results depend on beside their trial;
    ValueError: the folder has the results of others.
    """

    def __init__(
        self,
        output: Path,
        settings: Mapping[str, Any],
        run: Callable[[Any], Any],
        result_type: type,
        jobs: int,
    ) -> None:
        self.path, self.run, self.jobs = output / 'results.csv', run, jobs
        self.found: dict[tuple, Any] = {}
        output.mkdir(parents=True, exist_ok=True)
        self._check(output / 'settings.json', json.dumps(settings, indent=2))
        if self.path.exists():
            self._read(result_type)

    def _check(self, path: Path, settings: str) -> None:
        if path.exists() and path.read_text(encoding='utf-8') != settings:
            raise ValueError(f'{path} has other settings; expected a new --output, or the same options')
        write_whole(path, lambda name: Path(name).write_text(settings, encoding='utf-8'))

    def _read(self, result_type: type) -> None:
        types = get_type_hints(result_type)
        with open(self.path, newline='', encoding='utf-8') as file:
            for row in csv.DictReader(file):
                result = result_type(**{name: types[name](word) for name, word in row.items()})
                self.found[result.key] = result

    def of(self, trials: Sequence[Any], title: str) -> list[Any]:
        """Train what is missing; each result is written as soon as it is there."""
        missing = [trial for trial in trials if trial.key not in self.found]
        with get_context('spawn').Pool(self.jobs, maxtasksperchild=1) as pool:
            for result in tqdm(pool.imap_unordered(self.run, missing), title, len(missing), unit='training'):
                self.found[result.key] = result
                write_results(list(self.found.values()), self.path)
                tqdm.write(str(result))
        return [self.found[trial.key] for trial in trials]
