"""What a checkpoint records of its data: attributes of the data input in the symbol file."""

from __future__ import annotations

import json
from typing import Any, Callable, Mapping

from mxnet.module import Module
from mxnet.symbol import Symbol, load_json

from .._checks import MOST
from ..io import Preprocessing
from ..io.preprocessing import IMAGENET, preprocessing_of
from ..symbol.names import EMBEDDING_OUTPUT

# How the items of the lists are checked: names, and sizes.
_ITEMS: dict[str, Callable[[Any], bool]] = {
    'class_names': lambda item: isinstance(item, str),
    'data_shape': lambda item: type(item) is int and 0 < item <= MOST,
}


def with_notes(module: Module, notes: Mapping[str, Any]) -> Symbol:
    """Return a copy of the network of a module; its data inputs hold the shape of a sample and the notes."""
    # A copy, because attributes are set in place.
    symbol = load_json(module.symbol.tojson(remove_amp_cast=False))
    for desc in module.data_shapes:
        _note(symbol.get_internals()[desc[0]], {'data_shape': desc[1][1:], **notes})
    return symbol


def with_note(symbol: Symbol, name: str, value: Any) -> Symbol:
    """Return a copy of a network that `with_notes` has made, with another value of a note."""
    symbol = load_json(symbol.tojson(remove_amp_cast=False))
    for data_name, attributes in symbol.attr_dict().items():
        if '__data_shape__' in attributes:
            _note(symbol.get_internals()[data_name], {name: value})
    return symbol


def _note(variable: Symbol, notes: Mapping[str, Any]) -> None:
    """Set attributes; None takes the place of a value that is there, and is not recorded elsewhere."""
    before = variable.list_attr()
    for name, value in notes.items():
        if value is not None or f'__{name}__' in before:
            variable._set_attr(**{f'__{name}__': json.dumps(value)})


def noted(symbol: Symbol, name: str, kind: type[Any], data_name: str = 'data') -> Any:
    """Read a note about the data that `save_checkpoint` has recorded.

    Parameters
    ----------
    symbol : Symbol
        The network.
    name : str
        Name of the note, such as ``'class_names'``.
    kind : type
        The expected type of the value.
    data_name : str
        Name of the data input.

    Returns
    -------
    object
        None: nothing of that name is recorded.

    Raises
    ------
    ValueError
        The value has another type, or is no list of names or of sizes: the symbol file is damaged.

    Examples
    --------
    >>> noted(mx.sym.Variable('data'), 'class_names', list) is None
    True
    """
    text = symbol.attr_dict().get(data_name, {}).get(f'__{name}__', 'null')
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if value is None:
        return None
    fits = _ITEMS.get(name)
    if not isinstance(value, kind) or (fits is not None and not all(fits(item) for item in value)):
        raise ValueError(
            f'the symbol file is damaged: attribute __{name}__ of {data_name} is {text[:40]!r}, '
            f'expected a {kind.__name__} in JSON{"" if fits is None else ", of names or of sizes > 0"}'
        )
    return value


def noted_layer(symbol: Symbol, data_name: str = 'data') -> str:
    """Read the name of the output whose features the training measured."""
    layer: str | None = noted(symbol, 'layer', str, data_name)
    return layer or EMBEDDING_OUTPUT


def noted_preprocessing(symbol: Symbol, data_name: str = 'data') -> Preprocessing:
    """Read how the pictures of the training became arrays; without a size, which is in ``'data_shape'``.

    Its fields are None where nothing is recorded. Networks that were trained on pictures before this was
    recorded had ImageNet's normalization.
    """
    note = noted(symbol, 'preprocessing', dict, data_name)
    if note is None:
        return IMAGENET if noted(symbol, 'pictures', bool, data_name) else Preprocessing()
    try:
        return preprocessing_of(**note)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'the symbol file is damaged: attribute __preprocessing__ of {data_name} is {str(note)[:40]!r}: '
            f'{error}'
        ) from None
