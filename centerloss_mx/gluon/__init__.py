"""Center loss as a Gluon block, to stand beside the losses of `mx.gluon.loss`; class-balanced batches."""

from .center_loss import CenterLoss
from .class_balanced_sampler import ClassBalancedSampler

__all__ = ['CenterLoss', 'ClassBalancedSampler']
