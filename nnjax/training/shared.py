"""One run of a program that perceptrons of many structures share: what differs between them is numbers here.

The widths of the hidden layers are padded: a unit beyond a layer's width puts out 0, and its weights, which are 0,
have no gradient, so that the padded network is the narrower one. The activation is the number of a branch, of
which a program runs the one that is asked for. A batch of any size is a count of rows, M at a time, whose
gradients add up. Training and evaluation are one loop, so that each kernel is compiled once.

Between two epochs all parameters are one vector, since compiling takes a time for each operation on each array:
what compares and keeps them is compiled once, and not for every layer.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, UInt32

from nnjax.data.batches import Batch, take_batch
from nnjax.nn.models import param_shapes
from nnjax.training.epoch import NORM_EVERY, finished
from nnjax.training.hyper import Hyperparameters
from nnjax.training.metrics import Values, measured
from nnjax.training.schedules import schedule_factor
from nnjax.training.start import RunState
from nnjax.training.step import Sums, TrainState, means, optimizer_at, score
from nnjax.training.structure import Structure
from nnjax.types import Activation, Examples, Params

Vector = Float[Array, " P"]


@dataclass(frozen=True)
class Shared:
    """What fixes a shared program."""

    structure: Structure
    """Of the widest network that the program trains, with none of its activations."""
    inputs: int
    activations: tuple[Activation, ...]
    rows: int
    """M, the examples that are computed at a time."""
    adds_up: bool = True
    """Whether a batch may have more than M examples, so that gradients of its parts add up."""

    @functools.cached_property
    def shapes(self) -> Params:
        """The parameter tree with its padding."""
        return param_shapes(self.structure.network, self.inputs)

    @functools.cached_property
    def pieces(self) -> tuple["Piece", ...]:
        """Where the leaves of the tree stand in the vector."""
        found, start = [], 0
        for leaf in jax.tree.leaves(self.shapes):
            found.append(Piece(start, start + leaf.size, leaf.shape))
            start += leaf.size
        return tuple(found)

    def tree(self, vector: Vector) -> Params:
        """The parameters as a tree."""
        leaves = [vector[piece.start : piece.end].reshape(piece.shape) for piece in self.pieces]
        return jax.tree.unflatten(jax.tree.structure(self.shapes), leaves)

    def vector(self, tree: Params) -> Vector:
        """A tree as one vector."""
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])


class Piece(NamedTuple):
    """A leaf of the parameter tree in the vector of all."""

    start: int
    end: int
    shape: tuple[int, ...]


class Sizes(NamedTuple):
    """What a run is among those that share its program."""

    widths: UInt32[Any, " L"]  # of the hidden layers
    activation: Int[Any, ""]  # index into those of the program
    batch_size: UInt32[Any, ""]


class Span(NamedTuple):
    """Which examples an epoch reads, of all that there are: to train in an order, to evaluate one by one."""

    order: UInt32[Any, " N"]
    trained: UInt32[Any, ""]  # how many of the order; 0 to evaluate alone
    first: UInt32[Any, ""]  # where the examples begin on which it evaluates
    evaluated: UInt32[Any, ""]  # how many these are


def run_epoch(
    shared: Shared,
    state: RunState,
    hyper: Hyperparameters,
    sizes: Sizes,
    span: Span,
    examples: Examples,
    scale: Float[Array, ""],
) -> tuple[RunState, Values, Values]:
    """As `nnjax.training.run_epoch`, of a run whose parameters are a vector, and what the evaluation has found.

    Args:
        shared: what fixes the program.
        state: of the run.
        hyper: the setting's numbers.
        sizes: what else of its structure is numbers.
        span: which examples to read.
        examples: all splits after each other.
        scale: by which inputs are divided.
    """
    structure = shared.structure
    one = jnp.uint32(1)
    rows = jnp.uint32(shared.rows)
    row = jnp.arange(shared.rows, dtype=jnp.uint32)
    steps = _ceil(span.trained, sizes.batch_size)
    blocks = _ceil(span.evaluated, rows)
    spacing = _ceil(steps, jnp.maximum(one, steps // jnp.uint32(NORM_EVERY)))
    last = jnp.uint32(span.order.shape[0] - 1)
    nowhere = jnp.uint32(examples.y.shape[0])

    def forward(params: Params, x: Float[Array, "M D"]) -> Float[Array, "M C"]:
        *hidden, out = (params[name] for name in structure.layers)
        for layer, width in zip(hidden, sizes.widths, strict=True):
            x = activated(shared.activations, sizes, hyper, width, x @ layer["kernel"] + layer["bias"][None])
        return x @ out["kernel"] + out["bias"][None]

    def part(
        learns: Bool[Array, ""],
        params: Params,
        start: UInt32[Array, ""],
        count: UInt32[Array, ""],
        at: UInt32[Array, ""],
    ) -> tuple[Sums, Callable[[], Params]]:
        """The metrics of up to M of the ``count`` examples from ``start`` on, and what tells their gradient."""
        place = at + row
        there = place < count
        place = start + place
        index = jnp.where(learns, span.order.at[jnp.minimum(place, last)].get(mode="promise_in_bounds"), place)
        batch = take_batch(examples, jnp.where(there, index, nowhere).astype(jnp.int32), scale)
        logits, pull = jax.vjp(lambda params: forward(params, batch.x), params)

        def objective(logits: Float[Array, "M C"]) -> tuple[Float[Array, ""], Sums]:
            sums = score(structure, logits, batch)
            return sums["loss"].value / count.astype(scale.dtype), sums

        slope, sums = jax.grad(objective, has_aux=True)(logits)
        return sums, lambda: pull(slope)[0]

    def added(total: Sums, new: Sums, learns: Bool[Array, ""]) -> Sums:
        """Sums over the validation set [… 0] and over the training set [… 1]."""

        def add(total: Array, new: Array) -> Array:
            which = jnp.stack([~learns, learns]).reshape(*[1] * new.ndim, 2)
            return total + jnp.where(which, new[..., None], 0)

        return jax.tree.map(add, total, new)

    def step(t: UInt32[Array, ""], carry: Any) -> Any:
        train, sums, of_steps = carry
        learns = t < steps
        evaluating = (t - steps) * rows
        start = jnp.where(learns, t * sizes.batch_size, span.first + evaluating)
        count = jnp.where(
            learns,
            jnp.minimum(sizes.batch_size, span.trained - start),
            jnp.minimum(rows, span.evaluated - evaluating),
        )

        def add(i: UInt32[Array, ""], carry: Any) -> Any:
            total, sums = carry
            found, tell = part(learns, train.params, start, count, i * rows)
            total = _repeat(learns, lambda _, total: jax.tree.map(jnp.add, total, tell()), total)
            return total, added(sums, found, learns)

        if shared.adds_up:
            nothing = jax.tree.map(jnp.zeros_like, train.params)
            total, sums = _repeat(_ceil(count, rows), add, (nothing, sums))
        else:
            found, tell = part(learns, train.params, start, count, jnp.uint32(0))
            sums = added(sums, found, learns)

        def learn(_: Any, carry: Any) -> Any:
            train, of_steps = carry
            gradient = total if shared.adds_up else tell()
            rate = hyper.learning_rate * schedule_factor(structure.schedule, hyper, train.step)
            optimizer = optimizer_at(structure, hyper, rate)

            def update() -> tuple[Params, Any]:
                return optimizer.update(gradient, train.opt_state, train.params)

            def measure() -> Values:
                return of_step(shared, train.params, gradient, update()[0])

            new = jax.lax.cond(t % spacing == 0, measure, lambda: jax.tree.map(jnp.zeros_like, of_steps))
            updates, opt_state = update()
            params = optax.apply_updates(train.params, updates)
            return TrainState(params, opt_state, train.step + 1), jax.tree.map(jnp.add, of_steps, new)

        train, of_steps = _repeat(learns, learn, (train, of_steps))
        return train, sums, of_steps

    vector: Any = state.train.params
    train = state.train._replace(params=shared.tree(vector))
    shapes = jax.eval_shape(functools.partial(score, structure), *_a_part(shared, structure.network.classes))
    nothing = jax.tree.map(lambda leaf: jnp.zeros((*leaf.shape, 2), leaf.dtype), shapes)
    of_steps = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
        jax.eval_shape(lambda: of_step(shared, train.params, train.params, train.params)),
    )
    train, sums, of_steps = _repeat(steps + blocks, step, (train, nothing, of_steps))
    evaluation, training = (jax.tree.map(lambda total, i=i: total[..., i], sums) for i in (0, 1))
    train = train._replace(params=shared.vector(train.params))
    running = means(training, span.trained.astype(scale.dtype))
    valid = means(evaluation, span.evaluated.astype(scale.dtype))
    times = _ceil(steps, spacing).astype(scale.dtype)
    running |= {name: total / times for name, total in of_steps.items()}
    return *finished(structure, state, train, running, valid, hyper), valid


def _a_part(shared: Shared, classes: int) -> tuple[Any, Batch]:
    """The shapes of the logits of M examples, and of these."""
    rows = jax.ShapeDtypeStruct((shared.rows,), jnp.float32)
    x, logits = (jax.ShapeDtypeStruct((shared.rows, size), jnp.float32) for size in (shared.inputs, classes))
    return logits, Batch(x, jax.ShapeDtypeStruct((shared.rows,), jnp.int32), rows)  # type: ignore[arg-type]


def of_step(shared: Shared, params: Params, gradient: Params, updates: Params) -> Values:
    """The metrics of a step: norms, for which the padding is nothing."""
    structure, trees = shared.structure, (params, gradient, updates)
    found: Values = {}
    for named in structure.metrics:
        given = trees if named[1].dims else ({"all": shared.vector(tree)} for tree in trees)
        found |= measured((named,), structure.layers, *given)
    return found


def activated(
    activations: tuple[Activation, ...],
    sizes: Sizes,
    hyper: Hyperparameters,
    width: UInt32[Array, ""],
    z: Float[Array, "M F"],
) -> Float[Array, "M F"]:
    """The features of the units that a layer has, and 0 for its padding.

    One branch computes value and derivative together.
    """
    there = (jnp.arange(z.shape[1], dtype=jnp.uint32) < width)[None]

    def branch(activation: Activation, z: Array, slope: Array, there: Array) -> tuple[Array, Array]:
        y, derivative = jax.jvp(lambda z: activation(z, slope), (z,), (jnp.ones_like(z),))
        return jnp.where(there, y, 0), jnp.where(there, derivative, 0)

    def both(z: Array) -> tuple[Array, Array]:
        branches = [functools.partial(branch, activation) for activation in activations]
        return jax.lax.switch(sizes.activation, branches, z, hyper.activation_slope, there)

    @jax.custom_jvp
    def value(z: Array) -> Array:
        return both(z)[0]

    @value.defjvp
    def value_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
        y, derivative = both(*primals)
        return y, derivative * tangents[0]

    return value(z)


def _repeat(count: Any, body: Callable[[Any, Any], Any], carry: Any) -> Any:
    """A loop of so many rounds, of a truth value none or one: a condition that copies nothing."""
    return jax.lax.fori_loop(jnp.uint32(0), jnp.asarray(count, jnp.uint32), body, carry)


def _ceil(count: UInt32[Array, ""], size: UInt32[Array, ""]) -> UInt32[Array, ""]:
    """⌈count / size⌉."""
    return (count + size - jnp.uint32(1)) // size
