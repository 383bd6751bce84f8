"""Who is it: galleries and photos; re-identification by the names of pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from centerloss_mx import evaluation
from centerloss_mx.model import Features, load_features, save_features

import numpy as np
import pytest
from makers import SEED, patterned_pictures, write_folder
from PIL import Image

SIZE = 24
TRAIN = [
    '--embedding-dim',
    8,
    '--batch-size',
    8,
    '--num-epochs',
    3,
    '--network',
    'lenet',
    '--image-size',
    SIZE,
]


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Pictures of seven people in class folders; the network is trained on three of them."""
    folder = tmp_path_factory.mktemp('people')
    pictures, labels = patterned_pictures(7, 8, 24, SEED)
    write_folder(folder / 'all', [f'p{label}' for label in labels], pictures)
    for person, name in enumerate(sorted(path.name for path in (folder / 'all').iterdir())):
        files = sorted((folder / 'all' / name).iterdir())
        if person < 3:
            shutil.copytree(folder / 'all' / name, folder / 'train' / name)
        elif person < 5:
            for part, some in ('known', files[:3]), ('probes', files[3:]):
                (folder / part / name).mkdir(parents=True)
                for file in some:
                    shutil.copy(file, folder / part / name)
        else:
            shutil.copytree(folder / 'all' / name, folder / 'probes' / name)
    return folder


def test_people_are_identified_in_photos_or_unknown(photos, call, refused):
    call('train', photos / 'train', '-o', 'net', '--test-share', 0, *TRAIN)
    for name in 'known', 'probes':
        call('embed', 'net', photos / name, '-o', f'{name}.npz')
    printed = call('evaluate', 'identify', 'known.npz', 'probes.npz')
    results = json.loads(Path('probes-identify.json').read_text())['results']
    known, probes = load_features('known.npz'), load_features('probes.npz')
    found = evaluation.identify(known.features, known.classes, probes.features, probes.classes)
    assert results['rank_1'] == found.rank_1 and results['num_non_mated'] == 16 and results['num_mated'] == 10
    assert results['tpir_at_fpir_0.01'] is None and 'rank 1' in printed  # of 16 probes
    names, similarities = evaluation.nearest_identities(known.features, known.classes, probes.features)
    threshold = float(np.median(similarities))
    files = probes.names
    lines = call('identify', 'known.npz', *files, '--threshold', threshold).splitlines()
    for line, file, name, similarity in zip(lines, files, names, similarities):
        photo, who, text = line.split('\t')
        assert photo == file and abs(float(text) - similarity) < 1e-3
        if abs(similarity - threshold) > 1e-3:
            assert who == (name if similarity >= threshold else 'unknown')
    assert {'unknown'} < {line.split('\t')[1] for line in lines}
    assert refused('identify', 'known.npz', files[0], '--threshold-from', 'probes-identify.json')[1].endswith(
        'threshold_at_fpir_0.01 is null, because there were too few probes of people not known\n'
    )
    content = {'options': {'metric': 'cosine'}, 'results': {'threshold_at_fpir_0.1': threshold}}
    Path('fitted.json').write_text(json.dumps(content))
    arguments = ['identify', 'known.npz', *files, '--threshold-from', 'fitted.json', '--fpir', '0.1']
    assert call(*arguments).splitlines() == lines
    fitted = call(
        'identify', 'known.npz', *files, '--threshold-from', 'probes-identify.json', '--fpir', '0.1'
    )
    accepted = [line.split('\t')[1] != 'unknown' for line in fitted.splitlines()]
    assert sum(np.array(accepted)[~np.isin(probes.classes, known.classes)]) <= 1  # 0.1 of 16
    message = 'is 0.' if threshold > 0 else 'is -'
    assert message in refused(*arguments, '--metric', 'euclidean')[1]
    Path('moved').mkdir()
    for path in Path().glob('net-*'):
        path.rename(Path('moved') / path.name)
    assert 'net-symbol.json' in refused('identify', 'known.npz', files[0])[1]
    assert call('identify', 'known.npz', files[0], '--prefix', 'moved/net')
    Image.new('RGB', (4, 4)).save('a.png')
    Path('b.png').write_bytes(b'no picture')
    assert (
        'b.png: not a picture'
        in refused('identify', 'known.npz', 'a.png', 'b.png', '--prefix', 'moved/net')[1]
    )
    lines = call(
        'identify', 'known.npz', 'a.png', 'b.png', '--prefix', 'moved/net', '--skip-bad'
    ).splitlines()
    assert lines[0] == 'left out 1 picture that cannot be decoded: b.png' and len(lines) == 2


def test_the_network_of_a_gallery_is_the_one_that_made_it(photos, call, refused):
    for name, seed in ('net', 1), ('other', 2):
        call('train', photos / 'train', '-o', name, '--test-share', 0, '--seed', seed, *TRAIN)
    call('embed', 'net', photos / 'known', '-o', 'known.npz')
    photo = next((photos / 'known').rglob('*.png'))
    assert (
        'other is not the network that known.npz was made with'
        in (refused('identify', 'known.npz', photo, '--prefix', 'other')[1])
    )
    save_features('old.npz', load_features('known.npz')._replace(checkpoint=None))
    assert 'old.npz does not record its checkpoint; write it anew' in refused('identify', 'old.npz', photo)[1]


def test_identities_and_cameras_are_in_the_names_of_pictures(call, refused):
    """Market-1501's flat folders: identity -1 is junk, 0000 a distractor."""
    query = ['q/0002_c1s1_000451_03.jpg', 'q/0007_c3s2_000001_00.jpg']
    gallery = [
        'g/0002_c1s1_000452_01.jpg', 'g/-1_c2s1_1.jpg', 'g/0000_c2s1_2.jpg', 'g/0002_c2s1_3.jpg',
        'g/0007_c3s1_4.jpg',
    ]  # fmt: skip
    angles = np.radians([0, 1, 2, 3, 4])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    unlabelled = {'labels': np.full(2, -1), 'class_names': []}
    save_features('query.npz', Features(points[:2] * 3, names=query, **unlabelled))
    unlabelled['labels'] = np.full(5, -1)
    save_features('gallery.npz', Features(points, names=gallery, **unlabelled))
    call('evaluate', 'reid', 'query.npz', 'gallery.npz')
    results = json.loads(Path('query-reid.json').read_text())['results']
    # 0002: the distractor, then its match; 0007 has only a picture of its own camera.
    assert results == {
        'cmc_at_1': 0, 'cmc_at_5': 1, 'cmc_at_10': 1, 'map': 0.5, 'minp': 0.5, 'num_queries': 1,
        'num_left_out': 1, 'num_junk': 1,
    }  # fmt: skip
    assert 'no query has a match' in refused(
        'evaluate', 'reid', 'query.npz', 'gallery.npz', '--identity', r'(\d+)\.jpg', '--force'
    )[1]  # fmt: skip
    assert r'--camera cam(\d) is not in the name q/0002_c1s1' in refused(
        'evaluate', 'reid', 'query.npz', 'gallery.npz', '--camera', r'cam(\d)', '--force'
    )[1]  # fmt: skip
    assert refused('evaluate', 'reid', 'query.npz', 'gallery.npz', '--camera', 'c1')[0] == 2
    for name, cameras in ('query', [1, 3]), ('gallery', ['1', '2', '2', '2', '4']):
        with np.load(f'{name}.npz') as arrays:
            np.savez(f'{name}.npz', **arrays, place=np.array(cameras, str))
    call('evaluate', 'reid', 'query.npz', 'gallery.npz', '--camera-column', 'place', '--force')
    results = json.loads(Path('query-reid.json').read_text())['results']
    assert (results['num_queries'], results['map']) == (
        2,
        (0.5 + 1 / 4) / 2,
    )  # 0007: camera 4
    assert 'place2 is not among' in refused(
        'evaluate', 'reid', 'query.npz', 'gallery.npz', '--camera-column', 'place2', '--force'
    )[1]  # fmt: skip
    assert 'the features have no labels' in refused('evaluate', 'retrieve', 'query.npz')[1]


def test_photos_without_labels_are_embedded(photos, call):
    call('train', photos / 'train', '-o', 'net', '--test-share', 0, *TRAIN)
    flat = Path('flat')
    flat.mkdir()
    for number, file in enumerate(sorted((photos / 'known').rglob('*.png'))):
        shutil.copy(file, flat / f'{number}.png')
    printed = call('embed', 'net', flat, '-o', 'flat.npz')
    assert printed.startswith('flat.npz: 6 features of 8 dimensions, 0 classes')
    call('embed', 'net', *sorted(flat.iterdir()), '-o', 'files.npz')
    call('embed', 'net', photos / 'known', '-o', 'known.npz')
    known = load_features('known.npz')
    for name in 'flat.npz', 'files.npz':
        found = load_features(name)
        assert found.class_names == [] and (found.labels == -1).all()
        np.testing.assert_array_equal(found.features, known.features)


def test_photos_are_read_as_those_of_the_gallery(call, tmp_path):
    """Wide pictures, whose middle squares are nearly alike; only stretched ones show their ends."""
    pictures = np.full((4, 16, 48, 3), 120, 'uint8')
    for number, picture in enumerate(pictures):
        picture[:, : 8 + 2 * number] = 60 * number
        picture[4 * number : 4 * number + 4, 40:] = 250
    write_folder(tmp_path / 'wide', 'abcd', pictures)
    write_folder(tmp_path / 'train', 'aabb', pictures)
    call('train', 'train', '-o', 'net', '--test-share', 0, '--min-images', 2, *TRAIN[:2], '--batch-size', 4,
         '--num-epochs', 1, '--network', 'lenet', '--image-size', SIZE)  # fmt: skip
    call('embed', 'net', 'wide', '-o', 'known.npz', '--fit', 'stretch')
    for name in 'abcd':
        photo = next((tmp_path / 'wide' / name).iterdir())
        assert call('identify', 'known.npz', photo).split('\t')[1:] == [name, '1.0000\n']
