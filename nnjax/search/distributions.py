"""What a distribution of a field is, by its quantile function, and those of no number: a constant and a choice.

Their names are in lower case, as one writes them: in Python, in a YAML file and on the command line a learning
rate is ``log_uniform(1e-4, 1)``. What random and quasi-random search draw are points of the unit cube; a
distribution makes values of their coordinates. `nnjax.search.numbers` has those of one number, and
`nnjax.search.joint` those that are made of others.
"""

import dataclasses
import itertools
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from nnjax.fields import canonical
from nnjax.validation import UserError, short

MOST_VALUES = 1_000_000
"""The longest list of values that a grid makes."""

Ask: TypeAlias = "Callable[[int, Leaf], Any]"
"""The value of one dimension: its number, its distribution → what the sampler takes there."""


class Distribution(ABC):
    """How likely which values of a field are."""

    @property
    @abstractmethod
    def dims(self) -> int:
        """How many coordinates of the unit cube it takes."""

    @abstractmethod
    def draw(self, ask: Ask) -> Any:
        """A value, made of what ``ask`` gives for the dimensions that this value needs."""

    @abstractmethod
    def grid(self, points: int | None = None) -> list[Any]:
        """All values, from the lowest; of a continuous one as many as there are to be ``points``.

        Raises:
            UserError: for a continuous one without a number of points, or for more than `MOST_VALUES`.
        """

    @abstractmethod
    def __str__(self) -> str:
        """It as one writes it, so that `nnjax.search.notation` reads the same."""

    def value(self, u: Sequence[float]) -> Any:
        """The value at a point of the unit cube."""
        return self.draw(lambda dim, leaf: leaf.ppf(u[dim]))

    def takes(self, value: Any) -> bool:
        """Whether a value has a probability of its own."""
        try:
            return value in self.grid()
        except UserError:  # no list of values
            return False

    def ends(self) -> list[Any]:
        """Values such that all others are between them; of a choice all."""
        found: list[Any] = []
        longest = 1

        def ask(_: int, leaf: "Leaf") -> Any:
            nonlocal longest
            ends = leaf.ends()
            longest = max(longest, len(ends))
            return ends[len(found) % len(ends)]

        while len(found) < longest:
            found.append(self.draw(ask))
        return found

    def __repr__(self) -> str:
        return str(self)


class Leaf(Distribution):
    """A distribution of one dimension."""

    @property
    def dims(self) -> int:
        return 1

    @abstractmethod
    def ppf(self, u: float) -> Any:
        """The quantile at u, from 0 to 1: SciPy's name for the inverse of the distribution function."""

    def draw(self, ask: Ask) -> Any:
        return ask(0, self)

    def __str__(self) -> str:
        values = [(item, getattr(self, item.name)) for item in dataclasses.fields(self)]  # type: ignore[arg-type]
        *known, step = [written(value) for _, value in values]
        shown = known if values[-1][1] == values[-1][0].default else [*known, f"step={step}"]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, repr=False)
class constant(Distribution):
    """One value, written as it is."""

    only: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "only", plain(self.only))

    @property
    def dims(self) -> int:
        return 0

    def draw(self, ask: Ask) -> Any:
        return self.only

    def grid(self, points: int | None = None) -> list[Any]:
        return [self.only]

    def __str__(self) -> str:
        # A list in another distribution would be a choice.
        return f"constant({written(self.only)})" if isinstance(self.only, tuple) else written(self.only)


@dataclass(frozen=True, repr=False)
class choice(Leaf):
    """One of several values, all equally likely or by their probabilities."""

    options: Sequence[Any]
    probabilities: Sequence[float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", _listed("the options of a choice", self.options))
        if not self.options:
            raise UserError("a choice is empty, and must list at least one value")
        seen: set[Any] = set()
        names: set[str] = set()
        for option in self.options:
            if isinstance(option, Distribution):
                raise UserError(f"a choice holds {option}, and lists values: put each distribution under a when")
            try:
                hash(option)
            except TypeError:
                raise UserError(f"a choice holds {short(option)}, which is a value of no field") from None
            # By their writing too: results couldn't tell two functions of one name apart.
            if option in seen or written(option) in names:
                raise UserError(f"a choice holds {written(option)} twice")
            seen.add(option)
            names.add(written(option))
        if self.probabilities is not None:
            object.__setattr__(self, "probabilities", _listed("the probabilities", self.probabilities))
            _check_probabilities(self, self.probabilities)

    def ppf(self, u: float) -> Any:
        if self.probabilities is None:
            return self.options[min(int(u * len(self.options)), len(self.options) - 1)]
        for option, reached in zip(self.options, itertools.accumulate(self.probabilities), strict=True):
            if u < reached:
                return option
        return self.options[-1]

    def grid(self, points: int | None = None) -> list[Any]:
        return list(self.options)

    def takes(self, value: Any) -> bool:
        return value in self.options

    def ends(self) -> list[Any]:
        return list(self.options)

    def __str__(self) -> str:
        weights = f", probabilities={written(self.probabilities)}" if self.probabilities is not None else ""
        return f"choice({written(self.options)}{weights})"


def written(value: Any) -> str:
    """A value as it stands in brackets: words bare where nothing else is read from them, tuples as lists."""
    if isinstance(value, Distribution):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if is_number(value):
        return repr(value)
    text = str(value)
    other = text.lower() in (*WORDS, "inf", "nan")
    bare = re.fullmatch(r"[A-Za-z_][\w./:-]*|\.{0,2}/[\w./:-]*", text)
    return text if bare and not other else repr(text)


WORDS = {"null": None, "none": None, "true": True, "false": False}
"""Words that aren't texts."""


def plain(value: Any) -> Any:
    """A value as a configuration holds it where no field is known: lists are tuples, NumPy's numbers Python's."""
    return canonical("", value)


def is_number(value: Any) -> bool:
    """Whether it is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _listed(name: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserError(f"{name} are {short(values)}, and must be a list")
    return tuple(plain(value) for value in values)


def _check_probabilities(of: choice, probabilities: Sequence[Any]) -> None:
    if len(probabilities) != len(of.options):
        raise UserError(f"a choice of {len(of.options)} values has probabilities for {len(probabilities)}")
    for probability in probabilities:
        if not is_number(probability) or not 0 < probability <= 1:
            raise UserError(
                f"a choice has the probability {short(probability)}, and must have numbers above 0 that sum to 1"
            )
    if not math.isclose(math.fsum(probabilities), 1, abs_tol=1e-6):
        raise UserError(f"the probabilities of a choice sum to {math.fsum(probabilities):g}, and must sum to 1")
