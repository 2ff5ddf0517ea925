"""XOR by a network of two layers: weights that compute it, starts that can't learn it, and starts that can.

No threshold neuron computes XOR (`nnjax.derivations.threshold`); a hidden layer of two ReLU units does.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from nnjax.types import Key, Scalar

INPUTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)  # [N=4, D=2]
TARGETS = np.array([0, 1, 1, 0], np.float32)  # [N]


class Params(NamedTuple):
    """A network of D inputs, F hidden units and one output."""

    W1: Float[Array, "F D"]
    b1: Float[Array, " F"]
    W2: Float[Array, " F"]
    b2: Float[Array, ""]


Loss = Callable[[Float[Array, " N"], Float[Array, " N"]], Float[Array, ""]]
"""``(outputs, targets) -> loss``, differentiable in the outputs."""


class Path(NamedTuple):
    """A network's training, step by step, the start first."""

    params: Params  # each with a leading axis of T + 1 steps
    grads: Params  # likewise, at those parameters
    outputs: Float[Array, "T+1 N"]


def network(params: Params, x: Float[Array, " D"]) -> Float[Array, ""]:
    """``ŷ = W2ᵀ max(W1 x + b1, 0) + b2``; the derivative of max(·, 0) at 0 is taken as 0."""
    # Sums instead of matrix products, which may round differently from one unit to the next.
    hidden = jax.nn.relu(jnp.sum(params.W1 * x[None], axis=1) + params.b1)
    return jnp.sum(params.W2 * hidden) + params.b2


def solution() -> Params:
    """Weights with which the network computes XOR exactly: ``max(x1 + x2, 0) − 2 max(x1 + x2 − 1, 0)``.

    With s = x1 + x2, which is 0, 1 or 2, the two terms are 0 − 0, 1 − 0 and 2 − 2.

    Source: Goodfellow, Bengio and Courville (2016), Deep Learning, MIT Press, section 6.1.
    """
    return Params(jnp.ones((2, 2)), jnp.array([0.0, -1.0]), jnp.array([1.0, -2.0]), jnp.array(0.0))


def mean_squared_error(outputs: Float[Array, " N"], targets: Float[Array, " N"]) -> Float[Array, ""]:
    """``L = (1/N) Σ_n (ŷ_n − y_n)²``."""
    return jnp.mean(jnp.square(outputs - targets))


def computes_xor(params: Params) -> Bool[Array, ""]:
    """Whether all four outputs are within ¼ of their targets.

    "On the right side of ½" wouldn't do: training ends at local minima with outputs of ½ and ½, or ½, 1, ½
    and 0, and rounding would decide.
    """
    return jnp.all(jnp.abs(_outputs(params) - jnp.asarray(TARGETS, params.b2.dtype)) < 0.25)


def output_jacobian(params: Params, x: Float[Array, "N D"]) -> Params:
    """``∂ŷ_n/∂θ`` for every input and parameter, each with a leading axis N.

    With ``a = W1 x + b1``, ``h = max(a, 0)`` and [·] 1 where true, else 0,

    ``∂ŷ/∂b2 = 1``, ``∂ŷ/∂W2_f = h_f``, ``∂ŷ/∂b1_f = W2_f [a_f > 0]``, ``∂ŷ/∂W1_fd = W2_f [a_f > 0] x_d``.

    Where W1, b1 and W2 are 0, h is 0 and so is everything but ∂ŷ/∂b2, whatever the inputs and b2 are. Any loss
    that is a differentiable function of the outputs has the gradient ``∂L/∂θ = Σ_n ∂L/∂ŷ_n · ∂ŷ_n/∂θ``, and so
    it is exactly 0 for W1, b1 and W2. A step of gradient descent, with or without momentum, weight decay or
    Adam's scaling, leaves them at 0: by induction they are 0 at every step, only b2 moves, and the output is
    the constant b2 for all inputs. `train_path` shows it for a loss of one's own.
    """

    def one(x: Float[Array, " D"]) -> Params:
        a = params.W1 @ x + params.b1
        into = jnp.where(a > 0, params.W2, 0)
        return Params(jnp.outer(into, x), into, jax.nn.relu(a), jnp.ones_like(params.b2))

    return jax.vmap(one)(x)


def zeros(width: int, b2: Scalar = 0.0) -> Params:
    """All weights and biases 0, but b2 where it is given."""
    return constant(width, 0.0)._replace(b2=jnp.asarray(b2, jnp.result_type(float)))


def constant(width: int, value: Scalar) -> Params:
    """All weights and biases the same.

    Units that start equal stay equal: by the formulas of `output_jacobian` the gradients of unit f depend on f
    only through W1_f, b1_f and W2_f. So F units remain one unit with F times its output weight,
    ``ŷ = F·W2_1·max(w·x + b, 0) + b2``. That is a monotone function of ``w·x + b``, so the inputs with ŷ > ½ lie
    on one side of a line, and no line separates XOR: it isn't learnt, at any width.
    """
    full = partial(jnp.full, fill_value=value, dtype=jnp.result_type(float))
    return Params(full((width, 2)), full((width,)), full((width,)), full(()))


def random(key: Key, width: int) -> Params:
    """Weights ~ N(0, 2 / fan-in), biases 0 (He et al., 2015)."""
    hidden, output = jax.random.split(key)
    return Params(
        jax.random.normal(hidden, (width, 2)),
        jnp.zeros(width),
        jax.random.normal(output, (width,)) * jnp.sqrt(2 / width),
        jnp.zeros(()),
    )


def train(start: Params, *, rate: Scalar, steps: int, loss: Loss = mean_squared_error) -> Params:
    """The parameters after ``steps`` steps of gradient descent on all four inputs, ``θ ← θ − η ∂L/∂θ``."""
    grad = jax.grad(_objective(loss))

    def step(params: Params, _: None) -> tuple[Params, None]:
        return _descend(params, grad(params), rate), None

    return jax.lax.scan(step, start, length=steps)[0]


def train_path(start: Params, *, rate: Scalar, steps: int, loss: Loss = mean_squared_error) -> Path:
    """As `train`, with parameters, gradients and outputs at the start and after every step."""
    grad = jax.grad(_objective(loss))

    def step(params: Params, _: None) -> tuple[Params, Path]:
        grads = grad(params)
        return _descend(params, grads, rate), Path(params, grads, _outputs(params))

    return jax.lax.scan(step, start, length=steps + 1)[1]


@partial(jax.jit, static_argnames=("width", "steps"))
def learnt(key: Key, width: int, seeds: Array, rate: Scalar, steps: int) -> Bool[Array, " S"]:
    """For each seed, whether the network has learnt XOR from random initial weights; all seeds side by side.

    Args:
        key: seed s starts from `random` of ``fold_in(key, s)``.
        width: hidden units, F.
        seeds: integers, ``[S]``.
        rate: η of gradient descent on the mean squared error.
        steps: how many steps.
    """

    def one(seed: Array) -> Bool[Array, ""]:
        return computes_xor(train(random(jax.random.fold_in(key, seed), width), rate=rate, steps=steps))

    return jax.vmap(one)(seeds)


def _objective(loss: Loss) -> Callable[[Params], Float[Array, ""]]:
    return lambda params: loss(_outputs(params), jnp.asarray(TARGETS, params.b2.dtype))


def _outputs(params: Params) -> Float[Array, " N"]:
    return jax.vmap(network, (None, 0))(params, jnp.asarray(INPUTS, params.b2.dtype))


def _descend(params: Params, grads: Params, rate: Scalar) -> Params:
    return Params(*(value - rate * grad for value, grad in zip(params, grads, strict=True)))
