"""Factories that return Symbols: the center loss, joint supervision, and the other forms of center loss.

`center_loss`, `sync_center_loss` and `joint_supervision` have running centers, which the operator or the
optimizer `centers` moves. In the other losses the centers are a parameter that the base optimizer moves by
its gradient. They are grouped with a softmax, as in `mx.sym.Group([softmax, island_loss(...)])`; L-GM brings
its own. `describe` finds the center losses in any network.
"""

from .center import center_loss
from .contrastive import contrastive_center_loss
from .description import CenterLossInfo, describe
from .gaussian_mixture import large_margin_gaussian_mixture
from .island import island_loss
from .joint import LOSSES, joint_supervision, loss_options, supervised
from .learned import learned_center_loss
from .sync import sync_center_loss

__all__ = [
    'LOSSES',
    'CenterLossInfo',
    'center_loss',
    'contrastive_center_loss',
    'describe',
    'island_loss',
    'joint_supervision',
    'large_margin_gaussian_mixture',
    'learned_center_loss',
    'loss_options',
    'supervised',
    'sync_center_loss',
]
