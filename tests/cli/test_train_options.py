"""The options of `train`: their defaults, what follows from them, and what a resumed training must have."""

from __future__ import annotations

from centerloss_mx.cli.arguments import read_options
from centerloss_mx.cli.losses import centers_arguments, loss_arguments
from centerloss_mx.cli.main import parser
from centerloss_mx.cli.optimizers import optimizer_arguments
from centerloss_mx.cli.train_options import TrainOptions, saved_options, with_defaults
from centerloss_mx.dataset import as_arrays
from centerloss_mx.io import Images

import mxnet as mx
import numpy as np
import pytest

ARRAYS = as_arrays(np.zeros((2, 4, 4)), np.array([0, 1]))
PICTURES = Images(np.array([0, 1]), ['a', 'b'], files=['0.png', '1.png'])
DEFAULTS = {
    'data': 'digits', 'test': None, 'test_share': 0.2, 'image_size': None, 'rand_mirror': False,
    'skip_bad': False, 'network': None, 'embedding_dim': 128, 'layer': 'embedding_output', 'params': None,
    'loss': 'center_loss', 'scale': None, 'alpha': None, 'update': None, 'lr_mult': None, 'inter_scale': None,
    'delta': None, 'margin': None, 'covariance': None, 'optimizer': 'sgd', 'lr': None,
    'lr_schedule': 'cosine', 'momentum': None, 'wd': None, 'batch_size': 32, 'num_epochs': 12, 'seed': 1,
    'ctx': [mx.cpu(0)],
    'kv_store': 'local', 'layout': None, 'fit': None, 'mean': None, 'std': None, 'label_column': None,
    'min_images': 1, 'split': 'samples', 'test_column': None, 'rand_crop': False, 'brightness': 0.0,
    'contrast': 0.0, 'saturation': 0.0, 'rand_erasing': 0.0, 'normalize_features': False,
    'scale_warmup': None, 'start_centers': False, 'start_centers_from': None, 'classifier': 'softmax',
    'margins': None, 'logit_scale': None, 'label_smoothing': 0.0, 'centers': None,
    'sample_rate': None, 'neck': None, 'neck_feature': None,
    'triplet': False, 'triplet_scale': None, 'triplet_margin': None, 'lr_warmup': None, 'lr_steps': None,
    'lr_factor': None, 'samples_per_class': None, 'validate': None, 'select': None, 'patience': None,
}  # fmt: skip

IGNORE = {'use_ignore': True, 'ignore_label': -1}


def given(*arguments):
    args = parser().parse_args(['train', 'digits', '-o', 'net', *arguments])
    return read_options(TrainOptions, args)


def test_the_defaults_are_those_of_the_help_and_are_saved():
    """With these keys, old option files can be resumed."""
    assert saved_options(given()) == DEFAULTS
    assert saved_options(given('--resume', '--force', '-o', 'other')) == DEFAULTS


@pytest.mark.parametrize('arguments, expected', [
    ([], {'learning_rate': 0.05, 'wd': 0.0005, 'momentum': 0.9}),
    (['--optimizer', 'nag'], {'learning_rate': 0.05, 'wd': 0.0005, 'momentum': 0.9}),
    (['--optimizer', 'adam'], {'learning_rate': 0.001, 'wd': 0}),
    (['--lr', '3', '--wd', '0', '--momentum', '0'], {'learning_rate': 3, 'wd': 0, 'momentum': 0}),
    (['--optimizer', 'adam', '--wd', '0.1'], {'learning_rate': 0.001, 'wd': 0.1}),
])  # fmt: skip
def test_the_parameters_of_an_optimizer(arguments, expected):
    options = with_defaults(given(*arguments), ARRAYS)
    assert optimizer_arguments(options) == {'optimizer': options.optimizer, 'optimizer_params': expected}


@pytest.mark.parametrize('arguments, expected, of_optimizer', [
    ([], {'scale': 0.01, 'batchsize': 8, **IGNORE}, {}),
    (['--alpha', '1'], {'scale': 0.01, 'alpha': 1, 'batchsize': 8, **IGNORE}, {}),
    (['--loss', 'softmax'], {}, {}),
    (['--loss', 'sync_center_loss', '--scale', '2', '--alpha', '1'],
     {'scale': 2, **IGNORE}, {'alpha': 1}),
])  # fmt: skip
def test_the_keywords_of_a_loss(arguments, expected, of_optimizer):
    options = given('--batch-size', '8', *arguments)
    assert loss_arguments(options) == expected and centers_arguments(options) == of_optimizer


def test_pictures_are_resized_and_arrays_are_not():
    assert with_defaults(given(), PICTURES).source.image_size == 64
    assert with_defaults(given('--image-size', '24'), PICTURES).source.image_size == 24
    assert with_defaults(given(), ARRAYS).source.image_size is None
