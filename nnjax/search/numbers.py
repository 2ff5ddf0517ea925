"""Distributions of one number: between two ends or normal, of the number or of its logarithm, in steps or not."""

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from typing import Any, ClassVar

from nnjax.search.distributions import MOST_VALUES, Leaf, is_number, plain
from nnjax.validation import UserError, check_range, short

EDGE = 2.0**-30
"""What has a smaller probability than this is never drawn, so that a normal distribution has ends."""


@dataclass(frozen=True, repr=False)
class _Range(Leaf):
    """Numbers from low to high, both of them in.

    With a step only low, low + step, … are drawn, each for all that is nearest to it, from half a step below low
    to half a step above the last, as in Optuna. So the n values of a uniform one have the probability 1/n each.
    """

    low: float
    high: float
    step: float | None = None
    log: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _settle(self)
        if self.log and self.low <= 0:
            raise UserError(
                f"low of {self} must be more than 0, for there is no logarithm of 0: low and high are ends of the "
                "value itself"
            )
        if self.high < self.low or (self.high == self.low and self.step is None):
            raise UserError(f"{self} is empty: low must be less than high")
        if self.log and self.step is not None and self.low <= self.step / 2:
            raise UserError(f"low of {self} must be more than half a step, or its lowest cell would reach 0")

    @property
    def count(self) -> int | None:
        """How many values it has; None: it is continuous."""
        if self.step is None:
            return None
        return int((exact(self.high) - exact(self.low)) / exact(self.step)) + 1

    def place(self, index: int) -> float:
        """The value so many steps above low, without the rounding of sums: 0.1 + 2 · 0.1 is 0.3."""
        assert self.step is not None
        return _number(exact(self.low) + index * exact(self.step), self.low, self.step)

    def ppf(self, u: float) -> float:
        count = self.count
        if count is None or self.step is None:
            return min(max(self._between(self.low, self.high, u), float(self.low)), float(self.high))
        if not self.log:
            return self.place(min(int(u * count), count - 1))
        half = self.step / 2
        x = self._between(self.low - half, self.place(count - 1) + half, u)
        return self.place(min(max(round((x - self.low) / self.step), 0), count - 1))

    def _between(self, low: float, high: float, u: float) -> float:
        if not self.log:
            return low * (1 - u) + high * u
        return float(low ** (1 - u) * high**u)

    def grid(self, points: int | None = None) -> list[Any]:
        count = self.count
        if points is None and count is None:
            raise UserError(f"{self} is continuous, and a grid needs a number of points for it")
        if count is not None and (points is None or points >= count):
            if count > MOST_VALUES:
                raise UserError(f"{self} has {count:,} values: give a grid a smaller number of points")
            return [self.place(index) for index in range(count)]
        assert points is not None
        even = [self.ppf(index / (points - 1) if points > 1 else 0.5) for index in range(points)]
        return list(dict.fromkeys(even))

    def takes(self, value: Any) -> bool:
        count = self.count
        if not is_number(value) or not math.isfinite(value) or count is None or self.step is None:
            return False
        index = round((exact(value) - exact(self.low)) / exact(self.step))
        return 0 <= index < count and self.place(index) == value

    def ends(self) -> list[Any]:
        count = self.count
        return [float(self.low), float(self.high)] if count is None else [self.place(0), self.place(count - 1)]


@dataclass(frozen=True, repr=False)
class uniform(_Range):
    """Numbers from low to high, all equally likely."""


@dataclass(frozen=True, repr=False)
class log_uniform(_Range):
    """Numbers from low to high whose logarithms are equally likely: as many from 0.01 to 0.1 as from 0.1 to 1."""

    log = True


@dataclass(frozen=True, repr=False)
class integers(_Range):
    """Whole numbers from low to high, both of them in, all equally likely."""

    low: int
    high: int
    step: int = 1


@dataclass(frozen=True, repr=False)
class log_integers(_Range):
    """Whole numbers from low to high, both of them in; a number is as likely as what rounds to it."""

    low: int
    high: int
    step: int = 1
    log = True


@dataclass(frozen=True, repr=False)
class _Normal(Leaf):
    """A normal distribution of the value or of its logarithm; with a step, rounded to multiples of it."""

    mean: float
    deviation: float
    step: float | None = None
    log: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _settle(self)
        if not self.deviation > 0:
            raise UserError(f"deviation of {self} must be more than 0")
        if self.log:
            top = self.mean - NormalDist().inv_cdf(EDGE) * self.deviation
            if top > 88:
                raise UserError(
                    f"{self} reaches more than 32 bits hold: mean and deviation are those of the logarithm"
                )

    def ppf(self, u: float) -> float:
        x = NormalDist(self.mean, self.deviation).inv_cdf(min(max(u, EDGE), 1 - EDGE))
        x = math.exp(x) if self.log else x
        return self._rounded(x)

    def _rounded(self, x: float) -> float:
        return x if self.step is None else _number(round(x / self.step) * exact(self.step), self.step)

    def grid(self, points: int | None = None) -> list[Any]:
        if points is None:
            raise UserError(f"{self} has no ends, and a grid needs a number of points for it")
        return list(dict.fromkeys(self.ppf((index + 0.5) / points) for index in range(points)))

    def takes(self, value: Any) -> bool:
        if not is_number(value) or not math.isfinite(value) or self.step is None:
            return False
        low, high = self.ends()
        return low <= value <= high and self._rounded(value) == value

    def ends(self) -> list[Any]:
        return [self.ppf(EDGE), self.ppf(1 - EDGE)]


@dataclass(frozen=True, repr=False)
class normal(_Normal):
    """A normal distribution, of which nothing is drawn that is rarer than `EDGE`."""


@dataclass(frozen=True, repr=False)
class log_normal(_Normal):
    """Numbers whose logarithm is normal, with the mean and deviation of the logarithm."""

    log = True


def exact(number: float) -> Fraction:
    """A number as it is written: 0.1 is a tenth."""
    return Fraction(str(number))


def _number(value: Fraction, *of: float) -> float:
    """A sum of steps: whole where all that it is made of is."""
    return int(value) if all(isinstance(one, int) for one in of) else float(value)


def _settle(distribution: Leaf) -> None:
    """Bring the numbers of a distribution in the form in which they are held, and refuse what is none."""
    called = type(distribution).__name__
    whole = called.endswith("integers")
    for item in dataclasses.fields(distribution):  # type: ignore[arg-type]
        value = plain(getattr(distribution, item.name))
        name = f"{item.name} of {called}"
        object.__setattr__(distribution, item.name, value)
        if value is None and item.name == "step" and not whole:
            continue
        if not is_number(value) or (whole and not isinstance(value, int)):
            raise UserError(f"{name} is {short(value)}, and must be a {'whole ' * whole}number")
        check_range(name, value, **({"above": 0} if item.name == "step" else {}))
