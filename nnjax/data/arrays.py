"""Plain NumPy arrays from whatever people hold numbers in: lists, and arrays of jax, torch, pandas or xarray."""

import math
import numbers
from typing import Any

import numpy as np

from nnjax.validation import UserError

LARGEST = int(np.finfo(np.float32).max)
"""The largest number of 32 bits, as an integer: a whole number of any size compares with it."""


def array_of(value: Any, what: str, shape: str) -> np.ndarray:
    """The array in a value, in the machine's order of bytes, and of objects with None where a mask hid a value.

    Args:
        value: what the user gave.
        what: the words for it in a message, such as "the inputs of the train split of mine".
        shape: what shape it must have, for a message.

    Raises:
        UserError: for what makes no array.
    """
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise UserError(f"{what} are {kind_of(value)}, and must be an array {shape}: give its toarray()")
    try:
        array = np.asarray(_unmasked(value) if _holds_masked(value) else value)
    except Exception as error:  # whatever the owner of the type raises
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{what} are {a_type(value)} that makes no array: {reason}") from error
    if array.ndim == 0:
        raise UserError(f"{what} are {kind_of(value)}, and must be an array {shape}")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def a_type(value: object) -> str:
    """The type of a value with its article: "a dict", "an ndarray"."""
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' or name == 'ndarray' else 'a'} {name}"


def kind_of(value: object) -> str:
    """What a value is, for a message: "None", "a tuple of 3", "an ndarray of shape (3, 2)"."""
    if value is None:
        return "None"
    if isinstance(value, tuple | list):
        return f"{a_type(value)} of {len(value)}"
    return f"{a_type(value)} of shape {value.shape}" if isinstance(value, np.ndarray) else a_type(value)


def is_missing(item: object) -> bool:
    """Whether an object stands where a value is missing; pandas' are told by the names of their types."""
    return item is None or type(item).__name__ in ("NAType", "NaTType")


def is_real(item: object) -> bool:
    """Whether an object is a real number; a duration of NumPy says so of itself, and is none."""
    return isinstance(item, numbers.Real | np.bool) and not isinstance(item, np.timedelta64)


def is_whole(item: object) -> bool:
    """Whether an object is a whole number, or true or false."""
    return isinstance(item, numbers.Integral | np.bool) and not isinstance(item, np.timedelta64)


def is_number(text: str) -> bool:
    """Whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def text_of(item: Any) -> str:
    """A text, also one of bytes, cut short enough for a message."""
    return short(str(item, "utf-8", "replace") if isinstance(item, bytes) else item)


def short(item: object) -> str:
    """A value as text, cut short enough for a message."""
    text = str(item)
    return text if len(text) <= 40 else f"{text[:37]}…"


def _holds_masked(value: object) -> bool:
    """Whether this is a masked array, or a list that holds one; a look at the types, as lists may be long."""
    if not isinstance(value, list | tuple):
        return isinstance(value, np.ma.MaskedArray)
    kinds = set(map(type, value))
    if any(issubclass(kind, np.ma.MaskedArray) for kind in kinds):
        return True
    return any(issubclass(kind, list | tuple) for kind in kinds) and any(map(_holds_masked, value))


def _unmasked(value: Any) -> Any:
    """Masked values, also in lists, with None in their places: NumPy's arrays would forget the mask."""
    if isinstance(value, np.ma.MaskedArray):
        if not np.ma.is_masked(value):
            return value.data
        filled = value.data.astype(object)
        filled[np.ma.getmaskarray(value)] = None
        return filled if value.ndim else None
    if isinstance(value, list | tuple):
        items = [_unmasked(item) for item in value]
        return [item.tolist() if isinstance(item, np.ndarray) and item.dtype == object else item for item in items]
    return value
