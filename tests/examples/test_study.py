"""The study of all losses on classes that were not trained, and the characters that it draws."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from pathlib import Path

from centerloss_mx.dataset import Arrays, load_samples
from centerloss_mx.model import Features, save_features

import matplotlib
import numpy as np
import pytest
from makers import patterned_pictures

EXAMPLES = Path(__file__).resolve().parents[2] / 'examples'
sys.path.insert(0, str(EXAMPLES))  # as when they run

import study  # noqa: E402
from glyph_images import draw_characters, find_fonts, is_copy, save_samples  # noqa: E402
from study_methods import CENTER_LOSS, METHODS, SCALES, SOFTMAX, TEST, VALIDATION, Result, Trial  # noqa: E402
from study_report import report, table  # noqa: E402

FONTS = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf'


@pytest.fixture(scope='module')
def fonts():
    return find_fonts([FONTS])


@pytest.fixture(scope='module')
def characters(fonts):
    return draw_characters(fonts, num_classes=30, num_fonts=4, image_size=28)


def test_no_font_file_and_no_family_is_taken_twice(fonts, tmp_path):
    again = tmp_path / 'again.ttf'
    again.write_bytes(fonts[0].path.read_bytes())
    found = find_fonts([FONTS, tmp_path])
    contents = [hashlib.sha256(font.path.read_bytes()).digest() for font in found]
    assert len(set(contents)) == len(contents) == len({font.family for font in found}) > 4
    assert again not in [font.path for font in found]


def test_a_file_that_is_no_font_is_passed_over(tmp_path):
    (tmp_path / 'broken.ttf').write_bytes(b'no font')
    assert find_fonts([tmp_path]) == []


def test_each_character_has_a_drawing_of_each_of_its_fonts_and_shares_none(characters):
    samples, families = characters
    assert samples.images.shape == (120, 1, 28, 28)
    assert 0 == samples.images.min() < samples.images.max() <= 1
    assert len({picture.tobytes() for picture in samples.images}) == 120
    for number in range(30):
        of_class = np.array(families)[samples.labels == number]
        assert len(set(of_class)) == len(of_class) == 4


def test_characters_of_several_scripts_take_turns(characters):
    names = characters[0].class_names
    assert len(set(names)) == 30
    codes = [int(name[2:], 16) for name in names]
    assert any(code < 0x250 for code in codes) and any(0x370 <= code < 0x530 for code in codes)


def test_too_few_fonts_are_said_to_be_too_few(fonts):
    with pytest.raises(ValueError, match=r'^2 families of fonts give 0 characters in 20 fonts; expected 5'):
        draw_characters(fonts[:2], num_classes=5, num_fonts=20, image_size=28)


def test_a_copy_is_the_same_drawing_but_for_its_rendering():
    picture = np.full((8, 8), 255, np.uint8)
    picture[2:6, 2:6] = 0
    lighter, moved = np.maximum(picture, 20), np.roll(picture, 2, axis=0)
    assert is_copy(lighter, [picture]) and not is_copy(moved, [picture]) and not is_copy(picture, [])


def test_what_is_drawn_is_read_again(characters, tmp_path):
    samples, families = characters
    save_samples(tmp_path / 'new' / 'glyphs.npz', samples, families)
    read = load_samples(tmp_path / 'new' / 'glyphs.npz')
    np.testing.assert_array_equal(read.images, samples.images)
    names = [read.class_names[label] for label in read.labels]
    assert names == [samples.class_names[label] for label in samples.labels]


def test_no_class_is_in_two_parts():
    labels = np.repeat(np.arange(40), 3)
    samples = Arrays(np.zeros((120, 4), np.float32), labels, [f'class {j}' for j in range(40)])
    trained, validation = study.divide(samples, VALIDATION, 1)
    assert len(trained.class_names) == 30 and len(validation.class_names) == 10
    assert not {*trained.class_names} & {*validation.class_names}
    tests = []
    for seed in 1, 2, 3:
        trained, test = study.divide(samples, TEST, seed)
        assert not {*trained.class_names} & {*test.class_names}
        assert not {*validation.class_names} & {*test.class_names}
        assert len(trained.class_names) == 30 and len(test.class_names) == 10
        tests.append({*test.class_names})
    assert tests[0] != tests[1] != tests[2]


def test_each_method_stands_behind_its_base_and_its_trials_have_names_of_their_own():
    names = list(METHODS)
    for name, method in METHODS.items():
        assert method.base is None or names.index(method.base) < names.index(name)
        weights = [Trial(name, dict(trial), TEST, 1).weights for trial in method.trials]
        assert len(set(weights)) == len(weights)


def result(method, options, seed, map_at_r, ratio=0.5):
    return Result(*Trial(method, options, TEST, seed).key, 0.9, 0.8, map_at_r, 0.25, ratio, 30.0)


def results():
    """Two seeds; the largest λ has diverged on one of them."""
    found = []
    for seed in 1, 2:
        found.append(result(SOFTMAX, {}, seed, 0.5 + 0.1 * seed))
        for scale in SCALES:
            found.append(result(CENTER_LOSS, {'scale': scale}, seed, 0.55 + 0.1 * seed, 0.4))
    found[-1] = Result.diverged(Trial(CENTER_LOSS, {'scale': SCALES[-1]}, TEST, 2), 3.0)
    return found


def test_the_table_has_means_deviations_and_the_difference_to_softmax_of_each_seed(tmp_path):
    for name in (SOFTMAX, *(f'{CENTER_LOSS} λ = {scale:g}' for scale in SCALES)):
        features = np.random.RandomState(0).randn(80, 3).astype(np.float32)
        labels = np.arange(80) % 40
        save_features(tmp_path / f'{name}.npz', Features(features, labels, [str(j) for j in range(40)]))
    text = report(results(), tmp_path)
    lines = text.splitlines()
    assert lines[2] == '| softmax |  | 65.0 ± 7.1 |  | 80.0 ± 0.0 | 25.0 ± 0.0 | 90.0 ± 0.0 | 0.500 ± 0.000 |'
    assert lines[3] == (
        '| center loss | λ = 0.001 | 70.0 ± 7.1 | 5.0 ± 0.0 | 80.0 ± 0.0 | 25.0 ± 0.0 | 90.0 ± 0.0 '
        '| 0.400 ± 0.000 |'
    )
    assert '| 65.0 ± 0.0 (1 collapsed) |' in lines[2 + len(SCALES)]
    assert (tmp_path / 'table.md').read_text(encoding='utf-8') == text.rsplit('\n', 1)[0] + '\n'
    assert (tmp_path / 'scale.png').stat().st_size > 10_000 < (tmp_path / 'classes.png').stat().st_size


def test_one_seed_has_no_deviation():
    one = [result(SOFTMAX, {}, 1, 0.5), result('margin', METHODS['margin'].trials[0], 1, 0.75)]
    lines = table({(each.method, each.weights): [each] for each in one}).splitlines()
    assert lines[2] == '| softmax |  | 50.0 |  | 80.0 | 25.0 | 90.0 | 0.500 |'
    assert lines[3] == '| margin | s = 8, m = 0.2 | 75.0 | 25.0 | 80.0 | 25.0 | 90.0 | 0.500 |'


def test_the_weights_with_the_highest_mean_are_chosen():
    trials = [Trial('margin', {'scale': scale}, VALIDATION, seed) for scale in (1, 2, 3) for seed in (1, 2)]
    maps = [0.3, 0.5, 0.45, 0.45, 0.8, math.nan]
    found = [Result(*trial.key, *4 * [0.0], 0.0, 1.0)._replace(map_at_r=m) for trial, m in zip(trials, maps)]
    assert study.best_options(trials, found) == {'margin': {'scale': 2}}
    based = study.trials_of('center loss over α', {CENTER_LOSS: {'scale': 0.5}}, TEST, 2)
    assert [(trial.options['scale'], trial.options['alpha'], trial.seed) for trial in based] == [
        (0.5, 0.1, 1), (0.5, 0.9, 1), (0.5, 0.1, 2), (0.5, 0.9, 2)
    ]  # fmt: skip


def test_a_training_that_diverges_is_a_result_without_numbers():
    trial = Trial(CENTER_LOSS, {'scale': 0.1}, TEST, 1)
    found = Result.diverged(trial, 2.0)
    assert found.key == trial.key and math.isnan(found.map_at_r) and found.seconds == 2.0


@pytest.mark.slow
def test_a_study_goes_on_where_it_was_and_refuses_other_options(tmp_path):
    images, labels = patterned_pictures(16, 6, size=8, seed=0)
    np.savez(tmp_path / 'data.npz', images=images, labels=labels)
    command = [
        sys.executable,
        'study.py',
        tmp_path / 'data.npz',
        '--methods',
        SOFTMAX,
        'learned centers',
        '--num-seeds',
        '1',
    ]
    command += ['--network', 'mlp', '--batch-size', '8', '--num-epochs', '2', '--output', tmp_path / 'out']

    def ran(*more):
        return subprocess.run([*command, *more], cwd=EXAMPLES, capture_output=True, text=True, check=False)

    first = ran()
    assert first.returncode == 0, first.stderr
    written = (tmp_path / 'out' / 'results.csv').read_bytes()
    again = ran()
    assert again.returncode == 0 and 'seed' not in again.stdout.replace('seeds', '')
    assert (tmp_path / 'out' / 'results.csv').read_bytes() == written
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]
    other = ran('--lr', '0.5')
    assert other.returncode == 1 and 'has other settings; expected a new --output' in other.stderr
    assert (tmp_path / 'out' / 'results.csv').read_bytes() == written
