"""Pictures a second, read, decoded, resized, cropped, mirrored and normalized, against MXNet's readers.

    python -m benchmarks.pictures           # a table, in 10 minutes
    python -m benchmarks.pictures --quick   # fewer pictures and rounds, in half a minute

`image_iter` serves the pictures of a .rec file, and of a folder, with 1, 2 and 4 threads. `ImageIter` is
MXNet's reader in Python, with the same operations in the calling thread. `ImageRecordIter` is MXNet's in C++:
it resizes bilinear and decodes with another library, so its pixels differ a little.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import centerloss_mx.io as cio

import mxnet as mx
import numpy as np
from mxnet import recordio
from PIL import Image

from .machine import describe

BATCH_SIZE = 64
THREADS = (1, 2, 4)
SETS = {'112 x 112': (4000, 112, 112, 112), '500 x 375': (800, 375, 500, 224)}  # number, height, width, size
MEAN, STD = (123.68, 116.28, 103.53), (58.395, 57.12, 57.375)


def write_set(folder: Path, count: int, height: int, width: int) -> Path:
    """Write noise of several scales as JPEGs of 10 classes, and the same into a .rec file beside them."""
    rng, path = np.random.RandomState(0), folder.with_suffix('.rec')
    records = recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'w')
    contents = []
    for _ in range(40):
        coarse = Image.fromarray(rng.randint(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.BICUBIC)).astype(int)
        pixels = (smooth + rng.randint(-8, 9, (height, width, 1))).clip(0, 255).astype(np.uint8)
        content = BytesIO()
        Image.fromarray(pixels).save(content, 'JPEG', quality=90)
        contents.append(content.getvalue())
    for i in range(count):
        file = folder / str(i % 10) / f'{i:05}.jpg'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(contents[i % len(contents)])
        records.write_idx(i, recordio.pack(recordio.IRHeader(0, i % 10, i, 0), file.read_bytes()))
    records.close()
    return path


def readers(path: Path, folder: Path, size: int) -> dict[str, Any]:
    """The iterators, each of them shuffled and mirrored."""
    index = str(path.with_suffix('.idx'))
    images = {'.rec': cio.list_images(path), 'folder': cio.list_images(folder)}
    found: dict[str, Any] = {
        f'image_iter, {kind}, {num_threads}': cio.image_iter(
            images[kind], BATCH_SIZE, size, shuffle=True, rand_mirror=True, num_threads=num_threads
        )
        for kind in images
        for num_threads in THREADS
    }
    augmenters = mx.image.CreateAugmenter(
        (3, size, size), size, rand_mirror=True, mean=True, std=True, inter_method=9
    )
    found['ImageIter, .rec'] = mx.image.ImageIter(
        BATCH_SIZE,
        (3, size, size),
        path_imgrec=str(path),
        path_imgidx=index,
        shuffle=True,
        aug_list=augmenters,
    )
    means = {f'mean_{channel}': value for channel, value in zip('rgb', MEAN)}
    stds = {f'std_{channel}': value for channel, value in zip('rgb', STD)}
    for num_threads in THREADS:
        found[f'ImageRecordIter, .rec, {num_threads}'] = mx.io.ImageRecordIter(
            path_imgrec=str(path), path_imgidx=index, data_shape=(3, size, size), batch_size=BATCH_SIZE,
            resize=size, shuffle=True, rand_mirror=True, preprocess_threads=num_threads, verbose=False,
            **means, **stds,
        )  # fmt: skip
    return found


def seconds(data_iter: Any) -> float:
    """The time of an epoch."""
    data_iter.reset()
    start = time.perf_counter()
    for batch in data_iter:
        batch.data[0].wait_to_read()
    return time.perf_counter() - start


def print_rates(rounds: int, share: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, (count, height, width, size) in SETS.items():
            count = int(count * share)
            pictures = Path(folder, str(height))
            compared = readers(write_set(pictures, count, height, width), pictures, size)
            times = {reader: [seconds(data_iter)] for reader, data_iter in compared.items()}  # warm
            for _ in range(rounds):
                for reader, data_iter in compared.items():
                    times[reader].append(seconds(data_iter))
            print(
                f'\n{count:,} JPEGs of {name}, served as {size} x {size}; pictures a second, {rounds} rounds'
            )
            print(f'{"":32}{"most":>8}{"p50":>8}')
            for reader, measured in times.items():
                best, middle = min(measured[1:]), float(np.median(measured[1:]))
                print(f'  {reader:30}{count / best:8,.0f}{count / middle:8,.0f}')


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--quick', action='store_true', help='fewer pictures and rounds')
    args = parser.parse_args()
    print(describe())
    print_rates(2 if args.quick else 5, 0.1 if args.quick else 1)


if __name__ == '__main__':
    main()
