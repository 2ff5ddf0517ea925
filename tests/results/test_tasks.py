"""Regression and several labels from data to report: what is said is what scikit-learn says of predictions."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import sklearn.calibration
import sklearn.datasets
import sklearn.metrics

import nnjax
from nnjax.engine.plan import plan
from nnjax.reporting.answer import conclusion
from nnjax.reporting.page import page
from nnjax.reporting.table import table
from nnjax.results import judged
from nnjax.search.sweep import run_plan
from nnjax.validation import UserError

CONFIG = nnjax.Config(hidden=(8,), activation="tanh", init="he_normal", batch_size=32, epochs=8)
RATES = {"learning_rate": [0.1, 0.01]}


def diabetes(weighted: bool = False) -> nnjax.Dataset:
    bunch = sklearn.datasets.load_diabetes()
    x = (bunch.data - bunch.data[:250].mean(0)) / bunch.data[:250].std(0)
    weight = np.random.default_rng(0).uniform(0.1, 3, len(x))
    parts = (x, bunch.target, weight) if weighted else (x, bunch.target)
    cuts = (slice(0, 250), slice(250, 340), slice(340, None))
    return nnjax.Dataset("diabetes", *[[part[cut] for part in parts] for cut in cuts], units="points")


@pytest.fixture(scope="module", params=[False, True], ids=["alike", "weighted"])
def regression(request: Any) -> Any:
    data = diabetes(request.param)
    return data, nnjax.sweep(CONFIG, data, RATES, seeds=2, keep_parameters=True)


def test_diabetes_is_learned_and_measured_in_its_units(regression: Any) -> None:
    data, results = regression
    assert (results["test_r2"] > 0.3).all()
    for rate in RATES["learning_rate"]:
        for seed in (0, 1):
            network = nnjax.network(results, learning_rate=rate, seed=seed)
            said, run = network.predict(data.test.x), results.sel(learning_rate=rate, seed=seed)
            weight = getattr(data.test, "weight", None)
            found = {
                "r2": sklearn.metrics.r2_score(data.test.y, said, sample_weight=weight),
                "rmse": sklearn.metrics.root_mean_squared_error(data.test.y, said, sample_weight=weight),
                "mae": sklearn.metrics.mean_absolute_error(data.test.y, said, sample_weight=weight),
            }
            for name, value in found.items():
                assert float(run[f"test_{name}"]) == pytest.approx(value, rel=1e-5), name
            assert network.score(*data.test) == pytest.approx(found["r2"], rel=1e-12)
    assert results["valid_rmse"].attrs["units"] == "points"
    assert results["best_epoch"].attrs["monitor"] == "valid_r2"
    best = results["valid_r2"].argmax("epoch") + 1
    np.testing.assert_array_equal(results["best_epoch"], best)


def test_a_report_speaks_of_r2_rmse_and_mean_absolute_error(regression: Any) -> None:
    _, results = regression
    answer = conclusion(results)
    best = nnjax.stats.rank(results)[0]
    means = best.runs[["test_r2", "test_rmse", "test_mae"]].mean("seed")
    assert f"its test R² is {float(means.test_r2):.3f}" in answer
    assert f"RMSE {float(means.test_rmse):.4g} points and MAE {float(means.test_mae):.4g} points" in answer
    text = page(results, title="Diabetes", question="Which rate?")
    for words in (answer, table(results), text):
        assert "ccuracy" not in words
    assert "R² by setting" in text


def test_a_regression_comes_back_from_a_file(regression: Any, tmp_path: Any) -> None:
    data, results = regression
    nnjax.save_results(results, tmp_path / "r.nc")
    loaded = nnjax.load_results(tmp_path / "r.nc")
    one, other = (nnjax.network(each, learning_rate=0.1, seed=0) for each in (results, loaded))
    np.testing.assert_array_equal(one.predict(data.test.x), other.predict(data.test.x))
    for refused in (
        one.predict_proba,
        lambda x: one.confusion_matrix(x, data.test.y),
        lambda x: one.by_class(x, x),
    ):
        with pytest.raises(UserError, match="regression"):
            refused(data.test.x)


def test_several_targets_are_measured_each_in_its_units() -> None:
    one = diabetes()
    splits = [(part.x, np.stack([part.y, 1000 - 3 * part.y], 1)) for part in (one.train, one.valid, one.test)]
    data = nnjax.Dataset("two", *splits, units=("mg", "cm"))
    results = nnjax.sweep(CONFIG, data, seeds=1, keep_parameters=True)
    said = nnjax.network(results).predict(data.test.x)
    assert said.shape == data.test.y.shape
    expected = sklearn.metrics.root_mean_squared_error(data.test.y, said, multioutput="raw_values")
    np.testing.assert_allclose(results["test_rmse"][0], expected, rtol=1e-5)
    assert list(results["unit"].values) == ["mg", "cm"]
    assert float(results["test_r2"][0]) == pytest.approx(sklearn.metrics.r2_score(data.test.y, said), rel=1e-5)


def test_structures_that_share_a_program_learn_the_same_regression() -> None:
    data = diabetes()
    axes = {"hidden": [(8,), (12,), (20,)], "activation": ["tanh", "relu"]}
    groups = nnjax.plan(CONFIG, data, axes, seeds=2).groups
    assert any(group.shared for group in groups)
    shared, own = (_trained(data, axes, share) for share in (True, False))
    for name in ("valid_r2", "test_rmse", "train_loss"):
        np.testing.assert_allclose(shared[name], own[name], rtol=2e-3, atol=2e-3)


def _trained(data: nnjax.Dataset, axes: Any, share: bool) -> Any:
    return run_plan(plan(CONFIG, data, axes, seeds=2, share=share))


def test_a_search_of_a_regression_says_what_its_best_is_worth() -> None:
    space = {"learning_rate": "log_uniform(0.01, 0.2)", "loss": ["mse", "mae", "huber"]}
    results = nnjax.search(CONFIG, diabetes(), space, samples=4, seeds=2)
    assert results["fresh_test_r2"].shape == (2,)
    assert "chosen on validation R²" in conclusion(results)
    assert set(results["loss"].values) <= {"mse", "mae", "huber"}


def test_data_of_two_tasks_are_not_compared(digits: Any, tmp_path: Any) -> None:
    (tmp_path / "own.py").write_text(
        "import numpy as np, nnjax\n"
        "def load():\n"
        "    return nnjax.Dataset('real', *[(np.eye(80, 3), np.arange(80.0))] * 3)\n"
    )
    with pytest.raises(UserError, match="a classification and real a regression, and a sweep compares"):
        nnjax.plan(CONFIG, axes={"data.name": ["digits", f"{tmp_path}/own.py:load"]})


# Several labels.


@pytest.fixture(scope="module")
def labels() -> Any:
    x, y = sklearn.datasets.make_multilabel_classification(400, 10, n_classes=4, random_state=0)
    cuts = [(x[part], y[part]) for part in (slice(0, 200), slice(200, 300), slice(300, None))]
    data = nnjax.Dataset("many", *cuts, scale=10, task="multilabel")
    config = dataclasses.replace(CONFIG, learning_rate=1.0, metrics=("label_f1",))
    return data, nnjax.sweep(config, data, seeds=2, keep_parameters=True)


def test_several_labels_have_scikit_learns_f1(labels: Any) -> None:
    data, results = labels
    for seed in (0, 1):
        network = nnjax.network(results, seed=seed)
        said = network.predict(data.test.x)
        expected = sklearn.metrics.f1_score(data.test.y, said, average=None, zero_division=0)
        np.testing.assert_allclose(results["test_label_f1"].sel(seed=seed), expected, rtol=1e-5)
        assert float(results["test_f1"].sel(seed=seed)) == pytest.approx(expected.mean(), rel=1e-5)
        assert network.score(*data.test) == pytest.approx(expected.mean(), rel=1e-12)
        assert ((network.predict_proba(data.test.x) > 0.5) == said).all()
    assert results["best_epoch"].attrs["monitor"] == "valid_f1"
    assert "The test macro F1 is" in conclusion(results)


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_by_class_are_scikit_learns(labels: Any, digits: Any, weighted: bool) -> None:
    data, results = labels
    classes = nnjax.sweep(CONFIG, digits, seeds=1, keep_parameters=True)
    for network, (x, y) in (
        (nnjax.network(results, seed=0), data.test),
        (nnjax.network(classes), digits.test),
    ):
        weight = np.random.default_rng(1).uniform(0, 2, len(x)) if weighted else None
        found = network.by_class(x, y, weight)
        said, true = network.predict(x), y
        if y.ndim == 1:
            said, true = (np.eye(10, dtype=int)[each] for each in (said, y))
        probability = network.predict_proba(x)
        for c in range(true.shape[1]):
            columns = {"y_true": true[:, c], "y_pred": said[:, c], "sample_weight": weight, "zero_division": 0}
            row = found.sel({"class": c})
            assert float(row["precision"]) == pytest.approx(sklearn.metrics.precision_score(**columns))
            assert float(row["recall"]) == pytest.approx(sklearn.metrics.recall_score(**columns))
            assert float(row["f1"]) == pytest.approx(sklearn.metrics.f1_score(**columns))
            area = sklearn.metrics.roc_auc_score(true[:, c], probability[:, c], sample_weight=weight)
            assert float(row["roc_auc"]) == pytest.approx(area)
            assert float(row["support"]) == pytest.approx((true[:, c] * (1 if weight is None else weight)).sum())


def test_the_calibration_error_is_that_of_scikit_learns_calibration_curve() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 1, 500)
    y = (rng.uniform(0, 1, 500) < p**2).astype(int)
    true, said = sklearn.calibration.calibration_curve(y, p, n_bins=judged.BINS)
    count = np.histogram(p, judged.BINS, (0, 1))[0]
    assert judged.calibration_error(y, p) == pytest.approx(np.sum(count * np.abs(true - said)) / 500, rel=1e-10)
    twice = np.concatenate([y, y[:100]]), np.concatenate([p, p[:100]])
    weight = np.ones(500)
    weight[:100] = 2
    assert judged.calibration_error(y, p, weight) == pytest.approx(judged.calibration_error(*twice), rel=1e-10)


def test_an_example_of_weight_two_is_an_example_twice() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    weight = np.ones(60)
    weight[:10] = 2
    whole = nnjax.Config(hidden=(5,), init="he_normal", batch_size=60, epochs=4)
    weighted = nnjax.Dataset("weighted", *[(x, y, weight)] * 3, classes=3)
    twice = nnjax.Dataset("twice", *[(np.concatenate([x, x[:10]]), np.concatenate([y, y[:10]]))] * 3, classes=3)
    one = nnjax.sweep(whole, weighted, seeds=2)
    other = nnjax.sweep(dataclasses.replace(whole, batch_size=70), twice, seeds=2)
    for name in ("train_loss", "valid_accuracy", "test_accuracy", "valid_loss"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, err_msg=name)
