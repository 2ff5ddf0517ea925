"""Every formula of this package beside the function that it claims to describe.

What nnjax itself computes is named by a string and looked up when it is checked, so that nothing here imports it:
a formula and its function meet only in a check. Every other function is written out here in its defining form.
"""

from typing import Any

import jax
import jax.numpy as jnp

from nnjax.derivations import activations, losses, matrices, softmax, xor
from nnjax.gradcheck.formula import Formula
from nnjax.gradcheck.networks import binary_cross_entropy, cross_entropy, mse, networks


def formulas() -> list[Formula]:
    """All of them, in the order in which they build on each other."""
    return [*_activations(), *_softmax(), *_losses(), *_matrices(), *networks(), _of_xor()]


def _activations() -> list[Formula]:
    x, kx = {"x": (5,)}, {"x": (5,), "slope": ()}
    there = "nnjax.nn.activations:"
    return [
        Formula("identity′", "1", activations.identity_dx, there + "identity", x),
        Formula("sigmoid′", "σ(x) σ(−x)", activations.sigmoid_dx, there + "sigmoid", x),
        Formula(
            "scaled sigmoid′ in x", "k σ(kx) σ(−kx)", activations.scaled_sigmoid_dx, there + "scaled_sigmoid", kx
        ),
        Formula(
            "scaled sigmoid′ in k",
            "x σ(kx) σ(−kx)",
            activations.scaled_sigmoid_dk,
            there + "scaled_sigmoid",
            kx,
            "slope",
        ),
        Formula("tanh′", "(1 − tanh x)(1 + tanh x)", activations.tanh_dx, there + "tanh", x),
        Formula("relu′", "[x > 0], 0 at the kink", activations.relu_dx, there + "relu", x),
        Formula("leaky relu′", "1 or 0.01, 1 at the kink", activations.leaky_relu_dx, there + "leaky_relu", x),
        Formula("gelu′", "Φ(x) + x φ(x)", activations.gelu_dx, there + "gelu", x),
    ]


def _softmax() -> list[Formula]:
    z, zy = {"z": (5,)}, {"z": (5,), "y": "5:distribution"}
    labelled = {"logits": (5,), "label": ":labels5"}
    entropy = "−Σ y log softmax(z)"

    def soft(z: Any) -> Any:
        return jax.nn.softmax(z)

    def log_soft(z: Any) -> Any:
        return jax.nn.log_softmax(z)

    def log_sum(z: Any) -> Any:
        return jax.nn.logsumexp(z)

    def cross_entropy(z: Any, y: Any) -> Any:
        # Where y is 0 a logit of any size adds nothing; Σ y (lse − z) has no 0·∞ in it.
        return jnp.sum(y * (jax.nn.logsumexp(z) - z))

    return [
        Formula("softmax Jacobian", "diag(s) − s sᵀ", softmax.softmax_jacobian, soft, z),
        Formula("softmax J·v", "s ⊙ (v − sᵀv)", softmax.softmax_jvp, soft, z, form="jvp"),
        Formula("softmax v·J", "v ⊙ s − (vᵀs) s", softmax.softmax_vjp, soft, z, form="vjp"),
        Formula("log-softmax Jacobian", "I − 1 sᵀ", softmax.log_softmax_jacobian, log_soft, z),
        Formula("log-softmax J·v", "v − sᵀv", softmax.log_softmax_jvp, log_soft, z, form="jvp"),
        Formula("log-softmax v·J", "v − (Σ v) s", softmax.log_softmax_vjp, log_soft, z, form="vjp"),
        Formula("log-sum-exp gradient", "s", softmax.logsumexp_gradient, log_sum, z),
        Formula("log-sum-exp Hessian", "s_i (δ_ij − s_j)", softmax.logsumexp_hessian, jax.grad(log_sum), z),
        Formula("log-sum-exp H·v", "s ⊙ v − s (sᵀv)", softmax.logsumexp_hvp, jax.grad(log_sum), z, form="jvp"),
        Formula(f"gradient of {entropy}", "s − y", softmax.cross_entropy_gradient, cross_entropy, zy),
        Formula(
            f"Hessian of {entropy}", "diag(s) − s sᵀ", softmax.cross_entropy_hessian, jax.grad(cross_entropy), zy
        ),
        Formula(
            "cross-entropy of a label",
            "s_j − [j = y]",
            softmax.label_cross_entropy_gradient,
            "nnjax.nn.losses:cross_entropy",
            labelled,
        ),
        Formula(
            "MSE of probabilities",
            "(2/C) s ⊙ (e − sᵀe), e = s − y",
            softmax.mse_probabilities_gradient,
            "nnjax.nn.losses:mse_probabilities",
            labelled,
        ),
    ]


def _losses() -> list[Formula]:
    bce, soft = losses.binary_cross_entropy_gradient, losses.softmax_cross_entropy_gradient

    def binary(p: Any, targets: Any) -> Any:
        return -jnp.mean(targets * jnp.log(p) + (1 - targets) * jnp.log1p(-p))

    def of_probabilities(p: Any, targets: Any) -> Any:
        return -jnp.mean(jnp.sum(targets * jnp.log(p), axis=1))

    def l2(w: Any, decay: Any) -> Any:
        return decay * jnp.sum(w**2) / 2

    pair = {"outputs": (4, 3), "targets": (4, 3)}
    labelled = {"outputs": (3,), "target": ":labels3"}
    logits = {"logits": (3,), "label": ":labels3"}
    probabilities = {"p": "4,3:probability", "targets": "4,3:binary"}
    return [
        Formula("MSE", "2 (o − t) / (BC)", losses.mse_gradient, mse, pair),
        Formula(
            "MSE of a label", "2 (o_j − [j = y]) / C", losses.label_mse_gradient, "nnjax.nn.losses:mse", labelled
        ),
        Formula("MAE of a label", "sign(e_j) / C", losses.label_mae_gradient, "nnjax.nn.losses:mae", labelled),
        Formula("binary cross-entropy in p", "(p − t) / (p (1 − p)) / (BC)", bce, binary, probabilities),
        Formula(
            "binary cross-entropy in z",
            "(σ(z) − t) / (BC)",
            losses.logit_cross_entropy_gradient,
            binary_cross_entropy,
            {"z": (4, 3), "targets": "4,3:binary"},
        ),
        Formula(
            "binary cross-entropy of a label",
            "(σ(z_j) − [j = y]) / C",
            losses.label_binary_cross_entropy_gradient,
            "nnjax.nn.losses:binary_cross_entropy",
            logits,
        ),
        Formula(
            "cross-entropy in p",
            "−t / p / B",
            losses.cross_entropy_gradient,
            of_probabilities,
            {"p": "4,3:probability", "targets": "4,3:distribution"},
        ),
        Formula(
            "cross-entropy after softmax",
            "(s − t) / B",
            soft,
            cross_entropy,
            {"z": (4, 3), "targets": "4,3:distribution"},
        ),
        Formula("L2 term ½ λ ‖w‖²", "λ w", losses.l2_gradient, l2, {"w": (3, 4), "decay": ()}),
    ]


def _matrices() -> list[Formula]:
    w, wx, wc = {"w": (3,)}, {"w": (3,), "x": (3,)}, {"w": (3,), "c": (4,)}
    vector, pair = {"X": (4, 3), "w": (3,)}, {"X": (4, 3), "W": (2, 3)}

    def constant(w: Any, c: Any) -> Any:
        return c + 0 * jnp.sum(w)

    def squared_norm(w: Any) -> Any:
        return jnp.sum(w**2)

    def dot(w: Any, x: Any) -> Any:
        return jnp.dot(w, x)

    def matvec(X: Any, w: Any) -> Any:
        return X @ w

    def same(w: Any) -> Any:
        return w

    def square(w: Any) -> Any:
        return w * w

    def matmul(X: Any, W: Any) -> Any:
        return X @ W.T

    return [
        Formula("constant c", "0", matrices.constant_jacobian, constant, wc),
        Formula("‖w‖²", "2 w", matrices.squared_norm_gradient, squared_norm, w),
        Formula("wᵀx in w", "x", matrices.dot_gradient_w, dot, wx, "w"),
        Formula("wᵀx in x", "w", matrices.dot_gradient_x, dot, wx, "x"),
        Formula("Xw in w", "X", matrices.matvec_jacobian_w, matvec, vector, "w"),
        Formula("Xw in X", "δ_nm w_d", matrices.matvec_jacobian_x, matvec, vector, "X"),
        Formula("w", "I", matrices.identity_jacobian, same, w),
        Formula("w ⊙ w", "2 diag(w)", matrices.square_jacobian, square, w),
        Formula("XWᵀ in X", "δ_nm W_fd", matrices.matmul_jacobian_x, matmul, pair, "X"),
        Formula("XWᵀ in W", "δ_fg X_nd", matrices.matmul_jacobian_w, matmul, pair, "W"),
        Formula("XWᵀ in X, by rows", "I_N ⊗ W", matrices.matmul_rows_x, matmul, pair, "X", "rows"),
        Formula("XWᵀ in X, by columns", "W ⊗ I_N", matrices.matmul_columns_x, matmul, pair, "X", "columns"),
        Formula("XWᵀ in W, by rows", "(X ⊗ I_F) K", matrices.matmul_rows_w, matmul, pair, "W", "rows"),
        Formula("XWᵀ in W, by columns", "(I_F ⊗ X) K", matrices.matmul_columns_w, matmul, pair, "W", "columns"),
    ]


def _of_xor() -> Formula:
    def hand(W1: Any, b1: Any, W2: Any, b2: Any, x: Any) -> Any:
        return xor.output_jacobian(xor.Params(W1, b1, W2, b2), x)._asdict()

    def of(W1: Any, b1: Any, W2: Any, b2: Any, x: Any) -> Any:
        return jax.nn.relu(x @ W1.T + b1[None]) @ W2 + b2

    shapes = {"W1": (3, 2), "b1": (3,), "W2": (3,), "b2": (), "x": (4, 2)}
    formula = "W₂ [a > 0] xᵀ, W₂ [a > 0], max(a, 0), 1"
    return Formula("outputs of the XOR network", formula, hand, of, shapes, ("W1", "b1", "W2", "b2"))
