"""Checkpoints are whole or not there; the feature extractor gives the trained network's features."""

from __future__ import annotations

import pickle
import sys
import warnings
from importlib.util import find_spec

from centerloss_mx import reference
from centerloss_mx.evaluation import class_means
from centerloss_mx.io import CenterLossIter, list_images
from centerloss_mx.model import (
    FeatureExtractor,
    Features,
    centers_to_aux,
    centers_to_kvstore,
    export_onnx,
    feature_extractor,
    find_centers,
    latest_checkpoint,
    load_checkpoint,
    load_features,
    save_checkpoint,
    save_features,
    start_centers,
    with_all_rows,
    write_whole,
)
from centerloss_mx.model_zoo import get_model, lenet, lenet_plus_plus
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision, learned_center_loss

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

N = 4


@pytest.fixture
def module():
    data = mx.sym.Variable('data')
    net = mx.sym.Convolution(data, kernel=(3, 3), num_filter=8, name='conv')
    net = mx.sym.FullyConnected(mx.sym.Activation(net, act_type='relu'), num_hidden=3, name='embedding')
    module = mx.mod.Module(
        joint_supervision(net, 5, 0.1, batchsize=N), label_names=['softmax_label', 'center_label']
    )
    module.bind([('data', (N, 1, 8, 8))], [('softmax_label', (N,)), ('center_label', (N,))])
    module.init_params(mx.init.Xavier())
    module.init_optimizer(optimizer_params={'momentum': 0.9, 'learning_rate': 0.1})
    return module


def train(module, steps=3):
    rng = np.random.RandomState(20161008)
    for _ in range(steps):
        y = mx.nd.array(rng.randint(0, 5, N))
        module.forward_backward(mx.io.DataBatch([mx.nd.array(rng.randn(N, 1, 8, 8))], [y, y]))
        module.update()
    mx.nd.waitall()


def test_a_checkpoint_restores_parameters_centers_and_momentum(module, tmp_path):
    train(module)
    save_checkpoint(module, tmp_path / 'net', 3)
    train(module)
    again = mx.mod.Module.load(
        str(tmp_path / 'net'), 3, load_optimizer_states=True, label_names=['softmax_label', 'center_label']
    )
    again.bind(module.data_shapes, module.label_shapes)
    again.init_optimizer(optimizer_params={'momentum': 0.9, 'learning_rate': 0.1})
    train(again)
    for expected, restored in zip(module.get_params(), again.get_params()):
        assert expected.keys() == restored.keys()
        for name in expected:
            assert (expected[name].asnumpy() == restored[name].asnumpy()).all(), name


def test_the_latest_checkpoint_is_the_last_whole_one(module, tmp_path):
    prefix = tmp_path / 'net'
    assert latest_checkpoint(prefix) is None and latest_checkpoint(tmp_path / 'nowhere' / 'net') is None
    for epoch in 1, 2, 10:
        save_checkpoint(module, prefix, epoch)
    (tmp_path / 'net-0011.states').touch()  # interrupted before the parameters
    (tmp_path / 'net-x-0012.params').touch()
    assert latest_checkpoint(prefix) == 10


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / 'file'
    path.write_text('old')

    def fail(name):
        with open(name, 'w') as file:
            file.write('half')
        raise OSError('disk full')

    with pytest.raises(OSError, match='disk full'):
        write_whole(path, fail)
    assert path.read_text() == 'old' and [p.name for p in tmp_path.iterdir()] == ['file']


def test_the_feature_extractor_follows_the_parameters_it_is_made_of(module):
    """MXNet's CPU build may serve the first parameters for ever: hence one extractor a set of parameters."""
    images = np.random.RandomState(0).randn(3 * N + 1, 1, 8, 8).astype('float32')
    for _ in range(2):
        train(module)
        args, aux = module.get_params()
        extractor, iterator = FeatureExtractor(module.symbol, args, aux), images_iter(images)
        features = extractor.predict(iterator)
        np.testing.assert_array_equal(extractor.predict(iterator), features)  # it is reset
        expected = by_hand(images, {name: value.asnumpy() for name, value in args.items()})
        assert features.shape == (3 * N + 1, 3)
        np.testing.assert_allclose(features, expected, atol=1e-5)


def images_iter(images):
    return mx.io.NDArrayIter(images, batch_size=N)


def by_hand(images, args):
    windows = np.lib.stride_tricks.as_strided(
        images, (len(images), 6, 6, 3, 3), images.strides[:1] + images.strides[2:] * 2
    )
    maps = np.einsum('nhwij,fij->nfhw', windows, args['conv_weight'][:, 0]) + args['conv_bias'][:, None, None]
    return np.maximum(maps, 0).reshape(len(images), -1) @ args['embedding_weight'].T + args['embedding_bias']


def test_an_unknown_output_is_named_with_those_there_are(module):
    with pytest.raises(
        ValueError, match=r"no output 'features_output'; it has conv_output, .*embedding_output"
    ):
        FeatureExtractor(module.symbol, *module.get_params(), layer='features_output')


@pytest.mark.parametrize('batch_size', [1, 3, 5, 500])
def test_any_batch_size_gives_the_same_features(module, tmp_path, batch_size):
    train(module)
    save_checkpoint(module, tmp_path / 'net', 2)
    images = np.random.RandomState(0).randn(2 * N + 1, 1, 8, 8)
    args = {name: value.asnumpy() for name, value in module.get_params()[0].items()}
    expected = by_hand(images.astype('float32'), args)
    extractor = feature_extractor(tmp_path / 'net', 2)
    assert not {'fc2_weight', 'center_loss__center_bias'} & {*extractor.arg_params, *extractor.aux_params}
    np.testing.assert_allclose(extractor.predict(images, batch_size), expected, atol=1e-5)
    np.testing.assert_allclose(
        extractor.predict(mx.nd.array(images[:2]), batch_size), expected[:2], atol=1e-5
    )
    flipped = extractor.predict(images, batch_size, flip=True)
    np.testing.assert_allclose(flipped[:, :3], expected, atol=1e-5)
    mirrored = by_hand(images[..., ::-1].astype('float32').copy(), args)
    np.testing.assert_allclose(flipped[:, 3:], mirrored, atol=1e-5)


def test_pictures_in_a_folder_and_in_a_rec_file_give_the_features_of_their_arrays(tmp_path):
    data = mx.sym.Variable('data')
    embedding = mx.sym.FullyConnected(
        mx.sym.Pooling(data, kernel=(4, 4), stride=(4, 4)), num_hidden=3, name='embedding'
    )
    pictures = np.random.RandomState(0).randint(0, 256, (7, 8, 8, 3)).astype('uint8')
    record = mx.recordio.MXIndexedRecordIO(str(tmp_path / 'all.idx'), str(tmp_path / 'all.rec'), 'w')
    for i, picture in enumerate(pictures):
        folder = tmp_path / 'all' / str(i // 4)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f'{i}.png')
        png = (folder / f'{i}.png').read_bytes()
        record.write_idx(i, mx.recordio.pack(mx.recordio.IRHeader(0, i // 4, i, 0), png))
    record.close()
    weights = {
        'embedding_weight': mx.nd.random.normal(shape=(3, 12)), 'embedding_bias': mx.nd.ones(3)
    }  # fmt: skip
    extractor = FeatureExtractor(embedding, weights, {})
    mean, std = np.array([123.68, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    expected = extractor.predict(((pictures - mean) / std).transpose(0, 3, 1, 2))
    for source in tmp_path / 'all', str(tmp_path / 'all.rec'), list_images(tmp_path / 'all'):
        np.testing.assert_allclose(extractor.predict(source, 3, image_size=8), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match='image_size=None: expected the height and width'):
        extractor.predict(tmp_path / 'all')


def test_progress_is_shown_where_it_is_asked_for(module, monkeypatch):
    shown = []

    def bar(items, **options):
        shown.append(options)
        return items

    monkeypatch.setattr('tqdm.tqdm', bar)
    extractor = FeatureExtractor(module.symbol, *module.get_params())
    extractor.predict(np.zeros((5, 1, 8, 8)), 2)
    assert not shown
    extractor.predict(np.zeros((5, 1, 8, 8)), 2, progress=True)
    assert [options['desc'] for options in shown] == ['features']


@pytest.mark.parametrize('data, message', [
    (np.zeros((0, 1, 8, 8)), r'data of shape \(0, 1, 8, 8\): there are no samples'),
    (np.zeros((2, 3, 8, 8)), r'the network does not take samples of shape \(3, 8, 8\)'),
    (np.zeros((2, 1, 9, 9)), r'the network does not take samples of shape \(1, 9, 9\)'),
])  # fmt: skip
def test_samples_that_do_not_fit_are_refused(module, data, message):
    with pytest.raises(ValueError, match=message):
        FeatureExtractor(module.symbol, *module.get_params()).predict(data)


@pytest.mark.parametrize('name, size', [('resnet18_v2', 32), ('resnet34_v2', 28), ('resnet50_v2', 32)])
def test_features_are_those_of_the_network_that_was_trained(name, size):
    """MXNet, where it binds for inference only, fuses layers of some networks wrongly."""
    embedding = get_model(name, 3, (3, size, size))
    module = mx.mod.Module(embedding, label_names=None)
    module.bind([('data', (2, 3, size, size))], for_training=True)
    mx.random.seed(1)
    module.init_params(mx.init.Xavier(magnitude=2, rnd_type='gaussian', factor_type='in'))
    images = mx.nd.random.normal(shape=(2, 3, size, size))
    module.forward(mx.io.DataBatch([images]), is_train=False)
    expected = module.get_outputs()[0].asnumpy()
    found = FeatureExtractor(embedding, *module.get_params()).predict(images)
    np.testing.assert_allclose(found, expected, atol=1e-4 * abs(expected).max())


def test_a_missing_parameter_is_named(module):
    arg_params, aux_params = module.get_params()
    arg_params = {name: value for name, value in arg_params.items() if name != 'conv_bias'}
    with pytest.raises(ValueError, match='there is no parameter conv_bias, which embedding_output needs'):
        FeatureExtractor(module.symbol, arg_params, aux_params)


def test_a_checkpoint_that_is_not_whole_is_named(module, tmp_path):
    save_checkpoint(module, tmp_path / 'net', 2)
    with pytest.raises(
        FileNotFoundError, match=r'net-0003.params is not there; the last checkpoint is of epoch 2'
    ):
        load_checkpoint(tmp_path / 'net', 3)
    with pytest.raises(FileNotFoundError, match=r'other-symbol.json is not there$'):
        load_checkpoint(tmp_path / 'other', 1)
    path = tmp_path / 'net-0002.params'
    whole = path.read_bytes()
    np.save(tmp_path / 'array.npy', np.zeros(3))
    damaged = [whole[:size] for size in (0, 5, 100, len(whole) // 2, len(whole) - 3)]
    damaged += [pickle.dumps({'arg:conv_bias': 1}), (tmp_path / 'array.npy').read_bytes()]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=r'net-0002\.params: no parameters of MXNet; is the file whole\?'
        ):
            feature_extractor(tmp_path / 'net', 2)
    mx.nd.save(str(path), {'conv_bias': mx.nd.zeros(3)})
    with pytest.raises(ValueError, match='expected names that begin with arg: or aux:, found conv_bias'):
        load_checkpoint(tmp_path / 'net', 2)
    symbol = tmp_path / 'net-symbol.json'
    content = symbol.read_bytes()
    for damaged in content[:200], content.replace(b'conv', b'co\xffv', 1), b'[' * 100_000, b'{}', b'':
        symbol.write_bytes(damaged)
        with pytest.raises(ValueError, match=r'net-symbol\.json: no network of MXNet'):
            load_checkpoint(tmp_path / 'net', 2)
    symbol.write_bytes(content.replace(b'[1, 8, 8]', b'5'))
    mx.nd.save(str(path), {'arg:conv_bias': mx.nd.zeros(3)})
    with pytest.raises(ValueError, match=r"the network notes the data_shape '5'; expected a list"):
        feature_extractor(tmp_path / 'net', 2)


NETS = {
    'lenet': lambda: (lenet(2), (1, 28, 28)),
    'lenet++': lambda: (lenet_plus_plus(2), (1, 28, 28)),  # PReLU
    'resnet18_v2': lambda: (
        mx.sym.FullyConnected(
            mx.gluon.model_zoo.vision.resnet18_v2().features(mx.sym.Variable('data')),
            num_hidden=16,
            name='embedding',
        ),
        (3, 64, 64),
    ),
}


@pytest.mark.parametrize('name', NETS)
def test_onnx_runtime_computes_what_mxnet_does(name, tmp_path):
    pytest.importorskip('onnx', reason='the extra onnx is not installed')
    onnxruntime = pytest.importorskip('onnxruntime', reason='the extra onnx is not installed')
    embedding, shape = NETS[name]()
    module = Module(
        joint_supervision(embedding, 5, 0.1, batchsize=N), label_names=['softmax_label', 'center_label']
    )
    module.bind([('data', (N, *shape))], [('softmax_label', (N,)), ('center_label', (N,))])
    module.init_params(mx.init.Xavier(magnitude=3))
    module.init_optimizer()
    rng = np.random.RandomState(0)
    train_batch = mx.io.DataBatch([mx.nd.array(rng.rand(N, *shape))], [mx.nd.arange(N)] * 2)
    module.forward_backward(train_batch)  # running means of BatchNorm move
    module.update()
    save_checkpoint(module, tmp_path / 'net', 1)
    export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    session = onnxruntime.InferenceSession(str(tmp_path / 'net.onnx'), providers=['CPUExecutionProvider'])
    assert [value.name for value in session.get_inputs()] == ['data']
    images = rng.rand(17, *shape).astype('float32')
    expected = feature_extractor(tmp_path / 'net', 1).predict(images)
    for size in 1, 17:
        (found,) = session.run(None, {'data': images[:size]})
        assert abs(found - expected[:size]).max() <= 1e-5 * max(1, abs(expected).max())


def test_an_onnx_file_that_computes_something_else_is_not_written(module, tmp_path, monkeypatch):
    onnx = pytest.importorskip('onnx', reason='the extra onnx is not installed')
    pytest.importorskip('onnxruntime', reason='the extra onnx is not installed')
    save_checkpoint(module, tmp_path / 'net', 1)

    def spoil(model, *_):
        weight = next(tensor for tensor in model.graph.initializer if tensor.name == 'embedding_weight')
        weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * 1.01, weight.name))

    monkeypatch.setattr('centerloss_mx.model._mend_onnx', spoil)
    with pytest.raises(RuntimeError, match=r'ONNX Runtime differs from MXNet by .*; nothing was written'):
        export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    assert not list(tmp_path.glob('*.onnx'))


def test_an_onnx_file_that_does_not_run_is_not_written(module, tmp_path, monkeypatch):
    pytest.importorskip('onnx', reason='the extra onnx is not installed')
    pytest.importorskip('onnxruntime', reason='the extra onnx is not installed')
    save_checkpoint(module, tmp_path / 'net', 1)
    monkeypatch.setattr('centerloss_mx.model._explicit', lambda symbol: symbol)
    with pytest.raises(RuntimeError, match=r'ONNX Runtime cannot run it, nothing was written: .*Gemm'):
        export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    assert not list(tmp_path.glob('*.onnx'))


def test_a_checkpoint_that_does_not_tell_its_shape_wants_it(module, tmp_path):
    pytest.importorskip('onnx', reason='the extra onnx is not installed')
    pytest.importorskip('onnxruntime', reason='the extra onnx is not installed')
    mx.model.save_checkpoint(str(tmp_path / 'net'), 1, module.symbol, *module.get_params())
    with pytest.raises(ValueError, match='data_shape=None, and the checkpoint does not tell'):
        export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx', data_shape=(1, 8, 8))
    assert (tmp_path / 'net.onnx').exists()


def test_without_onnx_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match=r"pip install 'centerloss_mx\[onnx\]'"):
        export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')


def test_a_checkpoint_of_plain_module_holds_the_last_update(tmp_path):
    """The engine does not know that backward writes the centers; saving waits for it."""
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=256, name='embedding')
    net = joint_supervision(embedding, 2000, 0.1, batchsize=64)
    module = mx.mod.Module(net, label_names=['softmax_label', 'center_label'])
    module.bind([('data', (64, 256))], [('softmax_label', (64,)), ('center_label', (64,))])
    module.init_params(mx.init.Xavier())
    module.init_optimizer()
    y = mx.nd.arange(64)
    for epoch in range(10):
        module.forward_backward(mx.io.DataBatch([mx.nd.ones((64, 256))], [y, y]))
        module.update()
        save_checkpoint(module, tmp_path / 'net', epoch)
        _, _, saved = mx.model.load_checkpoint(str(tmp_path / 'net'), epoch)
        mx.nd.waitall()
        centers = module._exec_group.execs[0].aux_dict['center_loss__center_bias'].asnumpy()
        assert (saved['center_loss__center_bias'].asnumpy() == centers).all()


@pytest.mark.parametrize('epoch', [-1, 10000])
def test_an_epoch_that_its_name_cannot_hold_is_refused(module, tmp_path, epoch):
    with pytest.raises(ValueError, match=f'epoch {epoch} is outside 0..9999'):
        save_checkpoint(module, tmp_path / 'net', epoch)
    assert not list(tmp_path.iterdir())


def test_a_module_without_optimizer_or_a_missing_folder_is_refused(module, tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere is not a folder'):
        save_checkpoint(module, tmp_path / 'nowhere' / 'net', 1)
    bare = mx.mod.Module(module.symbol, label_names=['softmax_label', 'center_label'])
    with pytest.raises(ValueError, match='no optimizer yet'):
        save_checkpoint(bare, tmp_path / 'net', 1)
    assert not list(tmp_path.iterdir())


def samples(count=10, wrong=None):
    """Class 4 is absent; the last batch of 4 is padded with 2 rows."""
    rng = np.random.RandomState(20161008)
    x, y = rng.randn(count, 1, 8, 8).astype('float32'), np.arange(count) % 4
    if wrong is not None:
        y[-1] = wrong
    return x, y, CenterLossIter(mx.io.NDArrayIter(x, y.astype('float32'), N), ignore_label=-1)


def features_of(module, x, data_name='data'):
    return FeatureExtractor(module.symbol, *module.get_params(), data_name=data_name).predict(x)


@pytest.mark.parametrize('contexts', [1, 2], ids='{} devices'.format)
@pytest.mark.parametrize('num_batches, count', [(2, 8), (3, 10), (99, 10)])
def test_centers_start_at_the_class_means_of_the_first_batches(contexts, num_batches, count):
    x, y, data_iter = samples()
    data = mx.sym.Variable('data')
    embedding = mx.sym.FullyConnected(mx.sym.Flatten(data), num_hidden=3, name='embedding')
    module = mx.mod.Module(
        joint_supervision(embedding, 5, 0.1, batchsize=N),
        label_names=['softmax_label', 'center_label'],
        context=[mx.cpu(i) for i in range(contexts)],
    )
    module.bind(data_iter.provide_data, data_iter.provide_label)
    module.init_params(mx.init.Xavier())
    args, aux = module.get_params()
    aux['center_loss__center_bias'][4] = 7
    module.set_params(args, aux)
    next(data_iter)  # a used iterator is reset before
    assert start_centers(module, data_iter, num_batches).tolist() == [0, 1, 2, 3]

    _, means = class_means(features_of(module, x)[:count], y[:count])
    centers = module.get_params()[1]['center_loss__center_bias'].asnumpy()
    np.testing.assert_allclose(centers[:4], means, 1e-5, 1e-6)
    assert (centers[4] == 7).all(), 'an absent class has moved'
    assert (next(data_iter).data[0].asnumpy() == x[:N]).all(), 'the iterator is not at its beginning'
    for executor in module._exec_group.execs:  # on every device
        np.testing.assert_array_equal(executor.aux_dict['center_loss__center_bias'].asnumpy(), centers)


def test_learned_centers_start_there_too():
    x, y, _ = samples()
    data_iter = mx.io.NDArrayIter(x, y.astype('float32'), N, data_name='image', label_name='label')
    embedding = mx.sym.FullyConnected(mx.sym.Variable('image'), num_hidden=3, name='embedding')
    net = learned_center_loss(embedding, mx.sym.Variable('label'), 5, 3, name='learned')
    module = mx.mod.Module(net, ['image'], ['label'])
    module.bind(data_iter.provide_data, data_iter.provide_label)
    module.init_params(mx.init.Xavier())
    start_centers(module, data_iter, name='learned', label_name='label')
    centers = module.get_params()[0]['learned_center_weight'].asnumpy()
    _, means = class_means(features_of(module, x, 'image'), y)
    np.testing.assert_allclose(centers[:4], means, 1e-5, 1e-6)


def test_samples_to_be_ignored_start_no_center(module):
    x, y, data_iter = samples(wrong=-7)
    with pytest.raises(ValueError, match='label -7 at row 1'):
        start_centers(module, data_iter)
    start_centers(module, data_iter, ignore_label=-7)
    centers = module.get_params()[1]['center_loss__center_bias'].asnumpy()
    np.testing.assert_allclose(centers[:4], class_means(features_of(module, x)[:-1], y[:-1])[1], 1e-5, 1e-6)


def test_learned_centers_that_a_kvstore_updates_are_not_started():
    """The next step would pull the old ones."""
    data_iter = mx.io.NDArrayIter(*samples()[:2], N, label_name='label')
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=3, name='embedding')
    net = learned_center_loss(embedding, mx.sym.Variable('label'), 5, 3, name='learned')
    module = mx.mod.Module(net, label_names=['label'], context=[mx.cpu(0), mx.cpu(1)])
    module.bind(data_iter.provide_data, data_iter.provide_label)
    module.init_params(mx.init.Xavier())
    start_centers(module, data_iter, name='learned', label_name='label')
    module.init_optimizer(kvstore='device')
    before = module.get_params()[0]['learned_center_weight'].asnumpy()
    with pytest.raises(ValueError, match='call start_centers before init_optimizer'):
        start_centers(module, data_iter, name='learned', label_name='label')
    np.testing.assert_array_equal(module.get_params()[0]['learned_center_weight'].asnumpy(), before)


@pytest.mark.parametrize('batch_size', [2, 5])
def test_an_iterator_of_another_batch_size_is_refused(module, batch_size):
    x, y, _ = samples()
    data_iter = CenterLossIter(mx.io.NDArrayIter(x, y.astype('float32'), batch_size))
    with pytest.raises(ValueError, match=rf'serves data of shapes \[\({batch_size}, 1, 8, 8\)\], and'):
        start_centers(module, data_iter)


@pytest.mark.parametrize('options, wrong, message', [
    ({'num_batches': 2.5}, None, 'num_batches=2.5 is not a whole number > 0'),
    ({'num_batches': 0}, None, 'num_batches=0 is not a whole number > 0'),
    ({'name': 'other'}, None, 'neither other__center_bias nor other_center_weight'),
    ({'label_name': 'y'}, None, "no label 'y'; it has softmax_label, center_label"),
    ({'output': 'fc9_output'}, None, "no output 'fc9_output'; it has conv_output"),
    ({}, 9, 'label 9 at row 1 is outside 0..4'),
])  # fmt: skip
def test_centers_stay_where_they_are_when_they_cannot_be_started(module, options, wrong, message):
    with pytest.raises(ValueError, match=message):
        start_centers(module, samples(wrong=wrong)[2], **options)
    assert not module.get_params()[1]['center_loss__center_bias'].asnumpy().any()


def test_features_that_are_not_finite_start_no_center(module):
    args, aux = module.get_params()
    args['embedding_bias'][:] = np.nan
    module.set_params(args, aux)
    with pytest.raises(ValueError, match="the output 'embedding_output' is not finite"):
        start_centers(module, samples()[2])
    assert not module.get_params()[1]['center_loss__center_bias'].asnumpy().any()


def test_a_module_without_parameters_has_no_centers_to_start(module):
    with pytest.raises(ValueError, match='call bind and init_params first'):
        start_centers(mx.mod.Module(module.symbol), samples()[2])


# Two homes of centers

STORED = 'center_loss_center_weight'


def two_homes(home, module_class=mx.mod.Module, contexts=1):
    embedding = mx.sym.FullyConnected(mx.sym.Flatten(mx.sym.Variable('data')), num_hidden=3, name='embedding')
    options = {'centers': 'kvstore', 'embedding_dim': 3} if home == 'kvstore' else {}
    module = module_class(
        joint_supervision(embedding, 5, 0.1, batchsize=N, use_ignore=True, **options),
        label_names=['softmax_label', 'center_label'],
        context=[mx.cpu(i) for i in range(contexts)],
    )
    module.bind([('data', (N, 1, 8, 8))], [('softmax_label', (N,)), ('center_label', (N,))])
    return module


def init_optimizer(module, kvstore=None):
    stored = STORED in module._param_names
    module.init_optimizer(kvstore, 'centers' if stored else 'sgd', {'learning_rate': 0.1})


def test_a_row_of_zeros_is_there():
    array = np.array([[0, 0], [1, 2], [0, 0]], 'float64')
    for given in (
        mx.nd.array(array, dtype='float64'),
        mx.nd.array(array, dtype='float64').tostype('row_sparse'),
    ):
        whole = with_all_rows(given)
        assert (whole.stype, whole.dtype) == ('row_sparse', np.float64)
        np.testing.assert_array_equal(whole.indices.asnumpy(), [0, 1, 2])
        np.testing.assert_array_equal(whole.asnumpy(), array)
        assert with_all_rows(whole) is whole


@pytest.mark.parametrize('module_class', [mx.mod.Module, Module])
@pytest.mark.parametrize('route', [('aux', 'kvstore'), ('kvstore', 'aux'), ('aux', 'kvstore', 'aux')])
def test_centers_that_change_their_home_train_on_where_they_were(module_class, route, tmp_path):
    """By way of files, beside a network whose centers stay."""
    stays = two_homes('aux')
    mx.random.seed(1)
    stays.init_params(mx.init.Normal(0.5))
    params = stays.get_params()
    if route[0] == 'kvstore':
        params = centers_to_kvstore(*params)
    init_optimizer(stays)
    for i, home in enumerate(route):
        moves = two_homes(home, module_class)
        moves.init_params(arg_params=params[0], aux_params=params[1], allow_missing=True)
        init_optimizer(moves)
        for module in stays, moves:
            train(module)
        save_checkpoint(moves, tmp_path / home, i)
        _, *params = mx.model.load_checkpoint(str(tmp_path / home), i)
        if i + 1 < len(route):
            params = (centers_to_kvstore if home == 'aux' else centers_to_aux)(*params)
    args, aux = stays.get_params()
    found = params[0][STORED] if route[-1] == 'kvstore' else params[1]['center_loss__center_bias']
    np.testing.assert_allclose(found.asnumpy()[:, :3], aux['center_loss__center_bias'].asnumpy(), 1e-5, 1e-6)
    np.testing.assert_allclose(params[0]['fc2_weight'].asnumpy(), args['fc2_weight'].asnumpy(), 1e-5, 1e-6)
    if route[-1] == 'kvstore':
        assert params[0][STORED].asnumpy()[:, 3].sum() == 3 * N  # counted since


def test_homes_that_are_not_there_are_named():
    with pytest.raises(
        ValueError, match='there is no state other__center_bias; there are center_loss__center_bias'
    ):
        centers_to_kvstore({}, {'center_loss__center_bias': mx.nd.ones((2, 2))}, 'other')
    with pytest.raises(ValueError, match='there is no parameter center_loss_center_weight; there are none'):
        centers_to_aux({}, {})


@pytest.mark.parametrize('contexts, kvstore', [(1, None), (2, 'device')])
def test_centers_on_the_kvstore_resume_where_they_were(contexts, kvstore, tmp_path):
    module = two_homes('kvstore', Module, contexts)
    module.init_params(mx.init.Normal(0.5))
    init_optimizer(module, kvstore)
    train(module)
    save_checkpoint(module, tmp_path / 'net', 1)
    train(module)
    options = {'label_names': ['softmax_label', 'center_label'], 'context': module._context}
    again = Module.load(str(tmp_path / 'net'), 1, load_optimizer_states=True, **options)
    again.bind(module.data_shapes, module.label_shapes)
    init_optimizer(again, kvstore)
    train(again)
    for name, value in module.get_params()[0].items():
        np.testing.assert_array_equal(again.get_params()[0][name].asnumpy(), value.asnumpy(), name)


@pytest.mark.parametrize('module_class', [mx.mod.Module, Module])
def test_centers_for_the_kvstore_start_at_the_class_means_too(module_class):
    x, y, data_iter = samples()
    module = two_homes('kvstore', module_class, contexts=2)
    module.init_params(mx.init.Xavier())
    assert start_centers(module, data_iter).tolist() == [0, 1, 2, 3]
    init_optimizer(module, 'device')
    weight = module.get_params()[0][STORED].asnumpy()
    np.testing.assert_allclose(weight[:4, :3], class_means(features_of(module, x), y)[1], 1e-5, 1e-6)
    assert not weight[4].any() and not weight[:, 3].any()  # they have not been counted
    if module_class is Module:
        train(module)
        assert module.get_params()[0][STORED].asnumpy()[:, 3].sum() == 3 * N
    with pytest.raises(ValueError, match='call start_centers before init_optimizer'):
        start_centers(module, data_iter)


class Distributed:
    """A KVStore of two workers, as far as a checkpoint asks."""

    type = 'dist_sync'

    def __init__(self, rank):
        self.rank = rank


@pytest.mark.parametrize('momentum', [0, 0.9])
def test_a_distributed_checkpoint_is_of_rank_0_and_says_what_it_lacks(momentum, tmp_path):
    module = two_homes('kvstore', Module)
    module.init_params(mx.init.Normal(0.5))
    module.init_optimizer(None, 'centers', {'learning_rate': 0.1, 'momentum': momentum})
    (tmp_path / 'net-0001.states').write_text('of an earlier run')
    module._kvstore = Distributed(rank=1)
    save_checkpoint(module, tmp_path / 'net', 1)
    assert [path.name for path in tmp_path.iterdir()] == ['net-0001.states']
    module._kvstore = Distributed(rank=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        save_checkpoint(module, tmp_path / 'net', 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['net-0001.params', 'net-symbol.json']
    said = [str(warning.message) for warning in caught]
    assert len(said) == bool(momentum)
    assert all(
        'net-0001 has no states of SGD: MXNet cannot fetch them from its servers' in text for text in said
    )


def test_a_checkpoint_goes_on_with_other_batches(module, tmp_path):
    """Trained with batches of 4, it scores one sample, and trains on 7 as if it had never had others."""
    train(module)
    save_checkpoint(module, tmp_path / 'net', 2)
    rng = np.random.RandomState(20161008)
    y = mx.nd.array(rng.randint(0, 5, 7))
    batch = mx.io.DataBatch([mx.nd.array(rng.randn(7, 1, 8, 8))], [y, y])
    labels = ['softmax_label', 'center_label']
    shapes = [('data', (7, 1, 8, 8))], [('softmax_label', (7,)), ('center_label', (7,))]
    trained = []
    for batchsize in 7, 9:
        again = Module.load(str(tmp_path / 'net'), 2, batchsize=batchsize, label_names=labels)
        again.bind(*shapes)
        again.init_optimizer(optimizer_params={'learning_rate': 0.1})
        again.forward_backward(batch)
        again.update()
        trained.append(
            {name: value.asnumpy() for params in again.get_params() for name, value in params.items()}
        )
    assert trained[0]['center_loss__diff_bias'].shape == (7, 3)
    assert trained[1]['center_loss__diff_bias'].shape == (9, 3)
    before = module.get_params()[1]['center_loss__center_bias'].asnumpy()
    features = FeatureExtractor(module.symbol, *module.get_params()).predict(batch.data[0])
    expected = reference.center_update(features, y.asnumpy(), before, alpha=0.5)
    for name, value in trained[0].items():
        if 'diff' not in name:
            np.testing.assert_array_equal(value, trained[1][name])
    np.testing.assert_allclose(trained[0]['center_loss__center_bias'], expected, atol=1e-5)
    for batchsize in 0, 1.5, True, '8', 2**31:
        with pytest.raises(ValueError, match=r'batchsize=.* is not a whole number > 0 and < 2\^31'):
            load_checkpoint(tmp_path / 'net', 2, batchsize=batchsize)
    one = load_checkpoint(tmp_path / 'net', 2, batchsize=1)
    scored = mx.mod.Module(one[0], label_names=labels)
    scored.bind([('data', (1, 1, 8, 8))], [(name, (1,)) for name in labels], for_training=False)
    scored.set_params(*one[1:])
    assert len(load_checkpoint(tmp_path / 'net')[1]) == len(one[1])  # the last epoch


def test_the_last_epoch_is_taken_where_none_is_given(module, tmp_path):
    images = np.random.RandomState(0).randn(3, 1, 8, 8)
    for epoch in 2, 10:
        train(module)
        save_checkpoint(module, tmp_path / 'net', epoch)
    last = FeatureExtractor(module.symbol, *module.get_params()).predict(images)
    np.testing.assert_array_equal(feature_extractor(tmp_path / 'net').predict(images), last)
    assert (feature_extractor(tmp_path / 'net', 2).predict(images) != last).any()
    loaded = Module.load(str(tmp_path / 'net'), None, label_names=['softmax_label', 'center_label'])
    np.testing.assert_array_equal(
        FeatureExtractor(loaded.symbol, loaded._arg_params, loaded._aux_params).predict(images), last
    )
    with pytest.raises(FileNotFoundError, match=r'other-NNNN.params: there is no checkpoint of this prefix'):
        feature_extractor(tmp_path / 'other')


def test_a_checkpoint_tells_of_its_data(module, tmp_path):
    names = ['Ann "A."', 'Bób', '3', 'x' * 300, '\n']
    save_checkpoint(module, tmp_path / 'net', 1, {'class_names': names, 'pictures': True})
    extractor = feature_extractor(tmp_path / 'net')
    assert extractor.class_names == names and extractor.pictures is True
    assert extractor.data_shape == (1, 8, 8)
    save_checkpoint(module, tmp_path / 'net', 1)
    extractor = feature_extractor(tmp_path / 'net')
    assert extractor.class_names is None and extractor.pictures is None
    assert FeatureExtractor(module.symbol, *module.get_params()).data_shape is None


def test_pictures_get_the_size_of_the_training_and_may_be_of_one_class(tmp_path):
    folder = tmp_path / 'all' / 'one'
    folder.mkdir(parents=True)
    for i in range(3):
        picture = np.random.RandomState(i).randint(0, 256, (20, 20, 3)).astype('uint8')
        Image.fromarray(picture).save(folder / f'{i}.png')
    pooled = mx.sym.Pooling(mx.sym.Variable('data'), kernel=(4, 4), stride=(4, 4))
    net = joint_supervision(
        mx.sym.FullyConnected(pooled, num_hidden=3, name='embedding'), 2, 0.1, batchsize=2
    )
    module = Module(net, label_names=['softmax_label', 'center_label'])
    module.bind([('data', (2, 3, 8, 8))], [('softmax_label', (2,)), ('center_label', (2,))])
    module.init_params()
    module.init_optimizer()
    save_checkpoint(module, tmp_path / 'net', 0)
    extractor = feature_extractor(tmp_path / 'net')
    features = extractor.predict(tmp_path / 'all')
    np.testing.assert_array_equal(features, extractor.predict(tmp_path / 'all', image_size=8))
    assert features.shape == (3, 3)


def some_features(**fields):
    rng = np.random.RandomState(20161008)
    found = Features(
        rng.randn(6, 3).astype('float32'), np.array([0, 2, 1, 1, 0, 2]), ['Ann', 'Bób', '3'],
        [f'{i}.png' for i in range(6)], rng.randn(2, 3), ['Ann', 'Eve'],
    )  # fmt: skip
    return found._replace(**fields)


def assert_same_features(found, expected):
    for name, value in expected._asdict().items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(found, name), value)
        else:
            assert getattr(found, name) == value


def test_saved_features_come_back(tmp_path):
    for expected in (
        some_features(),
        some_features(names=None, centers=None, trained_on=None),
        some_features(centers=None),
    ):
        save_features(tmp_path / 'features.npz', expected)
        found = load_features(tmp_path / 'features.npz')
        assert_same_features(found, expected)
        assert found.classes.tolist() == ['Ann', '3', 'Bób', 'Bób', 'Ann', '3']
    assert [path.name for path in tmp_path.iterdir()] == ['features.npz']
    np.savez(tmp_path / 'bare.npz', features=np.eye(3), labels=[7, 3, 7])
    bare = load_features(tmp_path / 'bare.npz')
    assert bare.class_names == ['3', '7'] and bare.classes.tolist() == ['7', '3', '7']


@pytest.mark.parametrize('arrays, message', [
    ({'features': np.eye(3)}, 'labels is not among features'),
    ({'features': np.ones(3), 'labels': np.zeros(3)}, r'features float64 \(3,\) and labels of shape \(3,\)'),
    ({'features': np.eye(3), 'labels': np.zeros(2)}, r'labels of shape \(2,\)'),
    ({'features': np.array([['a']]), 'labels': [0]}, r'expected numbers \(N, D\)'),
    ({'features': np.diag([1, np.nan, 1]), 'labels': [0, 1, 2]}, 'features at row 1 are not finite'),
    ({'features': np.eye(3), 'labels': [0, 1, 2], 'class_names': ['a', 'b']}, 'label 2 at row 2 is outside'),
    ({'features': np.eye(3), 'labels': [0, -1, 1], 'class_names': ['a', 'b']}, 'label -1 at row 1 is outs'),
    ({'features': np.eye(3), 'labels': [0.5, 0, 1], 'class_names': ['a', 'b']}, 'label 0.5 at row 0 is'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'centers': np.eye(3)}, r'centers of shape \(3, 3\)'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'centers': np.ones((2, 2)), 'trained_on': ['a', 'b']},
     r'centers of shape \(2, 2\); expected a row of 3'),
    ({'features': np.eye(3), 'labels': np.array([{}] * 3)}, 'Object arrays cannot be loaded'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'class_names': 'ab'}, r'class_names of shape \(\)'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'trained_on': 'ab'}, r'trained_on of shape \(\)'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'names': ['a']}, '1 names of 3 features'),
    ({'features': np.eye(3), 'labels': [0, np.nan, 1]}, 'label nan at row 1 is no class'),
    ({'features': 1e200 * np.eye(3), 'labels': [0, 0, 1]}, 'features at row 0 are not finite'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'centers': [['a'] * 3], 'trained_on': ['a']},
     'centers are <U1; expected float'),
    ({'features': np.eye(3), 'labels': [0, 0, 1], 'centers': [[np.nan] * 3], 'trained_on': ['a']},
     'the centers are not finite'),
])  # fmt: skip
def test_features_that_do_not_fit_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / 'features.npz', **arrays)
    with pytest.raises(ValueError, match=message) as refused:
        load_features(tmp_path / 'features.npz')
    assert str(refused.value).startswith(f'{tmp_path / "features.npz"}: ')


def test_features_that_are_not_finite_are_not_written(tmp_path):
    features = some_features()
    features.features[4, 1] = np.inf
    with pytest.raises(
        ValueError, match=r'features.npz is not written: features at row 4 \(4.png\) are not finite'
    ):
        save_features(tmp_path / 'features.npz', features)
    with pytest.raises(ValueError, match=r'expected a file that ends in \.npz'):
        save_features(tmp_path / 'features.csv', some_features())
    assert not list(tmp_path.iterdir())


def test_the_centers_are_found_wherever_they_are():
    rows = mx.nd.array(np.arange(6.0).reshape(2, 3))
    assert find_centers({'fc2_weight': rows}, {}) is None
    np.testing.assert_array_equal(find_centers({}, {'center_loss__center_bias': rows}), rows.asnumpy())
    np.testing.assert_array_equal(find_centers({'island_loss_center_weight': rows}, {}), rows.asnumpy())
    stored = {'center_loss_center_weight': with_all_rows(rows)}  # with a last column of counts
    np.testing.assert_array_equal(find_centers(stored, {}), rows.asnumpy()[:, :2])


def test_optimizer_states_that_are_none_are_named(module, tmp_path):
    train(module)
    save_checkpoint(module, tmp_path / 'net', 1)
    states = tmp_path / 'net-0001.states'
    for content in states.read_bytes()[:50], b'nothing', b'':
        states.write_bytes(content)
        again = Module.load(
            str(tmp_path / 'net'),
            1,
            load_optimizer_states=True,
            label_names=['softmax_label', 'center_label'],
        )
        again.bind(module.data_shapes, module.label_shapes)
        with pytest.raises(
            ValueError, match=r'net-0001\.states: no states of the optimizer; is the file whole'
        ):
            again.init_optimizer(optimizer_params={'momentum': 0.9, 'learning_rate': 0.1})


@pytest.mark.skipif(find_spec('onnxruntime') is None, reason='onnxruntime is not installed')
def test_gammas_that_mxnet_takes_for_one_are_one_in_onnx(tmp_path):
    """Weight decay moves them in training, though nothing reads them."""
    net = mx.sym.BatchNorm(mx.sym.Variable('data'), fix_gamma=True, name='bn')
    net = mx.sym.FullyConnected(net, num_hidden=3, name='embedding')
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name='softmax'))
    module.bind([('data', (4, 2, 5, 5))], [('softmax_label', (4,))])
    module.init_params()
    arg_params, aux_params = module.get_params()
    module.set_params({**arg_params, 'bn_gamma': mx.nd.array([0.5, 2])}, aux_params)
    module.init_optimizer()
    save_checkpoint(module, tmp_path / 'net', 1)
    export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    with pytest.raises(ValueError, match="the network has no output 'data'"):
        export_onnx(tmp_path / 'net', 1, tmp_path / 'data.onnx', layer='data')
