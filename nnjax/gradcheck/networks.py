"""Back-propagation by hand beside the networks that it goes through, as functions of their parameters."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from nnjax.derivations import backprop, losses
from nnjax.derivations.backprop import Layer
from nnjax.gradcheck.formula import Formula
from nnjax.gradcheck.functions import Function

SLOPE = 1.5
KEEP = 0.75

FUNCTIONS: dict[str, Function] = {
    "identity": lambda x: x,
    "sigmoid": jax.nn.sigmoid,
    "scaled_sigmoid": lambda x: jax.nn.sigmoid(SLOPE * x),
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": lambda x: jax.nn.leaky_relu(x, 0.01),
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "softmax": lambda x: jax.nn.softmax(x, axis=-1),
}


def mse(outputs: Any, targets: Any) -> Any:
    """The mean of (o − t)²."""
    return jnp.mean((outputs - targets) ** 2)


def binary_cross_entropy(z: Any, targets: Any) -> Any:
    """The mean of log(1 + e^z) − t z, of logits."""
    return jnp.mean(jnp.logaddexp(0, z) - targets * z)


def cross_entropy(z: Any, targets: Any) -> Any:
    """−(1/B) Σ t log softmax(z), of logits."""
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(z, axis=-1), axis=-1))


LOSSES: dict[str, Function] = {
    "mse": mse,
    "binary_cross_entropy": binary_cross_entropy,
    "cross_entropy": cross_entropy,
}


def networks() -> list[Formula]:
    """Two layers with every activation as f and as g and every loss; four layers; two linear layers as one."""
    pairs = [
        ("tanh", "identity", "cross_entropy"),
        ("sigmoid", "sigmoid", "mse"),
        ("relu", "identity", "binary_cross_entropy"),
        ("gelu", "softmax", "mse"),
        ("leaky_relu", "tanh", "cross_entropy"),
        ("scaled_sigmoid", "scaled_sigmoid", "binary_cross_entropy"),
        ("identity", "relu", "cross_entropy"),
        ("tanh", "gelu", "binary_cross_entropy"),
        ("relu", "leaky_relu", "mse"),
    ]
    deep = [
        ("tanh", "cross_entropy", False, False),
        ("sigmoid", "mse", True, False),
        ("gelu", "binary_cross_entropy", False, True),
        ("scaled_sigmoid", "cross_entropy", True, True),
    ]
    return [
        *(two_layer(*names) for names in pairs),
        *(deep_network(*options) for options in deep),
        _composed(),
    ]


def two_layer(f: str, g: str, loss: str) -> Formula:
    """Back-propagation through Linear → f → Linear → g → loss, in the inputs and all parameters."""

    def hand(x: Any, w1: Any, b1: Any, w2: Any, b2: Any, targets: Any) -> Mapping[str, Any]:
        layers = (Layer(w1, b1), Layer(w2, b2))
        cache = backprop.two_layer_forward(x, layers, targets, f, g, loss, SLOPE)
        grads = backprop.two_layer_backward(cache, layers, targets, f, g, loss, SLOPE)
        return {"x": grads.dx, "w1": grads.dw1, "b1": grads.db1, "w2": grads.dw2, "b2": grads.db2}

    def of(x: Any, w1: Any, b1: Any, w2: Any, b2: Any, targets: Any) -> Any:
        return LOSSES[loss](FUNCTIONS[g](FUNCTIONS[f](x @ w1 + b1[None]) @ w2 + b2[None]), targets)

    shapes = {"x": (4, 5), "w1": (5, 3), "b1": (3,), "w2": (3, 2), "b2": (2,), "targets": _targets((4, 2), loss)}
    name = f"{f} → {g} → {loss}".replace("_", " ")
    formula = "dW = aᵀdz, db = Σ dz, da = dz Wᵀ"
    return Formula(name, formula, hand, of, shapes, ("x", "w1", "b1", "w2", "b2"))


def deep_network(f: str, loss: str, residual: bool, dropout: bool) -> Formula:
    """Back-propagation through four layers, the middle ones of equal width."""

    def masks_of(m1: Any, m2: Any, m3: Any) -> Any:
        return (m1 / KEEP, m2 / KEEP, m3 / KEEP) if dropout else ()

    def hand(
        x: Any,
        w1: Any,
        b1: Any,
        w2: Any,
        b2: Any,
        w3: Any,
        b3: Any,
        w4: Any,
        b4: Any,
        m1: Any,
        m2: Any,
        m3: Any,
        t: Any,
    ) -> Mapping[str, Any]:
        layers = [Layer(w1, b1), Layer(w2, b2), Layer(w3, b3), Layer(w4, b4)]
        masks = masks_of(m1, m2, m3)
        cache = backprop.deep_forward(x, layers, t, f, loss, masks, residual, SLOPE)
        grads = backprop.deep_backward(cache, layers, t, f, loss, masks, residual, SLOPE)
        found = {"x": grads.da[0]}
        for i, layer in enumerate(grads.layers, 1):
            found |= {f"w{i}": layer.w, f"b{i}": layer.b}
        return found

    def of(
        x: Any,
        w1: Any,
        b1: Any,
        w2: Any,
        b2: Any,
        w3: Any,
        b3: Any,
        w4: Any,
        b4: Any,
        m1: Any,
        m2: Any,
        m3: Any,
        t: Any,
    ) -> Any:
        a = x
        for i, (w, b, mask) in enumerate(
            zip((w1, w2, w3), (b1, b2, b3), masks_of(m1, m2, m3) or [1.0] * 3, strict=True)
        ):
            h = FUNCTIONS[f](a @ w + b[None]) * mask
            a = h + a if residual and i else h
        return LOSSES[loss](a @ w4 + b4[None], t)

    shapes: dict[str, Any] = {
        "x": (4, 5),
        "w1": (5, 3),
        "b1": (3,),
        "w2": (3, 3),
        "b2": (3,),
        "w3": (3, 3),
        "b3": (3,),
    }
    shapes |= {"w4": (3, 2), "b4": (2,), "t": _targets((4, 2), loss)}
    shapes |= dict.fromkeys(("m1", "m2", "m3"), "4,3:binary")
    options = [word for word, on in (("residual", residual), ("dropout", dropout)) if on]
    name = f"4 layers of {f}, {', '.join(options) or 'plain'}, {loss}".replace("_", " ")
    formula = "da_(i−1) = dz Wᵀ (+ da_i), dz = da ⊙ m ⊙ f′"
    wrt = ("x", "w1", "b1", "w2", "b2", "w3", "b3", "w4", "b4")
    return Formula(name, formula, hand, of, shapes, wrt)


def _composed() -> Formula:
    def hand(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, targets: Any) -> Mapping[str, Any]:
        first, second = Layer(w1, b1), Layer(w2, b2)
        single = backprop.compose_linear(first, second)
        dz = losses.mse_gradient(x @ single.w + single.b[None], targets)
        d_first, d_second = backprop.composed_gradients(first, second, Layer(x.T @ dz, jnp.sum(dz, axis=0)))
        return {"w1": d_first.w, "b1": d_first.b, "w2": d_second.w, "b2": d_second.b}

    def of(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, targets: Any) -> Any:
        return LOSSES["mse"]((x @ w1 + b1[None]) @ w2 + b2[None], targets)

    shapes = {"w1": (5, 3), "b1": (3,), "w2": (3, 2), "b2": (2,), "x": (4, 5), "targets": (4, 2)}
    formula = "G W₂ᵀ, g W₂ᵀ, W₁ᵀG + b₁ᵀg, g"
    return Formula("two linear layers are one", formula, hand, of, shapes, ("w1", "b1", "w2", "b2"))


def _targets(sizes: tuple[int, ...], loss: str) -> Any:
    kind = {"mse": "real", "binary_cross_entropy": "binary", "cross_entropy": "distribution"}[loss]
    return ",".join(map(str, sizes)) + f":{kind}"
