"""A run before its first epoch."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nnjax.training.optim import Hyperparameters
from nnjax.training.step import TrainState, optimizer_of
from nnjax.training.structure import Structure
from nnjax.types import Key, Params, Seed


class RunKeys(NamedTuple):
    """A run's randomness, each use with a key of its own."""

    init: Key
    order: Key
    dropout: Key


class RunState(NamedTuple):
    """A run between two epochs."""

    train: TrainState
    best_params: Params  # after the epoch with the highest validation accuracy, the first of equals
    best_accuracy: Float[Array, ""]
    best_epoch: Int[Array, ""]  # 0: no epoch has ended yet in finite numbers
    epoch: Int[Array, ""]  # epochs that have ended
    diverged_epoch: Int[Array, ""]  # 0: the run is finite


def run_keys(init_seed: Seed, data_seed: Seed) -> RunKeys:
    """The keys of a run: ``init_seed`` fixes the initial draw, ``data_seed`` the data order and dropout."""
    init, _, _ = jax.random.split(jax.random.key(init_seed), 3)
    _, order, dropout = jax.random.split(jax.random.key(data_seed), 3)
    return RunKeys(init, order, dropout)


def init_state(structure: Structure, params: Params, hyper: Hyperparameters) -> RunState:
    """A run before its first epoch."""
    optimizer = optimizer_of(structure, params, hyper, jnp.asarray(hyper.learning_rate))
    none = jnp.zeros((), jnp.int32)
    return RunState(
        train=TrainState(params, optimizer.init(params), none),
        best_params=params,
        best_accuracy=jnp.full((), -jnp.inf, jnp.result_type(hyper.learning_rate)),
        best_epoch=none,
        epoch=none,
        diverged_epoch=none,
    )
