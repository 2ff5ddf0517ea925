"""A trained network: it predicts, as it was trained to."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from nnjax.config import Config
from nnjax.data import Preprocessing, Words
from nnjax.data.targets import Standard
from nnjax.nn.layers import layer_names
from nnjax.nn.models import Network as Module
from nnjax.nn.models import network_of
from nnjax.results.given import Inputs
from nnjax.results.outputs import Outputs
from nnjax.results.predictor import Answer, Predictor
from nnjax.tasks import CLASSIFICATION, counted
from nnjax.types import Params


class Network(Predictor):
    """A trained network.

    Attributes:
        config: the setting that it was trained with.
        params: its parameters, a Flax parameter tree.
        classes, inputs: C and D.
        scale: what its inputs are divided by, as they were in training.
        program: what it computes, where it has a part of the user's own: see `nnjax.results.forward`.
        class_names, preprocessing, task: as in `nnjax.results.predictor.Predictor`.
        standard: of a regression what brings outputs into the units of the targets.
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
        super().__init__(
            classes=classes, inputs=inputs, class_names=class_names, preprocessing=preprocessing, task=task
        )
        self.config = config
        self.params = params
        self.scale = scale
        self.program = program
        self.standard = standard
        self._outputs = self.outputs()

    def outputs(self, several: int | None = None) -> Outputs:
        """What computes the outputs of networks like this one: of one, or of several."""
        module = self.module if self.program is None else self.program
        return Outputs(module, scale=self.scale, slope=self.config.activation_slope, several=several)

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
        return self._outputs(self.params, self.inputs_of(x), self.classes)

    def answer(self, x: Inputs) -> Answer:
        """What the network says of inputs, and with what probability."""
        return self.answer_of(self.logits(x))

    def answer_of(self, logits: Float[np.ndarray, "N C"]) -> Answer:
        """What outputs say: the class with the largest one, or targets in their units.

        Probabilities are the softmax of the outputs; after training with binary_cross_entropy their logistic
        function, and with mse, which makes the outputs themselves probabilities, the outputs between 0 and 1,
        divided by their row's sum.
        """
        if self.standard is not None:
            return Answer(self.standard.undo(logits.astype(np.float64)), None)
        if self.task == "regression":
            return Answer(logits, None)
        said = (logits > 0).astype(np.uint8) if self.task == "multilabel" else logits.argmax(axis=1)
        return Answer(said, self._probabilities(logits))

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


def _sizes(params: Params, layer: str) -> Any:
    for step in layer.split("/") if layer else []:
        params = params[step]
    return ((name, "×".join(map(str, leaf.shape))) for name, leaf in params.items() if hasattr(leaf, "shape"))
