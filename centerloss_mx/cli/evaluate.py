"""`centerloss-mx evaluate`."""

from __future__ import annotations

import json
import os
from typing import Any, Callable

from .._files import write_bytes
from .evaluate_options import ClusterOptions, KnnOptions, RetrieveOptions
from .identify import identify_rates
from .identify_options import IdentifyRatesOptions
from .output import check_output, print_table
from .protocols import cluster, knn, retrieve
from .reid import reid
from .reid_options import ReidOptions
from .suspects import suspects
from .suspects_options import SuspectsOptions
from .verify import verify
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
_NOT_SAVED = ('output', 'force')


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
    output = options.output or f'{os.path.splitext(options.features)[0]}-{protocol}.json'
    check_output(output, options.force, '.json')
    results = measure(options)
    # A line a class, or a sample: in the file, and not in the table.
    listed: dict[str, Any] = {name: results.pop(name) for name in ('classes', 'suspects') if name in results}
    saved = {name: value for name, value in options._asdict().items() if name not in _NOT_SAVED}
    if isinstance(options, VerifyOptions):
        draw = options.draw()
        saved.update({} if draw is None else draw._asdict())
    content: dict[str, Any] = {'options': {'protocol': protocol, **saved}, 'results': results}
    content.update(listed)
    write_bytes(output, json.dumps(content, default=str, indent=2).encode())
    print_table(f'{protocol}, {options.features}', results)
