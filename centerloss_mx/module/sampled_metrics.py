"""Metrics that a network with a sampled class layer can have."""

from __future__ import annotations

from typing import Any, Sequence

from mxnet import metric as mxmetric

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
    outputs = [table.output for table in tables if table.num_sampled]
    if metric is None or not outputs:
        return
    metric = mxmetric.create(metric)
    if isinstance(metric, mxmetric.CompositeEvalMetric):
        for part in metric.metrics:
            check_metric(part, tables)
        return
    read = metric.output_names
    for output in outputs:
        if not isinstance(metric, mxmetric.Loss) and (read is None or output in read):
            raise ValueError(
                f'metric {metric.name!r} reads {output}, which has the probabilities of the classes that '
                'were drawn for the batch: an accuracy among them is none. Leave it out, or give it the '
                'output_names of others, and measure features of held-out samples with `evaluation`'
            )
