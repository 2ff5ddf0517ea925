"""What is worth saying of a table: what its columns are taken for, inputs that give the target away, rare
classes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnjax.config import DataConfig
from nnjax.data.columns import Column, listed, numbers_of, truths_of, words_of
from nnjax.data.notes import in_words
from nnjax.data.partition import Partition
from nnjax.data.target_column import Target

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 5000
"""Rows of each part by which an input is held against the target."""
MOST_WRONG = 0.01
"""An input that alone predicts the target is wrong in at most this share of the rows that validate,"""
OF_CHANCE = 0.2
"""and in at most this share of those that naming the commonest class gets wrong."""
LEAVES = 256
"""Of the tree by which an input is held against a quantity."""


def remarks_on(
    inputs: "pd.DataFrame", columns: Sequence[Column], goal: Target, parts: Partition, config: DataConfig
) -> tuple[str, ...]:
    """A sentence for each thing that is worth saying of a table; nothing of its test rows but their classes.

    Args:
        inputs: the columns, without the target.
        columns: what they are.
        goal: the target.
        parts: which rows train, validate and test.
        config: how it was read and split.
    """
    said = []
    if any(column.kind != "number" for column in columns):
        said.append(f"the columns are {listed(columns)}; data.columns says otherwise where that is wrong")
    giving = [column.name for column in columns if _gives_away(inputs, column, goal, parts)]
    if giving:
        said.append(
            f"{in_words(giving)} alone {'predicts' if len(giving) == 1 else 'predict'} the target on validation: "
            "if that isn't known before the target is, leave it out with data.columns"
        )
    return (*said, *(_on_classes(goal, config) if goal.labels else ()))


def _on_classes(goal: Target, config: DataConfig) -> list[str]:
    said = []
    once = [goal.names[number] for number in np.flatnonzero(np.bincount(goal.y) == 1)]
    if once:
        said.append(
            f"only one row is of the class{'es' if len(once) > 1 else ''} {in_words(once)}: nothing can be said "
            "of how well it is learnt"
        )
    if config.split == "time" and bool((np.diff(goal.y) >= 0).all()):
        said.append(
            "the rows lie sorted by class, and data.split 'time' tests on the last of them: data.split stratified "
            "gives each part all classes"
        )
    if config.folds and np.bincount(goal.y).min() < config.folds:
        rare = in_words([goal.names[number] for number in np.flatnonzero(np.bincount(goal.y) < config.folds)])
        said.append(f"not every fold tests the class {rare}, which has fewer rows than there are folds")
    return said


def _gives_away(inputs: "pd.DataFrame", column: Column, goal: Target, parts: Partition) -> bool:
    """Whether a small tree of this column alone, grown on training rows, is right on nearly all that validate."""
    if column.kind == "left_out":
        return False
    train, valid = (rows[:: -(-len(rows) // MOST_ROWS)] for rows in (parts.train, parts.valid))
    if not goal.labels:
        return column.kind == "number" and _gives_quantity(inputs[column.name], goal.y, train, valid)
    common = np.bincount(goal.y[train]).argmax()
    chance = float(np.mean(goal.y[valid] != common))
    if chance == 0:
        return False
    values, held = inputs[column.name].iloc[train], inputs[column.name].iloc[valid]
    if column.kind == "category":
        found = _by_word(words_of(values), goal.y[train], words_of(held), int(common))
    else:
        found = _by_tree((numbers_of if column.kind == "number" else truths_of)(values), goal, train, column, held)
    wrong = float(np.mean(found != goal.y[valid]))
    return wrong <= min(MOST_WRONG, OF_CHANCE * chance)


def _gives_quantity(column: "pd.Series", y: np.ndarray, train: np.ndarray, valid: np.ndarray) -> bool:
    """Whether a tree of a column alone explains all but a hundredth of the variance of a quantity."""
    from sklearn.tree import DecisionTreeRegressor

    x = np.nan_to_num(numbers_of(column), nan=0.0)[:, None]
    tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=0).fit(x[train], y[train])
    return len(valid) > 1 and tree.score(x[valid], y[valid]) >= 1 - MOST_WRONG


def _by_word(words: np.ndarray, y: np.ndarray, others: np.ndarray, common: int) -> np.ndarray:
    """The commonest class of each word in the training rows, for other rows."""
    of_word: dict[str, np.ndarray] = {}
    for word, number in zip(words.astype(str), y, strict=True):
        of_word.setdefault(word, np.zeros(int(y.max()) + 1, int))[number] += 1
    best = {word: int(counts.argmax()) for word, counts in of_word.items()}
    return np.array([best.get(word, common) for word in others.astype(str)])


def _by_tree(values: np.ndarray, goal: Target, train: np.ndarray, column: Column, held: "pd.Series") -> np.ndarray:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_leaf_nodes=2 * len(goal.labels), random_state=0)
    others = (numbers_of if column.kind == "number" else truths_of)(held)
    fill = np.nanmin(values) - 1 if not np.isnan(values).all() else 0.0
    x, other_x = (np.nan_to_num(array, nan=fill)[:, None] for array in (values, others))
    return np.asarray(tree.fit(x, goal.y[train]).predict(other_x))
