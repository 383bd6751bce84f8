"""`evaluate` of several files: one table, and means over trainings that differ in the seed only."""

from __future__ import annotations

import json
from pathlib import Path

from centerloss_mx import evaluation
from centerloss_mx.model import Features, load_features, save_features

import numpy as np
import pytest
from cli_data import TRAIN

CLASSES = [f'p{j}' for j in range(8)]
LABELS = np.tile(np.arange(8), 6)


@pytest.fixture
def make(call, tmp_path):
    """Write features of one set of samples; a record of the training is written where there is a seed."""

    def make(name, seed=None, noise=0.7, rows=slice(None), **settings):
        rng = np.random.RandomState(20161008 + (seed or 0))
        values = rng.randn(8, 4)[LABELS] + noise * rng.randn(48, 4)
        recorded = None if seed is None else {**settings, 'seed': seed}
        found = Features(values[rows], LABELS[rows], CLASSES, trained_on=['q'], training_settings=recorded)
        save_features(tmp_path / name, found)
        return found

    return make


def measured(protocol, name):
    return json.loads(Path(f'{name}-{protocol}.json').read_text())['results']


def test_the_table_has_a_row_for_each_file_and_mean_and_deviation_over_seeds(call, make):
    made = [make(f's{seed}.npz', seed, loss='softmax') for seed in (1, 2, 3)]
    made += [make(f'c{seed}.npz', seed, 0.4, loss='center_loss', scale=0.01) for seed in (1, 2)]
    printed = call('evaluate', 'retrieve', 's1.npz', 'c1.npz', 's2.npz', 's3.npz', 'c2.npz')
    found = [evaluation.retrieval(one.features, one.labels) for one in made]
    cells = np.array([[one.precision_at_1, one.r_precision, one.map_at_r, one.recall_at_10] for one in found])

    def row(name, numbers):
        return f'    {name:15}  {numbers[0]:>15}  {numbers[1]:>15}  {numbers[2]:>15}  {numbers[3]:>15}'

    def rows(names, some):
        means, deviations = some.mean(axis=0), some.std(axis=0, ddof=1)
        lines = [row(name, [f'{x:.4f}' for x in one]) + f'{48:>13}' for name, one in zip(names, some)]
        spread = [f'{mean:.4f} ± {deviation:.4f}' for mean, deviation in zip(means, deviations)]
        return [*lines, row(f'mean of {len(some)} seeds', spread)]

    assert printed.splitlines() == [
        'retrieve, 5 files, cosine distance; ±: sample standard deviation over seeds',
        row('', ['precision at 1', 'r precision', 'map at r', 'recall at 10']) + '  num queries',
        'loss softmax',
        *rows(['s1.npz', 's2.npz', 's3.npz'], cells[:3]),
        'loss center_loss, scale 0.01',
        *rows(['c1.npz', 'c2.npz'], cells[3:]),
    ]
    assert not list(Path().glob('*.json'))


def test_the_json_file_has_what_each_file_alone_would_have_and_the_means(call, make):
    for seed in 1, 2, 3:
        make(f's{seed}.npz', seed, loss='softmax')
    make('old.npz')
    names = ['s1.npz', 's2.npz', 's3.npz', 'old.npz']
    call('evaluate', 'retrieve', *names, '--metric', 'euclidean', '-o', 'all.json')
    content = json.loads(Path('all.json').read_text())
    assert content['options'] == {'protocol': 'retrieve', 'references': None, 'metric': 'euclidean'}
    for name, one in zip(names, content['files']):
        call('evaluate', 'retrieve', name, '--metric', 'euclidean', '--force')
        alone = json.loads(Path(f'{name[:-4]}-retrieve.json').read_text())
        assert one['files'] == {'features': name}
        assert (one['results'], one['classes']) == (alone['results'], alone['classes'])
    (mean,) = content['means']
    assert mean['features'] == names[:3] and mean['seeds'] == [1, 2, 3]
    values = [measured('retrieve', f's{seed}')['macro_map_at_r'] for seed in (1, 2, 3)]
    assert mean['mean']['macro_map_at_r'] == np.mean(values)
    assert mean['sample_standard_deviation']['macro_map_at_r'] == np.std(values, ddof=1)
    assert 'num_queries' not in mean['mean'] and 'recall_at_100' not in mean['mean']
    with pytest.raises(SystemExit, match=r'all.json already exists; --force replaces it'):
        call('evaluate', 'retrieve', *names, '-o', 'all.json')


@pytest.mark.parametrize('second, reason', [
    ({'seed': 1, 'loss': 'a'}, ['    no mean: seeds 1, 1']),
    ({'seed': 2, 'loss': 'b'}, ['loss a', 'loss b']),
    ({'seed': 2, 'loss': 'a', 'lr': 0.1}, ['lr not given', 'lr 0.1']),
    ({'seed': 2, 'loss': 'a', 'samples': 'ab'}, ['other samples than one.npz']),
    ({'seed': 2, 'loss': 'a', 'rows': slice(40)}, ['other samples than one.npz']),
    ({}, ['training not recorded']),
])  # fmt: skip
def test_what_does_not_differ_in_the_seed_only_is_not_averaged_and_the_table_says_why(
    call, make, second, reason
):
    make('one.npz', 1, loss='a', samples='cd' if 'samples' in second else None)
    make('two.npz', **{**second, 'noise': 0.5})
    printed = call('evaluate', 'cluster', 'one.npz', 'two.npz', '-o', 'x.json').splitlines()
    assert printed[0] == 'cluster, 2 files, Euclidean distance'
    assert [line for line in printed[2:] if '.npz  ' not in line] == reason
    assert json.loads(Path('x.json').read_text())['means'] == []


def test_a_setting_that_is_not_given_is_as_one_that_an_earlier_version_did_not_know(call, make):
    make('new.npz', 1, loss='a', wd=None)
    make('old.npz', 2, loss='a')
    assert 'mean of 2 seeds' in call('evaluate', 'cluster', 'new.npz', 'old.npz')


def test_digests_of_samples_count_more_than_names_where_both_files_have_them(call, make):
    made = [make(f's{seed}.npz', seed, samples='ab') for seed in (1, 2)]
    save_features('s2.npz', made[1]._replace(names=[f'elsewhere/{i}.png' for i in range(48)]))
    assert 'mean of 2 seeds' in call('evaluate', 'cluster', 's1.npz', 's2.npz')


def test_two_files_of_a_network_are_a_row_of_knn_reid_and_identify(call, refused, make):
    rng = np.random.RandomState(0)
    for seed in 1, 2:
        made = make('x.npz', seed, loss='softmax')
        names = [f'{label:04}_c{i // 8 % 2 + 1}s1_{i}.jpg' for i, label in enumerate(LABELS)]
        for name in 'known', 'probes':
            values = made.features + 0.3 * rng.randn(48, 4)
            of_seed = made._replace(features=values, names=[name + one for one in names], network=str(seed))
            save_features(f'{name}{seed}.npz', of_seed)
    files = ['known1.npz', 'probes1.npz', 'known2.npz', 'probes2.npz']
    for protocol, column, options in [
        ('knn', 'nearest_mean_accuracy', ['--num-neighbors', 3]),
        ('identify', 'rank_1', []),
        ('reid', 'map', ['--identity', r'(\d+)_', '--rerank']),
    ]:
        printed = call('evaluate', protocol, *files, *options, '--metric', 'euclidean').splitlines()
        name = 'known' if protocol == 'reid' else 'probes'  # queries come first
        call('evaluate', protocol, *files[:2], *options, '--metric', 'euclidean')
        call('evaluate', protocol, *files[2:], *options, '--metric', 'euclidean')
        both = [measured(protocol, f'{name}{seed}')[column] for seed in (1, 2)]
        ranked = ', re-ranked' if protocol == 'reid' else ''
        assert printed[0].startswith(f'{protocol}, 2 files, Euclidean distance{ranked}; ±')
        assert [line.split()[0] for line in printed[2:4]] == [f'{name}1.npz', f'{name}2.npz']
        assert f'{np.mean(both):.4f} ± {np.std(both, ddof=1):.4f}' in printed[4]
    status, line = refused('evaluate', 'knn', *files[:3])
    assert status == 1 and 'known2.npz is the last of 3 files; expected train and features of each' in line
    status, line = refused('evaluate', 'knn', *files[:2], 'known1.npz', 'probes2.npz')
    assert status == 1 and 'probes2.npz and known1.npz are features of different networks' in line


def test_verification_draws_one_picture_and_averages_the_curves_of_a_training(call, make):
    for seed in 1, 2:
        make(f's{seed}.npz', seed, loss='softmax')
    make('c.npz', 1, 0.4, loss='center_loss')
    options = ['--num-folds', 4, '--num-pairs', 20, '--roc', 'roc.svg']
    printed = call('evaluate', 'verify', 's1.npz', 's2.npz', 'c.npz', *options).splitlines()
    assert printed[0] == 'verify, 3 files, cosine distance; ±: sample standard deviation over seeds'
    assert printed[1].split('  ')[-1].strip() == 'seen in training' and printed[3].endswith('  no')
    text = Path('roc.svg').read_text()
    assert '<!-- loss softmax, mean of 2 -->' in text and '<!-- c.npz -->' in text


@pytest.mark.parametrize('files, message', [
    (['good.npz', 'none.npz'], 'none.npz does not exist; expected the arrays features and labels'),
    (['good.npz', 'bare.npz'], 'bare.npz: the features have no labels; expected those of samples'),
    (['good.npz', './good.npz'], './good.npz: given twice; expected each file once'),
    (['good.npz', 'alone.npz'], 'alone.npz: each of the 3 samples is alone in its class'),
    (['good.npz', 'alone.npz', '-o', 'x.csv'], 'x.csv: expected a file that ends in .json'),
])  # fmt: skip
def test_a_file_of_several_that_cannot_be_measured_is_named_and_nothing_is_written(
    refused, make, files, message
):
    make('good.npz', 1)
    save_features('bare.npz', Features(np.eye(3), np.full(3, -1), []))
    np.savez('alone.npz', features=np.eye(3), labels=[0, 1, 2])
    before = sorted(Path().iterdir())
    status, line = refused('evaluate', 'retrieve', *files)
    assert status == 1 and message in line
    assert sorted(Path().iterdir()) == before


def test_every_file_is_read_before_one_is_measured(refused, make, monkeypatch):
    make('good.npz', 1)
    for name in 'score_queries', 'knn_predict':
        monkeypatch.setattr(evaluation, name, lambda *_, **__: pytest.fail('measured'))
    status, line = refused('evaluate', 'retrieve', 'good.npz', 'none.npz')
    assert status == 1 and 'none.npz does not exist' in line
    made = make('train.npz', 1)
    for name in 'a', 'b':
        save_features(f'{name}.npz', made._replace(network=name))
    status, line = refused('evaluate', 'knn', 'train.npz', 'good.npz', 'a.npz', 'b.npz')
    assert status == 1 and 'b.npz and a.npz are features of different networks' in line


def test_what_embed_records_groups_trainings_that_differ_in_the_seed_only(data, call):
    for name, options in {
        'a1': ['--seed', 1],
        'a2': ['--seed', 2],
        'b': ['--seed', 3, '--scale', 0.5],
    }.items():
        call('train', data / 'all.npz', '-o', f'runs/{name}', *options, *TRAIN, '--select', 'ratio')
        call('embed', f'runs/{name}', data / 'all.npz', '-o', f'{name}.npz', '--epoch', 'best')
    call('embed', 'runs/a2', data / 'all.npz', '-o', 'fc1.npz', '--layer', 'fc1_output', '--epoch', 'best')
    printed = call('evaluate', 'retrieve', 'a1.npz', 'a2.npz', 'b.npz', 'fc1.npz').splitlines()
    layer = 'embed layer embedding_output'
    assert [line.strip().split('   ')[0].split('  ')[0] for line in printed[2:]] == [
        layer, 'a1.npz', 'a2.npz', 'mean of 2 seeds', f'scale 0.5, {layer}', 'b.npz',
        'embed layer fc1_output', 'fc1.npz',
    ]  # fmt: skip
    settings = load_features('a1.npz').training_settings
    assert settings['seed'] == 1 and settings['embed_epoch'] == 'best' and settings['ctx'] == ['cpu']
    assert str(data) not in json.dumps(settings) and 'data' not in settings
    # each seed has held out other samples
    for name in 'a1', 'a2':
        call('embed', f'runs/{name}', data / 'all.npz', '-o', f'{name}-test.npz', '--part', 'test')
    printed = call('evaluate', 'cluster', 'a1-test.npz', 'a2-test.npz')
    assert 'other samples than a1-test.npz' in printed and 'mean of' not in printed
    # other pictures of the same classes in the same order
    with np.load(data / 'all.npz') as arrays:
        np.savez('dark.npz', images=arrays['images'] // 2, labels=arrays['labels'])
    call('embed', 'runs/a2', 'dark.npz', '-o', 'a2-dark.npz', '--epoch', 'best')
    printed = call('evaluate', 'cluster', 'a1.npz', 'a2-dark.npz')
    assert 'other samples than a1.npz' in printed and 'mean of' not in printed
    # a checkpoint of which the seed is not known
    Path('runs/b-options.json').write_text('{"loss": "softmax"}')
    call('embed', 'runs/b', data / 'all.npz', '-o', 'unknown.npz')
    assert load_features('unknown.npz').training_settings is None
