"""Results of tables: folds are runs, classes keep their names, and networks take frames."""

import json

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import xarray as xr
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

import nnjax
from nnjax.config import Config, DataConfig, of_task
from nnjax.data import Dataset, Examples
from nnjax.data.partition import partition

BASE = Config(hidden=(5,), epochs=4, batch_size=16, learning_rate=0.5, init="xavier_normal", seeds=2)


@pytest.fixture(scope="module")
def frame():
    """A table whose labels are words, with a category and missing values."""
    wine = load_wine(as_frame=True)
    random = np.random.default_rng(0)
    frame = wine.data.assign(cork=random.choice(["long", "short", None], 178))
    frame.loc[random.random(178) < 0.1, "proline"] = np.nan
    return frame.assign(kind=pd.Series(["red", "rosé", "white"])[wine.target].to_numpy())


@pytest.fixture(scope="module")
def data(frame):
    return nnjax.load_table(frame, "kind")


@pytest.fixture(scope="module")
def trained(data):
    config = nnjax.config.replace(BASE, {"metrics": ["class_accuracy"]})
    return nnjax.sweep(config, data, {"hidden": [(5,), (6,)]}, keep_parameters=True)


def test_classes_keep_their_names(trained, data, frame, tmp_path):
    assert trained["class"].values.tolist() == ["red", "rosé", "white"]
    nnjax.save_results(trained, tmp_path / "results.nc")
    back = nnjax.load_results(tmp_path / "results.nc")
    xr.testing.assert_identical(trained, back)
    network = nnjax.network(back, hidden=(6,), seed=1)
    assert network.class_names == ("red", "rosé", "white")
    counts = network.confusion_matrix(*data.test)
    expected = sklearn.metrics.confusion_matrix(data.test.y, network.predict(data.test.x))
    np.testing.assert_array_equal(counts, expected)
    assert counts.sel({"class": "rosé", "given": "red"}).item() == expected[1, 0]
    of_class = back.test_class_accuracy.sel(hidden="(6,)", seed=1)
    np.testing.assert_allclose(of_class, np.diag(expected) / expected.sum(axis=1), rtol=1e-5)


def test_a_network_takes_frames_and_gives_their_labels(trained, data, frame, tmp_path):
    network = nnjax.network(trained, hidden=(5,), seed=0)
    assert network.preprocessing == data.preprocessing
    x = data.preprocessing.inputs_of(frame)
    np.testing.assert_array_equal(network.logits(frame), network.logits(x))
    predicted = network.predict(frame)
    assert predicted.tolist() == [data.class_names[number] for number in network.predict(x)]
    assert network.score(frame, frame["kind"]) == np.mean(predicted == frame["kind"])
    np.testing.assert_array_equal(
        network.confusion_matrix(frame, frame["kind"]), sklearn.metrics.confusion_matrix(frame["kind"], predicted)
    )
    frame.to_csv(tmp_path / "wine.csv", index=False)
    assert network.predict(tmp_path / "wine.csv").tolist() == predicted.tolist()
    shuffled = frame.drop(columns="kind").sample(frac=1, random_state=0)[sorted(frame.columns.drop("kind"))]
    assert network.predict(shuffled).tolist() == predicted[shuffled.index].tolist()
    with pytest.raises(ValueError, match="the frame has no column 'proline'"):
        network.predict(frame.drop(columns="proline"))
    with pytest.raises(ValueError, match=r"y holds the label 'wite' in row 2, .*; did you mean 'white'\?"):
        network.score(frame[:2], ["white", "wite"])
    with pytest.raises(ValueError, match=r"y has the shape \[1\], and must be one class number"):
        network.score(frame[:2], ["white"])


def test_labels_that_are_numbers_stay_numbers(frame):
    numbered = frame.assign(kind=frame["kind"].map({"red": 3, "rosé": 5, "white": 8}))
    results = nnjax.sweep(BASE, nnjax.load_table(numbered, "kind"), keep_parameters=True)
    network = nnjax.network(results, seed=0)
    assert set(network.predict(numbered).tolist()) <= {3, 5, 8}
    assert network.score(numbered, numbered["kind"]) == np.mean(network.predict(numbered) == numbered["kind"])


def test_folds_are_runs_and_equal_a_plain_loop():
    config = nnjax.config.replace(BASE, {"data.name": "wine", "data.folds": 3, "data.valid_fraction": 0.25})
    axes = {"data.fold": [0, 1, 2], "learning_rate": [0.5, 0.1]}
    results = nnjax.sweep(config, axes=axes, keep_parameters=True)
    assert nnjax.stats.seed_dims(results) == ("data.fold", "seed")
    assert [setting.label for setting in nnjax.stats.settings(results)] == [
        "learning_rate 0.5",
        "learning_rate 0.1",
    ]
    assert nnjax.stats.summary(results.test_accuracy).n.values.tolist() == [6, 6]
    x, y = load_wine(return_X_y=True)
    for fold, (others, test) in enumerate(StratifiedKFold(3, shuffle=True, random_state=0).split(x, y)):
        valid = partition(y, nnjax.config.replace(config, {"data.fold": fold}).data, None).valid
        assert set(valid) < set(others)
        train = np.setdiff1d(others, valid)
        scaler = StandardScaler().fit(x[train])
        splits = [Examples(scaler.transform(x[rows]).astype(np.float32), y[rows]) for rows in (train, valid, test)]
        alone = nnjax.sweep(BASE, Dataset("plain", *splits, classes=3, scale=1.0))
        here = results.isel({"data.fold": fold}).sel(learning_rate=0.5)
        for name in ("train_loss", "valid_loss", "test_loss"):
            np.testing.assert_allclose(here[name], alone[name], rtol=2e-4)
        # The network of a fold has that fold's preprocessing.
        network = nnjax.network(results, **{"data.fold": fold}, learning_rate=0.5, seed=1)
        wine = load_wine(as_frame=True)
        np.testing.assert_allclose(
            network.preprocessing.inputs_of(wine.data), scaler.transform(x), rtol=1e-5, atol=1e-5
        )


def test_folds_that_were_trained_apart_are_merged_with_their_preprocessing(tmp_path):
    config = nnjax.config.replace(BASE, {"data.name": "wine", "data.folds": 3})
    whole = nnjax.sweep(config, axes={"data.fold": [0, 1]}, keep_parameters=True)
    parts = [nnjax.sweep(config, axes={"data.fold": [fold]}, keep_parameters=True) for fold in (0, 1)]
    merged = nnjax.merge(parts)
    assert dict(zip(merged.table.values, merged.preprocessing.values, strict=True)) == dict(
        zip(whole.table.values, whole.preprocessing.values, strict=True)
    )
    wine = load_wine(as_frame=True).data
    for fold in (0, 1):
        labels = {"data.fold": fold, "seed": 1}
        one, other = (nnjax.network(results, **labels) for results in (merged, whole))
        assert one.preprocessing == other.preprocessing
        np.testing.assert_allclose(one.logits(wine), other.logits(wine), rtol=1e-3, atol=1e-4)


def test_a_file_from_before_there_were_tables_names_its_data(tmp_path):
    results = nnjax.sweep(BASE, axes={"data.valid_fraction": [0.2, 0.3]}, keep_parameters=True)
    said = json.loads(results.attrs["datasets"])
    fields = ("name", "dir", "source", "valid_fraction", "split_seed")
    old = [
        {name: one[name] for name in ("name", "classes", "inputs", "scale")}
        | {"config": {name: one["config"][name] for name in fields}}
        for one in said
    ]
    old[1]["scale"] = 7.0
    results.attrs["datasets"] = json.dumps(old)
    assert nnjax.network(results, **{"data.valid_fraction": 0.3}, seed=0).scale == 7.0
    assert nnjax.network(results, **{"data.valid_fraction": 0.2}, seed=0).scale == 16.0


def test_a_configuration_with_columns_comes_back_from_results(tmp_path, frame):
    frame.to_csv(tmp_path / "wine.csv", index=False)
    of_data = {"file": str(tmp_path / "wine.csv"), "target": "kind", "columns": {"cork": "left_out"}}
    config = nnjax.config.replace(
        BASE, {"data.name": "table"} | {f"data.{name}": of_data[name] for name in of_data}
    )
    results = nnjax.sweep(config)
    assert nnjax.stats.best(results) == of_task(config, "classification")
    assert config.data == DataConfig("table", **of_data)


def test_a_quantity_is_predicted_in_its_units(tmp_path):
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import LinearRegression

    bunch = load_diabetes(as_frame=True)
    data = nnjax.load_table(bunch)
    assert (data.task, data.classes) == ("regression", 1)
    assert nnjax.load_data("diabetes").fingerprint == data.fingerprint
    config = nnjax.Config(hidden=(16,), activation="tanh", init="xavier_normal", batch_size=32, epochs=40)
    results = nnjax.sweep(config, data, seeds=4, keep_parameters=True, progress=False)
    network = nnjax.network(results, seed=0)
    frame, y = bunch.data, bunch.target
    said = network.predict(frame)
    assert said.shape == (442,)
    assert 0 < said.min() < said.max() < 400
    linear = LinearRegression().fit(data.train.x, data.train.y).score(data.test.x, data.test.y)
    assert float(results.test_r2.mean()) > linear - 0.1
    assert network.score(frame, y) > 0.3
    assert not any("alone" in note for note in data.notes)
    leaky = nnjax.load_table(frame.assign(same=3 * y + 1, y=y), "y")
    assert any("same alone predicts the target" in note for note in leaky.notes)
