"""The table and the pictures of the study."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from centerloss_mx.model import load_features, write_whole
from centerloss_mx.visualization import Curve, CurvePanel, Panel, curve_figure, embedding_figure, save_figure

import numpy as np
from common import deviation, spread
from study_methods import CENTER_LOSS, SCALES, SOFTMAX, Result, Trial, features_path

NUM_DRAWN = 20  # unseen classes in a picture
_PERCENT = {'precision_at_1': 'precision@1', 'tar_at_far': 'TAR@FAR=0.001', 'accuracy': 'accuracy'}


def report(results: Sequence[Result], output: Path) -> str:
    """Write `table.md` and what pictures the results allow to `output`; return the table."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.method, result.weights), []).append(result)
    text = table(groups)
    write_whole(output / 'table.md', lambda name: Path(name).write_text(text + '\n', encoding='utf-8'))
    if {name for name, _ in groups} >= {SOFTMAX, CENTER_LOSS}:
        save_figure(scale_figure(groups), output / 'scale.png')
        save_figure(classes_figure(groups, output), output / 'classes.png')
        text += f'\nLook at scale.png and classes.png in {output}'
    return text


def table(groups: dict[tuple[str, str], list[Result]]) -> str:
    """Markdown: mean ± standard deviation over the seeds; the difference to softmax is that of each seed."""
    titles = ['MAP@R, %', 'above softmax', *(f'{title}, %' for title in _PERCENT.values()), 'ratio']
    lines = [f'| loss | weights | {" | ".join(titles)} |', '| --- ' * (2 + len(titles)) + '|']
    plain = {result.seed: result.map_at_r for result in groups.get((SOFTMAX, ''), [])}
    for (method, weights), of_group in groups.items():
        above = [100 * (result.map_at_r - plain[result.seed]) for result in of_group if plain]
        cells = [
            _cell([100 * result.map_at_r for result in of_group], 1),
            _cell(above, 1) if above and method != SOFTMAX else '',
            *(_cell([100 * getattr(result, name) for result in of_group], 1) for name in _PERCENT),
            _cell([result.ratio for result in of_group], 3),
        ]
        lines.append(f'| {method} | {weights} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def _cell(values: list[float], digits: int) -> str:
    """Mean ± deviation; of one seed, its value."""
    text = spread(values, digits)
    return text.split(' ± ')[0] if len(values) == 1 else text


def _over_scale(groups: dict[tuple[str, str], list[Result]]) -> list[list[Result]]:
    """The results with softmax only, and with each λ of center loss."""
    weights = [Trial(CENTER_LOSS, {'scale': scale}, '', 0).weights for scale in SCALES]
    return [groups[SOFTMAX, ''], *(groups[CENTER_LOSS, one] for one in weights)]


def scale_figure(groups: dict[tuple[str, str], list[Result]]) -> object:
    """Accuracy, MAP@R and ratio over λ."""
    of_scales = _over_scale(groups)

    def curve(label: str, name: str, factor: float) -> Curve:
        values = [[factor * getattr(result, name) for result in results] for results in of_scales]
        means, deviations = [np.mean(one) for one in values], [deviation(one) for one in values]
        return Curve(label, range(len(values)), means, deviations)

    ticks, x_label = ['0', *(f'{scale:g}' for scale in SCALES)], 'λ (0 is softmax only)'
    rates = [
        curve('accuracy, trained classes', 'accuracy', 100),
        curve('precision@1, unseen classes', 'precision_at_1', 100),
        curve('MAP@R, unseen classes', 'map_at_r', 100),
    ]
    ratio = [curve('ratio own / between, unseen classes', 'ratio', 1)]
    panels = [
        CurvePanel('', x_label, '%', rates, ticks),
        CurvePanel('', x_label, 'ratio', ratio, ticks),
    ]
    return curve_figure(panels, columns=1)


def classes_figure(groups: dict[tuple[str, str], list[Result]], output: Path) -> object:
    """Unseen classes by t-SNE: softmax, the λ with the best MAP@R, and the largest λ."""
    plain, *with_center = _over_scale(groups)
    best = max(with_center, key=lambda results: np.nan_to_num(np.mean([one.map_at_r for one in results])))
    panels, names = [], None
    for results in dict.fromkeys(map(tuple, (plain, best, with_center[-1]))):
        first = results[0]
        path = features_path(output, first.method, first.weights)
        if not path.exists():  # it has diverged
            continue
        features = load_features(path)
        rows = features.labels < NUM_DRAWN
        title = f'{first.method} {first.weights}\nMAP@R {first.map_at_r:.1%}, ratio {first.ratio:.3f}'
        panels.append(Panel(title, features.features[rows], features.labels[rows]))
        names = features.class_names
    return embedding_figure(panels, projection='tsne', class_names=names)
