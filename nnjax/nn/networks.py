"""The networks of nnjax, as Flax Linen modules with a pure `apply`.

Sizes are attributes and fix the program; numbers (the activation's slope, the dropout rate) are arguments of
the call, so that a sweep over them doesn't compile again.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nnjax.nn.activations import activation_of, sigmoid
from nnjax.nn.matmul import product, sparse_product
from nnjax.sparse import Sparse
from nnjax.spelling import nearest
from nnjax.types import Activation, Inputs, Key, Scalar
from nnjax.validation import UserError, check_count, check_range, check_type


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


def drop(key: Key, x: Float[Array, "*shape"], rate: Scalar) -> Float[Array, "*shape"]:
    """Each entry zeroed with probability p, else divided by 1 − p, so that the expectation stays.

    Flax's own Dropout branches on the rate in Python and can't take an array.
    """
    keep = 1 - jnp.asarray(rate, x.dtype)
    return jnp.where(jax.random.uniform(key, x.shape, x.dtype) < keep, x / keep, 0)
