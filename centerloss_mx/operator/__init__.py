"""The operator `centerloss`, also for the CPU and other devices, and the one that `gluon.CenterLoss` runs.

Importing it registers both with MXNet: `mx.sym.Custom(data, label, op_type='centerloss', num_class=10)`.
"""

from .._mxnet.custom_op import register
from .center_loss import CenterLoss, CenterLossProp
from .parameters import CenterLossParam
from .per_sample import CenterLossPerSample, CenterLossPerSampleProp

__all__ = [
    'CenterLoss',
    'CenterLossParam',
    'CenterLossPerSample',
    'CenterLossPerSampleProp',
    'CenterLossProp',
]

register('centerloss', CenterLossProp)
register('_centerloss_per_sample', CenterLossPerSampleProp)
