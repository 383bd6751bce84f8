"""Load MXNet, and register the operator, the optimizer and the metrics."""

import mxnet  # isort: skip  # first: a parameter server never returns from it, and imports our modules from within

from . import metric, operator, optimizer
