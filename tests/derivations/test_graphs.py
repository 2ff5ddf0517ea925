"""Computation graphs against jax.grad, hand-worked tables, and drawings measured as rectangles."""

import functools
import itertools
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.derivations.graphs import EXAMPLES, graph_of, table
from nnjax.derivations.graphs.drawing import ADJOINT, LETTER, LINE, VALUE, svg
from nnjax.derivations.graphs.notation import format_value

E3 = math.exp(3)
LOG, SQUARE = EXAMPLES.values()


def by_name(graph):
    return {node.name: node for node in graph.nodes}


# The two graphs of the note, every number worked out by hand.


def test_log_plus_product():
    graph = graph_of(LOG[0], x=1.0, y=3.0, z=2.0)
    values = {"x": 1, "y": 3, "z": 2, "v1": 0, "v2": E3, "v3": 2 * E3, "v4": 2 * E3}
    adjoints = {"x": 1, "y": 2 * E3, "z": E3, "v1": 1, "v2": 2, "v3": 1, "v4": 1}
    edges = {"x v1": 1, "y v2": E3, "v2 v3": 2, "z v3": E3, "v1 v4": 1, "v3 v4": 1}
    assert {n.name: float(n.value) for n in graph.nodes} == pytest.approx(values, rel=1e-15)
    assert {n.name: float(n.adjoint) for n in graph.nodes} == pytest.approx(adjoints, rel=1e-15)
    assert {f"{e.source} {e.target}": float(e.derivative) for e in graph.edges} == pytest.approx(edges, rel=1e-15)
    assert [n.operation for n in graph.nodes] == ["input"] * 3 + ["ln x", "exp(y)", "v2·z", "v1 + v3"]
    assert graph.output == "v4"
    assert dict(LOG[1]) == {"x": 1, "y": 3, "z": 2}


def test_the_tables_as_they_are_printed():
    assert (
        "\n" + table(graph_of(LOG[0], **LOG[1]))
        == """
node  operation    value  adjoint  local derivatives
x     input            1        1
y     input            3  40.1711
z     input            2  20.0855
v1    ln x             0        1  ∂v1/∂x = 1
v2    exp(y)     20.0855        2  ∂v2/∂y = 20.0855
v3    v2·z       40.1711        1  ∂v3/∂v2 = 2, ∂v3/∂z = 20.0855
v4    v1 + v3    40.1711        1  ∂v4/∂v1 = 1, ∂v4/∂v3 = 1"""
    )
    # s = w0 + w1 x1 + w2 x2 = 5: ∂s²/∂w = 2s (1, x1, x2), ∂s²/∂x = 2s (w1, w2).
    assert (
        "\n" + table(graph_of(SQUARE[0], **SQUARE[1]))
        == """
node  operation  value  adjoint  local derivatives
w0    input          1       10
w1    input          2       30
w2    input         −1       20
x1    input          3       20
x2    input          2      −10
v1    w1·x1          6       10  ∂v1/∂w1 = 3, ∂v1/∂x1 = 2
v2    w0 + v1        7       10  ∂v2/∂w0 = 1, ∂v2/∂v1 = 1
v3    w2·x2         −2       10  ∂v3/∂w2 = 2, ∂v3/∂x2 = −1
v4    v2 + v3        5       10  ∂v4/∂v2 = 1, ∂v4/∂v3 = 1
v5    v4²           25        1  ∂v5/∂v4 = 10"""
    )


# Against jax.grad.


@jax.custom_vjp
def reversed_gradient(x):
    return 3 * x


reversed_gradient.defvjp(lambda x: (3 * x, None), lambda _, g: (-g,))


@jax.custom_vjp
def clipped(x):
    return 3 * x


clipped.defvjp(lambda x: (3 * x, None), lambda _, g: (jnp.clip(g, -1, 1),))


def network(x, w, v):
    h = jax.nn.relu(w @ x + jnp.array([0.5, -1.0]))
    return jnp.square(v @ h - 1) + 0.1 * jnp.sum(jnp.square(w))


X, W, V = np.array([1.0, -2.0, 0.5]), np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 2.0]]), np.array([1.0, -0.5])

CASES = {
    "one node twice": (lambda x: x * x * x, {"x": 1.5}),
    "the input itself": (lambda x: x, {"x": 1.5}),
    "a constant": (lambda x: 3.0, {"x": 1.5}),
    "an input that isn't used": (lambda x, y: jnp.sin(x), {"x": 1.5, "y": 2.0}),
    "relu at its kink": (lambda x: 2 * jax.nn.relu(x), {"x": 0.0}),
    "abs at its kink": (lambda x: jnp.abs(x), {"x": 0.0}),
    "max at a tie": (lambda x, y: jnp.maximum(x, y), {"x": 1.0, "y": 1.0}),
    "a rule that isn't the derivative": (lambda x: 5 * reversed_gradient(x), {"x": 2.0}),
    "stop_gradient": (lambda x: x * jax.lax.stop_gradient(jnp.exp(x)), {"x": 0.3}),
    "nested jit": (lambda x: jax.jit(lambda y: jnp.sin(jax.jit(jnp.cos)(y)) * y)(x), {"x": 0.3}),
    "checkpoint": (lambda x: jax.checkpoint(lambda y: jnp.sin(y) * y)(x), {"x": 0.3}),
    "cond": (lambda x: jax.lax.cond(x > 0, lambda y: y * y, jnp.sin, x), {"x": -0.3}),
    "switch": (lambda x: jax.lax.switch(7, [jnp.sin, jnp.cos, lambda y: y**3], x), {"x": -0.3}),
    "where": (lambda x, y: jnp.where(x > y, x * y, x - y), {"x": 2.0, "y": 1.0}),
    "loop": (lambda x: jax.lax.fori_loop(0, 4, lambda i, y: jnp.sin(y) * x, x), {"x": 0.7}),
    "powers": (lambda x, y: x**-3 + x**y + 2.0**x + jnp.sqrt(x) + jax.lax.rsqrt(y), {"x": 1.7, "y": 0.4}),
    "activations": (
        lambda x: jax.nn.gelu(x, approximate=False) + jax.nn.softplus(x) + jax.nn.silu(x) + jax.nn.elu(x),
        {"x": 0.4},
    ),
    "infinite": (lambda x: jnp.sqrt(x), {"x": 0.0}),
    "not a number": (lambda x: jnp.log(x) * 2, {"x": -1.0}),
    "two results": (lambda x: jnp.sum(jnp.split(x, [1])[1] ** 2) + jnp.split(x, [1])[0][0], {"x": X}),
    "a network": (network, {"x": X, "w": W, "v": V}),
    "cross-entropy": (lambda z: jax.nn.logsumexp(z) - z[1], {"z": X}),
    "softmax": (lambda z: jax.nn.softmax(z)[0] * jnp.max(z) / jnp.prod(z), {"z": X}),
    "matrices": (lambda x, w: jnp.trace(w @ w.T) + jnp.sum((w.T @ w) @ x), {"x": X, "w": W}),
    "solve": (lambda w: jnp.linalg.det(w @ w.T) + jnp.linalg.slogdet(w @ w.T)[1], {"w": W}),
    "one entry, none": (lambda x, y: x[0] + jnp.sum(y), {"x": np.array([2.0]), "y": np.zeros(0)}),
}


@functools.cache
def graph_of_case(case):
    f, at = CASES[case]
    return graph_of(f, **at)


@pytest.mark.parametrize("case", CASES)
def test_values_and_adjoints_are_those_of_jax(case):
    f, at = CASES[case]
    graph = graph_of_case(case)
    with jax.enable_x64(True):
        arrays = [jnp.asarray(value) for value in at.values()]
        value, grads = jax.jit(jax.value_and_grad(lambda xs: f(**dict(zip(at, xs, strict=True))) * 1.0))(arrays)
    nodes = by_name(graph)
    np.testing.assert_allclose(nodes[graph.output].value, value, rtol=1e-14)
    for name, grad in zip(at, grads, strict=True):
        assert isinstance(nodes[name].adjoint, np.ndarray)
        assert nodes[name].value.dtype == nodes[name].adjoint.dtype == np.float64
        np.testing.assert_allclose(nodes[name].adjoint, grad, rtol=1e-13, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("infinite", "not a number")])
def test_an_adjoint_is_the_sum_over_the_outgoing_edges(case):
    graph = graph_of_case(case)
    nodes = by_name(graph)
    for node in graph.nodes:
        if node.adjoint is None or node.name == graph.output:
            continue
        total = np.zeros(node.value.size)
        for edge in graph.edges:
            if edge.source == node.name and edge.derivative is not None:
                target = nodes[edge.target]
                assert edge.derivative.shape == target.value.shape + node.value.shape
                total += target.adjoint.reshape(-1) @ edge.derivative.reshape(target.value.size, -1)
        np.testing.assert_allclose(node.adjoint.reshape(-1), total, rtol=1e-13, atol=1e-14, err_msg=node.name)


# Each with the number of its operations, of which the last one gives its value.
UNARY = {
    "sin": (jnp.sin, 1),
    "tanh": (jnp.tanh, 1),
    "exp": (lambda a: jnp.exp(-a * a), 3),  # bounded, so that nothing overflows
    "log": (lambda a: jnp.log1p(a * a), 2),
    "neg": (lambda a: -a, 1),
    "relu": (jax.nn.relu, 1),
}
BINARY = {
    "add": (lambda a, b: a + b, 1),
    "sub": (lambda a, b: a - b, 1),
    "mul": (lambda a, b: a * b, 1),
    "div": (lambda a, b: a / (1.5 + jnp.sin(b)), 3),
    "max": (jnp.maximum, 1),
}


@st.composite
def programs(draw, longest=10):
    """Inputs, and operations on what came before: (name, first operand, second operand)."""
    start = draw(st.lists(st.floats(-2, 2, allow_subnormal=False), min_size=1, max_size=4))
    steps = []
    for _ in range(draw(st.integers(1, longest))):
        known = st.integers(0, len(start) + len(steps) - 1)
        steps.append((draw(st.sampled_from([*UNARY, *BINARY])), draw(known), draw(known)))
    return start, steps


def run(steps, values, bumps=None):
    values = list(values)
    for number, (name, i, j) in enumerate(steps):
        value = UNARY[name][0](values[i]) if name in UNARY else BINARY[name][0](values[i], values[j])
        values.append(value if bumps is None else value + bumps[number])
    return values


def needed(steps, inputs):
    """The steps that the last one depends on, in order."""
    found = {inputs + len(steps) - 1}
    for number in range(len(steps) - 1, -1, -1):
        name, i, j = steps[number]
        if inputs + number in found:
            found |= {i} if name in UNARY else {i, j}
    return sorted(place - inputs for place in found if place >= inputs)


@settings(max_examples=60)
@given(programs())
def test_random_expressions(program):
    start, steps = program
    names = [f"x{i}" for i in range(len(start))]
    graph = graph_of(lambda **xs: run(steps, xs.values())[-1], **dict(zip(names, start, strict=True)))
    with jax.enable_x64(True):
        values = run(steps, [jnp.asarray(value) for value in start])
        grads = jax.grad(lambda xs: run(steps, xs)[-1])([jnp.asarray(value) for value in start])
        # The derivative in a number that is added to a step's value is the adjoint of that step.
        inner = jax.grad(lambda bumps: run(steps, start, bumps)[-1])([jnp.asarray(0.0) for _ in steps])
    nodes = by_name(graph)
    for name, grad in zip(names, grads, strict=True):
        np.testing.assert_allclose(nodes[name].adjoint, grad, rtol=1e-12, atol=1e-12)
    operations = [node for node in graph.nodes if node.kind == "operation"]
    counts = [(UNARY | BINARY)[steps[number][0]][1] for number in needed(steps, len(start))]
    assert len(operations) == sum(counts)
    for number, last in zip(needed(steps, len(start)), itertools.accumulate(counts), strict=True):
        node = operations[last - 1]
        np.testing.assert_allclose(node.value, values[len(start) + number], rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(node.adjoint, inner[number], rtol=1e-12, atol=1e-12)


def test_float32_stays_float32_and_the_setting_of_jax_comes_back():
    graph = graph_of(lambda x: jnp.sin(x) * 2, x=np.float32(0.5))
    assert all(node.value.dtype == np.float32 for node in graph.nodes)
    assert jnp.asarray(1.0).dtype == np.float32
    with pytest.raises(ValueError, match="must return one float"):
        graph_of(lambda x: (x, x), x=1.0)
    assert jnp.asarray(1.0).dtype == np.float32


# Names.


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda a, b: a - b, "a − b"),
        (lambda a, b: a / b, "a / b"),
        (lambda a, b: a**b, "a^b"),
        (lambda a, b: a**-2, "a⁻²"),
        (lambda a, b: -a, "−a"),
        (lambda a, b: a * -2.5, "a·(−2.5)"),
        (lambda a, b: jnp.maximum(a, -1.0), "max(a, −1)"),
        (lambda a, b: jnp.sqrt(a), "√a"),
        (lambda a, b: jnp.abs(a), "|a|"),
        (lambda a, b: jax.nn.sigmoid(a), "σ(a)"),
        (lambda a, b: jnp.log1p(a), "ln(1 + a)"),
        (lambda a, b: jax.nn.relu(a), "relu(a)"),
        (lambda a, b: clipped(a), "clipped(a)"),
        (lambda a, b: jnp.sinh(a), "sinh(a)"),
        (lambda a, b: jax.lax.select(True, jnp.sin(a), b), "sin(a)"),
    ],
)
def test_operations_read_as_one_writes_them(f, text):
    assert text in [node.operation for node in graph_of(f, a=1.5, b=0.5).nodes]


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda a, m: a @ a, "aᵀa"),
        (lambda a, m: jnp.sum(m @ a), "m @ a"),
        (lambda a, m: jnp.sum(a @ m.T), "a @ v1"),
        (lambda a, m: jnp.sum(jax.lax.dot_general(m, m, (((1,), (1,)), ((), ())))), "m @ mᵀ"),
        (lambda a, m: jnp.sum(jax.lax.dot_general(m, m, (((0,), (0,)), ((), ())))), "mᵀ @ m"),
        (lambda a, m: jnp.sum(m.T), "mᵀ"),
        (lambda a, m: jnp.sum(a), "Σ a"),
        (lambda a, m: jnp.sum(a[1:3]), "a[1:3]"),
        (lambda a, m: jnp.sum(a * jnp.array([1.0, 2.0, 3.0])), "a·c1"),
        (lambda a, m: jnp.sum(a * jnp.full(3, 2.0)), "a·2"),
        (lambda a, m: jnp.sum(jnp.sort(jnp.where(a > 0, a, -a))), "a if v1 else v2"),
    ],
)
def test_operations_on_arrays(f, text):
    assert text in [node.operation for node in graph_of(f, a=X, m=W).nodes]


def test_only_the_branch_taken_and_no_casts():
    def f(x):
        return jax.lax.cond(x > 0, lambda y: jnp.sin(y) * 2, jnp.cos, jnp.clip(x, -1, 1))

    assert [n.operation for n in graph_of(f, x=0.5).nodes[1:]] == ["max(−1, x)", "min(1, v1)", "sin(v2)", "v3·2"]
    assert [n.operation for n in graph_of(f, x=-0.5).nodes[1:]] == ["max(−1, x)", "min(1, v1)", "cos(v2)"]
    assert [n.operation for n in graph_of(lambda x: jnp.sin(jnp.copy(x)), x=0.5).nodes] == ["input", "sin(x)"]


def test_names_that_are_taken_are_left_to_the_inputs():
    graph = graph_of(lambda v1, c1: jnp.sum(jnp.sin(v1) * jnp.array([1.0, 2.0]) + c1), v1=1.0, c1=2.0)
    names = [node.name for node in graph.nodes]
    assert len(set(names)) == len(names)
    assert names[:2] == ["v1", "c1"]
    assert {"c2", "v2"} <= set(names)


def test_what_has_no_derivative_has_none():
    graph = graph_of(lambda x: jnp.where(x > 0, x, 0.0) * jnp.sum(jnp.array([1.0, 2.0]) * x), x=2.0)
    nodes = by_name(graph)
    condition = next(node for node in graph.nodes if node.operation == "x > 0")
    constant = next(node for node in graph.nodes if node.kind == "constant")
    assert condition.adjoint is None
    assert constant.adjoint is None
    for edge in graph.edges:
        without = nodes[edge.source].adjoint is None or nodes[edge.target].adjoint is None
        assert (edge.derivative is None) == without
    assert "true" in table(graph)
    assert "–" in table(graph)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (20.085536923, "20.0855"),
        (-0.0, "0"),
        (-1e-20, "−1e−20"),
        (float("-inf"), "−∞"),
        (float("nan"), "nan"),
        (True, "true"),
        (-3, "−3"),
        (None, "–"),
        ([1.0, -2.0], "[1, −2]"),
        (np.eye(2), "[[1, 0], [0, 1]]"),
        (np.arange(12.0).reshape(3, 4) - 2, "[3×4: −2 … 9]"),
        (np.zeros(0), "[]"),
    ],
)
def test_numbers(value, text):
    assert format_value(value) == text


def test_the_columns_of_a_table_are_aligned():
    lines = table(graph_of(CASES["a network"][0], **CASES["a network"][1])).splitlines()
    assert len({len(line) for line in lines if "∂" not in line} - {len(lines[0])}) <= 1
    start = lines[0].index("local derivatives")
    assert [line for line in lines[1:] if "∂" in line and line.index("∂") != start] == []
    assert all(line == line.rstrip() for line in lines)


# What is refused.


def not_jax(x):
    return math.sin(x)


@pytest.mark.parametrize(
    ("f", "at", "message"),
    [
        (
            lambda x: jnp.stack([x, x]),
            {"x": 1.0},
            r"<lambda> returns an array of shape \(2,\), and must return one",
        ),
        (lambda x: (x, x), {"x": 1.0}, "returns 2 values, and must return one float"),
        (lambda x: x > 0, {"x": 1.0}, "returns a value of dtype bool, and must return one float"),
        (lambda x: jax.lax.complex(x, x), {"x": 1.0}, "returns a value of dtype complex128"),
        (lambda x: None, {"x": 1.0}, "returns 0 values"),
        (lambda x: "text", {"x": 1.0}, "can't be traced by JAX"),
        (
            not_jax,
            {"x": 1.0},
            "not_jax can't be traced by JAX: TracerArrayConversionError|ConcretizationTypeError",
        ),
        (lambda x: 1.0 if x > 0 else x, {"x": 1.0}, "can't be traced by JAX: TracerBoolConversionError"),
        (lambda x: x, {"x": 1}, "input x has dtype int.*a derivative needs floats: 1.0 instead of 1"),
        (lambda x: x, {"x": True}, "input x has dtype bool"),
        (lambda x: x, {"x": 1j}, "input x has dtype complex128"),
        (lambda x: x, {"x": "1"}, "input x is '1', and must be a float or an array of floats"),
        (lambda x: x, {"x": [[1.0], [1.0, 2.0]]}, "input x is .*, and must be a float or an array of floats"),
        (lambda x: x, {"y": 1.0}, "doesn't take the inputs y: missing a required argument: 'x'"),
        (lambda x: x, {"x": 1.0, "z": 1.0}, "doesn't take the inputs x, z: .*'z'"),
        (lambda x: x, {}, "needs at least one input"),
        (lambda x: jnp.sum(x @ x), {"x": np.ones((64, 64))}, "would have 16777216 entries, and at most 1048576"),
        (
            lambda x: jax.lax.while_loop(lambda y: y < 9, lambda y: 2 * y, x),
            {"x": 1.0},
            "can't differentiate .*while",
        ),
    ],
)
def test_what_has_no_graph_gets_one_sentence(f, at, message):
    with pytest.raises(ValueError, match=message) as caught:
        graph_of(f, **at)
    assert "\n" not in str(caught.value)


def test_a_backward_rule_that_is_no_derivative():
    with pytest.raises(ValueError, match=r"the backward rule of clipped\(…\) isn't linear"):
        graph_of(lambda x: 5 * clipped(x), x=1.0)
    assert graph_of(lambda x: 0.5 * clipped(x), x=1.0).nodes[0].adjoint == 0.5


def test_inputs_without_a_value():
    with pytest.raises(ValueError, match="input x has no value yet: make the graph outside of jit"):
        jax.jit(lambda x: graph_of(lambda x: x, x=x).nodes[0].value)(1.0)


def test_arguments_by_position_alone():
    def f(x, /, y):
        return x * x * y

    assert [float(node.adjoint) for node in graph_of(f, y=3.0, x=2.0).nodes[:2]] == [4.0, 12.0]
    with pytest.raises(ValueError, match="doesn't take the inputs y"):
        graph_of(f, y=3.0)


# The drawing, read back from the SVG.


class Drawing:
    def __init__(self, graph):
        self.graph = graph
        self.root = ET.fromstring(svg(graph))
        ns = "{http://www.w3.org/2000/svg}"
        self.width, self.height = float(self.root.get("width")), float(self.root.get("height"))
        groups = self.root.findall(f"{ns}g")
        self.boxes = {
            g.get("data-name"): self.rect(g.find(f"{ns}rect")) for g in groups if g.get("class") == "node"
        }
        self.box_texts = {
            g.get("data-name"): [(t.text, t.get("fill"), self.extent(t)) for t in g.findall(f"{ns}text")]
            for g in groups
            if g.get("class") == "node"
        }
        self.labels, self.lines = {}, {}
        for g in groups:
            if g.get("class") == "edge":
                key = (g.get("data-source"), g.get("data-target"))
                self.lines[key] = self.points(g.find(f"{ns}path").get("d"))
                for t in g.findall(f"{ns}text"):
                    self.labels[key] = (t.text, self.extent(t))
        self.legend = [self.extent(t) for t in self.root.findall(f"{ns}text")]

    @staticmethod
    def rect(element):
        x, y, width, height = (float(element.get(key)) for key in ("x", "y", "width", "height"))
        return x, y, x + width, y + height

    @staticmethod
    def extent(text):
        """Where the letters are, rather too large: DejaVu Sans Mono's are 0.602 em wide, 0.76 up, 0.24 down."""
        width, x, y = len(text.text) * LETTER, float(text.get("x")), float(text.get("y"))
        left = x - width / 2 if text.get("text-anchor") == "middle" else x
        return left, y - 0.8 * 13, left + width, y + 0.25 * 13

    @staticmethod
    def points(path):
        """Points along a path of M, L and C commands, in pieces that are drawn."""
        tokens, here, points = re.findall(r"[MLC]|-?[\d.]+", path), None, []
        while tokens:
            command = tokens.pop(0)
            numbers = [float(tokens.pop(0)) for _ in range(6 if command == "C" else 2)]
            pairs = [np.array(numbers[i : i + 2]) for i in range(0, len(numbers), 2)]
            t = np.linspace(0, 1, 33)[:, None]
            if command == "L":
                points.extend(here + t * (pairs[0] - here))
            elif command == "C":
                a, b, c = pairs
                points.extend((1 - t) ** 3 * here + 3 * (1 - t) ** 2 * t * a + 3 * (1 - t) * t**2 * b + t**3 * c)
            here = pairs[-1]
        return np.array(points)


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def inside(a, b):
    return a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2] and a[3] <= b[3]


def through(points, rect, slack=0.5):
    x, y = points.T
    left, top, right, bottom = rect
    return np.any((x > left + slack) & (x < right - slack) & (y > top + slack) & (y < bottom - slack))


def check_drawing(graph):
    drawing = Drawing(graph)
    assert set(drawing.boxes) == {node.name for node in graph.nodes}
    assert set(drawing.lines) == {(edge.source, edge.target) for edge in graph.edges}
    assert set(drawing.labels) == {(e.source, e.target) for e in graph.edges if e.derivative is not None}
    things = [*drawing.boxes.values(), *(rect for _, rect in drawing.labels.values()), *drawing.legend]
    for a, b in itertools.combinations(things, 2):
        assert not overlap(a, b), (a, b)
    for thing in things:
        assert inside(thing, (0, 0, drawing.width, drawing.height))
    for name, texts in drawing.box_texts.items():
        extents = [extent for _, _, extent in texts]
        assert all(inside(extent, drawing.boxes[name]) for extent in extents), name
        assert not any(overlap(a, b) for a, b in itertools.combinations(extents, 2)), name
    for (source, target), points in drawing.lines.items():
        assert drawing.boxes[source][2] < drawing.boxes[target][0], "from left to right"
        assert abs(points[0][0] - drawing.boxes[source][2]) < 0.2, "a line begins at its source"
        assert 0 < drawing.boxes[target][0] - points[-1][0] < 10, "and ends with an arrow at its target"
        assert drawing.boxes[target][1] < points[-1][1] < drawing.boxes[target][3]
        for rect in things:
            assert not through(points, rect), (source, target, rect)
        assert points.min() >= 0
        assert points[:, 0].max() <= drawing.width
        assert points[:, 1].max() <= drawing.height
    return drawing


@pytest.mark.parametrize("name", EXAMPLES)
def test_drawings_of_the_examples(name):
    f, at = EXAMPLES[name]
    graph = graph_of(f, **at)
    drawing = check_drawing(graph)
    for node in graph.nodes:
        (name, _, _), (value, blue, _), (adjoint, red, _) = drawing.box_texts[node.name]
        assert name == (node.name if node.kind == "input" else f"{node.name} = {node.operation}")
        assert (value, blue) == (f"→ {format_value(node.value)}", VALUE)
        assert (adjoint, red) == (f"← {format_value(node.adjoint)}", ADJOINT)
    for edge in graph.edges:
        assert drawing.labels[edge.source, edge.target][0] == format_value(edge.derivative)


@pytest.mark.parametrize(("figure", "example"), [("graph.svg", LOG), ("graph_square.svg", SQUARE)])
def test_the_drawings_in_the_readme_are_the_examples(figure, example):
    f, at = example
    text = (Path(__file__).parents[2] / "experiments" / "figures" / figure).read_text()
    assert text == svg(graph_of(f, **at))


@pytest.mark.parametrize("case", CASES)
def test_drawings_of_the_cases(case):
    check_drawing(graph_of_case(case))


@settings(max_examples=25)
@given(programs(longest=14))
def test_drawings_of_random_graphs(program):
    start, steps = program
    at = {f"x{i}": value for i, value in enumerate(start)}
    check_drawing(graph_of(lambda **xs: run(steps, xs.values())[-1], **at))


def test_orders_reduce_crossings():
    def backwards(a, b, c, d):
        u, v, w, x = jnp.sin(d), jnp.sin(c), jnp.sin(b), jnp.sin(a)
        return ((u * v) * w) * x

    drawing = check_drawing(graph_of(backwards, a=0.1, b=0.2, c=0.3, d=0.4))
    heights = {name: box[1] for name, box in drawing.boxes.items()}
    of = {node.name: node.operation[4] for node in drawing.graph.nodes if node.operation.startswith("sin(")}
    inputs, sines = (sorted(names, key=heights.__getitem__) for names in ("abcd", of))
    assert [of[name] for name in sines] == inputs


def test_the_colours_read_on_white():
    def luminance(colour):
        channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ [
            0.2126,
            0.7152,
            0.0722,
        ]

    for colour in (VALUE, ADJOINT):
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5, "WCAG 2.1, AA"


def test_a_drawing_can_stand_in_a_page():
    text = svg(graph_of(lambda x: jnp.where(x < 2, x, 0.0), x=1.0))
    assert "&lt;" in text
    assert not re.search(r"<script|<style| id=|url\(", text)
    assert "\n\n" not in text
    assert LINE > 13


def test_names_of_wide_letters_fit():
    graph = graph_of(lambda **xs: sum(jnp.sin(x) for x in xs.values()), 入力の値=1.0, 重み=2.0)
    drawing = Drawing(graph)
    for name, (left, _, right, _) in drawing.boxes.items():
        letters = sum(2 if ord(letter) > 0x2E80 else 1 for letter in drawing.box_texts[name][0][0])
        assert right - left >= letters * LETTER
