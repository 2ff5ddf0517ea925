"""The settings of a result as configurations that train again."""

import functools
import json
from collections.abc import Mapping
from typing import Any, NoReturn

import xarray as xr
import yaml

from nnjax import parts
from nnjax.axes import Axis, expand, parse_axes
from nnjax.config import Config, flat, of_task, replace
from nnjax.parts import Part
from nnjax.results.runs import labels_of, task_in
from nnjax.results.settings import rank
from nnjax.validation import UserError


def settings(results: xr.Dataset) -> list[Config]:
    """The configurations of a result in the order of the sweep, the last axis fastest.

    A part of the user's own that isn't to be found here, or has changed since, is a part that can't be called.

    Raises:
        UserError: where the result doesn't say how it came about.
    """
    config, axes = recorded(results)
    return expand(config, axes)


def setting(results: xr.Dataset, index: int) -> Config:
    """The configuration of one setting, by its index in the order of the sweep."""
    config, axes = recorded(results)
    changes: dict[str, Any] = {}
    for axis in reversed(axes):
        index, place = divmod(index, len(axis.changes))
        changes |= axis.changes[place]
    return replace(config, changes)


def setting_at(results: xr.Dataset, run: Mapping[str, int]) -> Config:
    """The configuration of the setting of a run, by the labels of its place: results may be a part of a sweep's.

    Args:
        results: a labelled result.
        run: the index of the run along dimensions of the result.
    """
    config, axes = recorded(results)
    base = flat(config)
    here = results.isel({dim: at for dim, at in run.items() if dim in results.dims})
    changes: dict[str, Any] = {}
    for axis in axes:
        fields = [field for field in axis.fields if field in here.coords]
        columns = {
            field: labels_of([change.get(field, base.get(field)) for change in axis.changes]) for field in fields
        }
        labels = {field: here[field].item() for field in fields}
        places = range(len(axis.changes))
        changes |= axis.changes[next(i for i in places if all(columns[f][i] == labels[f] for f in fields))]
    return replace(config, changes)


def best(results: xr.Dataset) -> Config:
    """The configuration of the best setting (`nnjax.stats.rank`), which `nnjax.sweep` trains again."""
    runs = rank(results)[0].runs
    return setting_at(runs.assign_attrs(results.attrs), {})


def recorded(results: xr.Dataset) -> tuple[Config, tuple[Axis, ...]]:
    """The configuration that a sweep varied, and its axes.

    Raises:
        UserError: where the result doesn't hold them.
    """
    try:
        words = yaml.safe_load(str(results.attrs["config"]))
        sources = json.loads(str(results.attrs.get("parts", "{}")))
        data = words.pop("data", {})
        axes = words.pop("axes", None)
    except (KeyError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise UserError("these results don't hold the configuration that they come from") from error
    own = functools.partial(_with_parts, sources)
    of_data = {} if "given in Python" in str(data.get("name")) else {f"data.{name}": data[name] for name in data}
    # What is said in no file from before there was a field is left to the task, as it was.
    config = of_task(replace(Config(), own(of_data | words)), task_in(results).name)
    return config, recorded_axes(axes, sources)


def recorded_axes(axes: Any, sources: Mapping[str, Mapping[str, str]]) -> tuple[Axis, ...]:
    """Axes as a result's configuration says them, with the parts of the user's own by their recorded sources."""
    if not axes:
        return ()
    if isinstance(axes, list):
        return parse_axes([_with_parts(sources, change) for change in axes])
    return parse_axes({name: [_along(sources, name, value) for value in axes[name]] for name in axes})


def _along(sources: Mapping[str, Mapping[str, str]], name: str, value: Any) -> Any:
    fields = name.split(",")
    if len(fields) == 1:
        return _with_parts(sources, {name: value})[name]
    return list(_with_parts(sources, dict(zip(fields, value, strict=True))).values())


def _with_parts(sources: Mapping[str, Mapping[str, str]], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with parts in the place of the names of parts."""
    found = {}
    for field, value in values.items():
        of_field = sources.get(field, {})
        if isinstance(value, list):
            value = [_part(one, of_field[one]) if one in of_field else one for one in value] if of_field else value
        elif isinstance(value, str) and value in of_field:
            value = _part(value, of_field[value])
        found[field] = value
    return found


def _part(name: str, source: str) -> Part:
    try:
        part = parts.resolve("activation", parts.load(name))
    except UserError:
        return Part(name, _lost, source, "isn't to be found here, and these results were made with it")
    assert isinstance(part, Part)
    changed = "" if part.source == source else "has changed since these results were made"
    return Part(name, _lost if changed else part.function, source, changed)


def _lost(*_: Any, **__: Any) -> NoReturn:
    raise UserError("a part of these results isn't to be found here")
