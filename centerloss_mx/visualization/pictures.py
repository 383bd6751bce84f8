"""Pictures in a grid."""

from __future__ import annotations

from typing import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from .style import SMALL, STYLE, plain_text, text_width

_COLUMNS = 8
WIDTH = 0.95  # of a picture, in inches


def pictures_figure(pictures: Sequence[np.ndarray], captions: Sequence[str]) -> Figure:
    """Draw pictures in rows, each with a caption.

    Parameters
    ----------
    pictures : sequence of numpy.ndarray
        N pictures of one size, (channels, height, width) of 1 or 3 channels, N > 0. Each is drawn from its
        own darkest to its own brightest value.
    captions : sequence of str
        N captions, of one line or several.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.

    Raises
    ------
    ValueError
        There are no pictures, or not as many captions.

    Examples
    --------
    >>> figure = pictures_figure([np.zeros((1, 8, 8)), np.ones((1, 8, 8))], ['cat', 'dog'])
    """
    if not len(pictures) or len(pictures) != len(captions):
        raise ValueError(f'{len(pictures)} pictures and {len(captions)} captions; expected as many, > 0')
    texts = [plain_text(caption) for caption in captions]
    widest = max(text_width(text, SMALL) for text in texts)
    num_lines = max(text.count('\n') + 1 for text in texts)
    height, width = pictures[0].shape[1:]
    across, gap = max(WIDTH, widest), 0.15  # inches
    down, below = WIDTH * height / width, 0.17 * num_lines + 0.1
    columns = min(_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    size = columns * (across + gap) + gap, rows * (down + below + gap) + gap
    with rc_context(STYLE):
        figure = Figure(figsize=size)
        for k, (picture, text) in enumerate(zip(pictures, texts)):
            left = gap + k % columns * (across + gap)
            lower = size[1] - (k // columns + 1) * (down + below + gap) + below
            add_picture(figure, picture, left + (across - WIDTH) / 2, lower)
            where = (left + across / 2) / size[0], (lower - 0.05) / size[1]
            figure.text(*where, text, ha='center', va='top', fontsize=SMALL)
    return figure


def add_picture(figure: Figure, picture: np.ndarray, left: float, lower: float) -> None:
    """Draw a picture (channels, height, width) of `WIDTH`; its lower left corner is given in inches."""
    (across, down), (height, width) = figure.get_size_inches(), picture.shape[1:]
    size = WIDTH / across, WIDTH * height / width / down
    axes = figure.add_axes((left / across, lower / down, *size))
    axes.axis('off')
    span = np.ptp(picture) or 1
    axes.imshow(((picture - picture.min()) / span).transpose(1, 2, 0).squeeze(), cmap='gray')
