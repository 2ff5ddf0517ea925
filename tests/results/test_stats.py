"""Statistics against scipy, numpy and numbers worked out by hand."""

from typing import Any

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from made_results import RATES, make_results
from nnjax.results import stats


def of_seeds(values: Any, first: int = 0) -> xr.DataArray:
    return xr.DataArray(values, {"seed": np.arange(first, first + len(values))}, "seed")


values_of_runs = st.lists(st.integers(-1000, 1000).map(float), min_size=2, max_size=12)


def test_interval_is_scipys_bca() -> None:
    values = np.random.default_rng(3).exponential(size=20)
    found = stats.interval(values)
    bca, plain = (
        scipy.stats.bootstrap((values,), np.mean, n_resamples=200_000, batch=10_000, method=method, rng=1)
        for method in ("BCa", "percentile")
    )
    width = found.high - found.low
    assert found.mean == pytest.approx(values.mean(), rel=1e-14)
    assert found.n == 20
    assert (found.low, found.high) == pytest.approx(bca.confidence_interval, abs=0.03 * width)
    assert found.high != pytest.approx(plain.confidence_interval.high, abs=0.06 * width)


@pytest.mark.parametrize("kind", ["skewed", "tied", "two", "outlier"])
def test_interval_is_scipys_bca_of_the_same_draws(kind: str) -> None:
    rng = np.random.default_rng(7)
    values = {
        "skewed": rng.exponential(size=30) ** 2,
        "tied": rng.integers(0, 4, 12) / 297,
        "two": np.array([0.1, 0.3]),
        "outlier": np.array([1e6, *rng.normal(size=9)]),
    }[kind]
    found = stats.interval(values, seed=3, resamples=2000)
    # As `interval` sorts and scales them, and without the last bits that tell equal means apart.
    spread = np.ptp(values)
    bca = scipy.stats.bootstrap(
        ((np.sort(values) - values.mean()) / spread,),
        lambda x, axis: np.round(x.mean(axis=axis), 12),
        n_resamples=2000,
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx(values.mean() + spread * np.array(bca), rel=1e-9)


@pytest.mark.parametrize("values", [[0.3], [np.nan, 0.3], []])
def test_interval_is_absent_below_two_values(values: list[float]) -> None:
    found = stats.interval(values)
    assert np.isnan([found.low, found.high]).all()
    assert found.n == len(values) - np.isnan(values).sum()
    assert found.mean == 0.3 if found.n else np.isnan(found.mean)


def test_interval_of_identical_values_has_no_width() -> None:
    assert stats.interval([0.1, 0.1, 0.1]) == (0.1, 0.1, 0.1, 3)


def test_interval_leaves_out_nan() -> None:
    assert stats.interval([1, np.nan, 2, 4, np.nan]) == stats.interval([1, 2, 4])


@pytest.mark.parametrize(("values", "mean"), [([1, 2, np.inf], np.inf), ([-1.5e308, 0.0, 1.5e308], 0.0)])
def test_interval_of_values_without_a_finite_spread_is_absent(values: list[float], mean: float) -> None:
    found = stats.interval(values)
    assert (found.mean, found.n) == (mean, 3)
    assert np.isnan([found.low, found.high]).all()


@given(values_of_runs)
def test_interval_contains_the_mean_and_lies_within_the_values(values: list[float]) -> None:
    found = stats.interval(values, resamples=999)
    assert min(values) <= found.low <= found.mean <= found.high <= max(values)


@given(values_of_runs, st.floats(1e-6, 1e6), st.integers(-100, 100))
def test_interval_follows_shift_and_scale(values: list[float], scale: float, shift: int) -> None:
    plain = stats.interval(values, resamples=999)
    moved = stats.interval(scale * (np.array(values) + shift), resamples=999)
    expected = scale * (np.array(plain[:3]) + shift)
    np.testing.assert_allclose(moved[:3], expected, rtol=1e-9, atol=1e-9 * scale * 1000)


@given(values_of_runs, st.randoms())
def test_interval_does_not_depend_on_the_order_of_the_runs(values: list[float], random: Any) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert stats.interval(shuffled, resamples=999) == stats.interval(values, resamples=999)


def test_interval_widens_with_confidence() -> None:
    values = np.random.default_rng(0).normal(size=30)
    narrow, wide = (stats.interval(values, confidence=confidence) for confidence in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_interval_is_seeded() -> None:
    values = np.random.default_rng(0).normal(size=30)
    assert stats.interval(values, seed=1) == stats.interval(values, seed=1)
    assert stats.interval(values, seed=1) != stats.interval(values, seed=2)


@pytest.mark.parametrize(("runs", "covered"), [(4, 0.80), (32, 0.94)])
def test_interval_covers_the_truth_as_often_as_its_docstring_says(runs: int, covered: float) -> None:
    values = xr.DataArray(np.random.default_rng(0).normal(size=(2000, runs)), dims=("study", "seed"))
    found = stats.summary(values, resamples=999)
    assert float(((found.low < 0) & (found.high > 0)).mean()) == pytest.approx(covered, abs=0.025)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": [1.0, 2.0], "confidence": 95}, "confidence is 95, .* less than 1"),
        ({"values": [1.0, 2.0], "resamples": 10}, "resamples is 10, .* at least 100"),
        ({"values": np.zeros((2, 3))}, r"shape \(2, 3\), .* one number a run"),
        ({"values": xr.DataArray(np.zeros((2, 3)), dims=("seed", "epoch"))}, "those of the seeds alone"),
    ],
)
def test_interval_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stats.interval(**arguments)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30))
def test_interquartile_mean_is_scipys_trimmed_mean(values: list[float]) -> None:
    assert stats.interquartile_mean(values) == pytest.approx(scipy.stats.trim_mean(values, 0.25))


def test_interquartile_mean_by_hand() -> None:
    assert stats.interquartile_mean([9, 2, np.nan, 3, 1, 4, -500, 5, 6]) == (2 + 3 + 4 + 5) / 4
    assert np.isnan(stats.interquartile_mean([np.nan]))


def test_summary_agrees_with_numpy_in_every_cell() -> None:
    results = make_results(RATES, seeds=6, epochs=3, diverged={(0, 2): 2, (1, 0): 1, (1, 1): 3})
    values = results["valid_loss"]
    found = stats.summary(values)
    assert found["mean"].dims == ("learning_rate", "epoch")
    assert found.learning_rate.values.tolist() == [1, 0.1, 0.05, 0.01]
    for rate in range(4):
        for epoch in range(3):
            runs = values.values[rate, :, epoch].astype(float)
            cell = {name: float(column[rate, epoch]) for name, column in found.items()}
            kept = runs[~np.isnan(runs)]
            expected = {
                "mean": kept.mean(),
                "std": kept.std(ddof=1),
                "median": np.median(kept),
                "iqm": scipy.stats.trim_mean(kept, 0.25),
                "n": len(kept),
            }
            assert {name: cell[name] for name in expected} == pytest.approx(expected, rel=1e-12)
            assert (cell["low"], cell["high"]) == pytest.approx(stats.interval(runs)[1:3], rel=1e-12)


def test_summary_of_more_cells_than_fit_at_once() -> None:
    values = xr.DataArray(np.random.default_rng(0).normal(size=(900, 3)), dims=("cell", "seed"))
    found = stats.summary(values)
    assert float(found.high[-1]) == pytest.approx(stats.interval(values.values[-1]).high, rel=1e-12)


def test_summary_where_there_is_nothing() -> None:
    found = stats.summary(xr.DataArray(np.full((2, 3), np.nan), dims=("epoch", "seed")))
    assert found.n.values.tolist() == [0, 0]
    assert all(np.isnan(found[name]).all() for name in ("mean", "std", "median", "iqm", "low", "high"))


def test_summary_over_named_dimensions() -> None:
    values = make_results(RATES, seeds=3, epochs=4)["valid_loss"]
    found = stats.summary(values, ["seed", "epoch"], resamples=100)
    assert found["mean"].dims == ("learning_rate",)
    np.testing.assert_allclose(found["mean"], values.values.astype(float).mean(axis=(1, 2)))
    with pytest.raises(ValueError, match=r"over is 'epochs', .* did you mean 'epoch'"):
        stats.summary(values, ["epochs"])


def test_crossed_runs_that_vary_with_one_seed_only_are_no_better_than_that_seed() -> None:
    effects = np.random.default_rng(0).normal(size=8)
    values = xr.DataArray(np.repeat(effects[:, None], 8, axis=1), dims=("init_seed", "data_seed"))
    plain = scipy.stats.bootstrap((effects,), np.mean, n_resamples=99_999, method="percentile", rng=1)
    ends = plain.confidence_interval
    for crossed in (values, values.transpose()):
        found = stats.interval(crossed)
        assert found.n == 64
        assert (found.low, found.high) == pytest.approx(ends, abs=0.04 * (ends.high - ends.low))


def test_crossed_runs_leave_out_nan() -> None:
    values = make_results(seeds=(4, 3), epochs=2)["valid_loss"].isel(epoch=1, drop=True).copy()
    values[1, 2] = np.nan
    found = stats.interval(values)
    assert found.n == 11
    assert found.mean == pytest.approx(np.nanmean(values.values.astype(float)))
    assert found.low < found.mean < found.high


def test_crossing_with_a_single_seed_is_no_crossing() -> None:
    values = xr.DataArray(np.arange(6.0)[:, None] ** 2, dims=("init_seed", "data_seed"))
    assert stats.interval(values) == stats.interval(np.arange(6.0) ** 2)


def test_paired_difference_by_hand() -> None:
    a = of_seeds([1.0, 2.0, np.nan, 7.0, 5.0])
    b = of_seeds([1.5, 9.0, 3.0, np.inf, 8.0], first=1)
    # Both are there at seeds 1 (2 and 1.5) and 3 (7 and 3).
    assert stats.paired_difference(a, b) == stats.interval([0.5, 4.0])
    assert stats.paired_difference(a, b).mean == 2.25
    assert stats.paired_difference(of_seeds([1.0]), of_seeds([2.0], first=5)).n == 0


@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_t_interval_is_scipys(confidence: float) -> None:
    values = np.random.default_rng(0).normal(3, 2, 5)
    found = stats.t_interval(np.array([*values, np.nan]), confidence=confidence)
    low, high = scipy.stats.t.interval(confidence, 4, values.mean(), scipy.stats.sem(values))
    np.testing.assert_allclose(found, [values.mean(), low, high, 5], rtol=1e-12)


def test_t_interval_is_absent_below_two_values() -> None:
    np.testing.assert_equal(stats.t_interval([2.0]), (2, np.nan, np.nan, 1))
    np.testing.assert_equal(stats.t_interval([np.nan]), (np.nan, np.nan, np.nan, 0))
    assert stats.t_interval([2.0, 2.0]) == (2, 2, 2, 2)
    with pytest.raises(ValueError, match="confidence is 1, and must be more than 0 and less than 1"):
        stats.t_interval([1.0, 2.0], confidence=1)


def test_paired_difference_is_close_to_the_paired_t_interval() -> None:
    rng = np.random.default_rng(0)
    seed = rng.normal(size=40)
    a, b = seed + 0.1 * rng.normal(size=40) + 0.2, seed + 0.1 * rng.normal(size=40)
    found = stats.paired_difference(of_seeds(a), of_seeds(b))
    low, high = scipy.stats.ttest_rel(a, b).confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_paired_difference_refuses_other_dimensions() -> None:
    crossed = xr.DataArray(np.zeros((1, 1)), dims=("init_seed", "data_seed"))
    with pytest.raises(ValueError, match="both must have the same"):
        stats.paired_difference(of_seeds([1.0]), crossed)


def test_seed_dims() -> None:
    assert stats.seed_dims(make_results(RATES)) == ("seed",)
    assert stats.seed_dims(make_results(RATES, seeds=(2, 3))) == ("init_seed", "data_seed")
    assert stats.seed_dims(make_results({"init_seed,data_seed": [(0, 1), (1, 2)]}, seeds=0)) == (
        "init_seed,data_seed",
    )
    assert stats.seed_dims(make_results(RATES, seeds=0)) == ()


def test_settings_stand_in_the_order_of_the_sweep() -> None:
    zipped = [(1, 0.001), (0.1, 0.0)]
    results = make_results({"learning_rate,weight_decay": zipped, "hidden": [(8,), (8, 8), (9,)]}, seeds=3)
    found = stats.settings(results.assign({"params.w": ("kept", [0.0])}))
    assert [setting.place for setting in found] == list(range(6))
    assert found[4].fields == {"learning_rate": 0.1, "weight_decay": 0.0, "hidden": "(8, 8)"}
    assert found[4].label == "learning_rate 0.1, weight_decay 0, hidden (8, 8)"
    assert found[4].values == ["0.1", "0", "(8, 8)"]
    np.testing.assert_array_equal(found[4].runs["test_accuracy"], results["test_accuracy"].values[1, 1])
    assert "params.w" not in found[4].runs


def test_settings_of_a_sweep_without_axes() -> None:
    (found,) = stats.settings(make_results(seeds=3, diverged={(1,): 2}))
    assert (found.label, found.values, found.total, found.diverged) == ("", [], 3, 1)


def test_settings_refuse_another_dataset() -> None:
    with pytest.raises(ValueError, match=r"no variable 'train_loss', .* did you mean 'training_loss'"):
        stats.settings(make_results().rename(train_loss="training_loss"))


def test_counted_leaves_out_all_of_a_diverged_run() -> None:
    results = make_results(RATES, seeds=3, diverged={(0, 1): 3})
    found = stats.counted(results, "valid_loss")
    assert np.isfinite(results["valid_loss"].values[0, 1, :2]).all()
    assert np.isnan(found.values[0, 1]).all()
    assert int(np.isnan(found).sum()) == 5


@pytest.mark.parametrize("seeds", [4, (2, 3), 0])
def test_accuracies_are_those_of_the_best_epoch(seeds: Any) -> None:
    results = make_results(RATES, seeds=seeds)
    if seeds == 4:
        results = make_results(RATES, seeds=4, diverged={(0, 1): 1, (2, 3): 4})
    found = stats.at_best(results)
    for run in np.ndindex(results["status"].shape):
        best = int(results["best_epoch"].values[run])
        done = results["status"].values[run] == "finished"
        expected = {
            "train": results["train_accuracy"].values[run][best - 1],
            "valid": results["valid_accuracy"].values[run][best - 1],
            "test": results["test_accuracy"].values[run],
        }
        for split, value in expected.items():
            np.testing.assert_equal(found[split].values[run], value if done else np.nan)


def test_rank_goes_by_validation_accuracy() -> None:
    results = make_results({"momentum": [0.0, 0.5, 0.9]}, seeds=4)
    wanted = xr.DataArray([0.7, 0.9, 0.8], dims="momentum").expand_dims(seed=4).transpose()
    results["valid_accuracy"] = wanted.expand_dims(epoch=5).transpose("momentum", "seed", "epoch")
    results["test_accuracy"] = 1 - wanted
    results["train_accuracy"] = 1 - results["valid_accuracy"]
    assert [setting.place for setting in stats.rank(results)] == [1, 2, 0]


def test_rank_puts_diverged_settings_last() -> None:
    # By accuracy alone the first setting is the best, and then one after the other.
    results = make_results({"batch_size": [1, 2, 3, 4, 5]}, seeds=4)
    results["valid_accuracy"] = results["valid_accuracy"] * 0 + xr.DataArray(
        [0.9, 0.8, 0.7, 0.6, 0.5], dims="batch_size"
    )
    results["status"][0, :] = "diverged"
    results["status"][1, :2] = "diverged"
    results["status"][2, 0] = "diverged"
    assert [setting.place for setting in stats.rank(results)] == [3, 4, 2, 1, 0]


def test_rank_goes_by_what_was_monitored() -> None:
    results = make_results({"momentum": [0.0, 0.5, 0.9]}, seeds=4)
    order = np.argsort(results["valid_loss"].values[:, :, 2].mean(axis=1))
    results["best_epoch"].values[...] = 3
    results["valid_loss"].values[order[0], :, [0, 1, 3, 4]] = 9  # at other epochs
    results["valid_accuracy"].values[order[0]] = 0
    assert stats.rank(results)[-1].place == order[0], "files that say nothing are ranked by accuracy"
    results["best_epoch"].attrs |= {"monitor": "valid_loss", "better": "lower"}
    assert [setting.place for setting in stats.rank(results)] == order.tolist()
    np.testing.assert_array_equal(stats.scores(results), -results["valid_loss"].values[:, :, 2])
    results["best_epoch"].attrs["better"] = "higher"
    assert [setting.place for setting in stats.rank(results)] == order[::-1].tolist()
    results["best_epoch"].attrs["monitor"] = "valid_los"
    with pytest.raises(ValueError, match=r"no variable 'valid_los', .* did you mean 'valid_loss'"):
        stats.rank(results)


def test_rank_keeps_ties_in_order() -> None:
    results = make_results({"batch_size": [1, 2, 3]}, seeds=2)
    results["valid_accuracy"] = results["valid_accuracy"] * 0 + 0.5
    assert [setting.place for setting in stats.rank(results)] == [0, 1, 2]


def test_a_stopped_run_counts_and_is_not_diverged() -> None:
    results = make_results(RATES, seeds=3, diverged={(0, 0): 2}, stopped={(0, 1): 2, (1, 2): 1})
    first, second, *_ = stats.settings(results)
    assert (first.total, first.diverged, first.stopped) == (3, 1, 1)
    assert (second.total, second.diverged, second.stopped) == (3, 0, 1)
    found = stats.at_best(results)
    for run in [(0, 1), (1, 2)]:
        best = int(results["best_epoch"].values[run])
        assert 1 <= best <= 2
        assert found["valid"].values[run] == results["valid_accuracy"].values[(*run, best - 1)]
        assert found["test"].values[run] == results["test_accuracy"].values[run]
    assert np.isfinite(stats.counted(results, "valid_loss").values[0, 1]).tolist() == [True, True] + [False] * 3


def test_rank_does_not_put_a_stopped_setting_last() -> None:
    results = make_results({"batch_size": [1, 2]}, seeds=2, stopped={(0, 0): 3, (0, 1): 3})
    assert [setting.place for setting in stats.rank(results)] == [0, 1]


def test_a_setting_is_shown_in_one_line() -> None:
    results = make_results(RATES, seeds=3, diverged={(0, 1): 1}, stopped={(0, 2): 2})
    assert [repr(setting) for setting in stats.settings(results)[:2]] == [
        "<Setting 0: learning_rate 1; 3 runs, 1 diverged, 1 stopped>",
        "<Setting 1: learning_rate 0.1; 3 runs>",
    ]
    assert repr(stats.rank(make_results(seeds=1))) == "[<Setting 0: as configured; 1 runs>]"


def test_variables_with_dimensions_of_their_own_change_nothing() -> None:
    results = make_results(RATES, seeds=3, diverged={(0, 1): 1})
    rng = np.random.default_rng(0)
    more = results.assign(
        layer_norm=(("learning_rate", "seed", "epoch", "layer"), rng.normal(size=(4, 3, 5, 2))),
        class_accuracy=(("learning_rate", "seed", "class"), rng.normal(size=(4, 3, 10))),
        confusion=(("class", "predicted"), rng.normal(size=(10, 10))),
    ).assign_coords(layer=["Dense_0", "Dense_1"])
    less = results[list(stats.METRICS)]
    for other in (more, less):
        assert list(map(repr, stats.rank(other))) == list(map(repr, stats.rank(results)))
        xr.testing.assert_identical(stats.at_best(other), stats.at_best(results))


@pytest.mark.parametrize("seeds", [4, (2, 3), 0])
def test_an_overview_holds_the_numbers_of_each_setting(seeds: Any) -> None:
    axes = {"learning_rate,momentum": [(1.0, 0.0), (0.1, 0.9)], "hidden": [(8,), (8, 8), (9,)]}
    found = stats.overview(make_results(axes, seeds=seeds))
    assert len(found) == 6
    assert found.axes == {"learning_rate,momentum": 2, "hidden": 3}
    assert stats.overview(found) is found
    for setting in stats.settings(found):
        runs = stats.at_best(setting.runs)
        for split in ("train", "valid", "test"):
            np.testing.assert_array_equal(found.at_best[split][setting.place], runs[split])
        assert setting.fields == {name: column[setting.place] for name, column in found.columns.items()}


def test_ranking_cuts_no_setting_out_of_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    results = make_results({"batch_size": list(range(1, 301))}, seeds=2)
    cut = xr.Dataset.isel
    cuts = []

    def counted(data: xr.Dataset, *arguments: Any, **options: Any) -> xr.Dataset:
        cuts.append(arguments)
        return cut(data, *arguments, **options)

    monkeypatch.setattr(xr.Dataset, "isel", counted)
    ranked = stats.rank(results)
    assert len(cuts) < 5
    xr.testing.assert_identical(ranked[0].runs, results[list(stats.METRICS)].isel(batch_size=ranked[0].place))
