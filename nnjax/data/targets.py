"""What a network learns of each example: which targets are taken, of which task they are, and in what units.

A class is a whole number (`nnjax.data.labels`). Real targets are learned less their mean, over their deviation,
both of the training examples alone, and what is said of them is given back in their units. Several labels at once
are a row of 0 and 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nnjax.data.arrays import LARGEST, array_of, is_missing, is_real, text_of
from nnjax.data.labels import read_labels
from nnjax.tasks import AUTO, CLASSIFICATION, task_of
from nnjax.validation import UserError


class Standard(NamedTuple):
    """What real targets are learned less, and what divides them then: statistics of the training examples."""

    mean: np.ndarray  # [C]
    deviation: np.ndarray  # [C]; 1 for a target that never changes

    @classmethod
    def of(cls, y: np.ndarray) -> "Standard":
        """Mean and standard deviation of targets ``[N]`` or ``[N, C]``."""
        table = y.reshape(len(y), -1)
        deviation = table.std(axis=0)
        return cls(table.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    @classmethod
    def nothing(cls, targets: int) -> "Standard":
        """What leaves targets as they are."""
        return cls(np.zeros(targets), np.ones(targets))

    def apply(self, y: np.ndarray) -> np.ndarray:
        """Targets as they are learned, ``[N, C]``."""
        return np.asarray((y.reshape(len(y), -1) - self.mean) / self.deviation)

    def undo(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of a network ``[N, C]`` in the units of the targets, of one target ``[N]``."""
        y = outputs * self.deviation + self.mean
        return np.asarray(y[:, 0] if y.shape[1] == 1 else y)


def task_from(task: object, classes: object, targets: Mapping[str, Any]) -> str:
    """The task of a data set: what is said, or what follows from its targets.

    A number of classes says a classification; without one, real targets are a regression and whole ones a
    classification.

    Args:
        task: what the user gave, auto where nothing.
        classes: likewise, None where nothing.
        targets: what stands for the targets of each split, by the words for the split.
    """
    if task != AUTO:
        return task_of(task).name
    if classes is not None:
        return CLASSIFICATION
    kinds = {np.asarray(_plain(y)).dtype.kind for y in targets.values()}
    return "regression" if "f" in kinds else CLASSIFICATION


def outputs_of(task: str, y: Any) -> int:
    """How many classes, targets or labels there are, of the targets of the training examples or of all."""
    array = np.asarray(_plain(y))
    if task != CLASSIFICATION:
        return int(array.shape[1]) if array.ndim == 2 else 1
    whole = array.dtype.kind in "biu" and array.size and array.ndim == 1
    return int(array.max()) + 1 if whole else 1


def read_targets(value: object, task: str, classes: int, where: str) -> np.ndarray:
    """The targets of a split: class numbers [N] int32, real targets [N] or [N, C] float64, labels [N, C] uint8.

    Args:
        value: what the user gave.
        task: of the data set.
        classes: C, how many classes, targets or labels there are.
        where: which split it is, for a message.

    Raises:
        UserError: for what are no such targets, or lacks one.
    """
    if task == CLASSIFICATION:
        return read_labels(value, classes, where)
    if task == "regression":
        return _real(value, classes, where)
    return _several(value, classes, where)


def read_weights(value: object, count: int, where: str) -> np.ndarray:
    """The weights of a split's examples: [N] float64, none negative, not all 0.

    Raises:
        UserError: for what are no such weights.
    """
    array = _numbers(array_of(value, f"the weights of {where}", "[N]"), f"{where} has", "weight", where)
    if array.shape != (count,):
        raise UserError(
            f"{where} has weights of shape {array.shape}, and must have one for each of {count} examples"
        )
    if (array < 0).any():
        place = int(np.flatnonzero(array < 0)[0])
        raise UserError(
            f"{where} holds the weight {array[place]:g} at {_place(place)}, and weights must be 0 or more"
        )
    if not array.sum() > 0:
        raise UserError(f"all weights of {where} are 0, and some example must count")
    return array


def units_of(given: object, task: str, targets: int, name: str) -> tuple[str, ...]:
    """The units of the targets, one for each; empty texts where they aren't known.

    Raises:
        UserError: where they aren't one text for each target.
    """
    texts = (given,) if isinstance(given, str) else given
    if not (isinstance(texts, Sequence) and all(isinstance(text, str) for text in texts)):
        raise UserError(
            f"the units of {name} are {given!r}, and must be a text, such as 'mg', or one for each target"
        )
    found = tuple(map(str, texts))
    if not any(found):
        return ("",) * targets
    if task != "regression":
        raise UserError(f"units of {name} are given, {given!r}, and only real targets have some")
    if len(found) not in (1, targets):
        raise UserError(f"{name} has {len(found)} units and {targets} targets, and must have one for each")
    return found * targets if len(found) == 1 else found


def _real(value: object, targets: int, where: str) -> np.ndarray:
    array = array_of(value, f"the targets of {where}", "[N] or [N, C]")
    if array.ndim > 2 or array.size == 0:
        raise UserError(f"{where} has targets of shape {array.shape}, and they must be [N] or [N, C]")
    array = _numbers(array, f"{where} has", "target", where)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    found = 1 if array.ndim == 1 else array.shape[1]
    if found != targets:
        raise UserError(
            f"{where} has {found} target{'s' * (found != 1)} an example, and the train split {targets}"
        )
    return array


def _several(value: object, labels: int, where: str) -> np.ndarray:
    array = array_of(value, f"the labels of {where}", "[N, C] of 0 and 1")
    if array.ndim != 2:
        raise UserError(
            f"{where} has labels of shape {array.shape}, and of several labels they must be [N, C], a column of 0 "
            "and 1 for each label"
        )
    array = _numbers(array, f"{where} has", "label", where)
    wrong = np.argwhere((array != 0) & (array != 1))
    if wrong.size:
        place = tuple(wrong[0])
        raise UserError(f"{where} holds the label {array[place]:g} at {_place(*place)}, and labels must be 0 or 1")
    if array.shape[1] != labels:
        raise UserError(f"{where} has {array.shape[1]} labels an example, and must have {labels}")
    return array.astype(np.uint8)


def _numbers(array: np.ndarray, has: str, word: str, where: str) -> np.ndarray:
    """An array of finite real numbers, as float64."""
    if array.dtype == object:
        for place, item in np.ndenumerate(array):
            if is_missing(item):
                raise UserError(f"{has} no {word} at {_place(*place)}, and every example must have one")
            if not is_real(item):
                raise UserError(f"{where} holds {item!r} at {_place(*place)}, and a {word} must be a number")
    elif array.dtype.kind not in "biuf":
        shown = repr(text_of(array.flat[0])) if array.dtype.kind in "US" and array.size else array.dtype
        raise UserError(f"{where} holds {shown} for a {word}, and it must be a number")
    numbers = array.astype(np.float64)
    wrong = np.argwhere(~(np.abs(numbers) <= LARGEST))
    if wrong.size:
        place = tuple(wrong[0])
        if np.isnan(numbers[place]):
            raise UserError(f"{has} no {word} at {_place(*place)}, and every example must have one")
        raise UserError(f"{where} holds the {word} {numbers[place]:g} at {_place(*place)}, and it must be finite")
    return numbers


def _plain(y: Any) -> Any:
    return y if hasattr(y, "__array__") or isinstance(y, list | tuple) else []


def _place(example: Any, column: Any = None) -> str:
    of = "" if column is None else f", column {column}"
    return f"example {example}{of} (counted from 0)"
