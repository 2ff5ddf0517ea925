"""Hyperparameters of a made-up network of two layers, for tests of what is computed from them."""

from typing import Any

import jax.numpy as jnp

from nnjax.training.hyper import Hyperparameters

LAYERS = ["Dense_0", "Dense_1"]
RATE, DECAY, MOMENTUM = 0.1, 0.05, 0.9


def make_hyper(**changes: Any) -> Hyperparameters:
    numbers = {
        "learning_rate": RATE,
        "layer_rates": [1.0] * len(LAYERS),
        "weight_decay": DECAY,
        "momentum": MOMENTUM,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-8,
        "schedule_end": 0.1,
        "schedule_steps": 3,
        "warmup": 0,
        "horizon": 20,
        "epochs": 1,
        "dropout": 0,
        "activation_slope": 1,
        "monitor": 1,
    }
    return Hyperparameters(
        **{name: jnp.asarray(value, jnp.float64) for name, value in (numbers | changes).items()}
    )
