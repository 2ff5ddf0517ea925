"""The smallest place at which a formula is wrong: small sizes first, then whole numbers, as many zeros as go."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from nnjax.gradcheck.arguments import Argument, Arguments, resize, sizes_of
from nnjax.gradcheck.autodiff import Array
from nnjax.gradcheck.cases import Case, numbers, shape_words, worst_index
from nnjax.gradcheck.points import Point, Values, points, random_values

SIZES = 10  # how many combinations of small sizes are tried
SPECIAL = ("kink", "unstable", "hard")


class Comparison(Protocol):
    """What can be compared at any point; `nnjax.gradcheck.check.Check` can."""

    arguments: Arguments
    wrt: tuple[str, ...]

    def case(self, point: Point, sizes: Mapping[int, int]) -> list[Case] | None: ...


class Counterexample(NamedTuple):
    """The formula is wrong here."""

    values: Values
    case: Case

    def __str__(self) -> str:
        case = self.case
        at = ", ".join(f"{name} = {numbers(value)}" for name, value in self.values.items())
        if case.vector is not None:
            at += f", and the vector {numbers(case.vector)}"
        lines = [f"smallest counterexample  {at or 'any'}", f"  by hand   {numbers(case.got)}"]
        lines.append(f"  autodiff  {numbers(case.want)}")
        if case.got.shape != case.want.shape:
            lines.append(f"  shapes    {shape_words(case.got.shape)} and {shape_words(case.want.shape)}")
        elif case.got.ndim and case.got.size > 1:
            lines.append(f"  at        [{','.join(map(str, worst_index(case)))}]")
        return "\n".join(lines)


def smallest(check: Comparison, wrong: Sequence[Case], kind: str) -> Counterexample:
    """The smallest counterexample that is found from the points that are wrong already."""
    first = wrong[0]
    for sizes in _small_sizes(check.arguments):
        try:
            for point in _candidates(check, resize(check.arguments, sizes), kind):
                case = _wrong_at(check, point, sizes, first.name)
                if case is not None:
                    return _simplify(check, case, kind)
        except ValueError:  # the functions don't take these sizes
            continue
    return _simplify(check, min(wrong, key=lambda case: sum(case.sizes.values())), kind)


def _small_sizes(arguments: Arguments) -> Iterator[dict[int, int]]:
    given = sizes_of(arguments)
    combinations = sorted(itertools.product((1, 2, 3), repeat=len(given)), key=sum) if len(given) < 6 else []
    for combination in combinations[:SIZES]:
        yield dict(zip(given, combination, strict=True))


def _candidates(check: Comparison, arguments: Arguments, kind: str) -> Iterator[Point]:
    rng = np.random.default_rng(0)
    if kind in SPECIAL:
        yield from (point for point in points(rng, arguments, check.wrt, 0))
        return
    for draw in (_ones, _whole_numbers, _whole_numbers):
        values = random_values(rng, arguments)
        for name, argument in arguments.items():
            if argument.kind in ("real", "positive"):
                values[name] = draw(rng, argument)
            elif argument.kind == "probability":
                values[name] = np.full(argument.sizes, 0.5)
            elif argument.kind == "distribution":
                *rows, count = argument.sizes
                values[name] = np.eye(count)[rng.integers(count, size=rows)]
        yield Point("whole numbers", values)


def _ones(rng: np.random.Generator, argument: Argument) -> Array:
    return np.ones(argument.sizes)


def _whole_numbers(rng: np.random.Generator, argument: Argument) -> Array:
    drawn = rng.integers(1, 4, size=argument.sizes).astype(float)
    return drawn if argument.kind == "positive" else drawn * rng.choice([-1.0, 1.0], size=argument.sizes)


def _wrong_at(check: Comparison, point: Point, sizes: Mapping[int, int], name: str) -> Case | None:
    found = check.case(point, sizes)
    wrong = [case for case in found or [] if case.wrong]
    return next((case for case in wrong if case.name == name), wrong[0] if wrong else None)


def _simplify(check: Comparison, case: Case, kind: str) -> Counterexample:
    """Replace each number by the simplest with which the formula is still wrong."""
    values = {name: np.array(value) for name, value in case.point.values.items()}
    simple = (0.0, 1.0, -1.0, 2.0, 10.0, 100.0, 1000.0) if kind == "unstable" else (0.0, 1.0, -1.0, 2.0)
    for name, value in values.items():
        argument = check.arguments[name]
        if argument.kind not in ("real", "positive") or value.size > 30:
            continue
        for index in np.ndindex(value.shape):
            for number in simple:
                if number == value[index]:
                    break
                if argument.kind == "positive" and number <= 0:
                    continue
                kept = value[index]
                value[index] = number
                point = case.point._replace(values={n: v.copy() for n, v in values.items()})
                try:
                    found = _wrong_at(check, point, case.sizes, case.name)
                except ValueError:
                    found = None
                if found is not None:
                    case = found
                    break
                value[index] = kept
    return Counterexample(case.point.values, case)
