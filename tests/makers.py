"""Files for tests: pictures in folders and .rec files, arrays in idx files, a pickle that leaves a trace."""

from __future__ import annotations

import gzip
import io

import centerloss_mx  # noqa: F401  (before mxnet, which newer NumPys need)

import numpy as np
from mxnet import recordio
from PIL import Image

SEED = 20161008
IDX_CODES = {'u1': 0x08, 'i1': 0x09, 'i2': 0x0B, 'i4': 0x0C, 'f4': 0x0D, 'f8': 0x0E}


def random_pictures(count, height=20, width=30, seed=SEED):
    """RGB pictures of noise, uint8 (count, height, width, 3)."""
    return np.random.RandomState(seed).randint(0, 256, (count, height, width, 3)).astype('uint8')


def patterned_pictures(num_class, each, size=16, seed=SEED):
    """Square grey pictures, uint8, each the pattern of its class under noise; and their labels."""
    rng = np.random.RandomState(seed)
    labels = np.repeat(np.arange(num_class), each)
    patterns = rng.randint(0, 200, (num_class, 4, 4)).repeat(size // 4, axis=1).repeat(size // 4, axis=2)
    return (patterns[labels] + rng.randint(0, 50, (len(labels), size, size))).astype('uint8'), labels


def png(pixels):
    """The bytes of a picture as a PNG file."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, 'PNG')
    return content.getvalue()


def write_folder(folder, classes, pictures):
    """Write each picture, bytes of a file or pixels, into the folder of its class: `<class>/<number>.png`."""
    for i, (name, picture) in enumerate(zip(classes, pictures)):
        (folder / str(name)).mkdir(parents=True, exist_ok=True)
        (folder / str(name) / f'{i:02}.png').write_bytes(_content(picture))
    return folder


def write_records(path, labels, pictures):
    """Write each picture, bytes of a file or pixels, with its label into a .rec file with its index."""
    records = recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'w')
    for i, (label, picture) in enumerate(zip(labels, pictures)):
        records.write_idx(i, recordio.pack(recordio.IRHeader(0, label, i, 0), _content(picture)))
    records.close()
    return path


def write_insightface(path, classes, contents, wide=False):
    """As InsightFace packs: pictures from 1 on, then the identities, and what is where in record 0."""
    records = recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'w')

    def write(key, label, content=b''):
        records.write_idx(key, recordio.pack(recordio.IRHeader(0, label, key, 0), content))

    first, ranges = len(classes) + 1, {}
    num_identity = len(set(classes))
    write(0, [first, first + num_identity])
    for key, (label, content) in enumerate(zip(classes, contents), 1):
        write(key, [label, 0.5] if wide else label, content)
        ranges.setdefault(label, [key, key])[1] = key + 1
    for key, label in enumerate(sorted(ranges), first):
        write(key, ranges[label])
    records.close()
    (path.parent / 'property').write_text(f'{num_identity},112,112')
    return path


def idx_bytes(array):
    """The bytes of an array as an idx file."""
    array = np.asarray(array)
    header = bytes([0, 0, IDX_CODES[array.dtype.str[1:]], array.ndim])
    sizes = b''.join(size.to_bytes(4, 'big') for size in array.shape)
    return header + sizes + array.astype(array.dtype.newbyteorder('>')).tobytes()


def write_idx(path, array):
    """Write an idx file, gzipped if its name ends in .gz."""
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content) if path.suffix == '.gz' else content)


class Payload:
    """Something that runs code when it is unpickled."""

    ran = False

    def __reduce__(self):
        return exec, ('import makers; makers.Payload.ran = True',)


def _content(picture):
    return picture if isinstance(picture, bytes) else png(picture)
