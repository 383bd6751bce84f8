"""The factors of learning rate and weight decay that an optimizer has for a row table."""

from __future__ import annotations

from typing import Mapping, Sequence

from mxnet.optimizer import Optimizer

__all__ = ['give_multipliers']


def give_multipliers(
    optimizer: Optimizer, keys: Mapping[str, Sequence[str]], first_number: int | None
) -> None:
    """Give the keys of tables the factors that `set_lr_mult` and `set_wd_mult` have set by a table's name.

    Parameters
    ----------
    optimizer : mxnet.optimizer.Optimizer
        Made outside of the Module.
    keys : mapping of str to sequence of str
        By the name of a table, the keys of its blocks.
    first_number : int or None
        The number of the first key on servers, which know keys by numbers; None: there are no servers.
    """
    tables = [(name, key) for name, those in keys.items() for key in those]
    for multipliers in optimizer.lr_mult, optimizer.wd_mult:
        for number, (name, key) in enumerate(tables, first_number or 0):
            if name in multipliers:
                multipliers[key] = multipliers[name]
                if first_number is not None:
                    multipliers[number] = multipliers[name]
