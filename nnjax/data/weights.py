"""Weights by class: rare classes count as much as common ones, or as somebody says."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from nnjax.data.dataset import Dataset
from nnjax.tasks import CLASSIFICATION, TASKS
from nnjax.types import Weighted
from nnjax.validation import UserError


def class_weighted(data: Dataset, weights: str | Mapping[int, float] = "balanced") -> Dataset:
    """The data set with a weight for each training example by its class; validation and test stay as they are.

    Weights that there are already are multiplied.

    Args:
        data: of a classification.
        weights: by class, 1 for those that aren't named; balanced, as scikit-learn has it, is N / (K · N_c), with
            N_c the examples of the class and K the number of classes that training has.

    Raises:
        UserError: for data of another task, or weights of what is no class.
    """
    if data.task != CLASSIFICATION:
        raise UserError(f"{data.name} is {TASKS[data.task].words}, and weights by class are for a classification")
    y = data.train.y
    each = np.ones(data.classes)
    if isinstance(weights, Mapping):
        for number, weight in weights.items():
            if number not in range(data.classes):
                raise UserError(
                    f"the weights have {number!r}, and classes of {data.name} are 0 to {data.classes - 1}"
                )
            each[number] = weight
    elif weights == "balanced":
        count = np.bincount(y, minlength=data.classes)
        each = len(y) / (np.count_nonzero(count) * np.maximum(count, 1))
    else:
        raise UserError(f"the weights are {weights!r}, and must be balanced or a mapping from classes to numbers")
    own = data.train.weight if isinstance(data.train, Weighted) else 1.0
    return dataclasses.replace(data, train=Weighted(data.train.x, y, own * each[y]), config=None)
