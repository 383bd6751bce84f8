"""Every formula once, slow and in float64: the oracle of the tests. Nothing in the package imports it.

Read it beside Wen et al., *A Discriminative Feature Learning Approach for Deep Face Recognition*, ECCV 2016.
x has shape (N, D), y (N,), c (C, D). `ignored` is the label of samples that take no part.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    'center_loss',
    'center_update',
    'cluster_ratio',
    'joint_supervision_gradients',
    'normalizer',
    'softmax_cross_entropy',
]


def center_loss(
    x: np.ndarray, y: np.ndarray, c: np.ndarray, ignored: float | None = None
) -> tuple[float, np.ndarray]:
    """Return L_C = 1/2 sum_i ||x_i - c_{y_i}||^2 (Eq. 2) and its gradient x_i - c_{y_i} (Eq. 3)."""
    loss, gradient = 0.0, np.zeros(x.shape)
    for i in range(len(x)):
        if y[i] == ignored:
            continue
        difference = x[i].astype(np.float64) - c[int(y[i])].astype(np.float64)
        loss += 0.5 * (difference**2).sum()
        gradient[i] = difference
    return loss, gradient


def center_update(
    x: np.ndarray,
    y: np.ndarray,
    c: np.ndarray,
    alpha: float,
    update: str = 'paper',
    ignored: float | None = None,
) -> np.ndarray:
    """Return the centers after one step (Eq. 4 and Algorithm 1, or the moving average of class means)."""
    moved = c.astype(np.float64)
    for j in range(len(c)):
        members = [i for i in range(len(x)) if y[i] == j and y[i] != ignored]
        n_j = len(members)
        if n_j == 0:
            continue
        pull = sum(x[i].astype(np.float64) - c[j].astype(np.float64) for i in members)
        moved[j] += alpha * pull / {'paper': 1 + n_j, 'moving_average': n_j}[update]
    return moved


def normalizer(y: np.ndarray, normalization: str, ignored: float | None = None) -> float:
    """Return what loss and gradient are divided by."""
    kept = sum(label != ignored for label in y)
    return {'null': 1.0, 'batch': float(len(y)), 'valid': float(max(1, kept))}[normalization]


def softmax_cross_entropy(
    x: np.ndarray, y: np.ndarray, w: np.ndarray, b: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return L_S = -sum_i log softmax(W x_i + b)_{y_i} (Eq. 1), W (C, D), and its gradient to the logits."""
    logits = x.astype(np.float64) @ w.astype(np.float64).T + b
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    own = np.arange(len(x)), y.astype(int)
    gradient = p.copy()
    gradient[own] -= 1
    return -np.log(p[own]).sum(), gradient


def joint_supervision_gradients(
    x: np.ndarray, y: np.ndarray, w: np.ndarray, b: np.ndarray, c: np.ndarray, lambda_: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of L = L_S + lambda L_C (Eq. 5) to x, W and b."""
    _, to_logits = softmax_cross_entropy(x, y, w, b)
    _, to_features = center_loss(x, y, c)
    return to_logits @ w + lambda_ * to_features, to_logits.T @ x, to_logits.sum(axis=0)


def cluster_ratio(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return own = mean_i ||x_i - m_{y_i}||, between = mean_{j<k} ||m_j - m_k||, own / between."""
    labels = sorted(set(y.tolist()))
    means = {j: x[y == j].astype(np.float64).mean(axis=0) for j in labels}
    own = np.mean([np.sqrt(((x[i] - means[y[i]]) ** 2).sum()) for i in range(len(x))])
    pairs = [(j, k) for j in labels for k in labels if j < k]
    between = np.mean([np.sqrt(((means[j] - means[k]) ** 2).sum()) for j, k in pairs])
    return float(own), float(between), float(own / between)
