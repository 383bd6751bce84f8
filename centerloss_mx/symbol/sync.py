"""Center loss with running centers on the KVStore, one set for all devices and workers."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.initializer import Zero
from mxnet.symbol import Symbol

from .._checks import check_choice
from ..operator.parameters import NORMALIZATIONS
from .blocks import DTYPES, Rows, check_arguments, ignored_or_none, only_gradient, squared_length
from .description import centers_attribute
from .scale import read_scale
from .tables import RowTableInfo, table_inputs

__all__ = ['sync_center_loss']


def sync_center_loss(
    data: Symbol,
    label: Symbol,
    num_class: int,
    embedding_dim: int,
    scale: float | Symbol = 1.0,
    normalization: str = 'null',
    use_ignore: bool = False,
    ignore_label: float = -1,
    dtype: str = 'float32',
    name: str = 'center_loss',
    centers: str = 'kvstore',
) -> Symbol:
    """Center loss with running centers on the KVStore: one set of centers for all devices and workers.

    | output:    1/2 sum_i ||x_i - c_{y_i}||^2 / z                                        (Eq. 2)
    | gradients: scale * (x_i - c_{y_i}) / z                       to the features        (Eq. 3)
    |            [sum_{i: y_i = j} (c_j - x_i), -n_j]              to row j of the centers

    z is 1 for 'null', N for 'batch', and max(1, samples not ignored) for 'valid'. The centers are a
    parameter. The KVStore sums its gradient, which neither `scale` nor `rescale_grad` multiplies, over
    devices and workers. The optimizer `centers` then moves the centers by alpha * sum(x_i - c_j) / (1 + n_j):
    pass `optimizer='centers'` to `fit`, with `alpha` and `update` in `optimizer_params`. Within an epoch only
    the rows of the batch's classes are sent.

    `scale` is the paper's lambda with `normalization='null'` and Module's default `rescale_grad`, 1 /
    (samples of all devices and synchronous workers). The other normalizations count one device's slice of the
    batch, so they depend on the number of devices.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, embedding_dim); float16, float32 or float64.
    label : Symbol
        Labels y, shape (N,): a Variable.
    num_class : int
        Number of classes, > 0.
    embedding_dim : int
        D, the length of a feature, > 0. Another length raises an error when the symbol is bound.
    scale : float or Symbol
        Weight of the gradient to the features, >= 0. Output and gradient of the centers are not scaled. 0.1
        and below suits MNIST; 1 was seen to diverge there. A Symbol of shape (1,), as `scale_variable` makes
        it: the weight may change from step to step; where it is invalid, the loss is NaN.
    normalization : {'null', 'batch', 'valid'}
        Divide the loss and the gradient to the features by 1, by N, or by max(1, samples not ignored), of the
        device's slice.
    use_ignore : bool
        Whether rows with the label `ignore_label` are ignored.
    ignore_label : float
        A whole number.
    dtype : {'float32', 'float64'}
        Of centers and output; features are cast to it.
    name : str
        Name of the MakeLoss node.
    centers : {'kvstore', 'table'}
        Where the centers are stored. 'kvstore': in a parameter, of which each worker holds all rows. 'table':
        in a row table, which is on the KVStore only. A worker holds the rows of its batch, so that neither
        its memory nor the time of a step grows with the number of classes. The network then needs
        `module.Module`, which feeds it those rows. The numbers are the same.

    Returns
    -------
    Symbol
        One output `<name>_output`, shape (1,): the loss. Parameter or row table `<name>_center_weight`, shape
        (num_class, embedding_dim + 1), starts at 0: the centers, and in the last column how many samples of
        each class the optimizer has counted, exact to 2^24 in float32. The parameter is row_sparse. In place
        of a table the network has two inputs, `<name>_center_weight_rows` (K, embedding_dim + 1), the rows of
        a step, and `<name>_center_weight_index` (N,), where the row of each sample is among them.

    Raises
    ------
    ValueError
        A parameter that is out of its range.

    References
    ----------
    Wen et al., ECCV 2016, Eqs. 2, 3, 4 and Algorithm 1.

    Examples
    --------
    >>> data, label = mx.sym.Variable('embedding'), mx.sym.Variable('center_label')
    >>> loss = sync_center_loss(data, label, num_class=10, embedding_dim=2)
    >>> loss.list_arguments(), loss.list_outputs()
    (['center_label', 'embedding', 'center_loss_center_weight'], ['center_loss_output'])
    """
    where = f'{name}: '
    weights = {} if isinstance(scale, Symbol) else {'scale': scale}
    check_arguments(name, num_class, embedding_dim, use_ignore, ignore_label, weights)
    check_choice(where, 'normalization', normalization, NORMALIZATIONS)
    check_choice(where, 'dtype', dtype, DTYPES)
    check_choice(where, 'centers', centers, ('kvstore', 'table'))
    given, width = (name, data, label, num_class, use_ignore, ignore_label), embedding_dim + 1
    if centers == 'table':
        ignored = ignored_or_none(use_ignore, ignore_label)
        weight = f'{name}_center_weight'
        table = RowTableInfo(weight, 'centers', num_class, width, dtype, label.name, ignored)
        fed, index = table_inputs(table)
        rows = Rows(*given, index)
        looked_up = mxsym.take(fed, rows.label)
    else:
        rows = Rows(*given)
        looked_up = _in_parameter(rows, width, dtype)
    looked_up = rows.keep(looked_up)
    center = mxsym.slice_axis(looked_up, axis=1, begin=0, end=embedding_dim)
    seen = mxsym.slice_axis(looked_up, axis=1, begin=embedding_dim, end=embedding_dim + 1)
    feature = rows.keep(mxsym.cast(rows.data, dtype=dtype))

    def half_squares(x: Symbol, c: Symbol) -> Symbol:
        return 0.5 * squared_length(x - c)  # (N,)

    own = half_squares(feature, center)
    loss = rows.total(own + rows.nan_where_invalid(own), normalization)
    to_features = rows.total(half_squares(feature, mxsym.BlockGrad(center)), normalization)
    to_features = to_features * (read_scale(name, scale, dtype) if isinstance(scale, Symbol) else scale)
    to_centers = mxsym.sum(half_squares(mxsym.BlockGrad(feature), center)) - mxsym.sum(seen)
    # Forward: the loss. In backward the gradients to the features and to the centers, which do not share a
    # weight.
    loss = mxsym.BlockGrad(loss) + only_gradient(to_features) + only_gradient(to_centers)
    attributes = rows.describe(storage=centers, normalization=normalization)
    return mxsym.MakeLoss(loss, name=name, attr=attributes)


def _in_parameter(rows: Rows, width: int, dtype: str) -> Symbol:
    """Look up the center of each sample in a parameter of all classes, and what it counts, (N, width)."""
    centers = mxsym.Variable(
        rows.centers,
        shape=(rows.num_class, width),
        stype='row_sparse',
        init=Zero(),  # has every row; a server ends at an array that lacks rows
        wd_mult=0,
        attr=centers_attribute(rows.name),
    )
    return mxsym.Embedding(
        rows.label,
        centers,
        input_dim=rows.num_class,
        output_dim=width,
        dtype=dtype,
        sparse_grad=True,
        name=f'{rows.name}_center',
    )
