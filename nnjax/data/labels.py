"""The labels of a split, the number of each example's class from 0: which are taken, what is said of others."""

from typing import NoReturn

import numpy as np

from nnjax.data.arrays import array_of, is_missing, is_number, is_real, is_whole, kind_of, short, text_of
from nnjax.validation import UserError


def read_labels(value: object, classes: int, where: str) -> np.ndarray:
    """The labels of a split: [N] int32.

    Args:
        value: what the user gave.
        classes: C, how many classes there are.
        where: which split it is, for a message.

    Raises:
        UserError: for what is no array of whole numbers from 0 to C−1, or lacks one.
    """
    array = array_of(value, f"the labels of {where}", "[N]")
    if array.ndim != 1:
        raise UserError(
            f"{where} has labels of shape {array.shape}, and they must be [N], the number of each example's "
            f"class{_flattened(value, array, classes)}"
        )
    if array.dtype == object:
        array = _same_objects(array, where)
    kind = array.dtype.kind
    if kind in "US" and array.size:
        text = text_of(array[0])
        numbered = "names, y = np.unique(y, return_inverse=True) numbers them"
        raise UserError(
            f"{where} has labels that are texts, such as {text!r}, and they must be whole numbers from 0: "
            f"{'give y.astype(int)' if is_number(text) else numbered}"
        )
    if kind == "f":
        _complain_of_floats(array, classes, where)
    if kind not in "biu":
        raise UserError(f"{where} has labels of type {array.dtype}, and they must be whole numbers from 0")
    from_one = bool(array.size) and array.min() == 1 and array.max() == classes
    check_labels(array, classes, where, ": yours begin at 1, so give y - 1" if from_one else "")
    return array.astype(np.int32, copy=False)


def check_labels(labels: np.ndarray, classes: int, where: str, mend: str = "") -> None:
    """Refuse labels outside 0 … C−1.

    Raises:
        UserError: naming the first such label and its place.
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise UserError(
            f"{where} holds the label {labels[wrong[0]]} at {_place(wrong[0])}, and labels must be 0 to "
            f"{classes - 1}{mend}"
        )


def _same_objects(array: np.ndarray, where: str) -> np.ndarray:
    """An array of objects as what they all are: whole numbers, floats or texts."""
    for place, item in enumerate(array):
        if is_missing(item):
            _complain_of_none(place, where)
        if isinstance(item, int) and not abs(item) < 2**63:
            raise UserError(
                f"{where} holds the label {short(item)} at {_place(place)}, and labels count classes from 0"
            )
    if all(map(is_whole, array)):
        return array.astype(np.int64)
    if all(map(is_real, array)):
        return array.astype(float)
    if all(isinstance(item, str | bytes) for item in array):
        return np.array([text_of(item) for item in array])
    odd = next(place for place, item in enumerate(array) if not is_real(item))
    raise UserError(
        f"{where} holds {kind_of(array[odd])} for the label at {_place(odd)}, and labels must be whole numbers "
        "from 0"
    )


def _complain_of_none(place: int, where: str) -> NoReturn:
    raise UserError(f"{where} has no label at {_place(place)}, and every example must have one")


def _complain_of_floats(array: np.ndarray, classes: int, where: str) -> NoReturn:
    if np.isnan(array).any():
        _complain_of_none(int(np.flatnonzero(np.isnan(array))[0]), where)
    wrong = np.flatnonzero(~np.isfinite(array) | (array != np.floor(array)))
    if wrong.size:
        raise UserError(
            f"{where} holds the label {array[wrong[0]]} at {_place(wrong[0])}, and labels must be whole numbers 0 "
            f"to {classes - 1}"
        )
    raise UserError(
        f"{where} has labels of type {array.dtype}, and they must be whole numbers from 0: give y.astype(int)"
    )


def _flattened(value: object, array: np.ndarray, classes: int) -> str:
    if array.ndim != 2 or array.size == 0:
        return ""
    # An index or a frame of pandas has no ravel or argmax of the kind, and a list none at all.
    owner = "y" if hasattr(value, "argmax") else "np.asarray(y)"
    if array.shape[1] == 1:
        return f": give {owner}.ravel()"
    return f": give {owner}.argmax(axis=1)" if array.shape[1] == classes else ""


def _place(place: int) -> str:
    return f"example {place} (counted from 0)"
