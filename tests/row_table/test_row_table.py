"""Row tables: what they start with, what moves, and in which blocks they are kept."""

from __future__ import annotations

import subprocess
import sys

from centerloss_mx import reference
from centerloss_mx.row_table import RowTable, block_keys, normal_rows, zeros

import mxnet as mx
import numpy as np
import pytest
import row_table_job
from row_table_job import ALPHA, BASES, BIAS, CENTERS, CLASSES, DIM, NUM_CLASS, STEPS


class Base:
    """The base optimizers' lazy updates in float64, as MXNet documents them."""

    def __init__(self, name, shape, decay=True):
        self.name, self.options = name, BASES[name]
        self.wd = self.options.get('wd', 0) * decay
        self.first, self.second = np.zeros(shape), np.zeros(shape)

    def update(self, table, rows, g, t):
        lr, wd = self.options['learning_rate'], self.wd
        w, first, second = table[rows], self.first[rows], self.second[rows]
        if self.name == 'sgd':
            first = 0.9 * first - lr * (g + wd * w)
            w = w + first
        elif self.name == 'adam':
            g = g + wd * w
            first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
            w = w - lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * first / (np.sqrt(second) + 1e-8)
        elif self.name == 'adagrad':
            first = first + g**2
            w = w - lr * g / np.sqrt(first + 1e-7)
        else:  # ftrl; first is z, second is n
            first = first + g - (np.sqrt(second + g**2) - np.sqrt(second)) * w / lr
            second = second + g**2
            w = (np.sign(first) * 0.01 - first) / ((1 + np.sqrt(second)) / lr + wd) * (abs(first) > 0.01)
        table[rows], self.first[rows], self.second[rows] = w, first, second


def oracle(name, num_workers=1):
    bias, base_of_bias = np.zeros((1, 2)), Base(name, (1, 2), decay=False)  # MXNet decays weights only
    centers, seen = np.zeros((NUM_CLASS, DIM)), np.zeros(NUM_CLASS)
    classes = normal_rows((NUM_CLASS, DIM), seed=1, sigma=1)(0, NUM_CLASS).astype(float)
    base = Base(name, classes.shape)
    for step in range(STEPS):
        labels, features, gradients = row_table_job.samples(step)
        centers = reference.center_update(features, labels, centers, ALPHA)
        seen += np.bincount(labels, minlength=NUM_CLASS)
        rows = np.unique(labels)
        sums = np.stack([gradients[labels == row].sum(axis=0) for row in rows])
        base.update(classes, rows, sums, step + 1)
        base_of_bias.update(bias, [0], np.full((1, 2), num_workers), step + 1)
    return {CENTERS: np.hstack([centers, seen[:, np.newaxis]]), CLASSES: classes, BIAS: bias[0]}


def assert_same(trained, expected):
    np.testing.assert_array_equal(trained[CENTERS][:, DIM], expected[CENTERS][:, DIM])
    for name in expected:
        found, true = trained[name][..., :DIM], expected[name][..., :DIM]
        off = np.abs(found - true).max() / np.abs(true).max()
        assert off <= 1e-5, f'{name} is off by {off:.1e}'


@pytest.mark.parametrize('kvstore', ['local', 'device'])
@pytest.mark.parametrize('base', BASES)
def test_tables_train_what_the_reference_does_whatever_their_blocks(base, kvstore):
    whole = row_table_job.train(mx.kv.create(kvstore), base)
    assert_same(whole, oracle(base))
    for block_rows in 1, 4, NUM_CLASS:
        trained = row_table_job.train(mx.kv.create(kvstore), base, block_rows)
        for name, value in whole.items():
            np.testing.assert_array_equal(trained[name], value, name)


# 2^0 elements: every block is split over all servers
LAYOUTS = {'2 workers, 2 servers': (2, 2), '3 workers, 1 server': (3, 1)}


@pytest.mark.slow
@pytest.mark.parametrize('base', ['sgd', 'adam'])
@pytest.mark.parametrize('layout', LAYOUTS)
def test_several_workers_train_what_the_reference_does(base, layout, tmp_path, monkeypatch):
    monkeypatch.setenv('MXNET_KVSTORE_BIGARRAY_BOUND', '1')
    workers, servers = LAYOUTS[layout]
    output = tmp_path / 'trained.npz'
    job = ['-n', str(workers), '-s', str(servers), '--', sys.executable, row_table_job.__file__]
    job = [sys.executable, '-m', 'centerloss_mx.launch', *job, str(output), base, 'dist_sync']
    ended = subprocess.run(job, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    with np.load(output) as trained:
        assert_same(dict(trained), oracle(base, workers))


def table_of(shape, dtype='float32', block_rows=None, optimizer=None):
    kvstore = mx.kv.create('local')
    kvstore.set_optimizer(optimizer or mx.optimizer.SGD(learning_rate=1))
    return RowTable(kvstore, 'weight', shape, dtype, block_rows)


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('block_rows', [1, 5, 70_000, None])
def test_a_table_has_the_rows_that_were_read_in_pieces_in_their_order(dtype, block_rows):
    num_class = 11 if block_rows in (1, 5) else 140_001
    table, read = table_of((num_class, 2), dtype, block_rows), normal_rows((num_class, 2), dtype, seed=3)
    asked = []
    table.init(lambda start, stop: asked.append((start, stop)) or read(start, stop))
    found = np.concatenate(list(table.pieces()))
    for rows in found, table.read(0, num_class):
        np.testing.assert_array_equal(rows, read(0, num_class))
        assert rows.dtype == dtype
    starts, stops = zip(*asked)
    assert starts == (0, *stops[:-1]) and stops[-1] == num_class
    assert max(stop - start for start, stop in asked) <= 2**16


def test_rows_are_pulled_in_their_order_and_others_do_not_move():
    table = table_of((10, 2), block_rows=4)
    table.init(zeros((10, 2)))
    assert table.block_rows == 4
    rows, gradient = np.array([1, 2, 3, 9]), np.arange(8.0).reshape(4, 2)
    table.push(rows, gradient)
    np.testing.assert_array_equal(table.pull(rows).asnumpy(), -gradient)
    np.testing.assert_array_equal(np.delete(table.read(0, 10), rows, axis=0), np.zeros((6, 2)))
    np.testing.assert_array_equal(table.read(2, 4), -gradient[1:3])
    assert table.pull(np.array([], 'int64')).asnumpy().shape == (0, 2)


@pytest.mark.parametrize('rows', [[-1, 2], [2, 10], [3, 2], [2, 2], [1.0, 2.0]])
def test_row_numbers_that_mxnet_would_follow_anywhere_are_refused(rows):
    table = table_of((10, 2), block_rows=4)
    table.init(zeros((10, 2)))
    message = r'row table weight: rows .*; expected int64 numbers in 0\.\.9, distinct and in ascending order'
    with pytest.raises(ValueError, match=message):
        table.pull(np.array(rows))
    with pytest.raises(ValueError, match=message):
        table.push(np.array(rows), np.ones((2, 2)))
    assert not table.read(0, 10).any()


@pytest.mark.parametrize('base', BASES)
def test_a_push_without_rows_moves_nothing_and_counts_as_a_step(base):
    optimizer = mx.optimizer.create(base, **BASES[base])
    table = table_of((6, 2), block_rows=3, optimizer=optimizer)
    table.init(normal_rows((6, 2), sigma=1))
    for rows in [], [1], []:
        before = table.read(0, 6)
        table.push(np.array(rows, 'int64'), np.ones((len(rows), 2)))
        moved = (table.read(0, 6) != before).any(axis=1)
        np.testing.assert_array_equal(np.flatnonzero(moved), rows)
    assert optimizer._index_update_count == {'weight.0': 3, 'weight.1': 3}


@pytest.mark.parametrize('base', BASES)
def test_a_tables_optimizer_states_are_saved_and_loaded_exactly(base, tmp_path):
    def start(read):
        kvstore = mx.kv.create('local')
        kvstore.set_optimizer(mx.optimizer.create(base, **BASES[base]))
        table = RowTable(kvstore, 'weight', (6, 2), block_rows=4)
        table.init(read)
        return kvstore, table

    def push(table):
        table.push(np.array([1, 5]), np.full((2, 2), 0.5))
        return table.read(0, 6)

    path = str(tmp_path / 'states')
    kvstore, table = start(normal_rows((6, 2), sigma=1))
    push(table)
    kvstore.save_optimizer_states(path, dump_optimizer=True)  # with the counts of Adam
    loaded_kvstore, loaded = start(table.read)
    _, without = start(table.read)
    loaded_kvstore.load_optimizer_states(path)
    expected = push(table)
    np.testing.assert_array_equal(push(loaded), expected)
    assert (push(without) != expected).any()


def test_keys_are_numbered_and_blocks_have_less_than_two_gigabytes():
    assert block_keys('w', 10, 2, block_rows=4) == ['w.0', 'w.1', 'w.2']
    assert block_keys('w', 4_161_790, 129) == ['w.0']
    assert block_keys('w', 4_161_791, 129) == ['w.0', 'w.1']
    assert block_keys('w', 10**7, 129) == ['w.0', 'w.1', 'w.2']
    assert len(block_keys('w', 10**7, 129, 'float64')) == 5
    assert table_of((10, 2), block_rows=4).keys == ['weight.0', 'weight.1', 'weight.2']
    assert table_of((10, 2), block_rows=8).block_rows == 5


@pytest.mark.parametrize('options, message', [
    ({'block_rows': 0}, 'row table weight: block_rows=0 is not a whole number > 0'),
    ({'block_rows': 2**24}, 'block_rows=16777216 makes a block of 2147483648 bytes, and a key of a KVStore '
                            'holds at most 2147483647; expected block_rows <= 16777215'),
    ({'shape': (0, 2)}, 'row table weight: num_class=0 is not'),
    ({'dtype': 'float16'}, "dtype='float16' on KVStore 'local'; expected float32 or float64"),
])  # fmt: skip
def test_what_no_kvstore_can_hold_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        table_of(**{'shape': (2**25, 32), **options})
