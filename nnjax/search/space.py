"""The space of a search: a distribution for each field that it sets, and the conditions under which it does."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnjax.config import SEED_FIELDS, Config, check_field, field_names, replace
from nnjax.fields import canonical
from nnjax.search.distributions import Distribution, Leaf, choice, constant, written
from nnjax.search.joint import tuple_of, when
from nnjax.search.notation import read
from nnjax.spelling import nearest
from nnjax.validation import UserError, short

NOT_SEARCHED = {
    **dict.fromkeys(("seed", "seeds"), "every setting runs with each of them: give them as seeds=…"),
    **dict.fromkeys(SEED_FIELDS, "settings are compared over the same seeds, and a lucky one is no setting"),
    **dict.fromkeys(
        ("data", *(name for name in field_names() if name.startswith("data."))),
        "settings are compared on the same examples: say which in the configuration",
    ),
    "metrics": "they are recorded of all settings: list them in the configuration",
    "monitor": "settings are compared by it: say it in the configuration",
}
"""Fields that no search may set, and why."""


@dataclass(frozen=True)
class Condition:
    """Another field of the space that must have one of some values."""

    field: str
    values: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.field} is {' or '.join(map(written, self.values))}"


@dataclass(frozen=True)
class Parameter:
    """One field of the configuration, or several that are zipped, how they are distributed, and where they are
    set."""

    fields: tuple[str, ...]
    distribution: Distribution
    conditions: tuple[Condition, ...] = ()

    @property
    def name(self) -> str:
        """The names of its fields, as a space has them."""
        return ",".join(self.fields)

    def __str__(self) -> str:
        held = f" where {' and '.join(map(str, self.conditions))}" if self.conditions else ""
        return f"{self.name}: {self.distribution}{held}"

    def values(self, drawn: Any) -> dict[str, Any]:
        """The fields with what was drawn for them, as a configuration holds it."""
        several = (drawn,) if len(self.fields) == 1 else drawn
        return {field: canonical(field, value) for field, value in zip(self.fields, several, strict=True)}

    def of_field(self, field: str) -> Distribution:
        """How one of its fields is distributed on its own."""
        if len(self.fields) == 1:
            return self.distribution
        at = self.fields.index(field)
        if isinstance(self.distribution, tuple_of):
            return self.distribution.items[at]
        return choice(tuple(dict.fromkeys(values[at] for values in self.distribution.grid())))

    def active(self, values: Mapping[str, Any]) -> bool:
        """Whether it is set where other fields have these values."""
        return all(
            condition.field in values and values[condition.field] in condition.values
            for condition in self.conditions
        )


@dataclass(frozen=True)
class Space:
    """What `parse_space` has read."""

    parameters: tuple[Parameter, ...]
    order: tuple[int, ...]
    """The parameters by their indices such that each comes after those that it hangs on."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.parameters))

    @property
    def dims(self) -> int:
        """How many coordinates of the unit cube a setting takes, inactive parameters included."""
        return sum(parameter.distribution.dims for parameter in self.parameters)

    def draw(self, ask: "Callable[[int, int, Leaf], Any]") -> dict[str, Any]:
        """A setting: the fields that are active with their values, in the order of the space.

        Args:
            ask: what a sampler takes for a dimension: the parameter's index, the number of its dimension, how it
                is distributed. It is asked only for what is needed, a condition before what hangs on it.
        """
        return self.drawn(
            lambda index: self.parameters[index].distribution.draw(lambda dim, leaf: ask(index, dim, leaf))
        )

    def values(self, u: Sequence[float]) -> dict[str, Any]:
        """The setting at a point of the unit cube, whose coordinates belong to the parameters in their order."""
        first = [0]
        for parameter in self.parameters:
            first.append(first[-1] + parameter.distribution.dims)
        return self.draw(lambda index, dim, leaf: leaf.ppf(float(u[first[index] + dim])))

    def grid(self, points: "Callable[[str], int | None]" = lambda name: None) -> Iterator[dict[str, Any]]:
        """All settings, the last parameter running fastest; a condition comes before what hangs on it.

        Args:
            points: how many values a continuous distribution has there, by the name of the parameter.
        """
        lists = [parameter.distribution.grid(points(parameter.name)) for parameter in self.parameters]

        def rest(at: int, chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
            if at == len(self.order):
                yield self._sorted(chosen)
                return
            parameter = self.parameters[self.order[at]]
            if not parameter.active(chosen):
                yield from rest(at + 1, chosen)
                return
            for value in lists[self.order[at]]:
                yield from rest(at + 1, chosen | parameter.values(value))

        return rest(0, {})

    def config(self, config: Config, values: Mapping[str, Any]) -> Config:
        """The configuration of a setting; what isn't active is as it was."""
        return replace(config, values)

    def described(self) -> dict[str, Any]:
        """The space as `parse_space` takes it, in texts and plain values."""
        found: dict[str, list[Any]] = {}
        for parameter in self.parameters:
            spec: Any = parameter.distribution
            for condition in reversed(parameter.conditions):
                spec = when(condition.field, list(condition.values), spec)
            found.setdefault(parameter.name, []).append(spec.only if isinstance(spec, constant) else str(spec))
        return {name: specs[0] if len(specs) == 1 else specs for name, specs in found.items()}

    def drawn(self, draw: Callable[[int], Any]) -> dict[str, Any]:
        """A setting of what is drawn for each parameter, by its index, that is active."""
        values: dict[str, Any] = {}
        for index in self.order:
            if self.parameters[index].active(values):
                values |= self.parameters[index].values(draw(index))
        return self._sorted(values)

    def _sorted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        names = dict.fromkeys(field for parameter in self.parameters for field in parameter.fields)
        return {name: values[name] for name in names if name in values}


def parse_space(space: "Mapping[Any, Any] | Space") -> Space:
    """The space of a mapping from fields to what `nnjax.search.notation.read` reads.

    A name that joins several fields, ``"learning_rate,momentum"``, zips them: what is drawn is a tuple of their
    values. A list of conditions gives a field one distribution here and another there.
    `nnjax.search.ends.check_space` holds a space against a configuration.

    Raises:
        UserError: for an unknown field or one that no search may set, a distribution that can't be read or can't
            be, a condition on what isn't in the space or on a value that it doesn't take, and circular ones.
    """
    if isinstance(space, Space):
        return space
    if not isinstance(space, Mapping) or not space:
        raise UserError(
            f"the space is {short(space)}, and must be a mapping of fields to distributions, such as "
            "learning_rate: log_uniform(0.001, 1)"
        )
    parameters: list[Parameter] = []
    for name, value in space.items():
        fields = _fields(name)
        try:
            found = read(value, ",".join(fields))
            parameters += [_parameter(fields, one) for one in (found if isinstance(found, list) else [found])]
        except UserError as error:
            raise UserError(f"the space of {','.join(fields)}: {error}") from None
    for parameter in parameters:
        for condition in parameter.conditions:
            _check_condition(parameter, condition, parameters)
    for first, second in itertools.combinations(parameters, 2):
        shared = set(first.fields) & set(second.fields)
        if shared and not _exclusive(first, second):
            raise UserError(
                f"{min(shared)} is twice in the space, and may be where each hangs by when(…) on other values"
            )
    return Space(tuple(parameters), _order(parameters))


def _fields(name: Any) -> tuple[str, ...]:
    fields = tuple(field.strip() for field in (name.split(",") if isinstance(name, str) else map(str, name)))
    for field in fields:
        if field in NOT_SEARCHED:
            raise UserError(f"{field} can't be in the space: {NOT_SEARCHED[field]}")
        check_field(field)
    if len(set(fields)) != len(fields):
        raise UserError(f"{','.join(fields)} in the space names a field twice")
    return fields


def _parameter(fields: tuple[str, ...], found: Distribution | when) -> Parameter:
    conditions = []
    while isinstance(found, when):
        field = found.field
        conditions.append(Condition(field, tuple(canonical(field, value) for value in found.values)))
        found = found.then
    if isinstance(found, choice):
        found = choice(tuple(_canonical(fields, option) for option in found.options), found.probabilities)
    elif isinstance(found, constant):
        found = constant(_canonical(fields, found.only))
    elif len(fields) > 1 and not (isinstance(found, tuple_of) and len(found.items) == len(fields)):
        raise UserError(f"{found} doesn't give {len(fields)} values, as a choice of tuples does")
    return Parameter(fields, found, tuple(conditions))


def _canonical(fields: tuple[str, ...], value: Any) -> Any:
    if len(fields) == 1:
        value = canonical(fields[0], value)
    elif isinstance(value, tuple) and len(value) == len(fields):
        value = tuple(canonical(field, one) for field, one in zip(fields, value, strict=True))
    else:
        raise UserError(f"it holds {written(value)}, and zips {len(fields)} values")
    try:
        hash(value)
    except TypeError:
        raise UserError(f"it holds {short(value)}, which is a value of no field") from None
    return value


def _check_condition(parameter: Parameter, condition: Condition, parameters: Sequence[Parameter]) -> None:
    above = [other for other in parameters if condition.field in other.fields]
    if not above:
        known = [field for other in parameters for field in other.fields if other is not parameter]
        raise UserError(
            f"{parameter.name} hangs on {condition.field}, which is not in the space"
            f"{nearest(condition.field, known)}"
        )
    for value in condition.values:
        if not any(other.of_field(condition.field).takes(value) for other in above):
            raise UserError(
                f"{parameter.name} hangs on {condition.field} being {written(value)}, which is never drawn from "
                f"{' or '.join(str(other.distribution) for other in above)}"
            )


def _exclusive(one: Parameter, other: Parameter) -> bool:
    return any(
        a.field == b.field and not set(a.values) & set(b.values) for a in one.conditions for b in other.conditions
    )


def _order(parameters: Sequence[Parameter]) -> tuple[int, ...]:
    """Each after all that it hangs on, else as they are given."""
    order: list[int] = []
    waiting = list(range(len(parameters)))
    while waiting:
        open_ = {field for index in waiting for field in parameters[index].fields}
        free = [i for i in waiting if not open_ & {condition.field for condition in parameters[i].conditions}]
        if not free:
            names = ", ".join(dict.fromkeys(parameters[index].name for index in waiting))
            raise UserError(f"the conditions of {names} go round in a circle: one of them must hang on no other")
        order.append(free[0])
        waiting.remove(free[0])
    return tuple(order)
