"""Networks that answer together: their average, and how far they are apart."""

import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from nnjax.results.given import Inputs
from nnjax.results.network import Network
from nnjax.results.onnx_file import save_onnx
from nnjax.results.outputs import Outputs
from nnjax.results.predictor import Answer, Predictor
from nnjax.results.saving import save
from nnjax.tasks import counted
from nnjax.types import Params
from nnjax.validation import UserError


class Ensemble(Predictor):
    """The average of R networks: of the probabilities that they give, or of the targets that they predict.

    It predicts and is judged as one network is. Networks of one structure are computed by one program; of those
    whose tables were preprocessed by other training rows, as of several folds, each makes its own inputs.

    Attributes:
        networks: the R members.
        classes, inputs, class_names, preprocessing, task: as in `nnjax.results.predictor.Predictor`, of the first.

    Raises:
        UserError: for networks with other answers than the first, or none.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        if not networks:
            raise UserError("there are no networks to average: give at least one")
        first = networks[0]
        super().__init__(
            classes=first.classes,
            inputs=first.inputs,
            class_names=first.class_names,
            preprocessing=first.preprocessing,
            task=first.task,
        )
        for network in networks[1:]:
            if _answers(network) != _answers(first):
                raise UserError(f"{network!r} gives other answers than {first!r}: their average means nothing")
        self.networks = tuple(networks)
        groups: dict[Any, list[int]] = {}
        for number, network in enumerate(self.networks):
            groups.setdefault(_alike(network), []).append(number)
        self._groups = [(numbers, *_together([self.networks[i] for i in numbers])) for numbers in groups.values()]

    def __repr__(self) -> str:
        outputs = counted(self.classes, self.task)
        return f"<Ensemble of {len(self.networks)} networks of {self.inputs} inputs and {outputs}>"

    def each(self, x: Inputs) -> Float[np.ndarray, "R N C"]:
        """What each of the networks gives: the probabilities of classes or labels, or the targets in their units.

        Args:
            x: inputs ``[N, D]``, or what else a `Network` takes.

        Raises:
            UserError: for inputs of another shape, and a frame that isn't like the table.
        """
        found: dict[int, np.ndarray] = {}
        for numbers, params, outputs in self._groups:
            network = self.networks[numbers[0]]
            logits = outputs(params, network.inputs_of(x), self.classes)
            for number, of_one in zip(numbers, logits, strict=True):
                said, probability = self.networks[number].answer_of(of_one)
                values = said if probability is None else probability
                found[number] = values.reshape(len(values), self.classes)
        return np.stack([found[number] for number in range(len(self.networks))])

    def spread(self, x: Inputs) -> Float[np.ndarray, "N *C"]:
        """How far the networks are apart: the standard deviation over them of what `each` gives.

        Its square is Σ (p_r − p̄)² / (R − 1). Of a regression of one target it is ``[N]``, in the target's unit.
        NaN of one network alone.
        """
        values = self.each(x)
        if len(values) < 2:
            return np.full_like(self._shaped(values[0]), np.nan)
        return self._shaped(values.std(axis=0, ddof=1))

    def answer(self, x: Inputs) -> Answer:
        """What the average says: the likeliest class, the labels of more than ½, or the mean of the targets."""
        mean = self.each(x).mean(axis=0)
        if self.task == "regression":
            return Answer(self._shaped(mean), None)
        said = (mean > 0.5).astype(np.uint8) if self.task == "multilabel" else mean.argmax(axis=1)
        return Answer(said, mean)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the networks to one file, from which `nnjax.load_network` predicts their average; see
        `nnjax.Network.save`.

        Raises:
            UserError: as that does.
        """
        save(self.networks, path, ensemble=True)

    def save_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the average as a graph of ONNX; see `nnjax.Network.save_onnx`.

        Raises:
            UserError: as that does, and for networks whose tables were preprocessed by other rows.
        """
        if len({id(network.preprocessing) for network in self.networks}) > 1:
            raise UserError("each of these networks makes its own inputs of a table: write one of them as ONNX")
        save_onnx(self.networks, path)

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        """As a network gives it: one target without an axis."""
        return values[:, 0] if self.task == "regression" and self.classes == 1 else values


def _answers(network: Network) -> tuple[Any, ...]:
    """What networks must have in common so that an average means something."""
    labels = getattr(network.preprocessing, "labels", None)
    return network.task, network.classes, network.class_names, labels


def _alike(network: Network) -> tuple[Any, ...]:
    """Equal for networks that one program computes from the same inputs."""
    module = network.module if network.program is None else network.program
    return module, network.scale, network.config.activation_slope, network.inputs, id(network.preprocessing)


def _together(networks: Sequence[Network]) -> tuple[Params, Outputs]:
    """The parameters ``[R, …]`` of networks that are alike, and what computes their outputs."""
    params = jax.tree.map(lambda *leaves: np.stack(leaves), *[network.params for network in networks])
    return params, networks[0].outputs(len(networks))
