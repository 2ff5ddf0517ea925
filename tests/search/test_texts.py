"""Sweeps over texts: sparse training is dense training, and networks take texts."""

import jax
import numpy as np
import pytest
import scipy.sparse
import xarray as xr

import nnjax
from nnjax.config import Config, replace
from nnjax.data import Dataset, Examples
from tests.texts import LABELS, TEXTS

BASE = Config(
    hidden=(5,), epochs=6, batch_size=10, learning_rate=0.5, init="he_normal", seeds=2, weight_decay=0.01
)


@pytest.fixture(autouse=True)
def adam_promotes_its_count():
    """optax's adam raises a float to a whole number."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="module")
def data() -> Dataset:
    return nnjax.load_text(TEXTS, LABELS, vectorizer="tfidf")


def dense(data: Dataset) -> Dataset:
    splits = [Examples(np.asarray(split.x.dense()), split.y) for split in (data.train, data.valid, data.test)]
    return Dataset("dense", *splits, data.classes, data.scale)


SETTINGS = {
    "sgd": {"optimizer": "sgd"},
    "momentum": {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.1},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.01},
    "dropout": {"dropout": 0.3},
    "no hidden layer": {"hidden": ()},
    "softmax_regression": {"model": "softmax_regression", "learning_rate": 0.1},
    "lsuv": {"init": "lsuv", "hidden": (5, 4)},
    "dan": {"model": "dan", "model.embedding": 6, "model.word_dropout": 0.0, "activation": "relu"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_sparse_training_is_dense_training(data: Dataset, name: str) -> None:
    config = replace(BASE, SETTINGS[name])
    axes = {"weight_decay": [0, 0.05]}
    found, expected = (nnjax.sweep(config, one, axes, keep_parameters=True) for one in (data, dense(data)))
    for variable in expected.data_vars:
        if expected[variable].dtype.kind == "f" and not str(variable).startswith("params."):
            np.testing.assert_allclose(found[variable], expected[variable], rtol=1e-5, atol=1e-5, err_msg=variable)
    for variable in (v for v in expected.data_vars if str(v).startswith("params.")):
        np.testing.assert_allclose(found[variable], expected[variable], rtol=0, atol=1e-6, err_msg=str(variable))
    # The decay reaches words that no batch holds: it does something to every weight.
    first = next(v for v in found.data_vars if str(v).endswith("Dense_0.kernel"))
    apart = abs(found[first].isel(weight_decay=0) - found[first].isel(weight_decay=1)).isel(kept=1)
    assert float(apart.min()) > 0


def test_sparse_runs_have_programs_of_their_own(data: Dataset) -> None:
    plan = nnjax.plan(BASE, data, {"hidden": [(width,) for width in range(4, 24)]}, seeds=1)
    assert all(group.shared is None for group in plan.groups)
    dense_plan = nnjax.plan(BASE, dense(data), {"hidden": [(width,) for width in range(4, 24)]}, seeds=1)
    assert any(group.shared is not None for group in dense_plan.groups)
    assert plan.groups[0].cost.flops < dense_plan.groups[0].cost.flops


def test_a_dan_learns_and_its_settings_train_side_by_side(data: Dataset) -> None:
    counts = nnjax.load_text(TEXTS, LABELS)
    config = replace(BASE, SETTINGS["dan"] | {"model.word_dropout": 0.2, "optimizer": "adam", "epochs": 30})
    plan = nnjax.plan(config, counts, {"learning_rate": [0.01, 0.03]}, seeds=3)
    assert [len(group.runs) for group in plan.groups] == [6]
    assert f"dan {counts.inputs}-6-5-2 (relu" in str(plan)
    results = nnjax.sweep(config, counts, {"learning_rate": [0.01, 0.03]}, seeds=3, keep_parameters=True)
    assert float(results.test_accuracy.mean()) > 0.9
    # A run of the sweep is the run alone.
    alone = nnjax.sweep(replace(config, {"learning_rate": 0.03}), counts, seeds=(1,))
    np.testing.assert_allclose(
        alone.train_loss.sel(seed=1), results.train_loss.sel(seed=1, learning_rate=0.03), rtol=1e-5
    )


def test_networks_of_texts_take_texts(data: Dataset, tmp_path) -> None:
    config = replace(BASE, {"epochs": 60})
    results = nnjax.sweep(config, data, keep_parameters=True)
    nnjax.save_results(results, tmp_path / "results.nc")
    back = nnjax.load_results(tmp_path / "results.nc")
    xr.testing.assert_identical(results, back)
    network = nnjax.network(back, seed=1)
    said = ["a gorgeous , moving film !", "dull , lazy and stupid ."]
    assert network.predict(said).tolist() == ["good", "bad"]
    assert network.predict(said[0]).tolist() == ["good"]
    assert network.predict(np.array(said, object)).tolist() == ["good", "bad"]
    assert network.predict({"text": said, "year": [1, 2]}).tolist() == ["good", "bad"]
    np.testing.assert_allclose(network.predict_proba(said).sum(axis=1), 1, rtol=1e-6)
    assert network.score(*data.test) == pytest.approx(float(results.test_accuracy.sel(seed=1)))
    assert network.score(TEXTS, LABELS) > 0.9
    by_name = network.confusion_matrix(TEXTS, LABELS)
    assert isinstance(by_name, xr.DataArray)
    assert by_name.sum() == len(TEXTS)
    assert network.preprocessing == data.preprocessing
    inputs = data.preprocessing.inputs_of(said)  # type: ignore[union-attr]
    matrix = scipy.sparse.csr_array(np.asarray(inputs.dense()))
    np.testing.assert_allclose(network.logits(matrix), network.logits(said), rtol=1e-6)
    np.testing.assert_allclose(
        network.logits(np.asarray(inputs.dense())), network.logits(said), rtol=1e-5, atol=1e-5
    )
    with pytest.raises(nnjax.UserError, match="the texts hold an int in row 2, and must hold texts"):
        network.predict(["a", 3])
    with pytest.raises(nnjax.UserError, match="has no column 'text'"):
        network.predict({"review": said})


def test_modules_of_ones_own_are_given_dense_batches(data: Dataset) -> None:
    import flax.linen as nn

    class Own(nn.Module):
        classes: int = 2

        @nn.compact
        def __call__(self, x):
            return nn.Dense(self.classes)(x)

    results = nnjax.sweep(replace(BASE, {"model": Own}), data, keep_parameters=True)
    same = nnjax.sweep(replace(BASE, {"model": Own}), dense(data))
    np.testing.assert_allclose(results.train_loss, same.train_loss, rtol=1e-5)
    network = nnjax.network(results, seed=0)
    assert network.score(*data.test) == pytest.approx(float(results.test_accuracy.sel(seed=0)))


def test_words_start_with_given_vectors(tmp_path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("film 1 2 3\nstory 4 5 6\n")
    counts = nnjax.load_text(TEXTS, LABELS, vectors=str(path))
    place = counts.preprocessing.inputs.index("story")  # type: ignore[union-attr]
    config = replace(BASE, {"model": "dan", "model.embedding": 3, "hidden": ()})
    began = nnjax.training.begin(config, counts).state.train.params["Average_0"]["vectors"]
    np.testing.assert_allclose(began[place], [4, 5, 6])
    assert np.isfinite(began).all()
    assert np.count_nonzero(np.abs(began) > 0.9) == 6
    # A rate of 0 leaves them as they are.
    still = replace(config, {"layer_rates": (0.0, 1.0), "epochs": 2, "seeds": 1})
    results = nnjax.sweep(still, counts, keep_parameters=True)
    kept = nnjax.parameters(results)["Average_0"]["vectors"]
    np.testing.assert_allclose(kept, began, rtol=1e-6)
    with pytest.raises(nnjax.UserError, match=r"model.embedding is 4, and the vectors of data.vectors have 3"):
        nnjax.sweep(replace(config, {"model.embedding": 4}), counts)
    with pytest.raises(nnjax.UserError, match=r"data.vectors is set, which is for the model dan"):
        nnjax.sweep(replace(BASE, {"epochs": 1}), counts)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model.embeding": 3}, "model.embeding is set, and the model dan has no .*; did you mean 'embedding'"),
        ({"model.embedding": 0}, "model.embedding is 0, and must be at least 1"),
        ({"model.embedding": 2.5}, "model.embedding is 2.5, and must be"),
        ({"model.word_dropout": 1}, "model.word_dropout is 1, and must be at least 0 and less than 1"),
        ({"model.word_dropout": "much"}, "model.word_dropout is 'much', and must be"),
    ],
)
def test_attributes_of_a_dan_get_one_sentence(data: Dataset, fields: dict[str, object], words: str) -> None:
    with pytest.raises(nnjax.UserError, match=words):
        nnjax.plan(replace(BASE, {"model": "dan"} | fields), data)
