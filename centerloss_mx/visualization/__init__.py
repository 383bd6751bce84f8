"""Pictures of embeddings, curves, classes and pairs, and pages; not imported by the package itself."""

from . import packages as packages  # first: its ImportError says what to install
from .class_accuracy import class_accuracy_figure
from .curves import Curve, CurvePanel, curve_figure
from .embedding import embedding_figure
from .files import save_animation, save_figure, save_page
from .page import embedding_page
from .pairs import pairs_figure
from .pictures import pictures_figure
from .projection import Panel
from .roc import roc_figure
from .thumbnails import thumbnails

__all__ = [
    'Curve',
    'CurvePanel',
    'Panel',
    'class_accuracy_figure',
    'curve_figure',
    'embedding_figure',
    'embedding_page',
    'pairs_figure',
    'pictures_figure',
    'roc_figure',
    'save_animation',
    'save_figure',
    'save_page',
    'thumbnails',
]
