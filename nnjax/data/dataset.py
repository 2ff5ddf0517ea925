"""A data set: three splits of labelled examples, checked when it is made."""

import hashlib
import json
import numbers
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import jax
import numpy as np

from nnjax.config import DataConfig
from nnjax.data.arrays import kind_of
from nnjax.data.inputs import TINY, check_scaled, is_sparse, read_inputs, read_sparse, read_stored
from nnjax.data.notes import notes_on, notes_on_targets, unscaled
from nnjax.data.preprocess import Preprocessing
from nnjax.data.stored import WINDOW_BYTES, Stored, windows
from nnjax.data.targets import Standard, outputs_of, read_targets, read_weights, task_from, units_of
from nnjax.data.words import Words
from nnjax.sparse import Sparse
from nnjax.tasks import AUTO, CLASSIFICATION, counted
from nnjax.types import Examples, Weighted
from nnjax.validation import UserError

SPLITS = ("train", "valid", "test")
Split = TypeVar("Split", Examples, Weighted)
MOST_CLASSES = 2**31 - 1
"""What the integers of the devices hold."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training, validation and test examples as NumPy arrays, bytes where the source has bytes.

    A training step divides ``x`` by ``scale``, so inputs of images lie in [0, 1]. Each split is given as a pair
    ``(x, y)`` of whatever holds numbers; `nnjax.data.inputs` and `nnjax.data.labels` say what is taken.
    Matrices of `scipy.sparse` stay sparse. What is in a file, `nnjax.data.Stored` or a memory map of more than
    64 MB, stays there, and an epoch reads it a window at a time.

    What a network learns of them, the ``task``, follows from the targets: whole numbers are classes, real ones
    targets of a regression; ``task="multilabel"`` takes rows of 0 and 1. A split may be a triple ``(x, y,
    weight)`` whose weights say how much each example counts, in training and in what is measured.

    Raises:
        UserError: when a split is no such pair or empty, its shapes disagree, a label is not one of 0 … C−1, a
            target is missing, or an input is missing, not finite or, also divided by the scale, too large for 32
            bits.
    """

    name: str
    train: Examples | Weighted
    """x [N, D] uint8 or float, y [N] int32; real targets are [N] or [N, C] float64, several labels [N, C] uint8;
    likewise valid and test, with their own N."""
    valid: Examples | Weighted
    test: Examples | Weighted
    classes: int = None  # type: ignore[assignment]
    """C, how many classes there are, or targets, or labels; where it isn't given, as many as the targets show."""
    scale: float = 1.0
    """The largest value an input can take: 255 for images, 16 for digits; 1 where inputs are standardised."""
    config: DataConfig | None = None
    """What `load_data` loaded it by; None for a data set of one's own."""
    class_names: tuple[str, ...] = ()
    """What the classes are called, in order; nothing where they are numbers."""
    preprocessing: Preprocessing | Words | None = None
    """What made the inputs of a table's columns, or of texts; None where they are as they were given."""
    remarks: tuple[str, ...] = ()
    """What its source has to say of it, a sentence each."""
    task: str = AUTO
    """classification, regression or multilabel; auto follows from the targets, and is one of these afterwards."""
    units: str | tuple[str, ...] = ""
    """The unit of real targets, such as "mg", or one for each of several."""
    standardised: bool = True
    """Whether real targets are learned less their mean, over their deviation, and not as they are."""
    vectors: np.ndarray | None = None
    """[D, F], with which the vectors of words start in a dan; NaN where one is drawn. None for all."""

    @cached_property
    def standard(self) -> Standard | None:
        """What real targets are learned less, and what divides them; None of classes and labels."""
        if self.task != "regression":
            return None
        return Standard.of(self.train.y) if self.standardised else Standard.nothing(self.classes)

    @cached_property
    def learned(self) -> tuple[Examples | Weighted, ...]:
        """Training, validation and test examples as a network learns them: real targets standardised, [N, C]."""
        splits = (self.train, self.valid, self.test)
        if self.standard is None:
            return splits
        return tuple(split._replace(y=self.standard.apply(split.y)) for split in splits)

    @cached_property
    def together(self) -> Examples | Weighted:
        """All examples as they are learned, in one array: of training, then of validation, then of the test."""
        return type(self.train)(*(np.concatenate(parts) for parts in zip(*self.learned, strict=True)))

    def __str__(self) -> str:
        counts = ", ".join(str(len(split.y)) for split in (self.train, self.valid, self.test))
        return (
            f"{self.name}: {counts} examples for training, validation, test; "
            f"{self.inputs} inputs, {counted(self.classes, self.task)}"
        )

    def __post_init__(self) -> None:
        self._check_words()
        where = {split: f"the {split} split of {self.name}" for split in SPLITS}
        given = {split: _pair(getattr(self, split), split, where[split]) for split in SPLITS}
        targets = {split: parts[1] for split, parts in given.items()}
        said: Any = self.classes
        task = task_from(self.task, said, targets)
        if said is None:
            seen = targets.values() if task == CLASSIFICATION else [targets["train"]]
            object.__setattr__(self, "classes", max(outputs_of(task, y) for y in seen))
        object.__setattr__(self, "task", task)
        object.__setattr__(self, "classes", self._whole_classes())
        object.__setattr__(self, "units", units_of(self.units, task, self.classes, self.name))
        object.__setattr__(self, "scale", self._float_scale())
        object.__setattr__(self, "class_names", self._names())
        for split, (given_x, given_y, *weight) in given.items():
            x, y = _read(given_x, where[split]), read_targets(given_y, task, self.classes, where[split])
            if len(x) != len(y):
                words = "targets" if task == "regression" else "labels"
                raise UserError(
                    f"{where[split]} has {len(x)} inputs and {len(y)} {words}, and must have as many of both"
                )
            check_scaled(x, self.scale, where[split])
            object.__setattr__(self, split, Examples(x, y))
            if x.shape[1] != self.inputs:
                raise UserError(f"{where[split]} has {x.shape[1]} inputs, and the train split has {self.inputs}")
            if isinstance(x, Sparse) != isinstance(self.train.x, Sparse):
                raise UserError(f"some splits of {self.name} are sparse, and all must be, or none")
            if any(len(parts) == 3 for parts in given.values()):  # all count alike in a split without weights
                weights = read_weights(weight[0], len(x), where[split]) if weight else np.ones(len(x))
                object.__setattr__(self, split, Weighted(x, y, weights))

    @property
    def inputs(self) -> int:
        """D, how many inputs an example has."""
        return int(self.train.x.shape[1])

    @property
    def is_stored(self) -> bool:
        """Whether inputs stay in their file."""
        return any(isinstance(getattr(self, split).x, Stored) for split in SPLITS)

    @property
    def places(self) -> int | None:
        """K, how many places of an example are read where inputs are sparse; None where they aren't."""
        return int(self.train.x.places.shape[1]) if isinstance(self.train.x, Sparse) else None

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is worth saying of the splits, a sentence each: classes that training never sees, and the like."""
        splits = {"training": self.train, "validation": self.valid, "test": self.test}
        # A function of the user's own has split them itself.
        named = self.config is not None and isinstance(self.config.name, str)
        split_here = self.preprocessing is not None
        if self.task == CLASSIFICATION:
            labels = {name: split.y for name, split in splits.items()}
            of_splits = notes_on(labels, self.classes, named and not split_here, self.class_names)
        else:
            of_splits = notes_on_targets(self.train.y, self.test.y, self.task)
        if isinstance(self.train.x, Sparse):
            return (*self.remarks, *of_splits)
        seen = self.train.x
        if isinstance(seen, Stored):
            of_splits = (seen.described(), *of_splits)
            seen = seen.read(np.linspace(0, len(seen) - 1, 1000, dtype=int))
        names = () if self.preprocessing is None else self.preprocessing.inputs
        mend = (
            "data.scaling standard scales them" if split_here else "nnjax.load_table scales them, or scikit-learn"
        )
        return (*self.remarks, *of_splits, *unscaled(seen, self.scale, names, mend))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that training sees: data sets with the same one are the same under two names."""
        task = [] if self.task == CLASSIFICATION else [self.task]
        task += [] if self.standardised else ["as they are"]
        digest = hashlib.sha256(json.dumps([self.classes, self.scale, *task]).encode())
        if isinstance(self.train.x, Sparse):
            digest.update(json.dumps(self.inputs).encode())
        for array in jax.tree.leaves([getattr(self, split) for split in SPLITS]):
            digest.update(json.dumps([array.dtype.str, array.shape]).encode())
            for part in _parts(array):
                digest.update(np.ascontiguousarray(part).data)
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


def split_train(examples: Split, valid_fraction: float, seed: int | None) -> tuple[Split, Split]:
    """Cut a training set in two: its first part trains, its last round(N · valid_fraction) examples validate.

    Args:
        examples: x [N, D], y [N] or [N, C], and what they weigh where they are `nnjax.data.Weighted`.
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
    parts = list(examples)
    if seed is not None:
        # RandomState, since its stream is frozen (NEP 19): a seed means the same split in every NumPy.
        order = np.random.RandomState(seed).permutation(count)
        parts = [part[order] for part in parts]
    kind = type(examples)
    return kind(*(part[:cut] for part in parts)), kind(*(part[cut:] for part in parts))


def _read(x: Any, where: str) -> Any:
    """The inputs of a split, as they are held."""
    if isinstance(x, np.memmap) and x.nbytes > WINDOW_BYTES:
        x = Stored(x)
    if isinstance(x, Stored):
        return read_stored(x, where)
    return read_sparse(x, where) if is_sparse(x) else read_inputs(x, where)


def _parts(array: Any) -> Iterator[np.ndarray]:
    """An array in parts that fit in memory."""
    if not isinstance(array, Stored):
        yield array
        return
    for places in windows(len(array), array.window, array.window):
        yield array.read(places)


def _pair(given: Any, split: str, where: str) -> tuple[Any, ...]:
    if isinstance(given, tuple | list) and len(given) in (2, 3):
        return tuple(given)
    hint = ": nnjax.data.split_train cuts one off the training set" if given is None and split == "valid" else ""
    raise UserError(
        f"{where} is {kind_of(given)}, and must be a pair (x, y) of inputs [N, D] and labels [N]{hint}"
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
