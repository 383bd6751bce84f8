"""What arguments can say, for the library and for a command line that has not loaded MXNet yet."""

from __future__ import annotations

import re

__all__ = [
    'CLASSIFIERS',
    'ENDLESS_SCHEDULES',
    'FITS',
    'KV_STORES',
    'LAYOUTS',
    'LOSSES',
    'LR_SCHEDULES',
    'METRICS',
    'NECKS',
    'SELECTIONS',
    'SOURCES',
    'SPLITS',
    'devices',
]

CLASSIFIERS = ('softmax', 'margin')  # the kinds of `symbol.classifier`

FITS = ('crop', 'stretch', 'pad')  # how a picture of another shape gets the size of the network's

KV_STORES = ('local', 'device', 'dist_sync', 'dist_device_sync', 'dist_async')

LAYOUTS = ('NHW', 'NHWC', 'NCHW')  # of images in an array; N: sample, C: channel

LOSSES = (  # the names that `symbol.supervised` takes
    'softmax',
    'center_loss',
    'sync_center_loss',
    'learned_center_loss',
    'island_loss',
    'contrastive_center_loss',
    'large_margin_gaussian_mixture',
)

ENDLESS_SCHEDULES = ('step', 'constant')  # they do not depend on the number of epochs
LR_SCHEDULES = ('cosine', *ENDLESS_SCHEDULES)  # the kinds of `training.lr_schedule`

METRICS = ('cosine', 'euclidean')

NECKS = ('bn',)  # what may be between the embedding and the class layer

SELECTIONS = (  # columns of the history by which a checkpoint can be the best
    'test_accuracy',
    'test_precision_at_1',
    'ratio',
    'validation_precision_at_1',
    'validation_map_at_r',
    'validation_tar_at_far_0.001',
)

SOURCES = ('digits', 'lfw', 'olivetti')  # the sets that `dataset.load_samples` knows by name

SPLITS = ('samples', 'classes')  # what is held out to test with

_DEVICE = re.compile(r'\s*(cpu|gpu)(?::([0-9]*))?\s*')
_MOST_DEVICES = 1024  # MXNet allocates memory for each number below a device's: a typo could use all of it


def devices(text: str) -> list[tuple[str, int]]:
    """Read kinds and numbers of devices: 'cpu,gpu:1' is [('cpu', 0), ('gpu', 1)].

    Raises
    ------
    ValueError
        A name that is not a device, or a number that none can have.
    """
    found = []
    for part in text.split(','):
        match = _DEVICE.fullmatch(part)
        if match is None:
            raise ValueError(f'{part!r} is not a device; expected cpu, cpu:0, gpu:0, ...')
        kind, number = match.groups()
        number = (number or '').lstrip('0') or '0'
        if len(number) > 4 or int(number) >= _MOST_DEVICES:
            raise ValueError(f'there is no {part!r}; expected a number below {_MOST_DEVICES}')
        found.append((kind, int(number)))
    return found
