"""Checkpoints of row tables: resumed, of other networks, damaged, on a full disk, by a killed process."""

from __future__ import annotations

import os
import re

from centerloss_mx.io import CenterLossIter
from centerloss_mx.metric import CenterLossMetric, for_network
from centerloss_mx.model import (
    FeatureExtractor,
    centers_to_aux,
    centers_to_kvstore,
    latest_checkpoint,
    load_checkpoint,
    remove_checkpoints,
    save_checkpoint,
)
from centerloss_mx.module import Module
from centerloss_mx.symbol import joint_supervision

import kvstore_job
import mxnet as mx
import numpy as np
import pytest
from disks import files_up_to
from killing import Killed, Killer
from kvstore_job import ALPHA, BASES, BATCH, BATCHES, BLOCK_ROWS, DIM, NUM_CLASS

pytestmark = pytest.mark.filterwarnings('ignore:Parameters already initialized')  # `fit` of a loaded module

LABELS = ['softmax_label', 'center_label']
CENTERS, WEIGHT = 'center_loss_center_weight', 'fc2_weight'


def fit(module, base, kvstore, end, begin=0):
    """Train epochs of the job, from its parameters or those that the module has."""
    module.fit(
        CenterLossIter(mx.io.NDArrayIter(*kvstore_job.samples(), BATCH)),
        eval_metric=CenterLossMetric('null'),
        kvstore=kvstore,
        optimizer='centers',
        optimizer_params={
            'base': base, 'alpha': ALPHA, 'begin_num_update': begin * BATCHES, **BASES[base]
        },
        arg_params=None if begin else kvstore_job.parameters('sampled'),
        begin_epoch=begin,
        num_epoch=end,
    )  # fmt: skip
    return module


def new(block_rows=BLOCK_ROWS):
    return Module(kvstore_job.network('sampled'), label_names=LABELS, block_rows=block_rows)


def numbers(module):
    trained = {name: value.asnumpy() for name, value in module.get_params()[0].items()}
    return {**trained, **{name: np.concatenate([*t.pieces()]) for name, t in module.row_tables.items()}}


def assert_equal(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.fixture(scope='module')
def trained():
    return fit(new(), 'sgd', None, 1)


@pytest.fixture
def saved(trained, tmp_path):
    save_checkpoint(trained, tmp_path / 'net', 1)
    return tmp_path / 'net'


@pytest.mark.parametrize('base, kvstore', [('sgd', None), ('sgd momentum', 'local'), ('adam', None)])
def test_a_training_that_is_resumed_ends_as_an_uninterrupted_one(base, kvstore, tmp_path):
    save_checkpoint(fit(new(), base, kvstore, 1), tmp_path / 'net', 1)
    names = [f'net-0001.{CENTERS}.npy', f'net-0001.{WEIGHT}.npy', 'net-0001.params', 'net-0001.states']
    assert sorted(os.listdir(tmp_path)) == [*names, 'net-symbol.json']
    resumed = Module.load(str(tmp_path / 'net'), 1, True, label_names=LABELS, block_rows=BLOCK_ROWS)
    assert_equal(numbers(fit(resumed, base, kvstore, 3, 1)), numbers(fit(new(), base, kvstore, 3)))


def test_states_of_other_blocks_are_refused(tmp_path):
    save_checkpoint(fit(new(), 'sgd momentum', 'local', 1), tmp_path / 'net', 1)
    other = Module.load(str(tmp_path / 'net'), 1, True, label_names=LABELS)
    with pytest.raises(
        ValueError,
        match=r'net-0001\.states: the states of fc2_weight are in blocks of 4 rows, '
        r'and the module has blocks of 30; expected the block_rows of the training',
    ):
        fit(other, 'sgd momentum', 'local', 3, 1)  # fmt: skip


def test_a_loaded_module_scores_and_predicts_what_the_trained_one_does(trained, saved):
    x, y = kvstore_job.samples()
    samples = mx.io.NDArrayIter(x[:70], dict.fromkeys(LABELS, y[:70]), BATCH)  # pads its last batch
    loaded = Module.load(str(saved), label_names=LABELS)
    loaded.bind(samples.provide_data, samples.provide_label, for_training=False)
    assert_equal(numbers(loaded), numbers(trained))
    metric = for_network(loaded.symbol)
    assert loaded.score(samples, metric) == trained.score(samples, metric)
    (found, _), (expected, _) = loaded.predict(samples), trained.predict(samples)
    assert found.shape == (70, kvstore_job.NUM_SAMPLED['sampled'])
    np.testing.assert_array_equal(found.asnumpy(), expected.asnumpy())
    features = FeatureExtractor(*load_checkpoint(saved)).predict(mx.nd.array(x[:4]))
    np.testing.assert_allclose(features, x[:4] @ numbers(trained)['embedding_weight'].T, rtol=1e-5)


def test_centers_go_from_states_to_a_parameter_to_a_table_and_back(tmp_path):
    def module(centers):
        embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
        dim = None if centers == 'aux' else DIM
        net = joint_supervision(embedding, NUM_CLASS, 0.1, centers=centers, embedding_dim=dim)
        return Module(net, label_names=LABELS)

    def fitted(centers, arg_params=None, aux_params=None):
        one = module(centers)
        one.fit(
            CenterLossIter(mx.io.NDArrayIter(*kvstore_job.samples(), BATCH)),
            eval_metric=CenterLossMetric('null'),
            optimizer='sgd' if centers == 'aux' else 'centers',
            arg_params=arg_params,
            aux_params=aux_params,
            num_epoch=1,
        )
        save_checkpoint(one, tmp_path / centers, 1)
        return load_checkpoint(tmp_path / centers)[1:]

    states = fitted('aux')
    parameter = fitted('kvstore', *centers_to_kvstore(*states))
    again, table = fitted('kvstore', *parameter), fitted('table', *parameter)
    assert isinstance(table[0][CENTERS], np.memmap)
    for name, value in again[0].items():
        found = table[0][name]
        found = found if isinstance(found, np.ndarray) else found.asnumpy()
        np.testing.assert_allclose(found, value.asnumpy(), atol=1e-5 * abs(value.asnumpy()).max())
    np.testing.assert_array_equal(table[0][CENTERS][:, DIM], 2 * np.bincount(kvstore_job.samples()[1]))
    back = fitted('kvstore', *table)
    np.testing.assert_array_equal(back[0][CENTERS].asnumpy()[:, DIM], 1.5 * table[0][CENTERS][:, DIM])
    np.testing.assert_array_equal(
        centers_to_aux(*table)[1]['center_loss__center_bias'].asnumpy(), table[0][CENTERS][:, :DIM]
    )


def test_the_weights_of_a_sampled_class_layer_are_those_of_a_dense_one(saved):
    dense = Module(kvstore_job.network('dense'), label_names=LABELS)
    _, arg_params, _ = load_checkpoint(saved)
    dense.bind([('data', (BATCH, 5))], [(name, (BATCH,)) for name in LABELS])
    dense.init_params(arg_params=arg_params, aux_params={})
    sampled = new()
    sampled.bind([('data', (BATCH, 5))], [(name, (BATCH,)) for name in LABELS])
    sampled.init_params(arg_params=dense.get_params()[0], aux_params={})
    assert_equal(numbers(sampled), {name: np.asarray(value.asnumpy() if hasattr(value, 'asnumpy') else value)
                                    for name, value in arg_params.items()})  # fmt: skip


def test_a_table_of_another_number_of_classes_is_refused_in_parameters(trained):
    rows = mx.nd.ones((NUM_CLASS + 1, DIM + 1))
    message = re.escape(
        f'{CENTERS} has the shape (31, 9), but the network has 30 classes and rows of 9; expected (30, 9)'
    )
    module = new()
    with pytest.raises(ValueError, match=message):
        module.fit(
            CenterLossIter(mx.io.NDArrayIter(*kvstore_job.samples(), BATCH)),
            optimizer='centers',
            arg_params={**kvstore_job.parameters('sampled'), CENTERS: rows},
            num_epoch=1,
        )
    before = numbers(trained)
    with pytest.raises(ValueError, match=message):
        trained.set_params({CENTERS: rows}, {}, allow_missing=True)
    assert_equal(numbers(trained), before)


def write(path, array):
    np.save(path, array)


BAD_FILES = {
    'missing': (os.remove, r'net-0001\.fc2_weight\.npy.*expected the row table fc2_weight'),
    'of other classes': (
        lambda path: write(path, np.ones((31, 8), 'float32')),
        r'net-0001\.fc2_weight\.npy: float32 of shape \(31, 8\); the network has 30 classes, expected '
        r'float32 of shape \(30, 8\)',
    ),
    'of another dtype': (
        lambda path: write(path, np.ones((30, 8))),
        r'npy: float64 of shape \(30, 8\); the network has 30 classes, expected float32 of shape \(30, 8\)',
    ),
    'cut off': (
        lambda path: os.truncate(path, 500),
        r'net-0001\.fc2_weight\.npy has 500 bytes, 1088 expected .*: it is cut off or damaged',
    ),
    'foreign': (
        lambda path: path.write_text('no array'),
        r'net-0001\.fc2_weight\.npy is not an \.npy file, or it is damaged',
    ),
    'of objects': (
        lambda path: write(path, np.array([[{}]])),
        r'npy has an array of object .*expected numbers',
    ),
}  # fmt: skip


@pytest.mark.parametrize('fault', BAD_FILES)
def test_a_bad_file_of_a_table_is_named(fault, saved):
    damage, message = BAD_FILES[fault]
    damage(saved.with_name(f'net-0001.{WEIGHT}.npy'))
    with pytest.raises((ValueError, OSError), match=message):
        Module.load(str(saved), 1, label_names=LABELS)


def test_a_disk_that_is_full_while_a_table_is_gathered_leaves_the_checkpoint_before(trained, saved):
    before = {path.name: path.read_bytes() for path in saved.parent.iterdir()}
    sizes = {name: len(before[f'net-0001.{name}.npy']) for name in (WEIGHT, CENTERS)}
    for room in 0, 127, 128, 500, sizes[WEIGHT] - 1, sizes[WEIGHT], sizes[CENTERS] - 1:
        table = saved.with_name(f'net-0002.{WEIGHT if room < sizes[WEIGHT] else CENTERS}.npy')
        with pytest.raises(OSError, match=f"File too large: '{table}'"), files_up_to(room):
            save_checkpoint(trained, saved, 2)
        found = {path.name: path.read_bytes() for path in saved.parent.iterdir() if '0002' not in path.name}
        assert found == before and latest_checkpoint(saved) == 1
        assert not [name for name in os.listdir(saved.parent) if name.startswith('.')]
    save_checkpoint(trained, saved, 2)
    assert latest_checkpoint(saved) == 2


def test_a_process_that_is_killed_while_it_saves_leaves_the_checkpoint_before(trained, saved):
    """At each change of a file; what it leaves is removed by the next one that saves."""
    killer, kills = Killer(), 0
    before = {path.name: path.read_bytes() for path in saved.parent.iterdir()}
    for change in range(20):
        killer.kill(saved.parent, change)
        try:
            save_checkpoint(trained, saved, 2)
        except Killed:
            kills += 1
        killer.stop()
        if kills == change:
            break
        assert_equal(numbers(Module.load(str(saved), label_names=LABELS)), numbers(trained))
        assert before.items() <= {path.name: path.read_bytes() for path in saved.parent.iterdir()}.items()
    assert kills >= 4  # two tables, states and parameters are renamed
    assert not [name for name in os.listdir(saved.parent) if name.startswith('.')]
    assert latest_checkpoint(saved) == 2
    remove_checkpoints(saved, keep=1)
    assert sorted(os.listdir(saved.parent)) == sorted(before)
