"""The inputs of a split: which are taken, and what is said of the others.

What holds real numbers is taken where nothing is lost. What lacks a value, or doesn't fit in the 32 bits that
networks train in, is refused in a sentence that names the place and, where there is one, the call that mends it.
"""

import math
from typing import Any, NoReturn, cast

import jax.numpy as jnp
import numpy as np

from nnjax.data.arrays import LARGEST, a_type, array_of, is_missing, is_number, is_real, short, text_of
from nnjax.data.stored import Stored, windows
from nnjax.sparse import Sparse
from nnjax.validation import UserError

WHOLE = 2**24
"""The magnitude up to which float32 holds every whole number."""
TINY = float(np.finfo(np.float32).tiny)
"""The smallest number that float32 holds in full; XLA takes a smaller one for 0."""


def read_inputs(value: object, where: str) -> np.ndarray:
    """The inputs of a split: [N, D], uint8 where they were bytes or booleans, else floating point.

    Args:
        value: what the user gave.
        where: which split it is, for a message.

    Raises:
        UserError: for what is no array of finite real numbers of 32 bits.
    """
    array = array_of(value, f"the inputs of {where}", "[N, D]")
    if array.dtype.names is not None:
        raise UserError(
            f"{where} has inputs that are records with the fields {', '.join(array.dtype.names)}, and they must "
            "be one array: give numpy.lib.recfunctions.structured_to_unstructured(x)"
        )
    if array.ndim != 2:
        raise UserError(
            f"{where} has inputs of shape {array.shape}, and they must be [N, D]{_reshaped(value, array)}"
        )
    if array.size == 0:
        raise UserError(f"{where} is empty: its inputs have the shape {array.shape}")
    if array.dtype == object:
        array = _numbers(array, where)
    kind = array.dtype.kind
    if kind == "V" and jnp.issubdtype(array.dtype, np.number):  # bfloat16 and other types of few bits
        array, kind = array.astype(np.float32), "f"
    if kind in "US":
        text = text_of(array.flat[0])
        mend = ": give x.astype(float)" if is_number(text) else ""
        raise UserError(f"{where} holds the text {text!r} at {_place((0, 0))}, and inputs must be numbers{mend}")
    if kind not in "biuf":
        words = "real numbers: give x.real or np.abs(x)" if kind == "c" else "numbers"
        raise UserError(f"{where} has inputs of type {array.dtype}, and they must be {words}")
    if kind == "b":
        return array.astype(np.uint8)
    if array.dtype == np.uint8:
        return array
    return _whole(array, where) if kind in "iu" else _finite(array, where)


def is_sparse(value: object) -> bool:
    """Whether it is a sparse matrix or array, of nnjax or of SciPy."""
    return isinstance(value, Sparse) or (hasattr(value, "tocsr") and hasattr(value, "nnz"))


def read_sparse(value: Any, where: str) -> Sparse:
    """The inputs of a split that are sparse: [N, D] float32.

    Raises:
        UserError: for what is empty or no matrix, or holds what is no finite real number of 32 bits.
    """
    if len(value.shape) != 2 or 0 in value.shape:
        raise UserError(f"{where} has sparse inputs of shape {value.shape}, and they must be [N, D], both above 0")
    numbers = value.values if isinstance(value, Sparse) else value.data
    if value.dtype.kind not in "biuf":
        raise UserError(f"{where} has sparse inputs of type {value.dtype}, and they must be real numbers")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        wrong = np.flatnonzero(~np.isfinite(np.asarray(numbers, np.float32)))
    if wrong.size:
        raise UserError(
            f"{where} holds {np.asarray(numbers).flat[wrong[0]]} among its sparse inputs, and they must be finite "
            "numbers of 32 bits"
        )
    return value if isinstance(value, Sparse) else Sparse.of(value)


def read_stored(value: Stored, where: str) -> Stored:
    """The inputs of a split that stay in their file: all are looked at once, a window at a time.

    Raises:
        UserError: for what is no array of finite real numbers of 32 bits.
    """
    if value.ndim != 2 or 0 in value.shape:
        raise UserError(f"{where} has stored inputs of shape {value.shape}, and they must be [N, D], both above 0")
    kind = np.dtype(value.source.dtype).kind
    if kind not in "biuf":
        raise UserError(f"{where} has stored inputs of type {value.source.dtype}, and they must be real numbers")
    if value.extremes is None:
        least, largest = np.inf, -np.inf
        for places in windows(len(value), value.window, value.window):
            part = value.raw(places)
            if value.dtype != np.uint8:
                (_whole if kind in "iu" else _finite)(part, where, int(places[0]))
            least, largest = min(least, float(part.min())), max(largest, float(part.max()))
        value.extremes = least, largest
    return value


def check_scaled(x: np.ndarray | Sparse | Stored, scale: float, where: str) -> None:
    """Refuse inputs that leave the 32 bits that networks train in when a step divides them by the scale.

    Raises:
        UserError: naming the input, its place and the scale.
    """
    numbers: Any = x.values if isinstance(x, Sparse) else x
    least, largest = x.extremes if isinstance(x, Stored) and x.extremes else (numbers.min(), numbers.max())
    largest = max(float(largest), -float(least))
    if largest / scale > LARGEST:
        numbers = np.asarray(numbers)
        place = np.unravel_index(np.argmax(np.abs(numbers.astype(float))), numbers.shape)
        at = (place[0], x.places[place]) if isinstance(x, Sparse) else place
        raise UserError(
            f"{where} holds {numbers[place]} at {_place(at)}, which the scale {scale:g} takes out of the 32 bits "
            "that networks train in"
        )
    if largest > 0 and min(largest, largest / scale) < TINY:
        raise UserError(
            f"the largest input of {where} is {largest:g}, which divided by the scale {scale:g} is 0 in the 32 "
            "bits that networks train in"
        )


def _numbers(array: np.ndarray, where: str) -> np.ndarray:
    """An array of objects that are all numbers, as an array of numbers."""
    for place, item in np.ndenumerate(array):
        if is_missing(item):
            raise UserError(f"{where} has no value at {_place(place)}, and every input must be a number")
        if not is_real(item):
            words = f"the text {text_of(item)!r}" if isinstance(item, str | bytes) else a_type(item)
            raise UserError(f"{where} holds {words} at {_place(place)}, and inputs must be numbers")
        size = abs(cast(float, item))
        if LARGEST < size < math.inf:
            _complain_of_size(item, place, where)
    return array.astype(float)


def _whole(array: np.ndarray, where: str, first: int = 0) -> np.ndarray:
    """Whole numbers as floating point; ``first`` is the number of the first example."""
    wrong = np.argwhere((array > WHOLE) | (array < -WHOLE))
    if wrong.size:
        place = tuple(wrong[0])
        raise UserError(
            f"{where} holds the whole number {array[place]} at {_place(place, first)}, and 32 bits hold every "
            f"whole number only up to {WHOLE}: give x.astype(np.float32) to round them"
        )
    return array.astype(np.float32)


def _finite(array: np.ndarray, where: str, first: int = 0) -> np.ndarray:
    """Floating point that is finite in 32 bits; likewise."""
    # Most arrays are found right without a copy of them.
    wrong = np.empty((0, 2), int)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if not (float(array.min()) >= -LARGEST and float(array.max()) <= LARGEST):
            wrong = np.argwhere(~np.isfinite(array.astype(np.float32)))
    if wrong.size:
        place = tuple(wrong[0])
        if np.isfinite(array[place]):
            _complain_of_size(array[place], place, where, first)
        raise UserError(f"{where} holds {array[place]} at {_place(place, first)}, and inputs must be finite")
    # A long double has no place on a device, and gains nothing: inputs train in 32 bits.
    return array.astype(np.float64) if array.dtype.itemsize > 8 else array


def _complain_of_size(item: Any, place: Any, where: str, first: int = 0) -> NoReturn:
    raise UserError(
        f"{where} holds {short(item)} at {_place(place, first)}, and inputs must be at most 3.4e+38 in magnitude, "
        "the largest number of the 32 bits that networks train in"
    )


def _reshaped(value: object, array: np.ndarray) -> str:
    if array.size == 0:
        return ""
    method = hasattr(value, "reshape")
    if array.ndim == 1:
        return f": give {'x.reshape(-1, 1)' if method else 'np.reshape(x, (-1, 1))'} for one input each"
    return f": give {'x.reshape(len(x), -1)' if method else 'np.reshape(x, (len(x), -1))'}"


def _place(place: Any, first: int = 0) -> str:
    example, column = map(int, place)
    return f"example {first + example}, input {column} (counted from 0)"
