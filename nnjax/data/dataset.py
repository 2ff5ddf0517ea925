"""A data set: three splits of labelled examples, checked when it is made."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, UInt8

from nnjax.config import DataConfig
from nnjax.types import Examples
from nnjax.validation import UserError

IMAGE_CLASSES = 10
"""Classes of mnist and of the sets made in its likeness."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training, validation and test examples as NumPy arrays, bytes where the source has bytes.

    A training step divides ``x`` by ``scale``, so inputs of images lie in [0, 1].

    Raises:
        UserError: when a split is empty, its shapes disagree, a label is not one of 0 … C−1 or an input is not
            finite.
    """

    name: str
    train: Examples
    """x [N, D] uint8 or float, y [N] int32; likewise valid and test, with their own N."""
    valid: Examples
    test: Examples
    classes: int
    """C, how many classes there are."""
    scale: float
    """The largest value an input can take: 255 for images, 16 for digits."""
    config: DataConfig | None = None
    """What `load_data` loaded it by; None for a data set of one's own."""

    def __str__(self) -> str:
        counts = ", ".join(str(len(split.y)) for split in (self.train, self.valid, self.test))
        return (
            f"{self.name}: {counts} examples for training, validation, test; "
            f"{self.inputs} inputs, {self.classes} classes"
        )

    def __post_init__(self) -> None:
        if self.classes < 1:
            raise UserError(f"{self.name} has {self.classes} classes, and must have at least 1")
        if not 0 < self.scale < np.inf:
            raise UserError(f"the scale of {self.name} is {self.scale}, and must be positive and finite")
        splits = ("train", "valid", "test")
        for split in splits:
            object.__setattr__(self, split, Examples(*map(np.asarray, getattr(self, split))))
        for split in splits:
            x, y = getattr(self, split)
            where = f"the {split} split of {self.name}"
            _check_shapes(x, y, where)
            if x.shape[1] != self.inputs:
                raise UserError(f"{where} has {x.shape[1]} inputs, and the train split has {self.inputs}")
            check_labels(y, self.classes, where)
            _check_inputs(x, where)
            object.__setattr__(self, split, Examples(x, y.astype(np.int32, copy=False)))

    @property
    def inputs(self) -> int:
        """D, how many inputs an example has."""
        return int(self.train.x.shape[1])


def split_train(examples: Examples, valid_fraction: float, seed: int | None) -> tuple[Examples, Examples]:
    """Cut a training set in two: its first part trains, its last round(N · valid_fraction) examples validate.

    Args:
        examples: x [N, D], y [N].
        valid_fraction: between 0 and 1.
        seed: shuffle the examples with this seed first; None leaves their order alone.

    Raises:
        UserError: when one of the parts would be empty.
    """
    count = len(examples.y)
    cut = count - round(count * valid_fraction)
    if not 0 < cut < count:
        raise UserError(
            f"data.valid_fraction is {valid_fraction}, which splits {count} training examples into {cut} "
            f"that train and {count - cut} that validate, and neither may be empty"
        )
    x, y = examples
    if seed is not None:
        # RandomState, since its stream is frozen (NEP 19): a seed means the same split in every NumPy.
        order = np.random.RandomState(seed).permutation(count)
        x, y = x[order], y[order]
    return Examples(x[:cut], y[:cut]), Examples(x[cut:], y[cut:])


def check_labels(labels: Integer[np.ndarray, " N"], classes: int, where: str) -> None:
    """Refuse labels outside 0 … C−1.

    Raises:
        UserError: naming the first such label and its place.
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise UserError(
            f"{where} holds the label {labels[wrong[0]]} at example {wrong[0]} (counted from 0), "
            f"and labels must be 0 to {classes - 1}"
        )


def _check_shapes(x: np.ndarray, y: np.ndarray, where: str) -> None:
    if x.ndim != 2 or y.ndim != 1:
        raise UserError(
            f"{where} has inputs of shape {x.shape} and labels of shape {y.shape}, and they must be [N, D] and [N]"
        )
    if len(x) != len(y):
        raise UserError(f"{where} has {len(x)} inputs and {len(y)} labels, and must have as many of both")
    if x.size == 0:
        raise UserError(f"{where} is empty: its inputs have the shape {x.shape}")
    if x.dtype != np.uint8 and x.dtype.kind != "f":
        raise UserError(f"{where} has inputs of type {x.dtype}, and they must be uint8 or floating point")
    if y.dtype.kind not in "iu":
        raise UserError(f"{where} has labels of type {y.dtype}, and they must be whole numbers")


def _check_inputs(x: UInt8[np.ndarray, "N D"] | Float[np.ndarray, "N D"], where: str) -> None:
    if x.dtype == np.uint8:
        return
    wrong = np.argwhere(~np.isfinite(x))
    if wrong.size:
        example, place = wrong[0]
        raise UserError(
            f"{where} holds {x[example, place]} at example {example}, input {place} (counted from 0), "
            "and inputs must be finite"
        )
