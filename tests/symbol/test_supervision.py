"""A classifier, a loss and a triplet loss on one embedding: what `supervised` composes."""

from __future__ import annotations

import json

from centerloss_mx import reference
from centerloss_mx.dataset import Arrays
from centerloss_mx.metric import for_network
from centerloss_mx.module import Module
from centerloss_mx.symbol import LOSSES, describe, joint_supervision, supervised
from centerloss_mx.symbol.description import ignored_labels
from centerloss_mx.training.batches import training_iter

import mxnet as mx
import numpy as np
import pytest

SEED, N, IN, DIM, NUM_CLASS = 20161008, 12, 6, 5, 4
MARGIN = {'kind': 'margin', 's': 4, 'margins': (1, 0.5, 0.1)}


def network(loss='center_loss', **options):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    if loss == 'center_loss':
        options['batchsize'] = N
    return supervised(embedding, NUM_CLASS, loss, DIM, **options)


@pytest.mark.parametrize('loss', LOSSES)
def test_outputs_are_the_classifier_the_loss_and_the_triplet_loss(loss):
    alone = network(loss).list_outputs()
    triplet = network(loss, triplet={})
    assert triplet.list_outputs() == [*alone, 'triplet_loss_output']
    assert 'center_label' in triplet.list_arguments()
    if loss != 'large_margin_gaussian_mixture':
        outputs = network(loss, classifier=MARGIN, triplet={'margin': 0.3}).list_outputs()
        assert outputs == ['softmax_output', 'margin_softmax_output', *alone[1:], 'triplet_loss_output']
        neck = network(loss, classifier={'neck': 'bn'})
        assert neck.list_outputs() == alone and 'neck_gamma' in neck.list_arguments()


def structure(net):
    """Operators, attributes and inputs of the nodes."""
    nodes = json.loads(net.tojson())['nodes']
    return [(node['op'], node.get('attrs', {}), node['inputs']) for node in nodes]


@pytest.mark.parametrize('loss', LOSSES)
def test_what_is_not_given_changes_no_node(loss):
    same = network(loss, classifier={}, triplet=None, normalize=False)
    plain = network(loss)
    assert structure(same) == structure(plain)
    assert not any(op == 'BatchNorm' or '__ignored__' in attrs for op, attrs, _ in structure(plain))


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def through_unit(x, to_unit):
    """The gradient to x, of one to x / ||x||."""
    u = unit(x)
    return (to_unit - (to_unit * u).sum(axis=1, keepdims=True) * u) / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize('normalize', [False, True])
@pytest.mark.parametrize('contexts', [1, 2], ids='{} devices'.format)
def test_a_step_is_that_of_the_sum_of_the_losses(contexts, normalize):
    """With lambda as the weight of each, on one device and on two; triplets are those of each slice."""
    rng = np.random.RandomState(SEED)
    net = network(
        scale=0.3, classifier={**MARGIN, 'smooth_alpha': 0.1}, triplet={'scale': 0.7}, normalize=normalize
    )
    names = ['softmax_label', 'center_label']
    module = Module(net, label_names=names, context=[mx.cpu(i) for i in range(contexts)])
    x, y = rng.randn(N, IN).astype('float32'), rng.randint(0, NUM_CLASS, N)
    module.bind([('data', x.shape)], [(name, (N,)) for name in names])
    mx.random.seed(SEED)
    module.init_params(mx.init.Normal(0.5))
    c = rng.randn(NUM_CLASS, DIM).astype('float32')
    args, aux = module.get_params()
    module.set_params(args, {**aux, 'center_loss__center_bias': mx.nd.array(c)})
    before = {name: value.asnumpy().astype(float) for name, value in args.items()}
    module.init_optimizer(optimizer_params={'learning_rate': 0.1})
    module.forward_backward(mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)] * 2))
    module.update()
    after = {name: value.asnumpy() for name, value in module.get_params()[0].items()}

    features = x @ before['embedding_weight'].T + before['embedding_bias']
    s, margins = MARGIN['s'], MARGIN['margins']
    _, _, to_x, to_w = reference.margin_softmax(features, y, before['fc2_weight'], s, margins, 0.1)
    read = unit(features) if normalize else features
    to_read = 0.3 * reference.center_loss(read, y, c)[1]
    to_read += 0.7 * np.concatenate([
        reference.triplet_loss(part, labels)[1]
        for part, labels in zip(np.split(read, contexts), np.split(y, contexts))
    ])  # fmt: skip
    to_x += through_unit(features, to_read) if normalize else to_read
    expected = {'embedding_weight': to_x.T @ x, 'embedding_bias': to_x.sum(axis=0), 'fc2_weight': to_w}
    assert set(expected) == set(before)
    for name, gradient in expected.items():
        np.testing.assert_allclose(after[name], before[name] - 0.1 * gradient / N, atol=2e-6, err_msg=name)


def test_the_loss_reads_the_normalized_features_and_the_classifier_the_embedding():
    for loss in LOSSES[1:]:
        (info,) = describe(network(loss, normalize=True))
        assert info.feature == 'normalized_output'
        assert describe(network(loss))[0].feature == 'embedding_output'
    assert 'normalized' in network('softmax', normalize=True, triplet={}).tojson()
    net = network(normalize=True, triplet={})
    nodes = json.loads(net.tojson())['nodes']
    (layer,) = [node for node in nodes if node['name'] == 'fc2']
    assert nodes[layer['inputs'][0][0]]['name'] == 'embedding'


@pytest.mark.parametrize('centers', ['aux', 'kvstore'])
def test_joint_supervision_composes_the_same(centers):
    embedding = mx.sym.Variable('data')
    beside = {'classifier': MARGIN, 'triplet': {'margin': 0.3}, 'normalize': True}
    found = joint_supervision(
        embedding, NUM_CLASS, 0.3, centers=centers, embedding_dim=DIM, use_ignore=True, **beside
    )
    loss = 'center_loss' if centers == 'aux' else 'sync_center_loss'
    expected = supervised(embedding, NUM_CLASS, loss, DIM, scale=0.3, use_ignore=True, **beside)
    assert found.list_outputs() == expected.list_outputs()
    assert found.list_arguments() == expected.list_arguments()
    assert describe(found) == describe(expected)


@pytest.mark.parametrize('options, center, softmax', [
    ({}, {None}, set()),
    ({'use_ignore': True, 'ignore_label': -2}, {-2.0}, set()),
    ({'use_ignore': True, 'triplet': {}}, {-1.0}, set()),
    ({'use_ignore': True, 'ignore_label': -1, 'triplet': {'ignore_label': 7}}, {-1.0, 7.0}, set()),
    ({'triplet': {'use_ignore': True}}, {None, -1.0}, set()),
    ({'loss': 'softmax', 'triplet': {'use_ignore': True}}, {-1.0}, set()),
    ({'loss': 'softmax', 'triplet': {}}, {None}, set()),
    ({'loss': 'softmax'}, set(), set()),
    ({'use_ignore': True, 'classifier': MARGIN}, {-1.0}, {-1.0}),
    ({'classifier': MARGIN}, {None}, {None}),
])  # fmt: skip
def test_the_labels_that_losses_ignore_are_found(options, center, softmax):
    net = mx.sym.load_json(network(**options).tojson())
    assert ignored_labels(net, 'center_label') == center
    assert ignored_labels(net, 'softmax_label') == softmax


@pytest.mark.parametrize('ignores', [True, False])
def test_padding_gets_the_label_that_a_triplet_loss_ignores(ignores):
    samples = Arrays(np.random.rand(7, 1, 4, 4).astype('float32'), np.arange(7) % 3, ['a', 'b', 'c'])
    net = network('softmax', triplet={'use_ignore': ignores})
    *_, last = training_iter(net, samples, 4, None, False, None, 'local')
    assert (last.label[1].asnumpy() == -1).tolist() == [False, False, False, ignores]


def test_metrics_have_the_names_of_the_losses():
    net = network(classifier=MARGIN, triplet={})
    names = [metric.name for metric in for_network(net).metrics]
    assert names == ['accuracy', 'margin_softmax', 'center_loss', 'triplet_loss']


def test_the_shift_of_a_neck_stays_0_under_the_optimizer_of_centers():
    net = network('sync_center_loss', scale=0.1, classifier={'neck': 'bn'})
    names = ['softmax_label', 'center_label']
    rng = np.random.RandomState(SEED)
    labels = {name: np.arange(N) % 3 for name in names}
    module = Module(net, label_names=names, context=[mx.cpu(0), mx.cpu(1)])
    params = {'base': 'sgd', 'learning_rate': 0.1, 'momentum': 0.9, 'wd': 0.01}
    module.fit(
        mx.io.NDArrayIter(rng.randn(N, IN), labels, N),
        eval_metric=for_network(net),
        optimizer='centers',
        optimizer_params=params,
        kvstore='device',
        num_epoch=3,
        initializer=mx.init.Xavier(),
    )
    trained = module.get_params()[0]
    assert not trained['neck_beta'].asnumpy().any() and (trained['neck_gamma'].asnumpy() != 1).all()


CLASSIFIER_HAS = 'it has kind, s, margins, smooth_alpha, neck, normalize_features$'
L_GM = 'large_margin_gaussian_mixture'


@pytest.mark.parametrize('loss, options, message', [
    ('center_loss', {'classifier': {'margin': 1}}, f'^classifier has no option margin; {CLASSIFIER_HAS}'),
    ('softmax', {'classifier': {'name': 'a'}}, f'^classifier has no option name; {CLASSIFIER_HAS}'),
    ('center_loss', {'classifier': {'use_ignore': True}}, 'classifier has no option use_ignore; it has kind'),
    ('center_loss', {'classifier': {'s': -1}}, 'classifier: s=-1 is not a finite number > 0'),
    ('softmax', {'triplet': {'k': 4}},
     '^triplet_loss has no option k; it has scale, margin, use_ignore, ignore_label$'),
    ('softmax', {'triplet': {'margin': -1}}, 'triplet_loss: margin=-1 is not a finite number >= 0'),
    (L_GM, {'classifier': {'kind': 'margin'}},
     f"^{L_GM}, classifier={{'kind': 'margin'}}: this loss is the classifier; expected classifier=None$"),
    ('softmax', {'normalize': True},
     '^normalize=True: no loss reads the features; expected a center loss or a triplet loss$'),
    ('softmax', {'triplet': {}, 'normalize': 2}, 'normalize=2 is not True or False'),
    ('island_loss', {'embedding_dim': None}, 'embedding_dim=None is not a whole number > 0'),
])  # fmt: skip
def test_what_does_not_go_together_is_refused(loss, options, message):
    options = {'embedding_dim': DIM, **options}
    with pytest.raises(ValueError, match=message):
        supervised(mx.sym.Variable('data'), NUM_CLASS, loss, **options)
