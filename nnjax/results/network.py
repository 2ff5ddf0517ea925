"""A trained network: it predicts, as it was trained to."""

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float
from numpy.typing import ArrayLike

from nnjax.config import Config
from nnjax.data import Preprocessing, Words
from nnjax.data.frames import read_frame
from nnjax.data.inputs import is_sparse, read_sparse
from nnjax.data.targets import Standard
from nnjax.nn.layers import layer_names
from nnjax.nn.models import Network as Module
from nnjax.nn.models import call, network_of
from nnjax.results import judged
from nnjax.results.forward import read_program
from nnjax.results.given import Inputs, is_table, is_text, texts_of, weights_of
from nnjax.sparse import Sparse
from nnjax.tasks import CLASSIFICATION, counted, task_of
from nnjax.types import Params
from nnjax.validation import UserError

BLOCK, OF_TEXTS = 10_000, 500
"""Examples that are put through a network at a time, and those with sparse inputs."""


class Network:
    """A trained network.

    Attributes:
        config: the setting that it was trained with.
        params: its parameters, a Flax parameter tree.
        classes, inputs: C and D.
        scale: what its inputs are divided by, as they were in training.
        class_names: what its classes are called, in order; nothing where they are numbers.
        preprocessing: what made the inputs of a table's columns, or of texts; None where it was trained on
            neither.
        task: classification, regression or multilabel.
        standard: of a regression what brings outputs into the units of the targets.

    What was trained on a table takes a frame, or a file, wherever it takes inputs ``x``, and what was trained on
    texts a list of them; they then say and take labels as the target's column has them.
    """

    def __init__(
        self,
        config: Config,
        params: Params,
        *,
        classes: int,
        inputs: int,
        scale: float,
        program: bytes | None = None,
        class_names: tuple[str, ...] = (),
        preprocessing: Preprocessing | Words | None = None,
        task: str = CLASSIFICATION,
        standard: Standard | None = None,
    ) -> None:
        self.config = config
        self.params = params
        self.classes = classes
        self.inputs = inputs
        self.scale = scale
        self.class_names = class_names
        self.preprocessing = preprocessing
        self.task = task
        self.standard = standard
        self._reads_sparse = program is None
        self._forward = self._by_module() if program is None else read_program(program)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {dict(_sizes(self.params, name))}" for name in layer_names(self.params))
        outputs = counted(self.classes, self.task)
        return f"<Network {self.config.model} of {self.inputs} inputs and {outputs}: {sizes}>"

    @property
    def module(self) -> Module:
        """The Flax module, whose ``apply({"params": network.params}, x / network.scale)`` gives logits.

        Raises:
            UserError: where a part of the user's own isn't to be found here.
        """
        return network_of(self.config, self.classes, self.inputs)

    def logits(self, x: Inputs) -> Float[np.ndarray, "N C"]:
        """The outputs of the network for inputs ``[N, D]``, in the units of the data that it was trained on.

        Those of a regression are standardised: `predict` gives them in the units of the targets.

        Raises:
            UserError: for inputs of another shape, and a frame that isn't like the table.
        """
        inputs = self._inputs(x)
        if inputs.ndim != 2 or inputs.shape[1] != self.inputs:
            raise UserError(f"x has the shape {list(inputs.shape)}, and must have [N, {self.inputs}]")
        block = OF_TEXTS if isinstance(inputs, Sparse) else BLOCK
        blocks = [self._block(inputs[i : i + block]) for i in range(0, len(inputs), block)]
        return np.concatenate(blocks) if blocks else np.zeros((0, self.classes), np.float32)

    def predict_proba(self, x: Inputs) -> Float[np.ndarray, "N C"]:
        """The probability of each class, ``[N, C]``, rows adding up to 1; of several labels that of each.

        The softmax of the outputs; after training with binary_cross_entropy their logistic function, and with mse,
        which makes the outputs themselves probabilities, the outputs between 0 and 1, divided by their row's sum.

        Raises:
            UserError: of a regression, which has none.
        """
        if self.task == "regression":
            raise UserError("a regression has no probabilities: predict gives its targets")
        return self._probabilities(self.logits(x))

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        """The probabilities that outputs ``[N, C]`` say."""
        outputs = jnp.asarray(logits)
        if self.task == "multilabel":
            return np.asarray(jax.nn.sigmoid(outputs))
        if self.config.loss not in ("binary_cross_entropy", "mse"):
            return np.asarray(jax.nn.softmax(outputs))
        shares = jax.nn.sigmoid(outputs) if self.config.loss == "binary_cross_entropy" else jnp.clip(outputs, 0, 1)
        total = jnp.sum(shares, axis=1, keepdims=True)
        return np.asarray(jnp.where(total > 0, shares / jnp.where(total > 0, total, 1), 1 / self.classes))

    def predict(self, x: Inputs) -> np.ndarray:
        """The class with the largest output ``[N]``, the first of equal ones: its number, or of a frame its label.

        Of a regression the targets in their units, ``[N]`` of one target and else ``[N, C]``; of several labels a
        row of 0 and 1, 1 where the probability is more than ½.
        """
        said = self._said(self.logits(x))
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
        said = self._said(self.logits(x))
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
        outputs = self.logits(x)
        probability, said = self._probabilities(outputs), self._said(outputs)
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
        given = self._said(self.logits(x))
        counts = np.zeros((self.classes, self.classes), int)
        np.add.at(counts, (self._labels(x, y, len(given)), given), 1)
        if not self.class_names:
            return counts
        names = np.array(self.class_names, object)
        return xr.DataArray(counts, {"class": names, "given": names}, ("class", "given"))

    def _said(self, outputs: np.ndarray) -> np.ndarray:
        """What outputs ``[N, C]`` say: numbers of classes, targets in their units, or labels."""
        if self.standard is not None:
            return self.standard.undo(outputs.astype(np.float64))
        return (outputs > 0).astype(np.uint8) if self.task == "multilabel" else outputs.argmax(axis=1)

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

    def _inputs(self, x: Any) -> np.ndarray | Sparse:
        if is_sparse(x):
            return read_sparse(x, "x")
        if self.preprocessing is None or not self._is_raw(x):
            return np.asarray(x)
        if isinstance(self.preprocessing, Words):
            return self.preprocessing.inputs_of(texts_of(x, self.preprocessing.column))
        path = os.fspath(x) if isinstance(x, str | os.PathLike) else "the frame"
        return self.preprocessing.inputs_of(read_frame(x).frame, path)

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

    def _by_module(self) -> Callable[[Params, Any, Any], Any]:
        module = self.module
        return jax.jit(lambda params, x, slope: call(module, params, x, slope=slope))

    def _block(self, x: np.ndarray | Sparse) -> np.ndarray:
        # As in training: times the inverse of the scale, in 32 bits.
        factor = 1 / jnp.float32(self.scale)
        inputs: Any
        if isinstance(x, Sparse):
            inputs = Sparse(jnp.asarray(x.places), jnp.asarray(x.values, jnp.float32) * factor, x.inputs)
            inputs = inputs if self._reads_sparse else inputs.dense()
        else:
            inputs = jnp.asarray(x, jnp.float32) * factor
        return np.asarray(self._forward(self.params, inputs, jnp.float32(self.config.activation_slope)))


def _sizes(params: Params, layer: str) -> Any:
    for step in layer.split("/") if layer else []:
        params = params[step]
    return ((name, "×".join(map(str, leaf.shape))) for name, leaf in params.items() if hasattr(leaf, "shape"))
