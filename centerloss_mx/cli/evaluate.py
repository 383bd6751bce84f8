"""`centerloss-mx evaluate`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

from .._files import write_bytes
from .comparison import as_json, curve_names, inputs, one_by_one, print_comparison, row_of
from .evaluate_options import ClusterOptions, KnnOptions, RetrieveOptions
from .identify import identify_rates
from .identify_options import IdentifyRatesOptions
from .output import check_output, print_table
from .protocols import cluster, knn, retrieve
from .reid import reid
from .reid_options import ReidOptions
from .suspects import suspects
from .suspects_options import SuspectsOptions
from .verify import draw_roc, verify
from .verify_options import VerifyOptions

_PROTOCOLS: dict[Any, Callable[[Any], dict[str, Any]]] = {
    KnnOptions: knn,
    RetrieveOptions: retrieve,
    ClusterOptions: cluster,
    VerifyOptions: verify,
    ReidOptions: reid,
    IdentifyRatesOptions: identify_rates,
    SuspectsOptions: suspects,
}
_NOT_SAVED = ('output', 'force', 'more')
_LISTED = ('classes', 'suspects')  # a line a class, or a sample: in the file, and not in the table


def evaluate(
    options: KnnOptions
    | RetrieveOptions
    | ClusterOptions
    | VerifyOptions
    | ReidOptions
    | IdentifyRatesOptions
    | SuspectsOptions,
) -> None:
    """Measure by the protocol of the options; print the results, and write them as JSON with the options."""
    measure = _PROTOCOLS[type(options)]
    protocol = 'identify' if measure is identify_rates else measure.__name__
    if isinstance(options, VerifyOptions) and options.roc is not None:
        check_output(options.roc, options.force, '.png', '.svg')
    several = not isinstance(options, SuspectsOptions) and options.more
    (_evaluate_several if several else _evaluate_one)(options, protocol, measure)


def _evaluate_one(options: Any, protocol: str, measure: Callable[[Any], dict[str, Any]]) -> None:
    output = options.output or f'{os.path.splitext(options.features)[0]}-{protocol}.json'
    check_output(output, options.force, '.json')
    content, curve = _content(measure(options))
    if curve is not None and options.roc is not None:
        draw_roc(options.roc, {Path(options.features).stem: [curve]}, [content['results']])
    _write(output, {'options': _saved(options, protocol), **content})
    print_table(f'{protocol}, {options.features}', content['results'])


def _evaluate_several(options: Any, protocol: str, measure: Callable[[Any], dict[str, Any]]) -> None:
    if options.output is not None:
        check_output(options.output, options.force, '.json')
    each, saved = one_by_one(options, protocol), _saved(options, protocol)
    labelled = protocol != 'reid' and saved.get('pairs') is None
    rows = [row_of(one, protocol, labelled) for one in each]  # before anything is measured
    measured = [_content(_measured(measure, one)) for one in each]
    contents = [content for content, _ in measured]
    results = [content['results'] for content in contents]
    if protocol == 'verify' and options.roc is not None:
        curves: dict[str, list[Any]] = {}
        for name, (_, curve) in zip(curve_names(rows), measured):
            curves.setdefault(name, []).append(curve)
        draw_roc(options.roc, curves, results)
    if options.output is not None:
        shared = {name: value for name, value in saved.items() if name not in inputs(protocol)}
        _write(options.output, {'options': shared, **as_json(rows, contents)})
    metric = 'Euclidean' if saved.get('metric') in (None, 'euclidean') else saved['metric']
    ranked = ', re-ranked' if saved.get('rerank') else ''
    print_comparison(protocol, f'{metric} distance{ranked}', rows, results)


def _measured(measure: Callable[[Any], dict[str, Any]], options: Any) -> dict[str, Any]:
    """Measure one file of several; an error names it."""
    try:
        return measure(options)
    except ValueError as error:
        if options.features in str(error):
            raise
        raise ValueError(f'{options.features}: {error}') from None


def _content(results: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Divide what a protocol returns into the content of the file of results, and the ROC curve or None."""
    curve = results.pop('roc', None)
    listed: dict[str, Any] = {name: results.pop(name) for name in _LISTED if name in results}
    return {'results': results, **listed}, curve


def _saved(options: Any, protocol: str) -> dict[str, Any]:
    """Return the options as they are saved, with those that follow from others."""
    saved = {name: value for name, value in options._asdict().items() if name not in _NOT_SAVED}
    if isinstance(options, VerifyOptions):
        draw = options.draw()
        saved.update({} if draw is None else draw._asdict())
    return {'protocol': protocol, **saved}


def _write(path: str | Path, content: dict[str, Any]) -> None:
    write_bytes(path, json.dumps(content, default=str, indent=2).encode())
