"""Pictures of embeddings, curves, classes and pairs with matplotlib; not imported by the package itself."""

from . import packages as packages  # first: its ImportError says what to install
from .class_accuracy import class_accuracy_figure
from .curves import Curve, CurvePanel, curve_figure
from .embedding import embedding_figure
from .files import save_animation, save_figure
from .pairs import pairs_figure
from .pictures import pictures_figure
from .projection import Panel
from .roc import roc_figure

__all__ = [
    'Curve',
    'CurvePanel',
    'Panel',
    'class_accuracy_figure',
    'curve_figure',
    'embedding_figure',
    'pairs_figure',
    'pictures_figure',
    'roc_figure',
    'save_animation',
    'save_figure',
]
