"""Figures, pages and animations as files."""

from __future__ import annotations

import os
from io import BytesIO
from typing import Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from .._files import write_bytes
from .style import STYLE

FORMATS = ('png', 'svg')


def save_figure(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure as PNG or SVG, complete or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : path-like
        The file, which ends in .png or .svg.

    Raises
    ------
    ValueError
        The path has another ending.
    OSError
        The folder cannot be written to.

    Examples
    --------
    >>> save_figure(figure, 'embedding.png')  # doctest: +SKIP
    """
    kind = os.path.splitext(path)[1][1:].lower()
    if kind not in FORMATS:
        raise ValueError(f'{path}: expected a file that ends in .{" or .".join(FORMATS)}')
    content = BytesIO()
    with rc_context(STYLE):  # ticks that matplotlib makes while it draws have the style, too
        figure.savefig(content, format=kind)
    write_bytes(path, content.getvalue())


def save_page(page: str, path: str | os.PathLike) -> None:
    """Write a page, complete or not at all.

    Parameters
    ----------
    page : str
        What `embedding_page` made.
    path : path-like
        The file, which ends in .html.

    Raises
    ------
    ValueError
        The path has another ending.
    OSError
        The folder cannot be written to.

    Examples
    --------
    >>> save_page(page, 'embedding.html')  # doctest: +SKIP
    """
    if os.path.splitext(path)[1].lower() != '.html':
        raise ValueError(f'{path}: expected a file that ends in .html')
    write_bytes(path, page.encode('utf-8', 'replace'))  # names of files may not be Unicode


def save_animation(
    pictures: Sequence[str | os.PathLike], path: str | os.PathLike, seconds: float = 0.7
) -> None:
    """Join pictures of one size to an animated GIF, which repeats.

    Parameters
    ----------
    pictures : sequence of path-like
        PNG files, in order.
    path : path-like
        The file, which ends in .gif.
    seconds : float
        How long each picture is shown, > 0; the last one is shown four times as long.

    Raises
    ------
    OSError
        A picture cannot be read, or the folder cannot be written to.

    Examples
    --------
    >>> save_animation(['epoch-001.png', 'epoch-002.png'], 'epochs.gif')  # doctest: +SKIP
    """
    frames = []
    for picture in pictures:
        with Image.open(picture) as image:
            frames.append(image.convert('P', palette=Image.ADAPTIVE))
    durations = [int(1000 * seconds)] * (len(frames) - 1) + [int(4000 * seconds)]
    content = BytesIO()
    frames[0].save(content, format='GIF', save_all=True, append_images=frames[1:], duration=durations, loop=0)
    write_bytes(path, content.getvalue())
