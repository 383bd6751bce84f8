"""The options of `train` for classifiers, triplets, schedules and the checkpoint that counts."""

from __future__ import annotations

from centerloss_mx.cli.arguments import read_options
from centerloss_mx.cli.losses import check_start, loss_arguments, supervision_arguments
from centerloss_mx.cli.main import parser
from centerloss_mx.cli.optimizers import learning_rate_schedule
from centerloss_mx.cli.selection import check_selection, hooks
from centerloss_mx.cli.train_options import TrainOptions, with_defaults
from centerloss_mx.dataset import as_arrays
from centerloss_mx.symbol import describe, joint_supervision

import mxnet as mx
import numpy as np
import pytest

ARRAYS = as_arrays(np.zeros((2, 4, 4)), np.array([0, 1]))
OTHERS = as_arrays(np.zeros((2, 4, 4)), np.array(['c', 'd']))
IGNORE = {'use_ignore': True, 'ignore_label': -1}


def given(*arguments):
    args = parser().parse_args(['train', 'digits', '-o', 'net', *arguments])
    return with_defaults(read_options(TrainOptions, args), ARRAYS)


@pytest.mark.parametrize('arguments, classifier, triplet, normalize', [
    ([], None, None, False),
    (['--classifier', 'margin'], {'kind': 'margin'}, None, False),
    (['--classifier', 'margin', '--margins', '1.35,0,0.2', '--logit-scale', '30', '--normalize-features'],
     {'kind': 'margin', 'margins': (1.35, 0, 0.2), 's': 30}, None, True),
    (['--label-smoothing', '0.1', '--neck', 'bn', '--neck-feature', 'after'],
     {'smooth_alpha': 0.1, 'neck': 'bn'}, None, False),
    (['--sample-rate', '0.1', '--seed', '7'], {'sample_rate': 0.1, 'seed': 7}, None, False),
    (['--triplet'], None, IGNORE, False),
    (['--loss', 'softmax', '--triplet', '--triplet-scale', '2', '--triplet-margin', '0.3',
      '--normalize-features'], None, {'scale': 2, 'margin': 0.3, **IGNORE}, True),
])  # fmt: skip
def test_the_keywords_of_the_supervision(arguments, classifier, triplet, normalize):
    expected = {'classifier': classifier, 'triplet': triplet, 'normalize': normalize}
    assert supervision_arguments(given(*arguments)) == expected


def test_a_scale_that_warms_up_is_a_variable_of_its_value():
    arguments = loss_arguments(given('--scale', '0.3', '--scale-warmup', '2'))
    net = joint_supervision(mx.sym.Variable('data'), 10, **arguments)
    (info,) = describe(net)
    module = mx.mod.Module(net, label_names=['softmax_label', 'center_label'])
    module.bind([('data', (4, 2))], [('softmax_label', (4,)), ('center_label', (4,))])
    module.init_params()
    np.testing.assert_array_equal(module.get_params()[0][info.scale].asnumpy(), [0.3])
    (warmup,) = hooks(given('--scale', '0.3', '--scale-warmup', '2'), 10)
    assert [warmup.schedule(update) for update in (1, 10, 20, 30)] == [0.015, 0.15, 0.3, 0.3]


def test_a_scale_that_warms_up_does_so_for_a_batch_or_more():
    with pytest.raises(ValueError) as refused:
        hooks(given('--scale-warmup', '0.1'), 4)
    assert str(refused.value) == '--scale-warmup 0.1: expected a batch or more; an epoch has 4'


def learning_rates(arguments, updates):
    scheduler = learning_rate_schedule(given('--lr', '1', *arguments), 10)['lr_scheduler']
    return [scheduler(update) for update in updates]


@pytest.mark.parametrize('arguments, expected', [
    (['--lr-schedule', 'constant'], [1, 1, 1, 1, 1]),
    (['--lr-schedule', 'constant', '--lr-warmup', '2'], [0.05, 0.25, 0.5, 1, 1]),
    (['--lr-schedule', 'step', '--lr-steps', '1,2'], [1, 1, 1, 0.1, 0.01]),
    (['--lr-schedule', 'step', '--lr-steps', '2.5', '--lr-factor', '0.5'], [1, 1, 1, 1, 0.5]),
])  # fmt: skip
def test_schedules_by_their_names(arguments, expected):
    assert learning_rates(arguments, [1, 5, 10, 20, 30]) == pytest.approx(expected)


@pytest.mark.parametrize('function, arguments, message', [
    (supervision_arguments, ['--margins', '1,0,0'], '--margins has no effect with --classifier softmax'),
    (supervision_arguments, ['--logit-scale', '1'], '--logit-scale has no effect with --classifier softmax'),
    (supervision_arguments, ['--neck-feature', 'after'],
     '--neck-feature has no effect with a network without --neck'),
    (supervision_arguments, ['--triplet-margin', '1'],
     '--triplet-margin has no effect with a training without --triplet'),
    (supervision_arguments, ['--loss', 'softmax', '--normalize-features'],
     '--normalize-features has no effect with --loss softmax and without --triplet'),
    (supervision_arguments, ['--loss', 'large_margin_gaussian_mixture', '--classifier', 'margin'],
     '--classifier has no effect with --loss large_margin_gaussian_mixture, which is a classifier itself'),
    (supervision_arguments, ['--loss', 'large_margin_gaussian_mixture', '--label-smoothing', '0.1'],
     '--label-smoothing has no effect with --loss large_margin_gaussian_mixture, which is a classifier '
     'itself'),
    (loss_arguments, ['--loss', 'island_loss', '--scale-warmup', '1'],
     '--scale-warmup has no effect with --loss island_loss; it is for center_loss and sync_center_loss'),
    (check_start, ['--loss', 'softmax', '--start-centers'],
     '--start-centers has no effect with --loss softmax, which has no centers'),
    (check_start, ['--start-centers', '--start-centers-from', 'a.npz'],
     '--start-centers and --start-centers-from: each says where centers start; expected one of them'),
    (lambda options: learning_rate_schedule(options, 1), ['--lr-schedule', 'step'],
     '--lr-schedule step: expected --lr-steps, the epochs after which it falls, as 40,70'),
    (lambda options: learning_rate_schedule(options, 1), ['--lr-steps', '3'],
     '--lr-steps has no effect with --lr-schedule cosine'),
    (lambda options: check_selection(options, ARRAYS, []), ['--patience', '3'],
     '--patience: expected --select, the column whose better values are waited for'),
    (lambda options: check_selection(options, ARRAYS, ['0', '1']), ['--select', 'validation_map_at_r'],
     '--select validation_map_at_r: expected --validate, the samples to measure it with'),
    (lambda options: check_selection(options, None, ['0', '1']), ['--select', 'ratio'],
     '--select ratio: there are no samples to test with; see --test'),
    (lambda options: check_selection(options, ARRAYS, ['0', '1']), ['--select', 'test_precision_at_1'],
     '--select test_precision_at_1: the classes to test with are those of the training'),
    (lambda options: check_selection(options, OTHERS, ['0', '1']), ['--select', 'test_accuracy'],
     '--select test_accuracy: the classes to test with are not those of the training'),
])  # fmt: skip
def test_what_does_not_go_together_is_refused(function, arguments, message):
    with pytest.raises(ValueError) as raised:
        function(given(*arguments))
    assert str(raised.value) == message


@pytest.mark.parametrize('arguments, message', [
    (['--margins', '1,2'], 'argument --margins: 1,2: expected three numbers, such as 1,0.5,0 for ArcFace'),
    (['--lr-steps', '4,2'],
     'argument --lr-steps: 4,2: expected ascending numbers of epochs, such as 40,70'),
    (['--samples-per-class', '1'], 'argument --samples-per-class: 1: expected 2 or more'),
])  # fmt: skip
def test_values_that_cannot_be_are_refused_with_their_option(refused, arguments, message):
    status, line = refused('train', 'digits', '-o', 'net', *arguments)
    assert status == 2 and message in line
