"""From the columns of a table to the inputs of a network, without pandas or scikit-learn."""

from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from nnjax.spelling import nearest
from nnjax.validation import UserError, short

TRUE = ("true", "yes", "t", "y", "1")
FALSE = ("false", "no", "f", "n", "0")
SMALLEST = 1e-7
"""The least quantile of a normal distribution that a number is scaled to, and 1 less the largest: 5.2
deviations."""


def inputs_of(said: Mapping[str, Any], table: Any) -> np.ndarray:
    """The inputs ``[N, D]`` in the columns of a table, as `nnjax.data.preprocess.Preprocessing` makes them.

    Args:
        said: what that describes: columns and missing.
        table: a mapping of names to lists or arrays, a structured array, a frame, or a list of rows that are
            mappings, as `csv.DictReader` gives them.

    Raises:
        UserError: for a column that isn't there, a value that it can't have, or a missing one where these are
            refused.
    """
    if isinstance(table, Sequence) and table and isinstance(table[0], Mapping):
        table = {name: [row.get(name) for row in table] for name in table[0]}
    names = getattr(getattr(table, "dtype", None), "names", None) or list(getattr(table, "columns", table))
    blocks = []
    for column in said["columns"]:
        name = column["name"]
        if name not in names:
            there = ", ".join(map(str, names[:10]))
            raise UserError(
                f"the table has no column {name!r}{nearest(name, map(str, names)) or f'; it has {there}'}"
            )
        values = table[name]
        values = values.tolist() if hasattr(values, "tolist") else list(values)
        blocks.append(_block(column, [None if _is_missing(value) else value for value in values], said["missing"]))
    return np.concatenate(blocks, axis=1).astype(np.float32)


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def _block(column: Mapping[str, Any], values: list[Any], missing: str) -> np.ndarray:
    """The inputs [N, …] that a column makes."""
    lacking = np.array([value is None for value in values], bool)
    if missing == "refuse" and lacking.any():
        row = int(np.flatnonzero(lacking)[0]) + 1
        raise UserError(f"the column {column['name']} has no value in row {row}, and these are refused")
    if column["kind"] == "category":
        known = {word: place for place, word in enumerate(column["categories"])}
        places = [known.get(word_of(value), -1) for value in values]  # the last for what isn't known
        return np.eye(len(known) + 1)[np.array(places, int)]
    read: Callable[[Any], float] = _number if column["kind"] == "number" else _truth
    what = "a finite number" if column["kind"] == "number" else "true or false"
    plain = np.full(len(values), float(column["fill"]))
    for row in np.flatnonzero(~lacking).tolist():
        try:
            plain[row] = read(values[row])
        except (TypeError, ValueError):
            raise UserError(
                f"the column {column['name']} holds {short(values[row])} in row {row + 1}, and must hold {what}"
            ) from None
    scaled = _scaled(column, plain)
    return np.stack([scaled, lacking] if column["indicator"] else [scaled], axis=1)


def _number(value: Any) -> float:
    number = float(value)
    if np.isinf(number):
        raise ValueError
    return number


def _truth(value: Any) -> float:
    word = word_of(value).lower()
    if word not in TRUE + FALSE:
        raise ValueError
    return float(word in TRUE)


def word_of(value: Any) -> str:
    """A value as a text: a whole number as 3 also where the column holds 3.0, as it does beside missing ones."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _scaled(column: Mapping[str, Any], values: np.ndarray) -> np.ndarray:
    if "mean" in column:
        return (values - column["mean"]) / column["scale"]
    return normal(values, np.array(column["quantiles"])) if "quantiles" in column else values


def normal(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Values as those of a normal distribution with the same shares below them, as scikit-learn has them, but that
    it takes what lies within 1e-7 of the smallest and the largest for these, whatever the column's unit.

    Where several quantiles are equal, the middle of the shares that they stand for is taken: interpolated from
    below and from above.
    """
    shares = np.linspace(0, 1, len(quantiles))
    below = np.interp(values, quantiles, shares)
    above = -np.interp(-values, -quantiles[::-1], -shares[::-1])
    share = np.where(values == quantiles[0], 0, np.where(values == quantiles[-1], 1, (below + above) / 2))
    bounded = np.clip(share, SMALLEST, 1 - SMALLEST)
    distinct, places = np.unique(bounded, return_inverse=True)
    return np.array([NormalDist().inv_cdf(float(one)) for one in distinct])[places]
