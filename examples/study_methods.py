"""What the study trains: the losses with the weights to try, and what each training comes to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Sequence

from centerloss_mx.training import IGNORE_LABEL

SCALES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
SOFTMAX, CENTER_LOSS = 'softmax', 'center loss'
VALIDATION, TEST = 'validation', 'test'
PADDING = {'use_ignore': True, 'ignore_label': IGNORE_LABEL}


class Method(NamedTuple):
    """A loss of `symbol.supervised`, the weights to try, and the method whose chosen weights it adds to."""

    loss: str
    trials: Sequence[Mapping[str, Any]]
    base: str | None = None
    samples_per_class: int | None = None
    shows_all: bool = False  # whether each trial is trained for the table, too


def _margin(s: float, margin: float) -> dict[str, Any]:
    return {'classifier': {'kind': 'margin', 's': s, 'margins': (1.0, margin, 0.0)}}


def _triplet(scale: float) -> dict[str, Any]:
    return {'triplet': {'scale': scale, **PADDING}}


# A method stands behind its base.
METHODS: dict[str, Method] = {
    SOFTMAX: Method('softmax', [{}], shows_all=True),
    CENTER_LOSS: Method('center_loss', [{'scale': scale} for scale in SCALES], shows_all=True),
    'center loss over α': Method(
        'center_loss', [{'alpha': alpha} for alpha in (0.1, 0.9)], CENTER_LOSS, shows_all=True
    ),
    'learned centers': Method(
        'learned_center_loss', [{'scale': scale, 'lr_mult': 100} for scale in (0.01, 0.03, 0.1, 0.3)]
    ),
    'island loss': Method(
        'island_loss',
        [{'scale': scale, 'inter_scale': 1, 'lr_mult': 100} for scale in (0.01, 0.03, 0.1, 0.3)],
    ),
    'margin': Method('softmax', [_margin(s, margin) for s in (8, 16, 32) for margin in (0.2, 0.4)]),
    'margin + center loss': Method(
        'center_loss', [{'scale': scale} for scale in (0.001, 0.003, 0.01)], 'margin'
    ),
    'triplet + center loss': Method(
        'center_loss', [_triplet(scale) for scale in (0.1, 0.3, 1.0)], CENTER_LOSS, samples_per_class=4
    ),
}


class Trial(NamedTuple):
    """One training: a method with its weights, on the part of the classes and with the seed."""

    method: str
    options: dict[str, Any]
    part: str
    seed: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.method, self.weights, self.part, self.seed

    @property
    def weights(self) -> str:
        """The options in the signs of the papers."""
        signs = {'scale': 'λ', 'alpha': 'α', 'inter_scale': 'λ₁', 'lr_mult': 'lr_mult'}
        margin, triplet = self.options.get('classifier'), self.options.get('triplet')
        words = [f'{sign} = {self.options[name]:g}' for name, sign in signs.items() if name in self.options]
        if margin:
            words.append(f's = {margin["s"]:g}, m = {margin["margins"][1]:g}')
        if triplet:
            words.append(f'triplet {triplet["scale"]:g}')
        return ', '.join(words)


class Result(NamedTuple):
    """What a trial came to: accuracy on held-out samples of trained classes, the rest on unseen classes."""

    method: str
    weights: str
    part: str
    seed: int
    accuracy: float
    precision_at_1: float
    map_at_r: float
    tar_at_far: float
    ratio: float
    seconds: float

    @classmethod
    def diverged(cls, trial: Trial, seconds: float) -> Result:
        return cls(*trial.key, *5 * [math.nan], seconds)

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.method, self.weights, self.part, self.seed

    def __str__(self) -> str:
        return (
            f'{self.method} {self.weights}, {self.part}, seed {self.seed}: accuracy {self.accuracy:.1%}, '
            f'MAP@R {self.map_at_r:.1%}, ratio {self.ratio:.3f}, {self.seconds:.0f} s'
        )


def features_path(output: Path, method: str, weights: str) -> Path:
    """Where the features of the unseen classes are, of the first seed."""
    return output / f'{f"{method} {weights}".strip()}.npz'
