"""Pictures of embeddings and curves with matplotlib; imported only when asked for."""

from .._optional import require

for package in ('matplotlib', 'sklearn', 'PIL'):
    require(package, 'centerloss_mx.visualization')

from .classes import class_accuracy_figure
from .curves import Curve, CurvePanel, curve_figure, roc_figure
from .embedding import Panel, embedding_figure
from .files import save_animation, save_figure
from .pairs import pairs_figure

__all__ = [
    'Curve',
    'CurvePanel',
    'Panel',
    'class_accuracy_figure',
    'curve_figure',
    'embedding_figure',
    'pairs_figure',
    'roc_figure',
    'save_animation',
    'save_figure',
]
