"""The steps of `kvstore_job` in float64, by reference.py."""

from __future__ import annotations

from centerloss_mx import reference
from centerloss_mx.row_table import sample_classes

import kvstore_job
import numpy as np
from kvstore_job import BASES, BATCH, BATCHES, DIM, EPOCHS, NUM_CLASS, NUM_SAMPLED, SCALE, SEED


class Base:
    """The base optimizers' updates in float64, as MXNet documents them; of a row table the rows present."""

    def __init__(self, name):
        self.name, self.options = name, BASES[name]
        self.states = {}

    def update(self, key, w, g, t, rows=slice(None)):
        moved = w.copy()
        first, second = self.states.setdefault(key, np.zeros((2, *w.shape)))
        moved[rows] -= self._step(key, w[rows], g[rows] / BATCH, t, first, second, rows)
        return moved

    def _step(self, key, w, g, t, first, second, rows):
        lr = self.options['learning_rate']
        wd = self.options.get('wd', 0) if key.endswith('_weight') else 0
        if self.name == 'adam':
            first[rows] = 0.9 * first[rows] + 0.1 * g
            second[rows] = 0.999 * second[rows] + 0.001 * g**2
            return lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * first[rows] / (np.sqrt(second[rows]) + 1e-8)
        if self.name == 'adagrad':
            first[rows] += g**2
            return lr * g / np.sqrt(first[rows] + 1e-7)
        first[rows] = self.options.get('momentum', 0) * first[rows] + lr * (g + wd * w)
        return first[rows]


def oracle(base, form='', workers=1):
    """The 40 steps; each worker has its own part of a batch, and samples classes for it."""
    x, y = kvstore_job.samples()
    trained = kvstore_job.parameters(form)
    seen = np.zeros(NUM_CLASS)
    optimizer = Base(base)
    for t in range(EPOCHS * BATCHES):
        epoch, step = divmod(t, BATCHES)
        batch = slice(step * BATCH, (step + 1) * BATCH)
        centers = trained['center_loss_center_weight'][:, :DIM]
        features = x[batch].astype(np.float64) @ trained['embedding_weight'].T
        to_features, gradients, rows = class_layer(features, y[batch], trained, form, workers, [epoch, step])
        to_features += SCALE * reference.center_loss(features, y[batch], centers)[1]
        gradients['embedding_weight'] = to_features.T @ x[batch]
        moved = reference.center_update(features, y[batch], centers, kvstore_job.ALPHA)
        seen += np.bincount(y[batch], minlength=NUM_CLASS)
        for name, g in gradients.items():
            present = rows if name == 'fc2_weight' else slice(None)
            trained[name] = optimizer.update(name, trained[name], g, t + 1, present)
        trained['center_loss_center_weight'] = np.hstack([moved, seen[:, np.newaxis]])
    return trained


def class_layer(features, y, trained, form, workers, draw):
    """The gradients to the features, by name those to the parameters, and the rows that have one."""
    w = trained['fc2_weight']
    if form not in NUM_SAMPLED:
        _, to_logits = reference.softmax_cross_entropy(features, y, w, trained['fc2_bias'])
        gradients = {'fc2_weight': to_logits.T @ features, 'fc2_bias': to_logits.sum(axis=0)}
        return to_logits @ w, gradients, slice(None)
    to_features, to_w, present = np.zeros(features.shape), np.zeros(w.shape), set()
    for part in np.split(np.arange(BATCH), workers):
        rng = np.random.default_rng([SEED, *draw])
        sampled = sample_classes(np.unique(y[part]), NUM_CLASS, NUM_SAMPLED[form], rng)
        _, to_features[part], to_rows = reference.sampled_softmax(features[part], y[part], w, sampled)
        to_w[sampled] += to_rows
        present.update(sampled)
    return to_features, {'fc2_weight': to_w}, sorted(present)


def assert_same(trained, expected):
    """max|difference| <= 1e-5 max|w| for each array; samples are counted exactly."""
    assert set(trained) == set(expected)
    for name, value in expected.items():
        if name.endswith('_center_weight'):
            np.testing.assert_array_equal(trained[name][:, DIM], value[:, DIM])
            value, trained = value[:, :DIM], {**trained, name: trained[name][:, :DIM]}
        off = np.abs(trained[name] - value).max() / np.abs(value).max()
        assert off <= 1e-5, f'{name} is off by {off:.1e}'
