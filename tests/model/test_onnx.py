"""ONNX Runtime computes the features that MXNet computes, or no file is written."""

from __future__ import annotations

import sys

from centerloss_mx.model import export_onnx, feature_extractor, save_checkpoint
from centerloss_mx.model_zoo import lenet, lenet_plus_plus
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision

import mxnet as mx
import numpy as np
import pytest
from disks import files_up_to

N = 4


@pytest.fixture
def onnx():
    pytest.importorskip('onnxruntime', reason='the extra onnx is not installed')
    return pytest.importorskip('onnx', reason='the extra onnx is not installed')


@pytest.fixture
def exporter(onnx, monkeypatch):
    """A function that replaces MXNet's exporter by one that changes the model before it is written."""
    from mxnet import onnx as mxonnx

    export_model = mxonnx.export_model

    def replace(change):
        def changed(symbol, params, shapes, dtype, path, **options):
            export_model(symbol, params, shapes, dtype, path, **options)
            model = onnx.load(path)
            change(model.graph)
            onnx.save(model, path)

        monkeypatch.setattr(mxonnx, 'export_model', changed)

    return replace


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
def test_onnx_runtime_computes_what_mxnet_does(onnx, name, tmp_path):
    import onnxruntime

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


@pytest.mark.parametrize('error, written', [(1e-6, True), (1e-4, False)])
def test_an_onnx_file_that_computes_something_else_is_not_written(
    onnx, exporter, module, tmp_path, error, written
):
    """The promise is 1e-5 of the largest feature, or of 1."""
    arg_params, aux_params = module.get_params()
    arg_params['embedding_bias'][:] = [0, 10, 0]
    module.set_params(arg_params, aux_params)
    save_checkpoint(module, tmp_path / 'net', 1)

    def spoil(graph):
        bias = next(tensor for tensor in graph.initializer if tensor.name == 'embedding_bias')
        spoiled = onnx.numpy_helper.to_array(bias) + np.float32(10 * error)
        bias.CopyFrom(onnx.numpy_helper.from_array(spoiled, bias.name))

    exporter(spoil)
    if written:
        export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    else:
        with pytest.raises(RuntimeError, match=r'differs from MXNet by 0\.00\d*; nothing was written'):
            export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    assert [path.name for path in tmp_path.glob('*.onnx')] == ['net.onnx'] * written


def test_an_onnx_file_that_does_not_run_is_not_written(exporter, module, tmp_path):
    save_checkpoint(module, tmp_path / 'net', 1)

    def without_flatten(graph):
        for node in graph.node:
            if node.op_type == 'Flatten':
                node.op_type = 'Identity'
                del node.attribute[:]

    exporter(without_flatten)
    with pytest.raises(
        RuntimeError, match=r'ONNX Runtime cannot run this network, nothing was written: .*Gemm'
    ):
        export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    assert not list(tmp_path.glob('*.onnx'))


def test_a_network_that_becomes_no_valid_onnx_is_refused(onnx, tmp_path):
    net = mx.sym.mean(mx.sym.Variable('data'), axis=1, keepdims=True, name='embedding')
    weight = mx.sym.Variable('weight', shape=(1, 1))
    module = Module(mx.sym.MakeLoss(mx.sym.broadcast_mul(net, weight)), label_names=[])
    module.bind([('data', (N, 3))])
    module.init_params(mx.init.One())
    module.init_optimizer()
    save_checkpoint(module, tmp_path / 'net', 1)
    with pytest.raises(ValueError) as refused:
        export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    assert str(refused.value) == (
        'embedding_output: MXNet cannot export this network: Unrecognized attribute: axes for operator '
        'ReduceMean'
    )
    assert not (tmp_path / 'net.onnx').exists()


def test_a_disk_too_small_for_the_onnx_file_is_named(onnx, module, tmp_path):
    save_checkpoint(module, tmp_path / 'net', 1)
    path = tmp_path / 'onnx' / 'net.onnx'
    path.parent.mkdir()
    export_onnx(tmp_path / 'net', 1, path)
    content = path.read_bytes()
    for room in 0, len(content) // 2, len(content) - 1:
        with pytest.raises(OSError) as refused, files_up_to(room):
            export_onnx(tmp_path / 'net', 1, path)
        assert str(refused.value) == f"[Errno 27] File too large: '{path}'"
        assert path.read_bytes() == content and [*path.parent.iterdir()] == [path]


def test_a_checkpoint_that_does_not_record_its_shape_wants_it(onnx, module, tmp_path):
    mx.model.save_checkpoint(str(tmp_path / 'net'), 1, module.symbol, *module.get_params())
    with pytest.raises(ValueError, match='data_shape=None, and the checkpoint does not record it; pass'):
        export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx', data_shape=(1, 8, 8))
    assert (tmp_path / 'net.onnx').exists()


def test_an_onnx_file_says_how_pictures_become_arrays(onnx, module, tmp_path):
    save_checkpoint(module, tmp_path / 'net', 1)
    export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    assert not onnx.load(str(tmp_path / 'net.onnx')).metadata_props
    note = {'fit': 'pad', 'mean': (127.5, 110, 100), 'std': (128, 129.25, 130)}
    save_checkpoint(module, tmp_path / 'net', 1, {'pictures': True, 'preprocessing': note})
    export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')
    found = {prop.key: prop.value for prop in onnx.load(str(tmp_path / 'net.onnx')).metadata_props}
    assert found == {'fit': 'pad', 'mean': '127.5,110.0,100.0', 'std': '128.0,129.25,130.0'}


def test_without_onnx_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match=r"pip install 'centerloss_mx\[onnx\]'"):
        export_onnx(tmp_path / 'net', 1, tmp_path / 'net.onnx')


def test_gammas_that_mxnet_takes_for_one_are_one_in_onnx(onnx, tmp_path):
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
