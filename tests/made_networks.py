"""Networks that were never trained."""

import jax
import numpy as np

import nnjax
from nnjax.nn.models import network_of, param_shapes


def made(count, config=None, inputs=6, classes=3, **more):
    """Networks with any parameters."""
    config = config or nnjax.Config(hidden=(5,), activation="tanh")
    shapes = param_shapes(network_of(config, classes, inputs), inputs)
    found = []
    for seed in range(count):
        draw = np.random.default_rng(seed)
        params = jax.tree.map(lambda leaf, draw=draw: draw.normal(size=leaf.shape).astype(np.float32), shapes)
        found.append(nnjax.Network(config, params, classes=classes, inputs=inputs, scale=2.0, **more))
    return found
