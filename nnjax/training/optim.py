"""From hyperparameters to an optax transformation; what weight decay means is said here, once.

The objective is J(θ) = L(θ) + ½ λ Σ w², the sum over kernels and never over biases. So sgd and adam see the
gradient g = ∇L + λ w, and with momentum the decay term is part of the velocity, as in PyTorch's SGD:

- plain:      θ ← θ − η g, so that with ∇L = 0 a kernel shrinks by the factor 1 − η λ each step;
- momentum:   v ← μ v + g, θ ← θ − η v: the decay builds up with the velocity, and settles near η λ / (1 − μ);
- Nesterov:   v ← μ v + g, θ ← θ − η (g + μ v);
- adam:       g is scaled by its running moments (β₁, β₂, ε), the decay term with it;
- adamw:      the decay stands beside the scaled step, w ← w − η (adam(∇L) + λ w), after Loshchilov and Hutter
  (2019), with the learning rate on both as in PyTorch.

One of a user's own is an optax factory, a function of the learning rate that gives a transformation, such as
`optax.lion`; it sees g = ∇L + λ w, and its steps are multiplied by the layer's rate.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from nnjax.nn.layers import kernels, layer_of
from nnjax.parts import Part, tried
from nnjax.training.hyper import Hyperparameters
from nnjax.types import Params
from nnjax.validation import UserError


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """An optimizer."""

    direction: Callable[[Hyperparameters, bool, bool], optax.GradientTransformation] | None
    """``(numbers, whether there is momentum, whether it is Nesterov's) -> the step before the learning rate``."""
    momentum: bool = False
    """Whether it takes momentum."""
    moments: bool = False
    """Whether it takes beta_1, beta_2 and epsilon."""
    decoupled: bool = False
    """Whether the decay stands beside the step, instead of in the gradient."""
    factory: Callable[[Float[Array, ""]], optax.GradientTransformation] | None = None
    """In place of a direction: the learning rate to the whole step."""


def _sgd(hyper: Hyperparameters, use_momentum: bool, nesterov: bool) -> optax.GradientTransformation:
    """Without momentum μ is taken as 0, and no memory is spent on a velocity."""
    return optax.trace(hyper.momentum, nesterov) if use_momentum else optax.identity()


def _adam(hyper: Hyperparameters, *_: bool) -> optax.GradientTransformation:
    """Kingma and Ba (2015)."""
    return optax.scale_by_adam(hyper.beta_1, hyper.beta_2, hyper.epsilon)


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(_sgd, momentum=True),
    "adam": Optimizer(_adam, moments=True),
    "adamw": Optimizer(_adam, moments=True, decoupled=True),
}


def transformation(
    optimizer: Optimizer,
    hyper: Hyperparameters,
    rate: Float[Array, ""],
    layers: Sequence[str],
    *,
    use_momentum: bool,
    nesterov: bool,
    decay: optax.GradientTransformation | None = None,
) -> optax.GradientTransformation:
    """The optax chain whose update is added to the parameters, for one step with learning rate ``rate``.

    It is built inside the step from arrays: an optax object kept in the state would leak its tracers.

    Args:
        optimizer: an entry of `OPTIMIZERS`, or what `optimizer_of` makes.
        hyper: the setting's numbers.
        rate: η at this step, the schedule's factor included.
        layers: the L layer names, in the order of ``hyper.layer_rates``.
        use_momentum: keep a velocity.
        nesterov: Nesterov's momentum instead of the classical one.
        decay: what adds λ w to the gradient, where that isn't all of each kernel.
    """
    decay = optax.add_decayed_weights(hyper.weight_decay, mask=kernels) if decay is None else decay
    if optimizer.direction is None:
        assert optimizer.factory is not None
        of_layers = {layer: hyper.layer_rates[i] for i, layer in enumerate(layers)}
        return optax.chain(decay, optimizer.factory(rate), _scale_layers(of_layers))
    direction = optimizer.direction(hyper, use_momentum, nesterov)
    parts = [direction, decay] if optimizer.decoupled else [decay, direction]
    of_layers = {layer: -(rate * hyper.layer_rates[i]) for i, layer in enumerate(layers)}
    return optax.chain(*parts, _scale_layers(of_layers))


def _scale_layers(factors: dict[str, Float[Array, ""]]) -> optax.GradientTransformation:
    def scale(updates: Params, params: Params | None = None) -> Params:
        return jax.tree_util.tree_map_with_path(lambda path, update: factors[layer_of(path)] * update, updates)

    return optax.stateless(scale)


@functools.cache
def optimizer_of(part: str | Part) -> Optimizer:
    """The optimizer of a name, or of a part of the user's own.

    Raises:
        UserError: where it isn't a function of the learning rate that gives an optax transformation whose state
            keeps its shape.
    """
    if isinstance(part, str):
        return OPTIMIZERS[part]
    must = "an optax factory, a function of the learning rate that gives a GradientTransformation"

    def attempt() -> tuple[Any, Any, Any]:
        params = {"Dense_0": {"kernel": jnp.ones((3, 2), jnp.float32), "bias": jnp.ones(2, jnp.float32)}}

        def step(rate: Array) -> tuple[Any, Any, Any]:
            made = part.function(rate)
            if not isinstance(made, optax.GradientTransformation):
                raise UserError(
                    f"the optimizer {part} doesn't fit: it makes a {type(made).__name__}; it must be {must}"
                )
            state = made.init(params)
            updates, new = made.update(params, state, params)
            return state, new, (params, updates)

        return jax.eval_shape(step, jax.ShapeDtypeStruct((), jnp.float32))

    before, after, (params, updates) = tried("optimizer", part, attempt, must)
    for what, one, other in (("state", before, after), ("update", params, updates)):
        if jax.tree.map(_shape, one) != jax.tree.map(_shape, other):
            raise UserError(
                f"the optimizer {part} doesn't fit: its {what} changes shape or dtype; it must be {must}"
            )
    return Optimizer(None, factory=part.function)


def _shape(leaf: Any) -> tuple[Any, ...]:
    return (leaf.shape, leaf.dtype)
