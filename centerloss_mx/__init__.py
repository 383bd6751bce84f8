"""Center loss (Wen et al., ECCV 2016) for Apache MXNet 1.9.

Importing the package registers the operator `centerloss` and the metrics `center_loss` and
`centerloss_accuracy`. The modules are named after MXNet's own.
"""

from . import _compat  # isort: skip  # first: it makes `import mxnet` work
from . import callback, evaluation, gluon, io, metric, model, module, operator, symbol

__version__ = '0.1.0'
__all__ = ['callback', 'evaluation', 'gluon', 'io', 'metric', 'model', 'module', 'operator', 'symbol']
