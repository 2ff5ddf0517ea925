"""The way to search that uses PyTorch, as `search_ways` says."""

import itertools
from pathlib import Path

import numpy as np
import torch

from search_ways import DECAY, Losses, Problem, Setting, by_run


def by_torch(problem: Problem, folder: Path) -> Losses:
    """PyTorch, each core a process of one thread that takes run after run."""
    torch.set_num_threads(1)
    return by_run(problem, fit_torch)


def fit_torch(problem: Problem, x: np.ndarray, setting: Setting, seed: int) -> float:
    """One run; NaN where it diverges."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    makers = {
        "identity": torch.nn.Identity,
        "sigmoid": torch.nn.Sigmoid,
        "tanh": torch.nn.Tanh,
        "relu": torch.nn.ReLU,
    }
    widths, parts = problem.widths(setting), []
    for before, after in itertools.pairwise(widths):
        layer = torch.nn.Linear(before, after)
        torch.nn.init.xavier_uniform_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        parts += [layer, makers[setting.activation]()]
    model = torch.nn.Sequential(*parts[:-1])
    kernels = [layer.weight for layer in parts[::2]]
    biases = [layer.bias for layer in parts[::2]]
    groups = [{"params": kernels, "weight_decay": DECAY}, {"params": biases}]
    optimizer = torch.optim.SGD(groups, lr=setting.rate)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(problem.y["train"].astype(np.int64))
    total = torch.zeros(())
    for _ in range(problem.epochs):
        total = torch.zeros(())
        for rows in torch.randperm(len(labels)).split(setting.batch):
            loss = torch.nn.functional.cross_entropy(model(inputs[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
    return float(total) / len(labels)
