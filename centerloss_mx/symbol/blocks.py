"""What the losses made of standard operators share: rows that count, learned centers, checks of arguments."""

from __future__ import annotations

import math

from mxnet import symbol as mxsym
from mxnet.symbol import Symbol

from .._checks import check_flag, check_number, check_size, check_whole_number
from .._mxnet.symbols import comparable, valid_or_zero
from .description import center_loss_attribute, ignored_attribute, input_attribute

__all__ = [
    'DTYPES',
    'LabelledRows',
    'Rows',
    'check_arguments',
    'ignored_or_none',
    'learned_centers',
    'lengths',
    'only_gradient',
    'squared_length',
    'unit_length',
]

DTYPES = ('float32', 'float64')


class LabelledRows:
    """The labels of a batch, and the rows that count: their label is valid and not ignored.

    Parameters
    ----------
    name : str
        Name of the loss.
    label : Symbol
        Labels, shape (N,), any numeric dtype.
    num_class : int or None
        Number of classes; None: any whole number >= 0 is a class.
    use_ignore, ignore_label
        Whether rows with the label `ignore_label` are ignored.
    attr : dict or None
        Attribute of the node that reads the labels; None: the label that is ignored.
    index : Symbol or None
        Where the class of each label is among the rows that are fed from a table, shape (N,); -1: nowhere,
        so that the label is as good as invalid. None: the row of a class has its number.
    """

    def __init__(
        self,
        name: str,
        label: Symbol,
        num_class: int | None,
        use_ignore: bool,
        ignore_label: float,
        attr: dict[str, str] | None = None,
        index: Symbol | None = None,
    ) -> None:
        self.name = name
        self.ignored = ignored_or_none(use_ignore, ignore_label)
        attr = ignored_attribute(self.ignored) if attr is None else attr
        label = comparable(mxsym.identity(label, attr=attr))
        known = label >= 0 if num_class is None else (label >= 0) * (label <= num_class - 1)
        known = known * (label % 1 == 0)
        if index is not None:
            index = comparable(index)
            known = known * (index >= 0)
        self._valid = self.kept = known
        if use_ignore:
            ignored = label == ignore_label
            self._valid = mxsym.maximum(self._valid, ignored)
            self.kept = self.kept * (1 - ignored)
        # The shape of an index that is not bound is inferred through a product, but not through `where`.
        self.label = valid_or_zero(label, self.kept) if index is None else self.kept * index

    def keep(self, array: Symbol) -> Symbol:
        """Return zeros, without gradient, in rows that do not count, also where they hold NaN."""
        return mxsym.where(self.kept, array, mxsym.zeros_like(array))

    def nan_where_invalid(self, values: Symbol) -> Symbol:
        """Return 0 for each row, but NaN for a row with an invalid label: a symbol cannot raise."""
        zeros = mxsym.zeros_like(values)
        return mxsym.where(self._valid, zeros, zeros * math.nan)

    def make_loss(self, values: Symbol, grad_scale: float, attr: dict[str, str] | None = None) -> Symbol:
        """Return the loss of each row, (N,): 0 where ignored, NaN where the label is invalid."""
        values = mxsym.where(self.kept, values, self.nan_where_invalid(values))
        return mxsym.MakeLoss(values, grad_scale=grad_scale, name=self.name, attr=attr)


class Rows(LabelledRows):
    """The features and labels of a batch under a center loss, which its node describes.

    Parameters
    ----------
    name, label, num_class, use_ignore, ignore_label, index
        As for `LabelledRows`.
    data : Symbol
        Features.
    """

    def __init__(
        self,
        name: str,
        data: Symbol,
        label: Symbol,
        num_class: int,
        use_ignore: bool,
        ignore_label: float,
        index: Symbol | None = None,
    ) -> None:
        self.num_class = num_class
        self.centers = f'{name}_center_weight'
        self.data = mxsym.identity(data, attr=input_attribute(name, 'feature'))
        attr = input_attribute(name, 'label')
        super().__init__(name, label, num_class, use_ignore, ignore_label, attr, index)

    def total(self, values: Symbol, normalization: str) -> Symbol:
        """Return the sum of values (N,), shape (1,), divided by 1, by N or by max(1, rows that count)."""
        total = mxsym.sum(values)
        if normalization == 'null':
            return total
        counted = mxsym.ones_like(values)
        if normalization == 'valid':
            counted = mxsym.where(self.kept, counted, mxsym.zeros_like(values))
        return total / mxsym.maximum(mxsym.sum(counted), 1)

    def make_loss(self, values: Symbol, grad_scale: float, attr: dict[str, str] | None = None) -> Symbol:
        """Return the loss of each row as `LabelledRows` does, described as one with learned centers."""
        return super().make_loss(
            values, grad_scale, attr or self.describe(storage='parameter', normalization=None)
        )

    def describe(self, storage: str, normalization: str | None) -> dict[str, str]:
        """Return the attribute that describes the loss of these rows."""
        return center_loss_attribute(
            name=self.name,
            storage=storage,
            centers=self.centers,
            num_class=int(self.num_class),  # JSON knows no numbers of NumPy
            ignored=self.ignored,
            normalization=normalization,
        )


def ignored_or_none(use_ignore: bool, ignore_label: float) -> float | None:
    """Return the label that is ignored; None: none is."""
    return float(ignore_label) if use_ignore else None


def learned_centers(name: str, num_class: int, embedding_dim: int, lr_mult: float) -> Symbol:
    """Return the Variable of centers that the base optimizer moves, without weight decay."""
    shape = (num_class, embedding_dim)
    return mxsym.Variable(f'{name}_center_weight', shape=shape, lr_mult=lr_mult, wd_mult=0)


def squared_length(array: Symbol) -> Symbol:
    """Return the squared Euclidean length of each row of an array (N, D), shape (N,)."""
    return mxsym.sum(mxsym.square(array), axis=1)


def lengths(array: Symbol) -> Symbol:
    """Return the Euclidean length of each row of an array (N, D), shape (N,), to divide the row by.

    For a row shorter than 1e-6 it is 1. Such a row stays as it is, and its gradient finite.
    """
    square = squared_length(array)
    return mxsym.sqrt(square + (square < 1e-12))


def unit_length(array: Symbol, name: str | None = None) -> Symbol:
    """Return an array (N, D) whose rows are divided by their `lengths`."""
    return mxsym.broadcast_div(array, mxsym.expand_dims(lengths(array), axis=1), name=name)


def only_gradient(value: Symbol) -> Symbol:
    """Return 0 in forward, and pass the gradient of `value` in backward."""
    return value - mxsym.BlockGrad(value)


def check_arguments(
    name: str,
    num_class: int,
    embedding_dim: int,
    use_ignore: bool,
    ignore_label: float,
    weights: dict[str, float],
    least_class: int = 1,
) -> None:
    """Raise ValueError for an argument that is out of its range; the message begins with the loss's name."""
    where = f'{name}: '
    check_size(where, 'num_class', num_class, least_class)
    check_size(where, 'embedding_dim', embedding_dim)
    for key, value in weights.items():
        check_number(where, key, value)
    check_flag(where, 'use_ignore', use_ignore)
    check_whole_number(where, 'ignore_label', ignore_label)
