"""Pages of embeddings, to look at in a browser."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np

from .key import class_key
from .page_document import Samples, page_document
from .projection import Panel, axis_label, checked_panels, in_plane


def embedding_page(
    panels: Sequence[Panel],
    class_names: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    pictures: Sequence[str] | None = None,
    projection: str = 'pca',
    highlight: Sequence[str | int] | None = None,
) -> str:
    """Make a page with an embedding: the class and the picture of the sample under the pointer.

    Several panels are steps of a slider, such as the epochs of a training. They have the same samples, one
    scale, and the unit of `embedding_figure`. Features of more than two dimensions are projected together, so
    that equal features have one place in all steps. Colors, shapes and centers are those of
    `embedding_figure`. A click on a class in the legend hides it. A field takes names of classes, or parts of
    names, and hides all other classes, also where they are too many for a legend.

    Parameters
    ----------
    panels : sequence of Panel
        The steps of the slider, each with the same samples and the same number of dimensions.
    class_names : sequence of str or None
        The name of each class; None: its number.
    names : sequence of str or None
        What is shown as the name of each of the N samples; None: its row.
    pictures : sequence of str or None
        A picture of each of the N samples, as `thumbnails` makes them; None: no pictures.
    projection : {'pca', 'tsne'}
        As for `embedding_figure`; of all panels together.
    highlight : sequence of str or int, or None
        As for `embedding_figure`.

    Returns
    -------
    str
        The page, HTML with all that it needs, for `save_page`.

    Raises
    ------
    ValueError
        As for `embedding_figure`; or panels of different samples or dimensions, or not as many names or
        pictures as samples.
    ImportError
        Bokeh is not installed.

    Examples
    --------
    >>> panel = Panel('test', np.eye(4)[:, :2], np.array([0, 0, 1, 1]))
    >>> save_page(embedding_page([panel], ['cat', 'dog']), 'page.html')  # doctest: +SKIP
    """
    panels = checked_panels(panels, class_names, projection)
    labels = panels[0].labels
    _check_samples(panels, {'names': names, 'pictures': pictures})
    steps = in_plane(panels, projection)
    classes = np.unique(labels).tolist()
    key = class_key(classes, class_names, highlight, len(labels))
    samples = Samples(
        labels,
        {j: str(j if class_names is None else class_names[j]) for j in classes},
        [f'row {row}' for row in range(len(labels))] if names is None else names,
        pictures,
    )
    return page_document(steps, samples, key, axis_label(panels[0], projection))


def _check_samples(panels: Sequence[Panel], described: Mapping[str, Sequence[str] | None]) -> None:
    """Raise ValueError for panels of different samples, and names or pictures of others."""
    first = panels[0]
    for panel in panels:
        if not np.array_equal(panel.labels, first.labels):
            raise ValueError(
                f'panel {panel.title!r} has other labels than panel {first.title!r}; expected the same '
                'samples in the same order'
            )
    for noun, given in described.items():
        if given is not None and len(given) != len(first.labels):
            raise ValueError(f'{len(given)} {noun}; expected one for each of {len(first.labels)} samples')
