"""`touched rows`: center loss in PyTorch that reads and writes the rows of the batch's classes only."""

from __future__ import annotations

from itertools import cycle

import torch


class CenterLoss(torch.autograd.Function):
    """Wen et al. 2016, Eqs. 2 to 4, divided by N; backward moves the centers in place."""

    @staticmethod
    def forward(ctx, x, y, centers, alpha):
        diff = centers.index_select(0, y)
        torch.sub(x, diff, out=diff)
        ctx.diff, ctx.y, ctx.centers, ctx.alpha = diff, y, centers, alpha
        flat = diff.view(-1)
        return torch.dot(flat, flat) * (0.5 / len(x))

    @staticmethod
    def backward(ctx, head):
        diff, y = ctx.diff, ctx.y
        gradient = diff * (head / len(diff))
        # Each sample pulls its center by alpha / (1 + n_j) of its difference, which nothing needs later.
        _, of_class, counts = torch.unique(y, return_inverse=True, return_counts=True)
        steps = (ctx.alpha / (counts + 1)).index_select(0, of_class)
        ctx.centers.index_add_(0, y, diff.mul_(steps.unsqueeze(1)))
        return gradient, None, None, None


class TouchedRows:
    def __init__(self, x, labels, centers, alpha, scale):
        self.x = torch.from_numpy(x).requires_grad_()
        self.labels = cycle(torch.from_numpy(labels))
        self.centers, self.alpha = centers, alpha
        self.scale = torch.tensor(scale)  # the gradient of the joint loss to this one

    def run(self, steps):
        for _ in range(steps):
            self.x.grad = None
            loss = CenterLoss.apply(self.x, next(self.labels), self.centers, self.alpha)
            loss.backward(self.scale)
            self.output = loss.detach()  # without the graph, whose memory the next step uses again

    def loss_and_gradient(self):
        return self.output.item(), self.x.grad.numpy()
