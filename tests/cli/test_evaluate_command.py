"""`evaluate`, as a user runs it: the numbers are those of `evaluation`."""

from __future__ import annotations

import json
from pathlib import Path

from centerloss_mx import evaluation
from centerloss_mx.cli import main
from centerloss_mx.model import Features, save_features

import numpy as np
import pytest
from PIL import Image


def results(protocol, path='features'):
    return json.loads(Path(f'{path}-{protocol}.json').read_text())['results']


@pytest.fixture
def random_features(tmp_path):
    """Features with ties, of people who were not trained on; classes 'p0' to 'p7', six of each."""
    rng = np.random.RandomState(20161008)
    labels = np.tile(np.arange(8), 6)
    values = np.round(rng.randn(8, 4)[labels] + 0.7 * rng.randn(48, 4), 1) + 3.0
    found = Features(values, labels, [f'p{j}' for j in range(8)], trained_on=['q1', 'q2'])
    save_features(tmp_path / 'features.npz', found)
    return found


def test_knn_and_centers_classify_by_names(call, random_features, tmp_path):
    """The known features number their classes otherwise, and one class is unknown."""
    train = random_features._replace(
        labels=(random_features.labels + 1) % 8, class_names=['p7', *(f'p{j}' for j in range(7))]
    )
    rows = train.classes != 'p3'
    train = train._replace(
        features=train.features[rows],
        labels=train.labels[rows],
        centers=np.eye(4)[:2],
        trained_on=['p0', 'p5'],
    )
    save_features(tmp_path / 'train.npz', train)
    save_features(tmp_path / 'features.npz', train._replace(features=random_features.features,
        labels=random_features.labels, class_names=random_features.class_names))  # fmt: skip
    printed = call(
        'evaluate', 'knn', 'train.npz', 'features.npz', '--metric', 'euclidean', '--num-neighbors', 3
    )
    distances = np.linalg.norm(random_features.features[:, np.newaxis] - train.features, axis=2)
    neighbors = train.classes[distances.argsort(axis=1, kind='stable')[:, :3]]
    voted = np.array([sorted(row, key=lambda name: (-list(row).count(name), name))[0] for row in neighbors])
    found = results('knn')
    assert found['knn_accuracy'] == (voted == random_features.classes).mean()
    classes, means = evaluation.class_means(train.features, train.classes)
    distances = np.linalg.norm(random_features.features[:, np.newaxis] - means, axis=2)
    nearest = classes[distances.argmin(axis=1)]
    assert found['nearest_mean_accuracy'] == (nearest == random_features.classes).mean()
    distances = np.linalg.norm(random_features.features[:, np.newaxis] - np.eye(4)[:2], axis=2)
    nearest = np.array(['p0', 'p5'])[distances.argmin(axis=1)]
    assert found['nearest_center_accuracy'] == (nearest == random_features.classes).mean()
    assert found['num_samples'] == 48 and found['num_samples_of_other_classes'] == 6
    assert f'{"knn accuracy":28} {found["knn_accuracy"]:>13.4f}' in printed


def test_retrieval_and_clusters_are_those_of_evaluation(call, random_features):
    call('evaluate', 'retrieve', 'features.npz')
    expected = evaluation.retrieval(random_features.features, random_features.labels)
    assert results('retrieve') == expected._asdict()
    call('evaluate', 'cluster', 'features.npz', '--seed', 3)
    found = results('cluster')
    nmi = evaluation.clustering_nmi(random_features.features, random_features.labels, 3)
    ratio = evaluation.cluster_ratio(random_features.features, random_features.labels)
    assert found == {'nmi': nmi, **ratio._asdict()}


def test_references_are_found_by_class_names_and_each_class_has_its_scores(
    call, refused, random_features, tmp_path
):
    names = [f'p{j}' for j in (4, 2, 0, 6, 1, 3, 9)]  # numbered otherwise; p5 and p7 are missing
    rng = np.random.RandomState(0)
    known = Features(rng.randn(70, 4) + 3.0, np.arange(70) % 7, names, network='a')
    save_features(tmp_path / 'known.npz', known)
    printed = call('evaluate', 'retrieve', 'features.npz', '--references', 'known.npz')
    content = json.loads(Path('features-retrieve.json').read_text())
    found = evaluation.score_queries(
        random_features.features, random_features.classes, 'cosine', known.features, known.classes
    )
    assert content['results'] == found.mean()._asdict() and content['options']['references'] == 'known.npz'
    assert content['results']['num_left_out'] == 12 and content['results']['recall_at_100'] is None
    assert content['classes'] == found.by_class() and content['classes'].keys() == {*names[:6]}
    assert f'{"recall at 1000":28} {"too few samples":>15}' in printed and 'p4' not in printed
    save_features(tmp_path / 'features.npz', random_features._replace(network='b'))
    for references, message in [
        ('known.npz', 'features.npz and known.npz are features of different networks'),
        ('features.npz', '--references and FEATURES are one file; each sample would find itself'),
    ]:
        arguments = ['evaluate', 'retrieve', 'features.npz', '--references', references, '--force']
        assert message in refused(*arguments)[1]


def test_an_estimated_distance_between_classes_is_told_with_its_error(call, random_features, monkeypatch):
    monkeypatch.setattr('centerloss_mx.evaluation.clusters._MOST_PAIRS', 20)
    printed = call('evaluate', 'cluster', 'features.npz')
    means = evaluation.class_means(random_features.features, random_features.labels)[1]
    mean, standard_error, num_pairs = evaluation.between_classes(means)
    found = results('cluster')
    assert found['between'] == mean and found['between_standard_error'] == standard_error > 0
    assert found['num_pairs'] == num_pairs == 20 and f'{"between standard error":28}' in printed


def test_verification_is_that_of_evaluation_and_draws_its_curve(call, random_features):
    options = [
        '--num-folds',
        4,
        '--num-pairs',
        20,
        '--seed',
        2,
        '--num-components',
        2,
        '--metric',
        'euclidean',
    ]
    printed = call('evaluate', 'verify', 'features.npz', *options, '--roc', 'roc.svg', '-o', 'out.json')
    pairs = evaluation.verification_pairs(random_features.labels, 4, 20, 2)
    expected = evaluation.verify(random_features.features, pairs, 'euclidean', 2)
    content = json.loads(Path('out.json').read_text())
    found = content['results']
    for name in 'accuracy', 'standard_error', 'auc', 'eer', 'num_genuine', 'num_impostor':
        assert found[name] == getattr(expected, name)
    for one in expected.tar_at_far:
        value = found[f'tar_at_far_{one.far:g}']
        assert value is None if np.isnan(one.tar) else value == one.tar
    assert found['tar_at_far_0.0001'] is None and 'too few pairs' in printed
    assert content['options']['num_folds'] == 4 and content['options']['features'] == 'features.npz'
    text = Path('roc.svg').read_text()
    assert text.startswith('<?xml') and 'Verification of classes that were not trained on' in text


def test_who_was_trained_on_is_not_verified_unless_told_so(call, refused, random_features, tmp_path, capsys):
    trained_on = ['p5', 'x', 'p1']
    save_features(tmp_path / 'features.npz', random_features._replace(trained_on=trained_on))
    options = ['evaluate', 'verify', 'features.npz', '--num-folds', 2]
    status, line = refused(*options)
    assert (
        status == 1
        and '2 classes to verify are in the training set: p1, p5; verify other classes, or pass --all' in line
    )
    assert not Path('features-verify.json').exists()
    call(*options, '--allow-trained')
    assert results('verify')['seen_in_training'] is True
    save_features(tmp_path / 'features.npz', random_features)
    call(*options, '--allow-trained', '--force')
    assert results('verify')['seen_in_training'] is False
    save_features(tmp_path / 'features.npz', random_features._replace(trained_on=None))
    main([*map(str, options), '--force'])
    assert 'features.npz does not record the training classes' in capsys.readouterr().err
    assert results('verify')['seen_in_training'] is None
    names = [f'e\u0301{j}' for j in range(8)]  # as macOS writes them
    save_features(
        tmp_path / 'features.npz', random_features._replace(class_names=names, trained_on=['\xe93'])
    )
    assert '1 class to verify is in the training set: \xe93' in refused(*options, '--force')[1]
    call(*options, '--force', '--allow-trained')
    assert results('verify')['seen_in_training'] is True


@pytest.mark.parametrize('protocol, message', [
    (['knn', 'other.npz', 'features.npz'], 'features of shape (48, 4); expected (N, 3)'),
    (['knn', 'none.npz', 'features.npz'], 'none.npz does not exist'),
    (['knn', 'copy.npz', 'features.npz', '--num-neighbors', 49], 'num_neighbors=49 is outside 1..48'),
    (['knn', './features.npz', 'features.npz'], 'features.npz: TRAIN and FEATURES are one file'),
    (['knn', 'alone.npz', 'features.npz'], 'features.npz: no sample is of a class in alone.npz'),
    (['retrieve', 'features.npz', '-o', 'x.csv'], 'x.csv: expected a file that ends in .json'),
    (['retrieve', '.'], '. is a folder; expected the arrays features and labels in an .npz file'),
    (['retrieve', 'alone.npz'], 'each of the 3 samples is alone in its class'),
    (['retrieve', 'nan.npz'], 'nan.npz: features at row 1 are not finite'),
    (['retrieve', 'text.npz'],
     'text.npz is not an .npz file, or it is damaged; expected the arrays features and labels'),
    (['cluster', 'one.npz'], 'labels hold one class'),
    (['verify', 'features.npz', '--num-folds', 8], 'has no impostor pair; expected fewer folds'),
    (['verify', 'alone.npz', '--num-folds', 2], 'has no genuine pair'),
    (['verify', 'features.npz', '--num-folds', 2, '--num-components', 9], 'num_components=9 is outside'),
    (['verify', 'features.npz', '--num-folds', 2, '--roc', 'roc.pdf'], 'roc.pdf: expected a file that ends'),
    (['verify', 'features.npz', '--num-folds', 2, '-o', 'none/out.json'], 'none is not a folder'),
])  # fmt: skip
def test_what_cannot_be_evaluated_is_refused_and_nothing_is_written(
    refused, random_features, tmp_path, protocol, message
):
    np.savez(tmp_path / 'other.npz', features=np.eye(3), labels=['p0', 'p1', 'p1'])
    save_features(tmp_path / 'copy.npz', random_features)
    np.savez(tmp_path / 'alone.npz', features=np.eye(3), labels=[0, 1, 2])
    np.savez(tmp_path / 'nan.npz', features=np.diag([1, np.nan, 1]), labels=[0, 1, 2])
    np.savez(tmp_path / 'one.npz', features=np.eye(3), labels=[1, 1, 1])
    (tmp_path / 'text.npz').write_text('nothing')
    before = sorted(tmp_path.iterdir())
    status, line = refused('evaluate', *protocol)
    assert status == 1 and message in line
    assert sorted(tmp_path.iterdir()) == before


def test_suspects_are_listed_with_their_names_and_the_class_that_they_are_nearer_to(call):
    features = np.array([[0.0, 1], [0, 2], [1, 9], [5, 0], [6, 0], [7, 1], [8, 0]])
    classes = ['cat', 'cat', 'cat', 'dog', 'dog', 'dog', 'cat']
    np.savez('some.npz', features=features, labels=classes)
    printed = call('evaluate', 'suspects', 'some.npz').splitlines()
    assert printed[0].startswith('row 6\tcat\tnearer to dog\t') and printed[1] == 'suspects, some.npz'
    assert printed[2].split() == ['num', 'suspects', '1'] and printed[3].split() == ['num', 'samples', '7']
    (one,) = json.loads(Path('some-suspects.json').read_text())['suspects']
    excess = one.pop('excess')
    assert one == {'row': 6, 'name': None, 'label': 'cat', 'suggested': 'dog'}
    assert excess == pytest.approx(evaluation.suspects(features, np.array(classes)).excess[0])


def test_suspects_are_drawn_where_they_are_pictures_in_files(call, refused, data):
    names = [str(data / 'all' / f'c{j}' / f'{9 * j + i:02}.png') for j in range(2) for i in range(4)]
    features = np.repeat([[0.0, 1], [5, 0]], 4, axis=0) + np.arange(8)[:, np.newaxis] / 100
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    save_features('some.npz', Features(features.astype(np.float32), labels, ['a', 'b'], names))
    assert 'Look at page.png' in call('evaluate', 'suspects', 'some.npz', '--page', 'page.png')
    with Image.open('page.png') as page:
        assert page.size[0] > 90 and len(np.unique(np.asarray(page.convert('L')))) > 50
    status, line = refused('evaluate', 'suspects', 'some.npz', '--page', 'page.png', '-o', 'again.json')
    assert status == 1 and 'page.png already exists' in line
    save_features('other.npz', Features(features.astype(np.float32), labels, ['a', 'b'], ['no.png'] * 8))
    status, line = refused('evaluate', 'suspects', 'other.npz', '--page', 'other.png')
    assert status == 1 and '--page: no.png does not exist; expected the pictures that were embedded' in line
    save_features('bare.npz', Features(features.astype(np.float32), labels, ['a', 'b']))
    status, line = refused('evaluate', 'suspects', 'bare.npz', '--page', 'bare.png')
    assert status == 1 and '--page: bare.npz has no names; expected features of pictures in files' in line
