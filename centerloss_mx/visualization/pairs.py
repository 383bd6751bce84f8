"""Pictures of pairs."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from .pictures import WIDTH, add_picture
from .style import SMALL, STYLE, TITLE, plain_text, text_width


def pairs_figure(rows: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray, str]]]) -> Figure:
    """Draw pairs of pictures in rows, each with a caption.

    Parameters
    ----------
    rows : mapping of str to sequence of (numpy.ndarray, numpy.ndarray, str)
        By title, the pairs: two pictures (channels, height, width) of 1 or 3 channels, and a caption. Each
        picture is drawn from its own darkest to its own brightest value.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.

    Examples
    --------
    >>> figure = pairs_figure({'alike': [(np.zeros((1, 8, 8)), np.ones((1, 8, 8)), 'cosine 0.9')]})
    """
    count = max(map(len, rows.values()))
    height, width = next(pair[0].shape[1:] for pairs in rows.values() for pair in pairs)
    across, margin, top = WIDTH, 0.2, 0.3  # inches of a picture, between pairs, and above a row
    down = across * height / width
    row_height = top + down + 0.32
    titles = [plain_text(title) for title in rows]
    size = (
        max(count * (2 * across + margin), *(text_width(title, TITLE, 'bold') + margin for title in titles))
        + margin,
        len(rows) * row_height + 0.1,
    )
    with rc_context(STYLE):
        figure = Figure(figsize=size)
        for i, (title, pairs) in enumerate(zip(titles, rows.values())):
            upper = size[1] - i * row_height - top
            figure.text(margin / size[0], (upper + 0.06) / size[1], title, fontsize=TITLE, weight='bold')
            for k, (*pictures, caption) in enumerate(pairs):
                left = margin + k * (2 * across + margin)
                for side, picture in enumerate(pictures):
                    add_picture(figure, picture, left + side * across, upper - down)
                where = ((left + across) / size[0], (upper - down - 0.17) / size[1])
                figure.text(*where, plain_text(caption), ha='center', fontsize=SMALL)
    return figure
