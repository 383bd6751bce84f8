"""`N x C`: center loss as modules for PyTorch have it, with the distance of each sample to each center."""

from __future__ import annotations

from itertools import cycle

import torch


class CenterLoss(torch.nn.Module):
    """Wen et al. 2016, Eq. 2, divided by N. The centers are a parameter, which an optimizer moves."""

    def __init__(self, centers):
        super().__init__()
        self.centers = torch.nn.Parameter(centers)
        self.register_buffer('classes', torch.arange(len(centers)))

    def forward(self, x, y):
        # ||x_i - c_j||^2 = ||x_i||^2 + ||c_j||^2 - 2 x_i . c_j, in one array
        distances = x.square().sum(1, keepdim=True) + self.centers.square().sum(1)
        distances.addmm_(x, self.centers.t(), alpha=-2)
        return distances.mul_(y.unsqueeze(1) == self.classes).sum() * (0.5 / len(x))


class DistanceMatrix:
    def __init__(self, x, labels, centers, alpha, scale):
        self.x = torch.from_numpy(x).requires_grad_()
        self.labels = cycle(torch.from_numpy(labels))
        self.loss = CenterLoss(centers)
        self.scale = torch.tensor(scale)  # the gradient of the joint loss to this one
        self.optimizer = torch.optim.SGD(self.loss.parameters(), lr=alpha / scale)

    def run(self, steps):
        for _ in range(steps):
            self.x.grad = None
            self.optimizer.zero_grad()
            loss = self.loss(self.x, next(self.labels))
            loss.backward(self.scale)
            self.optimizer.step()
            self.output = loss.detach()  # without the graph, whose memory the next step uses again

    def loss_and_gradient(self):
        return self.output.item(), self.x.grad.numpy()
