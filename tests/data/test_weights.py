"""Weights by class against scikit-learn's."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.utils.class_weight

from nnjax import cli
from nnjax.config import DataConfig
from nnjax.data import Dataset, class_weighted, load_data, load_table, load_text
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


ANIMALS = pd.DataFrame(
    {"weight": np.arange(40.0), "kind": ["cat", "cat", "dog", "cat"] * 10, "counts": np.arange(40) % 3 + 0.5}
)


@pytest.mark.parametrize("weights", [None, "balanced", {"dog": 3, "cat": 0.5}])
def test_a_column_and_the_classes_of_a_table_weigh_its_rows(weights: Any) -> None:
    data = load_table(ANIMALS, target="kind", weight="counts", class_weight=weights)
    assert data.preprocessing is not None
    assert data.preprocessing.inputs == ("weight",)
    plain = load_table(ANIMALS[["weight", "kind"]], target="kind")
    np.testing.assert_array_equal(data.train.x, plain.train.x)
    scaling = np.polyfit(load_table(ANIMALS, target="kind", scaling="none").train.x[:, 0], plain.train.x[:, 0], 1)
    for split in ("train", "test"):
        part = getattr(data, split)
        rows = np.rint((part.x[:, 0] - scaling[1]) / scaling[0]).astype(int)
        of_classes = 1.0
        if split == "train" and weights is not None:
            of_classes = sklearn.utils.class_weight.compute_sample_weight(weights, ANIMALS.kind[rows])
        np.testing.assert_allclose(part.weight, ANIMALS.counts[rows] * of_classes, rtol=1e-12)


def test_weights_are_fields_of_any_classification(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = load_data(class_weight="balanced")
    expected = sklearn.utils.class_weight.compute_sample_weight("balanced", data.train.y)
    np.testing.assert_allclose(data.train.weight, expected, rtol=1e-12)
    assert data.config is not None
    assert load_data(**vars(data.config)).fingerprint == data.fingerprint != load_data().fingerprint
    texts = pd.DataFrame({"text": ["good", "bad", "so so"] * 10, "kind": [4, 2, 7] * 10, "counts": [1, 2, 3] * 10})
    written = load_text(texts, target="kind", weight="counts", class_weight={7: 10})
    assert sorted(set(written.train.weight)) == [1, 2, 30]
    assert DataConfig(class_weight={7.0: 10}).class_weight == {"7": 10}
    ANIMALS.to_csv(tmp_path / "animals.csv", index=False)
    (tmp_path / "weights.yml").write_text(
        f"data: {{name: table, file: {tmp_path / 'animals.csv'}, target: kind, class_weight: {{dog: 3}}}}"
    )
    of_file = ["--config", str(tmp_path / "weights.yml"), "--data.weight", "counts", "--batch_size", "8"]
    assert cli.main(["train", *of_file, "--dry-run"]) == 0
    capsys.readouterr()
    table = ["--data.name", "table", "--data.file", str(tmp_path / "animals.csv"), "--data.target", "kind"]
    for argv, sentence in (
        (["--data.class_weight", "balance"], "data.class_weight is 'balance', and must be balanced or a mapping"),
        (["--data.class_weight", "{'3': -1}"], "data.class_weight of 3 is -1, and must be at least 0"),
        (["--data.weight", "x"], "data.weight is 'x', which is for tables, and data.name is 'digits'"),
        ([*table, "--data.weight", "count"], "has no column 'count'; did you mean 'counts'?"),
        ([*table, "--data.weight", "kind"], "data.target and data.weight are both 'kind'"),
        (
            [*table, "--data.class_weight", "{dgo: 2}"],
            "the weights have 'dgo', and classes of animals are cat, dog; did",
        ),
    ):
        assert cli.main(["train", *argv, "--dry-run"]) == 2
        assert sentence in capsys.readouterr().err
