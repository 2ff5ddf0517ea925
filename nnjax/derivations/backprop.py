"""Back-propagation by hand: every intermediate has a name and is kept, nothing is left to autodiff.

Layers multiply from the right, z = a W + b with W of shape (inputs, outputs), as in `nnjax.nn.models`. The adjoint
of an intermediate u, ∂J/∂u for the scalar loss J, is written du and has the shape of u.

One rule serves all layers. For z = a W + b, changes δ of its arguments move J by Σ dz ⊙ (δa W + a δW + δb), so

    da = dz Wᵀ   (B × inputs),      dW = aᵀ dz   (inputs × outputs),      db = Σ_n dz_n   (outputs).
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nnjax.derivations import losses
from nnjax.derivations.activations import ELEMENTWISE
from nnjax.derivations.softmax import log_softmax, softmax, softmax_vjp
from nnjax.types import Scalar


class Layer(NamedTuple):
    """The parameters of a dense layer, or their gradients."""

    w: Float[Array, "D F"]
    b: Float[Array, " F"]


class TwoLayerCache(NamedTuple):
    """Every intermediate of Linear → f → Linear → g → loss on a batch."""

    x: Float[Array, "B D"]
    z1: Float[Array, "B F"]  # x W₁ + b₁
    a1: Float[Array, "B F"]  # f(z₁)
    z2: Float[Array, "B C"]  # a₁ W₂ + b₂
    o: Float[Array, "B C"]  # g(z₂)
    loss: Float[Array, ""]


class TwoLayerGradients(NamedTuple):
    """∂J/∂u for every intermediate and parameter u."""

    do: Float[Array, "B C"]
    dz2: Float[Array, "B C"]
    dw2: Float[Array, "F C"]
    db2: Float[Array, " C"]
    da1: Float[Array, "B F"]
    dz1: Float[Array, "B F"]
    dw1: Float[Array, "D F"]
    db1: Float[Array, " F"]
    dx: Float[Array, "B D"]


def two_layer_forward(
    x: Float[Array, "B D"],
    layers: Sequence[Layer],
    targets: Float[Array, "B C"],
    f: str,
    g: str,
    loss: str,
    slope: Scalar = 1.0,
) -> TwoLayerCache:
    """z₁ = x W₁ + b₁, a₁ = f(z₁), z₂ = a₁ W₂ + b₂, o = g(z₂), J = loss(o, t).

    Args:
        x: inputs.
        layers: W₁ (D × F), b₁ (F) and W₂ (F × C), b₂ (C).
        targets: t, of the shape of the outputs.
        f: a name of `nnjax.derivations.activations.ELEMENTWISE`.
        g: likewise, or softmax.
        loss: mse, binary_cross_entropy or cross_entropy; the last two take o as logits.
        slope: k of scaled_sigmoid.

    Raises:
        KeyError: for a name that is none of these.
    """
    first, second = layers
    z1 = x @ first.w + first.b[None, :]
    a1 = ELEMENTWISE[f].value(z1, slope)
    z2 = a1 @ second.w + second.b[None, :]
    o = jax.vmap(softmax)(z2) if g == "softmax" else ELEMENTWISE[g].value(z2, slope)
    return TwoLayerCache(x, z1, a1, z2, o, loss_value(o, targets, loss))


def two_layer_backward(
    cache: TwoLayerCache,
    layers: Sequence[Layer],
    targets: Float[Array, "B C"],
    f: str,
    g: str,
    loss: str,
    slope: Scalar = 1.0,
) -> TwoLayerGradients:
    """The adjoints from the loss back to the inputs; arguments as in `two_layer_forward`.

    Through an elementwise g the Jacobian is diagonal, so dz₂ = do ⊙ g′(z₂), and dz₁ = da₁ ⊙ f′(z₁). Through a
    softmax every output of an example moves with every logit: dz₂ = s ⊙ (do − sᵀdo), row by row. The mean over the
    batch is in do already: every later adjoint is linear in it, so no other factor 1/B may appear.
    """
    first, second = layers
    do = LOSS_GRADIENTS[loss](cache.o, targets)
    dz2 = jax.vmap(softmax_vjp)(cache.z2, do) if g == "softmax" else do * ELEMENTWISE[g].dx(cache.z2, slope)
    dw2 = cache.a1.T @ dz2
    db2 = jnp.sum(dz2, axis=0)
    da1 = dz2 @ second.w.T
    dz1 = da1 * ELEMENTWISE[f].dx(cache.z1, slope)
    dw1 = cache.x.T @ dz1
    db1 = jnp.sum(dz1, axis=0)
    dx = dz1 @ first.w.T
    return TwoLayerGradients(do, dz2, dw2, db2, da1, dz1, dw1, db1, dx)


class DeepCache(NamedTuple):
    """Every intermediate of L layers on a batch; the last layer has neither f, mask nor skip."""

    a: list[Float[Array, "B F"]]  # a₀ = x, then the input of each layer: L arrays
    z: list[Float[Array, "B F"]]  # z_i = a_{i−1} W_i + b_i: L arrays, the last the outputs
    loss: Float[Array, ""]


class DeepGradients(NamedTuple):
    """∂J/∂u for every intermediate and parameter u, in the order of the forward pass."""

    da: list[Float[Array, "B F"]]  # L arrays, the first ∂J/∂x
    dz: list[Float[Array, "B F"]]  # L arrays
    layers: list[Layer]  # dW_i, db_i


def skips(layers: Sequence[Layer], residual: bool) -> list[bool]:
    """Whether a layer's input is added to its output: the hidden ones between two of equal width.

    The first layer never has one, as its input is data.
    """
    last = len(layers) - 1
    return [residual and 0 < i < last and layer.w.shape[0] == layer.w.shape[1] for i, layer in enumerate(layers)]


def deep_forward(
    x: Float[Array, "B D"],
    layers: Sequence[Layer],
    targets: Float[Array, "B C"],
    f: str,
    loss: str,
    masks: Sequence[Float[Array, "B F"] | None] = (),
    residual: bool = False,
    slope: Scalar = 1.0,
) -> DeepCache:
    """z_i = a_{i−1} W_i + b_i, h_i = m_i ⊙ f(z_i), a_i = h_i (+ a_{i−1} with a skip); J = loss(z_L, t).

    Args:
        x: inputs.
        layers: L layers.
        targets: t, of the shape of the outputs.
        f: a name of `nnjax.derivations.activations.ELEMENTWISE`.
        loss: mse, binary_cross_entropy or cross_entropy.
        masks: for each hidden layer the dropout mask, entries 0 or 1 / (1 − p), or None; () for no dropout.
        residual: add the input of a hidden layer to its output where `skips` says.
        slope: k of scaled_sigmoid.

    Raises:
        KeyError: for a name that is none of these.
    """
    a, z = [x], []
    skip = skips(layers, residual)
    for i, layer in enumerate(layers):
        z.append(a[i] @ layer.w + layer.b[None, :])
        if i + 1 < len(layers):
            h = ELEMENTWISE[f].value(z[i], slope)
            mask = masks[i] if masks else None
            h = h if mask is None else mask * h
            a.append(a[i] + h if skip[i] else h)
    return DeepCache(a, z, loss_value(z[-1], targets, loss))


def deep_backward(
    cache: DeepCache,
    layers: Sequence[Layer],
    targets: Float[Array, "B C"],
    f: str,
    loss: str,
    masks: Sequence[Float[Array, "B F"] | None] = (),
    residual: bool = False,
    slope: Scalar = 1.0,
) -> DeepGradients:
    """The adjoints from the loss back to the inputs; arguments as in `deep_forward`.

    The mask is a constant factor, so it multiplies the adjoint as it multiplied the value:
    dz_i = da_i ⊙ m_i ⊙ f′(z_i). Over a skip, a_i depends on a_{i−1} by two ways whose adjoints add up:
    da_{i−1} = dz_i W_iᵀ + da_i. The second term reaches the first layers undiminished, which is the point of it.
    """
    da: list[Array] = []
    dz: list[Array] = [LOSS_GRADIENTS[loss](cache.z[-1], targets)]
    grads: list[Layer] = []
    skip = skips(layers, residual)
    for i in reversed(range(len(layers))):
        if i + 1 < len(layers):
            dh = da[0]
            mask = masks[i] if masks else None
            dh = dh if mask is None else mask * dh
            dz.insert(0, dh * ELEMENTWISE[f].dx(cache.z[i], slope))
        grads.insert(0, Layer(cache.a[i].T @ dz[0], jnp.sum(dz[0], axis=0)))
        through = dz[0] @ layers[i].w.T
        da.insert(0, through + da[0] if skip[i] else through)
    return DeepGradients(da, dz, grads)


def compose_linear(first: Layer, second: Layer) -> Layer:
    """Two consecutive linear layers are one: W = W₁ W₂ and b = b₁ W₂ + b₂.

    (x W₁ + b₁) W₂ + b₂ = x (W₁ W₂) + (b₁ W₂ + b₂). What the pair can compute, the single layer can.
    """
    return Layer(first.w @ second.w, first.b @ second.w + second.b)


def composed_gradients(first: Layer, second: Layer, single: Layer) -> tuple[Layer, Layer]:
    """The gradients of both layers from G = ∂J/∂W and g = ∂J/∂b of the single layer that they compose to.

    By the chain rule through W = W₁ W₂ and b = b₁ W₂ + b₂: dW₁ = G W₂ᵀ, db₁ = g W₂ᵀ, dW₂ = W₁ᵀ G + b₁ᵀ g and
    db₂ = g. All are linear images of (G, g): the data enter through the single layer's gradient only. Every loss
    that the pair reaches, the layer reaches with the W and b composed, so the pair's least loss is never below the
    layer's, and where the layer's gradient vanishes the pair is stationary too. The reverse fails: at W₁ = W₂ = 0,
    b₁ = 0 and the best b₂ the pair is stationary whatever G is, and with fewer hidden features than inputs and
    outputs its minimum needn't be one of the layer. Nothing is gained, and something can be lost.
    """
    d_first = Layer(single.w @ second.w.T, single.b @ second.w.T)
    return d_first, Layer(first.w.T @ single.w + jnp.outer(first.b, single.b), single.b)


def loss_value(o: Float[Array, "B C"], targets: Float[Array, "B C"], loss: str) -> Float[Array, ""]:
    """The mean loss of a batch.

    mse: mean (o − t)²; binary_cross_entropy: mean of log(1 + e^o) − t o, which is −t log σ(o) −
    (1 − t) log(1 − σ(o)); cross_entropy: −(1/B) Σ t log softmax(o), rows of t summing to 1.
    """
    if loss == "mse":
        return jnp.mean(jnp.square(o - targets))
    if loss == "binary_cross_entropy":
        return jnp.mean(jax.nn.softplus(o) - targets * o)
    if loss == "cross_entropy":
        return -jnp.sum(targets * jax.vmap(log_softmax)(o)) / o.shape[0]
    raise KeyError(loss)


LOSS_GRADIENTS = {
    "mse": losses.mse_gradient,
    "binary_cross_entropy": losses.logit_cross_entropy_gradient,
    "cross_entropy": losses.softmax_cross_entropy_gradient,
}
