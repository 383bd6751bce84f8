"""What the options of `centerloss-mx train` say about validation, and what runs beside the training."""

from __future__ import annotations

from ..dataset import Samples, load_samples
from ..training import EarlyStopping, Hook, ScaleSchedule, TensorBoard, Validation, scale_warmup
from .losses import final_scale
from .samples import readable
from .train_options import TrainOptions


def hooks(options: TrainOptions, num_batches: int) -> list[Hook]:
    """Make the hooks of a training.

    Raises
    ------
    ValueError
        A warm-up of less than a batch, or samples to validate with that cannot be.
    """
    found: list[Hook] = []
    if options.scale_warmup is not None:
        updates = round(options.scale_warmup * num_batches)
        if not updates:
            raise ValueError(
                f'--scale-warmup {options.scale_warmup:g}: expected a batch or more; an epoch has '
                f'{num_batches}'
            )
        found.append(ScaleSchedule(scale_warmup(final_scale(options), updates)))
    if options.validate is not None:
        found.append(Validation(_validation_samples(options)))
    if options.select is not None and options.patience is not None:
        found.append(EarlyStopping(options.select, options.patience))
    if options.tensorboard is not None:
        found.append(TensorBoard(options.tensorboard))
    return found


def check_selection(options: TrainOptions, test: Samples | None, class_names: list[str]) -> None:
    """Raise ValueError for a column that the history will not have, or a patience for none."""
    column = options.select
    if column is None:
        if options.patience is not None:
            raise ValueError('--patience: expected --select, the column whose better values are waited for')
        return
    if column.startswith('validation_'):
        if options.validate is None:
            raise ValueError(f'--select {column}: expected --validate, the samples to measure it with')
        return
    if test is None:
        raise ValueError(f'--select {column}: there are no samples to test with; see --test')
    seen = bool({*test.class_names} & {*class_names})
    if (column == 'test_accuracy' and not seen) or (column == 'test_precision_at_1' and seen):
        which = 'are not' if column == 'test_accuracy' else 'are'
        raise ValueError(f'--select {column}: the classes to test with {which} those of the training')


def _validation_samples(options: TrainOptions) -> Samples:
    source = options.source._replace(test_column=None)  # all of them are to validate with
    samples = load_samples(str(options.validate), min_classes=2, **source.reading())
    return readable(samples, source.skip_bad, source.min_images)
