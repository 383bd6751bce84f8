"""Networks up to the embedding: LeNet, LeNet++, an MLP, those of MXNet's model zoo, and any in a .json file."""

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
