"""A setting in two parts: what fixes the compiled program, and the numbers that go into it."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnjax.config import Config, of_task
from nnjax.data.order import num_batches
from nnjax.nn.losses import Loss, loss_of
from nnjax.nn.models import Network, is_random, layers, network_of, param_shapes
from nnjax.parts import settled
from nnjax.tasks import CLASSIFICATION
from nnjax.training.hyper import Hyperparameters
from nnjax.training.metrics import Metric, metrics_of
from nnjax.training.monitor import index_of
from nnjax.training.optim import Optimizer, optimizer_of
from nnjax.training.schedules import Schedule, schedule_of
from nnjax.types import Dtype
from nnjax.validation import UserError


@dataclass(frozen=True)
class Structure:
    """The part of a setting that fixes the compiled program. Two settings of one structure share it."""

    network: Network
    layers: tuple[str, ...]
    """The layers of the network, from the input to the output."""
    loss: Loss
    optimizer: Optimizer
    nesterov: bool
    schedule: Schedule
    metrics: tuple[tuple[str, Metric], ...]
    """What is recorded, by name."""
    use_momentum: bool
    use_dropout: bool
    task: str = CLASSIFICATION
    shuffle: bool = True
    """Whether each epoch has an order of its own."""

    @classmethod
    def of(cls, config: Config, classes: int, inputs: int, task: str = CLASSIFICATION) -> "Structure":
        """The structure of a setting on data of C classes, or other outputs, and D inputs.

        Raises:
            UserError: for parts that are of another task, parts of the user's own that don't fit, or rates of
                another number of layers.
        """
        config = of_task(config, task)
        network = network_of(config, classes, inputs)
        names = layers(network, inputs)
        if config.layer_rates and len(config.layer_rates) != len(names):
            raise UserError(
                f"layer_rates has {len(config.layer_rates)} factors, and the network has {len(names)} layers with "
                f"weights: {', '.join(names)}"
            )
        random = config.model != "softmax_regression" and is_random(network, config.dropout > 0)
        return cls(
            network=network,
            layers=names,
            loss=loss_of(settled(config.loss), classes, task, config.huber_delta),
            optimizer=optimizer_of(settled(config.optimizer)),
            nesterov=config.nesterov,
            schedule=schedule_of(settled(config.schedule)),
            metrics=metrics_of(
                [settled(metric) for metric in config.metrics], classes, param_shapes(network, inputs), names, task
            ),
            use_momentum=config.momentum > 0,
            use_dropout=random,
            task=task,
            shuffle=config.shuffle,
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


def hyperparameters(
    config: Config, structure: Structure, examples: int, dtype: Dtype = np.float32
) -> Hyperparameters:
    """The numbers of a setting that trains on N examples, as NumPy arrays of one dtype."""
    config = of_task(config, structure.task)
    steps = num_batches(examples, config.batch_size)
    numbers: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "layer_rates": config.layer_rates or (1.0,) * len(structure.layers),
        "weight_decay": config.weight_decay,
        "momentum": config.momentum,
        "beta_1": config.beta_1,
        "beta_2": config.beta_2,
        "epsilon": config.epsilon,
        "schedule_end": config.schedule_end,
        "schedule_steps": config.schedule_steps,
        "warmup": config.warmup_epochs * steps,
        "horizon": config.epochs * steps,
        "dropout": config.dropout,
        "activation_slope": config.activation_slope,
    }
    arrays: dict[str, Any] = {name: np.asarray(number, dtype) for name, number in numbers.items()}
    arrays["epochs"] = np.asarray(config.epochs, np.int32)
    arrays["monitor"] = np.asarray(index_of(structure.metrics, config.monitor), np.int32)
    return Hyperparameters(**arrays)
