"""From the axes of a sweep to its settings: products, zipped fields, or a list of settings."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from nnjax.config import SEED_FIELDS, Config, field_names, nearest, replace
from nnjax.validation import UserError

Axes: TypeAlias = Mapping[Any, Iterable[Any]] | Sequence[Mapping[str, Any]]
"""``{"learning_rate": [1, 0.1], "hidden": [(32,), (128,)]}`` is a product. A name that joins several fields,
``{"learning_rate,momentum": [(0.1, 0.0), (0.01, 0.9)]}``, or a tuple of names, zips them. A list of dicts names
each setting."""

SETTING = "setting"
"""The axis of an explicit list of settings."""


@dataclass(frozen=True)
class Axis:
    """One dimension of a sweep: a name, and what each of its places changes in the configuration."""

    name: str
    changes: tuple[dict[str, Any], ...]

    @property
    def fields(self) -> list[str]:
        """The fields of the configuration that the axis sets."""
        return list(dict.fromkeys(name for change in self.changes for name in change))


def parse_axes(axes: Axes | None) -> list[Axis]:
    """The axes in order.

    Raises:
        UserError: for an unknown field, one that is on two axes or can't be on any, an axis without values or
            with one of them twice, or zipped values of another number than their fields.
    """
    if not axes:
        return []
    if isinstance(axes, Mapping):
        parsed = [_parse_axis(name, values) for name, values in axes.items()]
    elif isinstance(axes, list | tuple):
        parsed = [_parse_settings(axes)]
    else:
        raise UserError(f"axes is {axes!r}, and must be a mapping of fields to values, or a list of settings")
    seen: set[str] = set()
    for axis in parsed:
        for field in axis.fields:
            _check_field(field)
            if field in seen:
                raise UserError(f"{field} is on two axes of the sweep, and may be on one")
            seen.add(field)
            if field in SEED_FIELDS and any(change.get(field, 0) is None for change in axis.changes):
                raise UserError(f"{field} is None on an axis of the sweep, and must be a whole number there")
    return parsed


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
        UserError: for a value that the field can't have.
    """
    combinations = itertools.product(*(axis.changes for axis in axes))
    return [
        replace(config, {name: value for change in combination for name, value in change.items()})
        for combination in combinations
    ]


def _parse_settings(settings: Sequence[Mapping[str, Any]]) -> Axis:
    for place, setting in enumerate(settings):
        if not isinstance(setting, Mapping):
            raise UserError(f"the list of settings holds {setting!r}, which must be a mapping of fields to values")
        if setting in settings[:place]:
            raise UserError(f"the list of settings holds {dict(setting)} twice")
    return Axis(SETTING, tuple(dict(setting) for setting in settings))


def _parse_axis(name: str | tuple[str, ...], values: Iterable[Any]) -> Axis:
    name = name if isinstance(name, str) else ",".join(map(str, name))
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserError(f"the axis {name} is {values!r}, and must be a list of values")
    values = [value.tolist() if hasattr(value, "tolist") else value for value in values]
    if not values:
        raise UserError(f"the axis {name} is empty, and must list at least one value")
    fields = [field.strip() for field in name.split(",")]
    if len(set(fields)) != len(fields):
        raise UserError(f"the axis {name} names a field twice")
    if len(fields) == 1:
        changes = [{name: value} for value in values]
    else:
        for value in values:
            if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != len(fields):
                raise UserError(f"the axis {name} holds {value!r}, and zips {len(fields)} values in each place")
        changes = [dict(zip(fields, value, strict=True)) for value in values]
    for place, change in enumerate(changes):
        if change in changes[:place]:
            raise UserError(f"the axis {name} holds {values[place]!r} twice")
    return Axis(",".join(fields), tuple(changes))


def _check_field(name: str) -> None:
    if name in ("seed", "seeds"):
        raise UserError(
            "seeds are no axis, every setting runs with each of them: give them as seeds=…, "
            "or cross init_seed and data_seed"
        )
    if name not in field_names():
        raise UserError(f"{name!r} is not a field of the configuration{nearest(name, field_names())}")
