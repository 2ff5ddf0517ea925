"""What a search has varied, as columns."""

import numpy as np
import pytest
import xarray as xr

from made_results import RATES, make_results
from made_search import IMPORTANCE, make_search
from nnjax.reporting import searched
from nnjax.reporting.searched import MISSING, OTHERS, Column
from nnjax.results import stats


def columns(results: xr.Dataset) -> dict[str, Column]:
    return {column.name: column for column in searched.columns(stats.overview(results))}


def one_column(values: list[object], said: str, name: str = "init") -> list[Column]:
    results = make_results({"setting": list(range(len(values)))}, seeds=1, epochs=1)
    numbers = all(isinstance(value, int | float) for value in values)
    coord = np.array(values) if numbers else np.array([str(value) for value in values], object)
    results = results.assign_coords({name: ("setting", coord)})
    results["contender"] = ("setting", np.full(len(values), True))
    best = int(stats.overview(results).order[0])
    results.attrs["search"] = f'{{"best": {best}, "space": {{"{name}": "{said}"}}}}'
    return searched.columns(stats.overview(results))


def test_each_field_has_a_column_and_a_list_of_widths_two() -> None:
    found = columns(make_search(24))
    assert list(found) == ["learning_rate", "momentum", "optimizer", "hidden: layers", "hidden: mean width"]
    assert found["learning_rate"].log
    assert not found["momentum"].log
    assert found["optimizer"].labels == ("adam", "sgd")
    assert found["hidden: layers"].labels == ("1", "2", "3")
    assert found["hidden: mean width"].values.tolist() == list(range(8, 32))
    assert found["hidden: mean width"].log


def test_what_is_not_set_has_no_value_and_a_place_of_its_own() -> None:
    momentum = columns(make_search(24))["momentum"]
    assert np.isnan(momentum.values[1::2]).all()
    assert not np.isnan(momentum.values[::2]).any()
    places = momentum.jittered()
    assert (abs(places[1::2] - MISSING) <= 0.03).all()
    assert ((places[::2] >= 0) & (places[::2] <= 1)).all()
    np.testing.assert_array_equal(places, momentum.jittered())  # the same again


def test_the_fields_that_mattered_most_come_first() -> None:
    found = columns(make_search(24, importance=IMPORTANCE))
    assert list(found) == ["learning_rate", "hidden: layers", "hidden: mean width", "optimizer", "momentum"]


def test_a_field_that_does_not_vary_has_no_column() -> None:
    results = make_search(24, space={"learning_rate": "log_uniform(0.0001, 1)", "momentum": "uniform(0, 1)"})
    assert list(columns(results)) == ["learning_rate", "momentum"]
    results["is_set"][:] = True
    assert list(columns(results.assign_coords(momentum=("setting", np.full(24, 0.5))))) == ["learning_rate"]


@pytest.mark.parametrize(
    ("values", "said", "log"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.7], "uniform(0, 1)", False),
        ([0.001, 0.2, 0.3, 0.4, 0.45, 0.5, 0.7], "uniform(0, 1)", False),
        ([0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.7], "log_normal(0, 1)", True),
        ([1, 2, 4, 8, 16, 32, 64], "choice([1, 2, 4, 8, 16, 32, 64])", True),
        ([1, 2, 3, 4, 5, 6, 7], "choice([1, 2, 3, 4, 5, 6, 7])", False),
        ([0, 2, 4, 8, 16, 32, 64], "choice([0, 2, 4, 8, 16, 32, 64])", False),
    ],
)
def test_an_axis_is_logarithmic_where_the_distribution_says_it_or_the_span(values, said, log) -> None:
    (column,) = one_column(values, said, "weight_decay")
    assert column.labels == ()
    assert column.log == log


def test_few_numbers_of_a_choice_stand_side_by_side() -> None:
    (column,) = one_column([64, 16, 32], "choice([16, 32, 64])", "batch_size")
    assert column.labels == ("16", "32", "64")
    assert column.values.tolist() == [2, 0, 1]
    np.testing.assert_allclose(column.places(), [5 / 6, 1 / 6, 1 / 2])


def test_categories_are_in_order_and_of_many_the_rare_ones_share_a_place() -> None:
    (column,) = one_column(["(16,)", "(8,)", "(128, 8)", "(8,)"], "choice()", "hidden")
    assert column.labels == ("(8,)", "(16,)", "(128, 8)")
    (column,) = one_column([f"p{n}" for n in range(12)] + ["p3", "p11"], "choice()", "activation")
    assert len(column.labels) == 8
    assert column.labels[-1] == OTHERS
    assert {"p3", "p11"} < set(column.labels)
    assert column.values[5] in (5, 7)


def test_texts_with_one_number_are_numbers() -> None:
    sigmas = np.geomspace(1e-4, 1, 12)
    (column,) = one_column([f"normal({sigma})" for sigma in sigmas], "text('normal({})', log_uniform(1e-4, 1))")
    assert column.name == "init: normal(·)"
    np.testing.assert_allclose(column.values, sigmas)
    assert column.log
    (column,) = one_column(["None", "None", "5", "7"], "integers(1, 9)", "patience")
    assert column.labels == ("5", "7", "None")


@pytest.mark.parametrize(
    ("values", "log", "expected"),
    [
        (np.geomspace(1e-4, 1, 9), True, ["0.0001", "0.001", "0.01", "0.1", "1"]),
        (np.geomspace(1e-9, 1, 9), True, ["1e-08", "1e-06", "0.0001", "0.01", "1"]),
        (np.geomspace(10, 200, 9), True, ["10", "20", "50", "100", "200"]),
        (np.linspace(0, 1, 9), False, ["0", "0.25", "0.5", "0.75", "1"]),
        (np.arange(1.0, 8), False, ["2", "4", "6"]),
    ],
)
def test_ticks_are_few_round_numbers_within_the_axis(values, log, expected) -> None:
    places, texts = Column("x", "x", values, (), log).ticks()
    assert texts == expected
    scale = np.log if log else np.asarray
    numbers = np.array([float(text) for text in texts])
    ends = scale(values[[0, -1]])
    np.testing.assert_allclose(places, (scale(numbers) - ends[0]) / (ends[1] - ends[0]), atol=1e-9)


def test_scores_leave_out_settings_with_a_diverged_run() -> None:
    results = make_search(10, lost=[9, 4])
    mean, low, high = searched.scores(stats.overview(results))
    assert np.isnan(mean[[4, 9]]).all()
    expected = 100 * results["valid_accuracy"].isel(epoch=-1).mean("seed").values
    kept = [place for place in range(10) if place not in (4, 9)]
    np.testing.assert_allclose(mean[kept], expected[kept], rtol=1e-5)
    assert (low[kept] <= mean[kept]).all()
    assert (high[kept] >= mean[kept]).all()


def test_the_sentence_names_the_field_that_mattered_most_where_one_did() -> None:
    found = stats.overview(make_search(24, importance=IMPORTANCE, most="learning_rate"))
    assert searched.mattered_most(found) == (
        "learning_rate mattered most: some 81% of the variance of the validation accuracy goes with it, "
        "95% interval [60, 100]."
    )
    for results in (make_search(24, importance=IMPORTANCE), make_search(24), make_results(RATES)):
        assert searched.mattered_most(stats.overview(results)) == ""
    assert searched.importance(found)[1] == ("hidden", 10.0, -2.0, 22.0)
