"""The columns of a table: what each is, and its values as numbers, truths or words.

What a column is, is found in the rows that train. A network then takes it so in all others.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from nnjax.data.arrays import is_missing, is_number, is_real, short
from nnjax.saved.columns import FALSE, TRUE, word_of
from nnjax.spelling import nearest
from nnjax.validation import UserError

if TYPE_CHECKING:
    import pandas as pd

TRUTHS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
"""Words of a column that is true or false."""
DAY = r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))"
DATE = re.compile(DAY + r"([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*\S*)?")
FEW = 20
"""Words up to so many are categories, however few rows there are."""


class Column(NamedTuple):
    """A column, and what it is."""

    name: str
    kind: str
    """number, category, boolean or left_out."""
    why: str = ""
    """Of one that is left out."""


def columns_of(frame: "pd.DataFrame", given: Mapping[str, str]) -> list[Column]:
    """What the columns of the training rows are.

    Args:
        frame: the rows that train, without the target.
        given: what some columns are, whatever they look like.

    Raises:
        UserError: for a column that isn't there, or can't be what it is said to be.
    """
    for name in given:
        if name not in frame.columns:
            raise UserError(
                f"data.columns names {name!r}, and there is no such input{_known(name, frame.columns)}"
            )
    return [Column(name, *_kind(frame[name], given.get(name))) for name in frame.columns]


def _kind(column: "pd.Series", given: str | None) -> tuple[str, str]:
    if given == "left_out":
        return given, "as data.columns says"
    if given is not None:
        return given, ""
    import pandas as pd

    there = column.dropna()
    if there.empty:
        return "left_out", "without any value"
    kind, why = _by_values(there)
    if kind != "left_out" and len(there) == len(column) and not (there.iloc[1:] != there.iloc[0]).any():
        return "left_out", f"always {short(there.iloc[0])}"
    numbered = str(column.name) == "unnamed 0" or str(column.name).startswith("Unnamed: 0")
    if kind == "number" and numbered and pd.Index(there).is_monotonic_increasing:
        return "left_out", "running numbers without a name"
    return kind, why


def _by_values(there: "pd.Series") -> tuple[str, str]:
    import pandas as pd

    dtype = there.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean", ""
    if isinstance(dtype, pd.CategoricalDtype):
        return "category", ""
    if pd.api.types.is_complex_dtype(dtype):
        return "left_out", "complex numbers"
    if pd.api.types.is_numeric_dtype(dtype):
        return "number", ""
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return "left_out", "dates"
    if isinstance(dtype, pd.PeriodDtype):
        return "left_out", "dates"
    values = there.tolist()
    if all(isinstance(value, bool | np.bool) for value in values):
        return "boolean", ""
    if all(is_real(value) or type(value).__name__ == "Decimal" for value in values):
        return "number", ""
    if all(hasattr(value, "isoformat") for value in values):
        return "left_out", "dates"
    if any(not isinstance(value, str | bool | int | float | np.generic) for value in values):
        return "left_out", "neither numbers nor words"
    texts = {word_of(value) for value in values}
    if len(texts) == 2 and {text.lower() for text in texts} in TRUTHS:
        return "boolean", ""
    if all(map(is_number, texts)):
        return "number", ""
    if all(DATE.fullmatch(text.strip()) for text in texts):
        return "left_out", "dates"
    if len(texts) > max(FEW, len(values) / 2):
        return "left_out", f"{len(texts)} different texts in {len(values)} rows"
    return "category", ""


def numbers_of(column: "pd.Series") -> np.ndarray:
    """The values of a column [N] in 64 bits, NaN where one is missing.

    Raises:
        UserError: for one that is no finite number.
    """
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
        numbers = column.to_numpy(np.float64, na_value=np.nan)
    else:
        numbers = np.array([_number(column, place, value) for place, value in enumerate(column.tolist())], float)
    wrong = np.flatnonzero(np.isinf(numbers))
    if wrong.size:
        _complain(column, int(wrong[0]), "a finite number")
    return numbers


def _number(column: "pd.Series", place: int, value: Any) -> float:
    if _is_missing(value):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        _complain(column, place, "a number")


def truths_of(column: "pd.Series") -> np.ndarray:
    """The values of a column [N], 1 for true and 0 for false, NaN where one is missing.

    Raises:
        UserError: for one that is neither.
    """
    truths = np.full(len(column), np.nan)
    for place, word in enumerate(words_of(column)):
        if word is None:
            continue
        low = str(word).lower()
        if low not in TRUE + FALSE:
            _complain(column, place, "true or false")
        truths[place] = low in TRUE
    return truths


def words_of(column: "pd.Series") -> np.ndarray:
    """The values of a column [N] as texts, None where one is missing."""
    words = [None if _is_missing(value) else word_of(value) for value in column.astype(object).tolist()]
    return np.array(words, object)


def _is_missing(value: Any) -> bool:
    return is_missing(value) or value != value


def check_there(names: Iterable[str], frame: "pd.DataFrame", what: str) -> None:
    """Refuse a frame without some columns.

    Raises:
        UserError: naming the first that isn't there, and the nearest that is.
    """
    for name in names:
        if name not in frame.columns:
            raise UserError(f"{what} has no column {name!r}{_known(name, frame.columns)}")


def _known(name: object, columns: Iterable[object]) -> str:
    words = [str(column) for column in columns]
    shown = ", ".join(words[:10]) + (f" and {len(words) - 10} more" if len(words) > 10 else "")
    return nearest(name, words) or f"; it has {shown}"


def _complain(column: "pd.Series", place: int, what: str) -> NoReturn:
    value = column.iloc[place]
    raise UserError(
        f"the column {column.name} holds {short(value)!r} in row {column.index[place] + 1}, and must hold {what}"
    )


def listed(columns: Sequence[Column]) -> str:
    """What the columns are, in one line: the kinds with their names, and why some are left out."""
    words = {"number": "number", "category": "categor", "boolean": "boolean"}
    said = []
    for kind, word in words.items():
        names = [column.name for column in columns if column.kind == kind]
        if names:
            ending = {"category": ("y", "ies")}.get(kind, ("", "s"))[len(names) > 1]
            said.append(f"{len(names)} {word}{ending} ({_some(names)})")
    left = [f"{column.name} ({column.why})" for column in columns if column.kind == "left_out"]
    if left:
        said.append(f"left out: {_some(left)}")
    return "; ".join(said)


def _some(words: Sequence[str]) -> str:
    return ", ".join(words) if len(words) <= 6 else f"{', '.join(words[:5])} and {len(words) - 5} more"
