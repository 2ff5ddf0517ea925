"""Distributions as they are written, and read back."""

import contextlib
import math

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.cli.yaml_files import read_yaml
from nnjax.search.distributions import WORDS, choice, constant
from nnjax.search.joint import layers, text, tuple_of, when
from nnjax.search.notation import read
from nnjax.search.numbers import integers, log_integers, log_normal, log_uniform, normal, uniform
from nnjax.validation import UserError

finite = st.floats(-1e30, 1e30)
words = st.text(max_size=12) | st.sampled_from(
    [*WORDS, "None", "TRUE", "1e-3", "normal(0.01)", "a, b", "inf", "my:f"]
)
plain = st.recursive(
    words | finite | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
)


@st.composite
def choices(draw):
    options = draw(st.lists(plain, min_size=1, max_size=4, unique_by=(lambda x: x, str, repr)))
    weights = draw(st.none() | st.lists(st.integers(1, 9), min_size=len(options), max_size=len(options)))
    return choice(options, weights and [weight / sum(weights) for weight in weights])


def pairs(values):
    return st.lists(values, min_size=2, max_size=2, unique=True).map(sorted)


leaves = st.one_of(
    pairs(finite).map(lambda ends: uniform(*ends)),
    st.tuples(pairs(finite), st.floats(1e-3, 1e3) | st.integers(1, 9)).map(lambda x: uniform(*x[0], x[1])),
    pairs(st.floats(1e-30, 1e30)).map(lambda ends: log_uniform(*ends)),
    pairs(st.integers(1, 10**6)).map(lambda ends: integers(*ends)),
    st.tuples(pairs(st.integers(5, 99)), st.integers(1, 9)).map(lambda x: log_integers(*x[0], x[1])),
    st.tuples(finite, st.floats(1e-6, 1e6), st.none() | st.floats(1e-3, 1e3)).map(lambda x: normal(*x)),
    st.tuples(st.floats(-9, 9), st.floats(0.1, 3)).map(lambda x: log_normal(*x)),
    choices(),
)
distributions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner | plain.map(constant), min_size=1, max_size=3).map(lambda items: tuple_of(*items)),
        st.tuples(pairs(st.integers(0, 4)), inner).map(lambda x: layers(integers(*x[0]), x[1])),
        st.tuples(words, inner).map(lambda x: text(x[0].replace("{}", "") + "({})", x[1])),
    ),
    max_leaves=4,
)
conditions = st.recursive(
    distributions,
    lambda inner: st.builds(
        when, st.sampled_from(["optimizer", "hidden"]), st.lists(plain, min_size=1, max_size=3), inner
    ),
    max_leaves=1,
)


@given(conditions)
def test_what_is_printed_is_read_as_the_same(distribution):
    assert read(str(distribution)) == distribution
    assert repr(distribution) == str(distribution)


@pytest.mark.parametrize(
    ("written", "means", "printed"),
    [
        ("log_uniform(1e-4, 1)", log_uniform(1e-4, 1), "log_uniform(0.0001, 1)"),
        (" uniform( low=0,high = 1 , step=.25) ", uniform(0, 1, 0.25), "uniform(0, 1, step=0.25)"),
        ("integers(16, 128, 16)", integers(16, 128, step=16), "integers(16, 128, step=16)"),
        ("choice(relu, tanh)", choice(["relu", "tanh"]), "choice([relu, tanh])"),
        ("choice([relu, jax.nn:silu])", choice(["relu", "jax.nn:silu"]), "choice([relu, jax.nn:silu])"),
        ("choice([[32], (64, 64)])", choice([(32,), (64, 64)]), "choice([[32], [64, 64]])"),
        ("choice([32], [64, 64])", choice([(32,), (64, 64)]), "choice([[32], [64, 64]])"),
        ("choice([[32, 64]])", choice([(32, 64)]), "choice([[32, 64]])"),
        (
            "choice(normal(0.01), 'a, b', null)",
            choice(["normal(0.01)", "a, b", None]),
            "choice(['normal(0.01)', 'a, b', null])",
        ),
        ("choice(inf, 'inf')", choice([math.inf, "inf"]), "choice([inf, 'inf'])"),
        ("choice(true, 'true')", choice([True, "true"]), "choice([true, 'true'])"),
        (
            "choice([a, b], probabilities=[0.3, 0.7])",
            choice(["a", "b"], [0.3, 0.7]),
            "choice([a, b], probabilities=[0.3, 0.7])",
        ),
        (
            "layers(depth=integers(1, 2), width=log_integers(16, 256))",
            layers(integers(1, 2), log_integers(16, 256)),
            "layers(integers(1, 2), log_integers(16, 256))",
        ),
        ("layers(2, [16, 32])", layers(2, choice([16, 32])), "layers(2, choice([16, 32]))"),
        ("tuple_of(integers(1, 2), 7)", tuple_of(integers(1, 2), 7), "tuple_of(integers(1, 2), 7)"),
        (
            "when(optimizer, [sgd, adam], uniform(0, 0.99))",
            when("optimizer", ["sgd", "adam"], uniform(0, 0.99)),
            "when(optimizer, [sgd, adam], uniform(0, 0.99))",
        ),
        (
            "when(optimizer, sgd, when(nesterov, true, 0.9))",
            when("optimizer", "sgd", when("nesterov", True, 0.9)),
            "when(optimizer, sgd, when(nesterov, true, 0.9))",
        ),
    ],
)
def test_a_text_of_the_command_line(written, means, printed):
    assert read(written) == means
    assert str(means) == printed


@pytest.mark.parametrize(
    ("yaml", "means"),
    [
        ("{distribution: log_uniform, low: 1e-4, high: 1}", log_uniform(1e-4, 1)),
        ("{distribution: log_uniform, min: 1e-4, max: 1}", log_uniform(1e-4, 1)),
        ("{distribution: log_uniform_values, min: 1e-4, max: 1}", log_uniform(1e-4, 1)),
        ("{distribution: int_uniform, min: 1, max: 9}", integers(1, 9)),
        ("{distribution: q_uniform, min: 0, max: 1, q: 0.1}", uniform(0, 1, step=0.1)),
        ("{distribution: q_uniform, min: 0.05, max: 1, q: 0.1}", uniform(0.1, 1, step=0.1)),
        ("{distribution: q_uniform, min: 1, max: 9}", uniform(1, 9, step=1)),
        ("{distribution: q_log_uniform_values, min: 10, max: 99, q: 16}", log_uniform(16, 99, step=16)),
        ("{distribution: normal, mu: 1, sigma: 0.5}", normal(1, 0.5)),
        ("{distribution: q_normal, mu: 64, sigma: 8, q: 4}", normal(64, 8, step=4)),
        ("{distribution: log_normal, mean: 1, deviation: 0.5}", log_normal(1, 0.5)),
        ("{distribution: categorical, values: [relu, tanh]}", choice(["relu", "tanh"])),
        ("{values: [relu, tanh], probabilities: [0.3, 0.7]}", choice(["relu", "tanh"], [0.3, 0.7])),
        ("{min: 1, max: 9}", integers(1, 9)),
        ("{min: 0.1, max: 1}", uniform(0.1, 1)),
        ("{value: 5}", constant(5)),
        ("{distribution: constant, value: relu}", constant("relu")),
        ("[relu, tanh]", choice(["relu", "tanh"])),
        ("[[32], [64, 64]]", choice([(32,), (64, 64)])),
        ("relu", constant("relu")),
        ('"log_uniform(1e-4, 1)"', log_uniform(1e-4, 1)),
        (
            "{distribution: layers, depth: [1, 2], width: {distribution: log_integers, low: 4, high: 8}}",
            layers(choice([1, 2]), log_integers(4, 8)),
        ),
        ('{distribution: layers, depth: 2, width: "log_integers(4, 8)"}', layers(2, log_integers(4, 8))),
        ('{distribution: tuple_of, items: ["integers(1, 2)", 7]}', tuple_of(integers(1, 2), 7)),
        (
            '{distribution: text, template: "normal({})", items: [{low: 0.5, high: 1}]}',
            text("normal({})", uniform(0.5, 1)),
        ),
        ("{min: 0.1, max: 1, when: {optimizer: sgd}}", when("optimizer", "sgd", uniform(0.1, 1))),
        (
            "{value: 1, when: {optimizer: [sgd, adam], nesterov: true}}",
            when("optimizer", ["sgd", "adam"], when("nesterov", True, 1)),
        ),
        (
            '[{value: 1, when: {optimizer: sgd}}, "when(optimizer, adam, uniform(0, 1))"]',
            [when("optimizer", "sgd", 1), when("optimizer", "adam", uniform(0, 1))],
        ),
    ],
)
def test_yaml_and_the_files_of_wandb(yaml, means):
    assert read(read_yaml(yaml, "a test")) == means


def test_python_gives_objects_lists_and_arrays():
    assert read(uniform(0, 1)) == uniform(0, 1)
    assert read(np.array([1, 2])) == choice([1, 2]) == read(range(1, 3))
    assert read((integers(1, 2), 7)) == tuple_of(integers(1, 2), 7)
    assert read((32, 16)) == constant((32, 16))
    assert read([jax.nn.silu]) == choice([jax.nn.silu])
    assert type(uniform(np.float32(0.1), 1).low) is float
    assert uniform(np.float32(0.1), 1).low == 0.1


def test_an_init_is_written_as_a_distribution_is():
    assert read("normal(0.01)", "init") == constant("normal(0.01)")
    assert read("uniform(-1, 1)", "init") == constant("uniform(-1, 1)")
    assert read("normal(log_uniform(0.001, 1))", "init") == text("normal({})", log_uniform(0.001, 1))
    assert read("uniform(-1, choice(1, 2))", "init") == text("uniform({}, {})", -1, choice([1, 2]))
    assert read("when(optimizer, sgd, normal(0.01))", "init") == when("optimizer", "sgd", "normal(0.01)")
    assert read("choice(normal(0.01), he_normal)", "init") == choice(["normal(0.01)", "he_normal"])
    assert read(["normal(0.01)", "he_normal"], "init") == choice(["normal(0.01)", "he_normal"])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("unifrm(0, 1)", "'unifrm' is no distribution, which are uniform, .*; did you mean 'uniform'"),
        ("loguniform_values(0, 1)", "did you mean 'log_uniform_values'"),
        ("gauss(0, 1)", "'gauss' is no distribution, which are uniform, [a-z_, ]*, when$"),
        ("uniform(0)", "uniform takes low, high and step: missing a required argument: 'high'"),
        ("uniform(0, 1, 2, 3)", "uniform takes low, high and step: too many"),
        ("uniform(0, hihg=1)", "uniform has 'hihg', and takes low, high and step; did you mean 'high'"),
        ("uniform(0, 1", "must end with the bracket that it opens"),
        ("choice(a])", "has a bracket that closes nothing"),
        ("choice([a, b)", "must end with the bracket that it opens"),
        ("choice([a, b]", "must end with the bracket"),
        ("choice([a, [b])", "must end with the bracket that it opens"),
        ("uniform(0, one)", "high of uniform is 'one', and must be a number"),
        ("when(optimizer)", "when takes field, values and then"),
        ("when(optimizer, [], 1)", "a when on optimizer lists no value"),
        ("layers(1, when(optimizer, sgd, 1))", r"when\(optimizer, sgd, 1\) stands in another distribution"),
        ({"low": 0}, "{'low': 0} names no distribution"),
        ({"distribution": 3}, "distribution is 3, and must be a name"),
        ({"distribution": "uniform", "low": 0, "hi": 1}, "uniform has 'hi'"),
        ({"value": 1, "when": "sgd"}, "when is 'sgd', and must be a mapping"),
        ([uniform(0, 1), 2], "a list is a choice of values, and holds"),
        (["uniform(0, 1)"], "a list is a choice of values, and holds"),
        ([when("optimizer", "sgd", 1), 2], "a list is a choice of values, and holds"),
        ([], "a choice is empty"),
        ({"distribution": "log_uniform", "min": -9, "max": 0}, "low of .* must be more than 0"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(value, words):
    with pytest.raises(UserError, match=words):
        read(value)


@given(st.text(alphabet="uniform(choice,)[]'\"=1.0e-_ when{}", max_size=40))
def test_no_text_raises_anything_but_a_sentence(text):
    with contextlib.suppress(UserError):
        read(text)
