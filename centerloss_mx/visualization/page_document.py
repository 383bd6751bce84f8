"""The document of a page in Bokeh: what it shows, and what it does."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np

from .._optional import require
from .key import Key
from .projection import Panel, extent
from .style import shortened

_SIDE = 640  # of the frame, in pixels
_LEAST = 5  # pixels of a sample, to be found by a pointer
_MARKERS = {'o': 'circle', '^': 'triangle', 's': 'square', 'D': 'diamond', 'P': 'plus'}

# Of several samples under the pointer, only the last one is shown, which is drawn above the others.
_TOOLTIP = """
<div class="sample" style="display: flex; gap: 8px; align-items: center">
<style>div:not(:last-child) > .sample { display: none !important }</style>
PICTURE<div><b>@class</b><br>@sample</div>
</div>
"""
_PICTURE = '<img src="@picture" alt="" style="width: 96px; height: 96px; object-fit: contain">'

# Moves samples and centers to their places in a step. Those of classes that are off get none.
_UPDATE = """
const step = slider.value - 1
const wanted = search.value_input.toLowerCase().split(',').map((part) => part.trim()).filter((part) => part)
const lower = names.map((name) => name.toLowerCase())
const all = new Set(lower)
const is_wanted = (name) => wanted.some((part) => (all.has(part) ? name == part : name.includes(part)))
const on = lower.map((name, j) => (!wanted.length || is_wanted(name)) && switches[j]?.visible !== false)
for (const source of sources) {
    const {label} = source.data
    const places = (axis) => Float32Array.from(axis, (place, row) => (on[label[row]] ? place : NaN))
    const [x, y] = [source.data['x' + step], source.data['y' + step]].map(places)
    source.data = {...source.data, x, y}
}
title.text = titles[step]
"""


class Samples(NamedTuple):
    """What is told of the samples: N labels, names and pictures, and the name of each class."""

    labels: np.ndarray
    class_names: Mapping[int, str]
    names: Sequence[str]
    pictures: Sequence[str] | None


def page_document(steps: Sequence[Panel], samples: Samples, key: Key, axis: str) -> str:
    """Return the HTML of a page with panels in the plane; `axis` has '{}' for the axis's number."""
    models = _bokeh('models')
    limit = max(map(extent, steps))
    title = models.Title(text=models.PlainText(text=steps[0].title))
    plot = _bokeh('plotting').figure(
        frame_width=_SIDE,
        frame_height=_SIDE,
        x_range=(-limit, limit),
        y_range=(-limit, limit),
        x_axis_label=axis.format(1),
        y_axis_label=axis.format(2),
        title=title,
        tools='pan,wheel_zoom,box_zoom,reset,save',
        active_scroll='wheel_zoom',
    )
    plot.toolbar.logo = None
    if axis.startswith('t-SNE'):
        plot.axis.ticker = []  # its distances have no unit
    sources = [_samples_source(steps, samples, key), _centers_source(steps, samples, key)]
    drawn = [plot.scatter('x', 'y', size='size', marker='marker', color='color', source=sources[0])]
    picture = '' if samples.pictures is None else _PICTURE
    _add_tooltip(plot, drawn[0], picture, 'horizontal')
    if len(sources[1].data['x']):
        drawn.append(_draw_centers(plot, sources[1], key))
        _add_tooltip(plot, drawn[1], '', 'vertical')  # not over that of a sample
    switches = _add_legend(plot, samples.class_names, key, drawn[1:])
    controls = _controls(steps, samples.class_names, sources[: len(drawn)], switches, title)
    document = _bokeh('layouts').column(*controls, plot)
    return _bokeh('embed').file_html(document, _bokeh('resources').INLINE, title=steps[0].title)


def _controls(
    steps: Sequence[Panel],
    class_names: Mapping[int, str],
    sources: Sequence[Any],
    switches: Mapping[int, Any],
    title: Any,
) -> list[Any]:
    """Make the field and, for several steps, the slider; they and the legend move what is in the sources."""
    models = _bokeh('models')
    label = f'Show only these classes of {len(class_names)}: names or parts of them, separated by commas'
    search = models.TextInput(title=label, width=_SIDE)
    slider = models.Slider(start=1, end=max(2, len(steps)), value=1, step=1, title='Step', width=_SIDE)
    update = models.CustomJS(
        args={
            'sources': sources,
            'names': list(class_names.values()),
            'switches': [switches.get(j) for j in class_names],
            'search': search,
            'slider': slider,
            'title': title,
            'titles': [models.PlainText(text=panel.title) for panel in steps],
        },
        code=_UPDATE,
    )
    search.js_on_change('value_input', update)
    slider.js_on_change('value', update)
    for switch in dict.fromkeys(switches.values()):
        switch.js_on_change('visible', update)
    return [search] if len(steps) == 1 else [search, slider]


def _samples_source(steps: Sequence[Panel], samples: Samples, key: Key) -> Any:
    """The samples in the order in which they are drawn: grey ones are below the others."""
    order = np.argsort(np.isin(samples.labels, list(key.styles)), kind='stable')
    labels = samples.labels[order].tolist()
    styles = [key.styles.get(j, key.grey_style) for j in labels]
    columns: dict[str, Any] = {
        'class': [samples.class_names[j] for j in labels],
        'sample': [samples.names[row] for row in order],
        'color': [style['color'] for style in styles],
        'marker': [_MARKERS[style['marker']] for style in styles],
        'size': np.array([max(_LEAST, _pixels(style['s'])) for style in styles], np.float32),
    }
    if samples.pictures is not None:
        columns['picture'] = [samples.pictures[row] for row in order]
    return _source([panel.features[order] for panel in steps], labels, samples, columns)


def _centers_source(steps: Sequence[Panel], samples: Samples, key: Key) -> Any:
    """The centers of classes in color; a step without a center of a class has it nowhere."""
    row_of = [
        {} if panel.center_labels is None else {j: row for row, j in enumerate(panel.center_labels.tolist())}
        for panel in steps
    ]
    labels = [j for j in key.styles if any(j in rows for rows in row_of)]
    places = [np.full((len(labels), 2), np.nan) for _ in steps]
    for place, panel, rows in zip(places, steps, row_of):
        for i, j in enumerate(labels):
            if panel.centers is not None and j in rows:
                place[i] = panel.centers[rows[j]]
    columns = {
        'class': [samples.class_names[j] for j in labels],
        'sample': ['center'] * len(labels),
        'color': key.center_colors(np.array(labels, int)),
    }
    return _source(places, labels, samples, columns)


def _source(
    places: Sequence[np.ndarray], labels: Sequence[int], samples: Samples, columns: dict[str, Any]
) -> Any:
    """Points with their places in each step; their classes are numbered as in `samples.class_names`."""
    number_of = {j: number for number, j in enumerate(samples.class_names)}
    columns['label'] = np.array([number_of[j] for j in labels], np.int32)
    for step, place in enumerate(places):
        columns[f'x{step}'], columns[f'y{step}'] = place.astype(np.float32).T.copy()
    return _bokeh('models').ColumnDataSource({**columns, 'x': columns['x0'], 'y': columns['y0']})


def _draw_centers(plot: Any, source: Any, key: Key) -> Any:
    style = key.center_style
    return plot.scatter(
        'x', 'y', source=source, marker=_MARKERS[style['marker']], size=1.2 * _pixels(style['s']),
        fill_color='color', line_color=style['edgecolors'], line_width=style['linewidths'],
    )  # fmt: skip


def _add_tooltip(plot: Any, renderer: Any, picture: str, attachment: str) -> None:
    html = _TOOLTIP.replace('PICTURE', picture)
    plot.add_tools(_bokeh('models').HoverTool(renderers=[renderer], tooltips=html, attachment=attachment))


def _add_legend(
    plot: Any, class_names: Mapping[int, str], key: Key, centers: Sequence[Any]
) -> dict[int, Any]:
    """Add the legend; return the renderer that it switches on and off for each class that it lists.

    All samples are drawn by one renderer. So each entry has one of its own, which draws nothing.
    """

    def nothing(style: Mapping[str, Any]) -> Any:
        return plot.scatter(
            [np.nan], [np.nan], marker=_MARKERS[style['marker']], color=style['color'], size=8
        )

    models = _bokeh('models')
    switches = {j: nothing(key.styles[j]) for j in key.labels}
    entries = [(shortened(class_names[j], 24), switch) for j, switch in switches.items()]
    if key.num_grey:
        others = nothing(key.grey_style)
        switches.update({j: others for j in class_names if j not in key.styles})
        entries.append((key.grey_label, others))
    entries += [('center', renderer) for renderer in centers]
    items = [models.LegendItem(label={'value': text}, renderers=[renderer]) for text, renderer in entries]
    legend = models.Legend(
        items=items, title=key.title, click_policy='hide', border_line_color=None, spacing=0, padding=4,
        glyph_height=15, label_height=15, label_text_font_size='12px', label_text_line_height=1,
    )  # fmt: skip
    plot.add_layout(legend, 'right')
    return switches


def _bokeh(module: str) -> Any:
    return require(f'bokeh.{module}', 'a page of an embedding', 'html')


def _pixels(area: float) -> float:
    """The diameter in pixels of a mark whose area matplotlib takes in points squared."""
    return 96 / 72 * float(np.sqrt(area))
