"""Every formula once, slow and in float64: the oracle of the tests. Nothing in the package imports it.

Read it beside Wen et al., *A Discriminative Feature Learning Approach for Deep Face Recognition*, ECCV 2016.
x has shape (N, D), y (N,), c (C, D). `ignored` is the label of ignored samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    'batch_norm',
    'center_loss',
    'center_update',
    'cluster_ratio',
    'contrastive_center_loss',
    'island_loss',
    'joint_supervision_gradients',
    'large_margin_gaussian_mixture',
    'learned_center_loss',
    'margin_softmax',
    'normalizer',
    'psi',
    'sampled_softmax',
    'softmax_cross_entropy',
    'triplet_loss',
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
    x: np.ndarray, y: np.ndarray, w: np.ndarray, b: np.ndarray, smooth_alpha: float = 0.0
) -> tuple[float, np.ndarray]:
    """Return L_S = -sum_i sum_k q_ik log softmax(W x_i + b)_k, W (C, D), and its gradient to the logits.

    q is 1 for the own class (Eq. 1); smoothed, 1 - smooth_alpha, and smooth_alpha / (C - 1) for each other.
    """
    logits = x.astype(np.float64) @ w.astype(np.float64).T + b
    loss, gradient = 0.0, np.zeros(logits.shape)
    for i in range(len(x)):
        p, q = _softmax(logits[i]), _target(int(y[i]), len(w), smooth_alpha)
        loss -= (q * np.log(p)).sum()
        gradient[i] = p - q
    return loss, gradient


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


def psi(cosine: float, m1: float, m2: float, m3: float) -> tuple[float, float]:
    """Return (-1)^k cos(m1 theta + m2) - 2 k - m3, k = floor((m1 theta + m2) / pi), and its slope.

    SphereFace's psi with the margins of ArcFace, Eq. 4; the slope is that by the cosine. The cosine
    is clipped to -1 + 1e-7 and 1 - 1e-7; the slope of a clipped one is 0.
    """
    if m1 == 1 and m2 == 0:
        return cosine - m3, 1.0
    inside = min(max(cosine, -1 + 1e-7), 1 - 1e-7)
    theta = np.arccos(inside)
    k = np.floor((m1 * theta + m2) / np.pi)
    value = (-1) ** k * np.cos(m1 * theta + m2) - 2 * k - m3
    slope = (-1) ** k * m1 * np.sin(m1 * theta + m2) / np.sin(theta)
    return float(value), float(slope) if inside == cosine else 0.0


def margin_softmax(
    x: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    s: float,
    margins: tuple[float, float, float],
    smooth_alpha: float = 0.0,
    normalize_features: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return -sum_k q_k log softmax(z)_k for each i, the posterior without margin, and gradients to x and W.

    z_k = s cos(theta_k), z_y = s psi(theta_y), times ||x|| if features are not normalized (SphereFace, Eq. 7;
    ArcFace, Eq. 4). A row of x or W shorter than 1e-6 is not divided by its length.
    """
    values, posterior = np.zeros(len(x)), np.zeros((len(x), len(w)))
    to_x, to_w = np.zeros(x.shape), np.zeros(w.shape)
    for i, own in enumerate(y.astype(int)):
        long_x, length_x = _length(x[i])
        u, factor = x[i] / length_x, s if normalize_features else s * length_x
        cosines = np.array([u @ w[k] / _length(w[k])[1] for k in range(len(w))])
        posterior[i] = _softmax(factor * cosines)
        logits, slopes = cosines.copy(), np.ones(len(w))
        logits[own], slopes[own] = psi(cosines[own], *margins)
        p, q = _softmax(factor * logits), _target(own, len(w), smooth_alpha)
        values[i] = -(q * np.log(p)).sum()
        for k in range(len(w)):
            long_w, length_w = _length(w[k])
            v = w[k] / length_w
            to_cosine = factor * (p[k] - q[k]) * slopes[k]
            to_x[i] += to_cosine * (v - long_x * cosines[k] * u) / length_x
            to_w[k] += to_cosine * (u - long_w * cosines[k] * v) / length_w
        if not normalize_features:
            to_x[i] += long_x * s * ((p - q) * logits).sum() * u
    return values, posterior, to_x, to_w


def sampled_softmax(
    x: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    sampled: np.ndarray,
    ignored: float | None = None,
    smooth_alpha: float = 0.0,
    **margin: Any,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the summed cross-entropy of softmax over `sampled` alone, and gradients to x and w[sampled].

    An et al., CVPR 2022: Partial FC. `sampled` has the classes of the batch. The logits are not corrected for
    the classes that are left out. With `margin`, the options of `margin_softmax`, they are scaled cosines.
    """
    kept = [i for i in range(len(x)) if y[i] != ignored]
    own, rows = np.array([list(sampled).index(y[i]) for i in kept], int), w[sampled]
    to_x = np.zeros(x.shape)
    if margin:
        values, _, to_x[kept], to_rows = margin_softmax(
            x[kept], own, rows, smooth_alpha=smooth_alpha, **margin
        )
        return float(values.sum()), to_x, to_rows
    loss, to_logits = softmax_cross_entropy(x[kept], own, rows, np.zeros(len(rows)), smooth_alpha)
    to_x[kept] = to_logits @ rows
    return loss, to_x, to_logits.T @ x[kept]


def batch_norm(
    x: np.ndarray, gamma: np.ndarray, to_output: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gamma (x - mean) / sqrt(variance + eps) over the batch, and the gradients to x and gamma.

    Ioffe and Szegedy, ICML 2015, Algorithm 1, with beta = 0. `to_output` is the gradient to the output.
    """
    deviation = np.sqrt(x.var(axis=0) + eps)
    normal = (x - x.mean(axis=0)) / deviation
    to_normal = gamma * to_output
    to_x = to_normal - to_normal.mean(axis=0) - normal * (to_normal * normal).mean(axis=0)
    return gamma * normal, to_x / deviation, (to_output * normal).sum(axis=0)


def triplet_loss(
    x: np.ndarray, y: np.ndarray, margin: float | None = None, ignored: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return log(1 + exp(h_i)) or max(0, margin + h_i) for each i, and the gradient of their sum.

    h_i is the distance to the farthest of the own class minus that to the nearest of another class (Hermans
    et al. 2017, Eq. 5). The loss is 0 where there is none of the own class, or of another.
    """
    values, gradient = np.zeros(len(x)), np.zeros(x.shape)
    kept = [i for i in range(len(x)) if y[i] != ignored]
    for i in kept:
        distance = {j: np.sqrt(((x[i] - x[j]) ** 2).sum()) for j in kept}
        own = [j for j in kept if y[j] == y[i] and j != i]
        others = [j for j in kept if y[j] != y[i]]
        if not own or not others:
            continue
        farthest, nearest = max(own, key=distance.__getitem__), min(others, key=distance.__getitem__)
        h = distance[farthest] - distance[nearest]
        if margin is None:
            values[i], slope = np.logaddexp(0, h), 1 / (1 + np.exp(-h))
        else:
            values[i], slope = max(0, margin + h), float(margin + h > 0)
        for j, sign in (farthest, 1), (nearest, -1):
            pull = sign * slope * (x[i] - x[j]) / distance[j] if distance[j] else 0 * x[i]
            gradient[i] += pull
            gradient[j] -= pull
    return values, gradient


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def _target(own: int, num_class: int, smooth_alpha: float) -> np.ndarray:
    others = smooth_alpha / (num_class - 1) if smooth_alpha else 0.0
    return np.array([1 - smooth_alpha if k == own else others for k in range(num_class)])


def _length(row: np.ndarray) -> tuple[bool, float]:
    """Return whether a row is to be divided by its length, and the length, or 1."""
    length = float(np.sqrt((row**2).sum()))
    return length > 1e-6, length if length > 1e-6 else 1.0


def cluster_ratio(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return own = mean_i ||x_i - m_{y_i}||, between = mean_{j<k} ||m_j - m_k||, own / between."""
    labels = sorted(set(y.tolist()))
    means = {j: x[y == j].astype(np.float64).mean(axis=0) for j in labels}
    own = np.mean([np.sqrt(((x[i] - means[y[i]]) ** 2).sum()) for i in range(len(x))])
    pairs = [(j, k) for j in labels for k in labels if j < k]
    between = np.mean([np.sqrt(((means[j] - means[k]) ** 2).sum()) for j, k in pairs])
    return float(own), float(between), float(own / between)
