"""How fast do centers follow a class whose mean jumps? Both rules of running centers, and learned centers.

    python examples/center_updates.py

Every loss sees the same batches of 128 samples, n_j of which are of the class that has jumped. What is drawn,
and written to `runs/center_updates.png`, is how far its center still has to go.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from centerloss_mx import cli
from centerloss_mx.model import find_centers
from centerloss_mx.module import Module
from centerloss_mx.symbol import center_loss, learned_center_loss
from centerloss_mx.visualization import Curve, CurvePanel, curve_figure, save_figure

import mxnet as mx
import numpy as np

N, DIM, NUM_CLASS, STEPS = 128, 2, 10, 12
ALPHA, SCALE, LEARNING_RATE = 0.5, 0.1, 0.05
# With which a learned center of 13 samples moves as fast as the paper's: alpha N / (eta lambda (1 + n_j)).
LR_MULT = round(ALPHA * N / (LEARNING_RATE * SCALE * 14))


def losses() -> dict[str, mx.sym.Symbol]:
    data, label = mx.sym.Variable('data'), mx.sym.Variable('label')
    running = {
        'num_class': NUM_CLASS,
        'alpha': ALPHA,
        'scale': SCALE,
        'batchsize': N,
        'normalization': 'null',
    }
    learned = {'num_class': NUM_CLASS, 'embedding_dim': DIM, 'scale': SCALE}
    return {
        f'paper, α = {ALPHA:g}': center_loss(data, label, update='paper', **running),
        f'moving average, α = {ALPHA:g}': center_loss(data, label, update='moving_average', **running),
        'learned': learned_center_loss(data, label, **learned),
        f'learned, lr_mult = {LR_MULT}': learned_center_loss(data, label, lr_mult=LR_MULT, **learned),
    }


def way_left(loss: mx.sym.Symbol, count: int) -> list[float]:
    """The share of a jump of class 0 that its center has still to go, before each step and after the last."""
    mean = np.array([3.0, 4.0])
    labels = np.where(np.arange(N) < count, 0, 1 + np.arange(N) % (NUM_CLASS - 1))
    features = np.where(labels[:, np.newaxis] == 0, mean, 0.0)
    module = Module(loss, label_names=['label'])
    module.bind([('data', (N, DIM))], [('label', (N,))], inputs_need_grad=True)
    module.init_params(mx.init.Zero())
    module.init_optimizer(optimizer='sgd', optimizer_params={'learning_rate': LEARNING_RATE})
    batch = mx.io.DataBatch([mx.nd.array(features)], [mx.nd.array(labels)])
    left = [1.0]
    for _ in range(STEPS):
        module.forward_backward(batch)
        module.update()
        center = find_centers(module.symbol, *module.get_params())[0]
        left.append(float(np.linalg.norm(center - mean) / np.linalg.norm(mean)))
    return left


def main() -> None:
    parser = argparse.ArgumentParser(description='Draw how fast centers follow a class mean that jumps.')
    parser.add_argument(
        '--output', type=Path, default=Path('runs/center_updates.png'), help='the picture, a PNG file'
    )
    args = parser.parse_args()
    panels = []
    for count in 1, 13:
        left = {label: way_left(loss, count) for label, loss in losses().items()}
        print(f'n_j = {count}, way left after {STEPS} steps:')
        for label, values in left.items():
            print(f'    {label:24} {values[-1]:.4f}')
        curves = [Curve(label, range(STEPS + 1), values) for label, values in left.items()]
        panels.append(
            CurvePanel(f'n_j = {count} of {N} samples', 'step', 'share of the jump left to go', curves)
        )
    args.output.parent.mkdir(parents=True, exist_ok=True)
    save_figure(curve_figure(panels, columns=2), args.output)
    print(f'Look at {args.output}')


if __name__ == '__main__':
    cli.run(main)
