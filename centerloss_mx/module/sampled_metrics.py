"""Metrics that a network with a sampled class layer can have."""

from __future__ import annotations

from typing import Any, Sequence

from mxnet.metric import CompositeEvalMetric, Loss

from ..symbol.tables import RowTableInfo

__all__ = ['check_metric']


def check_metric(metric: Any, tables: Sequence[RowTableInfo]) -> None:
    """Refuse a metric that takes the sampled classes for all classes.

    Parameters
    ----------
    metric : mxnet.metric.EvalMetric, str, list or None
        As `mx.metric.create` takes it.
    tables : sequence of RowTableInfo
        The row tables under the network.

    Raises
    ------
    ValueError
        It compares labels with the probabilities of sampled classes.
    """
    parts = metric.metrics if isinstance(metric, CompositeEvalMetric) else metric
    if isinstance(parts, list):
        for part in parts:
            check_metric(part, tables)
        return
    for output in (table.output for table in tables if table.num_sampled):
        read = getattr(metric, 'output_names', None)
        if metric is not None and not isinstance(metric, Loss) and (read is None or output in read):
            raise ValueError(
                f'metric {getattr(metric, "name", metric)!r} reads {output}, which has the probabilities of '
                'the classes that were drawn for the batch: an accuracy among them is none. Leave it out, '
                'and measure features of held-out samples with `evaluation`'
            )
