"""Center losses are found in any network by what they are, never by how a name ends."""

from __future__ import annotations

import json
from pathlib import Path

from centerloss_mx import gluon, symbol
from centerloss_mx.symbol.description import find_center_loss, kvstore_centers, with_batchsize

import mxnet as mx
import pytest

NUM_CLASS, DIM = 5, 4
STORAGE = {'center_loss': 'auxiliary state', 'sync_center_loss': 'kvstore'}
FACTORIES = [loss for loss in symbol.LOSSES if loss != 'softmax']
FILES = Path(__file__).parent / 'without_descriptions'


def embedding():
    return mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=DIM, name='embedding')


def network(loss, **options):
    options = {} if loss == 'softmax' else {'use_ignore': True, 'ignore_label': -1, **options}
    return symbol.supervised(embedding(), NUM_CLASS, loss, DIM, **options)


def expected_of(loss):
    """What `describe` must say of the only center loss in `network(loss)`."""
    name = {'sync_center_loss': 'center_loss', 'large_margin_gaussian_mixture': 'gaussian_mixture'}.get(
        loss, loss
    )
    label = 'softmax_label' if loss == 'large_margin_gaussian_mixture' else 'center_label'
    running = loss in STORAGE
    return symbol.CenterLossInfo(
        name=name,
        storage=STORAGE.get(loss, 'parameter'),
        centers=f'{name}__center_bias' if loss == 'center_loss' else f'{name}_center_weight',
        num_class=NUM_CLASS,
        ignored=-1,
        normalization='null' if running else None,
        label=label,
        feature='embedding_output',
        output=f'{name}_output',
        batch_states=(f'{name}__diff_bias', f'{name}__sum_bias') if loss == 'center_loss' else (),
    )


@pytest.mark.parametrize('loss', FACTORIES)
def test_every_loss_is_described_also_after_json(loss):
    net = network(loss)
    assert symbol.describe(net) == [expected_of(loss)]
    assert symbol.describe(mx.sym.load_json(net.tojson())) == [expected_of(loss)]


@pytest.mark.parametrize('loss', FACTORIES)
def test_networks_from_before_descriptions_are_described_the_same(loss):
    assert symbol.describe(mx.sym.load(str(FILES / f'{loss}.json'))) == [expected_of(loss)]


def test_names_with_a_prefix_from_before_descriptions_are_found():
    learned, sync = symbol.describe(mx.sym.load(str(FILES / 'prefixed.json')))
    assert (learned.name, learned.centers) == ('learned_center_loss', 'learned_center_loss_center_weight')
    assert (sync.name, sync.centers, sync.output) == (
        'center_loss', 'center_loss_center_weight', 'net_center_loss_output'
    )  # fmt: skip


def test_softmax_alone_and_layers_that_only_sound_like_centers_are_no_center_loss():
    net = mx.sym.FullyConnected(embedding(), num_hidden=NUM_CLASS, name='face_center')
    assert 'face_center_weight' in net.list_arguments()
    assert symbol.describe(mx.sym.SoftmaxOutput(net, name='softmax')) == []
    assert symbol.describe(network('softmax')) == []


def test_the_operator_of_a_classic_script_is_described():
    loss = mx.sym.Custom(
        data=embedding(), label=mx.sym.Variable('y'), op_type='centerloss', num_class=NUM_CLASS, name='c_'
    )
    assert symbol.describe(loss)[0]._asdict() == {
        'name': 'c',
        'storage': 'auxiliary state',
        'centers': 'c__center_bias',
        'num_class': NUM_CLASS,
        'ignored': None,
        'normalization': 'batch',
        'label': 'y',
        'feature': 'embedding_output',
        'output': 'c__output',
        'batch_states': ('c__diff_bias', 'c__sum_bias'),
        'scale': None,
    }
    assert symbol.describe(mx.sym.MakeLoss(loss, name='c'))[0].output == 'c_output'
    assert symbol.describe(mx.sym.MakeLoss(loss, name='c') * 2)[0].output is None


def test_a_gluon_block_in_a_symbol_is_described():
    block = gluon.CenterLoss(NUM_CLASS, DIM, prefix='block_')
    info = symbol.describe(block(mx.sym.Variable('x'), mx.sym.Variable('y')))[0]
    assert (info.centers, info.storage, info.label, info.feature) == (
        'block_center_bias', 'auxiliary state', 'y', 'x'
    )  # fmt: skip
    assert (info.normalization, info.batch_states) == (None, ())


def test_a_label_that_another_operator_computes_has_that_operators_name():
    label = mx.sym.identity(mx.sym.Variable('y'), name='moved')
    assert symbol.describe(symbol.center_loss(embedding(), label, NUM_CLASS))[0].label == 'moved_output'
    assert symbol.describe(symbol.island_loss(embedding(), label, NUM_CLASS, DIM))[0].label == 'moved_output'


def test_several_losses_are_told_apart_by_name():
    label = mx.sym.Variable('y')
    net = mx.sym.Group([
        symbol.center_loss(embedding(), label, NUM_CLASS, name='first'),
        symbol.island_loss(mx.sym.Variable('other'), label, NUM_CLASS, DIM, name='second'),
    ])  # fmt: skip
    assert [info.name for info in symbol.describe(net)] == ['first', 'second']
    assert find_center_loss(net, 'second').feature == 'other'
    with pytest.raises(
        ValueError, match=r'name=None: expected the name of a center loss .* it has first, second'
    ):
        find_center_loss(net)
    with pytest.raises(ValueError, match=r"name='third': expected .* it has first, second"):
        find_center_loss(net, 'third')
    with pytest.raises(ValueError, match='it has none'):
        find_center_loss(embedding())


def test_only_centers_on_the_kvstore_are_the_optimizers():
    assert kvstore_centers(network('sync_center_loss')) == {'center_loss_center_weight'}
    assert kvstore_centers(mx.sym.load(str(FILES / 'sync_center_loss.json'))) == {'center_loss_center_weight'}
    assert kvstore_centers(network('learned_center_loss')) == kvstore_centers(network('center_loss')) == set()


@pytest.mark.parametrize('batchsize', [0, -1, 2.5, True, 2**31])
def test_a_capacity_is_a_size(batchsize):
    with pytest.raises(ValueError, match=f'batchsize={batchsize!r} is not a whole number > 0 and < 2'):
        with_batchsize(network('center_loss'), batchsize)


def test_another_capacity_changes_the_shape_of_the_differences_only():
    shapes = {'data': (3, 7), 'center_label': (3,), 'softmax_label': (3,)}
    before, after = (
        network('center_loss', batchsize=8),
        with_batchsize(network('center_loss', batchsize=8), 64),
    )
    changed = [
        (name, old, new)
        for name, old, new in zip(
            before.list_auxiliary_states(), before.infer_shape(**shapes)[2], after.infer_shape(**shapes)[2]
        )
        if old != new
    ]
    assert changed == [('center_loss__diff_bias', (8, DIM), (64, DIM))]


@pytest.mark.parametrize('loss', FACTORIES)
def test_inputs_that_are_composed_later_are_described(loss):
    given = mx.sym.Variable('x'), mx.sym.Variable('y')
    factory = getattr(symbol, loss)
    dim = {} if loss == 'center_loss' else {'embedding_dim': DIM}
    net = factory(*given, num_class=NUM_CLASS, **dim)(x=embedding(), y=mx.sym.Variable('late'))
    info = symbol.describe(net)[0]
    assert (info.label, info.feature) == ('late', 'embedding_output')


def changed(change, old='"storage": "parameter"'):
    """An island loss whose description is changed in its JSON."""
    text = network('island_loss').tojson()
    escaped = old.replace('"', '\\"')
    assert escaped in text
    return mx.sym.load_json(text.replace(escaped, change.replace('"', '\\"')))


def test_facts_that_a_later_version_adds_are_passed_over():
    assert symbol.describe(changed('"storage": "parameter", "newer": [1]')) == [expected_of('island_loss')]


@pytest.mark.parametrize('change', ['"storage": ', '"stored": "parameter"', '"storage": "moon"'])
def test_a_damaged_description_is_named(change):
    with pytest.raises(
        ValueError, match='island_loss: attribute __center_loss__ does not describe a center loss'
    ):
        symbol.describe(changed(change))


def test_attributes_of_the_users_own_are_no_center_loss():
    net = mx.sym.BlockGrad(mx.sym.Variable('y', attr={'__num_class__': '7'}), attr={'__num_class__': '7'})
    assert symbol.describe(net) == []
    cut = mx.sym.load(str(FILES / 'island_loss.json')).get_internals()['embedding_output']
    assert symbol.describe(cut) == []


def test_of_several_losses_the_one_with_the_default_name_is_meant():
    label = mx.sym.Variable('y')
    net = mx.sym.Group([
        symbol.center_loss(embedding(), label, NUM_CLASS),
        symbol.island_loss(embedding(), label, NUM_CLASS, DIM),
    ])  # fmt: skip
    assert find_center_loss(net).name == 'center_loss'


@pytest.mark.parametrize('loss', ['learned_center_loss', 'island_loss', 'contrastive_center_loss'])
@pytest.mark.parametrize('layer', ['loss_center', 'center_loss_center', '_loss_center'])
def test_a_layer_before_a_loss_without_description_is_not_its_centers(loss, layer):
    """The layer's name ends as that of centers, and the loss's name ends as what is before it."""
    graph = json.loads((FILES / f'{loss}.json').read_text())
    for node in graph['nodes']:
        node['name'] = node['name'].replace('embedding_weight', f'{layer}_weight')
    info = symbol.describe(mx.sym.load_json(json.dumps(graph)))
    assert [(one.name, one.centers) for one in info] == [(loss, f'{loss}_center_weight')]
