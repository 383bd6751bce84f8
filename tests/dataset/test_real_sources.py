"""What users have: InsightFace's records, other formats, pictures without labels, tables, own splits."""

from __future__ import annotations

import logging
import numbers
import re
from io import BytesIO

from centerloss_mx.dataset import as_arrays, hold_out, load_samples, split_by_names, split_by_rows
from centerloss_mx.io import image_iter, list_images
from centerloss_mx.io.images import picture_reader
from centerloss_mx.model import Features, save_features

import numpy as np
import pytest
from makers import SEED, random_pictures, write_folder, write_insightface, write_records
from mxnet import recordio
from PIL import Image


def encoded(pixels, format='PNG', **options):
    content = BytesIO()
    Image.fromarray(pixels).save(content, format, **options)
    return content.getvalue()


def read_as_insightface(path):
    """The list of (picture, class) of InsightFace's own readers."""
    records = recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'r')
    header, _ = recordio.unpack(records.read_idx(0))
    assert header.flag > 0
    found = []
    for key in range(1, int(header.label[0])):
        header, content = recordio.unpack(records.read_idx(key))
        label = header.label if isinstance(header.label, numbers.Number) else header.label[0]
        found.append((content, int(label)))
    identities = [records.read_idx(key) for key in range(len(found) + 1, len(records.keys))]
    return found, [recordio.unpack(identity)[0].label for identity in identities]


@pytest.mark.parametrize('wide', [False, True])
def test_insightfaces_records_are_the_pictures_and_classes_that_its_own_reader_finds(tmp_path, wide):
    rng = np.random.RandomState(SEED)
    classes = np.sort(rng.randint(0, 120, 1000)).tolist()
    contents = [rng.bytes(rng.randint(1, 90)) for _ in classes]
    contents[17] += b'\x0a\x23\xd7\xce' * 3  # the magic number of a record, which splits this one
    path = write_insightface(tmp_path / 'train.rec', classes, contents, wide)
    expected, identities = read_as_insightface(path)
    images = load_samples(path)
    read = picture_reader(images)
    found = [(read(row), int(images.class_names[label])) for row, label in enumerate(images.labels)]
    assert found == expected and len(found) == 1000
    for label in identities:  # of one class each
        of_identity = images.labels[int(label[0]) - 1 : int(label[1]) - 1]
        assert len(set(of_identity)) == 1 and (images.labels == of_identity[0]).sum() == len(of_identity)


@pytest.mark.parametrize('spoil, message', [
    (lambda lines: lines[:3] + lines[4:], 'record 0 says that there are 4 pictures; the index has 3'),
    (lambda lines: [*lines[:2], f'2\t{lines[-1].split()[1]}', *lines[3:-1]], 'record 2 has no picture'),
])  # fmt: skip
def test_insightfaces_records_without_a_picture_are_named(tmp_path, spoil, message):
    path = write_insightface(tmp_path / 'train.rec', [0, 0, 5, 5], [b'picture'] * 4)
    index = path.with_suffix('.idx')
    index.write_text('\n'.join(spoil(index.read_text().splitlines())))
    with pytest.raises(ValueError, match=re.escape(f'{path}: {message}')):
        load_samples(path)


@pytest.mark.parametrize('first', [np.nan, np.inf, 0.0, -7.0, 3.5])
def test_a_first_record_that_counts_no_pictures_is_named(tmp_path, first):
    path = tmp_path / 'train.rec'
    records = recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'w')
    for key, label in enumerate([[first, 9.0], 1.0, 1.0, 2.0]):
        records.write_idx(key, recordio.pack(recordio.IRHeader(0, label, key, 0), b'x' * key))
    records.close()
    with pytest.raises(
        ValueError, match=re.escape(f'{path}: record 0 says that there are {first - 1:.9g} pict')
    ):
        load_samples(path)


@pytest.mark.parametrize('change', [(0, '1\t'), (2, '1\t')])
def test_a_line_of_an_index_that_is_there_twice_is_refused(tmp_path, change):
    path = write_records(tmp_path / 'all.rec', [0, 1, 1], random_pictures(3))
    lines = path.with_suffix('.idx').read_text().splitlines()
    row, key = change
    lines[row] = key + lines[row].split('\t')[1] if row else f'7\t{lines[1].split()[1]}'
    path.with_suffix('.idx').write_text('\n'.join(lines))
    with pytest.raises(ValueError, match=r'all\.idx: a key or a position is there twice; expected one line'):
        load_samples(path)


def test_no_picture_is_read_for_its_label(tmp_path):
    """All that is behind the headers may be missing, but for the last record's length."""
    path = write_records(tmp_path / 'all.rec', [3, 4, 4], [bytes(300_000)] * 3)
    content = bytearray(path.read_bytes())
    for begin in map(
        int, (line.split('\t')[1] for line in path.with_suffix('.idx').read_text().splitlines())
    ):
        content[begin + 32 : begin + 300_000] = bytes([255]) * (300_000 - 32)
    path.write_bytes(content)
    assert load_samples(path).class_names == ['3', '4']


def test_the_label_of_a_record_is_the_one_of_its_column(tmp_path):
    path = write_records(tmp_path / 'all.rec', [[7, 1], [9, 2], [7, 2]], random_pictures(3))
    assert load_samples(path, label_column='0').class_names == ['7', '9']
    images = load_samples(path, label_column='1')
    assert images.class_names == ['1', '2'] and images.labels.tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match=r'record 0 has 2 labels; expected number 2, from 0'):
        load_samples(path, label_column='2')
    with pytest.raises(
        ValueError, match=r"label_column='age': .* expected 0 for the first label of a record"
    ):
        load_samples(path, label_column='age')


@pytest.mark.parametrize('labels', [[1, 2, 3, 1], [5, 7, 90, 5]])
def test_labels_of_records_need_not_begin_at_0(tmp_path, labels):
    images = load_samples(write_records(tmp_path / 'all.rec', labels, random_pictures(4)))
    assert images.class_names == [str(label) for label in sorted(set(labels))]
    assert images.labels.tolist() == [0, 1, 2, 0]
    test = write_records(tmp_path / 'test.rec', labels[1:3], random_pictures(2))
    assert load_samples(test, class_names=images.class_names).labels.tolist() == [1, 2]


FORMATS = {
    'jpg': 'JPEG', 'jpeg': 'JPEG', 'jpe': 'JPEG', 'png': 'PNG', 'bmp': 'BMP', 'dib': 'BMP', 'tif': 'TIFF',
    'tiff': 'TIFF', 'ppm': 'PPM', 'pnm': 'PPM', 'webp': 'WEBP',
}  # fmt: skip


def test_every_format_gives_the_pixels_that_pillow_reads(tmp_path):
    pixels = np.kron(random_pictures(1, 5, 4)[0], np.ones((4, 4, 1), 'uint8'))
    (tmp_path / 'a').mkdir()
    for suffix, format in FORMATS.items():
        options = {'lossless': True} if format == 'WEBP' else {}
        (tmp_path / 'a' / f'1.{suffix}').write_bytes(encoded(pixels, format, **options))
    (tmp_path / 'a' / '1.pgm').write_bytes(encoded(pixels[..., 0]))  # the content counts, not the name
    (tmp_path / 'a' / '1.PGM').write_bytes(encoded(pixels[..., 0], 'PPM'))
    images = load_samples(tmp_path)
    assert len(images.files) == len(FORMATS) + 2
    batches = list(image_iter(images, 1, 16))  # the middle of 20 x 16 pixels
    mean, std = np.array([123.68, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    for file, batch in zip(images.files, batches):
        with Image.open(file) as image:
            expected = (np.array(image.convert('RGB'))[2:-2] - mean) / std
        found = batch.data[0].asnumpy()[0].transpose(1, 2, 0)
        assert np.abs(found - expected).max() < (0.06 if '.jp' in file else 1e-5), file


@pytest.mark.parametrize('content, reason', [
    (b'P5 30000 30000 255\n' + bytes(100), '(900000000 pixels) exceeds limit'),
    (b'P5 10 10 255\n' + bytes(50), 'damaged: '),
    (b'P5 2 2 65535\n' + bytes(8), 'pixels of mode I'),
    (b'RIFF\x10\0\0\0WEBPVP8L' + bytes(8), 'damaged: '),
])  # fmt: skip
def test_a_damaged_picture_of_another_format_is_named(tmp_path, content, reason):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / '1.pgm').write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f'{tmp_path}/a/1.pgm: not a picture that')) as refused:
        image_iter(load_samples(tmp_path), 1, 8).next()
    assert reason in str(refused.value)


def test_files_that_are_passed_over_are_counted(tmp_path, caplog):
    folder = write_folder(tmp_path, 'abb', random_pictures(3))
    for name in 'a/notes.txt', 'b/x.TXT', 'b/animated.gif', 'b/README', 'b/.hidden', 'loose.png':
        (folder / name).write_bytes(b'')
    with caplog.at_level(logging.WARNING):
        assert len(load_samples(folder).labels) == 3
    assert caplog.messages == [f'{folder}: passed over 5 files: 1 .gif, 1 .png, 2 .txt, 1 without a suffix']


def test_pictures_without_labels(tmp_path):
    flat = tmp_path / 'flat'
    flat.mkdir()
    for name in '2.png', '1.png', '3.png':
        (flat / name).write_bytes(encoded(random_pictures(1)[0]))
    expected = [str(flat / f'{number}.png') for number in (1, 2, 3)]
    one, several, folder = (
        load_samples(source, labelled=None) for source in (flat / '2.png', [*expected[:2]], flat)
    )
    assert (one.files, several.files, folder.files) == ([expected[1]], expected[:2], expected)
    for samples in one, several, folder:
        assert samples.class_names == [] and (samples.labels == -1).all()
    np.savez(tmp_path / 'x.npz', images=np.zeros((2, 8, 8), 'uint8'))
    arrays = load_samples(tmp_path / 'x.npz', labelled=None)
    assert arrays.class_names == [] and arrays.labels.tolist() == [-1, -1]
    with pytest.raises(ValueError, match='1 picture in a list have no labels; expected labelled=False'):
        list_images(expected[:1])
    with pytest.raises(FileNotFoundError, match=r'4\.png does not exist; expected a picture, a folder'):
        load_samples([flat / '4.png'], labelled=None)
    with pytest.raises(FileNotFoundError, match=r'4\.png does not exist; expected a picture, a folder'):
        load_samples(flat / '4.png', labelled=None)
    with pytest.raises(ValueError, match='pictures without class folders; expected a folder for each class'):
        load_samples(flat)


def test_classes_of_too_few_pictures_are_left_out(tmp_path, caplog):
    folder = write_folder(tmp_path, 'abbcccd', random_pictures(7))
    with caplog.at_level(logging.WARNING):
        images = load_samples(folder, min_images=2)
    assert images.class_names == ['b', 'c'] and images.labels.tolist() == [0, 0, 1, 1, 1]
    assert caplog.messages == [f'{folder}: left out 2 classes of fewer than 2 samples']
    with pytest.raises(ValueError, match='no class has 4 samples; the largest has 3'):
        load_samples(folder, min_images=4)
    with pytest.raises(ValueError, match=r'class a has one sample; .* min_images=2 leaves such classes out'):
        hold_out(load_samples(folder), 0.5)
    test = write_folder(tmp_path / 'test', 'cb', random_pictures(2))
    assert load_samples(test, class_names=['b', 'c'], min_images=2).labels.tolist() == [0, 1]


@pytest.mark.parametrize('layout, shape', [
    ('NHWC', (5, 6, 7, 10)), ('NCHW', (5, 10, 6, 7)), ('NHWC', (5, 3, 8, 3)), ('NHW', (5, 6, 7)),
])  # fmt: skip
def test_a_layout_says_where_the_channels_are(tmp_path, layout, shape):
    images = np.random.RandomState(SEED).rand(*shape).astype('float32')
    np.savez(tmp_path / 'x.npz', images=images, labels=np.arange(5))
    axes = {'N': 0, 'C': layout.find('C'), 'H': layout.index('H'), 'W': layout.index('W')}
    expected = images[:, None] if layout == 'NHW' else images.transpose([axes[axis] for axis in 'NCHW'])
    np.testing.assert_array_equal(load_samples(tmp_path / 'x.npz', layout=layout).images, expected)
    wrong = 'NHW' if len(layout) == 4 else 'NCHW'
    with pytest.raises(ValueError, match=re.escape(f'layout={wrong!r}: images of shape {shape} have')):
        load_samples(tmp_path / 'x.npz', layout=wrong)


def write_table(path, rows, header='x,label,y,part'):
    path.write_text('\n'.join([header, *rows]), encoding='utf-8')
    return path


ROWS = ['1.5,Zoë,2,train', '-3,01,4e2,test', '0,1,7,train', '2,01,3,train', '8,Zoë,8,test', '9,1,9,test']


def test_a_table_is_vectors_and_names_of_classes(tmp_path):
    path = write_table(tmp_path / 'x.csv', ['\ufeff'[:0] + row for row in ROWS])
    samples = load_samples(path, test_column='part')
    assert samples.images.tolist() == [[1.5, 2], [-3, 400], [0, 7], [2, 3], [8, 8], [9, 9]]
    assert samples.class_names == ['01', '1', 'Zoë'] and samples.labels.tolist() == [2, 0, 1, 0, 2, 1]
    other = load_samples(path, label_column='part', class_names=None, test_column='label')
    assert other.class_names == ['test', 'train']
    vectors = {'features': samples.images, 'labels': samples.labels}
    np.savez(tmp_path / 'x.npz', **vectors)
    np.testing.assert_array_equal(load_samples(tmp_path / 'x.npz').images, samples.images)
    np.savez(tmp_path / 'x.npz', images=samples.images, **vectors)
    with pytest.raises(ValueError, match='has both arrays, images and features; expected one of them'):
        load_samples(tmp_path / 'x.npz')


def test_features_that_were_saved_are_vectors_with_the_names_of_their_classes(tmp_path):
    vectors, path = np.arange(6, dtype=np.float32).reshape(3, 2), tmp_path / 'x.npz'
    save_features(path, Features(vectors, np.array([1, 1, 0]), ['eve', 'ann']))
    samples = load_samples(path)
    assert samples.class_names == ['ann', 'eve'] and samples.labels.tolist() == [0, 0, 1]
    np.savez(path, features=vectors, labels=[0, 1, 2], class_names=['eve', 'ann'])
    with pytest.raises(ValueError, match=r'x.npz: label 2 at row 2 is outside 0..1'):
        load_samples(path)
    save_features(path, Features(vectors, np.full(3, -1), []))
    assert load_samples(path, labelled=None).class_names == []
    with pytest.raises(ValueError, match=r'x.npz: the features have no labels'):
        load_samples(path)


@pytest.mark.parametrize('rows, header, message', [
    (['1,a', '2,b,3'], 'x,label', r'x.csv, line 3: 3 columns; expected 2'),
    (['1,a', 'two,b'], 'x,label', r"x.csv, line 3, column x: 'two' is not a number; expected numbers in all"),
    (['1,a', 'inf,b'], 'x,label', r'x.csv: vectors at row 1 are not finite'),
    (['1,a'], 'x,class', r"x.csv: there is no column 'label' among x, class"),
    (['1,a'], 'x,x', r'x.csv: the first line is x, x; expected the names of the columns'),
    ([], 'x,label', r'x.csv: vectors of shape \(0, 1\)'),
    (['1,"a'], 'x,label', r'x.csv, line 3: unexpected end of data'),
])  # fmt: skip
def test_a_damaged_table_is_named_with_line_and_column(tmp_path, rows, header, message):
    with pytest.raises(ValueError, match=message):
        load_samples(write_table(tmp_path / 'x.csv', rows, header))


def test_names_of_test_samples_divide_a_folder(tmp_path):
    images = load_samples(write_folder(tmp_path, 'aabb', random_pictures(4)))
    train, test = split_by_names(images, ['a/01.png', './b/02.png'])
    assert [file[-8:] for file in train.files] == ['a/00.png', 'b/03.png']
    assert [file[-8:] for file in test.files] == ['a/01.png', 'b/02.png']
    for name, message in [('c/01.png', 'no sample has this name'), ('01.pn', 'no sample has this name')]:
        with pytest.raises(ValueError, match=f'{name}: {message}; expected the end of the path of one'):
            split_by_names(images, [name])
    twice = load_samples(write_folder(tmp_path, 'ab', random_pictures(2)))
    (tmp_path / 'b' / '00.png').write_bytes((tmp_path / 'a' / '00.png').read_bytes())
    twice = load_samples(tmp_path)
    with pytest.raises(ValueError, match=r'00\.png: .*a/00\.png and .*b/00\.png end so'):
        split_by_names(twice, ['00.png'])


def test_whole_classes_are_held_out(tmp_path):
    labels = np.random.RandomState(SEED).permutation(np.repeat(np.arange(10), 3))
    samples = as_arrays(np.arange(30, dtype='float32').reshape(30, 1), [f'c{label}' for label in labels])
    train, test = hold_out(samples, 0.3, 4, by='classes')
    assert len(test.class_names) == 3 and not {*train.class_names} & {*test.class_names}
    for part in train, test:
        assert sorted(set(part.labels)) == [*range(len(part.class_names))]
        names = np.array(part.class_names)[part.labels]
        rows = part.images[:, 0].astype(int)
        np.testing.assert_array_equal(names, np.array(samples.class_names)[samples.labels[rows]])
    assert sorted([*train.images[:, 0], *test.images[:, 0]]) == [*range(30)]
    assert not np.array_equal(hold_out(samples, 0.3, 5, by='classes')[1].images, test.images)
    with pytest.raises(ValueError, match='1 of 10 classes would be held out; expected at least two to test'):
        hold_out(samples, 0.1, by='classes')


def test_a_class_that_is_half_unseen_is_refused():
    samples = as_arrays(np.zeros((4, 2), 'float32'), ['a', 'a', 'b', 'b'])
    with pytest.raises(
        ValueError, match='class b has samples to test with only, but other classes have both'
    ):
        split_by_rows(samples, np.array([False, True, True, True]))
    for marks in [True] * 4, [False] * 4:
        with pytest.raises(ValueError, match=r'[04] of 4 samples are to test with'):
            split_by_rows(samples, np.array(marks))
