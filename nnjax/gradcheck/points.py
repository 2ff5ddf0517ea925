"""Where a formula is tried: random points, and the hard ones at which formulas tend to break."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from nnjax.gradcheck.arguments import Argument, Arguments
from nnjax.gradcheck.autodiff import Array, Arrays

Values: TypeAlias = Arrays
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]


class Point(NamedTuple):
    """A value for each argument, and what is special about them ("random" for nothing)."""

    label: str
    values: Values

    @property
    def hard(self) -> bool:
        """Whether it is one at which formulas tend to break."""
        return self.label != "random"

    @property
    def large(self) -> bool:
        """Whether rounding matters there."""
        return self.label.startswith("large")


def _one_hot(rng: np.random.Generator, sizes: tuple[int, ...]) -> Array:
    if not sizes:
        return np.ones(())
    return np.eye(sizes[-1])[rng.integers(sizes[-1], size=sizes[:-1])]


def _softmax(rng: np.random.Generator, sizes: tuple[int, ...]) -> Array:
    e = np.exp(rng.normal(size=sizes))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _signs(rng: np.random.Generator, sizes: tuple[int, ...]) -> Array:
    return 2.0 * rng.integers(2, size=sizes) - 1


def _one_large(rng: np.random.Generator, sizes: tuple[int, ...]) -> Array:
    x = np.asarray(rng.normal(size=sizes))
    x[np.unravel_index(rng.integers(max(x.size, 1)), x.shape)] = 1e4
    return x


RANDOM: dict[str, Draw] = {
    "real": lambda rng, sizes: rng.normal(size=sizes),
    "positive": lambda rng, sizes: np.exp(rng.normal(size=sizes)),
    "probability": lambda rng, sizes: rng.uniform(0.05, 0.95, size=sizes),
    "distribution": _softmax,
    "onehot": _one_hot,
    "binary": lambda rng, sizes: rng.integers(2, size=sizes).astype(float),
}

HARD: dict[str, dict[str, Draw]] = {
    "real": {
        "zeros": lambda rng, sizes: np.zeros(sizes),
        "ties": lambda rng, sizes: np.full(sizes, 0.75),
        "whole numbers": lambda rng, sizes: rng.integers(-1, 2, size=sizes).astype(float),
        "one-hot": _one_hot,
        "large (±30)": lambda rng, sizes: 30 * _signs(rng, sizes),
        "large (±1e4)": lambda rng, sizes: 1e4 * _signs(rng, sizes),
        "large (one 1e4)": _one_large,
    },
    "positive": {
        "ties": lambda rng, sizes: np.ones(sizes),
        "large (1e4)": lambda rng, sizes: np.full(sizes, 1e4),
        "small (1e-4)": lambda rng, sizes: np.full(sizes, 1e-4),
    },
    "probability": {
        "ties": lambda rng, sizes: np.full(sizes, 0.5),
        "small (1e-4)": lambda rng, sizes: np.full(sizes, 1e-4),
        "near one": lambda rng, sizes: np.full(sizes, 1 - 1e-4),
    },
    "distribution": {
        "one-hot": _one_hot,
        "ties": lambda rng, sizes: np.full(sizes, 1 / sizes[-1]),
    },
    "binary": {
        "zeros": lambda rng, sizes: np.zeros(sizes),
        "ones": lambda rng, sizes: np.ones(sizes),
    },
    "onehot": {},
}


def random_values(rng: np.random.Generator, arguments: Arguments) -> Values:
    """A random value for each argument, as float64 (labels as int32)."""
    return {name: _draw(rng, argument, None) for name, argument in arguments.items()}


def points(rng: np.random.Generator, arguments: Arguments, wrt: tuple[str, ...], count: int) -> Iterator[Point]:
    """``count`` random points, then the hard ones: in the arguments of the Jacobian, and in all at once."""
    for _ in range(count):
        yield Point("random", random_values(rng, arguments))
    labels = {label: None for name in wrt for label in HARD.get(arguments[name].kind, {})}
    for label in labels:
        for hard in (set(wrt), set(arguments)):
            values = {
                name: _draw(rng, argument, label if name in hard else None) for name, argument in arguments.items()
            }
            yield Point(label, values)
            if set(arguments) == set(wrt):
                break


def _draw(rng: np.random.Generator, argument: Argument, label: str | None) -> Array:
    if argument.kind == "labels":
        return np.asarray(rng.integers(argument.classes, size=argument.sizes), np.int32)
    draw = HARD[argument.kind].get(label or "", RANDOM[argument.kind])
    return np.asarray(draw(rng, argument.sizes), np.float64)
