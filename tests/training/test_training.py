"""One training: what it serves, measures, leaves behind, and goes on with."""

from __future__ import annotations

import csv

from centerloss_mx.dataset import as_arrays, load_samples
from centerloss_mx.evaluation import cluster_ratio
from centerloss_mx.model import FeatureExtractor, feature_extractor, latest_checkpoint
from centerloss_mx.model_zoo import lenet
from centerloss_mx.symbol import LOSSES, supervised
from centerloss_mx.training import IGNORE_LABEL, Hook, Training, contexts, num_batches

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

NUM_CLASS, BATCH = 4, 8


@pytest.fixture(scope='module')
def samples():
    """42 pictures, each a pattern of its class under noise: five batches of 8 and a rest of 2."""
    rng = np.random.RandomState(20161008)
    labels = rng.permutation(np.arange(42) % NUM_CLASS)
    patterns = rng.randint(0, 150, (NUM_CLASS, 16, 16))
    images = patterns[labels] + rng.randint(0, 100, (42, 16, 16))
    return as_arrays(images.astype('uint8'), np.array(['a', 'b', 'c', 'd'])[labels])


def network(loss='center_loss', **options):
    if loss == 'center_loss':
        options['batchsize'] = BATCH
    if loss not in ('softmax', 'large_margin_gaussian_mixture'):
        options = {'scale': 0.01, 'use_ignore': True, 'ignore_label': IGNORE_LABEL, **options}
    return supervised(lenet(3), NUM_CLASS, loss, 3, **options)


def training(samples, test=None, loss='center_loss', num_epoch=3, **options):
    params = {'learning_rate': 0.01, 'momentum': 0.9}
    if loss == 'sync_center_loss':
        options['optimizer'], params['base'] = 'centers', 'sgd'
    options = {'optimizer_params': params, 'seed': 5, **options}
    return Training(network(loss), samples, test, loss, BATCH, num_epoch, **options)


def parameters(module):
    return {name: value.asnumpy() for params in module.get_params() for name, value in params.items()}


@pytest.mark.parametrize('loss', LOSSES)
def test_every_loss_trains_and_learns(samples, loss):
    params = {'learning_rate': 0.03, 'momentum': 0.9}
    if loss == 'sync_center_loss':
        params['base'] = 'sgd'
    trained = training(samples, samples, loss, num_epoch=8, optimizer_params=params)
    trained.fit()
    assert [row['epoch'] for row in trained.history] == list(range(1, 9))
    assert trained.history[-1]['test_accuracy'] > 0.9
    assert (trained.centers is None) == (loss == 'softmax')
    if loss != 'softmax':
        assert trained.centers.shape == (NUM_CLASS, 3)


def test_a_row_of_the_history_is_what_the_network_does(samples):
    test = samples.take(np.arange(11))
    trained = training(samples, test, num_epoch=2)
    module = trained.fit()
    features = FeatureExtractor(module.symbol, *module.get_params()).predict(test.images)
    scores = FeatureExtractor(module.symbol, *module.get_params(), layer='fc2_output').predict(test.images)
    found, predicted = trained.predict(test)
    np.testing.assert_allclose(found, features, rtol=1e-5, atol=1e-6)
    assert predicted.tolist() == scores.argmax(axis=1).tolist()
    arg_params, aux_params = module.get_params()
    module.set_params({**arg_params, 'fc2_bias': mx.nd.array([0, 0, 1e6, 0])}, aux_params)
    assert trained.predict(test)[1].tolist() == [2] * 11
    row = trained.history[-1]
    assert row['test_accuracy'] == (scores.argmax(axis=1) == test.labels).mean()
    assert row['ratio'] == pytest.approx(cluster_ratio(features, test.labels).ratio, rel=1e-5)
    assert list(row) == ['epoch', 'train_accuracy', 'test_accuracy', 'own', 'between', 'ratio', 'seconds']


def test_padding_moves_no_center(samples):
    """One epoch in the order of the seed, by hand: each sample counts once."""
    trained = training(samples, loss='sync_center_loss', num_epoch=1)
    weight = parameters(trained.fit())['center_loss_center_weight']
    np.testing.assert_array_equal(weight[:, -1], np.bincount(samples.labels))


def test_a_loss_that_ignores_nothing_is_served_the_classes_of_padding(samples):
    """As `supervised` makes it: the label of a row that only pads would be an error there."""
    net = supervised(lenet(3), NUM_CLASS, 'sync_center_loss', 3, scale=0.01)
    params = {'base': 'sgd', 'learning_rate': 0.01}
    trained = Training(net, samples, batch_size=BATCH, optimizer='centers', optimizer_params=params)
    weight = parameters(trained.fit())['center_loss_center_weight']
    assert weight[:, -1].sum() == 48  # the last batch is filled up with samples


def test_it_leaves_the_last_checkpoint_and_the_whole_history(samples, tmp_path):
    trained = training(samples, samples)
    seen = []

    def on_epoch(one, features):
        assert one is trained and features.shape == (42, 3)
        seen.append((one.history[-1]['epoch'], latest_checkpoint(tmp_path / 'net')))

    trained.fit(tmp_path / 'net', tmp_path / 'net.csv', on_epoch=on_epoch)
    assert seen == [(1, None), (2, 1), (3, 2)]
    assert {path.name for path in tmp_path.iterdir()} == {
        'net.csv', 'net-samples.npz', 'net-symbol.json', 'net-0003.params', 'net-0003.states'
    }  # fmt: skip
    with open(tmp_path / 'net.csv', newline='') as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert rows == trained.history
    extractor = feature_extractor(tmp_path / 'net')
    assert extractor.class_names == ['a', 'b', 'c', 'd'] and extractor.pictures is False
    assert extractor.data_shape == (1, 16, 16)


def test_resumed_it_ends_with_the_numbers_of_an_uninterrupted_one(samples, tmp_path):
    whole = training(samples, samples)
    expected = parameters(whole.fit())
    interrupted = training(samples, samples)

    def stop(one, features):
        if len(one.history) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(tmp_path / 'net', tmp_path / 'net.csv', on_epoch=stop)
    assert latest_checkpoint(tmp_path / 'net') == 1
    again = training(samples, samples)
    found = parameters(again.fit(tmp_path / 'net', tmp_path / 'net.csv', begin_epoch=1))
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    without = [{name: value for name, value in row.items() if name != 'seconds'} for row in whole.history]
    assert [{name: row[name] for name in without[0]} for row in again.history] == without


def dropout_network():
    net = mx.sym.Dropout(mx.sym.Flatten(mx.sym.Variable('data')), p=0.5)
    return supervised(mx.sym.FullyConnected(net, num_hidden=3, name='embedding'), NUM_CLASS, 'softmax', 3)


@pytest.mark.parametrize('what', ['dropout', 'adam', 'mirror'])
def test_what_an_epoch_draws_and_counts_is_the_same_when_it_is_resumed(samples, tmp_path, what):
    options = {'optimizer_params': {'learning_rate': 0.01}, 'seed': 3}
    if what == 'adam':
        options['optimizer'] = 'adam'  # which counts its updates
    if what == 'mirror':
        for i, (image, label) in enumerate(zip(samples.images[:, 0], samples.labels)):
            path = tmp_path / 'all' / str(label) / f'{i}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((255 * image).astype('uint8')).save(path)
        samples = load_samples(tmp_path / 'all')
        options.update(rand_mirror=True, image_size=16)

    def fit(num_epoch, *args, **kwargs):
        one = Training(dropout_network(), samples, batch_size=BATCH, num_epoch=num_epoch, **options)
        return parameters(one.fit(*args, **kwargs))

    expected = fit(3)
    fit(2, tmp_path / 'net')
    for name, value in fit(3, tmp_path / 'net', begin_epoch=2).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_other_samples_and_half_a_history_are_refused(samples, tmp_path):
    training(samples, num_epoch=2).fit(tmp_path / 'net', tmp_path / 'net.csv')
    other = samples._replace(class_names=['a', 'b', 'c', 'x'])
    with pytest.raises(
        ValueError, match=r'net was trained on 4 classes \(a, b, c, d\), but these samples have 4 \(a, b'
    ):
        training(other).fit(tmp_path / 'net', begin_epoch=2)
    lines = (tmp_path / 'net.csv').read_text().splitlines(True)
    (tmp_path / 'net.csv').write_text(''.join(lines[:2]))
    with pytest.raises(ValueError, match=r'net.csv has 1 epoch, but the checkpoint .*net is of epoch 2$'):
        training(samples).fit(tmp_path / 'net', tmp_path / 'net.csv', begin_epoch=2)


def test_divergence_is_seen_without_test_samples(samples):
    with pytest.raises(ValueError, match=r'softmax, epoch 1: training diverged \(.* is not finite\)'):
        training(samples, None, 'softmax', optimizer_params={'learning_rate': 1e38}).fit()


def test_a_training_begins_after_its_first_batch(samples):
    begun = []
    training(samples, num_epoch=2).fit(on_begin=lambda: begun.append(1))
    assert begun == [1]
    with pytest.raises(ValueError, match='rand_mirror=True'):
        training(samples, rand_mirror=True).fit(on_begin=lambda: begun.append(2))
    assert begun == [1]


def test_a_damaged_history_is_named(samples, tmp_path):
    training(samples, num_epoch=1).fit(tmp_path / 'net', tmp_path / 'net.csv')
    (tmp_path / 'net.csv').write_text('epoch,seconds\n1,many\n')
    with pytest.raises(ValueError, match=r'net.csv: not the history of a training, or the file is truncated'):
        training(samples).fit(tmp_path / 'net', tmp_path / 'net.csv', begin_epoch=1)


def test_it_goes_on_from_a_checkpoint_only(samples):
    with pytest.raises(ValueError, match=r'begin_epoch=2, prefix=None: expected the prefix of a checkpoint'):
        training(samples).fit(begin_epoch=2)


def test_before_fit_there_is_no_network(samples):
    one = training(samples)
    assert one.module is None and one.history == [] and one.test_features.shape == (0, 0)
    for read in lambda: one.predict(samples), lambda: one.centers, one.parameters:
        with pytest.raises(
            ValueError, match=r'center_loss: the network has no parameters yet; call fit first'
        ):
            read()


def test_a_network_without_softmax_is_refused(samples):
    with pytest.raises(ValueError, match=r'the outputs embedding_output; expected softmax_output'):
        Training(lenet(3), samples)


@pytest.mark.parametrize('rank', [0, 1])
def test_the_worker_of_rank_0_leads(samples, rank):
    class Store:
        num_workers = 2

    Store.rank = rank
    assert Training(network(), samples, kvstore=Store()).leads == (rank == 0)


def test_two_devices_train_the_centers_of_one(samples):
    one = training(samples, loss='sync_center_loss', num_epoch=1, kvstore='device').fit()
    two = training(
        samples, loss='sync_center_loss', num_epoch=1, kvstore='device', context=contexts('cpu:0,cpu:1')
    ).fit()
    expected = parameters(one)['center_loss_center_weight']
    np.testing.assert_allclose(parameters(two)['center_loss_center_weight'], expected, rtol=1e-3, atol=1e-4)


def test_it_starts_from_the_parameters_given(samples):
    given = {'conv1_weight': mx.nd.ones((20, 1, 5, 5)), 'other': mx.nd.ones(3)}
    trained = training(
        samples, num_epoch=1, arg_params=given, optimizer_params={'learning_rate': 1e-12}
    ).fit()
    np.testing.assert_allclose(parameters(trained)['conv1_weight'], 1, rtol=1e-6)


def test_divergence_says_what_to_lower(samples):
    lower = r'lower learning_rate \(1e\+30\) or scale$'
    with pytest.raises(ValueError, match=rf'softmax, epoch 1: training diverged \(.*\); {lower}'):
        training(samples, samples, 'softmax', optimizer_params={'learning_rate': 1e30}).fit()


class InterruptAtTheSecondBatch(Hook):
    """The metrics have not read the losses of this batch yet."""

    def batch_end(self, training, param):
        if param.nbatch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    'hooks, error', [([], mx.MXNetError), ([InterruptAtTheSecondBatch()], KeyboardInterrupt)]
)
def test_after_a_training_that_failed_another_one_has_the_same_numbers(samples, hooks, error, capfd):
    """A batch whose error nobody has read has failed: MXNet would raise this error in the next training."""
    expected = parameters(training(samples, samples, num_epoch=1).fit())
    with pytest.raises(error):
        training(samples, hooks=hooks, optimizer_params={'learning_rate': 1e30}).fit()
    assert 'ValueError: centerloss: the loss of this batch, ' in capfd.readouterr().out
    after = parameters(training(samples, samples, num_epoch=1).fit())
    for name, value in expected.items():
        np.testing.assert_array_equal(after[name], value, name)


def test_test_samples_of_one_class_are_refused_before_anything_is_trained_or_written(samples, tmp_path):
    rows = np.flatnonzero(samples.labels == samples.labels[3])
    one_class = samples._replace(images=samples.images[rows], labels=samples.labels[rows])
    message = f'^softmax: the {len(rows)} test samples are of 1 class; expected two or more'
    with pytest.raises(ValueError, match=message):
        training(samples, one_class, 'softmax').fit(tmp_path / 'net')
    assert not [*tmp_path.iterdir()]


def test_a_batch_is_counted_for_each_part_of_the_samples(samples):
    assert [num_batches(samples, size) for size in (1, 8, 42, 43)] == [42, 6, 1, 1]
