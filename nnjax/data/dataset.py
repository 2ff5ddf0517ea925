"""A data set: three splits of labelled examples, checked when it is made."""

import functools
import hashlib
import json
import numbers
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nnjax.config import DataConfig
from nnjax.data.arrays import kind_of
from nnjax.data.inputs import TINY, check_scaled, read_inputs
from nnjax.data.labels import read_labels
from nnjax.data.notes import notes_on, unscaled
from nnjax.data.preprocess import Preprocessing
from nnjax.types import Examples
from nnjax.validation import UserError

SPLITS = ("train", "valid", "test")
MOST_CLASSES = 2**31 - 1
"""What the integers of the devices hold."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training, validation and test examples as NumPy arrays, bytes where the source has bytes.

    A training step divides ``x`` by ``scale``, so inputs of images lie in [0, 1]. Each split is given as a pair
    ``(x, y)`` of whatever holds numbers; `nnjax.data.inputs` and `nnjax.data.labels` say what is taken.

    Raises:
        UserError: when a split is no such pair or empty, its shapes disagree, a label is not one of 0 … C−1, or an
            input is missing, not finite or, also divided by the scale, too large for 32 bits.
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
    class_names: tuple[str, ...] = ()
    """What the classes are called, in order; nothing where they are numbers."""
    preprocessing: Preprocessing | None = None
    """What made the inputs of a table's columns; None where they are as they were given."""
    remarks: tuple[str, ...] = ()
    """What its source has to say of it, a sentence each."""

    @functools.cached_property
    def together(self) -> Examples:
        """All examples in one array: those of training, then of validation, then of the test."""
        splits = (self.train, self.valid, self.test)
        return Examples(*(np.concatenate(parts) for parts in zip(*splits, strict=True)))

    def __str__(self) -> str:
        counts = ", ".join(str(len(split.y)) for split in (self.train, self.valid, self.test))
        return (
            f"{self.name}: {counts} examples for training, validation, test; "
            f"{self.inputs} inputs, {self.classes} classes"
        )

    def __post_init__(self) -> None:
        self._check_words()
        object.__setattr__(self, "classes", self._whole_classes())
        object.__setattr__(self, "scale", self._float_scale())
        object.__setattr__(self, "class_names", self._names())
        for split in SPLITS:
            where = f"the {split} split of {self.name}"
            given_x, given_y = _pair(getattr(self, split), split, where)
            x, y = read_inputs(given_x, where), read_labels(given_y, self.classes, where)
            if len(x) != len(y):
                raise UserError(f"{where} has {len(x)} inputs and {len(y)} labels, and must have as many of both")
            check_scaled(x, self.scale, where)
            object.__setattr__(self, split, Examples(x, y))
            if x.shape[1] != self.inputs:
                raise UserError(f"{where} has {x.shape[1]} inputs, and the train split has {self.inputs}")

    @property
    def inputs(self) -> int:
        """D, how many inputs an example has."""
        return int(self.train.x.shape[1])

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is worth saying of the splits, a sentence each: classes that training never sees, and the like."""
        splits = {"training": self.train, "validation": self.valid, "test": self.test}
        # A function of the user's own has split them itself.
        named = self.config is not None and isinstance(self.config.name, str)
        of_table = self.preprocessing is not None
        of_splits = notes_on(splits, self.classes, named and not of_table, self.class_names)
        names = () if self.preprocessing is None else self.preprocessing.inputs
        mend = "data.scaling standard scales them" if of_table else "nnjax.load_table scales them, or scikit-learn"
        return (*self.remarks, *of_splits, *unscaled(self.train.x, self.scale, names, mend))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that training sees: data sets with the same one are the same under two names."""
        digest = hashlib.sha256(json.dumps([self.classes, self.scale]).encode())
        for array in (array for split in SPLITS for array in getattr(self, split)):
            digest.update(json.dumps([array.dtype.str, array.shape]).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _check_words(self) -> None:
        if not isinstance(self.name, str):
            raise UserError(f"the name of a data set is {_shown(self.name)}, and must be a text")
        if not self.name.strip() or not self.name.isprintable():
            raise UserError(f"the name of a data set is {_shown(self.name)}, and must be a text of one line")
        if not isinstance(self.config, DataConfig | None):
            raise UserError(
                f"the config of {self.name} is {_shown(self.config)}, and must be a DataConfig or None"
            )

    def _whole_classes(self) -> int:
        given: Any = self.classes
        if isinstance(given, bool) or not isinstance(given, numbers.Integral):
            raise UserError(f"{self.name} has {_shown(given)} classes, and must have a whole number of them")
        classes = int(given)
        if classes < 1:
            raise UserError(f"{self.name} has {classes} classes, and must have at least 1")
        if classes > MOST_CLASSES:
            raise UserError(f"{self.name} has {classes} classes, and must have at most {MOST_CLASSES}")
        return classes

    def _names(self) -> tuple[str, ...]:
        names = tuple(self.class_names)
        if not all(isinstance(name, str) for name in names):
            raise UserError(f"the class names of {self.name} are {_shown(names)}, and must be texts")
        if names and (len(names) != self.classes or len(set(names)) != len(names)):
            raise UserError(
                f"the class names of {self.name} are {_shown(names)}, and must be {self.classes} texts, none twice"
            )
        return names

    def _float_scale(self) -> float:
        given: Any = self.scale
        given = given.item() if getattr(given, "shape", None) == () else given
        if not isinstance(given, int | float) or isinstance(given, bool):
            raise UserError(f"the scale of {self.name} is {_shown(given)}, and must be a number")
        # Compared before it is made a float: a whole number may be too large for one.
        if not 0 < given <= sys.float_info.max:
            raise UserError(f"the scale of {self.name} is {_shown(given)}, and must be positive and finite")
        if not TINY <= given <= 1 / TINY:
            raise UserError(
                f"the scale of {self.name} is {_shown(given)}, and must be from {TINY:.2g} to {1 / TINY:.2g}: "
                "networks train in 32 bits, and its inverse must fit in them too"
            )
        return float(given)


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


def _pair(given: Any, split: str, where: str) -> tuple[Any, Any]:
    if isinstance(given, tuple | list) and len(given) == 2:
        return given[0], given[1]
    hint = ": nnjax.data.split_train cuts one off the training set" if given is None and split == "valid" else ""
    raise UserError(
        f"{where} is {kind_of(given)}, and must be a pair (x, y) of inputs [N, D] and labels [N]{hint}"
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
