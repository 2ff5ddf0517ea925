"""Threshold neurons against brute force over integer weights, and XOR's networks against jax and NumPy."""

import importlib.util
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.derivations import xor
from nnjax.derivations.threshold import (
    AND,
    OR,
    XOR,
    Certificate,
    Weights,
    decide_all,
    explain,
    holds,
    inputs,
    separate,
    threshold_neuron,
    truth_table,
)

STUDY = Path(__file__).parents[2] / "experiments" / "xor.py"


def brute_force(n, largest):
    """The tables of all neurons with integer weights up to ``largest``, each with its least Σ|w|."""
    points = np.array(list(itertools.product((0, 1), repeat=n))).reshape(2**n, n)
    found = {}
    for w in itertools.product(range(-largest, largest + 1), repeat=n):
        sums = points @ np.array(w, int).reshape(n)
        for b in range(-n * largest, n * largest + 2):
            table = tuple((sums + b > 0).astype(int).tolist())
            found[table] = min(found.get(table, 10**9), sum(map(abs, w)))
    return found


def as_table(code, n):
    return tuple(int(digit) for digit in f"{code:0{2**n}b}")


# The neuron, AND and OR.


@pytest.mark.parametrize(("table", "word"), [(AND, all), (OR, any)])
def test_and_and_or(table, word):
    assert table == tuple(int(word(row)) for row in [(0, 0), (0, 1), (1, 0), (1, 1)])
    weights = separate(table)
    assert isinstance(weights, Weights)
    w, b = jnp.array(weights.w, jnp.float32), float(weights.b)
    fired = jax.vmap(lambda x: threshold_neuron(x, w, b))(jnp.array(inputs(2), jnp.float32))
    assert fired.tolist() == [bool(value) for value in table]


def test_the_neuron_does_not_fire_on_its_hyperplane():
    assert not threshold_neuron(jnp.array([1.0, 1.0]), jnp.array([1.0, -1.0]), 0.0)
    assert threshold_neuron(jnp.array([1.0, 1.0]), jnp.array([1.0, -1.0]), 1e-6)


def test_the_order_of_a_truth_table():
    assert inputs(2).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert truth_table(lambda x1, x2: x1 > x2, 2) == (0, 0, 1, 0)
    assert truth_table(lambda: True, 0) == (1,)
    assert truth_table(lambda a, b: a ^ b, 2) == XOR


# Separability.


@pytest.mark.parametrize("n", range(4))
def test_all_functions_against_brute_force(n):
    least = brute_force(n, 3)
    for code in range(2**2**n):
        table = as_table(code, n)
        decision = separate(table)
        assert isinstance(decision, Weights) == (table in least), table
        assert holds(decision, table)
        if isinstance(decision, Weights):
            assert sum(map(abs, decision.w)) == least[table], "no smaller integer weights do"


@pytest.mark.parametrize("n", range(5))
def test_the_number_of_separable_functions(n):
    decisions = decide_all(n)
    assert len(decisions) == 2**2**n
    # Verified once more, apart from the code that found them: all rows of all functions at once.
    tables = (np.arange(2**2**n)[:, None] >> np.arange(2**n)[::-1]) & 1
    rows = np.c_[np.array(list(itertools.product((0, 1), repeat=n))).reshape(2**n, n), np.ones(2**n, int)]
    separable = np.array([isinstance(decision, Weights) for decision in decisions])
    weights = np.array([[*d.w, d.b] for d in decisions if isinstance(d, Weights)])
    np.testing.assert_array_equal(weights @ rows.T > 0, tables[separable])
    if not separable.all():
        multipliers = np.array([d.multipliers for d in decisions if isinstance(d, Certificate)])
        assert multipliers.min() >= 0
        assert np.all(multipliers.max(axis=1) > 0)
        signed = multipliers * np.where(tables[~separable] == 1, 1, -1)
        assert not np.any(signed @ rows)
    # Sloane and Plouffe; OEIS A000609.
    assert separable.sum() == (2, 4, 14, 104, 1882)[n]


@pytest.mark.slow
def test_four_inputs_against_brute_force():
    least = brute_force(4, 3)
    found = {as_table(code, 4): d for code, d in enumerate(decide_all(4)) if isinstance(d, Weights)}
    assert {table: sum(map(abs, weights.w)) for table, weights in found.items()} == least


@settings(max_examples=50)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=7), st.integers(-20, 20))
def test_any_neuron_is_found_to_be_one(w, b):
    table = (inputs(len(w)) @ np.array(w) + b > 0).astype(int)
    decision = separate(table)
    assert isinstance(decision, Weights)
    assert holds(decision, table)
    assert sum(map(abs, decision.w)) <= sum(map(abs, w))


@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_parity_is_not_separable(n):
    table = inputs(n).sum(axis=1) % 2
    decision = separate(table)
    assert isinstance(decision, Certificate)
    assert holds(decision, table)


def test_a_wrong_decision_does_not_hold():
    assert separate(XOR) == Certificate((1, 1, 1, 1))
    assert not holds(Certificate((1, 1, 1, 2)), XOR)
    assert not holds(Certificate((0, 0, 0, 0)), XOR)
    assert not holds(Certificate((-1, -1, -1, -1)), XOR)
    assert not holds(Certificate((1, 1)), XOR)
    assert not holds(Certificate((1, 1, 1, 1)), AND)
    assert not holds(Weights((1, 1), 0), XOR)
    assert not holds(Weights((1, 1), 0), AND)
    assert not holds(Weights((1, 1, 1), 0), OR)
    assert not holds(Weights((10**30, 10**30), -(10**30) + 1), AND), "no overflow"
    assert holds(Weights((10**30, 10**30), -(10**30)), AND)
    assert holds(Weights((2**62, 2**62), 0), OR), "no overflow"
    with pytest.raises(ValueError, match="is not right for the table"):
        explain(Weights((1, 1), 0), AND)


def test_the_certificate_of_xor_reads_as_a_proof():
    assert (
        "\n" + explain(separate(XOR), XOR)
        == """
No neuron computes it. One that fires where w1·x1 + w2·x2 + b > 0 needs
  x = 01:       w2 + b > 0
  x = 10:       w1 + b > 0
  x = 00:            b ≤ 0
  x = 11:  w1 + w2 + b ≤ 0
Added up, those with > 0 and those with ≤ 0 say of the same sum
  w1 + w2 + 2·b > 0  and  w1 + w2 + 2·b ≤ 0,
which can't both be."""
    )


def test_weights_and_multiples_in_words():
    assert (
        "\n" + explain(Weights((-2, 1), 2), (1, 1, 0, 1))
        == """
One neuron computes it: it fires where −2·x1 + x2 + 2 > 0.
  x = 00: 2 > 0, so 1
  x = 01: 3 > 0, so 1
  x = 10: 0 ≤ 0, so 0
  x = 11: 1 > 0, so 1"""
    )
    assert "x = 01:       w2 + b > 0, taken 3 times" in explain(Certificate((3, 3, 3, 3)), XOR)
    assert "3·w1 + 3·w2 + 6·b > 0" in explain(Certificate((3, 3, 3, 3)), XOR)
    assert explain(separate((0,)), (0,)) == "One neuron computes it: it fires where 0 > 0.\n  x = (): 0 ≤ 0, so 0"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ((0, 1, 1), r"the table has shape \(3,\), and must be a list of 1, 2, 4, 8"),
        ((), r"the table has shape \(0,\)"),
        (((0, 1), (1, 0)), r"the table has shape \(2, 2\)"),
        ((0, 1, 2, 0), r"the table is \[0, 1, 2, 0\], and must hold nothing but 0 and 1"),
        ((0.0, float("nan")), "must hold nothing but 0 and 1"),
        (("0", "1"), "must hold nothing but 0 and 1"),
    ],
)
def test_what_is_no_table(table, message):
    with pytest.raises(ValueError, match=message):
        separate(table)


def test_numbers_of_inputs_that_cannot_be():
    with pytest.raises(ValueError, match="n is 5, and must be at least 0 and at most 4"):
        decide_all(5)
    with pytest.raises(ValueError, match="n is -1"):
        decide_all(-1)
    with pytest.raises(ValueError, match="n is -1"):
        inputs(-1)


# The network that computes XOR.


def test_the_jacobian_of_the_outputs_is_autodiffs_at_kinks_too():
    """At the solution a unit's input is exactly 0 for two of the inputs."""
    x = jnp.asarray(xor.INPUTS)
    theirs = jax.jacrev(lambda params: jax.vmap(xor.network, (None, 0))(params, x))(xor.solution())
    for ours, other in zip(xor.output_jacobian(xor.solution(), x), theirs, strict=True):
        np.testing.assert_array_equal(ours, other)


def test_the_solution_computes_xor_exactly():
    np.testing.assert_array_equal(jax.vmap(xor.network, (None, 0))(xor.solution(), xor.INPUTS), [0, 1, 1, 0])
    np.testing.assert_array_equal(xor.TARGETS, XOR)
    np.testing.assert_array_equal(xor.INPUTS, inputs(2))
    assert xor.computes_xor(xor.solution())
    assert not xor.computes_xor(xor.solution()._replace(b2=jnp.array(0.3)))


def test_the_solution_stays():
    path = xor.train_path(xor.solution(), rate=0.5, steps=20)
    np.testing.assert_array_equal(path.outputs, np.tile([0, 1, 1, 0], (21, 1)))


def test_the_jacobian_by_hand_is_that_of_jax():
    with jax.enable_x64(True):
        params = xor.Params(*(jax.random.normal(jax.random.key(i), s) for i, s in enumerate([(5, 2), 5, 5, ()])))
        x = jax.random.normal(jax.random.key(9), (6, 2))
        theirs = jax.jacrev(jax.vmap(xor.network, (None, 0)))(params, x)
        for ours, other in zip(xor.output_jacobian(params, x), theirs, strict=True):
            np.testing.assert_allclose(ours, other, rtol=1e-13, atol=1e-14)


# What can't be learnt.


LOSSES = {
    "squared": xor.mean_squared_error,
    "logistic": lambda out, y: jnp.sum(jax.nn.softplus(out) - y * out),
    "log-cosh": lambda out, y: jnp.sum(jnp.log(jnp.cosh(out - y))),
    "quartic, weighted": lambda out, y: jnp.sum(jnp.arange(1.0, 5.0, dtype=out.dtype) * (out - y) ** 4),
    "across examples": lambda out, y: jnp.exp(out[0] - out[1]) * jnp.sin(out[2]) + jnp.sum(out * y) ** 2,
}


def check_only_b2_moved(params, grads, outputs, width, b2):
    for name in ("W1", "b1", "W2"):
        assert not np.any(getattr(params, name)), name
        assert not np.any(getattr(grads, name)), name
    np.testing.assert_array_equal(outputs, np.tile(params.b2[:, None], (1, 4)))
    assert params.W1.shape[1:] == (width, 2)
    assert params.b2[0] == np.float32(b2)


@pytest.mark.parametrize("loss", LOSSES)
def test_zeros_stay_zeros_under_any_loss(loss):
    path = xor.train_path(xor.zeros(5, 0.3), rate=0.05, steps=200, loss=LOSSES[loss])
    check_only_b2_moved(*path, 5, 0.3)
    assert path.params.b2[1] != path.params.b2[0]


@jax.jit
def path_under_random_loss(c, b2):
    def loss(outputs, targets):
        features = jnp.stack([outputs, outputs**2, jnp.sin(3 * outputs), jnp.tanh(outputs) * targets])
        return jnp.sum(c * features)

    return xor.train_path(xor.zeros(3, b2), rate=0.01, steps=10, loss=loss)


@settings(max_examples=50)
@given(
    st.lists(st.floats(-1, 1, width=32, allow_subnormal=False), min_size=16, max_size=16),
    st.floats(-2, 2, width=32, allow_subnormal=False),
)
def test_zeros_stay_zeros_under_random_losses(coefficients, b2):
    c = np.array(coefficients, np.float32).reshape(4, 4)
    check_only_b2_moved(*path_under_random_loss(c, np.float32(b2)), 3, b2)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_only_b2_reaches_the_output_from_zero(scale):
    x = scale * jax.random.normal(jax.random.key(0), (50, 2))
    jacobian = xor.output_jacobian(xor.zeros(4, -1.7), x)
    assert [bool(jnp.any(part)) for part in jacobian] == [False, False, False, True]
    np.testing.assert_array_equal(jacobian.b2, 1)


@pytest.mark.parametrize("optimizer", [optax.sgd(0.1, momentum=0.9), optax.adam(0.1), optax.adamw(0.1)])
def test_no_optimiser_leaves_zero(optimizer):
    def loss(params):
        outputs = jax.vmap(xor.network, (None, 0))(params, jnp.asarray(xor.INPUTS))
        return xor.mean_squared_error(outputs, jnp.asarray(xor.TARGETS))

    params = xor.zeros(3, 0.1)
    state = optimizer.init(params)
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam takes a float to the power of an integer
        for _ in range(5):
            updates, state = optimizer.update(jax.grad(loss)(params), state, params)
            params = optax.apply_updates(params, updates)
    assert not any(np.any(part) for part in params[:3])
    assert params.b2 != 0.1


def test_the_constant_is_the_mean_target():
    # Σ (c − y)² is least where c is the mean of y, ½.
    path = xor.train_path(xor.zeros(2), rate=0.1, steps=300)
    np.testing.assert_allclose(path.outputs[-1], 0.5, rtol=1e-6)
    assert not xor.computes_xor(xor.train(xor.zeros(2), rate=0.1, steps=300))


@pytest.mark.parametrize(("loss", "width", "value"), [("squared", 2, 0.5), *((loss, 5, -0.3) for loss in LOSSES)])
def test_equal_units_stay_equal(loss, width, value):
    path = xor.train_path(xor.constant(width, value), rate=0.001, steps=300, loss=LOSSES[loss])
    assert np.all(np.isfinite(path.outputs))
    for name in ("W1", "b1", "W2"):
        part = np.asarray(getattr(path.params, name))
        np.testing.assert_array_equal(part, part[:, :1].repeat(width, axis=1), err_msg=name)
    assert np.ptp(path.params.b2) > 0.01
    # So the network is one unit, with F times its output weight.
    one = xor.Params(path.params.W1[:, :1], path.params.b1[:, :1], width * path.params.W2[:, :1], path.params.b2)
    outputs = jax.vmap(jax.vmap(xor.network, (None, 0)), (0, None))(one, xor.INPUTS)
    np.testing.assert_allclose(outputs, path.outputs, rtol=1e-4, atol=1e-5)
    assert not np.any(jax.vmap(xor.computes_xor)(path.params))


# What can.


def by_hand(params, rate, steps):
    """Gradient descent in NumPy, one example after the other, with the gradients of the textbook."""
    W1, b1, W2, b2 = (np.array(part, np.float64) for part in params)
    for _ in range(steps):
        dW1, db1, dW2, db2 = np.zeros_like(W1), np.zeros_like(b1), np.zeros_like(W2), 0.0
        for x, y in zip([(0, 0), (0, 1), (1, 0), (1, 1)], [0, 1, 1, 0], strict=True):
            a = W1 @ x + b1
            h = np.where(a > 0, a, 0)
            delta = 2 * (W2 @ h + b2 - y) / 4
            back = delta * W2 * (a > 0)
            dW1 += np.outer(back, x)
            db1 += back
            dW2 += delta * h
            db2 += delta
        W1, b1, W2, b2 = W1 - rate * dW1, b1 - rate * db1, W2 - rate * dW2, b2 - rate * db2
    return W1, b1, W2, b2


def test_training_is_that_of_a_loop_in_numpy():
    with jax.enable_x64(True):
        start = xor.random(jax.random.key(3), 4)
        ours = xor.train(start, rate=0.1, steps=200)
    assert ours.W1.dtype == np.float64
    for part, theirs in zip(ours, by_hand(start, 0.1, 200), strict=True):
        np.testing.assert_allclose(part, theirs, rtol=1e-10, atol=1e-12)


def test_learnt_says_what_the_loop_in_numpy_says():
    flags = xor.learnt(jax.random.key(0), 3, jnp.arange(12), 0.1, 1000)
    for seed, flag in enumerate(flags.tolist()):
        W1, b1, W2, b2 = by_hand(xor.random(jax.random.fold_in(jax.random.key(0), seed), 3), 0.1, 1000)
        outputs = np.maximum(inputs(2) @ W1.T + b1, 0) @ W2 + b2
        assert flag == bool(np.all(np.abs(outputs - np.array(XOR)) < 0.25)), seed
    assert 0 < flags.sum() < 12


def test_the_start_is_drawn_as_it_says():
    keys = jax.random.split(jax.random.key(0), 2000)
    params = jax.jit(jax.vmap(lambda key: xor.random(key, 8)))(keys)
    assert float(jnp.std(params.W1)) == pytest.approx(1, rel=0.02)  # 2 / fan-in of 2
    assert float(jnp.std(params.W2)) == pytest.approx(0.5, rel=0.02)  # 2 / fan-in of 8
    assert abs(float(jnp.mean(params.W1))) < 0.02
    assert not np.any(params.b1)
    assert not np.any(params.b2)
    assert abs(np.corrcoef(params.W1[:, 0, 0], params.W2[:, 0])[0, 1]) < 0.1


@pytest.mark.slow
def test_a_thousand_seeds_by_width():
    fraction = {
        w: float(jnp.mean(xor.learnt(jax.random.key(0), w, jnp.arange(1000), 0.1, 1000))) for w in (1, 2, 8)
    }
    assert fraction[1] == 0, "one unit can't: its outputs lie on one side of a line"
    assert fraction[2] == pytest.approx(0.22, abs=0.05)
    assert fraction[8] == pytest.approx(0.97, abs=0.02)


def test_a_seed_alone_is_the_seed_among_many_and_a_new_rate_compiles_nothing():
    many = xor.learnt(jax.random.key(0), 3, jnp.arange(20), 0.1, 300)
    alone = [bool(xor.learnt(jax.random.key(0), 3, jnp.array([seed]), 0.1, 300)[0]) for seed in range(20)]
    assert many.tolist() == alone
    before = xor.learnt._cache_size()
    xor.learnt(jax.random.key(5), 3, jnp.arange(20), 0.05, 300)
    assert xor.learnt._cache_size() == before


# The study.


@pytest.fixture
def study():
    spec = importlib.util.spec_from_file_location("study_xor", STUDY)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_study(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(study, "WIDTHS", (1, 4))
    file = tmp_path / "new" / "xor.svg"
    study.main(["--seeds", "8", "--output", str(file)])
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in lines[1:-1]] == [1, 4]
    assert file.read_text().count("</svg>") == 1
    with pytest.raises(SystemExit):
        study.main(["--seeds", "0"])
    assert "--seeds is 0, and must be at least 1" in capsys.readouterr().err


def test_the_intervals_of_the_study_are_wilsons(study, monkeypatch):
    flags = jnp.arange(40) < 9
    monkeypatch.setattr(study, "learnt", lambda *_: flags)
    (row,) = study.measure([2], 40)
    # Wilson (1927): (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n).
    z, p, n = 1.959964, 9 / 40, 40
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (row.learnt, row.runs) == (9, 40)
    assert row.low == pytest.approx((middle - half) / (1 + z**2 / n), rel=1e-6)
    assert row.high == pytest.approx((middle + half) / (1 + z**2 / n), rel=1e-6)
    assert study.table([row]).splitlines()[1].split() == ["2", "9", "40", "0.225", "0.123", "…", "0.375"]
