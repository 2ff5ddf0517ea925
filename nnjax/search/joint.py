"""Distributions that are made of others: side by side, in layers, in a text, and under a condition."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnjax.search.distributions import MOST_VALUES, Ask, Distribution, choice, constant, plain, written
from nnjax.validation import UserError, short


@dataclass(frozen=True, repr=False, init=False)
class tuple_of(Distribution):
    """Several values side by side, each with its own distribution: `tuple_of(integers(64, 256), 32)`."""

    items: tuple[Distribution, ...]

    def __init__(self, *items: Any) -> None:
        object.__setattr__(self, "items", tuple(map(distribution_of, items)))

    @property
    def dims(self) -> int:
        return sum(item.dims for item in self.items)

    def draw(self, ask: Ask) -> Any:
        values = []
        first = 0
        for item in self.items:
            values.append(item.draw(_from(first, ask)))
            first += item.dims
        return tuple(values)

    def grid(self, points: int | None = None) -> list[Any]:
        return _product([item.grid(points) for item in self.items], str(self))

    def takes(self, value: Any) -> bool:
        if not isinstance(value, tuple) or len(value) != len(self.items):
            return False
        return all(item.takes(one) for item, one in zip(self.items, value, strict=True))

    def __str__(self) -> str:
        return f"tuple_of({', '.join(map(written, self.items))})"


@dataclass(frozen=True, repr=False)
class layers(Distribution):
    """A number of layers, and a width for each of them on its own."""

    depth: Any
    width: Any

    def __post_init__(self) -> None:
        for name in ("depth", "width"):
            object.__setattr__(self, name, distribution_of(getattr(self, name)))
        for depth in self.depth.ends():
            if not isinstance(depth, int) or isinstance(depth, bool) or not 0 <= depth <= 1000:
                raise UserError(
                    f"the depth of {self} can be {depth}, and must be a whole number from 0 to 1000, such as "
                    "integers(1, 3)"
                )

    @property
    def dims(self) -> int:
        return int(self.depth.dims + max(self.depth.ends()) * self.width.dims)

    def draw(self, ask: Ask) -> Any:
        depth = self.depth.draw(ask)
        first = self.depth.dims
        return tuple(self.width.draw(_from(first + layer * self.width.dims, ask)) for layer in range(depth))

    def grid(self, points: int | None = None) -> list[Any]:
        widths = self.width.grid(points)
        return [value for depth in self.depth.grid(points) for value in _product([widths] * depth, str(self))]

    def takes(self, value: Any) -> bool:
        return isinstance(value, tuple) and self.depth.takes(len(value)) and all(map(self.width.takes, value))

    def __str__(self) -> str:
        return f"layers({self.depth}, {self.width})"


@dataclass(frozen=True, repr=False, init=False)
class text(Distribution):
    """A text in which values stand where ``{}`` is: ``text("normal({})", log_uniform(1e-3, 1))`` for an init."""

    template: str
    items: tuple_of

    def __init__(self, template: str, *items: Any) -> None:
        if not isinstance(template, str) or template.count("{}") != len(items):
            raise UserError(f"the text {short(template)} must have a {{}} for each of its {len(items)} values")
        object.__setattr__(self, "template", template)
        object.__setattr__(self, "items", tuple_of(*items))

    @property
    def dims(self) -> int:
        return self.items.dims

    def draw(self, ask: Ask) -> Any:
        return self._filled(self.items.draw(ask))

    def grid(self, points: int | None = None) -> list[Any]:
        return [self._filled(values) for values in self.items.grid(points)]

    def _filled(self, values: Sequence[Any]) -> str:
        first, *rest = self.template.split("{}")
        return first + "".join(f"{value}{after}" for value, after in zip(values, rest, strict=True))

    def __str__(self) -> str:
        return f"text({', '.join([repr(self.template), *map(written, self.items.items)])})"


@dataclass(frozen=True, repr=False)
class when:
    """A distribution that holds only where another field of the space has a value, or one of a list of values.

    Elsewhere the field is what the configuration says. `then` may be a `when` again; both must hold.
    """

    field: str
    values: Any
    then: Any

    def __post_init__(self) -> None:
        several = self.values if isinstance(self.values, list) else [self.values]
        if not several:
            raise UserError(f"a when on {self.field} lists no value, and must list at least one")
        object.__setattr__(self, "values", tuple(map(plain, several)))
        if not isinstance(self.then, when):
            object.__setattr__(self, "then", distribution_of(self.then))

    def __str__(self) -> str:
        one = len(self.values) == 1 and not isinstance(self.values[0], tuple)
        return f"when({self.field}, {written(self.values[0] if one else self.values)}, {self.then})"

    __repr__ = __str__


def distribution_of(value: Any) -> Distribution:
    """A distribution as it is, a list as a choice, a tuple that holds distributions side by side, else a constant.

    Raises:
        UserError: for a condition, which is no part of another distribution.
    """
    if isinstance(value, when):
        raise UserError(f"{value} stands in another distribution, and must be the whole of a field")
    if isinstance(value, Distribution):
        return value
    if isinstance(value, list):
        return choice(value)
    if isinstance(value, tuple) and any(isinstance(one, Distribution) for one in value):
        return tuple_of(*value)
    return constant(value)


def _from(first: int, ask: Ask) -> Ask:
    """``ask`` for a part whose dimensions begin at ``first``."""
    return lambda dim, leaf: ask(first + dim, leaf)


def _product(lists: Sequence[list[Any]], name: str) -> list[tuple[Any, ...]]:
    count = math.prod(map(len, lists))
    if count > MOST_VALUES:
        raise UserError(f"{name} has {count:,} values or more: give a grid a smaller number of points")
    return list(itertools.product(*lists))
