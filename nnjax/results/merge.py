"""Parts of a sweep, trained apart, as the one result that they would be together."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
import yaml

from nnjax.axes import Axis, describe_axes
from nnjax.results.pieces import JointAxis, Piece, check_alike, join_axis, read
from nnjax.results.provenance import yaml_text
from nnjax.results.runs import labels_of
from nnjax.validation import UserError

NAMED = 3
"""Runs that a sentence names at the most."""


def merge(parts: Iterable[xr.Dataset | str | os.PathLike[str]]) -> xr.Dataset:
    """Join parts of a sweep: results, or files of them, with the same axes and other values or seeds on them.

    Curves of fewer epochs and parameters of smaller networks are filled up with NaN, as in a sweep. The
    configuration of the result is that of the joint sweep; where parts were trained apart,
    ``attrs["merged_from"]`` has the provenance of each, as JSON.

    Args:
        parts: in the order in which new values of an axis are to stand.

    Raises:
        UserError: where parts have other axes, data or settings, disagree on a run that is in both, or leave runs
            of the joint sweep out.
    """
    if isinstance(parts, xr.Dataset | str | os.PathLike):
        raise UserError("one result was given, and merge takes a list of them: nnjax.merge([first, second])")
    found = [read(number, part) for number, part in enumerate(parts, 1)]
    if not found:
        raise UserError("there are no results to merge: give at least one")
    tables = {name: text for part in found for name, text in _tables(part.results).items()}
    found = _of_one_shape(found)
    for part in found[1:]:
        check_alike(found[0], part)
    axes = [join_axis(found, dim) for dim in found[0].dims]
    variables = _Variables(found, axes)
    for number, part in enumerate(found):
        variables.place(number, part)
    variables.check_whole()
    whole = xr.Dataset(variables.labelled(), _coordinates(found, axes), _attributes(found, axes))
    if tables:
        columns = {"preprocessing": ("table", np.array(list(tables.values()), object))}
        whole = whole.assign(columns).assign_coords(table=np.array(list(tables), object))
    return _numbered(whole)


def _tables(results: xr.Dataset) -> dict[str, str]:
    """What made the inputs of the tables that a part was trained on, by the name that its data sets have for
    it."""
    if "preprocessing" not in results:
        return {}
    return dict(zip(results["table"].values.tolist(), results["preprocessing"].values.tolist(), strict=True))


def _of_one_shape(parts: Sequence[Piece]) -> list[Piece]:
    """The parts with the layers and classes of all, and the program of each run in its place."""
    labels: dict[str, list[Any]] = {}
    for part in parts:
        for dim in ("layer", "class", "output"):
            if dim in part.results.coords:
                have = labels.setdefault(dim, [])
                have += [label for label in part.results[dim].values.tolist() if label not in have]
    found = []
    for part in parts:
        results = part.results.drop_vars(["preprocessing", "table"], errors="ignore")
        results = results.reindex({dim: labels[dim] for dim in labels if dim in part.results.coords})
        if "programs" in results:
            texts = np.array([*results["programs"].values, ""], object)  # −1 is the last
            results = results.drop_vars("programs").assign(
                program=(results["program"].dims, texts[results["program"]])
            )
        found.append(part._replace(results=results))
    return found


def _numbered(results: xr.Dataset) -> xr.Dataset:
    """Programs once each, and their numbers in the places of the runs."""
    if "program" not in results:
        return results
    texts = [text for text in dict.fromkeys(results["program"].values.ravel().tolist()) if text]
    numbers = {text: number for number, text in enumerate(texts)}
    which = np.vectorize(lambda text: numbers.get(text, -1), otypes=[np.int32])(results["program"].values)
    return results.assign(
        program=(results["program"].dims, which), programs=("program_number", np.array(texts, object))
    )


class _Variables:
    """The joint arrays, which take part after part."""

    def __init__(self, parts: Sequence[Piece], axes: Sequence[JointAxis]) -> None:
        self.parts, self.axes = parts, axes
        self.dims = [axis.dim for axis in axes]
        shape = tuple(len(axis.keys) for axis in axes)
        self.holder = np.full(shape, -1)  # the part that has the run
        sizes: dict[str, int] = {}
        for part in parts:
            for dim, size in part.results.sizes.items():
                sizes[str(dim)] = max(size, sizes.get(str(dim), 0))
        self.rest: dict[str, tuple[str, ...]] = {}  # each variable's dimensions beside the axes
        self.arrays: dict[str, np.ndarray] = {}
        for name in dict.fromkeys(str(name) for part in parts for name in part.results.data_vars):
            having = self._having(name)
            if not set(self.dims) <= set(having[0].dims):
                raise UserError(f"the variable {name!r} lacks an axis of the results, and can't be merged")
            self.rest[name] = tuple(str(dim) for dim in having[0].dims if dim not in self.dims)
            dtype = np.result_type(*(array.dtype for array in having))
            self.arrays[name] = _empty((*shape, *(sizes[dim] for dim in self.rest[name])), dtype)

    def _having(self, name: str) -> list[xr.DataArray]:
        return [part.results[name] for part in self.parts if name in part.results]

    def place(self, number: int, part: Piece) -> None:
        """Write a part into the arrays; where another has been, hold them against each other."""
        places = []
        for axis in self.axes:
            at = {key: place for place, key in enumerate(axis.keys)}
            places.append([at[key] for key in axis.keys_of(part)])
            if len(set(places[-1])) < len(places[-1]):
                raise UserError(f"{part.name} has a place of the axis {axis.dim} twice")
        cells = np.ix_(*places)
        taken = self.holder[cells] >= 0
        for name, array in self.arrays.items():
            block = _empty((*taken.shape, *array.shape[len(self.dims) :]), array.dtype)
            if name in part.results:
                values = part.results[name].transpose(*self.dims, *self.rest[name]).values
                block[tuple(map(slice, values.shape))] = values
            if taken.any():
                there = array[cells]
                same = (there == block) | ((there != there) & (block != block))  # NaN is equal to NaN here
                differs = np.argwhere(taken & ~same.reshape(*taken.shape, -1).all(-1))
                if len(differs):
                    run = [at[place] for at, place in zip(places, differs[0], strict=True)]
                    other = self.parts[self.holder[tuple(run)]].name
                    raise UserError(
                        f"the run at {self._say(run)} is in {other} and in {part.name}, which differ in {name}"
                    )
            array[cells] = block
        self.holder[cells] = number

    def check_whole(self) -> None:
        """Refuse a joint sweep of which runs are missing."""
        missing = np.argwhere(self.holder < 0)
        if len(missing):
            named = "; ".join(map(self._say, missing[:NAMED]))
            raise UserError(
                f"{len(missing)} of {self.holder.size} runs of the joint sweep are in no part: {named}"
                f"{'; …' if len(missing) > NAMED else ''}"
            )

    def labelled(self) -> dict[str, Any]:
        """The variables, with what all parts say of them."""
        return {
            name: ((*self.dims, *self.rest[name]), array, _common_attrs(self._having(name)))
            for name, array in self.arrays.items()
        }

    def _say(self, run: Sequence[int]) -> str:
        return ", ".join(axis.say(place) for axis, place in zip(self.axes, run, strict=True)) or "no axis"


def _empty(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """NaN, or where there is none, what NumPy takes for nothing."""
    return np.full(shape, np.nan, dtype) if dtype.kind in "fc" else np.zeros(shape, dtype)


def _coordinates(parts: Sequence[Piece], axes: Sequence[JointAxis]) -> dict[str, Any]:
    """Those of the first part, and with joint places those of the axes."""
    first = parts[0].results
    longest = max((part.results for part in parts), key=lambda results: results.sizes.get("epoch", 0))
    dims = {axis.dim for axis in axes}
    coords: dict[str, Any] = {
        str(name): (longest if name == "epoch" else first)[name].variable
        for name, coord in first.coords.items()
        if not dims & set(coord.dims)
    }
    for axis in axes:
        base = next((part.words for part in parts if part.words), {})
        for place, name in enumerate(axis.names):
            having = [part.results[name] for part in parts if name in part.results.coords]
            if axis.changes is not None:
                labels = labels_of([change.get(name, base.get(name)) for change in axis.changes])
            else:
                labels = np.array([key[place] for key in axis.keys])
            kinds = {array.dtype.kind for array in having}
            if labels.dtype.kind in "iuf" and kinds <= set("iuf"):
                labels = labels.astype(np.result_type(labels.dtype, *(array.dtype for array in having)))
            elif "O" in kinds:
                labels = labels.astype(object)
            coords[name] = (axis.dim, labels, _common_attrs(having))
        if axis.dim not in coords and axis.dim in first.coords:
            coords[axis.dim] = np.arange(len(axis.keys))
    return coords


def _attributes(parts: Sequence[Piece], axes: Sequence[JointAxis]) -> dict[str, Any]:
    """The provenance of the whole: what all parts say, or what they say one after another."""
    distinct: list[dict[str, Any]] = []
    for part in parts:
        if part.results.attrs not in distinct:
            distinct.append(part.results.attrs)
    attrs = dict(distinct[0])
    if "config" in attrs:
        attrs["config"] = _configuration(attrs["config"], axes)
    if len(distinct) == 1:  # cut out of one sweep
        return attrs
    for name in ("data", "device", "git_revision"):
        values = [item for each in distinct if each.get(name) for item in str(each[name]).split("; ")]
        if values:
            attrs[name] = "; ".join(dict.fromkeys(values))
    if all("wall_time" in each for each in distinct):
        attrs["wall_time"] = round(sum(float(each["wall_time"]) for each in distinct), 3)
    if all("created" in each for each in distinct):
        attrs["created"] = max(str(each["created"]) for each in distinct)
    attrs["merged_from"] = json.dumps([piece for each in distinct for piece in _pieces(each)])
    own: dict[str, dict[str, str]] = {}
    for each in distinct:
        for field, sources in json.loads(str(each.get("parts", "{}"))).items():
            own.setdefault(field, {}).update(sources)
    attrs["parts"] = json.dumps(own)
    if all("datasets" in each for each in distinct):
        described = [data for each in distinct for data in json.loads(str(each["datasets"]))]
        attrs["datasets"] = json.dumps([data for i, data in enumerate(described) if data not in described[:i]])
    return attrs


def _pieces(attrs: Mapping[str, Any]) -> list[Any]:
    """The provenance of a part, or of the parts that it was merged from."""
    if "merged_from" in attrs:
        return list(json.loads(attrs["merged_from"]))
    return [{name: value.tolist() if hasattr(value, "tolist") else value for name, value in attrs.items()}]


def _configuration(config: str, axes: Sequence[JointAxis]) -> str:
    """The first part's configuration, with the axes and seeds of all."""
    words = yaml.safe_load(config) or {}
    given = words.pop("axes", None)
    for axis in axes:
        if axis.dim == "seed":
            seeds = [key[0] for key in axis.keys]
            said = words.get("seeds")
            if (list(range(said)) if isinstance(said, int) else said) != seeds:
                words["seeds"] = len(seeds) if seeds == list(range(len(seeds))) else seeds
    known = [Axis(axis.dim, tuple(axis.changes)) for axis in axes if axis.dim != "seed" and axis.changes]
    if known or given:
        words["axes"] = describe_axes(known) if known else given
    return yaml_text(words)


def _common_attrs(arrays: Sequence[xr.DataArray]) -> dict[str, Any]:
    """What all say: losses of several kinds have no unit."""
    first, *others = (array.attrs for array in arrays)
    return {str(name): value for name, value in first.items() if all(o.get(name) == value for o in others)}
