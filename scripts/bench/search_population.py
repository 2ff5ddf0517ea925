"""The way to search that trains a masked population in PyTorch, as `search_ways` says.

Settings of one depth and batch size are one program: their weights are stacked, padded to the widest, and a step
of all of them is a few products of stacks, as in TabPack (https://arxiv.org/abs/2607.05380), of which nothing but
the idea is here. The gradient is written out, so that an update is part of a product. Each core is a process of
one thread that takes population after population.
"""

import functools
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from search_ways import CORES, DECAY, Losses, Problem, Setting, on_cores

OVERHEAD = 3e-5
"""Seconds that the calls of one layer take in a step, however small it is."""

PRODUCTS = 5e10
"""Floating-point operations of the products in a second, on one core."""

GATHERED = 2**18
"""So many numbers are gathered from the examples at a time, which a core's cache holds."""


def by_population(problem: Problem, folder: Path) -> Losses:
    """Population after population on each core, the costliest first."""
    torch.set_num_threads(1)
    parts = populations(problem)
    found = on_cores(problem, fit_population, [([problem.settings[i] for i in part],) for part in parts])
    losses = dict(zip(itertools.chain(*parts), itertools.chain(*found), strict=True))
    return [losses[i] for i in range(len(problem.settings))]


def populations(problem: Problem) -> list[tuple[int, ...]]:
    """Which settings go together, the costliest first: joined pair by pair, as long as that saves time."""
    alike: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    for i, setting in enumerate(problem.settings):
        alike.setdefault((setting.batch, len(setting.hidden)), []).append((i,))

    @functools.cache
    def cost(part: tuple[int, ...]) -> float:
        return seconds(problem, [problem.settings[i] for i in part])

    most = sum(cost(part) for parts in alike.values() for part in parts) / CORES / 2  # so that all cores have some
    for parts in alike.values():
        while True:
            pairs = ((cost(one + other), one, other) for one, other in itertools.combinations(parts, 2))
            gains = ((cost(one) + cost(other) - both, one, other) for both, one, other in pairs if both < most)
            gain, one, other = max(gains, default=(0.0, (), ()))
            if gain <= 0:
                break
            parts.remove(one)
            parts.remove(other)
            parts.append(one + other)
    found = sorted(itertools.chain(*alike.values()), key=cost, reverse=True)
    # Those of one activation side by side, since it is applied to all of them at once.
    return [tuple(sorted(part, key=lambda i: problem.settings[i].activation)) for part in found]


def seconds(problem: Problem, settings: list[Setting]) -> float:
    """About what these settings take together, all as wide as the widest of them in each layer."""
    widths = [max(layer) for layer in zip(*map(problem.widths, settings), strict=True)]
    weights = sum(before * after for before, after in itertools.pairwise(widths))
    examples = len(problem.y["train"])
    steps = -(-examples // settings[0].batch)
    products = 6 * weights * examples * problem.seeds * len(settings) / PRODUCTS
    return problem.epochs * (products + steps * (len(widths) - 1) * OVERHEAD)


def fit_population(problem: Problem, x: np.ndarray, settings: list[Setting]) -> Losses:
    """The losses of these settings."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    return Population(problem, settings).train(x)


class Population:
    """Networks of one depth and batch size, [S, M]: S seeds of M settings, those of one activation in a row.

    A layer's weights are [S, M, F, D], padded by zeros to the widest, its biases [S, M, F, 1], and its features
    [S·M, F, B]. A padded unit is zero where it is masked, so that nothing is learnt from or by it. Networks of a
    seed see the same examples in the same order, and their first layers are one product of matrices.
    """

    def __init__(self, problem: Problem, settings: list[Setting]) -> None:
        self.problem, self.settings = problem, settings
        self.widths = [max(layer) for layer in zip(*map(problem.widths, settings), strict=True)]
        self.weights = [
            torch.zeros(problem.seeds, len(settings), after, before)
            for before, after in itertools.pairwise(self.widths)
        ]
        self.biases = [torch.zeros(problem.seeds, len(settings), after, 1) for after in self.widths[1:]]
        count = len(problem.y["train"])
        rngs = [torch.Generator().manual_seed(seed) for seed in range(problem.seeds)]
        draws = [[torch.randperm(count, generator=rng) for rng in rngs] for _ in range(problem.epochs)]
        self.orders = [torch.stack(draw) for draw in draws]  # by epoch, [S, N]
        for seed, rng in enumerate(rngs):
            for setting in range(len(settings)):
                for weights, _ in self.member(seed, setting):
                    bound = math.sqrt(6 / sum(weights.shape))
                    weights.uniform_(-bound, bound, generator=rng)
        self.prepare()

    def member(self, seed: int, setting: int) -> list[tuple[Any, Any]]:
        """Weights and biases of each layer of one network, without what is padded; they are views."""
        layers = zip(
            self.weights, self.biases, itertools.pairwise(self.problem.widths(self.settings[setting])), strict=True
        )
        return [(w[seed, setting, :after, :before], b[seed, setting, :after]) for w, b, (before, after) in layers]

    def prepare(self) -> None:
        """What follows from the settings: views of the weights, rates, masks, and where each activation is."""
        seeds = self.problem.seeds
        self.stacks = [  # [S, M·F, D] in the first layer, whose inputs all settings share, and then [S·M, F, F]
            [leaf.view(seeds * (len(self.settings) if layer else 1), -1, leaf.shape[3]) for leaf in leaves]
            for layer, leaves in enumerate(zip(self.weights, self.biases, strict=True))
        ]
        rates = torch.tensor([setting.rate for setting in self.settings], dtype=torch.float64).view(-1, 1, 1)
        self.rates, self.kept = rates.float(), (1 - rates * DECAY).float()
        self.masks = [
            (torch.arange(width) < torch.tensor([[setting.hidden[layer]] for setting in self.settings]))[..., None]
            for layer, width in enumerate(self.widths[1:-1])
        ]
        names = [setting.activation for setting in self.settings]
        self.spans = [
            (name, slice(names.index(name), names.index(name) + names.count(name))) for name in set(names)
        ]

    def leave(self, stays: Any) -> None:
        """Go on with the settings [M] that are true here."""
        self.settings = list(itertools.compress(self.settings, stays.tolist()))
        self.weights = [weights[:, stays].contiguous() for weights in self.weights]
        self.biases = [biases[:, stays].contiguous() for biases in self.biases]
        self.prepare()

    def train(self, x: np.ndarray) -> Losses:
        """All epochs; a setting of which a seed diverges leaves at the end of the epoch."""
        inputs, labels = torch.from_numpy(x), torch.from_numpy(self.problem.y["train"].astype(np.int64))
        losses, there = torch.full((len(self.settings),), math.nan), torch.arange(len(self.settings))
        with torch.inference_mode():
            for order in self.orders:
                losses[there] = self.epoch(inputs, labels, order).mean(0)
                stays = losses[there].isfinite()
                if not stays.all():
                    losses[there[~stays]] = math.nan
                    there = there[stays]
                    if not len(there):
                        break
                    self.leave(stays)
        return losses.tolist()

    def epoch(self, inputs: Any, labels: Any, order: Any) -> Any:
        """Running losses [S, M] of an epoch in this order of the examples, [S, N]."""
        (seeds, count), batch, classes = order.shape, self.settings[0].batch, self.problem.classes
        hot, found = torch.eye(classes), []
        for rows in order.split(batch * max(1, GATHERED // (seeds * batch * inputs.shape[1])), 1):
            x = inputs.index_select(0, rows.reshape(-1)).view(seeds, -1, inputs.shape[1])
            y = labels[rows]
            targets = hot[:, y].transpose(0, 1)[:, None].contiguous()
            places = y[:, None, None].expand(-1, len(self.settings), -1, -1)
            pieces = zip(x.split(batch, 1), targets.split(batch, 3), places.split(batch, 3), strict=True)
            found += [self.step(*piece) for piece in pieces]
        return -torch.cat(found, 3).sum((2, 3)) / count

    def step(self, x: Any, targets: Any, labels: Any) -> Any:
        """Train on a batch, and give the logarithm of the probability that each label had before, [S, M, 1, B].

        Examples x [S, B, D], targets [S, 1, C, B], which are 1 at the label, and labels [S, M, 1, B].
        """
        shape, count = labels.shape[:2], x.shape[1]
        inputs = [x.transpose(1, 2)]  # of each layer, [S, D, B] and then [S·M, F, B]
        for layer, (weights, biases) in enumerate(self.stacks):
            sums = torch.baddbmm(biases, weights, inputs[layer]).view(*shape, -1, count)
            if layer < len(self.stacks) - 1:
                self.activate(sums, layer)
            inputs.append(sums.flatten(0, 1))
        logs = torch.log_softmax(inputs.pop(), 1).unflatten(0, shape)
        found = logs.gather(2, labels)
        errors = logs.exp_().sub_(targets).mul_(self.rates / -count)  # already with the rate of each setting
        for layer in reversed(range(len(self.stacks))):
            weights, biases = self.stacks[layer]
            stacked = errors.view(weights.shape[0], -1, count)
            if layer:
                errors = torch.bmm(weights.transpose(1, 2), stacked).unflatten(0, shape)
                self.times_slope(errors, inputs[layer].unflatten(0, shape))
            self.weights[layer].mul_(self.kept)
            weights.baddbmm_(stacked, inputs[layer].transpose(1, 2))
            biases.add_(stacked.sum(2, keepdim=True))
        return found

    def activate(self, sums: Any, layer: int) -> None:
        """Features instead of sums [S, M, F, B], in place; only a sigmoid of a padded sum, zero, isn't zero."""
        for name, span in self.spans:
            part = sums[:, span]
            if name == "tanh":
                part.tanh_()
            elif name == "relu":
                part.relu_()
            elif name == "sigmoid":
                part.sigmoid_().mul_(self.masks[layer][span])

    def times_slope(self, errors: Any, features: Any) -> None:
        """Errors [S, M, F, B] times the slope of the activation where the features are these, in place."""
        for name, span in self.spans:
            part, there = errors[:, span], features[:, span]
            if name == "tanh":
                torch.ops.aten.tanh_backward.grad_input(part, there, grad_input=part)
            elif name == "relu":
                torch.ops.aten.threshold_backward.grad_input(part, there, 0, grad_input=part)
            elif name == "sigmoid":
                torch.ops.aten.sigmoid_backward.grad_input(part, there, grad_input=part)
