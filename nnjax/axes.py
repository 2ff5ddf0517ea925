"""From the axes of a sweep to its settings: products, zipped fields, or a list of settings."""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from nnjax.config import SEED_FIELDS, Config, check_field, replace
from nnjax.fields import canonical
from nnjax.parts import Part
from nnjax.validation import UserError, short

Axes: TypeAlias = Mapping[Any, Iterable[Any]] | Sequence[Mapping[str, Any]]
"""``{"learning_rate": [1, 0.1], "hidden": [(32,), (128,)]}`` is a product. A name that joins several fields,
``{"learning_rate,momentum": [(0.1, 0.0), (0.01, 0.9)]}``, or a tuple of names, zips them. A list of dicts names
each setting."""

SETTING = "setting"
"""The axis of an explicit list of settings."""


@dataclass(frozen=True)
class Axis:
    """One dimension of a sweep: a name, and what each of its places changes in the configuration.

    Values stand as the configuration holds them, so that one value has one spelling.
    """

    name: str
    changes: tuple[dict[str, Any], ...]

    @property
    def fields(self) -> list[str]:
        """The fields of the configuration that the axis sets."""
        return list(dict.fromkeys(name for change in self.changes for name in change))


def parse_axes(axes: "Axes | Sequence[Axis] | None") -> tuple[Axis, ...]:
    """The axes in order; what is parsed already stays as it is.

    Raises:
        UserError: for an unknown field, one that is on two axes or can't be on any, an axis without values or
            with one of them twice, or zipped values of another number than their fields.
    """
    if not axes:
        return ()
    if isinstance(axes, tuple) and all(isinstance(axis, Axis) for axis in axes):
        return axes
    if isinstance(axes, Mapping):
        parsed = [_parse_axis(name, values) for name, values in axes.items()]
    elif isinstance(axes, list | tuple):
        parsed = [_parse_settings(axes)]
    else:
        raise UserError(f"axes is {short(axes)}, and must be a mapping of fields to values, or a list of settings")
    seen: set[str] = set()
    for axis in parsed:
        for field in axis.fields:
            _check_names(field, [change[field] for change in axis.changes if field in change])
            if field in seen:
                raise UserError(f"{field} is on two axes of the sweep, and may be on one")
            seen.add(field)
            if field in SEED_FIELDS and any(change.get(field, 0) is None for change in axis.changes):
                raise UserError(f"{field} is None on an axis of the sweep, and must be a whole number there")
    return tuple(parsed)


def describe_axes(axes: Sequence[Axis]) -> Axes:
    """The axes as `parse_axes` takes them."""
    if [axis.name for axis in axes] == [SETTING]:
        return list(axes[0].changes)
    return {
        axis.name: [
            tuple(change.values()) if len(axis.fields) > 1 else change[axis.name] for change in axis.changes
        ]
        for axis in axes
    }


def expand(config: Config, axes: Sequence[Axis]) -> list[Config]:
    """The configurations of all settings, the last axis running fastest.

    Raises:
        UserError: for a value that the field can't have, and for two settings that are the same.
    """
    _ = config.initialization  # read once, not for each setting
    found: list[Config] = []
    names = [item.name for item in dataclasses.fields(Config)]
    first: dict[Any, dict[str, Any]] = {}
    for combination in itertools.product(*(axis.changes for axis in axes)):
        changes = {name: value for change in combination for name, value in change.items()}
        setting = replace(config, changes)
        key = tuple(setting.initialization if name == "init" else getattr(setting, name) for name in names)
        if key in first:
            same = f"{_words(first[key])} and {_words(changes)}"
            raise UserError(f"{same} are one setting in two spellings: leave one of them out")
        first[key] = changes
        found.append(setting)
    return found


def _words(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in changes.items()) or "the setting without changes"


def _parse_settings(settings: Sequence[Mapping[str, Any]]) -> Axis:
    seen: set[Any] = set()
    changes = []
    for setting in settings:
        if not isinstance(setting, Mapping):
            raise UserError(
                f"the list of settings holds {short(setting)}, which must be a mapping of fields to values"
            )
        changes.append(_change(setting))
        key = frozenset(changes[-1].items())
        if key in seen:
            raise UserError(f"the list of settings holds {dict(setting)} twice")
        seen.add(key)
    return Axis(SETTING, tuple(changes))


def _parse_axis(name: str | tuple[str, ...], values: Iterable[Any]) -> Axis:
    name = name if isinstance(name, str) else ",".join(map(str, name))
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserError(f"the axis {name} is {short(values)}, and must be a list of values")
    values = list(values)
    if not values:
        raise UserError(f"the axis {name} is empty, and must list at least one value")
    fields = [field.strip() for field in name.split(",")]
    if len(set(fields)) != len(fields):
        raise UserError(f"the axis {name} names a field twice")
    seen: set[Any] = set()
    changes = []
    for value in values:
        if len(fields) == 1:
            change = _change({fields[0]: value})
        else:
            several = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []
            if len(several) != len(fields):
                raise UserError(
                    f"the axis {name} holds {short(value)}, and zips {len(fields)} values in each place"
                )
            change = _change(dict(zip(fields, several, strict=True)))
        key = tuple(change.values())
        if key in seen:
            raise UserError(f"the axis {name} holds {short(value)} twice")
        seen.add(key)
        changes.append(change)
    return Axis(",".join(fields), tuple(changes))


def _change(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with their values as a configuration holds them."""
    change = {}
    for name, value in values.items():
        if name in ("seed", "seeds"):
            raise UserError(
                "seeds are no axis, every setting runs with each of them: give them as seeds=…, "
                "or cross init_seed and data_seed"
            )
        check_field(name)
        change[name] = canonical(name, value)
        try:
            hash(change[name])
        except TypeError:
            raise UserError(f"{name} is {short(value)} on an axis, which is a value of no field") from None
    return change


def _check_names(field: str, values: Sequence[Any]) -> None:
    """Refuse two functions of one name, which results couldn't tell apart."""
    of_name: dict[str, Part] = {}
    for part in (part for value in values for part in (value if isinstance(value, tuple) else (value,))):
        if isinstance(part, Part) and of_name.setdefault(part.name, part) != part:
            raise UserError(f"two functions on the axis {field} are called {part.name}: give one another name")
