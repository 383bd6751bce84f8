"""`centerloss-mx pack`."""

from __future__ import annotations

from pathlib import Path

from .. import dataset
from .._checks import quantity
from .._files import check_folder
from ..io import Images
from .pack_options import PackOptions
from .samples import readable


def pack(options: PackOptions) -> None:
    """Write pictures with their labels into a .rec file, with its index and list."""
    prefix = options.output
    check_folder(prefix)
    for path in (Path(f'{prefix}.{suffix}') for suffix in ('rec', 'idx', 'lst')):
        if path.exists() and not options.force:
            raise FileExistsError(f'{path} already exists; --force replaces it')
    samples = dataset.load_samples(options.data, min_images=options.min_images)
    if not isinstance(samples, Images):
        raise ValueError(
            f'{options.data}: these are no pictures in files; expected a folder of class folders'
        )
    images = readable(samples, options.skip_bad, options.min_images)
    assert isinstance(images, Images)  # it was before
    dataset.pack(images, prefix, progress=True)
    size, classes = (
        quantity(len(images.labels), 'picture'),
        quantity(len(images.class_names), 'class', 'classes'),
    )
    print(f'{prefix}.rec: {size}, {classes}')
