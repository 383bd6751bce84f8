"""Joint supervision: λ, names, labels, and any loss by its name."""

from __future__ import annotations

from centerloss_mx import reference, symbol
from centerloss_mx.symbol import (
    center_loss,
    joint_supervision,
)

import mxnet as mx
import numpy as np
import pytest
from bound_loss import DIM, IN, NUM_CLASS, SEED, BoundLoss, N, random_batch


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


@pytest.mark.parametrize('weights, scale', [((1, 0.05), 0.1), ((5, 1), 0.4)])
def test_keras_loss_weights_of_one_and_w_are_a_scale_of_2w(weights, scale):
    """There an `Embedding` holds the centers, and the mean of ||x - c||^2 has the weight w.

    Here the gradient sums over the batch, and Module divides it by N.
    """
    x, y, c, v = random_batch()
    data, label, centers = (mx.sym.Variable(name) for name in ('data', 'label', 'centers'))
    looked_up = mx.sym.Embedding(label, centers, input_dim=NUM_CLASS, output_dim=DIM, dtype='float64')
    squares = mx.sym.sum(mx.sym.square(data - looked_up), axis=1)
    keras = mx.sym.MakeLoss(mx.sym.mean(squares) * (weights[1] / weights[0]))
    arguments = {'data': x, 'label': y, 'centers': c}
    arguments = {name: mx.nd.array(value, dtype='float64') for name, value in arguments.items()}
    gradients = {name: mx.nd.zeros_like(arguments[name]) for name in ('data', 'centers')}
    executor = keras.bind(mx.cpu(), arguments, gradients)
    executor.forward(is_train=True)
    executor.backward()
    expected = BoundLoss('learned', x, y, c, v, scale=scale).gradients()
    for name, ours in ('data', 'data'), ('centers', 'loss_center_weight'):
        np.testing.assert_allclose(gradients[name].asnumpy(), expected[ours] / N, 1e-6, 1e-9)


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
    with pytest.raises(ValueError, match="centers='server' is not one of aux, kvstore"):
        joint_supervision(data, 3, 1.0, centers='server')


@pytest.mark.parametrize('options, message', [
    ({}, "centers='kvstore' needs embedding_dim, the length of a feature"),
    ({'embedding_dim': DIM, 'alpha': 0.5}, "alpha=0.5 is not for centers='kvstore'; give it"),
    ({'embedding_dim': DIM, 'update': 'paper'}, "update='paper' is not for centers='kvstore'"),
])  # fmt: skip
def test_joint_supervision_says_what_belongs_to_the_optimizer(options, message):
    with pytest.raises(ValueError, match=message):
        joint_supervision(mx.sym.Variable('data'), NUM_CLASS, 0.1, centers='kvstore', **options)


def test_both_homes_of_centers_train_the_same_numbers():
    trained = []
    for centers in 'aux', 'kvstore':
        embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
        options = {'centers': 'kvstore', 'embedding_dim': DIM} if centers == 'kvstore' else {}
        net = joint_supervision(embedding, NUM_CLASS, 0.3, batchsize=N, use_ignore=True, **options)
        module = mx.mod.Module(net, label_names=['softmax_label', 'center_label'])
        module.bind([('data', (N, IN))], [('softmax_label', (N,)), ('center_label', (N,))])
        mx.random.seed(SEED)
        module.init_params(mx.init.Normal(0.5))
        params = {'learning_rate': 0.1, 'momentum': 0.9, 'wd': 0.01}
        module.init_optimizer(optimizer='centers' if centers == 'kvstore' else 'sgd', optimizer_params=params)
        rng = np.random.RandomState(SEED)
        for _ in range(10):
            x, y = rng.randn(N, IN), rng.randint(-1, NUM_CLASS, N)
            module.forward_backward(mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)] * 2))
            module.update()
            mx.nd.waitall()
        args, aux = module.get_params()
        found = aux['center_loss__center_bias'] if centers == 'aux' else args['center_loss_center_weight']
        trained.append({
            'centers': found.asnumpy()[:, :DIM],
            **{name: value.asnumpy() for name, value in args.items() if not name.startswith('center')},
        })  # fmt: skip
    aux, kvstore = trained
    for name, value in aux.items():
        np.testing.assert_allclose(kvstore[name], value, 1e-6, 1e-6, err_msg=name)


ALONE = {
    'center_loss': lambda x, y: symbol.joint_supervision(x, 5, 0.3, 0.2, y, y, batchsize=8),
    'sync_center_loss': lambda x, y: symbol.joint_supervision(
        x, 5, 0.3, softmax_label=y, center_label=y, centers='kvstore', embedding_dim=3
    ),
    'learned_center_loss': lambda x, y: with_softmax(x, y, symbol.learned_center_loss(x, y, 5, 3, 0.3, 7.0)),
    'island_loss': lambda x, y: with_softmax(x, y, symbol.island_loss(x, y, 5, 3, 0.3, 2.0)),
    'contrastive_center_loss': lambda x, y: with_softmax(
        x, y, symbol.contrastive_center_loss(x, y, 5, 3, 0.3, 0.5)
    ),
    'large_margin_gaussian_mixture': lambda x, y: symbol.large_margin_gaussian_mixture(x, y, 5, 3, 0.3, 0.7),
    'softmax': lambda x, y: with_softmax(x, y),
}
OPTIONS = {
    'center_loss': {'scale': 0.3, 'alpha': 0.2, 'batchsize': 8},
    'sync_center_loss': {'scale': 0.3},
    'learned_center_loss': {'scale': 0.3, 'lr_mult': 7.0},
    'island_loss': {'scale': 0.3, 'inter_scale': 2.0},
    'contrastive_center_loss': {'scale': 0.3, 'delta': 0.5},
    'large_margin_gaussian_mixture': {'scale': 0.3, 'margin': 0.7},
    'softmax': {},
}


def with_softmax(x, y, *losses):
    logits = mx.sym.FullyConnected(x, num_hidden=5, name='fc2')
    return mx.sym.Group([mx.sym.SoftmaxOutput(logits, y, name='softmax'), *losses])


def stepped(net):
    """All outputs and gradients of one step on seeded values."""
    rng = np.random.RandomState(20161008)
    executor = net.simple_bind(mx.cpu(), data=(8, 3), label=(8,))
    for name, array in sorted({**executor.arg_dict, **executor.aux_dict}.items()):
        array[:] = rng.randint(0, 5, 8) if name == 'label' else rng.randn(*array.shape)
    outputs = executor.forward(is_train=True)
    executor.backward()
    mx.nd.waitall()
    gradients = {name: g.asnumpy() for name, g in executor.grad_dict.items() if name != 'label'}
    return [output.asnumpy() for output in outputs], gradients


@pytest.mark.parametrize('loss', symbol.LOSSES)
def test_a_loss_by_its_name_is_that_of_its_factory(loss):
    x, y = mx.sym.Variable('data'), mx.sym.Variable('label')
    expected = stepped(ALONE[loss](x, y))
    found = stepped(symbol.supervised(x, 5, loss, 3, y, y, **OPTIONS[loss]))
    assert [a.tolist() for a in found[0]] == [a.tolist() for a in expected[0]]
    assert {k: a.tolist() for k, a in found[1].items()} == {k: a.tolist() for k, a in expected[1].items()}
    assert set(OPTIONS[loss]) <= set(symbol.loss_options(loss))


@pytest.mark.parametrize('loss', ['center_loss', 'sync_center_loss'])
def test_a_center_loss_by_its_name_weighs_as_much_as_softmax(loss):
    """`joint_supervision`, which makes it, has no default scale."""
    x, y = mx.sym.Variable('data'), mx.sym.Variable('label')
    found, expected = (
        stepped(symbol.supervised(x, 5, loss, 3, y, y, **options))[1] for options in ({}, {'scale': 1.0})
    )
    assert found['data'].tolist() == expected['data'].tolist()


def test_the_labels_of_a_loss_by_its_name_are_those_of_joint_supervision():
    x = mx.sym.Variable('data')
    for loss in symbol.LOSSES:
        arguments = symbol.supervised(x, 5, loss, 3).list_arguments()
        labels = [name for name in arguments if name.endswith('_label')]
        alone = loss in ('softmax', 'large_margin_gaussian_mixture')
        assert labels == ['softmax_label'] if alone else labels == ['softmax_label', 'center_label']


IGNORED = ('use_ignore', 'ignore_label')


@pytest.mark.parametrize('loss, options', [
    ('softmax', ()),
    ('center_loss', ('alpha', 'scale', 'batchsize', *IGNORED, 'update')),
    ('sync_center_loss', ('scale', *IGNORED, 'centers')),
    ('learned_center_loss', ('scale', 'lr_mult', 'sparse_grad', *IGNORED)),
    ('island_loss', ('scale', 'inter_scale', 'lr_mult', *IGNORED)),
    ('contrastive_center_loss', ('scale', 'delta', 'lr_mult', *IGNORED)),
    ('large_margin_gaussian_mixture', ('scale', 'margin', 'covariance', 'lr_mult', *IGNORED)),
])  # fmt: skip
def test_a_loss_by_its_name_has_these_options_and_no_other(loss, options):
    assert symbol.loss_options(loss) == options
    expected = f'{loss} has no option dtype; it has {", ".join(options) or "none"}'
    with pytest.raises(ValueError, match=f'^{expected}$'):
        symbol.supervised(mx.sym.Variable('data'), 5, loss, 3, dtype='float64')


@pytest.mark.parametrize('loss, options, message', [
    ('triplet_loss', {}, "loss='triplet_loss' is not one of softmax, center_loss"),
    ('softmax', {'scale': 1}, 'softmax has no option scale; it has none'),
    ('island_loss', {'margin': 1}, 'island_loss has no option margin; it has scale, inter_scale, lr_mult'),
    ('sync_center_loss', {'alpha': 0.5}, 'sync_center_loss has no option alpha; it has scale, '),
    ('center_loss', {'normalization': 'batch'}, 'center_loss has no option normalization'),
    ('island_loss', {'scale': -1}, 'scale=-1 is not a finite number >= 0'),
])  # fmt: skip
def test_options_that_a_loss_does_not_have_are_named(loss, options, message):
    with pytest.raises(ValueError, match=message):
        symbol.supervised(mx.sym.Variable('data'), 5, loss, 3, **options)
