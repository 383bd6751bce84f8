"""Networks up to the embedding, from wherever they are, and parameters to start from."""

from __future__ import annotations

from centerloss_mx.model_zoo import INITIALIZER, get_model, lenet, lenet_plus_plus, load_params

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon.model_zoo import vision


def test_lenet_plus_plus_is_that_of_table_1():
    net = lenet_plus_plus(2)
    shapes = dict(zip(net.list_arguments(), net.infer_shape(data=(1, 1, 28, 28))[0]))
    filters = [32, 32, 64, 64, 128, 128]
    channels = [1, *filters[:-1]]
    convolutions = [shapes[f'conv{stage}_{i}_weight'] for stage in (1, 2, 3) for i in (1, 2)]
    assert convolutions == [(out, into, 5, 5) for out, into in zip(filters, channels)]
    assert shapes['embedding_weight'] == (2, 3 * 3 * 128)
    assert sum('prelu' in name for name in shapes) == 6


@pytest.mark.parametrize('name, shape', [
    ('lenet', (1, 28, 28)), ('lenet++', (1, 28, 28)), ('resnet18_v2', (3, 32, 32)),
    ('squeezenet1.1', (3, 48, 48)), ('mobilenetv2_1.0', (1, 64, 64)),
])  # fmt: skip
def test_every_network_ends_in_the_embedding(name, shape):
    net = get_model(name, 7, shape)
    assert net.list_outputs() == ['embedding_output']
    assert net.infer_shape(data=(5, *shape))[1] == [(5, 7)]
    assert get_model(name, 7, shape).list_arguments() == net.list_arguments()


def test_small_pictures_keep_their_resolution_in_a_resnet():
    small, large = get_model('resnet18_v2', 7, (3, 32, 32)), get_model('resnet18_v2', 7, (3, 33, 33))
    as_large = get_model('resnet18_v2', 7, (3, 32, 32), thumbnail=False)
    assert as_large.list_arguments() == large.list_arguments() != small.list_arguments()


def test_layers_behind_relu_begin_with_the_variance_of_he():
    mx.random.seed(20161008)
    weight = mx.nd.zeros((64, 32, 3, 3))
    INITIALIZER(mx.init.InitDesc('conv_weight'), weight)
    # He et al. 2015, Eq. 10: Var = 2 / fan_in. The variance of n samples is off by sqrt(2 / n), here 1 %.
    assert abs(weight.asnumpy().var() * 32 * 9 / 2 - 1) < 0.05


@pytest.mark.parametrize('layer', ['embedding_output', 'fc1_output'])
def test_a_network_of_ones_own_is_cut_off_at_its_embedding(tmp_path, layer):
    path = tmp_path / 'net.json'
    mx.sym.SoftmaxOutput(mx.sym.FullyConnected(lenet(3), num_hidden=9), name='softmax').save(str(path))
    net = get_model(path, 99, (1, 28, 28), layer)
    assert net.list_outputs() == ['embedding_output']
    assert net.infer_shape(data=(5, 1, 28, 28))[1] == [(5, 3 if layer == 'embedding_output' else 500)]
    with pytest.raises(ValueError, match=r'the network has no output .*; it has conv1_output, '):
        get_model(path, 99, (1, 28, 28), 'features_output')


def test_what_is_no_network_is_named(tmp_path):
    with pytest.raises(ValueError, match=r'resnet19: .*Available options are alexnet .*, lenet, lenet\+\+'):
        get_model('resnet19', 8, (3, 64, 64))
    with pytest.raises(
        ValueError, match=r'densenet121 does not take samples of 3 x 36 x 36; it takes 224 x 224'
    ):
        get_model('densenet121', 8, (3, 36, 36))
    with pytest.raises(ValueError, match='embedding_dim=0 is not a whole number > 0'):
        get_model('lenet', 0, (1, 28, 28))
    with pytest.raises(FileNotFoundError, match=r'net.json does not exist'):
        get_model(tmp_path / 'net.json', 8, (1, 28, 28))
    (tmp_path / 'net.json').write_text('{}')
    with pytest.raises(ValueError, match=r'net.json: not an MXNet symbol file, or it is truncated'):
        get_model(tmp_path / 'net.json', 8, (1, 28, 28))
    lenet(3).save(str(tmp_path / 'net.json'))
    with pytest.raises(
        ValueError, match=r'conv1_output of .*net.json has shape \(1, 20, 24, 24\); expected \(N, D\)'
    ):
        get_model(tmp_path / 'net.json', 8, (1, 28, 28), 'conv1_output')
    behind = mx.sym.FullyConnected(lenet(3), num_hidden=9, name='fc3')
    behind.save(str(tmp_path / 'net.json'))
    with pytest.raises(
        ValueError, match="embedding_output comes before fc3_output; expected layer='embedding_output'"
    ):
        get_model(tmp_path / 'net.json', 8, (1, 28, 28), 'fc3_output')
    taken = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=9, name='fc2')
    mx.sym.FullyConnected(taken, num_hidden=3, name='embedding').save(str(tmp_path / 'net.json'))
    with pytest.raises(ValueError, match='fc2_weight comes before embedding_output; that name is reserved'):
        get_model(tmp_path / 'net.json', 8, (1, 28, 28))
    both = mx.sym.concat(mx.sym.Flatten(mx.sym.Variable('data')), mx.sym.Variable('other'))
    mx.sym.FullyConnected(both, num_hidden=3, name='embedding').save(str(tmp_path / 'net.json'))
    with pytest.raises(ValueError, match='does not take samples of 1 x 28 x 28'):
        get_model(tmp_path / 'net.json', 8, (1, 28, 28))
    mx.sym.FullyConnected(mx.sym.Variable('pixels'), num_hidden=3, name='embedding').save(
        str(tmp_path / 'net.json')
    )
    with pytest.raises(ValueError, match='the network has no input data; it has pixels, '):
        get_model(tmp_path / 'net.json', 8, (1, 28, 28))


def test_parameters_of_the_model_zoo_and_of_checkpoints_have_the_symbols_names(tmp_path):
    network = vision.get_model('squeezenet1.1')
    network.initialize(mx.init.Xavier())
    network(mx.nd.zeros((1, 3, 224, 224)))
    network.save_parameters(str(tmp_path / 'zoo.params'))
    params = load_params('squeezenet1.1', tmp_path / 'zoo.params')
    arguments = get_model('squeezenet1.1', 7, (3, 48, 48)).list_arguments()
    assert set(arguments) - set(params) == {'data', 'embedding_weight', 'embedding_bias'}
    for name, weight in network.features.collect_params('.*weight').items():
        loaded = params[name.replace(network.prefix, 'backbone_', 1)]
        np.testing.assert_array_equal(loaded.asnumpy(), weight.data().asnumpy())
    with pytest.raises(ValueError, match=r'zoo.params: not parameters of resnet18_v2: '):
        load_params('resnet18_v2', tmp_path / 'zoo.params')
    with pytest.raises(ValueError, match=r'zoo.params: expected the .params file of a checkpoint'):
        load_params('lenet', tmp_path / 'zoo.params')
    mx.nd.save(
        str(tmp_path / 'net.params'), {'arg:conv1_weight': mx.nd.ones(2), 'aux:bn_mean': mx.nd.zeros(2)}
    )
    assert set(load_params('lenet', tmp_path / 'net.params')) == {'conv1_weight', 'bn_mean'}
    mx.nd.save(str(tmp_path / 'list.params'), [mx.nd.ones(2)])
    with pytest.raises(ValueError, match=r'list.params: not an MXNet parameter file'):
        load_params('squeezenet1.1', tmp_path / 'list.params')
    (tmp_path / 'net.params').write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'net.params: not an MXNet parameter file, or it is truncated'):
        load_params('lenet', tmp_path / 'net.params')
    with pytest.raises(FileNotFoundError, match=r'none.params does not exist'):
        load_params('lenet', tmp_path / 'none.params')
