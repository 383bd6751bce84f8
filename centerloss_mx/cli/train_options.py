"""The options of `centerloss-mx train`, those that follow from others, and where they are saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .._source_options import SourceOptions
from .arguments import flag

if TYPE_CHECKING:
    from mxnet.context import Context

    from ..dataset import Samples

AUGMENTATIONS = ('rand_crop', 'rand_mirror', 'brightness', 'contrast', 'saturation', 'rand_erasing')

MOMENTA = ('sgd', 'nag')  # the optimizers that take a momentum


class TrainOptions(NamedTuple):
    """The options of `train`; None: not given."""

    data: str
    source: SourceOptions
    rand_crop: bool
    rand_mirror: bool
    brightness: float
    contrast: float
    saturation: float
    rand_erasing: float
    network: str | None
    embedding_dim: int
    layer: str
    params: Path | None
    loss: str
    scale: float | None
    alpha: float | None
    update: str | None
    centers: str | None
    lr_mult: float | None
    inter_scale: float | None
    delta: float | None
    margin: float | None
    covariance: str | None
    normalize_features: bool
    scale_warmup: float | None
    start_centers: bool
    start_centers_from: Path | None
    classifier: str
    margins: tuple[float, float, float] | None
    logit_scale: float | None
    label_smoothing: float
    sample_rate: float | None
    neck: str | None
    neck_feature: str | None
    triplet: bool
    triplet_scale: float | None
    triplet_margin: float | None
    optimizer: str
    lr: float | None
    lr_schedule: str
    lr_warmup: float | None
    lr_steps: tuple[float, ...] | None
    lr_factor: float | None
    momentum: float | None
    wd: float | None
    batch_size: int
    samples_per_class: int | None
    num_epochs: int
    validate: str | None
    select: str | None
    patience: int | None
    tensorboard: Path | None
    seed: int
    ctx: list[Context]
    kv_store: str
    output: Path
    force: bool
    resume: bool


# The fields of `source` are saved; the others do not change the numbers.
_NOT_SAVED = ('source', 'output', 'force', 'resume', 'tensorboard')


def options_path(prefix: str | Path) -> Path:
    """Return the path of the options of a training."""
    return Path(f'{prefix}-options.json')


def history_path(prefix: str | Path) -> Path:
    """Return the path of the history of a training."""
    return Path(f'{prefix}-history.csv')


def with_defaults(options: TrainOptions, samples: Samples) -> TrainOptions:
    """Fill in the image size and the learning rate, which depend on the samples and the optimizer.

    Raises
    ------
    ValueError
        An option for pictures in files, and the samples are arrays.
    """
    from ..io import Images  # not before the arguments are read

    size, lr = options.source.image_size, options.lr
    if isinstance(samples, Images):
        size = size or 64
    for name, value in augmentation(options).items():
        if value and not isinstance(samples, Images):
            change = 'mirrored' if name == 'rand_mirror' else 'changed at random'
            raise ValueError(
                f'{flag(name)}: {options.data} holds arrays; only pictures in files can be {change}'
            )
    if lr is None:
        lr = 0.05 if options.optimizer in MOMENTA else 0.001
    return options._replace(source=options.source._replace(image_size=size), lr=lr)


def augmentation(options: TrainOptions) -> dict[str, Any]:
    """Return the fields of `io.Augmentation`."""
    return {name: getattr(options, name) for name in AUGMENTATIONS}


def saved_options(options: TrainOptions) -> dict[str, Any]:
    """Return the options that a resumed training must have, too."""
    options_by_name = {**options._asdict(), **options.source._asdict()}
    return {name: value for name, value in options_by_name.items() if name not in _NOT_SAVED}
