"""How results came about: the configuration as a file that makes them again, data, versions, commit."""

import datetime
import hashlib
import importlib.metadata
import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml

from nnjax.axes import Axis, describe_axes
from nnjax.config import Config, flat
from nnjax.data import Dataset
from nnjax.parts import TABLES, Part, name_of
from nnjax.tasks import CLASSIFICATION


def provenance(
    config: Config, axes: Sequence[Axis], data: Sequence[Dataset], device: str, wall_time: float
) -> dict[str, Any]:
    """The attributes of results: the configuration that makes them again, what it was trained on, with what."""
    packages = ("nnjax", "jax", "jaxlib", "flax", "optax", "numpy", "xarray")
    data = list({id(dataset): dataset for dataset in data}.values())
    said = {
        "config": _configuration(config, data, axes),
        "parts": json.dumps(_own_parts(config, axes)),
        "data": "; ".join(dict.fromkeys(map(str, data))),
        "datasets": json.dumps([_described(dataset) for dataset in data]),
        "versions": json.dumps({name: _version(name) for name in packages}),
        "device": device,
        "git_revision": _git_revision(),
        "wall_time": round(wall_time, 3),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    chance = _chance(data[0])
    if len(data) == 1 and chance is not None:
        said["chance"] = chance
    return said


def _chance(data: Dataset) -> float | None:
    """What the measure of a task is of a network that has learned nothing; None of several labels."""
    if data.task == "regression":
        return 0.0
    return float(np.bincount(data.test.y).max() / len(data.test.y)) if data.task == CLASSIFICATION else None


def _described(data: Dataset) -> dict[str, Any]:
    """What a network must know of the data that it was trained on."""
    standard = {name: part.tolist() for name, part in data.standard._asdict().items()} if data.standard else None
    return {
        "name": data.name,
        "task": data.task,
        "standard": standard,
        "units": list(data.units),
        "classes": int(data.classes),
        "inputs": data.inputs,
        "scale": float(data.scale),
        "class_names": list(data.class_names),
        "preprocessing": preprocessing_of(data)[0],
        "config": None if data.config is None else plain(vars(data.config)),
    }


def preprocessing_of(data: Dataset) -> tuple[str, str]:
    """What made the inputs of a table, as JSON, behind its sha256, by which data sets name it; empty for
    others."""
    if data.preprocessing is None:
        return "", ""
    text = json.dumps(data.preprocessing.described())
    return hashlib.sha256(text.encode()).hexdigest()[:16], text


def _own_parts(config: Config, axes: Sequence[Axis]) -> dict[str, dict[str, str]]:
    """The parts of the user's own by field and name, each with the hash of its source."""
    found: dict[str, dict[str, str]] = {}
    values = [
        *flat(config).items(),
        *(item for axis in axes for change in axis.changes for item in change.items()),
    ]
    for field, value in values:
        for part in value if isinstance(value, tuple) else (value,):
            if field in TABLES and isinstance(part, Part):
                found.setdefault(field, {})[part.name] = part.source
    return found


def _configuration(config: Config, data: Sequence[Dataset], axes: Sequence[Axis]) -> str:
    """The sweep as a YAML file that ``nnjax sweep --config`` takes: every field, and the axes.

    A data set of one's own can't be named in a file: that file is refused, rather than train on other data.
    """
    words: dict[str, Any] = {"data": {}}
    for name, value in flat(config).items():
        group, _, inner = name.partition(".")
        if group == "data":
            words["data"][inner] = value
        else:
            words[name] = value
    own = [dataset.name for dataset in data if dataset.config is None]
    if own:
        words["data"] = {"name": f"{own[0]}, given in Python"}
    if axes:
        words["axes"] = describe_axes(axes)
    return yaml_text(words)


def yaml_text(words: Mapping[str, Any]) -> str:
    """A configuration as YAML, with parts by their names."""
    return str(yaml.dump(plain(words), Dumper=_Dumper, sort_keys=False, allow_unicode=True))


class _Dumper(yaml.SafeDumper):
    """PyYAML's, but that texts which YAML 1.2 would read as numbers are quoted: a folder may be called 08."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    quoted = text[:1] in "+-.0123456789" or text == "None"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if quoted else None)


_Dumper.add_representer(str, _text)


def plain(value: Any) -> Any:
    """The value in the words of YAML and JSON: lists for tuples, Python numbers for NumPy's, names for parts."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(item) for item in value]
    if isinstance(value, Part):
        return value.name
    if value is None or isinstance(value, str | int | float):
        return value
    if hasattr(value, "tolist") and not isinstance(value, type):
        return value.tolist()
    return name_of(value) if callable(value) else str(value)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _git_revision() -> str:
    """The commit of the working folder, with a + where files have changed since; empty outside of git."""
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return commit.stdout.strip()
