"""The protocol of `evaluate suspects`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import evaluation
from ..io import Images, Preprocessing, image_iter
from ..model import Features, load_features
from .output import check_output
from .suspects_options import SuspectsOptions

_PRINTED, _DRAWN = 10, 64
# For the page: colors as they are in the file, padded to a square.
_WHOLE = Preprocessing((96, 96), 'pad', (0.0, 0.0, 0.0), (255.0, 255.0, 255.0))


def suspects(options: SuspectsOptions) -> dict[str, Any]:
    """List the samples that are nearer to another class, the most suspicious first; print the first ones."""
    features = load_features(options.features, labelled=True)
    if options.page is not None:
        _check_page(options.page, options, features)
    labels, names = features.classes, features.names
    found = evaluation.suspects(features.features, labels, options.metric)
    listed = [
        {
            'row': int(row),
            'name': None if names is None else names[row],
            'label': str(labels[row]),
            'suggested': str(suggested),
            'excess': float(excess),
        }
        for row, suggested, excess in zip(*found)
    ]
    for one in listed[:_PRINTED]:
        name = f'row {one["row"]}' if one['name'] is None else one['name']
        print(f'{name}\t{one["label"]}\tnearer to {one["suggested"]}\t{one["excess"]:.4f}')
    if options.page is not None and listed:
        _draw(options.page, listed[:_DRAWN])
    return {'num_suspects': len(listed), 'num_samples': len(labels), 'suspects': listed}


def _check_page(page: Path, options: SuspectsOptions, features: Features) -> None:
    """Refuse a page that cannot be drawn, before anything is measured."""
    check_output(page, options.force, '.png', '.svg')
    if features.names is None:
        raise ValueError(f'--page: {options.features} has no names; expected features of pictures in files')
    missing = next((name for name in features.names if not Path(name).is_file()), None)
    if missing is not None:
        raise FileNotFoundError(f'--page: {missing} does not exist; expected the pictures that were embedded')


def _draw(page: Path, listed: list[dict[str, Any]]) -> None:
    """Draw pictures, each with its file, its label and the class that it is nearer to."""
    from ..visualization import pictures_figure, save_figure  # matplotlib is an extra
    from ..visualization.style import short_name

    files = [one['name'] for one in listed]
    images = Images(np.zeros(len(files), int), ['suspect'], files, preprocessing=_WHOLE)
    (batch,) = image_iter(images, len(files)).data_iter
    texts = [(Path(one['name']).name, one['label'], f'→ {one["suggested"]}') for one in listed]
    captions = ['\n'.join(short_name(text, 16) for text in of_one) for of_one in texts]
    save_figure(pictures_figure(batch.data[0].asnumpy(), captions), page)
    print(f'Look at {page}')
