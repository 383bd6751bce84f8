"""Checkpoints: files that are written completely or not at all, and trainings that continue from them."""

from __future__ import annotations

import pickle
import warnings

from centerloss_mx import reference
from centerloss_mx.model import (
    FeatureExtractor,
    feature_extractor,
    latest_checkpoint,
    load_checkpoint,
    load_symbol,
    remove_checkpoints,
    save_checkpoint,
    write_whole,
)
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision

import mxnet as mx
import numpy as np
import pytest
from disks import files_up_to

N = 4
LABELS = ['softmax_label', 'center_label']


def test_a_checkpoint_restores_parameters_centers_and_momentum(module, train, tmp_path):
    train(module)
    save_checkpoint(module, tmp_path / 'net', 3)
    train(module)
    again = mx.mod.Module.load(str(tmp_path / 'net'), 3, load_optimizer_states=True, label_names=LABELS)
    again.bind(module.data_shapes, module.label_shapes)
    again.init_optimizer(optimizer_params={'momentum': 0.9, 'learning_rate': 0.1})
    train(again)
    for expected, restored in zip(module.get_params(), again.get_params()):
        assert expected.keys() == restored.keys()
        for name in expected:
            assert (expected[name].asnumpy() == restored[name].asnumpy()).all(), name


def test_the_latest_checkpoint_is_the_last_complete_one(module, tmp_path):
    prefix = tmp_path / 'net'
    assert latest_checkpoint(prefix) is None and latest_checkpoint(tmp_path / 'nowhere' / 'net') is None
    for epoch in 1, 2, 10:
        save_checkpoint(module, prefix, epoch)
    (tmp_path / 'net-0011.states').touch()  # interrupted before the parameters
    (tmp_path / 'net-x-0012.params').touch()
    (tmp_path / 'net-0013.params').mkdir()
    assert latest_checkpoint(prefix) == 10


@pytest.mark.parametrize('failing, written', [
    ('save_optimizer_states', ['net-symbol.json']),
    ('save_params', ['net-0003.states', 'net-symbol.json']),
])  # fmt: skip
def test_parameters_are_written_last(module, monkeypatch, tmp_path, failing, written):
    """A checkpoint with parameters has everything else, wherever the process ends."""

    def fail(name):
        raise OSError('disk full')

    monkeypatch.setattr(module, failing, fail)
    with pytest.raises(OSError, match='disk full'):
        save_checkpoint(module, tmp_path / 'net', 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == written


@pytest.mark.parametrize('keep, left', [(2, ['net-0002.params', 'net-0002.states']), (None, [])])
def test_checkpoints_are_removed_but_for_the_kept_epoch(module, tmp_path, keep, left):
    others = ['net-symbol.json', 'net-x-0001.params', 'net-00010.params', 'net-0001.features.npy']
    for epoch in 1, 2, 3:
        save_checkpoint(module, tmp_path / 'net', epoch)
    for name in others:
        (tmp_path / name).touch()
    remove_checkpoints(tmp_path / 'net', keep)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*left, *others])


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


def test_a_checkpoint_that_is_damaged_is_named(module, tmp_path):
    save_checkpoint(module, tmp_path / 'net', 2)
    with pytest.raises(
        FileNotFoundError, match=r'net-0003.params does not exist; the last checkpoint is of epoch 2'
    ):
        load_checkpoint(tmp_path / 'net', 3)
    with pytest.raises(FileNotFoundError, match=r'other-symbol.json does not exist$'):
        load_checkpoint(tmp_path / 'other', 1)
    path = tmp_path / 'net-0002.params'
    whole = path.read_bytes()
    np.save(tmp_path / 'array.npy', np.zeros(3))
    damaged = [whole[:size] for size in (0, 5, 100, len(whole) // 2, len(whole) - 3)]
    damaged += [pickle.dumps({'arg:conv_bias': 1}), (tmp_path / 'array.npy').read_bytes()]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=r'net-0002\.params: not an MXNet parameter file, or it is trunc'
        ):
            feature_extractor(tmp_path / 'net', 2)
    mx.nd.save(str(path), {'conv_bias': mx.nd.zeros(3)})
    with pytest.raises(ValueError, match='expected names that begin with arg: or aux:, found conv_bias'):
        load_checkpoint(tmp_path / 'net', 2)
    symbol = tmp_path / 'net-symbol.json'
    content = symbol.read_bytes()
    for damaged in content[:200], content.replace(b'conv', b'co\xffv', 1), b'[' * 100_000, b'{}', b'':
        symbol.write_bytes(damaged)
        with pytest.raises(ValueError, match=r'net-symbol\.json: not an MXNet symbol file, or it is trunc'):
            load_checkpoint(tmp_path / 'net', 2)
    symbol.write_bytes(content.replace(b'[1, 8, 8]', b'5'))
    mx.nd.save(str(path), {'arg:conv_bias': mx.nd.zeros(3)})
    with pytest.raises(
        ValueError, match=r"damaged: attribute __data_shape__ of data is '5', expected a list in JSON"
    ):
        feature_extractor(tmp_path / 'net', 2)


def test_a_checkpoint_of_plain_module_holds_the_last_update(tmp_path):
    """The engine does not know that backward writes the centers; saving waits for it."""
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=256, name='embedding')
    net = joint_supervision(embedding, 2000, 0.1, batchsize=64)
    module = mx.mod.Module(net, label_names=LABELS)
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
    bare = mx.mod.Module(module.symbol, label_names=LABELS)
    with pytest.raises(ValueError, match='no optimizer yet; call init_optimizer or fit first'):
        save_checkpoint(bare, tmp_path / 'net', 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('contexts, kvstore', [(1, None), (2, 'device')])
def test_centers_on_the_kvstore_resume_where_they_were(
    bound_with, init_optimizer, train, contexts, kvstore, tmp_path
):
    module = bound_with('kvstore', Module, contexts)
    module.init_params(mx.init.Normal(0.5))
    init_optimizer(module, kvstore)
    train(module)
    save_checkpoint(module, tmp_path / 'net', 1)
    train(module)
    options = {'label_names': LABELS, 'context': module._context}
    again = Module.load(str(tmp_path / 'net'), 1, load_optimizer_states=True, **options)
    again.bind(module.data_shapes, module.label_shapes)
    init_optimizer(again, kvstore)
    train(again)
    for name, value in module.get_params()[0].items():
        np.testing.assert_array_equal(again.get_params()[0][name].asnumpy(), value.asnumpy(), name)


def two_workers(rank):
    """A KVStore that says it is one of two workers' stores."""
    kvstore = mx.kv.create('local')
    facts = {'type': 'dist_sync', 'rank': rank, 'num_workers': 2}
    kvstore.__class__ = type('TwoWorkers', (mx.kv.KVStore,), facts)
    return kvstore


@pytest.mark.parametrize('momentum', [0, 0.9])
def test_a_distributed_checkpoint_is_of_rank_0_and_says_what_it_lacks(bound_with, momentum, tmp_path):
    (tmp_path / 'net-0001.states').write_text('of an earlier run')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        for rank in 1, 0:
            module = bound_with('kvstore', Module)
            module.init_params(mx.init.Normal(0.5))
            options = {'learning_rate': 0.1, 'momentum': momentum}
            module.init_optimizer(two_workers(rank), 'centers', options)
            save_checkpoint(module, tmp_path / 'net', 1)
            if rank == 1:
                assert [path.name for path in tmp_path.iterdir()] == ['net-0001.states']
    assert sorted(path.name for path in tmp_path.iterdir()) == ['net-0001.params', 'net-symbol.json']
    said = [str(warning.message) for warning in caught]
    assert len(said) == bool(momentum)
    assert all('net-0001 holds no states of SGD: MXNet cannot read them back from' in text for text in said)


def test_a_checkpoint_goes_on_with_other_batches(module, train, tmp_path):
    """Trained with batches of 4, it scores one sample, and trains on 7 as if it had never had others."""
    train(module)
    save_checkpoint(module, tmp_path / 'net', 2)
    rng = np.random.RandomState(20161008)
    y = mx.nd.array(rng.randint(0, 5, 7))
    batch = mx.io.DataBatch([mx.nd.array(rng.randn(7, 1, 8, 8))], [y, y])
    shapes = [('data', (7, 1, 8, 8))], [('softmax_label', (7,)), ('center_label', (7,))]
    trained = []
    for batchsize in 7, 9:
        again = Module.load(str(tmp_path / 'net'), 2, batchsize=batchsize, label_names=LABELS)
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
    scored = mx.mod.Module(one[0], label_names=LABELS)
    scored.bind([('data', (1, 1, 8, 8))], [(name, (1,)) for name in LABELS], for_training=False)
    scored.set_params(*one[1:])
    assert len(load_checkpoint(tmp_path / 'net')[1]) == len(one[1])  # the last epoch


def test_the_latest_epoch_is_loaded_where_none_is_given(module, train, tmp_path):
    images = np.random.RandomState(0).randn(3, 1, 8, 8)
    for epoch in 2, 10:
        train(module)
        save_checkpoint(module, tmp_path / 'net', epoch)
    last = FeatureExtractor(module.symbol, *module.get_params()).predict(images)
    np.testing.assert_array_equal(feature_extractor(tmp_path / 'net').predict(images), last)
    assert (feature_extractor(tmp_path / 'net', 2).predict(images) != last).any()
    loaded = Module.load(str(tmp_path / 'net'), None, label_names=LABELS)
    np.testing.assert_array_equal(
        FeatureExtractor(loaded.symbol, loaded._arg_params, loaded._aux_params).predict(images), last
    )
    with pytest.raises(FileNotFoundError, match=r'^no checkpoint .*other-NNNN.params \(NNNN: the epoch\)$'):
        feature_extractor(tmp_path / 'other')


def test_a_checkpoint_records_what_its_data_was(module, tmp_path):
    names = ['Ann "A."', 'Bób', '3', 'x' * 300, '\n']
    save_checkpoint(module, tmp_path / 'net', 1, {'class_names': names, 'pictures': True})
    extractor = feature_extractor(tmp_path / 'net')
    assert extractor.class_names == names and extractor.pictures is True
    assert extractor.data_shape == (1, 8, 8)
    save_checkpoint(module, tmp_path / 'net', 1)
    extractor = feature_extractor(tmp_path / 'net')
    assert extractor.class_names is None and extractor.pictures is None
    assert FeatureExtractor(module.symbol, *module.get_params()).data_shape is None


def test_optimizer_states_that_are_none_are_named(module, train, tmp_path):
    train(module)
    save_checkpoint(module, tmp_path / 'net', 1)
    states = tmp_path / 'net-0001.states'
    for content in states.read_bytes()[:50], b'nothing', b'':
        states.write_bytes(content)
        again = Module.load(str(tmp_path / 'net'), 1, load_optimizer_states=True, label_names=LABELS)
        again.bind(module.data_shapes, module.label_shapes)
        with pytest.raises(ValueError, match=r'net-0001\.states: not a file of optimizer states, or it is'):
            again.init_optimizer(optimizer_params={'momentum': 0.9, 'learning_rate': 0.1})


def test_a_checkpoint_on_a_disk_full_at_any_byte_is_named_and_the_earlier_one_stays(module, train, tmp_path):
    folder, prefix = tmp_path / 'net', tmp_path / 'net' / 'net'
    folder.mkdir()
    save_checkpoint(module, prefix, 1)
    train(module)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    save_checkpoint(module, tmp_path / 'whole', 2)
    sizes = {name: (tmp_path / f'whole-0002.{name}').stat().st_size for name in ('states', 'params')}
    assert sizes['states'] < sizes['params']
    rooms = {
        *range(0, sizes['params'], 61),
        sizes['states'] - 1,
        *range(sizes['params'] - 8, sizes['params']),
    }
    for room in sorted(rooms):
        full = prefix.with_name(f'net-0002.{"states" if room < sizes["states"] else "params"}')
        with pytest.raises(OSError) as refused, files_up_to(room):
            save_checkpoint(module, prefix, 2)
        assert str(refused.value) == f"[Errno 27] File too large: '{full}'"
        assert {
            path.name: path.read_bytes() for path in folder.iterdir() if '0002' not in path.name
        } == before
        assert latest_checkpoint(prefix) == 1 and not list(folder.glob('.*'))
    save_checkpoint(module, prefix, 2)
    assert latest_checkpoint(prefix) == 2
    assert (folder / 'net-0002.params').read_bytes() != before['net-0001.params']
    found = load_checkpoint(prefix, 2)[1]
    for name, value in module.get_params()[0].items():
        np.testing.assert_array_equal(found[name].asnumpy(), value.asnumpy())


def test_the_network_that_all_epochs_share_is_written_when_it_is_another(module, tmp_path):
    """A disk that is full when it is written again could take it from the earlier checkpoints."""
    symbol, plain = tmp_path / 'net-symbol.json', tmp_path / 'plain.json'
    save_checkpoint(module, tmp_path / 'net', 1)
    first = symbol.stat()
    save_checkpoint(module, tmp_path / 'net', 2)
    assert (symbol.stat().st_ino, symbol.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    save_checkpoint(module, tmp_path / 'net', 3, {'class_names': ['a']})
    assert feature_extractor(tmp_path / 'net').class_names == ['a']
    load_symbol(symbol).save(str(plain))
    assert symbol.read_bytes() == plain.read_bytes()  # as MXNet writes it


def test_a_prefix_that_ends_in_a_slash_is_in_the_folder(module, tmp_path):
    (tmp_path / 'net').mkdir()
    (tmp_path / 'net-0007.params').write_text('of another training')
    save_checkpoint(module, f'{tmp_path}/net/', 1)
    assert latest_checkpoint(f'{tmp_path}/net/') == 1
    remove_checkpoints(f'{tmp_path}/net/')
    assert sorted(path.name for path in tmp_path.rglob('*-*')) == ['-symbol.json', 'net-0007.params']


def test_removing_checkpoints_removes_what_killed_writers_have_left(module, tmp_path):
    left = tmp_path / '.net-0009.params.part-01234567.params'
    other = tmp_path / '.other-0009.params.part-01234567.params'
    for path in left, other:
        path.write_text('half')
    remove_checkpoints(tmp_path / 'net')
    assert list(tmp_path.iterdir()) == [other]
    remove_checkpoints(tmp_path / 'nowhere' / 'net')
