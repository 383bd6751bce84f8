"""Pictures of pairs."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure


def pairs_figure(rows: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray, str]]]) -> Figure:
    """Draw pairs of pictures in rows, each with a caption.

    Parameters
    ----------
    rows : mapping of str to sequence of (numpy.ndarray, numpy.ndarray, str)
        By title, the pairs: two pictures (channels, height, width), of 1 or 3 channels, and a caption. Each
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
    across, margin = 0.95, 0.2  # inches of a picture, and between pairs
    down = across * height / width
    row_height = down + 0.62
    size = (count * (2 * across + margin) + margin, len(rows) * row_height + 0.1)
    figure = Figure(figsize=size, dpi=100)
    for i, (title, pairs) in enumerate(rows.items()):
        top = size[1] - i * row_height - 0.3
        figure.text(margin / size[0], (top + 0.06) / size[1], title, fontsize=11, weight='bold')
        for k, (*pictures, caption) in enumerate(pairs):
            left = margin + k * (2 * across + margin)
            for side, picture in enumerate(pictures):
                place = (
                    (left + side * across) / size[0],
                    (top - down) / size[1],
                    across / size[0],
                    down / size[1],
                )
                axes = figure.add_axes(place)
                axes.axis('off')
                span = np.ptp(picture) or 1
                axes.imshow(((picture - picture.min()) / span).transpose(1, 2, 0).squeeze(), cmap='gray')
            figure.text(
                (left + across) / size[0], (top - down - 0.17) / size[1], caption, ha='center', fontsize=9
            )
    return figure
