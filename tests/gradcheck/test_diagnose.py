"""One wrong formula of each named class, and the sentence that it gets."""

import jax
import jax.numpy as jnp
import pytest

from nnjax.gradcheck import check
from nnjax.gradcheck.hypotheses import KINDS


def soft(z):
    return jax.nn.softmax(z)


def jacobian(z):
    s = jax.nn.softmax(z)
    return jnp.diag(s) - jnp.outer(s, s)


def log_soft(z):
    return jax.nn.log_softmax(z)


def log_jacobian(z):
    return jnp.eye(z.shape[0]) - jax.nn.softmax(z)[None, :]


def mse(o, t):
    return jnp.mean((o - t) ** 2)


def linear(w, x):
    return jnp.mean(jnp.tanh(x @ w))


def linear_gradient(w, x):
    return x.T @ (1 - jnp.tanh(x @ w) ** 2) / x.shape[0]


def product(X, W):
    return X @ W.T


def in_w(X, W):
    return jnp.einsum("fg,nd->nfgd", jnp.eye(W.shape[0]), X)


Z, OT, X = {"z": 5}, {"o": (4, 3), "t": (4, 3)}, {"X": (4, 3), "W": (2, 3)}
WX = {"w": 3, "x": (4, 3)}


def naive(z):
    e = jnp.exp(z)
    s = e / jnp.sum(e)
    return jnp.diag(s) - jnp.outer(s, s)


def diagonal(z):
    s = jax.nn.softmax(z)
    return s * (1 - s)


def off_diagonal(z):
    s = jax.nn.softmax(z)
    return -jnp.outer(s, s)


def swapped_inside(z):
    s = jax.nn.softmax(z)
    return s[:, None] * (jnp.eye(z.shape[0]) - s[:, None])


def wrong_sign_inside(z):
    s = jax.nn.softmax(z)
    return jnp.diag(s) + jnp.outer(s, s)


def factor_inside(z):
    s = jax.nn.softmax(z)
    return jnp.diag(s) - 3 * jnp.outer(s, s)


def extra_term(z):
    return jacobian(z) + z[:, None] * jnp.exp(z)[None, :]


CASES = [
    ("sign", lambda z: -jacobian(z), soft, Z, {}, "the whole answer has the opposite sign"),
    ("sign", wrong_sign_inside, soft, Z, {}, "the second term of the + in line"),
    ("factor", lambda z: jacobian(z) / 3, soft, Z, {}, "the whole answer must be multiplied by 3"),
    ("factor", factor_inside, soft, Z, {}, "must be multiplied by 1/3"),
    ("factor", lambda x, k: 1 - jnp.tanh(k * x) ** 2, lambda x, k: jnp.tanh(k * x), {"x": 3, "k": ()}, {}, "by k"),
    (
        "factor",
        lambda Q, K, v: v @ K,
        lambda Q, K: Q @ K.T / jnp.sqrt(Q.shape[1]),
        {"Q": (3, 2), "K": (4, 2)},
        {"form": "vjp"},
        "must be multiplied by 1/√2",
    ),
    (
        "batch",
        lambda W, X, y: X.T @ (X @ W - y) * 2 / y.shape[1],
        lambda W, X, y: jnp.sum((X @ W - y) ** 2) / y.shape[0],
        {"W": (3, 4), "X": (5, 3), "y": (5, 4)},
        {},
        "must be multiplied by 4/5",
    ),
    ("transposed", lambda z: log_jacobian(z).T, log_soft, Z, {}, "it is input × output"),
    (
        "transposed",
        lambda X, W: in_w(X, W).transpose(2, 3, 0, 1),
        product,
        X,
        {"wrt": "W"},
        "it is input × output",
    ),
    (
        "transposed",
        lambda z, v: v - jnp.sum(v) * soft(z),
        log_soft,
        Z,
        {"form": "jvp"},
        "from the other side: it is v·J",
    ),
    ("transposed", lambda z, v: v - soft(z) @ v, log_soft, Z, {"form": "vjp"}, "from the other side: it is J·v"),
    ("index", lambda X, W: in_w(X, W).transpose(0, 1, 3, 2), product, X, {"wrt": "W"}, "belongs at [i,j,k,l]"),
    ("index", swapped_inside, soft, Z, {}, "two indices swapped"),
    ("batch", lambda o, t: 2 * (o - t), mse, OT, {}, "a sum stands where the mean over"),
    ("batch", lambda w, x: linear_gradient(w, x) / x.shape[0], linear, WX, {}, "a mean over the axis of size 4"),
    ("batch", lambda w, x: x * (1 - jnp.tanh(x @ w) ** 2)[:, None], linear, WX, {}, "averaged over its axis 0"),
    ("term", diagonal, soft, Z, {}, "off the diagonal (i ≠ j) is missing: the answer is 0 there"),
    ("term", off_diagonal, soft, Z, {}, "a term on the diagonal (i = j) is missing"),
    ("term", lambda z: jnp.diag(soft(z)), soft, Z, {}, "is missing"),
    ("term", extra_term, soft, Z, {}, "must be left out"),
    ("order", lambda X, W: jnp.kron(W, jnp.eye(len(X))), product, X, {"form": "rows"}, "strung by columns"),
    ("order", lambda X, W: jnp.kron(jnp.eye(len(X)), W), product, X, {"form": "columns"}, "strung by rows"),
    (
        "order",
        lambda X, W: jnp.kron(X, jnp.eye(len(W))),
        product,
        X,
        {"form": "rows", "wrt": "W"},
        "the inputs (along",
    ),
    ("shape", lambda z: jacobian(z).ravel(), soft, Z, {}, "it has the shape (25,) and must have (5, 5)"),
    ("shape", lambda X, W: in_w(X, W).reshape(8, 6), product, X, {"wrt": "W"}, "must have (4, 2, 2, 3)"),
    ("kink", lambda x: jnp.where(x >= 0, 1.0, 0.0), jax.nn.relu, {"x": 3}, {}, "1 instead of 0"),
    ("unstable", naive, soft, Z, {}, "nan instead of 0"),
    ("unstable", lambda x: (x * jnp.cos(x) - jnp.sin(x)) / x**2, jnp.sinc, {"x": 3}, {}, None),
    ("unknown", lambda z: jnp.sin(jnp.outer(z, z)), soft, Z, {}, "what must be added"),
    (
        "hard",
        lambda x: x + jnp.where(jnp.all(jnp.abs(x - 0.75) < 0.1), 1.0, 0.0),
        lambda x: jnp.sum(x**2) / 2,
        {"x": 3},
        {},
        "wrong at ties",
    ),
]


@pytest.mark.parametrize(("kind", "hand", "of", "shapes", "options", "words"), CASES)
def test_diagnosis(kind, hand, of, shapes, options, words):
    if of is jnp.sinc:

        def of(x):
            return jnp.sinc(x / jnp.pi)

    report = check(hand, of=of, shapes=shapes, **options)
    assert not report.passed
    assert report.diagnosis.kind == kind, report.diagnosis
    assert (words or "") in report.diagnosis.sentence
    assert report.counterexample.case.wrong
    assert KINDS[kind] in str(report)


def test_every_named_class_has_a_case():
    assert {case[0] for case in CASES} == set(KINDS)


def test_wrong_at_special_points_only():
    def jumps_at_zero(x):
        return x + jnp.where(jnp.all(x == 0), 1.0, 0.0)

    report = check(jumps_at_zero, of=lambda x: jnp.sum(x**2) / 2, shapes="x=3")
    assert report.diagnosis.kind in ("hard", "unstable")


def test_terms_of_a_product_with_a_vector_are_told():
    def wrong(z, v):
        s = jax.nn.softmax(z)
        return s * v + s * jnp.dot(s, v)

    for form in ("jvp", "vjp"):
        report = check(wrong, of=soft, shapes=Z, form=form)
        assert report.diagnosis.kind == "sign"
        assert "the second term of the + in line" in report.diagnosis.sentence


def test_a_line_that_runs_for_every_layer_is_told():
    def network(w, x):
        for i in range(w.shape[0]):
            x = x + jnp.tanh(w[i] @ x)
        return jnp.sum(x)

    def wrong(w, x):
        inputs = [x]
        for i in range(w.shape[0]):
            inputs.append(inputs[-1] + jnp.tanh(w[i] @ inputs[-1]))
        d, rows = jnp.ones_like(x), []
        for i in reversed(range(w.shape[0])):
            dz = d * (1 - jnp.tanh(w[i] @ inputs[i]) ** 2)
            rows.insert(0, jnp.outer(dz, inputs[i]))
            d = d - w[i].T @ dz
        return jnp.stack(rows)

    report = check(wrong, of=network, shapes={"w": (3, 4, 4), "x": 4})
    assert report.diagnosis.kind == "sign"
    assert "`d = d - w[i].T @ dz`" in report.diagnosis.sentence
