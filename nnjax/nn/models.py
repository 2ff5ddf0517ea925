"""The models by name, and how any other Flax module is made, looked at and called as one of them.

A module of a user's own maps inputs ``[B, D]`` to outputs ``[B, C]``; its attribute ``classes``, if it has one,
is C. If its call takes ``train``, ``deterministic``, ``slope`` or ``dropout``, these are given; in training it has
the random stream "dropout". It may hold parameters and nothing else that changes, as batch statistics would.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nnjax.nn.activations import activation_of
from nnjax.nn.layers import is_kernel, layer_of
from nnjax.nn.networks import DAN, MLP, SoftmaxRegression
from nnjax.parts import Part, takes, tried
from nnjax.sparse import Sparse
from nnjax.spelling import nearest
from nnjax.types import Dtype, Inputs, Key, Params, Scalar
from nnjax.validation import UserError

Network: TypeAlias = nn.Module

MODELS: dict[str, Callable[[Any, int], Network]] = {
    "mlp": lambda config, classes: MLP(config.hidden, classes, activation_of(config.activation), config.residual),
    "dan": DAN.of,
    "softmax_regression": lambda config, classes: SoftmaxRegression(classes, config.relu_logits),
}
"""``(configuration, C) -> module``."""

READ_SPARSE = (MLP, SoftmaxRegression, DAN)
"""Modules that read sparse inputs as they are; others are given each batch of them dense."""


def network_of(config: Any, classes: int, inputs: int) -> Network:
    """The module of a configuration, for D inputs and C classes.

    Raises:
        UserError: for a module of the user's own that can't be made, has state beside its parameters, or doesn't
            map ``[B, D]`` to ``[B, C]``.
    """
    if isinstance(config.model, str):
        return MODELS[config.model](config, classes)
    network = _made(config.model, config.model_attributes, classes)
    _check(config.model, network, classes, inputs)
    return network


def _made(part: Part, attributes: Mapping[str, Any], classes: int) -> Network:
    if part.lost:
        raise UserError(f"{part} {part.lost}")
    if not (isinstance(part.function, type) and issubclass(part.function, nn.Module)):
        raise UserError(
            f"the model {part} is a {type(part.function).__name__}, and must be a class of flax.linen.Module"
        )
    known = [item.name for item in dataclasses.fields(part.function) if item.name not in ("parent", "name")]
    for name in attributes:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UserError(
                f"model.{name} is set, and {part} has no attribute {name!r}{nearest(name, known)}; {has}"
            )
    if "classes" in known:
        attributes = {"classes": classes, **attributes}
    must = "a class of flax.linen.Module whose attributes all have a value"
    network: Network = tried("model", part, lambda: part.function(**attributes), must)
    tried("model", part, lambda: hash(network), "a module whose attributes are numbers, words or tuples of them")
    return network


@functools.cache
def _check(part: Part, network: Network, classes: int, inputs: int) -> None:
    must = f"a Flax module from inputs [B, {inputs}] to outputs [B, {classes}]"
    x = jax.ShapeDtypeStruct((2, inputs), jnp.float32)
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    variables = tried("model", part, lambda: jax.eval_shape(lambda x: _init(network, keys, x), x), must)
    others = [name for name in variables if name != "params"]
    if others:
        raise UserError(
            f"the model {part} doesn't fit: it has {others[0]} beside its parameters, and nothing but parameters "
            "is trained or kept (a layer norm has nothing else)"
        )
    if not jax.tree.leaves(variables.get("params", {})):
        raise UserError(f"the model {part} doesn't fit: it has no parameters; it must be {must}")
    for training in (False, True):
        key = jax.random.key(2) if training else None
        y = tried(
            "model",
            part,
            functools.partial(jax.eval_shape, functools.partial(call, network, key=key), variables["params"], x),
            must,
        )
        if getattr(y, "shape", None) != (2, classes) or y.dtype != x.dtype:
            what = f"{y.dtype}{list(y.shape)}" if hasattr(y, "dtype") else f"a {type(y).__name__}"
            raise UserError(
                f"the model {part} doesn't fit: of float32[2, {inputs}] it makes {what}; it must be {must}"
            )


def call(
    network: Network,
    params: Params,
    x: Inputs,
    *,
    slope: Scalar = 1.0,
    dropout: Scalar | None = None,
    key: Key | None = None,
) -> Float[Array, "*B C"]:
    """The outputs of any network; with a ``key`` for its random stream, those of training."""
    given = _given(network, training=key is not None, slope=slope, dropout=dropout)
    x = _read_by(network, x)
    return network.apply({"params": params}, x, **given, rngs=None if key is None else {"dropout": key})


def _read_by(network: Network, x: Inputs) -> Inputs:
    return x.dense() if isinstance(x, Sparse) and not isinstance(network, READ_SPARSE) else x


def is_random(network: Network, dropout: bool) -> bool:
    """Whether a network may draw random numbers in training, where there is ``dropout`` or not."""
    arguments = _arguments(network)
    return "train" in arguments or "deterministic" in arguments or (dropout and "dropout" in arguments)


@functools.cache
def _arguments(network: Network) -> tuple[str, ...]:
    return tuple(takes(type(network).__call__))


def _init(network: Network, keys: Mapping[str, Key], x: Array) -> Any:
    return network.init(keys, x, **_given(network))


def _given(
    network: Network, *, training: bool = False, slope: Scalar = 1.0, dropout: Scalar | None = None
) -> dict[str, Any]:
    """What a network's call is given, of what it takes."""
    offered = {"slope": slope, "dropout": dropout, "train": training, "deterministic": not training}
    return {name: value for name, value in offered.items() if name in _arguments(network)}


def own_start(network: Network, inputs: int) -> Callable[[Key], Params]:
    """A key to the parameters with which the module starts by itself."""
    x = jnp.zeros((1, inputs), jnp.float32)
    return lambda key: _init(network, {"params": key}, x)["params"]


def with_vectors(params: Params, vectors: Float[Array | np.ndarray, "D F"]) -> Params:
    """Parameters whose words start with these vectors; those with NaN keep the ones that were drawn.

    Raises:
        UserError: for a network that has no vectors of words, or shorter or longer ones.
    """
    drawn = params.get("Average_0", {}).get("vectors")
    if drawn is None:
        raise UserError("data.vectors is set, which is for the model dan: it is the one that has vectors of words")
    if drawn.shape != vectors.shape:
        raise UserError(
            f"model.embedding is {drawn.shape[1]}, and the vectors of data.vectors have {vectors.shape[1]} numbers"
        )
    known = ~jnp.isnan(vectors)
    return {**params, "Average_0": {"vectors": jnp.where(known, vectors, drawn).astype(drawn.dtype)}}


def param_shapes(network: Network, inputs: int, dtype: Dtype = jnp.float32) -> Params:
    """The shapes and dtypes of a model's parameter tree for D inputs, without drawing anything."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, dtype), _anatomy(network, inputs)[0])


def layers(network: Network, inputs: int) -> tuple[str, ...]:
    """The layers with parameters in the order in which the network calls them."""
    return _anatomy(network, inputs)[1]


@functools.lru_cache(maxsize=1000)
def _anatomy(network: Network, inputs: int) -> tuple[Params, tuple[str, ...]]:
    """The tree of shapes, and the layers in the order in which Flax has made them: jax sorts a tree by name."""
    if isinstance(network, MLP):  # what is said of most networks, and takes Flax a while
        widths = (inputs, *network.hidden, network.classes)
        shapes = {f"Dense_{layer}": _dense(*sizes) for layer, sizes in enumerate(itertools.pairwise(widths))}
        return shapes, tuple(shapes)
    order: list[str] = []

    def init(x: Array) -> Any:
        params = _init(network, {"params": jax.random.key(0)}, x)["params"]
        order.extend(dict.fromkeys(_layers_as_made(params)))
        return params

    return jax.eval_shape(init, jax.ShapeDtypeStruct((1, inputs), jnp.float32)), tuple(order)


def _dense(inputs: int, outputs: int) -> dict[str, jax.ShapeDtypeStruct]:
    return {
        "bias": jax.ShapeDtypeStruct((outputs,), jnp.float32),
        "kernel": jax.ShapeDtypeStruct((inputs, outputs), jnp.float32),
    }


def _layers_as_made(params: Params, path: tuple[str, ...] = ()) -> list[str]:
    found: list[str] = []
    for name, child in params.items():
        found += _layers_as_made(child, (*path, name)) if isinstance(child, Mapping) else ["/".join(path)]
    return found


def layer_outputs(
    network: Network, params: Params, x: Float[Array, "B D"] | Sparse, slope: Scalar = 1.0
) -> dict[str, Float[Array, "B *F"]]:
    """What each layer with kernels puts out for a batch, before its activation."""
    with_kernels = {
        layer_of(path) for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0] if is_kernel(path, leaf)
    }
    given = _given(network, slope=slope)
    _, captured = network.apply(
        {"params": params},
        _read_by(network, x),
        **given,
        capture_intermediates=lambda module, _: "/".join(module.path) in with_kernels,
        mutable=["intermediates"],
    )
    found: dict[str, Array] = {}
    for layer in with_kernels:
        inside: Any = captured["intermediates"]
        for step in layer.split("/") if layer else []:
            inside = inside[step]
        found[layer] = inside["__call__"][0]
    return found
