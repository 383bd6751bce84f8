"""Centers that start at the class means of the first batches."""

from __future__ import annotations

import numbers
from itertools import islice

import numpy as np
from mxnet import ndarray as nd
from mxnet.io import DataIter
from mxnet.module import Module

from .._mxnet.arrays import with_all_rows
from ..operator.labels import check_labels, group_by_class
from ..operator.numpy_rows import HostRows
from .extractor import FeatureExtractor


def start_centers(
    module: Module,
    data_iter: DataIter,
    num_batches: int = 20,
    name: str = 'center_loss',
    label_name: str = 'center_label',
    ignore_label: float | None = None,
    output: str = 'embedding_output',
) -> np.ndarray:
    """Start the centers at the class means of the first batches: c_j = mean_{i: y_i = j} x_i.

    Centers that start at 0 pull all features there. Where features are already large, as after training with
    softmax only, that pull can end in NaN, or in all features at one point. Call this between `init_params`
    and `fit`.

    Parameters
    ----------
    module : mxnet.module.Module
        Bound, with one data input and parameters: fresh ones, or a checkpoint's
        (`init_params(..., allow_missing=True)`).
    data_iter : mxnet.io.DataIter
        What the module will train on; it is reset before and after.
    num_batches : int
        Number of batches to look at, > 0; fewer where the iterator ends before.
    name : str
        The name given to the loss: its centers are the state `<name>__center_bias` or the parameter
        `<name>_center_weight`.
    label_name : str
        The iterator's label that holds the classes. Rows that only pad the last batch are left out.
    ignore_label : float or None
        Samples with this label are left out, too.
    output : str
        Name of the internal output that is the loss's feature.

    Returns
    -------
    numpy.ndarray
        The classes seen, ascending; the centers of the others stay where they are.

    Raises
    ------
    ValueError
        A module without parameters, or bound for other data than the iterator serves, no such centers, label
        or output, learned centers that a KVStore updates already, a label that is no class, or features that
        are not finite; no center has moved then.

    Examples
    --------
    >>> mod.bind(train.provide_data, train.provide_label)  # doctest: +SKIP
    >>> mod.init_params(mx.init.Xavier())  # doctest: +SKIP
    >>> start_centers(mod, train)  # doctest: +SKIP
    >>> mod.fit(train, num_epoch=10)  # doctest: +SKIP
    """
    if not (module.binded and module.params_initialized):
        raise ValueError('the module has no parameters yet; call bind and init_params first')
    if not (isinstance(num_batches, numbers.Integral) and num_batches > 0):
        raise ValueError(f'num_batches={num_batches!r} is not a whole number > 0')
    data_name, shape = module.data_shapes[0][:2]
    served = [tuple(desc[1]) for desc in data_iter.provide_data]
    if served != [tuple(shape)] or len(module.data_shapes) != 1:
        bound = [tuple(desc[1]) for desc in module.data_shapes]
        raise ValueError(
            f'the iterator serves data of shapes {served}, and {bound} are bound; expected one, the same'
        )
    label_names = [desc[0] for desc in data_iter.provide_label]
    if label_name not in label_names:
        raise ValueError(f'the iterator has no label {label_name!r}; it has {", ".join(label_names)}')
    arg_params, aux_params = module.get_params()
    homes = [(aux_params, f'{name}__center_bias'), (arg_params, f'{name}_center_weight')]
    found = [(params, key) for params, key in homes if key in params]
    if not found:
        raise ValueError(
            f'the module has neither {homes[0][1]} nor {homes[1][1]}; name={name!r} is no loss of it'
        )
    params, key = found[0]
    if params is arg_params and module.optimizer_initialized and module._update_on_kvstore:
        raise ValueError(
            f'{key} lives in the KVStore by now; call start_centers before init_optimizer and fit'
        )

    extractor = FeatureExtractor(module.symbol, arg_params, aux_params, output, module._context[0], data_name)
    num_class = len(params[key])
    dim = extractor.symbol.infer_shape(**{data_name: shape})[1][0][1]
    sums, counts = np.zeros((num_class, dim)), np.zeros(num_class, int)
    data_iter.reset()
    for batch in islice(data_iter, num_batches):
        size = shape[0] - (batch.pad or 0)
        features = extractor._run(batch.data[0])[:size].astype(np.float64)
        labels = batch.label[label_names.index(label_name)].asnumpy()[:size]
        groups = group_by_class(*check_labels(labels, num_class, ignore_label))
        HostRows.move(sums, features, groups, np.ones(len(groups.classes)))
        counts[groups.classes] += groups.counts
    data_iter.reset()
    if not np.isfinite(sums).all():
        raise ValueError(f'the output {output!r} is not finite')
    seen = np.flatnonzero(counts)
    centers = params[key].asnumpy()
    centers[seen, :dim] = sums[seen] / counts[seen, np.newaxis]  # a last column may count samples
    centers = nd.array(centers, dtype=centers.dtype)
    params[key] = with_all_rows(centers) if params[key].stype == 'row_sparse' else centers
    module.set_params(arg_params, aux_params)
    return seen
