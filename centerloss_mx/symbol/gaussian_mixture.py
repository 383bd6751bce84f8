"""Large-margin Gaussian mixture loss."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .._checks import check_choice
from .blocks import Rows, check_arguments, learned_centers, squared_length

__all__ = ['large_margin_gaussian_mixture']


def large_margin_gaussian_mixture(
    data: Symbol,
    label: Symbol,
    num_class: int,
    embedding_dim: int,
    scale: float = 0.1,
    margin: float = 1.0,
    covariance: str = 'identity',
    lr_mult: float = 1.0,
    use_ignore: bool = False,
    ignore_label: float = -1,
    name: str = 'gaussian_mixture',
) -> Symbol:
    """Large-margin Gaussian mixture loss, L-GM: a Gaussian for each class in place of `fc2` and softmax.

    | d_k = 1/2 (x_i - c_k)^T S_k^-1 (x_i - c_k),   m_k = -(1 + margin * [k = y_i]) d_k - 1/2 log|S_k|
    | output:    -log softmax(m)_{y_i} + scale * (d_{y_i} + 1/2 log|S_{y_i}|)          per sample
    | `softmax_output`: softmax(-d_k - 1/2 log|S_k|), the posterior, without margin

    L_GM = L_cls + lambda * L_lkd with classes of equal prior. `scale` is lambda and weights the likelihood
    term only, which is the center loss when S_k is the identity. The paper trains means and covariances by
    their gradient, as here. Here the parameter is the logarithm of the covariance, so that no step can make
    the covariance negative. The output omits the constants of L_lkd.

    Parameters
    ----------
    data : Symbol
        Features x, shape (N, embedding_dim), float32 or float64.
    label : Symbol
        Labels y, shape (N,).
    num_class : int
        Number of classes C, > 0.
    embedding_dim : int
        D, the length of a feature, > 0. Another length raises an error when the symbol is bound.
    scale : float
        lambda, >= 0: weight of the likelihood term; with 0 only the margin keeps features near their centers.
    margin : float
        alpha of the paper, >= 0: training multiplies the distance to the own center by 1 + margin. With
        margin 1 and a learning rate that suits softmax, all features may collapse to one point; start with
        0.3 or a smaller rate.
    covariance : {'identity', 'diagonal'}
        S_k: the identity, or the diagonal matrix exp(v_k) with the learned parameter v,
        `<name>_log_variance_bias`.
    lr_mult : float
        Multiplies the learning rate of centers and covariances, >= 0. They have no weight decay.
    use_ignore : bool
        Whether rows with the label `ignore_label` are ignored; their loss is 0.
    ignore_label : float
        A whole number.
    name : str
        Name of the MakeLoss node.

    Returns
    -------
    Symbol
        Outputs `softmax_output` (N, num_class), probabilities, without gradient, and `<name>_output` (N,),
        the loss. Parameter `<name>_center_weight`, shape (num_class, embedding_dim), which the module's
        initializer initializes; with 'diagonal' also `<name>_log_variance_bias` of this shape, which MXNet's
        initializers set to 0. Distances are an N x C matrix, as logits are.

    Raises
    ------
    ValueError
        A parameter that is out of its range.

    References
    ----------
    Wan et al., Rethinking Feature Distribution for Loss Functions in Image Classification, CVPR 2018, Section
    3: the definitions of L_cls with margin, L_lkd and L_GM.

    Examples
    --------
    >>> data, label = mx.sym.Variable('embedding'), mx.sym.Variable('softmax_label')
    >>> net = large_margin_gaussian_mixture(data, label, num_class=10, embedding_dim=2)
    >>> net.list_outputs()
    ['softmax_output', 'gaussian_mixture_output']
    """
    weights = {'scale': scale, 'margin': margin, 'lr_mult': lr_mult}
    check_arguments(name, num_class, embedding_dim, use_ignore, ignore_label, weights)
    check_choice(f'{name}: ', 'covariance', covariance, ('identity', 'diagonal'))
    rows = Rows(name, data, label, num_class, use_ignore, ignore_label)
    centers = learned_centers(name, num_class, embedding_dim, lr_mult)
    log_variance = None
    if covariance == 'diagonal':
        log_variance = mxsym.Variable(
            f'{name}_log_variance_bias', shape=(num_class, embedding_dim), lr_mult=lr_mult, wd_mult=0
        )
    half_log_det = 0 if log_variance is None else 0.5 * mxsym.sum(log_variance, axis=1)  # (C,)

    def minus(distance: Symbol) -> Symbol:
        return -distance if log_variance is None else -mxsym.broadcast_add(distance, half_log_det)

    distance = _mahalanobis(rows.keep(rows.data), centers, log_variance)  # (N, C)
    own = mxsym.one_hot(rows.label, depth=num_class)
    with_margin = mxsym.where(own, distance * (1 + margin), distance)
    classification = -mxsym.pick(mxsym.log_softmax(minus(with_margin)), rows.label)
    likelihood = -mxsym.pick(minus(distance), rows.label)
    loss = rows.make_loss(classification + likelihood * scale, 1.0)

    # Of all rows, also ignored ones: scoring without labels needs probabilities.
    posterior = mxsym.softmax(minus(_mahalanobis(rows.data, centers, log_variance)))
    return mxsym.Group([mxsym.BlockGrad(posterior, name='softmax'), loss])


def _mahalanobis(data: Symbol, centers: Symbol, log_variance: Symbol | None) -> Symbol:
    """1/2 (x_i - c_k)^T S_k^-1 (x_i - c_k), shape (N, C), without an N x C x D array."""
    # Far from 0, differences of large squares would lose digits. A shift does not change distances.
    origin = mxsym.BlockGrad(mxsym.mean(centers, axis=0, keepdims=True))
    data, centers = mxsym.broadcast_sub(data, origin), mxsym.broadcast_sub(centers, origin)
    if log_variance is None:
        cross = mxsym.dot(data, centers, transpose_b=True)
        squares = mxsym.broadcast_add(
            mxsym.sum(mxsym.square(data), axis=1, keepdims=True), squared_length(centers)
        )
    else:
        precision = mxsym.exp(-log_variance)
        weighted = centers * precision
        cross = mxsym.dot(data, weighted, transpose_b=True)
        squares = mxsym.dot(mxsym.square(data), precision, transpose_b=True)
        squares = mxsym.broadcast_add(squares, mxsym.sum(centers * weighted, axis=1))
    return 0.5 * squares - cross
