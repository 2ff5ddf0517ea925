"""Layers and kernels of any parameter tree, and the order in which a network has made them."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from nnjax.nn import layers, models


class Block(nn.Module):
    """A convolution between two norms whose names come after it in the alphabet, and before it."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.LayerNorm(name="z_norm")(x)
        x = nn.Conv(3, (3,), name="conv")(x)
        return nn.LayerNorm(name="a_norm", use_scale=False)(x)


class Mixed(nn.Module):
    """Layers of every kind, called in no order of their names, and a parameter at the top."""

    classes: int = 3

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Dense(8, name="stem")(x).reshape(*x.shape[:-1], 4, 2)
        x = Block(name="second")(x)
        x = nn.MultiHeadDotProductAttention(num_heads=3, name="mix")(x)
        x = Block(name="first")(x).reshape(*x.shape[:-2], -1)
        gain = self.param("gain", nn.initializers.ones, (1,))
        return nn.Dense(self.classes, name="head", use_bias=False)(x) * gain[None]


IN_ORDER = (
    "stem",
    *("second/z_norm", "second/conv", "second/a_norm"),
    *("mix/query", "mix/key", "mix/value", "mix/out"),
    *("first/z_norm", "first/conv", "first/a_norm"),
    "",
    "head",
)

KERNELS = {
    "stem/kernel": (6, 8),
    "second/conv/kernel": (3, 2, 3),
    "first/conv/kernel": (3, 3, 3),
    "mix/query/kernel": (3, 3, 1),
    "mix/key/kernel": (3, 3, 1),
    "mix/value/kernel": (3, 3, 1),
    "mix/out/kernel": (3, 1, 3),
    "head/kernel": (12, 3),
}


@pytest.fixture(scope="module")
def shapes() -> Any:
    return models.param_shapes(Mixed(), 6)


def leaves(tree: Any) -> dict[str, Any]:
    """The leaves by their path."""
    found = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {"/".join(str(step.key) for step in path): leaf for path, leaf in found}


def test_layers_are_those_that_the_network_has_made_in_its_order() -> None:
    assert models.layers(Mixed(), 6) == IN_ORDER
    assert list(IN_ORDER) != sorted(IN_ORDER)


def test_layers_by_name_are_in_natural_order(shapes: Any) -> None:
    assert layers.layer_names(shapes) == sorted(IN_ORDER)
    names = ["Dense_0", "Dense_2", "Dense_10", "Block_1/Conv_9", "Block_1/Conv_11", "Block_12/Conv_0", "Dense"]
    tree: dict[str, Any] = {}
    for name in names:
        inside = tree
        for step in name.split("/"):
            inside = inside.setdefault(step, {})
        inside["kernel"] = jnp.zeros((1, 1))
    assert layers.layer_names(tree) == [
        *("Block_1/Conv_9", "Block_1/Conv_11", "Block_12/Conv_0"),
        *("Dense", "Dense_0", "Dense_2", "Dense_10"),
    ]


def test_kernels_are_matrices_and_filters_and_neither_biases_nor_scales(shapes: Any) -> None:
    """The biases of attention have two dimensions, a head's and its feature's."""
    found = leaves(shapes)
    assert found["mix/query/bias"].shape == (3, 1)
    are = leaves(layers.kernels(shapes))
    assert are.keys() == found.keys()
    assert {name: found[name].shape for name, is_one in are.items() if is_one} == KERNELS


def test_a_layer_holds_its_own_parameters_and_not_those_of_layers_in_it(shapes: Any) -> None:
    names = {layer: tuple(sorted(layers.subtree(shapes, layer))) for layer in IN_ORDER}
    assert names == {
        **dict.fromkeys(IN_ORDER, ("bias", "kernel")),
        **dict.fromkeys(("second/z_norm", "first/z_norm"), ("bias", "scale")),
        **dict.fromkeys(("second/a_norm", "first/a_norm"), ("bias",)),
        "": ("gain",),
        "head": ("kernel",),
    }
    assert sum(len(layers.subtree(shapes, layer)) for layer in IN_ORDER) == len(leaves(shapes))


def test_a_leaf_knows_its_layer_and_its_name(shapes: Any) -> None:
    for path, _ in jax.tree_util.tree_flatten_with_path(shapes)[0]:
        names = [str(step.key) for step in path]
        assert (layers.layer_of(path), layers.leaf_of(path)) == ("/".join(names[:-1]), names[-1])
