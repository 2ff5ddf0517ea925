"""The peers that use PyTorch, on a GPU where it has one."""

import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear

from peers import Task, Trained, Trainer, Weights


class TorchLoop(Trainer):
    """PyTorch, run by run: a module and `torch.optim.SGD`."""

    def __init__(self, task: Task) -> None:

        super().__init__(task)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.x = torch.from_numpy(task.inputs()).to(self.device)
        self.y = torch.from_numpy(task.y.astype(np.int64)).to(self.device)

    def model(self, run: int) -> Any:
        """A module that has a run's initial weights."""

        start = self.task.start(run)
        model = nn.Sequential()
        for w, b in zip(start[::2], start[1::2], strict=True):
            layer = nn.Linear(*w.shape)
            layer.weight.data, layer.bias.data = torch.from_numpy(w.T.copy()), torch.from_numpy(b)
            model.extend([layer, nn.Sigmoid()])
        return model[:-1].to(self.device)

    def train(self, runs: int, steps: int) -> Trained:
        """Train run after run."""

        task, losses = self.task, []
        models = [self.model(run) for run in range(runs)]
        orders = [
            [torch.from_numpy(index).to(self.device) for index in task.batches(run, steps)] for run in range(runs)
        ]
        started = time.perf_counter()
        for model, batches in zip(models, orders, strict=True):
            kernels, biases = ([getattr(layer, leaf) for layer in model[::2]] for leaf in ("weight", "bias"))
            groups = [{"params": kernels, "weight_decay": task.decay}, {"params": biases}]
            optimizer = torch.optim.SGD(groups, lr=task.rate, fused=True)
            total = torch.zeros((), device=self.device)
            for index in batches:
                loss = cross_entropy(model(self.x[index]), self.y[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(index)
            losses.append(total.item())
        seconds = time.perf_counter() - started
        leaves = [leaf for layer in models[0][::2] for leaf in (layer.weight.T, layer.bias)]
        weights = [leaf.detach().cpu().numpy() for leaf in leaves]
        return Trained(seconds, losses[0] / task.examples(steps), weights)


class TorchVmap(TorchLoop):
    """PyTorch, all runs together: `torch.func.vmap` of the gradient, in one step of all of them."""

    def train(self, runs: int, steps: int) -> Trained:
        """Train all runs."""

        def objective(weights: Weights, x: Any, y: Any) -> Any:
            for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
                x = torch.sigmoid(linear(x, w, b))
            return cross_entropy(linear(x, *weights[-2:]), y)

        task = self.task
        slopes_and_losses = torch.func.vmap(torch.func.grad_and_value(objective))
        weights = [
            torch.from_numpy(np.ascontiguousarray(np.swapaxes(leaf, 1, -1)).copy()).to(self.device)
            for leaf in task.weights
        ]
        orders = torch.from_numpy(task.orders[:, :steps].astype(np.int64)).to(self.device)
        losses = torch.zeros(len(orders), device=self.device)
        started = time.perf_counter()
        with torch.no_grad():
            for step in range(steps):
                index = orders[:, step, : task.size(step)]
                slopes, loss = slopes_and_losses(weights, self.x[index], self.y[index])
                losses += loss * task.size(step)
                for i, (leaf, slope) in enumerate(zip(weights, slopes, strict=True)):
                    if i % 2 == 0:
                        leaf *= 1 - task.rate * task.decay
                    leaf.add_(slope, alpha=-task.rate)
        found = losses.tolist()
        seconds = time.perf_counter() - started
        first = [(leaf[0].T if leaf[0].ndim > 1 else leaf[0]).cpu().numpy() for leaf in weights]
        return Trained(seconds, found[0] / task.examples(steps), first)
