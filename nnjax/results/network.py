"""A trained network: it predicts, as it was trained to."""

import os
from typing import Any

import numpy as np
from jaxtyping import Float

from nnjax.config import Config
from nnjax.data import Preprocessing, Words
from nnjax.data.targets import Standard
from nnjax.nn.layers import layer_names
from nnjax.nn.models import Network as Module
from nnjax.nn.models import network_of
from nnjax.results.given import Inputs
from nnjax.results.onnx_file import save_onnx
from nnjax.results.outputs import Outputs
from nnjax.results.predictor import Answer, Predictor
from nnjax.results.saving import save
from nnjax.saved.forward import probabilities
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
        units: of each target, where they are known.
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
        units: tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            classes=classes, inputs=inputs, class_names=class_names, preprocessing=preprocessing, task=task
        )
        self.config = config
        self.params = params
        self.scale = scale
        self.program = program
        self.standard = standard
        self.units = units
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
        with np.errstate(invalid="ignore"):  # of outputs that aren't finite, as of a run that has diverged
            probability = probabilities(self.to_probabilities, logits.astype(np.float64))
        return Answer(said, probability.astype(np.float32))

    @property
    def to_probabilities(self) -> str:
        """What makes probabilities of outputs, as `nnjax.saved.forward.probabilities` calls it."""
        if self.task == "multilabel":
            return "sigmoid"
        by_loss = {"binary_cross_entropy": "shares_of_sigmoid", "mse": "shares_of_clipped"}
        return by_loss.get(str(self.config.loss), "softmax")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to one file, from which `nnjax.load_network` predicts with NumPy alone.

        It is a file of safetensors, with a JSON of what it is, its preprocessing and labels among that.

        Raises:
            UserError: for a network with a module or an activation of the user's own, and where the file can't be
                written.
        """
        save([self], path, ensemble=False)

    def save_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the network as a graph of ONNX, from inputs ``x`` [N, D] to probabilities or targets ``y`` [N, C].

        It needs the package onnx. Of a table and of texts the inputs are those that `inputs_of` makes.

        Raises:
            UserError: as `save` does, and where onnx isn't installed.
        """
        save_onnx([self], path)


def _sizes(params: Params, layer: str) -> Any:
    for step in layer.split("/") if layer else []:
        params = params[step]
    return ((name, "×".join(map(str, leaf.shape))) for name, leaf in params.items() if hasattr(leaf, "shape"))
