"""Networks up to the embedding: LeNet, LeNet++, MLP, those of MXNet's model zoo, and of .json files."""

from .lenet import lenet, lenet_plus_plus
from .mlp import mlp
from .networks import INITIALIZER, NETWORKS, get_model
from .parameters import load_params

__all__ = [
    'INITIALIZER',
    'NETWORKS',
    'get_model',
    'lenet',
    'lenet_plus_plus',
    'load_params',
    'mlp',
]
