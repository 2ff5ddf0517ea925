"""Factors between two answers: a plain number, or one that goes with the sizes, as a sum for a mean does."""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from nnjax.gradcheck.autodiff import Array
from nnjax.gradcheck.cases import Case


class Factor(NamedTuple):
    """A factor that may depend on the sizes: number · size_1 · … / (size_2 · …), or with one size under a root."""

    number: float
    above: tuple[int, ...] = ()
    below: tuple[int, ...] = ()
    root_above: int = 0  # √size, as in attention; 0 for none
    root_below: int = 0

    def at(self, case: Case) -> float:
        """Its value at the sizes of a case."""
        up = math.prod(case.sizes[size] for size in self.above)
        root = math.sqrt(case.sizes.get(self.root_above, 1) / case.sizes.get(self.root_below, 1))
        return self.number * up / math.prod(case.sizes[size] for size in self.below) * root

    @property
    def kind(self) -> str:
        """The diagnosis that it is, a word of `nnjax.gradcheck.hypotheses.KINDS`."""
        if self.above or self.below:
            return "batch"
        return "sign" if self.number == -1 else "factor"

    def __str__(self) -> str:
        number = _fraction(self.number)
        up = [f"{size}" for size in self.above] + [f"√{self.root_above}"] * bool(self.root_above)
        down = [f"{size}" for size in self.below] + [f"√{self.root_below}"] * bool(self.root_below)
        return "/".join(["·".join([number] * (number != "1" or not up) + up), *down])


def common_factor(cases: Sequence[Case], pairs: Sequence[tuple[Array, Array]]) -> Factor | None:
    """The factor by which the first of each pair must be multiplied to be the second, at every case."""
    ratios = []
    kept = []
    for case, (got, want) in zip(cases, pairs, strict=True):
        if not np.any(want) and not np.any(got):
            continue
        if not np.all(np.isfinite(got)) or not np.any(got):
            return None
        ratio = float(np.vdot(got, want) / np.vdot(got, got))
        if ratio == 0 or not case.agrees(got * ratio, want):
            return None
        ratios.append(ratio)
        kept.append(case)
    return fit_factor(kept, ratios) if ratios else Factor(1)


def fit_factor(cases: Sequence[Case], ratios: Sequence[float]) -> Factor | None:
    """The simplest product of a number and powers of the sizes, or a root of one, with these values at the cases.

    A number other than ±1 counts as much as one size and a half: at few sizes, 12 may be 3·4 by chance.
    """
    sizes = list(cases[0].sizes)
    powers = sorted(itertools.product(range(-2, 3), repeat=min(len(sizes), 4)), key=lambda es: sum(map(abs, es)))
    candidates = [
        Factor(
            1,
            tuple(size for size, e in zip(sizes, exponents, strict=False) for _ in range(e)),
            tuple(size for size, e in zip(sizes, exponents, strict=False) for _ in range(-e)),
        )
        for exponents in powers
    ]
    candidates += [Factor(1, root_above=size) for size in sizes] + [Factor(1, root_below=size) for size in sizes]
    found = []
    for factor in candidates:
        number = ratios[0] / factor.at(cases[0])
        if all(
            math.isclose(factor.at(case) * number, ratio, rel_tol=1e-7)
            for case, ratio in zip(cases, ratios, strict=True)
        ):
            found.append(factor._replace(number=_rounded(number)))
    return min(found, key=_complexity, default=None)


def _complexity(factor: Factor) -> float:
    roots = bool(factor.root_above) + bool(factor.root_below)
    return len(factor.above) + len(factor.below) + 2 * roots + 1.5 * (abs(factor.number) != 1)


def factor_sentence(factor: Factor, what: str) -> str:
    """What a factor on ``what`` means in words."""
    if factor.kind == "sign":
        return f"{what} has the opposite sign"
    sentence = f"{what} must be multiplied by {factor}"
    if factor == Factor(1, (), factor.below):
        return f"{sentence}: a sum stands where the mean over {_axes(factor.below)} belongs"
    if factor == Factor(1, factor.above, ()):
        return f"{sentence}: a mean over {_axes(factor.above)} stands where the sum belongs, or is taken twice"
    return sentence


def _axes(sizes: tuple[int, ...]) -> str:
    return " and ".join(f"the axis of size {size}" for size in sizes)


def _fraction(number: float) -> str:
    found = _simple(number, 1e-9)
    return str(found) if found else f"{number:.6g}"


def _rounded(number: float) -> float:
    return float(_simple(number, 1e-7) or number)


def _simple(number: float, tolerance: float) -> Fraction | None:
    """The fraction with the smallest denominator, up to 12, that the number is."""
    for below in range(1, 13):
        above = number * below
        if abs(above - round(above)) < tolerance * max(1, abs(above)) and round(above):
            return Fraction(round(above), below)
    return None
