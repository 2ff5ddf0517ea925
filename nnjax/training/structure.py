"""A setting in two parts: what fixes the compiled program, and the numbers that go into it."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnjax.config import Config
from nnjax.data.order import num_batches
from nnjax.nn.models import MLP, Network, SoftmaxRegression
from nnjax.training.optim import Hyperparameters
from nnjax.types import Dtype


@dataclass(frozen=True)
class Structure:
    """The part of a setting that fixes the compiled program. Two settings of one structure share it."""

    model: str
    hidden: tuple[int, ...]
    classes: int
    activation: str
    residual: bool
    relu_logits: bool
    loss: str
    optimizer: str
    nesterov: bool
    schedule: str
    use_momentum: bool
    use_dropout: bool

    @classmethod
    def of(cls, config: Config, classes: int) -> "Structure":
        """The structure of a setting on data of C classes."""
        mlp = config.model == "mlp"
        return cls(
            model=config.model,
            hidden=config.hidden if mlp else (),
            classes=classes,
            activation=config.activation if mlp else "identity",
            residual=config.residual and mlp,
            relu_logits=config.relu_logits,
            loss=config.loss,
            optimizer=config.optimizer,
            nesterov=config.nesterov,
            schedule=config.schedule,
            use_momentum=config.momentum > 0,
            use_dropout=config.dropout > 0 and mlp,
        )

    def without_options(self) -> "Structure":
        """The structure without momentum and dropout, which any run can have at 0."""
        return dataclasses.replace(self, use_momentum=False, use_dropout=False)

    def with_options_of(self, other: "Structure") -> "Structure":
        """The structure with the options of both."""
        return dataclasses.replace(
            self,
            use_momentum=self.use_momentum or other.use_momentum,
            use_dropout=self.use_dropout or other.use_dropout,
        )

    @property
    def network(self) -> Network:
        """The Flax module."""
        if self.model == "softmax_regression":
            return SoftmaxRegression(self.classes, self.relu_logits)
        return MLP(self.hidden, self.classes, self.activation, self.residual)


def hyperparameters(config: Config, examples: int, dtype: Dtype = np.float32) -> Hyperparameters:
    """The numbers of a setting that trains on N examples, as NumPy arrays of one dtype."""
    steps = num_batches(examples, config.batch_size)
    numbers: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "layer_rates": config.layer_rates or (1.0,) * config.num_layers,
        "weight_decay": config.weight_decay,
        "momentum": config.momentum,
        "schedule_end": config.schedule_end,
        "schedule_steps": config.schedule_steps,
        "warmup": config.warmup_epochs * steps,
        "horizon": config.epochs * steps,
        "dropout": config.dropout,
        "activation_slope": config.activation_slope,
    }
    arrays: dict[str, Any] = {name: np.asarray(number, dtype) for name, number in numbers.items()}
    arrays["epochs"] = np.asarray(config.epochs, np.int32)
    return Hyperparameters(**arrays)
