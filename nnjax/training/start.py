"""A run before its first epoch: its keys, its initial draw, its state."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nnjax.config import Config, of_task
from nnjax.data.batches import Splits, take_batch
from nnjax.data.dataset import Dataset
from nnjax.data.order import epoch_order
from nnjax.nn.initializers import Initializer, initialize, initializer_of
from nnjax.nn.models import layer_outputs, own_start, param_shapes, with_vectors
from nnjax.training.hyper import Hyperparameters
from nnjax.training.step import TrainState, optimizer_at
from nnjax.training.structure import Structure, hyperparameters
from nnjax.types import Key, Params, Seed
from nnjax.validation import UserError

LSUV_BATCH = 1000
"""Examples, the first of the training set, on which lsuv scales the layers."""


class RunKeys(NamedTuple):
    """A run's randomness, each use with a key of its own."""

    init: Key
    order: Key
    dropout: Key


class RunState(NamedTuple):
    """A run between two epochs."""

    train: TrainState
    best_params: Params  # after the best epoch, see `nnjax.training.monitor`
    best_score: Float[Array, ""]  # what is monitored, negative where less is better; −∞: no best epoch
    best_loss: Float[Array, ""]  # of the validation set
    best_epoch: Int[Array, ""]  # 0: no epoch has ended yet in finite numbers
    epoch: Int[Array, ""]  # epochs that have ended
    diverged_epoch: Int[Array, ""]  # 0: the run is finite


class Run(NamedTuple):
    """One run, ready for its first epoch, and what its epochs need."""

    structure: Structure
    hyper: Hyperparameters
    splits: Splits
    keys: RunKeys
    state: RunState
    batch_size: int

    def order(self, epoch: Int[Array, ""] | int) -> Int[Array, "T B"]:
        """The order of an epoch, counted from 0."""
        key = jax.random.fold_in(self.keys.order, epoch)
        return epoch_order(key, self.splits.train.y.shape[0], self.batch_size, self.structure.shuffle)


def begin(config: Config, data: Dataset, seed: Seed = 0) -> Run:
    """The run of a setting with a seed, the same that a sweep trains.

    Raises:
        UserError: for parts of the user's own that don't fit, or data that stay in their file.
    """
    if data.is_stored:
        raise UserError(
            f"{data.name} stays in its file, and a run alone is given examples in memory: nnjax.sweep trains on it"
        )
    config = of_task(config, data.task)
    structure = Structure.of(config, data.classes, data.inputs, data.task)
    hyper = jax.tree.map(jnp.asarray, hyperparameters(config, structure, len(data.train.y)))
    train, valid, _ = data.learned
    splits = Splits(*jax.device_put((train, valid, jnp.float32(data.scale), data.vectors)))
    keys = run_keys(*(seed if own is None else own for own in (config.init_seed, config.data_seed)))
    kind, numbers = config.initialization
    params = draw(structure, initializer_of(kind), keys.init, jnp.asarray(numbers, jnp.float32), hyper, splits)
    return Run(structure, hyper, splits, keys, init_state(structure, params, hyper), config.batch_size)


def run_keys(init_seed: Seed, data_seed: Seed) -> RunKeys:
    """The keys of a run: ``init_seed`` fixes the initial draw, ``data_seed`` the data order and dropout."""
    init, _, _ = jax.random.split(jax.random.key(init_seed), 3)
    _, order, dropout = jax.random.split(jax.random.key(data_seed), 3)
    return RunKeys(init, order, dropout)


def draw(
    structure: Structure,
    kind: Initializer,
    key: Key,
    numbers: Float[Array, " n"],
    hyper: Hyperparameters,
    splits: Splits,
) -> Params:
    """The parameters with which a run starts."""
    network, inputs = structure.network, splits.train.x.shape[1]
    x = take_batch(splits.train, jnp.arange(min(LSUV_BATCH, splits.train.y.shape[0])), splits.scale).x
    params = initialize(
        key,
        kind,
        numbers,
        param_shapes(network, inputs, splits.scale.dtype),
        layers=structure.layers,
        own=own_start(network, inputs),
        outputs=lambda params: layer_outputs(network, params, x, hyper.activation_slope),
    )
    return params if splits.vectors is None else with_vectors(params, splits.vectors)


def init_state(structure: Structure, params: Params, hyper: Hyperparameters) -> RunState:
    """A run before its first epoch."""
    optimizer = optimizer_at(structure, hyper, jnp.asarray(hyper.learning_rate))
    none = jnp.zeros((), jnp.int32)
    worst = jnp.full((), -jnp.inf, jnp.result_type(hyper.learning_rate))
    return RunState(
        train=TrainState(params, optimizer.init(params), none),
        best_params=params,
        best_score=worst,
        best_loss=-worst,
        best_epoch=none,
        epoch=none,
        diverged_epoch=none,
    )
