"""`centerloss-mx embed`."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from ..dataset import Samples, has_parts, hold_out, load_samples
from ..io import Images
from ..model import FeatureExtractor, Features, find_centers, load_checkpoint, save_features
from .arguments import SOURCE_HELP, add_checkpoint, add_command, add_output, devices, whole_number
from .output import check_output
from .samples import readable


def embed(args: argparse.Namespace) -> None:
    """Write the features of samples, with their classes and the network's centers."""
    check_output(args.output, args.force, '.npz')
    symbol, arg_params, aux_params = load_checkpoint(*checkpoint(args))
    extractor = FeatureExtractor(symbol, arg_params, aux_params, args.layer, args.ctx[0])
    if args.trained_classes and extractor.class_names is None:
        raise ValueError(f'--trained-classes: {args.prefix} does not tell what it was trained on')
    classes = extractor.class_names if args.trained_classes else None
    samples = _part(args, classes)
    pictures = isinstance(samples, Images)
    if extractor.pictures not in (None, pictures):
        kinds = {True: 'pictures in files, which are normalized', False: 'arrays, which are not'}
        raise ValueError(
            f'{args.data}: these are {kinds[pictures]}, but {args.prefix} was trained on '
            f'{kinds[not pictures]}; its features would be of something else'
        )
    data = samples if isinstance(samples, Images) else samples.images
    found = extractor.predict(data, args.batch_size, args.image_size, args.flip, progress=True)
    centers, trained_on = find_centers(symbol, arg_params, aux_params), extractor.class_names
    if found.ndim != 2:
        raise ValueError(f'{args.layer} has shape {found.shape}; expected (N, D), a feature for each sample')
    told = ''
    of_these = args.layer == 'embedding_output' and not args.flip and trained_on is not None
    if centers is not None and not of_these:
        centers, told = None, '; without the centers, which are of other features'
    names = samples.names if isinstance(samples, Images) else None
    features = Features(found, samples.labels, samples.class_names, names, centers, trained_on)
    save_features(args.output, features)
    count = len(np.unique(samples.labels))
    print(f'{args.output}: {len(found)} features of {found.shape[1]} dimensions, {count} classes{told}')


def checkpoint(args: argparse.Namespace) -> tuple[str, int | None]:
    """Prefix and epoch; the name of a .params file tells both."""
    prefix = str(Path(args.prefix))
    match = re.fullmatch(r'(.+)-(\d{4})\.params', prefix)
    if match and args.epoch is None:
        return match.group(1), int(match.group(2))
    return prefix, args.epoch


def _part(args: argparse.Namespace, class_names: Sequence[str] | None) -> Samples:
    """The samples to embed; of a source without parts, those that `train` has held out, or the others."""
    if has_parts(args.data) or args.part is None:
        part = args.part or ('test' if has_parts(args.data) else None)
        return readable(load_samples(args.data, part, class_names), args.skip_bad)
    path = Path(f'{checkpoint(args)[0]}-options.json')
    try:
        options = json.loads(path.read_text(encoding='utf-8'))
        names = ('data', 'test', 'test_share', 'seed', 'skip_bad')
        data, test, share, seed, skip_bad = (options[name] for name in names)
    except (OSError, KeyError, TypeError, ValueError):
        raise ValueError(f'--part {args.part}: {path} does not tell what train has held out') from None
    if Path(data).resolve() != Path(args.data).resolve() or test is not None or not share:
        raise ValueError(f'--part {args.part}: {path} does not tell that a part of {args.data} was held out')
    samples = readable(load_samples(args.data, None, class_names), args.skip_bad or skip_bad)
    return hold_out(samples, share, seed)[('train', 'test').index(args.part)]


def add_embed(commands: Any) -> None:
    command = add_command(
        commands, 'embed', embed, 'write the features of samples, with their classes',
        'embed runs/digits digits -o digits.npz',
    )  # fmt: skip
    add = command.add_argument
    add_checkpoint(command)
    add('data', metavar='DATA', help=f'the samples: {SOURCE_HELP}')
    add_output(command, 'the .npz file to write')
    add(
        '--part',
        choices=('train', 'test'),
        help='of digits and of a folder of idx files (default: test); of another source, what train has '
        'trained on or held out (default: all)',
    )
    add('--trained-classes', action='store_true',
        help='labels of a .rec file, and classes, are those of the training')  # fmt: skip
    add('--flip', action='store_true', help='append the feature of the mirrored sample')
    add(
        '--image-size',
        type=whole_number(1),
        help='height and width of pictures (default: that of the training)',
    )
    add('--skip-bad', action='store_true', help='leave out pictures that cannot be decoded, and name them')
    add('--batch-size', type=whole_number(1), default=128, help='samples at a time')
    add('--ctx', type=devices, default='cpu', help='device: cpu, gpu:0, ...')
