"""Faults of mixed precision, `mx.contrib.amp`.

Three faults have no function. The page "Mixed precision" says how to avoid them:

- `amp_cast` does not infer the dtype of its input. So `amp.convert_symbol` without `data_names` leaves the
  dtype of the parameters open, as `amp.init` does for symbols, and `Module.bind` fails.

  https://github.com/apache/mxnet/blob/1.9.1/src/operator/tensor/amp_cast.h#L61
- `amp_multicast` does not know float64. If that is its first input and no other is float32, it converts
  float16 to float64. `amp.convert_symbol` to float16 puts it in front of `where`, whose condition is float64
  in most losses. Such a network can be neither converted nor bound.

  https://github.com/apache/mxnet/blob/1.9.1/src/operator/tensor/amp_cast.h#L88
- `amp.convert_symbol` infers the output of an operator that is in no list from its first input alone. `pick`
  raises an error then, in float16.

  https://github.com/apache/mxnet/blob/1.9.1/src/nnvm/low_precision_pass.cc#L364
"""

from __future__ import annotations

import numpy as np
from mxnet.ndarray import NDArray
from mxnet.symbol import Symbol, load_json

__all__ = ['without_bfloat16', 'without_casts']

_BFLOAT16 = np.dtype([('bfloat16', np.uint16)])  # MXNet's name for it


def without_bfloat16(array: NDArray) -> NDArray:
    """Return a bfloat16 array as float32, with a gradient; every other array as it is.

    NumPy has no bfloat16: `asnumpy` returns records of 16 bits, with which NumPy cannot compute. A custom
    operator gets such arrays.

    https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/ndarray/ndarray.py#L86
    """
    return array.astype('float32') if array.dtype == _BFLOAT16 else array


def without_casts(symbol: Symbol) -> Symbol:
    """Return a network without the casts of `mx.contrib.amp`: it computes in the dtype of its parameters.

    Its outputs are no bfloat16, see `without_bfloat16`, and have all digits.
    """
    plain = symbol.tojson(remove_amp_cast=True)
    return symbol if plain == symbol.tojson(remove_amp_cast=False) else load_json(plain)
