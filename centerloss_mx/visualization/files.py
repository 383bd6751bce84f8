"""Figures as files."""

from __future__ import annotations

import os
from typing import Sequence

from matplotlib.figure import Figure
from PIL import Image

from .._files import write_whole

FORMATS = ('png', 'svg')


def save_figure(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure as PNG or SVG, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : path-like
        The file, ending in .png or .svg.

    Raises
    ------
    ValueError
        Another ending.
    OSError
        The folder cannot be written to.

    Examples
    --------
    >>> save_figure(figure, 'embedding.png')  # doctest: +SKIP
    """
    kind = os.path.splitext(path)[1][1:].lower()
    if kind not in FORMATS:
        raise ValueError(f'{path}: expected a file that ends in .{" or .".join(FORMATS)}')
    write_whole(path, lambda name: figure.savefig(name, format=kind))


def save_animation(
    pictures: Sequence[str | os.PathLike], path: str | os.PathLike, seconds: float = 0.7
) -> None:
    """Join pictures of one size to an animated GIF that repeats.

    Parameters
    ----------
    pictures : sequence of path-like
        PNG files, in order.
    path : path-like
        The file, ending in .gif.
    seconds : float
        How long each picture stands, > 0; the last one stands four times as long.

    Raises
    ------
    OSError
        A picture cannot be read, or the folder not be written to.

    Examples
    --------
    >>> save_animation(['epoch-001.png', 'epoch-002.png'], 'epochs.gif')  # doctest: +SKIP
    """
    frames = []
    for picture in pictures:
        with Image.open(picture) as image:
            frames.append(image.convert('P', palette=Image.ADAPTIVE))
    durations = [int(1000 * seconds)] * (len(frames) - 1) + [int(4000 * seconds)]
    write_whole(
        path,
        lambda name: frames[0].save(
            name, format='GIF', save_all=True, append_images=frames[1:], duration=durations, loop=0
        ),
    )
