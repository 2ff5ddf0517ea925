"""The checker on right formulas, on users' mistakes in calling it, and in what it reports."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.gradcheck import Report, check


def soft(z):
    return jax.nn.softmax(z)


def soft_jacobian(z):
    s = jax.nn.softmax(z)
    return jnp.diag(s) - jnp.outer(s, s)


def product(X, W):
    return X @ W.T


def in_x(X, W):
    return jnp.einsum("nm,fd->nfmd", jnp.eye(X.shape[0]), W)


def test_a_right_formula_passes():
    report = check(soft_jacobian, of=soft, shapes={"z": 5})
    assert report.passed
    assert report.shapes == {"z": (5, 5)}
    assert report.error <= 1e-12
    assert list(report.modes) == ["jacfwd", "jacrev", "JVP", "VJP", "differences"]
    assert all(error <= 1e-12 for mode, error in report.modes.items() if mode != "differences")
    assert report.modes["differences"] <= 1e-9
    assert report.diagnosis is None
    assert report.counterexample is None
    assert report.sizes == [{"z": (5,)}, {"z": (2,)}, {"z": (1,)}]
    assert str(report).startswith("PASS  soft_jacobian as the derivative of soft")


def test_each_form_of_a_derivative_is_understood():
    shapes = {"X": (4, 3), "W": (2, 3)}
    assert check(in_x, of=product, shapes=shapes).passed
    assert check(lambda X, W: jnp.kron(jnp.eye(len(X)), W), of=product, shapes=shapes, form="rows").passed
    assert check(lambda X, W: jnp.kron(W, jnp.eye(len(X))), of=product, shapes=shapes, form="columns").passed
    assert check(lambda X, W, dX: dX @ W.T, of=product, shapes=shapes, form="jvp").passed
    assert check(lambda X, W, dY: dY @ W, of=product, shapes=shapes, form="vjp").passed
    assert check(lambda X, W, dY: dY.T @ X, of=product, shapes=shapes, wrt="W", form="vjp").passed


def test_an_elementwise_derivative_stands_for_its_diagonal():
    assert check(lambda x: 1 - jnp.tanh(x) ** 2, of=jnp.tanh, shapes={"x": (2, 3)}).passed
    assert not check(lambda z: soft(z) * (1 - soft(z)), of=soft, shapes="z=3").passed


def test_derivatives_in_several_arguments():
    def loss(w, b, x):
        return jnp.sum(jnp.tanh(x @ w + b[None])) ** 2

    def both(w, b, x):
        y = jnp.tanh(x @ w + b[None])
        dz = 2 * jnp.sum(y) * (1 - y**2)
        return {"w": x.T @ dz, "b": jnp.sum(dz, axis=0)}

    shapes = {"x": (4, 3), "w": (3, 2), "b": 2}
    assert check(both, of=loss, shapes=shapes, wrt=("w", "b")).passed
    assert check(lambda w, b, x: tuple(both(w, b, x).values()), of=loss, shapes=shapes, wrt=("w", "b")).passed

    report = check(
        lambda w, b, x: both(w, b, x) | {"b": both(w, b, x)["b"] / 4}, of=loss, shapes=shapes, wrt=("w", "b")
    )
    assert not report.passed
    assert "in the derivative in b" in str(report)


def test_integer_and_constrained_arguments():
    def entropy(z, y):
        return -jnp.sum(y * jax.nn.log_softmax(z))

    def minus(z, y):
        return jax.nn.softmax(z) - y

    assert check(minus, of=entropy, shapes=["z=5", "y=5:distribution"]).passed
    assert check(minus, of=entropy, shapes=["z=5", "y=5:onehot"]).passed
    assert not check(minus, of=entropy, shapes=["z=5", "y=5"]).passed

    def at_label(z, label):
        return -jax.nn.log_softmax(z)[label]

    def minus_label(z, label):
        return jax.nn.softmax(z) - jax.nn.one_hot(label, z.shape[0], dtype=z.dtype)

    assert check(minus_label, of=at_label, shapes=["z=5", "label=:labels5"]).passed
    assert check(lambda x: 1 / x, of=jnp.log, shapes="x=3:positive").passed


def test_points_without_a_finite_derivative_are_left_out():
    assert check(lambda x: 1 / x, of=jnp.log, shapes="x=3").passed


def test_a_derivative_that_vanishes_is_not_compared_with_rounding():
    report = check(lambda x: jnp.zeros_like(x), of=lambda x: jnp.sum(jax.nn.softmax(x)), shapes="x=5")
    assert report.passed
    assert not check(
        lambda x: 1e-6 * jnp.ones_like(x), of=lambda x: jnp.sum(jax.nn.softmax(x)), shapes="x=5"
    ).passed


def test_numpy_and_branching_formulas_are_checked_too():
    def numpy_jacobian(z):
        z = np.asarray(z)
        s = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        return np.diag(s) - np.outer(s, s)

    assert check(numpy_jacobian, of=soft, shapes="z=4").passed
    report = check(lambda z: 2 * numpy_jacobian(z), of=soft, shapes="z=4")
    assert report.diagnosis.kind == "factor"
    assert check(lambda x: x * 0 + (1.0 if x > 0 else 0.0), of=jax.nn.relu, shapes="x=").passed


def test_a_size_that_is_fixed_in_the_code_is_found():
    report = check(lambda z: soft_jacobian(z) * 5 / z.shape[0], of=soft, shapes="z=5")
    assert report.diagnosis.kind == "batch"
    assert report.error > 0.1, "it is right at the given size and wrong at others"


def test_functions_that_take_one_size_only_are_checked_there():
    report = check(lambda z: soft_jacobian(z.reshape(4)), of=lambda z: soft(z.reshape(4)), shapes="z=4")
    assert report.passed
    assert report.sizes == [{"z": (4,)}]
    assert "not checked at z=1" in str(report)


def test_functions_without_forward_mode_are_checked_in_reverse():
    @jax.custom_vjp
    def square(x):
        return x**2

    square.defvjp(lambda x: (x**2, x), lambda x, d: (2 * x * d,))
    report = check(lambda x: 2 * x, of=square, shapes="x=3")
    assert report.passed
    assert list(report.modes) == ["jacrev", "VJP", "differences"]


def test_autodiff_that_contradicts_itself_is_reported():
    @jax.custom_jvp
    def square(x):
        return x**2

    square.defjvp(lambda primals, tangents: (primals[0] ** 2, 3 * primals[0] * tangents[0]))
    report = check(lambda x: 3 * x, of=square, shapes="x=3")
    assert not report.passed
    assert "central differences disagree with autodiff" in str(report)


def test_a_kink_near_a_point_raises_no_alarm():
    """A central difference is wrong across a kink; some of these points are that near."""

    def zigzag(x):
        return jnp.abs(jnp.sin(200 * x))

    def slope(x):
        return jnp.where(jnp.sin(200 * x) >= 0, 1, -1) * 200 * jnp.cos(200 * x)

    for seed in range(10):
        assert check(slope, of=zigzag, shapes="x=", seed=seed).passed


@pytest.mark.parametrize(
    ("hand", "of", "shapes", "options", "sentence"),
    [
        (lambda z: 1 / 0, soft, "z=5", {}, "<lambda> raises ZeroDivisionError: division by zero"),
        (soft_jacobian, lambda z: z @ jnp.ones(7), "z=5", {}, "<lambda> raises TypeError: dot_general requires"),
        (lambda z: z > 0, soft, "z=5", {}, "returns bool for float64 arguments, and must return float64"),
        (lambda z: z.astype(jnp.float32), soft, "z=5", {}, "returns float32 for float64 arguments"),
        (soft_jacobian, lambda z: soft(z.astype(jnp.float32)), "z=5", {}, "returns float32 for float64 arguments"),
        (soft_jacobian, lambda z: (z, z), "z=5", {}, "returns a tuple, and must return one array"),
        (lambda z: None, soft, "z=5", {}, "returns nothing, and must return one array"),
        (in_x, product, "X=4,3", {}, "product needs the argument 'W': give its shape, such as W=5"),
        (lambda z, q: z, soft, "z=5", {}, "needs the argument 'q', which has no shape"),
        (
            soft_jacobian,
            soft,
            ["z=5", "q=3"],
            {},
            "neither function has the argument 'q' of the shapes; soft has z",
        ),
        (soft_jacobian, soft, "z=5", {"wrt": "w"}, "soft has no argument 'w' to differentiate in; it has z"),
        (soft_jacobian, soft, "z=5:labels5", {}, "z holds labels, and a derivative is in real numbers"),
        (soft_jacobian, soft, "z=5", {"form": "matrix"}, "the form is 'matrix', and must be one of jacobian, jvp"),
        (soft_jacobian, soft, "z=5", {"form": "jvp"}, "soft_jacobian must take one argument more than soft"),
        (soft_jacobian, lambda: 1.0, "z=5", {}, "takes no argument, and a derivative is in one"),
        (lambda X, W: X, product, ["X=4,3", "W=2,3"], {"wrt": ("X", "W")}, "returns one array, and must return 2"),
        (
            lambda X, W: {"X": X},
            product,
            ["X=4,3", "W=2,3"],
            {"wrt": ("X", "W")},
            "returns X, and must return X, W",
        ),
        (soft_jacobian, lambda z: jnp.log(-jnp.abs(z) - 1), "z=5", {}, "not finite at any of the points tried"),
        (soft_jacobian, soft, "z=100000", {}, "the Jacobian of soft would have 10,000,000,000 entries, and must"),
        (soft_jacobian, soft, "z=99999,99999", {}, "the shape z=99999,99999 has 9,999,800,001 entries, and must"),
        (soft_jacobian, lambda z: z if z[0] > 0 else -z, "z=5", {}, "can't be traced by JAX"),
    ],
)
def test_mistakes_in_the_call_get_one_clear_sentence(hand, of, shapes, options, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        check(hand, of=of, shapes=shapes, **options)
    assert "\n" not in str(caught.value)


def test_a_wrong_formula_is_reported_with_place_and_counterexample():
    def wrong(z):
        s = jax.nn.softmax(z)
        return jnp.diag(s) + jnp.outer(s, s)

    report = check(wrong, of=soft, shapes={"z": 5})
    assert isinstance(report, Report)
    assert not report.passed
    assert 0.1 < report.error < 10, "at the given size; at size one the derivative is 0"
    text = str(report)
    assert text.startswith("FAIL  wrong as the derivative of soft")
    assert "the second term of the + in line" in text
    assert "`return jnp.diag(s) + jnp.outer(s, s)`" in text
    assert report.counterexample.values["z"].tolist() == [0.0]
    assert "by hand   [[2.]]" in text
    assert "autodiff  [[0.]]" in text


@pytest.mark.parametrize("factor", [2.0, -1.0])
def test_the_counterexample_is_small_whole_and_wrong(factor):
    report = check(lambda X, W: factor * in_x(X, W), of=product, shapes={"X": (4, 3), "W": (2, 3)})
    example = report.counterexample
    assert all(value.size == 1 for value in example.values.values())
    assert example.values["X"].item() == 0.0
    assert example.values["W"].item() == 1.0
    assert example.case.wrong
    assert example.case.got.item() == factor


def test_a_check_leaves_the_precision_of_jax_alone():
    check(soft_jacobian, of=soft, shapes="z=2")
    assert jnp.ones(1).dtype == jnp.float32


def test_an_answer_that_is_not_finite_is_said_to_be_so():
    report = check(lambda z: jnp.nan * soft_jacobian(z), of=soft, shapes="z=3")
    assert not report.passed
    assert "it isn't finite where autodiff is: nan instead of" in str(report)


def test_the_seed_moves_the_random_points():
    reports = [str(check(lambda z: 2 * soft_jacobian(z), of=soft, shapes="z=3", seed=seed)) for seed in (0, 0, 1)]
    assert reports[0] == reports[1] != reports[2]


@jax.custom_vjp
def wrong_rule(x):
    return jnp.sum(jnp.sin(x))


wrong_rule.defvjp(lambda x: (wrong_rule(x), x), lambda x, g: (-g * jnp.cos(x),))


def test_central_differences_find_a_wrong_rule_that_the_formula_shares():
    """A custom VJP has no forward mode; the differences need none."""
    report = check(lambda x: -jnp.cos(x), of=wrong_rule, shapes={"x": 4})
    assert not report.passed
    assert set(report.modes) == {"jacrev", "VJP", "differences"}
    assert report.modes["jacrev"] <= 1e-12
    assert report.modes["differences"] > 0.1
    assert any("central differences disagree with autodiff" in note for note in report.notes)


def test_where_differences_agree_the_formula_is_not_blamed():
    report = check(jnp.cos, of=wrong_rule, shapes={"x": 4})
    assert not report.passed
    assert "central differences agree with the formula, and autodiff does not" in str(report.diagnosis)


@pytest.mark.parametrize("form", ["jvp", "vjp"])
def test_a_wrong_product_is_wrong_in_every_way(form):
    report = check(lambda x, v: 2 * jax.nn.softmax(x) * v, of=jax.nn.softmax, shapes={"x": 4}, form=form)
    assert min(report.modes.values()) > 1e-2


def test_a_left_out_term_is_looked_for_in_its_own_line():
    def loss(W, X, y, decay):
        misfit = jnp.mean((X @ W - y) ** 2)
        penalty = decay / 2 * jnp.sum(W * W)
        return misfit + penalty

    def without_penalty(W, X, y):
        return 2 * X.T @ (X @ W - y) / len(y)

    report = check(without_penalty, of=loss, shapes={"W": 3, "X": (5, 3), "y": 5, "decay": ()})
    assert report.diagnosis.kind == "term"
    assert "jnp.sum(W * W)" in report.diagnosis.sentence


def test_the_counterexample_is_whole_numbers_for_products_and_distributions():
    def entropy(z, y):
        return -jnp.sum(y * jax.nn.log_softmax(z))

    def wrong(z, y):
        return jax.nn.softmax(z) + y

    example = check(wrong, of=entropy, shapes=["z=3", "y=3:distribution"]).counterexample
    assert all(np.all(value == np.round(value)) for value in example.values.values())
    report = check(lambda x, v: jax.nn.softmax(x) * v, of=jax.nn.softmax, shapes={"x": 3}, form="jvp")
    vector = report.counterexample.case.vector
    assert np.all(vector == np.round(vector))


def test_a_formula_that_is_wrong_only_at_other_sizes_says_at_which():
    def of(x):
        return jnp.sum(x**2)

    report = check(lambda x: 2 * x if x.shape[0] == 5 else x, of=of, shapes={"x": 5})
    assert not report.passed
    assert "right at the given sizes, wrong at x=2" in report.where


def test_small_errors_are_errors():
    def cube(x):
        return jnp.sum(x**3)

    assert not check(lambda x: 3 * x**2 * (1 + 1e-8), of=cube, shapes={"x": 3}).passed
    at_zero = check(lambda x: 3 * x**2 + jnp.where(jnp.all(x == 0), 1e-3, 0.0), of=cube, shapes={"x": 3})
    assert not at_zero.passed
    assert "zeros" in at_zero.where


def test_differences_are_accurate():
    report = check(lambda x: jnp.exp(x), of=lambda x: jnp.sum(jnp.exp(x)), shapes={"x": 3})
    assert report.passed
    assert report.modes["differences"] <= 1e-11
