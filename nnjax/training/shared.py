"""One run of a program that perceptrons of many structures share: what differs between them is numbers here.

The widths of the hidden layers are padded: a unit beyond a layer's width puts out 0, and so its weights, which are
0, have no gradient, so that the padded network is the narrower one. Activations are numbers of one formula
(`nnjax.nn.curves`), or else the number of a branch, of which a program runs the one that is asked for. Examples
are read M at a time, as the host lists them: a batch, a part of one, or some to evaluate on.

A program's time goes into its compilation, for each operation a little, and into many short kernels. So a layer's
bias is a row of its matrix, that of an input which is 1; and products are so written that the large factors lie as
XLA multiplies them fastest on a CPU, which is row by row in both, with transposed copies of the small ones.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, UInt32

from nnjax.data.batches import take_batch
from nnjax.nn import curves
from nnjax.nn.curves import Curve
from nnjax.training.hyper import Hyperparameters
from nnjax.training.metrics import Values, measured
from nnjax.training.schedules import schedule_factor
from nnjax.training.step import TrainState, of_examples, optimizer_at
from nnjax.training.structure import Structure
from nnjax.types import Activation, Examples, Params, Weighted

ADDS, UPDATES, MEASURES = 1, 2, 4
"""What happens with a part beside its evaluation, summed: its gradient is added, the step done, and measured."""

WEIGHTS = "weights"
"""What a layer's matrix is called, its kernel with its bias."""

Matrices = Params
"""``{layer: {"weights": [F + 1, F′]}}``: a kernel above its bias; of the last layer transposed, [C, F + 1]."""


@dataclass(frozen=True)
class Shared:
    """What fixes a shared program."""

    structure: Structure
    """Of the widest network that the program trains, with none of its activations."""
    inputs: int
    branches: tuple[Activation, ...]
    """Activations that have a branch, as they are no numbers."""
    rows: int
    """M, the examples that are read at a time."""
    parts: int
    """T, how many times that is done in an epoch, at most."""
    adds_up: bool = True
    """Whether a batch may have more than M examples, so that gradients of its parts add up."""

    @functools.cached_property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Of each layer's matrix."""
        network, names = self.structure.network, self.structure.layers
        *before, top = (width + 1 for width in (self.inputs, *network.hidden))
        hidden = dict(zip(names[:-1], zip(before, network.hidden, strict=True), strict=True))
        return hidden | {names[-1]: (network.classes, top)}


class Sizes(NamedTuple):
    """What a run is among those that share its program."""

    widths: UInt32[Any, " L"]  # of the hidden layers
    branch: Int[Any, ""]  # of its activation: 0 where it is numbers, then index + 1 into those of the program
    curve: Curve  # these numbers


class Reading(NamedTuple):
    """What an epoch reads, part by part."""

    rows: UInt32[Any, "T M"]  # the examples, of all that there are; their number holds none
    share: Float[Any, " T"]  # 1 / how many examples the part's batch has, or what they weigh together
    does: UInt32[Any, " T"]  # the sum of what happens with a part
    parts: UInt32[Any, ""]  # how many there are


class Found(NamedTuple):
    """What an epoch has found."""

    values: dict[str, Any]  # the metrics of each example that was read, [T, M, …]; some with weights
    measured: Values  # the metrics of steps, summed over those that were measured
    finite: Bool[Array, ""]  # whether all parameters are


def run_epoch(
    shared: Shared,
    state: TrainState,
    hyper: Hyperparameters,
    sizes: Sizes,
    reading: Reading,
    examples: Examples | Weighted,
    scale: Float[Array, ""],
) -> tuple[TrainState, Found]:
    """Train and evaluate a run whose parameters are matrices on what there is to read.

    Args:
        shared: what fixes the program.
        state: of the run.
        hyper: the setting's numbers.
        sizes: what else of its structure is numbers.
        reading: which examples, and what happens with them.
        examples: all splits after each other.
        scale: by which inputs are divided.
    """
    structure = shared.structure
    *hidden, last = structure.layers
    offsets = [
        jnp.where(jnp.arange(shared.shapes[layer][1], dtype=jnp.uint32) < width, sizes.curve.offset, 0)
        for layer, width in zip(hidden, sizes.widths, strict=True)
    ]

    def by_branch(numbers: Callable[[], Array], branch: Callable[[Activation], Array]) -> Array:
        branches = [functools.partial(branch, activation) for activation in shared.branches]
        return jax.lax.switch(sizes.branch, [numbers, *branches]) if branches else numbers()

    def activated(z: Float[Array, "M F"], offset: Float[Array, " F"]) -> Float[Array, "M F"]:
        return by_branch(
            lambda: curves.curved(sizes.curve, z, offset), lambda activation: activation(z, hyper.activation_slope)
        )

    def slope(z: Float[Array, "M F"], y: Float[Array, "M F+1"]) -> Float[Array, "M F+1"]:
        """The derivative of the activations y of z, and any number behind it."""

        def derivative(activation: Activation) -> Array:
            found = jax.jvp(lambda z: activation(z, hyper.activation_slope), (z,), (jnp.ones_like(z),))[1]
            return _with_one(found)

        return by_branch(lambda: curves.slope(sizes.curve, y), derivative)

    def part(t: UInt32[Array, ""], params: Matrices) -> tuple[dict[str, Any], Callable[[Any, Matrices], Matrices]]:
        """The metrics of a part's examples, and what tells its gradient."""
        batch = take_batch(examples, _at(reading.rows, t).astype(jnp.int32), scale)
        features, sums = [_with_one(batch.x)], []
        for layer, offset in zip(hidden, offsets, strict=True):
            sums.append(features[-1] @ params[layer][WEIGHTS])
            features.append(_with_one(activated(sums[-1], offset)))
        logits = _dot(params[last][WEIGHTS], features[-1], (1, 1))
        losses, errors = jax.vmap(jax.value_and_grad(structure.loss), (1, 0), (0, 1))(logits, batch.y)

        def gradient(i: UInt32[Array, ""], params: Matrices) -> Matrices:
            *inputs, top, errors_ = _with(i, (*features, errors))
            weight = batch.weight if batch.importance is None else batch.importance
            delta = jnp.where(weight[None] > 0, errors_, 0) * _at(reading.share, t + i)
            delta = delta if batch.importance is None else delta * weight[None]
            found = {last: {WEIGHTS: delta @ top}}
            back = _kept(delta.T) @ params[last][WEIGHTS]
            for index, layer in reversed(list(enumerate(hidden))):
                delta = (back * slope(sums[index], top))[:, :-1]
                top = inputs[index]
                found[layer] = {WEIGHTS: _kept(_kept(top).T) @ delta}
                if index:
                    back = _kept(_kept(params[layer][WEIGHTS] @ _kept(_kept(delta).T)).T)
            return found

        return of_examples(structure, logits, batch.y, losses), gradient

    def step(t: UInt32[Array, ""], carry: Any) -> Any:
        state, total, kept, of_steps = carry
        does = _at(reading.does, t)
        values, gradient = part(t, state.params)
        kept = jax.tree.map(lambda all_, new: jax.lax.dynamic_update_index_in_dim(all_, new, t, 0), kept, values)

        def update(gradient: Matrices, state: TrainState, of_steps: Values) -> tuple[TrainState, Values]:
            rate = hyper.learning_rate * schedule_factor(structure.schedule, hyper, state.step)
            optimizer = optimizer_of(shared, hyper, rate)

            def updated() -> tuple[Matrices, Any]:
                return optimizer.update(gradient, state.opt_state, state.params)

            def measure() -> Values:
                return measured_of(shared, state.params, gradient, updated()[0])

            new = jax.lax.cond(
                does & jnp.uint32(MEASURES) > 0, measure, lambda: jax.tree.map(jnp.zeros_like, of_steps)
            )
            updates, opt_state = updated()
            params = optax.apply_updates(state.params, updates)
            return TrainState(params, opt_state, state.step + 1), jax.tree.map(jnp.add, of_steps, new)

        if not shared.adds_up:
            learns = does & jnp.uint32(UPDATES) > 0
            state, of_steps = _if(
                learns, lambda i, carry: update(gradient(i, carry[0].params), *carry), (state, of_steps)
            )
            return state, total, kept, of_steps

        def add(i: UInt32[Array, ""], carry: Any) -> Any:
            total, params = carry
            return jax.tree.map(jnp.add, total, gradient(i, params)), params

        def finish(_: Any, carry: Any) -> Any:
            total, state, of_steps = carry
            return jax.tree.map(jnp.zeros_like, total), *update(total, state, of_steps)

        total, _ = _if(does & jnp.uint32(ADDS) > 0, add, (total, state.params))
        total, state, of_steps = _if(does & jnp.uint32(UPDATES) > 0, finish, (total, state, of_steps))
        return state, total, kept, of_steps

    kept = jax.tree.map(
        lambda leaf: jnp.zeros((shared.parts, *leaf.shape), leaf.dtype),
        jax.eval_shape(lambda: part(jnp.uint32(0), state.params)[0]),
    )
    of_steps = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
        jax.eval_shape(lambda tree: measured_of(shared, tree, tree, tree), state.params),
    )
    total = jax.tree.map(jnp.zeros_like, state.params) if shared.adds_up else {}
    state, _, kept, of_steps = jax.lax.fori_loop(
        jnp.uint32(0), reading.parts, step, (state, total, kept, of_steps)
    )
    # What is no number times 0 is none.
    nothing = jnp.stack([jnp.sum(leaf * 0) for leaf in jax.tree.leaves(state.params)])
    finite = jnp.sum(nothing) == 0
    return state, Found(kept, of_steps, finite)


def optimizer_of(shared: Shared, hyper: Hyperparameters, rate: Float[Array, ""]) -> optax.GradientTransformation:
    """The optax chain for matrices, at a learning rate: λ w is for kernels, not for what is in a bias's place."""
    rates = {}
    for layer, shape in shared.shapes.items():
        axis = 1 if layer == shared.structure.layers[-1] else 0
        of_rows = np.arange(shape[axis]) < shape[axis] - 1
        rates[layer] = {WEIGHTS: jnp.where(np.expand_dims(of_rows, 1 - axis), hyper.weight_decay, 0)}

    def add(updates: Matrices, params: Matrices | None = None) -> Matrices:
        return jax.tree.map(lambda rate, update, w: update + rate * w, rates, updates, params)

    return optimizer_at(shared.structure, hyper, rate, optax.stateless(add))


def measured_of(shared: Shared, params: Matrices, grads: Matrices, updates: Matrices) -> Values:
    """The metrics of a step on matrices; kernels and biases apart where one tells them apart."""
    trees: tuple[Params, ...] = (params, grads, updates)
    if any(name == "kernel_norm" for name, _ in shared.structure.metrics):
        trees = tuple(_apart(shared, tree) for tree in trees)
    return measured(shared.structure.metrics, shared.structure.layers, *trees)


def _apart(shared: Shared, matrices: Matrices) -> Params:
    found = {}
    for layer, of_layer in matrices.items():
        matrix = of_layer[WEIGHTS].T if layer == shared.structure.layers[-1] else of_layer[WEIGHTS]
        found[layer] = {"kernel": matrix[:-1], "bias": matrix[-1]}
    return found


def _with_one(x: Float[Array, "M F"]) -> Float[Array, "M F+1"]:
    """The factors of a layer's matrix: 1 for its bias."""
    return jnp.pad(x, ((0, 0), (0, 1)), constant_values=1)


def _at(array: Array, t: UInt32[Array, ""]) -> Array:
    return jax.lax.dynamic_index_in_dim(array, t, keepdims=False)


def _dot(a: Array, b: Array, axes: tuple[int, int]) -> Array:
    """The product of two matrices over an axis of each."""
    return jax.lax.dot_general(a, b, ((axes[:1], axes[1:]), ((), ())))


def _kept(array: Array) -> Array:
    """The array itself, in memory as it stands: XLA doesn't move a transposition past it."""
    return jax.lax.optimization_barrier(array)


def _with(number: Array, tree: Any) -> Any:
    """Arrays that XLA takes to depend on a number, so that it computes nothing of them where that isn't known."""
    return jax.lax.optimization_barrier((tree, number))[0]


def _if(condition: Bool[Array, ""], body: Callable[[Any, Any], Any], carry: Any) -> Any:
    """A loop of one round or none: a condition that copies nothing.

    What depends neither on the round, which is 0, nor on what is carried, XLA computes before it in any case.
    """
    return jax.lax.fori_loop(jnp.uint32(0), condition.astype(jnp.uint32), body, carry)
