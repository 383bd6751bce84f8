"""The optimizer `centers`: the rule for centers, whatever the base is told, and the base for the rest."""

from __future__ import annotations

import copy
import pickle

from centerloss_mx import _compat, reference
from centerloss_mx.optimizer import Centers
from centerloss_mx.symbol import joint_supervision, sync_center_loss
from centerloss_mx.symbol.tables import RowTableInfo, table_inputs

import mxnet as mx
import numpy as np
import pytest

SEED, N, IN, DIM, NUM_CLASS = 20161008, 12, 5, 3, 6
CENTERS = 'center_loss_center_weight'

# What is told the base must not reach the centers.
BASES = {
    'sgd': {'learning_rate': 0.1},
    'sgd with everything': {
        'base': 'sgd', 'learning_rate': 0.1, 'momentum': 0.9, 'wd': 0.1, 'clip_gradient': 0.01,
        'rescale_grad': 7.0, 'multi_precision': True,
    },
    'sgd with a scheduler': {
        'base': 'sgd', 'learning_rate': 0.1, 'begin_num_update': 3,
        'lr_scheduler': mx.lr_scheduler.FactorScheduler(2, 0.5, base_lr=0.1),
    },
    'nag': {'learning_rate': 0.05, 'momentum': 0.9},
    'adam': {'learning_rate': 0.01},
    'adagrad': {'learning_rate': 0.1, 'wd': 0.01},
    'rmsprop': {'learning_rate': 0.01},
}  # fmt: skip


def network(**options):
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    return joint_supervision(
        embedding, NUM_CLASS, 0.1, centers='kvstore', embedding_dim=DIM, use_ignore=True, **options
    )


def with_table(kind, name=CENTERS):
    table = RowTableInfo(name, kind, 10, DIM + 1, 'float32', label='label', ignored=None)
    return table_inputs(table)[0]


def start(optimizer='centers', params=None, contexts=1, kvstore=None, net=None):
    module = mx.mod.Module(
        network() if net is None else net,
        label_names=['softmax_label', 'center_label'],
        context=[mx.cpu(i) for i in range(contexts)],
    )
    module.bind([('data', (N, IN))], [('softmax_label', (N,)), ('center_label', (N,))])
    mx.random.seed(SEED)
    module.init_params(mx.init.Normal(0.5))
    module.init_optimizer(kvstore, optimizer, params or {'learning_rate': 0.1})
    return module


def batches(number, low=0):
    rng = np.random.RandomState(SEED)
    for _ in range(number):
        # classes 4 and 5 are absent
        yield rng.randn(N, IN).astype('float32'), rng.randint(low, NUM_CLASS - 2, N)


def step(module, x, y):
    batch = mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)] * 2)
    rows = {CENTERS: mx.nd.array(np.maximum(y, 0), dtype='int64')}
    module.prepare(batch, (lambda _: rows) if module._kvstore else None)
    module.forward_backward(batch)
    module.update()


def numbers(module):
    return {name: value.asnumpy() for name, value in module.get_params()[0].items()}


def named(name):
    params = dict(BASES[name])
    return {'base': name, **params}


# With everything that a base can be told, in every layout; with every other base in one.
LAYOUTS = [(1, None), (1, 'local'), (2, 'local'), (4, 'device')]
RUNS = [
    *(('sgd with everything', rule, *layout) for rule in ('paper', 'moving_average') for layout in LAYOUTS),
    *((base, 'paper', 2, 'local') for base in BASES if base != 'sgd with everything'),
]


@pytest.mark.parametrize('base, update, contexts, kvstore', RUNS)
def test_centers_move_by_the_rule_and_samples_are_counted(base, update, contexts, kvstore):
    module = start(params={**named(base), 'alpha': 0.3, 'update': update}, contexts=contexts, kvstore=kvstore)
    centers, seen = np.zeros((NUM_CLASS, DIM)), np.zeros(NUM_CLASS)
    for x, y in batches(6, low=-1):  # some are ignored
        before = numbers(module)
        features = x.astype(float) @ before['embedding_weight'].T + before['embedding_bias']
        centers = reference.center_update(features, y, before[CENTERS][:, :DIM], 0.3, update, ignored=-1)
        seen += [(y == j).sum() for j in range(NUM_CLASS)]
        step(module, x, y)
        after = numbers(module)[CENTERS]
        np.testing.assert_allclose(after[:, :DIM], centers, 1e-5, 1e-5)
        np.testing.assert_array_equal(after[:, DIM], seen)
    assert not after[4:].any()  # bit for bit where they were


@pytest.mark.parametrize('update', ['paper', 'moving_average'])
def test_ignored_samples_do_not_move_class_0(update):
    """Their rows of the gradient are added to its row, as zeros: n_0 = 0 is there."""
    module = start(params={'learning_rate': 0.1, 'update': update})
    for x, _ in batches(2):
        step(module, x, np.repeat([-1, 2], N // 2))
    centers = numbers(module)[CENTERS]
    assert not centers[0].any() and np.isfinite(centers[2]).all() and centers[2, DIM] == N


@pytest.mark.parametrize('base', BASES)
def test_the_other_parameters_are_the_bases_bit_for_bit(base):
    """Beside an optimizer of the base alone, which is given the same gradients."""
    module = start(params=named(base))
    params = {key: value for key, value in copy.deepcopy(named(base)).items() if key != 'base'}
    names = dict(enumerate(module._exec_group.param_names))
    params.setdefault('rescale_grad', 1 / N)
    alone = mx.optimizer.create(named(base)['base'], sym=module.symbol, param_idx2name=names, **params)
    updater, weights = mx.optimizer.get_updater(alone), {}
    executor = module._exec_group.execs[0]
    weights = {name: executor.arg_dict[name].copy() for name in names.values() if name != CENTERS}
    for x, y in batches(8):
        module.forward_backward(mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)] * 2))
        for index, name in names.items():
            if name != CENTERS:
                updater(index, executor.grad_dict[name], weights[name])
        module.update()
        for name, weight in weights.items():
            np.testing.assert_array_equal(executor.arg_dict[name].asnumpy(), weight.asnumpy(), name)


def test_it_has_the_learning_rate_and_the_multipliers_of_its_base():
    module = start(params={'base': 'sgd', 'learning_rate': 0.1})
    optimizer = module._optimizer
    assert (optimizer.learning_rate, optimizer.rescale_grad) == (0.1, 1 / N)
    optimizer.set_learning_rate(0.2)
    optimizer.set_lr_mult({'fc2_weight': 0.0})
    assert optimizer.base.lr == optimizer.learning_rate == 0.2
    before = numbers(module)
    for x, y in batches(1):
        step(module, x, y)
    np.testing.assert_array_equal(numbers(module)['fc2_weight'], before['fc2_weight'])
    assert (numbers(module)['embedding_weight'] != before['embedding_weight']).any()
    assert isinstance(optimizer, mx.optimizer.Optimizer) and optimizer.num_update == 1


@pytest.mark.parametrize(
    'duplicate', [copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer, 0))]
)
def test_a_copy_goes_on_where_the_original_does(duplicate):
    module = start(params={'base': 'adam', 'alpha': 0.3, 'update': 'moving_average', 'learning_rate': 0.01})
    for x, y in batches(2):
        step(module, x, y)
    original = module._optimizer
    other = duplicate(original)
    assert (other.alpha, other.rule, other.names) == (0.3, 'moving_average', {CENTERS})
    assert vars(other.base).keys() == vars(original.base).keys()
    assert (other.num_update, other.base._index_update_count) == (2, original.base._index_update_count)


@pytest.mark.parametrize('contexts, kvstore', [(1, None), (2, 'device')])
def test_states_saved_and_loaded_continue_exactly(contexts, kvstore, tmp_path):
    params = {'base': 'sgd', 'learning_rate': 0.1, 'momentum': 0.9}
    module = start(params=params, contexts=contexts, kvstore=kvstore)
    one, two = batches(2)
    step(module, *one)
    module.save_checkpoint(str(tmp_path / 'net'), 1, save_optimizer_states=True)
    loaded = mx.mod.Module.load(
        str(tmp_path / 'net'), 1, True, label_names=['softmax_label', 'center_label'], context=module._context
    )
    loaded.bind(module.data_shapes, module.label_shapes)
    loaded.init_optimizer(kvstore, 'centers', params)
    for each in module, loaded:
        step(each, *two)
    for name, value in numbers(module).items():
        np.testing.assert_array_equal(numbers(loaded)[name], value, name)


def test_float16_weights_have_their_float32_copies():
    """Directly: MXNet has no float16 layers on the CPU."""
    base = {'learning_rate': 1e-4, 'momentum': 0.9, 'multi_precision': True}
    both = (
        mx.optimizer.create('centers', base='sgd', sym=network(), **base),
        mx.optimizer.create('sgd', **base),
    )
    rng = np.random.RandomState(SEED)
    start, gradient = rng.randn(4, 3), mx.nd.array(rng.randn(4, 3), dtype='float16')
    trained = []
    for optimizer in both:
        weight = mx.nd.array(start, dtype='float16')
        state = optimizer.create_state_multi_precision('fc2_weight', weight)
        for _ in range(5):
            optimizer.update_multi_precision('fc2_weight', weight, gradient, state)
        trained.append(state[0].asnumpy())
    np.testing.assert_array_equal(*trained)
    assert trained[0].dtype == np.float32 and (trained[0] != start.astype('float16')).all()
    assert both[0].create_state_multi_precision(CENTERS, weight) is None
    assert both[0].create_state(CENTERS, weight) is None


def test_a_gradient_that_is_not_finite_is_refused_and_moves_nothing():
    optimizer = mx.optimizer.create('centers', sym=network(), param_idx2name={0: CENTERS})
    centers = mx.nd.ones((NUM_CLASS, DIM + 1)).tostype('row_sparse')
    gradient = np.ones((2, DIM + 1), 'float32')
    gradient[1, 0] = np.inf
    gradient = mx.nd.sparse.row_sparse_array((gradient, [1, 4]), (NUM_CLASS, DIM + 1))
    with pytest.raises(
        ValueError, match=f'gradient of {CENTERS} is not finite at class 4; expected finite feat'
    ):
        optimizer.update(0, centers, gradient, None)
    assert (centers.asnumpy() == 1).all()
    with pytest.raises(ValueError, match=f'gradient of {CENTERS} is default; expected row_sparse'):
        optimizer.update(CENTERS, centers, mx.nd.ones((NUM_CLASS, DIM + 1)), None)


def test_only_what_the_variable_says_makes_centers():
    label = mx.sym.Variable('label')
    other = mx.sym.Embedding(label, mx.sym.Variable('other_center_weight'), input_dim=3, output_dim=2)
    optimizer = mx.optimizer.create('centers', sym=mx.sym.Group([network(), other]))
    assert optimizer.names == {CENTERS}


@pytest.mark.parametrize('options, message', [
    ({'alpha': 1.5}, 'alpha=1.5 is not a number in'),
    ({'update': 'mean'}, "update='mean' is not one of paper, moving_average"),
    ({'base': 'centers'}, "base='centers' is not the name of another optimizer"),
    ({'base': mx.optimizer.SGD()}, 'is not the name of another optimizer'),
    ({'sym': mx.sym.Variable('center_loss_center_weight')}, 'the network has no centers on the KVStore'),
    ({'base': 'sgdd'}, 'Cannot find optimizer sgdd'),
    ({'sym': with_table('classes')}, 'the network has no centers on the KVStore'),
    ({'sym': None}, "optimizer 'centers' needs the network: pass sym"),
    ({'param_idx2name': {0: CENTERS, 1: 'w', 2: CENTERS}}, 'each of 2 devices would move its own'),
])  # fmt: skip
def test_what_cannot_be_used_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Centers(**{'sym': network(), **options})


def test_centers_in_a_row_table_are_the_blocks_of_its_name():
    net = mx.sym.Group([with_table('centers'), with_table('classes', 'fc2_weight')])
    keys = [f'{CENTERS}.0', f'{CENTERS}.1', 'fc2_weight.0']
    optimizer = Centers(sym=net, param_idx2name={0: 'fc1_bias'}, table_keys=keys)
    assert optimizer.names == {CENTERS}
    weight = mx.nd.ones((10, DIM + 1))
    has_state = [optimizer.create_state(index, weight) is not None for index in (*keys, 1, 2, 3)]
    assert not any(has_state[:2] + has_state[3:5])
    copy = pickle.loads(pickle.dumps(optimizer, 0))
    assert copy.table_keys == tuple(keys)
    with pytest.raises(
        ValueError, match='key 4 is neither a parameter nor a block of a row table: pass param'
    ):
        copy.update(4, weight, weight, None)


@pytest.mark.parametrize('index', [f'{CENTERS}.0', 1])
def test_a_gradient_without_rows_is_no_update_of_centers(index):
    optimizer = Centers(sym=with_table('centers'), param_idx2name={0: 'w'}, table_keys=[f'{CENTERS}.0'])
    centers = mx.nd.ones((10, DIM + 1)).tostype('row_sparse')
    optimizer.update_multi_precision(index, centers, mx.nd.sparse.zeros('row_sparse', (10, DIM + 1)), None)
    assert (centers.asnumpy() == 1).all()


@pytest.mark.parametrize('alpha', [0, 1])
def test_the_ends_of_the_range_of_alpha_are_steps(alpha):
    """At 1, by moving average, each center is where its samples' mean is."""
    module = start(params={'learning_rate': 0.1, 'alpha': alpha, 'update': 'moving_average'})
    before = numbers(module)
    for x, y in batches(1):
        step(module, x, y)
    features = x @ before['embedding_weight'].T + before['embedding_bias']
    means = [alpha * features[y == j].mean(axis=0) for j in range(NUM_CLASS - 2)]
    np.testing.assert_allclose(numbers(module)[CENTERS][: NUM_CLASS - 2, :DIM], means, atol=1e-6)


@pytest.mark.parametrize('module_kvstore', [None, 'local'])
def test_devices_that_would_update_by_themselves_are_refused(module_kvstore, monkeypatch):
    if module_kvstore:
        monkeypatch.setenv('MXNET_UPDATE_ON_KVSTORE', '0')
    with pytest.raises(ValueError, match="Use kvstore='device' or 'dist_sync'"):
        start(contexts=2, kvstore=module_kvstore)


@pytest.mark.slow
def test_local_above_two_to_the_24_elements_is_refused_and_device_is_not():
    """There 'local' would silently have each device move centers of its own."""
    num_class = 2**24 // (DIM + 1) + 1
    embedding = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')
    label = mx.sym.Variable('center_label')
    net = mx.sym.Group([
        mx.sym.SoftmaxOutput(mx.sym.FullyConnected(embedding, num_hidden=NUM_CLASS), name='softmax'),
        sync_center_loss(embedding, label, num_class, DIM, 0.1),
    ])  # fmt: skip
    with pytest.raises(ValueError, match=r'stops updating when a parameter exceeds 2\^24 elements'):
        start(contexts=2, kvstore='local', net=net)
    module = start(contexts=2, kvstore='device', net=net)
    for x, y in batches(1):
        step(module, x, y)
        np.testing.assert_array_equal(
            numbers(module)[CENTERS][:NUM_CLASS, DIM], np.bincount(y, minlength=NUM_CLASS)
        )


def test_an_optimizer_of_another_version_is_refused_on_arrival(monkeypatch):
    sent = pickle.dumps(mx.optimizer.create('centers', sym=network()), 0)
    monkeypatch.setattr(_compat, 'VERSION', '9.9')
    with pytest.raises(
        RuntimeError, match=r'was pickled by centerloss_mx \S+, but this process has 9.9: install the same'
    ):
        pickle.loads(sent)
