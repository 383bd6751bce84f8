"""Centers that start at the class means of the first batches."""

from __future__ import annotations

from itertools import islice

import numpy as np
from mxnet.io import DataIter
from mxnet.module import Module

from .._checks import check_size
from .._mxnet.iterators import num_padding, without_rolling
from ..operator.labels import check_labels, group_by_class
from ..operator.numpy_rows import HostRows
from ..symbol.description import CenterLossInfo, find_center_loss
from ..symbol.names import CENTER_LABEL
from .centers import centers_dim, with_centers
from .extractor import FeatureExtractor


def start_centers(
    module: Module,
    data_iter: DataIter,
    num_batches: int = 20,
    name: str | None = None,
    label_name: str | None = None,
    ignore_label: float | None = None,
    output: str | None = None,
) -> np.ndarray:
    """Start the centers at the class means of the first batches: c_j = mean_{i: y_i = j} x_i.

    Centers that start at 0 pull all features towards 0. If features are large, as after training with softmax
    only, the loss can become NaN, or all features can collapse to one point. Call this between `init_params`
    and `fit`. The centers of a row table are all read, and written again.

    Parameters
    ----------
    module : mxnet.module.Module
        Bound, with one data input and with parameters: new ones, or those of a checkpoint
        (`init_params(..., allow_missing=True)`).
    data_iter : mxnet.io.DataIter
        Serves the training data; it is reset before and after. Rows of padding are skipped.
    num_batches : int
        Number of batches to use, > 0; all, if the iterator has fewer.
    name : str or None
        Name of the loss; None: the network has one center loss.
    label_name : str or None
        The iterator's label that holds the classes; None: the label of the loss.
    ignore_label : float or None
        Label of samples to skip; None: the label that the loss ignores, if any.
    output : str or None
        Name of the internal output with the features; None: the features that the loss reads.

    Returns
    -------
    numpy.ndarray
        The classes in these batches, ascending. Centers of other classes do not change.

    Raises
    ------
    ValueError
        The module has no parameters or is bound for other shapes of data; there is no such loss, label or
        output; a KVStore updates the centers already; a label is invalid, or features are not finite. Then
        no center changes.

    Examples
    --------
    >>> mod.bind(train.provide_data, train.provide_label)  # doctest: +SKIP
    >>> mod.init_params(mx.init.Xavier())  # doctest: +SKIP
    >>> start_centers(mod, train)  # doctest: +SKIP
    >>> mod.fit(train, num_epoch=10)  # doctest: +SKIP
    """
    check_size('', 'num_batches', num_batches)
    info = find_center_loss(module.symbol, name)
    _check_bound(module, data_iter)
    info = info._replace(
        label=label_name or info.label,
        ignored=info.ignored if ignore_label is None else ignore_label,
        feature=output or info.feature,
    )
    label_names = [desc[0] for desc in data_iter.provide_label]
    if label_name is None and info.label not in label_names and CENTER_LABEL in label_names:
        info = info._replace(label=CENTER_LABEL)  # the network computes its label, from this one as a rule
    if info.label not in label_names:
        raise ValueError(f'the iterator has no label {info.label!r}; it has {", ".join(label_names)}')
    in_parameter = info.storage not in ('auxiliary state', 'table')
    if in_parameter and module.optimizer_initialized and module._update_on_kvstore:
        raise ValueError(
            f'the KVStore updates {info.centers} already; call start_centers before init_optimizer and fit'
        )

    arg_params, aux_params = module.get_params()
    if info.storage == 'table':
        arg_params = {**arg_params, info.centers: module.row_tables[info.centers].read(0, info.num_class)}
    data_name = module.data_shapes[0][0]
    extractor = FeatureExtractor(
        module.symbol, arg_params, aux_params, info.feature, module._context[0], data_name
    )
    dim = centers_dim(arg_params, aux_params, info)
    sums, counts = _sum_by_class(extractor, data_iter, num_batches, info, dim)
    seen = np.flatnonzero(counts)
    means = sums[seen] / counts[seen, np.newaxis]
    module.set_params(*with_centers(arg_params, aux_params, info, seen, means))
    return seen


def _check_bound(module: Module, data_iter: DataIter) -> None:
    if not (module.binded and module.params_initialized):
        raise ValueError('the module has no parameters yet; call bind and init_params first')
    bound = [tuple(desc[1]) for desc in module.data_shapes]
    served = [tuple(desc[1]) for desc in data_iter.provide_data]
    if served != bound or len(bound) != 1:
        raise ValueError(
            f'the iterator serves data of shapes {served}, and the module is bound for {bound}; '
            'expected one data input of the same shape'
        )


def _sum_by_class(
    extractor: FeatureExtractor, data_iter: DataIter, num_batches: int, info: CenterLossInfo, dim: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of the features, (num_class, D), and the number of samples of each class."""
    sums, counts = np.zeros((info.num_class, dim)), np.zeros(info.num_class, int)
    index = [desc[0] for desc in data_iter.provide_label].index(info.label)
    each_once = without_rolling(data_iter)
    each_once.reset()
    for batch in islice(each_once, num_batches):
        data = batch.data[0]
        size = len(data) - num_padding(each_once, batch)
        features = extractor.predict(data, len(data))[:size].astype(np.float64)
        labels = batch.label[index].asnumpy()[:size]
        groups = group_by_class(*check_labels(labels, info.num_class, info.ignored))
        HostRows.move(sums, features, groups, np.ones(len(groups.classes)))
        counts[groups.classes] += groups.counts
    data_iter.reset()
    if not np.isfinite(sums).all():
        raise ValueError(f'the output {info.feature!r} is not finite')
    return sums, counts
