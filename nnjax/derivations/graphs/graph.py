"""Computation graphs: a scalar function as simple operations, each with its value and its adjoint.

The forward pass gives every node a value; the backward pass gives it an adjoint, the derivative of the output in
that node. `graph_of` makes the graph, `table` writes it, `nnjax.derivations.graphs.drawing` draws it.
"""

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike
from numpy.typing import NDArray

from nnjax.derivations.graphs.notation import format_value, operation_text
from nnjax.derivations.graphs.trace import Constant, Kind, Step, Trace, bind
from nnjax.validation import UserError

Numbers = NDArray[Any]

LIMIT = 2**20
"""The most entries of one local derivative: the graph is for functions that one can look at."""


class Node(NamedTuple):
    """An input, a constant array, or one operation."""

    name: str  # of an input its own; v1, v2, … for operations; c1, c2, … for constants
    operation: str  # what it does with which nodes: "v2·z"; or "input", "constant"
    kind: Kind
    value: Numbers
    adjoint: Numbers | None  # ∂output/∂node, of the node's shape; None for constants, truth values and integers


class Edge(NamedTuple):
    """The use of one node by another."""

    source: str
    target: str
    derivative: Numbers | None  # ∂target/∂source, (shape of target) × (shape of source); None where there is none


class Graph(NamedTuple):
    """The nodes in the order of the forward pass, inputs first."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]  # at most one between two nodes: x·x has one to x, with 2x
    output: str


def graph_of(f: Callable[..., Any], /, **inputs: ArrayLike) -> Graph:
    """The computation graph of ``f(**inputs)`` with values, adjoints and local derivatives.

    The adjoint of the output is 1, and that of a node u the sum over its outgoing edges

    ``ū = ∂output/∂u = Σ_{edges u → v} v̄ · ∂v/∂u``,

    which is the chain rule, taken from the output backwards, so that each v̄ is complete when it is used. For
    arrays ``·`` sums over all axes of v. The operations are those that JAX traces: functions compiled by `jit`
    are opened, of a `cond` the branch taken is there, what the output doesn't depend on is left out.

    Python's and NumPy's floats are float64 here, whatever JAX's setting; other float arrays keep their dtype.
    Where a local derivative of an array is infinite, sums over its zeros are NaN (0 · ∞).

    Args:
        f: a function made of JAX operations that returns one float.
        inputs: a float or an array of floats for each of its arguments, by name.

    Raises:
        UserError: where f isn't such a function, doesn't take these arguments or needs others, an input isn't
            a float or has no value (inside of `jit`), an array is too large for its derivatives, or a function
            has a backward rule that no derivative gives (one that clips gradients).

    Source: Griewank and Walther (2008), Evaluating Derivatives, 2nd ed., SIAM, section 3.2.
    """
    name = getattr(f, "__name__", "the function")
    call = _by_position(f, name, tuple(inputs))
    with jax.enable_x64(True):
        arrays = [_float_array(key, value) for key, value in inputs.items()]
        try:
            jaxpr, out = jax.make_jaxpr(call, return_shape=True)(*arrays)
        except Exception as error:  # whatever a user's function raises
            reason = str(error).strip().partition("\n")[0]
            raise UserError(f"{name} can't be traced by JAX: {type(error).__name__}: {reason}") from error
        _check_output(name, out)
        trace = Trace()
        places = [trace.add(Step("input", array)) for array in arrays]
        output = trace.run(jaxpr.jaxpr, jaxpr.consts, places)[0]
        if isinstance(output, Constant):
            output = trace.add(Step("constant", output.array))
        return _finish(trace.steps, tuple(inputs), output)


def table(graph: Graph) -> str:
    """The graph as aligned text: a line a node, with its operation, value, adjoint and local derivatives.

    "–" stands where there is no derivative. Arrays of more than six entries are given by shape and range.
    """
    rows = [("node", "operation", "value", "adjoint", "local derivatives")]
    for node in graph.nodes:
        derivatives = [
            f"∂{edge.target}/∂{edge.source} = {format_value(edge.derivative)}"
            for edge in graph.edges
            if edge.target == node.name and edge.derivative is not None
        ]
        adjoint = format_value(node.adjoint)
        rows.append((node.name, node.operation, format_value(node.value), adjoint, ", ".join(derivatives)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = (False, False, True, True, False)
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def log_plus_product(x: Any, y: Any, z: Any) -> Any:
    """ln x + exp(y)·z."""
    return jnp.log(x) + jnp.exp(y) * z


def squared_neuron(w0: Any, w1: Any, w2: Any, x1: Any, x2: Any) -> Any:
    """(w0 + w1·x1 + w2·x2)²."""
    return (w0 + w1 * x1 + w2 * x2) ** 2


EXAMPLES: Mapping[str, tuple[Callable[..., Any], Mapping[str, float]]] = {
    "ln x + exp(y)·z": (log_plus_product, {"x": 1.0, "y": 3.0, "z": 2.0}),
    "(w0 + w1·x1 + w2·x2)²": (squared_neuron, {"w0": 1.0, "w1": 2.0, "w2": -1.0, "x1": 3.0, "x2": 2.0}),
}
"""The graphs that the documentation shows: a function and where it is evaluated."""


def _finish(steps: list[Step], inputs: Sequence[str], output: int) -> Graph:
    """Names for the steps that the output depends on, and the backward pass through them."""
    needed = {*range(len(inputs)), output}
    for number in range(output, -1, -1):
        if number in needed:
            needed.update(steps[number].sources)
    names: dict[int, str] = dict(enumerate(inputs))
    free = {kind: _free_names(letter, inputs) for kind, letter in (("operation", "v"), ("constant", "c"))}
    for number in sorted(needed)[len(inputs) :]:
        names[number] = next(free[steps[number].kind])

    derivatives = {number: _local_derivatives(steps, number) for number in names}
    adjoints = {number: np.zeros_like(steps[number].array) for number in names if steps[number].has_adjoint}
    if output in adjoints:
        adjoints[output] = np.ones_like(steps[output].array)
    for target in sorted(names, reverse=True):
        passed = _passed_back(adjoints.get(target), derivatives[target])
        _check_rule(steps, target, adjoints.get(target), passed)
        for source, part in passed.items():
            adjoints[source] = np.asarray(adjoints[source] + part)  # NumPy makes numbers of 0-d arrays

    nodes, edges = [], []
    for number, name in names.items():
        step = steps[number]
        text = _text(step, names) if step.kind == "operation" else step.kind
        nodes.append(Node(name, text, step.kind, np.asarray(step.array), adjoints.get(number)))
        edges += [Edge(names[source], name, derivatives[number].get(source)) for source in step.sources]
    return Graph(tuple(nodes), tuple(edges), names[output])


def _local_derivatives(steps: Sequence[Step], number: int) -> dict[int, Numbers]:
    """∂step/∂source for each source, the others held fixed, by JAX's rule for this one operation."""
    step = steps[number]
    sources = [source for source in step.sources if steps[source].has_adjoint] if step.has_adjoint else []
    if not sources:
        return {}
    for source in sources:
        if (entries := np.size(step.array) * np.size(steps[source].array)) > LIMIT:
            raise UserError(f"a local derivative would have {entries} entries, and at most {LIMIT} are computed")
    try:
        jacobian = jax.jacrev(_as_function(steps, step, sources), argnums=tuple(range(len(sources))))
        found = jacobian(*(steps[source].array for source in sources))
    except (NotImplementedError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"JAX can't differentiate the operation {step.eqn.primitive.name}: {reason}") from error
    return {source: np.asarray(derivative) for source, derivative in zip(sources, found, strict=True)}


def _as_function(steps: Sequence[Step], step: Step, sources: Sequence[int]) -> Callable[..., Any]:
    """The operation of a step as a function of some of its sources, each once."""

    def operation(*arrays: Any) -> Any:
        at = dict(zip(sources, arrays, strict=True))
        operands = [
            (at[operand] if operand in at else steps[operand].array) if isinstance(operand, int) else operand.array
            for operand in step.operands
        ]
        return bind(step.eqn, operands)[step.place]

    return operation


def _passed_back(adjoint: Numbers | None, derivatives: Mapping[int, Numbers]) -> dict[int, Numbers]:
    """What a node adds to the adjoint of each of its sources: its own times the local derivative."""
    if adjoint is None:
        return {}
    with np.errstate(all="ignore"):  # 0 · ∞ is NaN, as it is in jax.grad
        return {
            source: np.asarray(np.tensordot(adjoint, derivative, adjoint.ndim))
            for source, derivative in derivatives.items()
        }


def _check_rule(
    steps: Sequence[Step], number: int, adjoint: Numbers | None, passed: Mapping[int, Numbers]
) -> None:
    """Refuse a backward pass that isn't a product with a derivative, such as one that clips gradients."""
    step = steps[number]
    if step.eqn is None or "custom_vjp" not in step.eqn.primitive.name or adjoint is None or not passed:
        return
    sources = list(passed)
    _, pull = jax.vjp(_as_function(steps, step, sources), *(steps[source].array for source in sources))
    for source, theirs in zip(sources, pull(jnp.asarray(adjoint)), strict=True):
        tolerance = 1e-9 if theirs.dtype == np.float64 else 1e-2
        if not np.allclose(passed[source], theirs, rtol=tolerance, atol=tolerance, equal_nan=True):
            name = operation_text(step.eqn, ["…"])
            raise UserError(f"the backward rule of {name} isn't linear, so it stands for no local derivative")


def _text(step: Step, names: Mapping[int, str]) -> str:
    operands = []
    for operand in step.operands:
        if isinstance(operand, int):
            operands.append(names[operand])
        else:
            entries = np.ravel(operand.array)
            operands.append(format_value(entries[0]) if entries.size else "[]")
    text = operation_text(step.eqn, operands)
    return f"{text}[{step.place}]" if len(step.eqn.outvars) > 1 else text


def _free_names(letter: str, taken: Sequence[str]) -> Iterator[str]:
    return (name for number in itertools.count(1) if (name := f"{letter}{number}") not in taken)


def _by_position(f: Callable[..., Any], name: str, given: tuple[str, ...]) -> Callable[..., Any]:
    """f as a function of its named inputs in the order in which they are given."""
    if not given:
        raise UserError(f"{name} needs at least one input, such as x=1.0")
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):  # some built-in functions have none
        return lambda *values: f(**dict(zip(given, values, strict=True)))
    parameters = signature.parameters.values()
    # A name that may only be given by position is given so: jnp.log(x, /).
    front = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY and p.name in given]
    rest = [key for key in given if key not in front]
    try:
        signature.bind(*front, **dict.fromkeys(rest))
    except TypeError as error:
        raise UserError(f"{name}{signature} doesn't take the inputs {', '.join(given)}: {error}") from None

    def call(*values: Any) -> Any:
        at = dict(zip(given, values, strict=True))
        return f(*(at[key] for key in front), **{key: at[key] for key in rest})

    return call


def _float_array(name: str, value: Any) -> Any:
    if isinstance(value, jax.core.Tracer):
        raise UserError(f"input {name} has no value yet: make the graph outside of jit, grad and vmap")
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError):
        raise UserError(f"input {name} is {value!r}, and must be a float or an array of floats") from None
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise UserError(f"input {name} has dtype {array.dtype}, and a derivative needs floats: 1.0 instead of 1")
    return array


def _check_output(name: str, out: Any) -> None:
    results = jax.tree.leaves(out)
    if len(results) != 1:
        raise UserError(f"{name} returns {len(results)} values, and must return one float")
    shape, dtype = results[0].shape, results[0].dtype
    if shape:
        raise UserError(f"{name} returns an array of shape {shape}, and must return one float")
    if not jnp.issubdtype(dtype, jnp.floating):
        raise UserError(f"{name} returns a value of dtype {dtype}, and must return one float")
