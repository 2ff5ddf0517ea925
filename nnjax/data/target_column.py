"""The column of a table that is to be predicted, as labels or a quantity."""

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from nnjax.data.arrays import is_missing, short
from nnjax.data.columns import FEW
from nnjax.saved.columns import word_of
from nnjax.spelling import nearest
from nnjax.validation import UserError

if TYPE_CHECKING:
    import pandas as pd

Label: TypeAlias = str | int | float | bool

MOST_SHARE = 0.5
"""Labels of which more than this share of the rows are different are no classes."""

FEW_SHARE = 0.1
"""Whole numbers of which more than this share of the rows are different are a quantity, where nothing is said."""


class Target(NamedTuple):
    """A target as a network is trained on it."""

    y: np.ndarray
    """[N]: int32, the number of each row's class, or float64, a quantity."""
    labels: tuple[Label, ...]
    """What each class is called in the column: sorted, or in the order of pandas' categories; () of a quantity."""

    @property
    def task(self) -> str:
        """What a network learns of it."""
        return "classification" if self.labels else "regression"

    @property
    def strata(self) -> np.ndarray:
        """What each part of a table has the same shares of, [N]: the classes; of a quantity there are none."""
        return self.y if self.labels else np.zeros(len(self.y), np.int32)

    @property
    def names(self) -> tuple[str, ...]:
        """The classes as texts."""
        return tuple(word_of(label) for label in self.labels)


def read_target(column: "pd.Series", task: str = "auto") -> Target:
    """The labels in the target's column, or the quantity.

    Args:
        column: the target.
        task: classification, regression, or auto: a quantity are numbers that aren't whole, or so many different
            ones that they are no classes.

    Raises:
        UserError: for a missing value, one class only, labels of two types, numbers or dates that are no classes,
            and what is no quantity.
    """
    import pandas as pd

    what = f"the target {column.name}"
    values = column.tolist()
    missing = [place for place, value in enumerate(values) if is_missing(value) or value != value]
    if len(missing) == len(values):
        raise UserError(f"{what} has no value in any row")
    if missing:
        raise UserError(
            f"{what} has no value in row {missing[0] + 1}, and in {len(missing)} of {len(values)} rows: a row "
            "without a label neither trains nor tests, so leave them out"
        )
    kinds = {_kind(value): value for value in values}
    if len(kinds) > 1:
        (one, a), (other, b), *_ = sorted(kinds.items())
        raise UserError(
            f"{what} has labels of two types, {one} such as {short(a)} and {other} such as {short(b)!r}: make "
            "them of one"
        )
    (kind,) = kinds
    if task == "regression" or (task == "auto" and kind == "numbers" and _is_quantity(values)):
        return _quantity(values, kind, what)
    if kind not in ("truths", "numbers", "texts"):
        raise UserError(f"{what} holds {kind}, such as {short(values[0])}, and must hold classes")
    plain = [_plain(value) for value in values]
    labels: list[Any] = sorted(set(plain))
    if isinstance(column.dtype, pd.CategoricalDtype):
        seen = set(plain)
        labels = [label for label in (_plain(item) for item in column.dtype.categories) if label in seen]
    if len(labels) == 1:
        raise UserError(
            f"{what} is {short(labels[0])!r} in all {len(values)} rows, and must have two classes or more"
        )
    _check_classes(labels, len(values), what, kind)
    if kind == "numbers":
        labels = [int(label) for label in labels]
    numbers = {label: number for number, label in enumerate(labels)}
    return Target(np.array([numbers[value] for value in plain], np.int32), tuple(labels))


def _is_quantity(values: list[Any]) -> bool:
    """Whether numbers are so many different ones, or so few of them whole, that they are no classes."""
    different = set(values)
    whole = all(float(value).is_integer() for value in different)
    return not whole or len(different) > max(FEW, FEW_SHARE * len(values))


def _quantity(values: list[Any], kind: str, what: str) -> Target:
    if kind not in ("numbers", "truths"):
        raise UserError(f"{what} holds {kind}, such as {short(values[0])}, and a regression needs numbers")
    y = np.array(values, np.float64)
    if not np.isfinite(y).all():
        raise UserError(f"{what} holds {y[~np.isfinite(y)][0]}, and must hold finite numbers")
    return Target(y, ())


class OfLabels:
    """What knows the classes of a target by what its column calls them."""

    target: str
    labels: tuple[Label, ...]

    def numbers_of(self, labels: np.ndarray) -> np.ndarray:
        """The numbers [N] of the classes that the target's column calls so.

        Raises:
            UserError: for a label that is no class's.
        """
        numbers = {label: number for number, label in enumerate(self.labels)}
        plain = labels.astype(object).ravel().tolist()
        for place, label in enumerate(plain):
            if label not in numbers:
                known = ", ".join(str(label) for label in self.labels[:10])
                raise UserError(
                    f"y holds the label {label!r} in row {place + 1}, and must hold those of {self.target}: "
                    f"{known}{nearest(label, map(str, self.labels))}"
                )
        return np.array([numbers[label] for label in plain], int).reshape(labels.shape)


def _check_classes(labels: list[Any], rows: int, what: str, kind: str) -> None:
    regression = "data.task regression takes it for a quantity"
    fractions = [label for label in labels if kind == "numbers" and not float(label).is_integer()]
    if fractions:
        raise UserError(
            f"{what} holds numbers that aren't whole, such as {short(fractions[0])}, and must hold classes: "
            f"{regression}"
        )
    if len(labels) > max(FEW, MOST_SHARE * rows):
        raise UserError(
            f"{what} holds {len(labels)} different {kind} in {rows} rows, and must hold classes"
            + (f": {regression}" if kind == "numbers" else "")
        )


def _kind(value: Any) -> str:
    if isinstance(value, bool | np.bool):
        return "truths"
    if isinstance(value, int | float | np.integer | np.floating):
        return "numbers"
    if isinstance(value, str):
        return "texts"
    return "dates" if hasattr(value, "isoformat") else f"values of type {type(value).__name__}"


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
