"""The networks, as Flax Linen modules with a pure `apply`, and how any other Flax module is called as one of them.

Sizes are attributes and fix the program; numbers (the activation's slope, the dropout rate) are arguments of
the call, so that a sweep over them doesn't compile again.

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

from nnjax.nn.activations import activation_of, sigmoid
from nnjax.nn.layers import is_kernel, layer_of
from nnjax.nn.matmul import product, sparse_product
from nnjax.parts import Part, takes, tried
from nnjax.sparse import Sparse
from nnjax.spelling import nearest
from nnjax.types import Activation, Dtype, Inputs, Key, Params, Scalar
from nnjax.validation import UserError, check_count, check_range, check_type

Network: TypeAlias = nn.Module


class Dense(nn.Module):
    """A dense layer, x W + b, that starts as Flax's does and reads sparse inputs too, which stay sparse."""

    features: int
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Inputs) -> Float[Array, "*B F"]:
        """The outputs for inputs ``x``, before an activation."""
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32) if self.use_bias else None
        if isinstance(x, Sparse):
            outputs = sparse_product(x, kernel)
        else:
            dense, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias)
            outputs = product(dense, kernel)
        return outputs if bias is None else outputs + bias.reshape(*[1] * (outputs.ndim - 1), -1)


class SoftmaxRegression(nn.Module):
    """One dense layer without a bias: z = x W, or max(x W, 0) with ``relu_logits``."""

    classes: int
    relu_logits: bool = False

    @nn.compact
    def __call__(self, x: Inputs) -> Float[Array, "*B C"]:
        """The logits of inputs ``x``."""
        logits = Dense(self.classes, use_bias=False)(x)
        return nn.relu(logits) if self.relu_logits else logits


class MLP(nn.Module):
    """A multi-layer perceptron: a_i = f(a_{i−1} W_i + b_i), logits z = a_{L−1} W_L + b_L.

    With ``residual``, a hidden layer between two of equal width adds its input: a_i = a_{i−1} + f(…).
    """

    hidden: tuple[int, ...]
    classes: int
    activation: Activation = sigmoid
    residual: bool = False

    @nn.compact
    def __call__(self, x: Inputs, *, slope: Scalar = 1.0, dropout: Scalar | None = None) -> Float[Array, "*B C"]:
        """The logits of inputs ``x``.

        With a ``dropout`` probability p, hidden features are zeroed with probability p and the others divided
        by 1 − p (Srivastava et al., 2014), from the random stream "dropout"; None, as in evaluation, leaves
        them all.
        """
        for layer, width in enumerate(self.hidden):
            features = self.activation(Dense(width)(x), slope)
            if dropout is not None:
                features = drop(self.make_rng("dropout"), features, dropout)
            skip = self.residual and layer > 0 and x.shape == features.shape
            x = x + features if skip and not isinstance(x, Sparse) else features
        return Dense(self.classes)(x)


class Average(nn.Module):
    """The mean vector of the words of a text: a = Σ n_w v_w / Σ n_w over its words w, which it holds n_w times.

    It is 0 where a text holds no word. The vectors v start as N(0, 0.1²), and no weight decays.
    """

    features: int

    @nn.compact
    def __call__(self, x: Inputs) -> Float[Array, "*B F"]:
        """The means of texts whose numbers of words are ``x``."""
        vectors = self.param("vectors", nn.initializers.normal(0.1), (x.shape[-1], self.features))
        if isinstance(x, Sparse):
            total, words = sparse_product(x, vectors), x.sums()[:, None]
        else:
            dense, vectors = nn.dtypes.promote_dtype(x, vectors)
            total, words = product(dense, vectors), jnp.sum(dense, axis=-1, keepdims=True)
        return total / jnp.where(words > 0, words, 1)


class DAN(nn.Module):
    """A deep averaging network: a perceptron on the mean vector of a text's words (Iyyer et al., ACL 2015).

    In training each word of a text is left out with the probability ``word_dropout``, wherever it stands in it,
    and the mean is that of the others.
    """

    hidden: tuple[int, ...]
    classes: int
    activation: Activation = sigmoid
    embedding: int = 300
    word_dropout: float = 0.3

    @nn.compact
    def __call__(
        self, x: Inputs, *, slope: Scalar = 1.0, dropout: Scalar | None = None, train: bool = False
    ) -> Float[Array, "*B C"]:
        """The logits of texts whose numbers of words are ``x``; dropout as in `MLP`."""
        if train and self.word_dropout:
            numbers = x.values if isinstance(x, Sparse) else jnp.asarray(x)
            kept = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.word_dropout, numbers.shape)
            numbers = jnp.where(kept, numbers, 0)
            x = x.with_values(numbers) if isinstance(x, Sparse) else numbers
        perceptron = MLP(self.hidden, self.classes, self.activation)
        return perceptron(Average(self.embedding)(x), slope=slope, dropout=dropout)

    @classmethod
    def of(cls, config: Any, classes: int) -> "DAN":
        """The network of a configuration, whose fields model.embedding and model.word_dropout are the sizes.

        Raises:
            UserError: for another attribute, or a value that can't be.
        """
        found: dict[str, Any] = {"embedding": cls.embedding, "word_dropout": cls.word_dropout}
        for name, value in config.model_attributes.items():
            if name not in found:
                raise UserError(
                    f"model.{name} is set, and the model dan has no attribute {name!r}{nearest(name, found)}; it "
                    f"has {', '.join(found)}"
                )
            found[name] = value
        for name, kind in (("embedding", int), ("word_dropout", float)):
            check_type(f"model.{name}", found[name], kind)
        check_count("model.embedding", found["embedding"])
        check_range("model.word_dropout", found["word_dropout"], least=0, below=1)
        return cls(config.hidden, classes, activation_of(config.activation), **found)


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


def drop(key: Key, x: Float[Array, "*shape"], rate: Scalar) -> Float[Array, "*shape"]:
    """Each entry zeroed with probability p, else divided by 1 − p, so that the expectation stays.

    Flax's own Dropout branches on the rate in Python and can't take an array.
    """
    keep = 1 - jnp.asarray(rate, x.dtype)
    return jnp.where(jax.random.uniform(key, x.shape, x.dtype) < keep, x / keep, 0)


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
