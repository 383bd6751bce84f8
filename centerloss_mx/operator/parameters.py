"""The parameters of the operator `centerloss`, checked."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

__all__ = ['INPUT', 'NORMALIZATIONS', 'UPDATES', 'CenterLossParam']

INPUT = 'input'  # the `scale` of an operator that reads its weight from a third input

NORMALIZATIONS = ('null', 'batch', 'valid')

UPDATES = ('paper', 'moving_average')


class CenterLossParam(NamedTuple):
    """The parameters of the operator `centerloss`, checked.

    Parameters
    ----------
    num_class : int
        Number of classes, > 0. Required.
    alpha : float
        Step of the centers, in [0, 1]; 0 keeps them where they are.
    scale : float or 'input'
        Weight of the gradient, finite and >= 0: gradient = scale * (x_i - c_{y_i}), divided as
        `normalization` says. The loss that forward emits is not scaled. 'input': the weight is the value of
        a third input, `scale`, shape (1,), in each step.
    batchsize : int or None
        Capacity of the diff buffer: any batch up to it runs. None: every batch must have the size of the
        first bound batch.
    normalization : {'batch', 'null', 'valid'}
        Loss and gradient are divided by N, by 1, or by max(1, samples not ignored), of the device's slice.
    use_ignore : bool
        Whether rows with the label `ignore_label` are ignored.
    ignore_label : float
        A whole number.
    update : {'paper', 'moving_average'}
        c_j moves by alpha * sum(x_i - c_j) / (1 + n_j), or by alpha * sum(x_i - c_j) / n_j.

    References
    ----------
    Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016:
    Eqs. 2 (loss), 3 (gradient), 4 and Algorithm 1 (`paper` update).
    """

    num_class: int
    alpha: float = 0.5
    scale: float | str = 1.0
    batchsize: int | None = None
    normalization: str = 'batch'
    use_ignore: bool = False
    ignore_label: float = -1
    update: str = 'paper'

    @property
    def ignored(self) -> float | None:
        """The label of ignored rows; None: no row is ignored."""
        return self.ignore_label if self.use_ignore else None

    @classmethod
    def parse(cls, /, **keywords: Any) -> CenterLossParam:
        """Check and convert keywords, which are values or, from a symbol, their text.

        Parameters
        ----------
        **keywords
            Fields of this class. Attributes of an `AttrScope`, such as `__ctx_group__`, arrive here too and
            are skipped.

        Returns
        -------
        CenterLossParam

        Raises
        ------
        ValueError
            A missing, unknown or invalid parameter; the message names it, its value and the expectation.

        Examples
        --------
        >>> CenterLossParam.parse(num_class='10', alpha='0.1').alpha
        0.1
        """
        given = {
            name: value
            for name, value in keywords.items()
            if not (name.startswith('__') and name.endswith('__'))
        }
        unknown = sorted(set(given) - set(cls._fields))
        if unknown:
            raise ValueError(
                f'centerloss: unknown parameter {unknown[0]!r}; expected {", ".join(cls._fields)}'
            )
        if 'num_class' not in given:
            raise ValueError('centerloss: num_class is missing; expected the number of classes, > 0')
        return cls(**{name: _PARSERS[name](name, value) for name, value in given.items()})


def _refuse(name: str, value: Any, expectation: str) -> ValueError:
    return ValueError(f'centerloss: {name}={value!r} is not {expectation}')


def _positive_int(name: str, value: Any) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if not 0 < number < 2**31:  # what MXNet's shapes hold
        raise _refuse(name, value, 'a whole number > 0 and < 2^31')
    return number


def _capacity(name: str, value: Any) -> int | None:
    return None if str(value) == 'None' else _positive_int(name, value)


def _number(name: str, value: Any, expectation: str, accept: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and accept(number)):
        raise _refuse(name, value, expectation)
    return number


def _weight(name: str, value: Any) -> float | str:
    if str(value) == INPUT:
        return INPUT
    return _number(name, value, f'a finite number >= 0, or {INPUT!r}', lambda s: s >= 0)


def _choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise _refuse(name, value, f'one of {", ".join(choices)}')
    return value


def _bool(name: str, value: Any) -> bool:
    text = str(value).lower()
    if text not in ('true', 'false', '1', '0'):
        raise _refuse(name, value, 'True or False')
    return text in ('true', '1')


_PARSERS: dict[str, Any] = {
    'num_class': _positive_int,
    'alpha': lambda name, value: _number(name, value, 'a number in [0, 1]', lambda a: 0 <= a <= 1),
    'scale': _weight,
    'batchsize': _capacity,
    'normalization': lambda name, value: _choice(name, value, NORMALIZATIONS),
    'use_ignore': _bool,
    'ignore_label': lambda name, value: _number(name, value, 'a whole number', float.is_integer),
    'update': lambda name, value: _choice(name, value, UPDATES),
}
