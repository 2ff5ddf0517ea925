"""Parts of a sweep that are to be merged: what each is, where it may differ from the others, and its places."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import xarray as xr
import yaml

from nnjax.axes import Axis
from nnjax.config import Config, flat, flatten, of_task
from nnjax.results import files
from nnjax.results.configs import recorded_axes
from nnjax.results.provenance import plain
from nnjax.results.runs import labels_of, task_in
from nnjax.results.trees import PARAMS, STATE
from nnjax.validation import UserError

Key: TypeAlias = tuple[Any, ...]
"""What the coordinates along an axis say of one of its places."""


class Piece(NamedTuple):
    """A result, and what its configuration says."""

    name: str  # how a sentence calls it
    results: xr.Dataset
    words: dict[str, Any]  # the configuration, flat, without axes and seeds
    axes: dict[str, Axis]
    seeds: list[int]  # those of the sweep that it is from, in order

    @property
    def dims(self) -> list[str]:
        """The axes that its runs stand on."""
        return [str(dim) for dim in self.results["status"].dims]


class JointAxis(NamedTuple):
    """An axis of all parts together."""

    dim: str
    names: list[str]  # of the coordinates that say what a place is
    texts: set[str]  # those of them that are texts in a part
    keys: list[Key]  # of its places
    changes: list[dict[str, Any]] | None  # what each sets, where the configurations say it

    def key(self, words: Mapping[str, Any]) -> Key:
        """The key of what a setting says, by the names of its fields."""
        return tuple(self._label(name, labels_of([words.get(name)]).tolist()[0]) for name in self.names)

    def keys_of(self, part: Piece) -> list[Key]:
        """The keys of a part's places."""
        count = part.results.sizes[self.dim]
        columns = []
        for name in self.names:
            values: list[Any] = list(range(count))
            if name in part.results.coords:
                values = part.results[name].values.tolist()
            elif name in part.words:  # the settings of other parts alone set it
                values = labels_of([part.words[name]]).tolist() * count
            columns.append([self._label(name, value) for value in values])
        return list(zip(*columns, strict=True))

    def say(self, place: int) -> str:
        """A place by names and values."""
        return ", ".join(f"{name} {value}" for name, value in zip(self.names, self.keys[place], strict=True))

    def _label(self, name: str, value: Any) -> Any:
        return str(value) if name in self.texts else value


def read(number: int, given: Any) -> Piece:
    """A part that was given as a result or as the path of its file.

    Raises:
        UserError: where it is something else.
    """
    name = f"part {number}"
    if isinstance(given, str | os.PathLike):
        name, given = str(given), files.load(Path(given))
    if not isinstance(given, xr.Dataset):
        raise UserError(f"{name} is a {type(given).__name__}, and must be a result of nnjax or a file of one")
    if "status" not in given:
        raise UserError(f"{name} is not a result of nnjax: it has no variable 'status'")
    try:
        words = yaml.safe_load(str(given.attrs.get("config", "")))
    except yaml.YAMLError:
        raise UserError(f"{name} has a configuration that is no YAML") from None
    words = words if isinstance(words, dict) else {}
    sources = json.loads(str(given.attrs.get("parts", "{}")))
    axes = {axis.name: axis for axis in recorded_axes(words.pop("axes", None), sources)}
    seeds = words.pop("seeds", None) or []
    seeds = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    return Piece(name, given, flatten(words), axes, seeds)


def check_alike(first: Piece, part: Piece) -> None:
    """Refuse a part of another sweep than the first.

    Raises:
        UserError: naming what differs.
    """
    if set(part.dims) != set(first.dims):
        raise UserError(
            f"{part.name} has the axes {', '.join(part.dims) or 'none'}, and {first.name} has "
            f"{', '.join(first.dims) or 'none'}: parts of one sweep have the same"
        )
    varied = {name for dim in first.dims for each in (first, part) for name in along(each.results, dim)}
    unsaid = plain(
        flat(of_task(Config(), task_in(first.results).name))
    )  # as in files from before there was a field
    for name in dict.fromkeys([*first.words, *part.words]):
        mine, its = (each.words.get(name, unsaid.get(name)) for each in (first, part))
        if mine != its and name not in varied:
            raise UserError(
                f"{name} is {its!r} in {part.name} and {mine!r} in {first.name}, and is no axis of them"
            )
    mine, its = first.results.attrs.get("data"), part.results.attrs.get("data")
    if mine != its and not any(name.startswith("data.") for name in varied):
        raise UserError(f"{part.name} was trained on other data than {first.name}: on {its}, and not on {mine}")
    for one, other in ((first, part), (part, first)):
        for name in map(str, one.results.data_vars):
            if name not in other.results and not name.startswith((PARAMS, STATE)):
                what = {"param_shapes": "parameters", "state_shapes": "states"}.get(name, f"variable {name!r}")
                raise UserError(f"{other.name} has no {what}, and {one.name} has")


def join_axis(parts: Sequence[Piece], dim: str) -> JointAxis:
    """The places of all parts on an axis: in the order of the first part's sweep, new ones behind."""
    names = list(dict.fromkeys(name for part in parts for name in along(part.results, dim)))
    labels = [(name, part.results[name]) for part in parts for name in names if name in part.results.coords]
    axis = JointAxis(dim, names, {name for name, label in labels if label.dtype.kind not in "iufb"}, [], None)
    have = dict.fromkeys(key for part in parts for key in axis.keys_of(part))
    # A part that was cut out of a sweep knows the order in which that had its values.
    changes: dict[Key, dict[str, Any]] = {}
    for part in parts:
        for change in part.axes[dim].changes if dim in part.axes else ():
            changes.setdefault(axis.key(part.words | change), change)
    keys = [*(key for key in changes if key in have), *(key for key in have if key not in changes)]
    if dim == "seed":
        keys = _in_order([key[0] for key in have], parts)
    known = all(key in changes for key in keys)
    return axis._replace(keys=keys, changes=[changes[key] for key in keys] if known else None)


def _in_order(seeds: list[int], parts: Sequence[Piece]) -> list[Key]:
    """As in the sweep that all are from; else from the lowest, where each part has them so; else as they come."""
    of_all = next((part.seeds for part in parts if set(seeds) <= set(part.seeds)), None)
    if of_all is not None:
        seeds = [seed for seed in of_all if seed in seeds]
    elif all(np.all(np.diff(part.results["seed"]) > 0) for part in parts):
        seeds = sorted(seeds)
    return [(seed,) for seed in seeds]


def along(results: xr.Dataset, dim: str) -> list[str]:
    """The coordinates that say what a place on an axis is; the numbers of a zipped axis say nothing."""
    names = [str(name) for name, coord in results.coords.items() if coord.dims == (dim,)]
    return [name for name in names if name != dim] or [dim]
