"""Weights of examples: by class, so that rare ones count as much as common ones, or from a column."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.data.columns import numbers_of
from nnjax.data.dataset import Dataset
from nnjax.saved.columns import word_of
from nnjax.spelling import nearest
from nnjax.tasks import CLASSIFICATION, TASKS
from nnjax.types import Examples, Weighted
from nnjax.validation import UserError

if TYPE_CHECKING:
    import pandas as pd


def with_column(splits: list[Examples], rows: Any, column: "pd.Series | None") -> list[Examples | Weighted]:
    """Training, validation and test examples with the weights in a column of their table.

    Args:
        splits: the examples.
        rows: of the table, of each split.
        column: the weights; None: all count alike.

    Raises:
        UserError: for what isn't a number.
    """
    if column is None:
        return list(splits)
    weights = numbers_of(column)
    return [Weighted(*split, weights[places]) for split, places in zip(splits, rows, strict=True)]


def class_weighted(data: Dataset, weights: str | Mapping[Any, float] = "balanced") -> Dataset:
    """The data set with a weight for each training example by its class; validation and test stay as they are.

    Weights that there are already are multiplied.

    Args:
        data: of a classification.
        weights: by class, by its name where it has one, else by its number; 1 for those that aren't named.
            balanced, as scikit-learn has it, is N / (K · N_c), with N_c the examples of the class and K the number
            of classes that training has.

    Raises:
        UserError: for data of another task, or weights of what is no class.
    """
    if data.task != CLASSIFICATION:
        raise UserError(f"{data.name} is {TASKS[data.task].words}, and weights by class are for a classification")
    y = data.train.y
    each = np.ones(data.classes)
    if isinstance(weights, Mapping):
        names = data.class_names or tuple(map(str, range(data.classes)))
        for label, weight in weights.items():
            if word_of(label) not in names:
                known = ", ".join(names[:10]) if data.class_names else f"0 to {data.classes - 1}"
                raise UserError(
                    f"the weights have {label!r}, and classes of {data.name} are {known}"
                    f"{nearest(word_of(label), data.class_names)}"
                )
            each[names.index(word_of(label))] = weight
    elif weights == "balanced":
        count = np.bincount(y, minlength=data.classes)
        each = len(y) / (np.count_nonzero(count) * np.maximum(count, 1))
    else:
        raise UserError(f"the weights are {weights!r}, and must be balanced or a mapping from classes to numbers")
    own = data.train.weight if isinstance(data.train, Weighted) else 1.0
    return dataclasses.replace(data, train=Weighted(data.train.x, y, own * each[y]), config=None)
