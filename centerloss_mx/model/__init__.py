"""Checkpoints, centers and features of trained networks."""

from .._files import write_whole
from .._mxnet.arrays import with_all_rows
from .._mxnet.writers import save_whole
from .centers import centers_to_aux, centers_to_kvstore, find_centers
from .checkpoint import (
    best_checkpoint,
    latest_checkpoint,
    load_checkpoint,
    remove_checkpoints,
    save_checkpoint,
)
from .extractor import FeatureExtractor, feature_extractor
from .features import Features, load_features, save_features
from .network import internal_output, load_symbol
from .notes import noted
from .onnx import export_onnx
from .start_centers import start_centers

__all__ = [
    'FeatureExtractor',
    'Features',
    'best_checkpoint',
    'centers_to_aux',
    'centers_to_kvstore',
    'export_onnx',
    'feature_extractor',
    'find_centers',
    'internal_output',
    'latest_checkpoint',
    'load_checkpoint',
    'load_features',
    'load_symbol',
    'noted',
    'remove_checkpoints',
    'save_checkpoint',
    'save_features',
    'save_whole',
    'start_centers',
    'with_all_rows',
    'write_whole',
]
