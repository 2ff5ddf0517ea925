"""The way to search that trains run by run in PyTorch, as `search_ways` says."""

import itertools
import math
from pathlib import Path

import numpy as np
import torch

from search_ways import DECAY, Losses, Problem, Setting, by_run


def by_torch(problem: Problem, folder: Path) -> Losses:
    """PyTorch, each core a process of one thread that takes run after run."""
    torch.set_num_threads(1)
    return by_run(problem, fit_torch)


def fit_torch(problem: Problem, x: np.ndarray, setting: Setting, seed: int) -> float:
    """One run; NaN where it diverges.

    Updates are what `torch.optim.SGD(fused=True)` does. With the optimizer itself a step takes half as long again,
    and the first one imports the compiler, which takes as long as importing PyTorch.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    functions = {"identity": lambda x: x, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}
    activation = functions[setting.activation]
    kernels, biases = [], []
    for before, after in itertools.pairwise(problem.widths(setting)):
        bound = math.sqrt(6 / (before + after))
        kernels.append(torch.empty(before, after).uniform_(-bound, bound).requires_grad_())
        biases.append(torch.zeros(after, requires_grad=True))
    leaves = kernels + biases
    plain = [leaf.detach() for leaf in leaves]
    *hidden, last = zip(biases, kernels, strict=True)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(problem.y["train"].astype(np.int64))
    rule = {"lr": setting.rate, "momentum": 0.0, "dampening": 0.0, "nesterov": False, "maximize": False}
    sizes = torch.tensor([float(len(rows)) for rows in labels.split(setting.batch)])
    mean = math.nan
    for _ in range(problem.epochs):
        found = []
        order = torch.randperm(len(labels))
        batches = zip(inputs[order].split(setting.batch), labels[order].split(setting.batch), strict=True)
        for features, answers in batches:
            for bias, kernel in hidden:
                features = activation(torch.addmm(bias, features, kernel))
            bias, kernel = last
            loss = torch.nn.functional.cross_entropy(torch.addmm(bias, features, kernel), answers)
            slopes = torch.autograd.grad(loss, leaves)
            for part, decay in ((slice(len(kernels)), DECAY), (slice(len(kernels), None), 0.0)):
                torch._fused_sgd_(plain[part], slopes[part], [], weight_decay=decay, is_first_step=True, **rule)
            found.append(loss.detach())
        mean = float(torch.stack(found) @ sizes) / len(labels)
    return mean
