"""Which rows of a table train, validate and test."""

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nnjax.config import DataConfig
from nnjax.data.arrays import short
from nnjax.data.columns import numbers_of, words_of
from nnjax.spelling import nearest
from nnjax.validation import UserError

if TYPE_CHECKING:
    import pandas as pd

PARTS = {
    **dict.fromkeys(("train", "training"), 0),
    **dict.fromkeys(("valid", "validation", "val", "dev"), 1),
    **dict.fromkeys(("test", "testing"), 2),
}
"""What a column of split "given" calls the parts."""
NEEDS_COLUMN = {"group": "group of each row", "given": "part of each row: train, valid or test"}


class Partition(NamedTuple):
    """The rows of each part, in their order."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


def partition(y: np.ndarray, config: DataConfig, column: "pd.Series | None") -> Partition:
    """The parts of a table's rows.

    First those that test are taken: ``data.test_fraction`` of all, or one of ``data.folds``. Of the rest,
    ``data.valid_fraction`` validate, in the same way.

    Args:
        y: [N], the class of each row.
        config: how it is split, and by which seed.
        column: the group, the time or the part of each row, where that is needed.

    Raises:
        UserError: where a column is missing or holds what it can't, or a part would be empty.
    """
    if config.split in NEEDS_COLUMN and column is None:
        raise UserError(
            f"data.split is {config.split!r}, and data.split_column must say which column has the "
            f"{NEEDS_COLUMN[config.split]}"
        )
    if column is not None and config.split not in (*NEEDS_COLUMN, "time"):
        raise UserError(
            f"data.split_column is {config.split_column!r}, and data.split is {config.split!r}, which needs "
            "none: set data.split to group, time or given"
        )
    rows = np.arange(len(y))
    if config.split == "given":
        assert column is not None
        parts = _given(column, config, y)
    else:
        by = None
        if config.split == "group":
            by = _groups(column)
        if config.split == "time" and column is not None:
            rows = np.argsort(_times(column), kind="stable")
        if config.folds:
            rest, test = _fold(y, rows, by, config)
        else:
            test = _taken(y, rows, by, config.test_fraction, config)
            rest = rows[~np.isin(rows, test)]
        valid = _taken(y, rest, by, config.valid_fraction, config)
        parts = Partition(rest[~np.isin(rest, valid)], valid, test)
    for name, part in zip(("trains", "validates", "tests"), parts, strict=True):
        if not len(part):
            raise UserError(
                f"no row {name}, of {len(y)}: data.test_fraction is {config.test_fraction}, data.valid_fraction "
                f"{config.valid_fraction} and data.split {config.split!r}"
            )
    return Partition(*map(np.sort, parts))


def stratified(y: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Places [count] of rows, of which each class has its share to within one, drawn by a seed.

    The rows are put in a random order, and that in the order of the classes; then every so-manieth is taken. A
    class of one row is left alone.
    """
    order = np.random.RandomState(seed).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    sizes = np.bincount(y)
    if np.count_nonzero(sizes[y[order]] > 1) >= count:
        order = order[sizes[y[order]] > 1]
    steps = (np.arange(len(order) + 1) * count) // max(len(order), 1)
    return order[np.diff(steps) > 0]


def _taken(
    y: np.ndarray, rows: np.ndarray, by: np.ndarray | None, fraction: float, config: DataConfig
) -> np.ndarray:
    """A share of some rows, as data.split says."""
    seed, count = config.split_seed or 0, round(fraction * len(rows))
    if by is not None:
        from sklearn.model_selection import GroupShuffleSplit

        groups = len(np.unique(by[rows]))
        if groups < 2:
            raise UserError(
                f"data.split_column {config.split_column!r} has too few groups: training, validation and test "
                "need one each"
            )
        size = min(max(round(fraction * groups), 1), groups - 1)
        ((_, places),) = GroupShuffleSplit(1, test_size=size, random_state=seed).split(rows, groups=by[rows])
        return np.asarray(rows[places])
    if config.split == "time":
        return rows[len(rows) - count :]
    if config.split == "random":
        return rows[np.random.RandomState(seed).permutation(len(rows))[:count]]
    return rows[stratified(y[rows], count, seed)]


def _fold(
    y: np.ndarray, rows: np.ndarray, by: np.ndarray | None, config: DataConfig
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the other folds and of the one that tests, as scikit-learn cuts them: of times, the earlier
    ones."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

    folds, seed = config.folds or 0, config.split_seed or 0
    kinds: dict[str, Any] = {
        "stratified": StratifiedKFold(folds, shuffle=True, random_state=seed),
        "random": KFold(folds, shuffle=True, random_state=seed),
        "group": GroupKFold(folds, shuffle=True, random_state=seed),
        "time": TimeSeriesSplit(folds),
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # of a class with fewer rows than folds, which a note says
            cut = list(kinds[config.split].split(rows, y[rows], groups=None if by is None else by[rows]))
    except ValueError as error:
        what = "groups" if by is not None else "rows of a class" if config.split == "stratified" else "rows"
        raise UserError(f"data.folds is {folds}, and there are too few {what} for so many") from error
    others, test = cut[config.fold]
    return rows[others], rows[test]


def _given(column: "pd.Series", config: DataConfig, y: np.ndarray) -> Partition:
    """The parts as a column says them; where it says nothing of validation, that is cut off the training rows."""
    if config.folds:
        raise UserError("data.folds is set, and data.split is 'given', where a column says which rows test")
    words = [None if word is None else word.lower() for word in words_of(column)]
    for place, word in enumerate(words):
        if word not in PARTS:
            shown = "no value" if word is None else repr(short(word))
            raise UserError(
                f"the column {column.name}, which says the part of each row, has {shown} in row {place + 1}, and "
                f"must say train, valid or test{nearest(word, PARTS)}"
            )
    part = np.array([PARTS[word] for word in words if word is not None])
    train, valid, test = (np.flatnonzero(part == number) for number in range(3))
    if len(train) and not len(valid):
        count = round(config.valid_fraction * len(train))
        valid = train[stratified(y[train], count, config.split_seed or 0)]
        train = train[~np.isin(train, valid)]
    return Partition(train, valid, test)


def _groups(column: Any) -> np.ndarray:
    """The number of each row's group: of numbers by their size, of words by the alphabet."""
    import pandas as pd

    words = words_of(column)
    _refuse_missing(column, (word is None for word in words))
    values = numbers_of(column) if pd.api.types.is_numeric_dtype(column.dtype) else words.astype(str)
    return np.unique(values, return_inverse=True)[1]


def _times(column: "pd.Series") -> np.ndarray:
    """The times of the rows as numbers."""
    import pandas as pd

    _refuse_missing(column, column.isna())
    if pd.api.types.is_numeric_dtype(column.dtype):
        return numbers_of(column)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a way of writing dates that takes it long to read
            return np.asarray(pd.to_datetime(column).to_numpy().astype(np.int64))
    except (ValueError, TypeError):
        raise UserError(
            f"the column {column.name}, which says the time of each row, holds {short(column.iloc[0])!r} and its "
            "like, and must hold dates such as 2024-12-31, or numbers"
        ) from None


def _refuse_missing(column: "pd.Series", lacking: Iterable[bool]) -> None:
    for place, lacks in enumerate(lacking):
        if lacks:
            raise UserError(f"the column {column.name}, by which rows are split, has no value in row {place + 1}")
