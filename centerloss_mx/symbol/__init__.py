"""Factories that return Symbols: center losses, a classifier, a triplet loss, and all of them together.

`center_loss`, `sync_center_loss` and `joint_supervision` have running centers, which the operator or the
optimizer `centers` moves. In the other center losses the centers are a parameter that the base optimizer
moves by its gradient. `supervised` composes any of them with a `classifier` and a `triplet_loss`;
`large_margin_gaussian_mixture` contains its own softmax. `sampled_classifier` is a `classifier` for millions
of classes. `describe` finds the center losses in any network, and `row_tables` the row tables under it.

What all losses have in common:

- **Weight.** Weight a loss with `scale` only. Multiplying the symbol, or `MakeLoss(grad_scale=...)`, has no
  effect: the loss ignores incoming gradients.
- **Sums.** With `normalization='null'`, and in all losses without that option, gradients are sums over the
  batch. Module divides them by the batch size (its default `rescale_grad`): `scale` is the paper's lambda.
- **Labels.** Whole numbers in 0..num_class-1, of any numeric dtype that represents every class exactly:
  float16 represents up to 2^11 classes, float32 up to 2^24. The operator raises an error for an invalid
  label. A loss made of standard operators cannot raise an error: a row with an invalid label contributes no
  gradient, and its loss is NaN. In training, `module.Module` raises ValueError for an invalid label of any
  center loss, before the batch runs. To the triplet loss any whole number >= 0 is a class.
- **Row tables.** Centers of `sync_center_loss(centers='table')` and weights of `sampled_classifier` are no
  parameters: they are on the KVStore only. `module.Module` feeds the network the rows that a batch needs; a
  sample whose row it does not feed counts as one with an invalid label.
- **Ignored rows.** With `use_ignore`, rows with the label `ignore_label` contribute no loss and no gradient.
  They may hold anything, NaN included; but for a classifier, which reads finite features.
- **Features that are not finite.** The operator raises an error. For `sync_center_loss`, `module.Module` or
  the optimizer `centers` raises it. In the other losses there is no error: loss and gradients are not
  finite.
"""

from .._choices import LOSSES
from .center import center_loss
from .classifier import classifier
from .contrastive import contrastive_center_loss
from .description import CenterLossInfo, describe
from .gaussian_mixture import large_margin_gaussian_mixture
from .island import island_loss
from .joint import joint_supervision
from .learned import learned_center_loss
from .sampled import sampled_classifier
from .scale import scale_variable
from .supervision import loss_options, supervised
from .sync import sync_center_loss
from .tables import RowTableInfo, row_tables
from .triplet import triplet_loss

__all__ = [
    'LOSSES',
    'CenterLossInfo',
    'RowTableInfo',
    'center_loss',
    'classifier',
    'contrastive_center_loss',
    'describe',
    'island_loss',
    'joint_supervision',
    'large_margin_gaussian_mixture',
    'learned_center_loss',
    'loss_options',
    'row_tables',
    'sampled_classifier',
    'scale_variable',
    'supervised',
    'sync_center_loss',
    'triplet_loss',
]
