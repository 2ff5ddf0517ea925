"""What gives classes, targets or labels, and how it is judged by them: a network or an ensemble."""

import abc
import os
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float
from numpy.typing import ArrayLike

from nnjax.data import Preprocessing, Words
from nnjax.data.frames import read_frame
from nnjax.data.inputs import is_sparse, read_sparse
from nnjax.results import judged
from nnjax.results.given import Inputs, is_table, is_text, texts_of, weights_of
from nnjax.sparse import Sparse
from nnjax.tasks import CLASSIFICATION, task_of
from nnjax.validation import UserError


class Answer(NamedTuple):
    """What is said of N examples."""

    said: np.ndarray  # numbers of classes [N]; targets in their units [N] or [N, C]; labels [N, C]
    probability: np.ndarray | None  # of each class or label [N, C]; None of a regression


class Predictor(abc.ABC):
    """What answers for inputs ``[N, D]``, and of a table for frames, of texts for these.

    Attributes:
        classes, inputs: C and D.
        class_names: what its classes are called, in order; nothing where they are numbers.
        preprocessing: what made the inputs of a table's columns, or of texts; None where it was trained on
            neither.
        task: classification, regression or multilabel.

    What was trained on a table takes a frame, or a file, wherever it takes inputs ``x``, and what was trained on
    texts a list of them; they then say and take labels as the target's column has them.
    """

    def __init__(
        self,
        *,
        classes: int,
        inputs: int,
        class_names: tuple[str, ...] = (),
        preprocessing: Preprocessing | Words | None = None,
        task: str = CLASSIFICATION,
    ) -> None:
        self.classes = classes
        self.inputs = inputs
        self.class_names = class_names
        self.preprocessing = preprocessing
        self.task = task

    @abc.abstractmethod
    def answer(self, x: Inputs) -> Answer:
        """What is said of inputs."""

    def predict_proba(self, x: Inputs) -> Float[np.ndarray, "N C"]:
        """The probability of each class, ``[N, C]``, rows adding up to 1; of several labels that of each.

        Raises:
            UserError: of a regression, which has none.
        """
        if self.task == "regression":
            raise UserError("a regression has no probabilities: predict gives its targets")
        probability = self.answer(x).probability
        assert probability is not None
        return probability

    def predict(self, x: Inputs) -> np.ndarray:
        """The likeliest class ``[N]``, the first of equal ones: its number, or of a frame its label.

        Of a regression the targets in their units, ``[N]`` of one target and else ``[N, C]``; of several labels a
        row of 0 and 1, 1 where the probability is more than ½.
        """
        said = self.answer(x).said
        if self.task != CLASSIFICATION or self.preprocessing is None or not self._is_raw(x):
            return said
        return np.array(self.preprocessing.labels)[said]

    def score(self, x: Inputs, y: ArrayLike, weight: ArrayLike | None = None) -> float:
        """The share of examples that are given to their class ``y``; of a regression R², of labels macro F1.

        Args:
            x: inputs ``[N, D]``.
            y: what is true of them, as `predict` gives it.
            weight: of each example ``[N]``; None: all count alike.

        Raises:
            UserError: for targets or weights of another shape.
        """
        said = self.answer(x).said
        true, weights = self._true(x, y, len(said)), weights_of(weight, len(said))
        return judged.SCORES[self.task](true, said.reshape(true.shape), weights)

    def by_class(self, x: Inputs, y: ArrayLike, weight: ArrayLike | None = None) -> xr.Dataset:
        """Precision, recall, F1, ROC AUC, calibration error and support of each class or label, by scikit-learn.

        Args:
            x, y, weight: as `score` takes them.

        Raises:
            UserError: of a regression, which has no classes.
        """
        if self.task == "regression":
            raise UserError("a regression has no classes by which it could be judged: score gives its R²")
        said, probability = self.answer(x)
        assert probability is not None
        true = self._true(x, y, len(said))
        if self.task == CLASSIFICATION:
            true, said = (np.eye(self.classes, dtype=int)[each] for each in (true, said))
        names = self.class_names or range(self.classes)
        return judged.by_class(true, said, probability, weights_of(weight, len(said)), names)

    def confusion_matrix(self, x: Inputs, y: ArrayLike) -> np.ndarray | xr.DataArray:
        """How many examples of each class, by row, were given to each class, by column ``[C, C]``.

        Where the classes have names, both dimensions, ``class`` and ``given``, are labelled by them.
        """
        if self.task != CLASSIFICATION:
            words = task_of(self.task).words
            raise UserError(f"a confusion matrix is of a classification, and this is {words}")
        given = self.answer(x).said
        counts = np.zeros((self.classes, self.classes), int)
        np.add.at(counts, (self._labels(x, y, len(given)), given), 1)
        if not self.class_names:
            return counts
        names = np.array(self.class_names, object)
        return xr.DataArray(counts, {"class": names, "given": names}, ("class", "given"))

    def inputs_of(self, x: Inputs) -> np.ndarray | Sparse:
        """The inputs ``[N, D]`` of a network in what is given.

        Raises:
            UserError: for inputs of another shape, and a frame that isn't like the table.
        """
        inputs = self._read(x)
        if inputs.ndim != 2 or inputs.shape[1] != self.inputs:
            raise UserError(f"x has the shape {list(inputs.shape)}, and must have [N, {self.inputs}]")
        return inputs

    def _read(self, x: Any) -> np.ndarray | Sparse:
        if is_sparse(x):
            return read_sparse(x, "x")
        if self.preprocessing is None or not self._is_raw(x):
            return np.asarray(x)
        if isinstance(self.preprocessing, Words):
            return self.preprocessing.inputs_of(texts_of(x, self.preprocessing.column))
        path = os.fspath(x) if isinstance(x, str | os.PathLike) else "the frame"
        return self.preprocessing.inputs_of(read_frame(x).frame, path)

    def _true(self, x: Any, y: ArrayLike, count: int) -> np.ndarray:
        """What is true of N examples: numbers of classes ``[N]``, or targets or labels ``[N, C]``."""
        if self.task == CLASSIFICATION:
            return self._labels(x, y, count)
        targets, wanted = np.asarray(y), (count, self.classes)
        if targets.shape != wanted and (self.classes > 1 or targets.shape != wanted[:1]):
            raise UserError(f"y has the shape {list(targets.shape)}, and must have {list(wanted)}")
        return targets.reshape(wanted)

    def _is_raw(self, x: Any) -> bool:
        """Whether these are texts or a table, and no inputs."""
        return is_table(x) or (isinstance(self.preprocessing, Words) and is_text(x))

    def _labels(self, x: Any, y: ArrayLike, count: int) -> np.ndarray:
        labels = np.asarray(y)
        if self.preprocessing is not None and self._is_raw(x):
            labels = self.preprocessing.numbers_of(labels)
        if labels.shape != (count,) or labels.dtype.kind not in "iu":
            raise UserError(
                f"y has the shape {list(labels.shape)}, and must be one class number for each example of x"
            )
        if labels.size and not 0 <= labels.min() <= labels.max() < self.classes:
            held = f"classes from {labels.min()} to {labels.max()}"
            raise UserError(f"y holds {held}, and must hold 0 to {self.classes - 1}")
        return labels
