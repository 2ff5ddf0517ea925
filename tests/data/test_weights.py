"""Weights by class against scikit-learn's."""

from typing import Any

import numpy as np
import pytest
import sklearn.utils.class_weight

from nnjax.data import Dataset, class_weighted
from nnjax.validation import UserError

Y = np.array([0, 0, 0, 0, 2, 2, 3, 0])
X = np.arange(16.0).reshape(8, 2)


@pytest.mark.parametrize("weights", ["balanced", {0: 0.5, 3: 4}])
@pytest.mark.parametrize("own", [None, np.arange(1.0, 9)])
def test_weights_by_class_are_scikit_learns(weights: Any, own: Any) -> None:
    train = (X, Y) if own is None else (X, Y, own)
    data = class_weighted(Dataset("mine", train, (X, Y), (X, Y), classes=5), weights)
    expected = sklearn.utils.class_weight.compute_sample_weight(weights, Y)
    np.testing.assert_allclose(data.train.weight, expected * (1 if own is None else own), rtol=1e-12)
    np.testing.assert_array_equal(data.test.weight, np.ones(8))


@pytest.mark.parametrize(
    ("y", "weights", "sentence"),
    [
        (Y, "balance", "the weights are 'balance', and must be balanced or a mapping"),
        (Y, {7: 1}, "the weights have 7, and classes of mine are 0 to 3"),
        (Y, {0: -1}, "holds the weight -1 at example 0"),
        (Y + 0.5, "balanced", "mine is a regression, and weights by class are for a classification"),
    ],
)
def test_weights_that_cannot_be_get_one_sentence(y: Any, weights: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        class_weighted(Dataset("mine", *[(X, y)] * 3), weights)
