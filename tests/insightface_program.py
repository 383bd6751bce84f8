"""InsightFace's verification, pair by pair and threshold by threshold."""

from __future__ import annotations

import numpy as np


def insightface_program(embeddings, same, num_folds=10):
    """Accuracy with deviation, val at FAR 1e-3 with deviation, and FAR, of pairs of rows 2i and 2i + 1."""
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-300)
    distances = np.square(unit[0::2] - unit[1::2]).sum(axis=1)

    def rates(threshold, rows):
        accepted = distances[rows] < threshold
        genuine = same[rows]
        return (
            (accepted & genuine).sum() / genuine.sum(),
            (accepted & ~genuine).sum() / (~genuine).sum(),
            (accepted == genuine).mean(),
        )

    accuracies, vals, fars = [], [], []
    sizes = np.full(num_folds, len(same) // num_folds)
    sizes[: len(same) % num_folds] += 1  # as KFold
    for end, size in zip(np.cumsum(sizes), sizes):
        test = np.arange(end - size, end)
        train = np.setdiff1d(np.arange(len(same)), test)
        grid = np.arange(0, 4, 0.01)
        best = grid[np.argmax([rates(threshold, train)[2] for threshold in grid])]
        accuracies.append(rates(best, test)[2])
        grid = np.arange(0, 4, 0.001)
        far = [rates(threshold, train)[1] for threshold in grid]
        threshold = 0.0
        if max(far) >= 1e-3:
            last = max(i for i in range(len(grid)) if far[i] <= 1e-3)  # of a linear spline through the points
            threshold = grid[last]
            if last + 1 < len(grid):
                threshold += (1e-3 - far[last]) / (far[last + 1] - far[last]) * (grid[last + 1] - grid[last])
        vals.append(rates(threshold, test)[0])
        fars.append(rates(threshold, test)[1])
    return np.mean(accuracies), np.std(accuracies), np.mean(vals), np.std(vals), np.mean(fars)
