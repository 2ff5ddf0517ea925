"""What a trained network is given: inputs, frames, files or texts, and weights."""

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from nnjax.data.columns import check_there
from nnjax.data.frames import read_frame
from nnjax.validation import UserError

Inputs: TypeAlias = ArrayLike | Any
"""Inputs ``[N, D]``, sparse ones too; a frame, or a file, for a network that was trained on a table, and texts, or
a frame with them, for one that was trained on texts."""


def weights_of(weight: ArrayLike | None, count: int) -> np.ndarray | None:
    """The weights of N examples; None where all count alike."""
    weights = None if weight is None else np.asarray(weight, np.float64)
    if weights is not None and weights.shape != (count,):
        raise UserError(f"weight has the shape {list(weights.shape)}, and must be a number for each row of x")
    return weights


def is_text(x: Any) -> bool:
    """Whether these are texts: one, a list or an array of them."""
    if isinstance(x, str):
        return True
    first = next(iter(x), None) if isinstance(x, list | tuple | np.ndarray) or hasattr(x, "to_numpy") else None
    return isinstance(first, str)


def texts_of(x: Any, column: str) -> list[Any]:
    """The texts in a list or, by the name of their column, in a frame."""
    if isinstance(x, str):
        return [x]
    if not is_table(x):
        return list(x)
    frame = read_frame(x).frame
    check_there([column], frame, "the frame")
    return list(frame[column])


def is_table(x: Any) -> bool:
    """Whether these are columns with names, or a file of them, and no array of inputs."""
    names = getattr(getattr(x, "dtype", None), "names", None)
    return isinstance(x, str | os.PathLike | Mapping) or hasattr(x, "columns") or bool(names)
