"""The factories: names, lambda, and what they refuse."""

from __future__ import annotations

from centerloss_mx import reference
from centerloss_mx.symbol import center_loss, joint_supervision

import mxnet as mx
import numpy as np
import pytest

SEED, N, IN, DIM, NUM_CLASS = 20161008, 12, 7, 3, 4


def network(scale, **options):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    return joint_supervision(embedding, NUM_CLASS, scale, batchsize=N, **options)


def one_step(contexts, net, learning_rate=0.1):
    """Parameters before and after one `Module` step with its default rescale_grad, and the batch."""
    rng = np.random.RandomState(SEED)
    x, y = rng.randn(N, IN).astype('float32'), rng.randint(0, NUM_CLASS, N)
    module = mx.mod.Module(net, label_names=['softmax_label', 'center_label'], context=contexts)
    module.bind([('data', (N, IN))], [('softmax_label', (N,)), ('center_label', (N,))])
    mx.random.seed(SEED)
    module.init_params(mx.init.Normal(0.5))
    centers = mx.nd.array(rng.randn(NUM_CLASS, DIM))
    args, aux = module.get_params()
    module.set_params(args, {**aux, 'center_loss__center_bias': centers})
    before = {name: value.asnumpy().astype(np.float64) for name, value in args.items()}
    module.init_optimizer(optimizer='sgd', optimizer_params={'learning_rate': learning_rate})
    module.forward_backward(mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)] * 2))
    module.update()
    mx.nd.waitall()
    after = {name: value.asnumpy() for name, value in module.get_params()[0].items()}
    return before, after, centers.asnumpy(), x, y


@pytest.mark.parametrize(
    'contexts', [[mx.cpu()], [mx.cpu(0), mx.cpu(1)], [mx.cpu(0), mx.cpu(1), mx.cpu(2)]], ids=len
)
@pytest.mark.parametrize('scale', [0.0, 0.3, 2.0])
def test_scale_is_the_papers_lambda_in_one_sgd_step_of_module(contexts, scale):
    """W <- W - lr / N * d(L_S + lambda L_C)/dW, Eq. 5, on any number of devices."""
    before, after, c, x, y = one_step(contexts, network(scale))
    features = x @ before['embedding_weight'].T + before['embedding_bias']
    to_x, to_w, to_b = reference.joint_supervision_gradients(
        features, y, before['fc2_weight'], before['fc2_bias'], c, scale
    )
    gradients = {
        'embedding_weight': to_x.T @ x,
        'embedding_bias': to_x.sum(axis=0),
        'fc2_weight': to_w,
        'fc2_bias': to_b,
    }
    for name, gradient in gradients.items():
        np.testing.assert_allclose(after[name], before[name] - 0.1 * gradient / N, atol=2e-6, err_msg=name)


def test_the_raw_operator_needs_n_times_the_scale_as_the_readme_says():
    """Its gradient is divided by N, and by Module's rescale_grad once more."""
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    logits = mx.sym.FullyConnected(embedding, num_hidden=NUM_CLASS, name='fc2')
    softmax = mx.sym.SoftmaxOutput(logits, mx.sym.Variable('softmax_label'), name='softmax')
    raw = center_loss(embedding, mx.sym.Variable('center_label'), NUM_CLASS, scale=0.3 * N, batchsize=N)
    _, classic, *_ = one_step([mx.cpu()], mx.sym.Group([softmax, raw]))
    _, joint, *_ = one_step([mx.cpu()], network(0.3))
    for name, value in joint.items():
        np.testing.assert_allclose(classic[name], value, atol=1e-6, err_msg=name)


def test_keras_loss_weights_of_one_and_half_lambda_give_lambda_as_the_readme_says():
    """The mean of w ||x - c||^2 per sample has the gradient 2 w (x - c) / N."""
    rng = np.random.RandomState(SEED)
    x, c, y = rng.randn(N, DIM), rng.randn(NUM_CLASS, DIM), rng.randint(0, NUM_CLASS, N)
    for weights, lambda_ in ((1, 0.05), 0.1), ((5, 1), 0.4):
        weight, step = weights[1] / weights[0], 1e-6
        _, gradient = reference.center_loss(x, y, c)
        for index in np.ndindex(x.shape):
            ahead, behind = x.copy(), x.copy()
            ahead[index] += step
            behind[index] -= step
            slope = weight * (((ahead - c[y]) ** 2).sum() - ((behind - c[y]) ** 2).sum()) / N / (2 * step)
            assert abs(slope - lambda_ * gradient[index] / N) < 1e-6


def test_the_oracles_gradients_are_those_of_its_losses_by_finite_differences():
    rng = np.random.RandomState(SEED)
    x, w, b, c = rng.randn(N, DIM), rng.randn(NUM_CLASS, DIM), rng.randn(NUM_CLASS), rng.randn(NUM_CLASS, DIM)
    y, lambda_, step = rng.randint(0, NUM_CLASS, N), 0.7, 1e-5

    def loss():
        return reference.softmax_cross_entropy(x, y, w, b)[0] + lambda_ * reference.center_loss(x, y, c)[0]

    for array, gradient in zip((x, w, b), reference.joint_supervision_gradients(x, y, w, b, c, lambda_)):
        for index in np.ndindex(array.shape):
            middle = array[index]
            array[index] = middle + step
            ahead = loss()
            array[index] = middle - step
            behind = loss()
            array[index] = middle
            assert abs((ahead - behind) / (2 * step) - gradient[index]) < 1e-7


def test_joint_supervision_has_the_contracts_names():
    net = network(0.1)
    assert net.list_outputs() == ['softmax_output', 'center_loss_output']
    assert set(net.list_arguments()) == {
        'data', 'embedding_weight', 'embedding_bias', 'fc2_weight', 'fc2_bias', 'softmax_label',
        'center_label',
    }  # fmt: skip
    assert net.list_auxiliary_states() == [
        'center_loss__diff_bias', 'center_loss__center_bias', 'center_loss__sum_bias',
    ]  # fmt: skip


def test_joint_supervision_takes_labels_of_the_callers_own():
    label = mx.sym.Variable('label')
    net = network(0.1, softmax_label=label, center_label=label)
    assert 'label' in net.list_arguments() and 'center_label' not in net.list_arguments()


def test_ignored_rows_take_no_part_in_either_loss():
    net = network(0.5, use_ignore=True)
    rng = np.random.RandomState(SEED)
    executor = net.simple_bind(mx.cpu(), data=(N, IN))
    for array in executor.arg_dict.values():
        array[:] = rng.randn(*array.shape)
    y = rng.randint(0, NUM_CLASS, N)
    y[5] = -1
    labels = {'softmax_label': mx.nd.array(y), 'center_label': mx.nd.array(y)}
    gradients = []
    for row in 0, 1e3:
        executor.arg_dict['data'][5] = row
        executor.forward(is_train=True, **labels)
        executor.backward()
        gradients.append(executor.grad_dict['fc2_bias'].asnumpy())
        mx.nd.waitall()
        executor.aux_dict['center_loss__center_bias'][:] = 0
    assert (gradients[0] == gradients[1]).all() and gradients[0].any()


@pytest.mark.parametrize('keywords, message', [
    ({'num_class': 0}, 'num_class=0 is not a whole number > 0'),
    ({'alpha': 2}, r'alpha=2 is not a number in \[0, 1\]'),
    ({'scale': float('nan')}, 'scale=nan is not a finite number >= 0'),
    ({'update': 'ema'}, "update='ema' is not one of paper, moving_average"),
    ({'batchsize': -1}, 'batchsize=-1 is not a whole number > 0'),
])  # fmt: skip
def test_the_factories_refuse_bad_parameters_with_a_value_error(keywords, message):
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    with pytest.raises(ValueError, match=message):
        center_loss(data, label, **{'num_class': 3, **keywords})
    with pytest.raises(ValueError, match=message):
        joint_supervision(data, **{'num_class': 3, 'scale': 1.0, **keywords})


def test_center_loss_refuses_an_unknown_normalization_and_joint_supervision_another_home():
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    with pytest.raises(ValueError, match="normalization='mean' is not one of null, batch, valid"):
        center_loss(data, label, 3, normalization='mean')
    with pytest.raises(ValueError, match="centers='kvstore' is not 'aux'"):
        joint_supervision(data, 3, 1.0, centers='kvstore')
