"""Which examples a batch of all has."""

import numpy as np
import pytest

from nnjax.sklearn.examples import batches
from nnjax.sklearn.fits import Part


def test_equal_examples_of_a_full_batch_are_one_that_weighs_as_much() -> None:
    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=(6, 2)), np.array([0, 1, 0, 1, 1, 0]), np.array([2, 0, 1, 3, 1, 1])
    order = rng.permutation(7)
    repeated = Part(x.repeat(weight, axis=0)[order[:8]], y.repeat(weight)[order[:8]])
    first, second = batches(Part(x, y, weight.astype(float)), "auto", True), None
    repeated = Part(x.repeat(weight, axis=0), y.repeat(weight))
    mixed = rng.permutation(len(repeated.y))
    second = batches(Part(repeated.x[mixed], repeated.y[mixed]), "auto", True)
    assert (
        (first.size, first.weight, first.shuffle) == (second.size, second.weight, second.shuffle) == (5, 8, False)
    )
    for mine, expected in zip(first.train.arrays(), second.train.arrays(), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_minibatches_have_the_examples_as_they_are() -> None:
    part = Part(np.arange(5.0)[:, None], np.zeros(5, int), np.arange(5.0))
    cut = batches(part, 2, True)
    assert cut.train is part
    assert (cut.size, cut.weight, cut.shuffle) == (2, 4.0, True)
    with pytest.warns(match="batch_size is 9, and there are 5 examples"):
        assert batches(part, 9, True).size == 4  # of which one weighs nothing
