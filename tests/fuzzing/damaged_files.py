"""Reads damaged files in a process with limits: run by test_damaged_files.py.

    python damaged_files.py FOLDER COUNT FORMAT...

writes COUNT variants of a file of each format into FOLDER, and reads each as the package does. A line for
each format says how many were read and refused. A variant that ends in anything else than a result or an
error of one line gets a line of its own. The file `now` in FOLDER tells which variant is being read: the one
that ended the process, if something did.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import resource
import signal
import sys
import zipfile
from pathlib import Path
from typing import Callable, NamedTuple

import centerloss_mx  # noqa: F401  (before mxnet, which newer NumPys need)
from centerloss_mx.dataset import load_samples, samples_iter
from centerloss_mx.io import image_iter, list_images, readable_images
from centerloss_mx.model import (
    FeatureExtractor,
    load_checkpoint,
    load_features,
    load_symbol,
    save_checkpoint,
)
from centerloss_mx.module import Module
from centerloss_mx.symbol import describe, joint_supervision
from centerloss_mx.training.history import read_history
from centerloss_mx.training.options import keep_options

import mxnet as mx
import numpy as np
from makers import idx_bytes, patterned_pictures, write_folder, write_records
from mutator import damaged
from PIL import Image

SEED = 20261128
SECONDS = 20  # for one variant; none takes a second
MEGABYTES = 700  # beyond what the process has before it reads
OPTIONS = {'lr': 0.05, 'loss': 'center', 'epochs': 3, 'class_names': ['a', 'b']}
LABELS = ['softmax_label', 'center_label']
SHAPES = [('data', (4, 1, 8, 8))], [(name, (4,)) for name in LABELS]


class Format(NamedTuple):
    """The file to damage, how it is read, and how a damaged part is packed into it."""

    path: Path
    read: Callable[[], object]
    content: bytes = b''
    pack: Callable[[bytes], bytes] = bytes


def encoded(format, **options):
    """A picture of a face in a format."""
    faces = Path(__file__).parents[2] / '..' / 'shared' / 'data' / 'orl' / 'orl_faces.npz'
    if faces.is_file():
        pixels = np.load(faces)['images'][0].reshape(112, 92)
    else:
        pixels = patterned_pictures(1, 1, 64)[0][0]
    content = io.BytesIO()
    Image.fromarray(pixels).convert('RGB').save(content, format, **options)
    return content.getvalue()


def picture(suffix):
    """Three pictures of two classes, of which the second is damaged."""

    def make(folder):
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {'jpg': {'exif': exif, 'progressive': True}, 'png': {'exif': exif}, 'bmp': {}}[suffix]
        content = encoded({'jpg': 'JPEG'}.get(suffix, suffix.upper()), **options)
        write_folder(folder, 'abb', [content] * 3)  # MXNet goes by the content, not by the name
        images = list_images(folder)
        return Format(folder / 'b' / '01.png', lambda: (readable_images(images), epoch(images)))

    return make


def records(of_index):
    """A .rec file of three pictures, which is damaged, or its index."""

    def make(folder):
        path = write_records(folder / 'faces.rec', [0, 1, 1], [encoded('JPEG'), encoded('PNG')] * 2)
        return Format(path.with_suffix('.idx') if of_index else path, lambda: epoch(list_images(path)))

    return make


def epoch(images):
    return [batch.data[0].asnumpy() for batch in image_iter(images, 1, 16)]


def arrays(folder):
    pictures, labels = patterned_pictures(3, 4)
    path, people = folder / 'arrays.npz', np.array(['ann', 'bob', 'eve'])
    np.savez_compressed(path, images=pictures, labels=people[labels])
    return Format(path, lambda: samples_iter(load_samples(path), 4))


def features(folder):
    pictures, labels = patterned_pictures(3, 4)
    rows = pictures.reshape(12, -1)[:, :5] / 255
    np.savez(folder / 'features.npz', features=rows, labels=labels, class_names=['ann', 'bob', 'eve'])
    return Format(folder / 'features.npz', lambda: load_features(folder / 'features.npz'))


def array(folder):
    """An .npy file, as a part of an .npz file with the right checksums."""
    path, rows = folder / 'features.npz', io.BytesIO()
    np.save(rows, np.arange(36.0).reshape(12, 3))

    def pack(content):
        np.savez(path, labels=np.arange(12) % 3)
        with zipfile.ZipFile(path, 'a', zipfile.ZIP_DEFLATED) as archive:
            archive.writestr('features.npy', content)
        return path.read_bytes()

    path.write_bytes(pack(rows.getvalue()))
    return Format(path, lambda: load_features(path), rows.getvalue(), pack)


def idx(suffix):
    def make(folder):
        pictures, labels = patterned_pictures(3, 4)
        pack = gzip.compress if suffix else bytes
        path = folder / f'train-images-idx3-ubyte{suffix}'
        path.write_bytes(pack(idx_bytes(pictures)))
        (folder / f'train-labels-idx1-ubyte{suffix}').write_bytes(pack(idx_bytes(labels.astype('u1'))))
        return Format(path, lambda: load_samples(folder))

    return make


def checkpoint(suffix):
    """A checkpoint of a small network, which is loaded to go on with its training."""

    def make(folder):
        net = mx.sym.Convolution(mx.sym.Variable('data'), kernel=(3, 3), num_filter=2, name='conv')
        net = mx.sym.BatchNorm(mx.sym.Activation(net, act_type='relu'), name='norm')
        net = mx.sym.concat(*mx.sym.split(net, num_outputs=2))
        net = mx.sym.FullyConnected(net, num_hidden=3, name='embedding')
        module = Module(joint_supervision(net, 3, 0.1, batchsize=4), label_names=LABELS)
        module.bind(*SHAPES)
        module.init_params(mx.init.Xavier())
        module.init_optimizer(optimizer_params={'momentum': 0.9})
        save_checkpoint(module, folder / 'net', 1, {'class_names': ['a', 'b', 'c']})
        path = folder / f'net{suffix}'
        return Format(path, {'.params': parameters, '.states': states, '.json': network}[path.suffix](folder))

    return make


def parameters(folder):
    def read():
        _, arg_params, aux_params = load_checkpoint(folder / 'net', 1)
        return [array.asnumpy() for array in (*arg_params.values(), *aux_params.values())]

    return read


def network(folder):
    _, *parameters = load_checkpoint(folder / 'net')

    def read():
        symbol = load_symbol(folder / 'net-symbol.json')
        try:  # from here on, no message names the file
            describe(symbol)
            FeatureExtractor(symbol, *parameters).predict(np.ones((4, 1, 8, 8), np.float32))
        except ValueError as error:
            raise ValueError(f'{folder}: {error}') from None

    return read


def states(folder):
    def read():
        module = Module.load(str(folder / 'net'), 1, True, label_names=LABELS)
        module.bind(*SHAPES)
        module.init_optimizer(optimizer_params={'momentum': 0.9})

    return read


def options(folder):
    path = folder / 'options.json'
    keep_options(path, OPTIONS)
    return Format(path, lambda: keep_options(path, OPTIONS, resume=True, leads=False))


def history(folder):
    path = folder / 'history.csv'
    path.write_text('epoch,train_loss,test_accuracy\n1,0.51,0.91\n2,0.25,nan\n')
    return Format(path, lambda: read_history(path))


FORMATS = {
    'arrays.npz': arrays, 'features.npz': features, 'npy': array, 'idx': idx(''), 'gz': idx('.gz'),
    'params': checkpoint('-0001.params'), 'states': checkpoint('-0001.states'),
    'json': checkpoint('-symbol.json'), 'rec': records(False), 'rec.idx': records(True),
    'jpg': picture('jpg'), 'png': picture('png'), 'bmp': picture('bmp'), 'options': options,
    'history': history,
}  # fmt: skip


def outcome(read, folder):
    """'read', 'refused', or what should not have been."""
    signal.alarm(SECONDS)
    try:
        read()
        return 'read'
    except (ValueError, OSError) as error:
        one_line = str(folder) in str(error) and '\n' not in str(error)
        return 'refused' if one_line else f'{type(error).__name__}: {error!r}'
    except Exception as error:
        return f'{type(error).__name__}: {error!r}'
    finally:
        signal.alarm(0)


def main(folder, count, names):
    made = {name: FORMATS[name](folder / name) for name in names if not (folder / name).mkdir()}
    for format in made.values():
        format.read()
    with open('/proc/self/statm') as statm:
        limit = int(statm.read().split()[0]) * resource.getpagesize() + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for name, (path, read, content, pack) in made.items():
        rng, content = random.Random(f'{SEED} {name}'), content or path.read_bytes()
        counts = {'read': 0, 'refused': 0}
        for number in range(count):
            variant = damaged(content, rng)
            (folder / 'now').write_text(f'{name} {number}')
            path.write_bytes(pack(variant))
            found = outcome(read, folder)
            if found not in counts:
                (folder / f'{number}.{name}').write_bytes(variant)
                print('WRONG', name, number, found[:300], flush=True)
            else:
                counts[found] += 1
        path.write_bytes(pack(content))
        print(json.dumps({'format': name, **counts}), flush=True)
    (folder / 'now').write_text('the end')


if __name__ == '__main__':
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] or [*FORMATS])
