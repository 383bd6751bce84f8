"""What hooks see of a training."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import numpy as np
from mxnet.metric import EvalMetric
from mxnet.ndarray import NDArray

from ..dataset import Samples
from ..module import Module


class TrainingState(Protocol):
    """The attributes and methods of `Training` that hooks use; its docstring describes them."""

    title: str
    train: Samples
    test: Samples | None
    num_epoch: int
    num_batches: int
    optimizer_params: dict[str, Any]
    logger: logging.Logger
    metric: EvalMetric
    module: Module | None
    history: list[dict[str, Any]]
    test_features: np.ndarray

    def predict(self, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Compute features, (N, D), and classes, (N,)."""

    def parameters(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return parameters and auxiliary states."""
