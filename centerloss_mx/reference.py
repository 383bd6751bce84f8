"""Every formula once, slow and in float64: the oracle of the tests. Nothing in the package imports it.

Read it beside Wen et al., *A Discriminative Feature Learning Approach for Deep Face Recognition*, ECCV 2016.
x has shape (N, D), y (N,), c (C, D). `ignored` is the label of ignored samples.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    'center_loss',
    'center_update',
    'cluster_ratio',
    'contrastive_center_loss',
    'island_loss',
    'joint_supervision_gradients',
    'large_margin_gaussian_mixture',
    'learned_center_loss',
    'normalizer',
    'softmax_cross_entropy',
    'weighted_center_loss',
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


def weighted_center_loss(
    x: np.ndarray, y: np.ndarray, c: np.ndarray, w: np.ndarray, ignored: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return w_i * 1/2 ||x_i - c_{y_i}||^2 for each i, and the gradient w_i (x_i - c_{y_i}) of their sum."""
    values, gradient = np.zeros(len(x)), np.zeros(x.shape)
    for i in range(len(x)):
        if y[i] == ignored:
            continue
        difference = x[i].astype(np.float64) - c[int(y[i])].astype(np.float64)
        values[i] = float(w[i]) * 0.5 * (difference**2).sum()
        gradient[i] = float(w[i]) * difference
    return values, gradient


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


def learned_center_loss(
    x: np.ndarray, y: np.ndarray, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ||x_i - c_{y_i}||^2 for each i, and the gradients of half its sum, L_C (Eq. 2), to x and c."""
    values, to_x, to_c = np.zeros(len(x)), np.zeros(x.shape), np.zeros(c.shape)
    for i, j in enumerate(y.astype(int)):
        values[i] = ((x[i] - c[j]) ** 2).sum()
        to_x[i] = x[i] - c[j]
        to_c[j] -= x[i] - c[j]
    return values, to_x, to_c


def island_loss(
    x: np.ndarray, y: np.ndarray, c: np.ndarray, inter_scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 1/2 ||x_i - c_{y_i}||^2 + lambda_1 P for each i, and the gradients of its sum to x and c.

    P = sum_{j != k} (c_j . c_k / (||c_j|| ||c_k||) + 1) (Cai et al., FG 2018: L_IL). A cosine with a center
    shorter than 1e-6 is 0, and its gradient too.
    """
    squares, to_x, to_c = learned_center_loss(x, y, c)
    pairs = 0.0
    for j in range(len(c)):
        for k in range(len(c)):
            if j == k:
                continue
            length_j, length_k = np.sqrt((c[j] ** 2).sum()), np.sqrt((c[k] ** 2).sum())
            if min(length_j, length_k) <= 1e-6:
                pairs += 1
                continue
            cosine = (c[j] * c[k]).sum() / (length_j * length_k)
            pairs += cosine + 1
            # the pairs (j, k) and (k, j) both have this gradient to c_j; every sample carries P
            to_c[j] += len(x) * inter_scale * 2 * (c[k] / length_k - cosine * c[j] / length_j) / length_j
    return 0.5 * squares + inter_scale * pairs, to_x, to_c


def contrastive_center_loss(
    x: np.ndarray, y: np.ndarray, c: np.ndarray, delta: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 1/2 ||x_i - c_{y_i}||^2 / (sum_{j != y_i} ||x_i - c_j||^2 + delta) for each i, and gradients.

    Qi and Su, ICIP 2017: L_ct-c.
    """
    values, to_x, to_c = np.zeros(len(x)), np.zeros(x.shape), np.zeros(c.shape)
    for i, own in enumerate(y.astype(int)):
        others = [j for j in range(len(c)) if j != own]
        above = ((x[i] - c[own]) ** 2).sum()
        below = sum(((x[i] - c[j]) ** 2).sum() for j in others) + delta
        values[i] = 0.5 * above / below
        to_x[i] += (x[i] - c[own]) / below
        to_c[own] -= (x[i] - c[own]) / below
        for j in others:
            to_x[i] -= above / below**2 * (x[i] - c[j])
            to_c[j] += above / below**2 * (x[i] - c[j])
    return values, to_x, to_c


def large_margin_gaussian_mixture(
    x: np.ndarray, y: np.ndarray, c: np.ndarray, log_variance: np.ndarray, scale: float, margin: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return L_cls + lambda L_lkd for each i, the posterior (N, C), and gradients to x, c and log_variance.

    Wan et al., CVPR 2018: a margin on the own distance, a likelihood without its constant, equal priors.
    """
    values, posterior = np.zeros(len(x)), np.zeros((len(x), len(c)))
    to_x, to_c, to_v = np.zeros(x.shape), np.zeros(c.shape), np.zeros(c.shape)
    for i, own in enumerate(y.astype(int)):
        distance = np.array(
            [0.5 * ((x[i] - c[k]) ** 2 / np.exp(log_variance[k])).sum() for k in range(len(c))]
        )
        half_log_det = 0.5 * log_variance.sum(axis=1)
        stretch = np.array([1 + margin if k == own else 1.0 for k in range(len(c))])
        posterior[i] = _softmax(-distance - half_log_det)
        p = _softmax(-stretch * distance - half_log_det)
        values[i] = -np.log(p[own]) + scale * (distance[own] + half_log_det[own])
        for k in range(len(c)):
            to_logit = p[k] - (k == own)
            to_distance = -to_logit * stretch[k] + scale * (k == own)
            to_half_log_det = -to_logit + scale * (k == own)
            pull = (x[i] - c[k]) / np.exp(log_variance[k])
            to_x[i] += to_distance * pull
            to_c[k] -= to_distance * pull
            to_v[k] += 0.5 * to_half_log_det - to_distance * 0.5 * pull * (x[i] - c[k])
    return values, posterior, to_x, to_c, to_v


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def cluster_ratio(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return own = mean_i ||x_i - m_{y_i}||, between = mean_{j<k} ||m_j - m_k||, own / between."""
    labels = sorted(set(y.tolist()))
    means = {j: x[y == j].astype(np.float64).mean(axis=0) for j in labels}
    own = np.mean([np.sqrt(((x[i] - means[y[i]]) ** 2).sum()) for i in range(len(x))])
    pairs = [(j, k) for j in labels for k in labels if j < k]
    between = np.mean([np.sqrt(((means[j] - means[k]) ** 2).sum()) for j, k in pairs])
    return float(own), float(between), float(own / between)
