"""The feature extractor gives the features of the trained network."""

from __future__ import annotations

import os
import pickle

from centerloss_mx.io import CenterLossIter, list_images
from centerloss_mx.model import FeatureExtractor, feature_extractor, save_checkpoint
from centerloss_mx.model_zoo import get_model
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

N = 4


def test_features_are_those_of_the_parameters_given(module, train):
    """Whatever becomes of the module's arrays: it writes all its parameters into the same ones."""
    images = np.random.RandomState(0).randn(3 * N + 1, 1, 8, 8).astype('float32')
    made = []
    for _ in range(2):
        train(module)
        args, aux = module.get_params()
        extractor, iterator = FeatureExtractor(module.symbol, args, aux), images_iter(images)
        features = extractor.predict(iterator)
        np.testing.assert_array_equal(extractor.predict(iterator), features)  # it is reset
        expected = by_hand(images, {name: value.asnumpy() for name, value in args.items()})
        assert features.shape == (3 * N + 1, 3)
        np.testing.assert_allclose(features, expected, atol=1e-5)
        made.append((extractor, features))
    assert (made[0][1] != made[1][1]).any()
    np.testing.assert_array_equal(made[0][0].predict(images), made[0][1])


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
def test_any_batch_size_gives_the_same_features(module, train, tmp_path, batch_size):
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
    np.testing.assert_array_equal(extractor.predict(images, batch_size, flip='concat'), flipped)
    summed = extractor.predict(images, batch_size, flip='sum')
    np.testing.assert_allclose(summed, expected + mirrored, atol=1e-5)
    with pytest.raises(ValueError, match=r"^flip='add' is not one of concat, sum$"):
        extractor.predict(images, flip='add')


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
    flat = sorted((tmp_path / 'all').rglob('*.png'))
    several = extractor.predict(flat, 2, image_size=8)
    np.testing.assert_allclose(several[:1], extractor.predict(flat[0], image_size=8), rtol=1e-6)
    with pytest.raises(ValueError, match='image_size=None: expected the height and width'):
        extractor.predict(tmp_path / 'all')


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


def test_progress_is_shown_on_request(module, monkeypatch):
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


def test_features_are_those_of_the_network_that_was_trained():
    """MXNet, where it binds without gradients, computes this network wrongly."""
    embedding = get_model('resnet18_v2', 3, (3, 32, 32))
    module = mx.mod.Module(embedding, label_names=None)
    module.bind([('data', (2, 3, 32, 32))], for_training=True)
    mx.random.seed(1)
    module.init_params(mx.init.Xavier(magnitude=2, rnd_type='gaussian', factor_type='in'))
    images = mx.nd.random.normal(shape=(2, 3, 32, 32))
    module.forward(mx.io.DataBatch([images]), is_train=False)
    expected = module.get_outputs()[0].asnumpy()
    found = FeatureExtractor(embedding, *module.get_params()).predict(images)
    np.testing.assert_allclose(found, expected, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize('dtype', ['float16', 'float64'])
def test_parameters_and_samples_of_other_dtypes_become_float32(module, dtype):
    images = np.random.RandomState(0).randn(3, 1, 8, 8)
    expected = FeatureExtractor(module.symbol, *module.get_params()).predict(images)
    params = ({name: value.astype(dtype) for name, value in params.items()} for params in module.get_params())
    found = FeatureExtractor(module.symbol, *params).predict(mx.nd.array(images, dtype=dtype))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-2 if dtype == 'float16' else 1e-6)


def test_a_network_without_parameters_has_features():
    net = mx.sym.Flatten(mx.sym.Variable('data'), name='embedding')
    images = np.random.RandomState(0).rand(5, 2, 3).astype('float32')
    np.testing.assert_array_equal(FeatureExtractor(net, {}, {}).predict(images, 2), images.reshape(5, 6))


def test_the_process_and_its_console_are_left_as_they_are(module, monkeypatch, capfd):
    """MXNet reads its environment whenever a network is bound, a user's own, too."""
    extractor = FeatureExtractor(module.symbol, *module.get_params())
    capfd.readouterr()
    for change in 'putenv', 'unsetenv':
        monkeypatch.setattr(os, change, lambda *variable: pytest.fail(f'changes {variable}'))
    extractor.predict(np.zeros((5, 1, 8, 8)), 2)
    FeatureExtractor(module.symbol, *module.get_params()).predict(np.zeros((5, 1, 8, 8)), 3)
    monkeypatch.undo()
    assert capfd.readouterr() == ('', '')


def test_a_missing_parameter_is_named(module):
    arg_params, aux_params = module.get_params()
    arg_params = {name: value for name, value in arg_params.items() if name != 'conv_bias'}
    with pytest.raises(ValueError, match='there is no parameter conv_bias, which embedding_output needs'):
        FeatureExtractor(module.symbol, arg_params, aux_params)


def test_an_extractor_can_be_pickled_and_takes_a_list_of_devices_as_module_does():
    net = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=2, name='embedding')
    params = {'embedding_weight': mx.nd.ones((2, 3)), 'embedding_bias': mx.nd.ones(2)}
    extractor = FeatureExtractor(net, params, {}, ctx=[mx.cpu(1), mx.cpu(0)])
    assert extractor.ctx == mx.cpu(1)
    samples = np.arange(6).reshape(2, 3)
    again = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_array_equal(again.predict(samples), extractor.predict(samples))
    np.testing.assert_array_equal(again.predict(samples), [[4, 4], [13, 13]])


class WithLayout(mx.io.NDArrayIter):
    """Serves samples whose channels are last, and says so."""

    @property
    def provide_data(self):
        return [mx.io.DataDesc(desc.name, desc.shape, layout='NHWC') for desc in super().provide_data]


def test_samples_are_mirrored_along_their_width_or_not_at_all():
    features = mx.sym.FullyConnected(mx.sym.Flatten(mx.sym.Variable('data')), num_hidden=5, name='embedding')
    weights = {'embedding_weight': mx.nd.random.normal(shape=(5, 24)), 'embedding_bias': mx.nd.zeros(5)}
    extractor = FeatureExtractor(features, weights, {})
    images = np.random.RandomState(3).rand(N + 1, 4, 3, 2).astype('float32')
    for mirrored, data in (images[..., ::-1], images), (images[:, :, ::-1], WithLayout(images, batch_size=N)):
        expected = np.hstack([extractor.predict(images), extractor.predict(np.ascontiguousarray(mirrored))])
        np.testing.assert_allclose(extractor.predict(data, flip=True), expected, rtol=1e-5)
    for shape in (24,), (4, 6), (2, 2, 3, 2):
        with pytest.raises(ValueError) as refused:
            extractor.predict(images.reshape(N + 1, *shape), flip=True)
        assert str(refused.value) == (
            f'flip=True: samples of shape {shape}, layout NCHW; expected (channels, height, width)'
        )


def test_a_digest_tells_networks_layers_and_parameters_apart(module, train, tmp_path):
    train(module)
    args, aux = module.get_params()
    outputs = module.symbol.get_internals().list_outputs()
    relu = next(name for name in outputs if name.startswith('activation'))  # it has the parameters of conv
    digests = [
        FeatureExtractor(module.symbol, args, aux, layer).digest(flip)
        for layer in ('embedding_output', 'conv_output', relu)
        for flip in (False, True, 'sum')
    ]
    other = {**args, 'conv_bias': args['conv_bias'] + 1e-6}
    digests.append(FeatureExtractor(module.symbol, other, aux).digest(False))
    assert len(set(digests)) == 10
    extractor = FeatureExtractor(module.symbol, args, aux)
    assert [extractor.digest(flip) for flip in (None, 'concat')] == digests[:2]
    save_checkpoint(module, tmp_path / 'net', 3)
    assert feature_extractor(tmp_path / 'net').digest(False) == digests[0]


@pytest.mark.parametrize('count, batch_size', [(11, 4), (13, 5), (9, 8)])
@pytest.mark.parametrize('around', [lambda inner: inner, CenterLossIter], ids=['plain', 'both labels'])
def test_an_iterator_that_rolls_over_gives_each_sample_once_in_every_epoch(module, count, batch_size, around):
    images = np.random.RandomState(count).randn(count, 1, 8, 8).astype('float32')
    extractor = FeatureExtractor(module.symbol, *module.get_params())
    rolling = around(mx.io.NDArrayIter(images, np.zeros(count), batch_size, last_batch_handle='roll_over'))
    expected = extractor.predict(images)
    for _ in range(3):
        np.testing.assert_allclose(extractor.predict(rolling), expected, rtol=1e-5)
        list(rolling)  # as a training in between does
        rolling.reset()


def test_a_parameter_of_another_shape_is_named_and_not_the_samples(module):
    args, aux = module.get_params()
    images = np.zeros((2, 1, 8, 8), 'float32')
    args['embedding_weight'] = mx.nd.zeros((3, 7))
    width = 8 * 6 * 6  # the filters of the convolution
    extractor = FeatureExtractor(module.symbol, args, aux)
    with pytest.raises(ValueError) as error:
        extractor.predict(images)
    assert f'embedding_weight has shape (3, 7), and they need (3, {width})' in str(error.value)
    extractor.data_shape = (1, 8, 8)  # as a checkpoint records it
    with pytest.raises(ValueError) as error:
        extractor.predict(images)
    assert str(error.value) == f'embedding_weight has shape (3, 7), and the network needs (3, {width})'
    with pytest.raises(
        ValueError, match=r'does not take samples of shape \(1, 9, 9\), but of \(1, 8, 8\): embed'
    ):
        extractor.predict(np.zeros((2, 1, 9, 9), 'float32'))


def test_an_error_that_has_nothing_to_do_with_shapes_is_passed_on(module, monkeypatch):
    extractor = FeatureExtractor(module.symbol, *module.get_params())

    def compute(data):
        raise RuntimeError('out of memory')

    monkeypatch.setattr(extractor, '_compute', compute)
    with pytest.raises(RuntimeError, match='out of memory'):
        extractor.predict(np.zeros((2, 1, 8, 8), 'float32'))


@pytest.mark.parametrize('batch_size', [0, -1, -128])
def test_a_batch_of_no_samples_is_refused(module, batch_size):
    extractor = FeatureExtractor(module.symbol, *module.get_params())
    with pytest.raises(ValueError, match=f'batch_size={batch_size} is not > 0'):
        extractor.predict(np.zeros((2, 1, 8, 8), 'float32'), batch_size)
