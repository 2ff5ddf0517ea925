"""From the columns of a table to the inputs of a network, by statistics of the rows that train.

scikit-learn's transformers find the statistics (`fit`). They are then held as plain numbers and texts, which JSON
takes, and applied with NumPy and pandas alone (`Preprocessing.inputs_of`), in training and at prediction alike.

- a number: the value, or where it is missing the median, scaled; beside it 1 where it was missing, if any was
- true or false: 1 or 0, or where it is missing the commoner one; likewise
- a category: for each that is known a place that holds 1 where it is that, and a last one for a missing value and
  any that isn't known
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.data.columns import Column, check_there, listed, numbers_of, truths_of, words_of
from nnjax.data.target_column import Label, OfLabels
from nnjax.saved.columns import normal
from nnjax.validation import UserError

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 200
"""Categories of a column that have a place of their own, the commonest; the others share that of the unknown."""
MOST_QUANTILES = 1000


@dataclass(frozen=True)
class Preprocessing(OfLabels):
    """What makes inputs of a table's columns, and labels of its target."""

    columns: tuple[Mapping[str, Any], ...]
    """Of each column its name, kind and numbers, as `fit` found them."""
    left_out: Mapping[str, str]
    """The columns that are no inputs, and why."""
    missing: str
    """impute or refuse."""
    target: str
    labels: tuple[Label, ...]
    """What the target's column calls each class."""

    @functools.cached_property
    def inputs(self) -> tuple[str, ...]:
        """What each input is, ``[D]``."""
        return tuple(name for column in self.columns for name in _input_names(column))

    def inputs_of(self, frame: "pd.DataFrame", what: str = "the frame") -> np.ndarray:
        """The inputs [N, D] float32 in the columns of a table; it may have others too.

        Raises:
            UserError: for a column that isn't there, a value that it can't have, or a missing one where these are
                refused.
        """
        check_there((str(column["name"]) for column in self.columns), frame, what)
        blocks = [_block(column, frame[column["name"]], self.missing) for column in self.columns]
        return np.concatenate(blocks, axis=1).astype(np.float32)

    def described(self) -> dict[str, Any]:
        """All of it in numbers, texts, lists and mappings, which `read` reads back equal."""
        return {
            "columns": [dict(column) for column in self.columns],
            "left_out": dict(self.left_out),
            "missing": self.missing,
            "target": self.target,
            "labels": list(self.labels),
        }

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Preprocessing":
        """What `described` describes."""
        return cls(
            tuple(said["columns"]), said["left_out"], said["missing"], said["target"], tuple(said["labels"])
        )

    def __str__(self) -> str:
        columns = [Column(str(column["name"]), str(column["kind"])) for column in self.columns]
        return listed([*columns, *(Column(name, "left_out", why) for name, why in self.left_out.items())])


def fit(
    frame: "pd.DataFrame",
    columns: Sequence[Column],
    *,
    missing: str,
    scaling: str,
    target: str,
    labels: tuple[Label, ...],
) -> Preprocessing:
    """The preprocessing of a table, from the rows that train.

    Args:
        frame: these rows, and no others.
        columns: what the columns are.
        missing: impute or refuse.
        scaling: standard, quantile or none.
        target, labels: the column to be predicted, and its classes.

    Raises:
        UserError: for a value that a column can't have, a missing one where these are refused, and where no column
            is left.
    """
    fits: dict[str, Callable[[Any, str], dict[str, Any]]] = {
        "number": functools.partial(_fit_number, scaling=scaling),
        "boolean": _fit_truth,
        "category": _fit_words,
    }
    found = tuple(
        {"name": column.name, "kind": column.kind} | fits[column.kind](frame[column.name], missing)
        for column in columns
        if column.kind != "left_out"
    )
    left_out = {column.name: column.why for column in columns if column.kind == "left_out"}
    if not found:
        raise UserError(f"no column is left to predict {target!r} from: {listed(columns) or 'there is no other'}")
    return Preprocessing(found, left_out, missing, target, labels)


def _fit_number(column: "pd.Series", missing: str, scaling: str) -> dict[str, Any]:
    from sklearn.preprocessing import QuantileTransformer, StandardScaler

    values = numbers_of(column)[:, None]
    found = _fill(column, values, missing, "median")
    filled = np.where(np.isnan(values), found["fill"], values)
    if scaling == "standard":
        standard = StandardScaler().fit(filled)
        found |= {"mean": float(standard.mean_[0]), "scale": float(standard.scale_[0])}
        if not np.isfinite([found["mean"], found["scale"]]).all():
            raise UserError(
                f"the column {column.name} holds numbers too large to be scaled, up to {values.max():.3g}"
            )
    elif scaling == "quantile":
        quantile = QuantileTransformer(
            n_quantiles=min(MOST_QUANTILES, len(values)), output_distribution="normal", subsample=None
        ).fit(filled)
        found["quantiles"] = quantile.quantiles_[:, 0].tolist()
    return found


def _fit_truth(column: "pd.Series", missing: str) -> dict[str, Any]:
    return _fill(column, truths_of(column)[:, None], missing, "most_frequent")


def _fit_words(column: "pd.Series", missing: str) -> dict[str, Any]:
    from sklearn.preprocessing import OneHotEncoder

    words = words_of(column)
    _refuse_missing(column, np.array([word is None for word in words]), missing)
    there = np.array([[word] for word in words if word is not None], object)
    if not len(there):
        return {"categories": []}
    encoder = OneHotEncoder(max_categories=MOST_CATEGORIES + 1, handle_unknown="infrequent_if_exist").fit(there)
    rare = encoder.infrequent_categories_[0]
    known = encoder.categories_[0].tolist()
    return {"categories": [word for word in known if rare is None or word not in set(rare.tolist())]}


def _fill(column: "pd.Series", values: np.ndarray, missing: str, strategy: str) -> dict[str, Any]:
    """What stands in the place of a missing value, and whether an input says that it was missing."""
    from sklearn.impute import SimpleImputer

    lacking = np.isnan(values[:, 0])
    _refuse_missing(column, lacking, missing)
    if lacking.all():
        return {"fill": 0.0, "indicator": True}
    fill = SimpleImputer(strategy=strategy).fit(values).statistics_[0]
    return {"fill": float(fill), "indicator": bool(lacking.any())}


def _block(column: Mapping[str, Any], values: "pd.Series", missing: str) -> np.ndarray:
    """The inputs [N, …] that a column makes."""
    if column["kind"] == "category":
        import pandas as pd

        words = words_of(values)
        _refuse_missing(values, np.array([word is None for word in words], bool), missing)
        known = pd.Index(column["categories"], dtype=object)
        places = known.get_indexer(pd.Index(words, dtype=object))  # −1, the last, for what isn't known
        return np.eye(len(known) + 1)[places]
    plain = (numbers_of if column["kind"] == "number" else truths_of)(values)
    lacking = np.isnan(plain)
    _refuse_missing(values, lacking, missing)
    scaled = _scaled(column, np.where(lacking, column["fill"], plain))
    return np.stack([scaled, lacking] if column["indicator"] else [scaled], axis=1)


def _scaled(column: Mapping[str, Any], values: np.ndarray) -> np.ndarray:
    if "mean" in column:
        return (values - column["mean"]) / column["scale"]
    return normal(values, np.array(column["quantiles"])) if "quantiles" in column else values


def _input_names(column: Mapping[str, Any]) -> list[str]:
    name = str(column["name"])
    if column["kind"] == "category":
        return [*(f"{name}={word}" for word in column["categories"]), f"{name} unknown"]
    return [name, f"{name} missing"] if column["indicator"] else [name]


def _refuse_missing(column: "pd.Series", lacking: np.ndarray, missing: str) -> None:
    if missing == "refuse" and lacking.any():
        place = int(np.flatnonzero(lacking)[0])
        raise UserError(
            f"the column {column.name} has no value in row {column.index[place] + 1}, and data.missing is 'refuse'"
        )
