"""The classifier of many classes: class layer and softmax over the batch's classes and a sample of others."""

from __future__ import annotations

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .._checks import check_choice, check_number, check_size
from .blocks import DTYPES, LabelledRows, ignored_or_none
from .classifier import behind_neck, check_classifier, softmax_layer
from .margin import margin_softmax
from .names import CLASS_LAYER
from .tables import RowTableInfo, table_inputs

__all__ = ['sampled_classifier']


def sampled_classifier(
    embedding: Symbol,
    label: Symbol,
    num_class: int,
    embedding_dim: int,
    num_sampled: int | None = None,
    sample_rate: float | None = None,
    kind: str = 'softmax',
    s: float = 64.0,
    margins: tuple[float, float, float] = (1.0, 0.5, 0.0),
    smooth_alpha: float = 0.0,
    neck: str | None = None,
    use_ignore: bool = False,
    ignore_label: float = -1,
    normalize_features: bool = True,
    seed: int = 0,
    dtype: str = 'float32',
    name: str = 'softmax',
) -> Symbol:
    """Class layer and softmax over the classes of the batch and a random sample of the others.

    | loss: -sum_{k in S} q_k log softmax_S(z)_k                             per sample
    |       softmax_S(z)_k = exp(z_k) / sum_{j in S} exp(z_j)
    |       q_y = 1 - smooth_alpha,   q_k = smooth_alpha / (num_sampled - 1) for each other class in S

    The logits z, with their margins, and the neck are those of `classifier`, without a bias. Each step draws
    the set S of `num_sampled` classes anew: the classes of the batch are always in it, the others are drawn
    uniformly without replacement. With all classes sampled, loss and gradients are those of `classifier`.

    **What is corrected.** A sample's own class is in S with probability 1, so its logit needs no correction.
    The sum over the other classes is not corrected for those that were not drawn: it is smaller than over all
    classes, and so is the loss. Partial FC has it so. An estimate without bias of that sum would weigh each
    drawn class by the inverse of its probability to be drawn. The importance sampling of Jean et al. does so:
    it subtracts the logarithm of that probability from the logit.

    **Weights.** They are a row table, of which the network reads the rows of S: neither memory nor time of a
    step grows with `num_class`. The network needs `module.Module`, which draws S, and feeds it. The weights
    start at random numbers of N(0, 0.01^2), drawn by `seed`; the initializer of `fit` does not apply. The
    optimizer moves the rows of S only: momentum and weight decay act on a row in the steps that have it.
    Each of several workers has the classes of its own batch in S; those that are drawn beside them are the
    same on all workers, as far as there is room.

    **Scoring.** Which class of all is most probable is not known: an accuracy among the classes of S is no
    accuracy. Measure features instead, by `evaluation`, on samples of classes that were held out.

    Parameters
    ----------
    embedding : Symbol
        Features x, shape (N, embedding_dim); float16, float32 or float64.
    label : Symbol
        Labels y, shape (N,): a Variable, of a dtype that represents each class: int32 or float64 beyond 2^24.
    num_class : int
        Number of classes C, > 0.
    embedding_dim : int
        D, the length of a feature, > 0. Another length raises an error when the symbol is bound.
    num_sampled : int or None
        How many classes S has, in 1..num_class, > 1 with `smooth_alpha`: at least as many as a batch has, or
        `module.Module` raises an error. Give this or `sample_rate`.
    sample_rate : float or None
        The share of all classes, in (0, 1]: num_sampled is sample_rate * num_class, rounded, at least 1.
    kind, s, margins, smooth_alpha, neck
        As for `classifier`.
    use_ignore : bool
        Whether rows with the label `ignore_label` are ignored. Their features are finite.
    ignore_label : float
        A whole number.
    normalize_features : bool
        As for `classifier`.
    seed : int
        Seed of the classes that are drawn, and of the weights to start with, >= 0.
    dtype : {'float32', 'float64'}
        Of the weights and the outputs; features are cast to it.
    name : str
        Name of the node with the probabilities.

    Returns
    -------
    Symbol
        `<name>_output` (N, num_sampled), the probabilities of the classes of S in ascending order; for
        'margin' without the margin and without gradient, and as second output `margin_<name>_output` (N,),
        the loss. The row table is `fc2_weight` (num_class, embedding_dim). In its place the network has two
        inputs, `fc2_weight_rows` (num_sampled, embedding_dim), the weights of S, and `fc2_weight_index` (N,),
        where the own class of each sample is in S. A row with an invalid label contributes no gradient, and
        its loss is NaN.

    Raises
    ------
    ValueError
        A parameter that is out of its range; or both `num_sampled` and `sample_rate`, or none of them.

    References
    ----------
    An et al., Partial FC: Training 10 Million Identities on a Single Machine, ICCVW 2021. An et al., Killing
    Two Birds with One Stone: Efficient and Robust Training of Face Recognition CNNs by Partial FC, CVPR 2022.
    Jean et al., On Using Very Large Target Vocabulary for Neural Machine Translation, ACL 2015: Section 3.
    The margins: see `classifier`.

    Examples
    --------
    >>> embedding, label = mx.sym.Variable('embedding'), mx.sym.Variable('softmax_label')
    >>> net = sampled_classifier(embedding, label, num_class=10**6, embedding_dim=128, num_sampled=1024)
    >>> net.list_arguments(), net.list_outputs()
    (['embedding', 'fc2_weight_rows', 'softmax_label', 'fc2_weight_index'], ['softmax_output'])
    """
    where = 'sampled_classifier: '
    check_classifier(
        where, num_class, kind, s, margins, smooth_alpha, neck, use_ignore, ignore_label, normalize_features
    )
    check_size(where, 'embedding_dim', embedding_dim)
    check_size(where, 'seed', seed, least=0)
    check_choice(where, 'dtype', dtype, DTYPES)
    sampled = _number_of_classes(where, num_class, num_sampled, sample_rate)
    check_size(where, 'num_sampled', sampled, least=2 if smooth_alpha else 1)
    features = behind_neck(mxsym.cast(embedding, dtype=dtype), neck)
    table = RowTableInfo(
        name=f'{CLASS_LAYER}_weight',
        kind='classes',
        num_class=num_class,
        width=embedding_dim,
        dtype=dtype,
        label=label.name,
        ignored=ignored_or_none(use_ignore, ignore_label),
        num_sampled=sampled,
        seed=seed,
        output=f'{name}_output',
    )
    weight, index = table_inputs(table)
    rows = LabelledRows(f'margin_{name}', label, num_class, use_ignore, ignore_label, index=index)
    if kind == 'margin':
        return margin_softmax(
            features, weight, rows, sampled, s, margins, smooth_alpha, normalize_features, name
        )
    position = mxsym.cast(rows.kept * (rows.label + 1) - 1, dtype=dtype)  # -1 where a row does not count
    layer = {'weight': weight, 'no_bias': True}
    options = {'smooth_alpha': smooth_alpha, 'use_ignore': True, 'ignore_label': -1}
    return softmax_layer(features, position, sampled, name, layer, **options)


def _number_of_classes(where: str, num_class: int, num_sampled: int | None, sample_rate: float | None) -> int:
    """Return how many classes are sampled, of the number or of the share that is given."""
    if num_sampled is not None and sample_rate is None:
        check_size(where, 'num_sampled', num_sampled)
        if num_sampled > num_class:
            raise ValueError(f'{where}num_sampled={num_sampled!r} is more than num_class={num_class!r}')
        return int(num_sampled)
    if sample_rate is not None and num_sampled is None:
        check_number(where, 'sample_rate', sample_rate, above=True)
        if sample_rate > 1:
            raise ValueError(f'{where}sample_rate={sample_rate!r} is not a number in (0, 1]')
        return max(1, round(float(sample_rate * num_class)))
    raise ValueError(f'{where}{num_sampled=} and {sample_rate=}: expected one of them')
