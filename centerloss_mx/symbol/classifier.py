"""The classifier beside the losses on the embedding: class layer and softmax, plain or with a margin."""

from __future__ import annotations

from typing import Any, Mapping

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .._checks import check_choice, check_flag, check_number, check_size, check_whole_number
from .._choices import CLASSIFIERS, NECKS
from .blocks import LabelledRows
from .margin import margin_softmax
from .names import CLASS_LAYER, NECK

__all__ = ['behind_neck', 'check_classifier', 'classifier', 'softmax_layer']


def classifier(
    embedding: Symbol,
    label: Symbol,
    num_class: int,
    kind: str = 'softmax',
    s: float = 64.0,
    margins: tuple[float, float, float] = (1.0, 0.5, 0.0),
    smooth_alpha: float = 0.0,
    neck: str | None = None,
    use_ignore: bool = False,
    ignore_label: float = -1,
    normalize_features: bool = True,
    name: str = 'softmax',
) -> Symbol:
    """Class layer and softmax on an embedding: plain or with a margin, with label smoothing, behind a neck.

    | 'softmax': z_k = w_k x + b_k,  or w_k x behind a neck
    | 'margin':  z_k = s cos(theta_k),  z_y = s psi(theta_y),   cos(theta_k) = w_k x / (||w_k|| ||x||)
    |            psi(theta) = (-1)^k cos(m1 theta + m2) - 2 k - m3,   k = floor((m1 theta + m2) / pi)
    | loss:      -sum_k q_k log softmax(z)_k                                 per sample
    |            q_y = 1 - smooth_alpha,   q_k = smooth_alpha / (C - 1) for each other class

    The gradient is that of the sum over the batch, which Module divides by the batch size.

    **Margins.** (1, m2, 0) is ArcFace, (1, 0, m3) CosFace, (m1, 0, 0) SphereFace. SphereFace has s = 1 and
    `normalize_features=False`: z is then s ||x|| times the cosine, and times psi. Its paper blends the margin
    in over the first steps; here it acts from the first step.

    ArcFace's paper combines the three as cos(m1 theta + m2) - m3. That rises again where m1 theta + m2
    exceeds pi: a worse feature has a smaller loss there. InsightFace's networks for MXNet have it so; its
    ArcFace for PyTorch continues with cos(theta) - m2 sin(m2). Here psi continues as in SphereFace, and falls
    everywhere.

    The cosine is clipped to -1 + 1e-7 and 1 - 1e-7 in front of arccos; a clipped sample has no gradient
    through its own cosine. With m1 = 1 and m2 = 0 there is no arccos. Features, and rows of the class layer,
    that are shorter than 1e-6 are not divided by their length.

    **Smoothing.** `smooth_alpha` is that of MXNet's `SoftmaxOutput`. Szegedy et al. share epsilon among all C
    classes, the own one included: smooth_alpha = epsilon (C - 1) / C.

    **Neck.** `neck='bn'` puts a BatchNorm without shift between embedding and class layer, which then has no
    bias. Other losses read the embedding in front of it. Both can be extracted: `embedding_output`, the
    default of `layer`, and `neck_output`, which Luo et al. compare by the cosine. Each device normalizes its
    own slice of the batch, ignored rows included.

    Parameters
    ----------
    embedding : Symbol
        Features x, shape (N, D), float32 or float64.
    label : Symbol
        Labels y, shape (N,).
    num_class : int
        Number of classes C, > 0; > 1 with `smooth_alpha`.
    kind : {'softmax', 'margin'}
        `SoftmaxOutput` on a linear class layer, or softmax of cosines with a margin.
    s : float
        For 'margin': scale of the logits, > 0.
    margins : (float, float, float)
        For 'margin': m1 > 0, m2 >= 0 in radians, and m3 >= 0.
    smooth_alpha : float
        Probability that the other classes share in training, in [0, 1).
    neck : {'bn'} or None
        What is between the embedding and the class layer.
    use_ignore : bool
        Whether rows with the label `ignore_label` are ignored. Their features are finite.
    ignore_label : float
        A whole number.
    normalize_features : bool
        For 'margin': whether features are divided by their length.
    name : str
        Name of the node with the posterior.

    Returns
    -------
    Symbol
        `<name>_output` (N, num_class), probabilities. For 'margin' they are those without the margin, because
        scoring knows no label, and have no gradient; the second output is `margin_<name>_output` (N,), the
        loss. The class layer is `fc2`: parameter `fc2_weight` (num_class, D), and `fc2_bias` for 'softmax'
        without neck. The neck has the parameters `neck_gamma` and `neck_beta`, which stays 0.

    Raises
    ------
    ValueError
        A parameter that is out of its range.

    References
    ----------
    Liu et al., SphereFace, CVPR 2017: Eq. 7. Wang et al., CosFace, CVPR 2018: Eq. 4. Deng et al., ArcFace,
    CVPR 2019: Eqs. 3 and 4. Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR
    2016: Section 7. Luo et al., Bag of Tricks and a Strong Baseline for Deep Person Re-identification, CVPRW
    2019: the BNNeck.

    Examples
    --------
    >>> embedding, label = mx.sym.Variable('embedding'), mx.sym.Variable('softmax_label')
    >>> net = classifier(embedding, label, num_class=10, kind='margin', s=30, margins=(1, 0.5, 0))
    >>> net.list_arguments(), net.list_outputs()
    (['embedding', 'fc2_weight', 'softmax_label'], ['softmax_output', 'margin_softmax_output'])
    """
    where = 'classifier: '
    check_classifier(
        where, num_class, kind, s, margins, smooth_alpha, neck, use_ignore, ignore_label, normalize_features
    )
    features = behind_neck(embedding, neck)
    if kind == 'margin':
        rows = LabelledRows(f'margin_{name}', label, num_class, use_ignore, ignore_label)
        weight = mxsym.Variable(f'{CLASS_LAYER}_weight')
        return margin_softmax(
            features, weight, rows, num_class, s, margins, smooth_alpha, normalize_features, name
        )
    options: dict[str, Any] = {}  # what has its default is not written into the graph
    if smooth_alpha:
        options['smooth_alpha'] = smooth_alpha
    if use_ignore:
        options.update(use_ignore=True, ignore_label=ignore_label)
    layer = {} if neck is None else {'no_bias': True}
    return softmax_layer(features, label, num_class, name, layer, **options)


def softmax_layer(
    features: Symbol,
    label: Symbol,
    num_class: int,
    name: str = 'softmax',
    layer: Mapping[str, Any] | None = None,
    **options: Any,
) -> Symbol:
    """Return the linear class layer, which has options too, under a `SoftmaxOutput` with its options."""
    logits = mxsym.FullyConnected(features, num_hidden=num_class, name=CLASS_LAYER, **(layer or {}))
    return mxsym.SoftmaxOutput(logits, label, name=name, **options)


def behind_neck(embedding: Symbol, neck: str | None) -> Symbol:
    """Return the features that the class layer reads."""
    if neck is None:
        return embedding
    # Without a gradient it stays at 0, where MXNet's initializers set it; AdaDelta knows no learning rate.
    beta = mxsym.BlockGrad(mxsym.Variable(f'{NECK}_beta'))
    return mxsym.BatchNorm(embedding, beta=beta, fix_gamma=False, eps=1e-5, name=NECK)


def check_classifier(
    where: str,
    num_class: int,
    kind: str,
    s: float,
    margins: tuple[float, float, float],
    smooth_alpha: float,
    neck: str | None,
    use_ignore: bool,
    ignore_label: float,
    normalize_features: bool,
) -> None:
    """Raise ValueError for an option that is out of its range."""
    check_number(where, 'smooth_alpha', smooth_alpha)
    if smooth_alpha >= 1:
        raise ValueError(f'{where}smooth_alpha={smooth_alpha!r} is not a number in [0, 1)')
    check_size(where, 'num_class', num_class, least=2 if smooth_alpha else 1)
    check_choice(where, 'kind', kind, CLASSIFIERS)
    check_number(where, 's', s, above=True)
    if not isinstance(margins, (tuple, list)) or len(margins) != 3:
        raise ValueError(f'{where}margins={margins!r}: expected three numbers, (m1, m2, m3)')
    for number, (margin, above) in enumerate(zip(margins, (True, False, False)), 1):
        check_number(f'{where}margins={margins!r}: ', f'm{number}', margin, above)
    if neck is not None:
        check_choice(where, 'neck', neck, NECKS)
    check_flag(where, 'use_ignore', use_ignore)
    check_whole_number(where, 'ignore_label', ignore_label)
    check_flag(where, 'normalize_features', normalize_features)
