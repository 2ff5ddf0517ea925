"""From hyperparameters to an optax transformation; what weight decay means is said here, once.

The objective is J(θ) = L(θ) + ½ λ Σ w², the sum over kernels and never over biases. So sgd and adam see the
gradient g = ∇L + λ w, and with momentum the decay term is part of the velocity, as in PyTorch's SGD:

- plain:      θ ← θ − η g, so that with ∇L = 0 a kernel shrinks by the factor 1 − η λ each step;
- momentum:   v ← μ v + g, θ ← θ − η v: the decay builds up with the velocity, and settles near η λ / (1 − μ);
- Nesterov:   v ← μ v + g, θ ← θ − η (g + μ v);
- adam:       g is scaled by its running moments (β₁ = 0.9, β₂ = 0.999, ε = 1e-8), the decay term with it;
- adamw:      the decay stands beside the scaled step, w ← w − η (adam(∇L) + λ w), after Loshchilov and Hutter
  (2019), with the learning rate on both as in PyTorch.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from nnjax.types import Params


class Hyperparameters(NamedTuple):
    """The numbers of a setting, as arrays of the parameters' dtype: changing them never compiles again."""

    learning_rate: Float[Array, ""]
    layer_rates: Float[Array, " L"]
    weight_decay: Float[Array, ""]
    momentum: Float[Array, ""]
    schedule_end: Float[Array, ""]
    schedule_steps: Float[Array, ""]
    warmup: Float[Array, ""]  # training steps
    horizon: Float[Array, ""]  # training steps, E · T
    epochs: Int[Array, ""]
    dropout: Float[Array, ""]
    activation_slope: Float[Array, ""]


def schedule_factor(name: str, hyper: Hyperparameters, step: Int[Array, ""]) -> Float[Array, ""]:
    """The factor on the learning rate at a step t = 0, 1, …

    With warm-up of W steps it is (t + 1) / (W + 1) for t < W; from there on, with u = (t − W) / (E·T − W) the
    share of the rest that is done and e = ``schedule_end``:

    - constant: 1;
    - linear: 1 + (e − 1) u, rising for e > 1;
    - cosine: e + (1 − e) (1 + cos πu) / 2;
    - exponential: e^u;
    - step: e^(⌊u (n + 1)⌋ / n), n = ``schedule_steps`` equal drops at equal distances.

    optax's schedules branch on their lengths in Python and so can't take them from arrays; the tests hold
    these formulas against them.
    """
    end = hyper.schedule_end
    now = step.astype(end.dtype)
    since, rest = now - hyper.warmup, jnp.maximum(hyper.horizon - hyper.warmup, 1)
    done = jnp.clip(since / rest, 0, 1)
    # Multiplied before it is divided, so that no drop is late by rounding.
    drops = jnp.clip(jnp.floor(since * (hyper.schedule_steps + 1) / rest), 0, hyper.schedule_steps)
    factor = {
        "constant": lambda: jnp.ones_like(end),
        "linear": lambda: 1 + (end - 1) * done,
        "cosine": lambda: end + (1 - end) * (1 + jnp.cos(jnp.pi * done)) / 2,
        "exponential": lambda: end**done,
        "step": lambda: end ** (drops / hyper.schedule_steps),
    }[name]()
    return jnp.where(now < hyper.warmup, (now + 1) / (hyper.warmup + 1), factor)


def transformation(
    optimizer: str,
    hyper: Hyperparameters,
    rate: Float[Array, ""],
    layers: list[str],
    *,
    use_momentum: bool,
    nesterov: bool,
) -> optax.GradientTransformation:
    """The optax chain whose update is added to the parameters, for one step with learning rate ``rate``.

    It is built inside the step from arrays: an optax object kept in the state would leak its tracers.

    Args:
        optimizer: sgd, adam or adamw.
        hyper: the setting's numbers.
        rate: η at this step, the schedule's factor included.
        layers: the L layer names, in the order of ``hyper.layer_rates``.
        use_momentum: keep a velocity; without one, μ is taken as 0 and no memory is spent on it.
        nesterov: Nesterov's momentum instead of the classical one.
    """
    decay = optax.add_decayed_weights(hyper.weight_decay, mask=is_kernel)
    if optimizer == "sgd":
        velocity = optax.trace(hyper.momentum, nesterov) if use_momentum else optax.identity()
        parts = [decay, velocity]
    elif optimizer == "adam":
        parts = [decay, optax.scale_by_adam()]
    else:
        parts = [optax.scale_by_adam(), decay]
    rates = {layer: rate * hyper.layer_rates[i] for i, layer in enumerate(layers)}
    return optax.chain(*parts, _scale_layers(rates))


def is_kernel(params: Params) -> Params:
    """A tree of truth values: which parameters are decayed, the kernels and not the biases."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)


def _scale_layers(rates: dict[str, Float[Array, ""]]) -> optax.GradientTransformation:
    def scale(updates: Params, params: Params | None = None) -> Params:
        return {
            layer: {leaf: -rates[layer] * update for leaf, update in leaves.items()}
            for layer, leaves in updates.items()
        }

    return optax.stateless(scale)
