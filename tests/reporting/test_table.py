"""The table for a terminal."""

import re
from typing import Any

import numpy as np
import pytest
import xarray as xr

from made_results import KINDS, RATES, make_results, with_accuracies
from nnjax.reporting.table import table
from nnjax.results import stats


@pytest.fixture(params=KINDS)
def results(request: pytest.FixtureRequest) -> xr.Dataset:
    return make_results(**KINDS[request.param])


def cells(text: str) -> list[list[str]]:
    """The table without its note, split at two spaces."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.split("\n\n")[0].split("\n")]


def test_table_has_the_means_and_half_the_width_of_the_intervals() -> None:
    results = make_results(RATES, seeds=9, diverged={(0, 3): 2})
    head, *rows = cells(table(results))
    assert head == ["learning_rate", "training", "validation", "test", "runs", "diverged"]
    for rate, row in enumerate(rows):
        found = [f"{results.learning_rate.values[rate]:g}"]
        for split in ("train", "valid", "test"):
            runs = stats.at_best(results)[split].values[rate]
            interval = stats.interval(runs)
            found.append(f"{100 * np.nanmean(runs):.2f} ± {50 * (interval.high - interval.low):.2f}")
        assert [row[0].strip("* "), *row[1:4]] == found or row[1:5] == found
        assert row[-2:] == ["9", "1" if rate == 0 else "0"]


def test_table_stars_the_best_setting_alone() -> None:
    results = make_results(RATES)
    lines = table(results).split("\n")
    assert [line[0] for line in lines[:5]].count("*") == 1
    assert lines[1 + stats.rank(results)[0].place][0] == "*"
    assert "*" not in table(make_results())


def test_table_is_straight_and_fits(results: xr.Dataset) -> None:
    text = table(results)
    rows = text.split("\n\n")[0].split("\n")
    assert len({len(row) for row in rows}) == 1
    assert all(len(line) <= 100 for line in text.split("\n"))
    assert len(rows) == 1 + len(stats.settings(results))


def test_table_has_its_points_below_each_other() -> None:
    # A wide interval (of 0.1 and 0.9), an accuracy of 100%, and a setting without an interval.
    tests = [[0.1, 0.9], [1.0, 1.0], [0.5, 0.6]]
    results = with_accuracies([[0.9], [0.8], [0.7]], tests, diverged={(2, 0): 1})
    lines = table(results).split("\n")[1:4]
    places = [[match.start() for match in re.finditer(r"\.\d\d", line)] for line in lines]
    assert places[0][::2] == places[1][::2] == places[2]
    assert "100.00 ± 0.00" in lines[1]
    assert re.search(r" 50\.00 ± 40\.00 ", lines[0])


def test_table_without_intervals() -> None:
    rows = cells(table(make_results(RATES, seeds=1, diverged={(0, 0): 1})))
    assert rows[1] == ["1", "–", "–", "–", "1", "1"]
    assert "±" not in str(rows)
    assert "without intervals" in " ".join(table(make_results(RATES, seeds=1)).split())


def test_table_says_that_few_runs_make_narrow_intervals() -> None:
    assert "(here 7) are too narrow" in table(make_results(seeds=7))
    assert "too narrow" not in table(make_results(seeds=8))


def first_cells(text: str) -> list[str]:
    """The setting of each row."""
    return [row[1] if row[0] == "*" else row[0].strip("* ") for row in cells(text)[1:]]


def test_table_shows_the_best_40_the_best_first() -> None:
    results = make_results({"batch_size": list(range(1, 46))}, seeds=1).isel(batch_size=slice(None, None, -1))
    text = table(results)
    assert first_cells(text) == [setting.values[0] for setting in stats.rank(results)[:40]]
    assert "the best 40 settings, the best first; 5 are left out" in " ".join(text.split())


@pytest.mark.parametrize("count", [8, 9])
def test_table_of_a_few_settings_stays_in_order_and_of_more_is_sorted(count: int) -> None:
    results = make_results({"batch_size": list(range(count))}, seeds=3).isel(batch_size=slice(None, None, -1))
    text = table(results)
    order = stats.settings(results) if count == 8 else stats.rank(results)
    assert stats.rank(results)[0].place == count - 1
    assert first_cells(text) == [setting.values[0] for setting in order]
    assert ("The best stand first." in " ".join(text.split())) == (count == 9)


def test_table_has_intervals_of_the_rows_that_it_shows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    results = make_results({"batch_size": list(range(300))}, seeds=4, epochs=2)
    summary, made = stats.summary, []

    def counted(values: xr.DataArray, *arguments: Any, **options: Any) -> xr.Dataset:
        made.append(values.sizes["setting"])
        return summary(values, *arguments, **options)

    monkeypatch.setattr(stats, "summary", counted)
    table(results)
    assert made == [40, 40, 40]


def test_table_says_how_many_were_stopped_where_any_was() -> None:
    head, *rows = cells(table(make_results(RATES, seeds=3, stopped={(1, 0): 2, (1, 1): 1}, diverged={(0, 0): 1})))
    assert head[-3:] == ["runs", "diverged", "stopped"]
    assert [row[-3:] for row in rows] == [["3", "1", "0"], ["3", "0", "2"], ["3", "0", "0"], ["3", "0", "0"]]
    text = " ".join(table(make_results(RATES, seeds=3, stopped={(1, 0): 2})).split())
    assert "mean over the runs that finished or were stopped" in text
    assert "stopped" not in table(make_results(RATES, seeds=3))


WORDS = ["learning_rate", "weight_decay", "batch_size", "activation_slope", "schedule.end", "label_noise"]


def search(count: int, fields: int, **arguments: Any) -> xr.Dataset:
    """A random search over so many fields."""
    values = (10 ** np.random.default_rng(0).uniform(-4, 0, (count, fields))).round(5)
    return make_results({",".join(WORDS[:fields]): [tuple(row) for row in values.tolist()]}, **arguments)


@pytest.mark.parametrize(
    ("fields", "head"),
    [
        (2, "learning_rate weight_decay training validation test runs diverged"),
        (3, "rate decay size training validation test runs diverged"),
        (4, "rate decay size slope validation test runs diverged"),
        (6, "rate decay size slope end noise validation test"),
    ],
)
def test_table_of_many_fields_has_one_line_for_each_setting(fields: int, head: str) -> None:
    results = search(20, fields, seeds=3)
    text = table(results)
    above, *rows = text.split("\n\n")[0].split("\n")
    if fields > 2:
        assert above.split()[:2] == ["learning", "weight"]
        above, *rows = rows
    assert above.split() == head.split()
    assert len(rows) == 20
    assert len({len(line) for line in [above, *rows]}) == 1
    assert len(above) <= 100
    assert [row.strip("* ").split()[:fields] for row in rows] == [row.values for row in stats.rank(results)]
    note = " ".join(text.split("\n\n")[1].split())
    assert ("Training accuracies are left out" in note) == (fields > 3)
    assert ("Each setting has 3 runs, and none of these diverged." in note) == (fields == 6)


def test_table_without_room_keeps_the_count_that_says_something() -> None:
    text = table(search(20, 6, seeds=3, diverged={(3, 1): 1}))
    assert text.split("\n")[1].split()[-3:] == ["validation", "test", "diverged"]
    assert "Each setting has 3 runs." in " ".join(text.split())


def test_table_breaks_long_settings_and_loses_nothing() -> None:
    names = [*WORDS, "data.valid_fraction", "momentum"]
    settings = [tuple(rate / 10**place for place in range(8)) for rate in (0.11111, 0.33333)]
    text = table(make_results({",".join(names): settings}, seeds=2))
    assert all(len(line) <= 100 for line in text.split("\n"))
    for values in settings:
        for name, value in zip(names, values, strict=True):
            assert f" {name} {value:g}" in text
    places = [[match.start() for match in re.finditer("±", line)] for line in text.split("\n\n")[0].split("\n")]
    assert len([place for place in places if place]) == 2
    assert len({tuple(place) for place in places if place}) == 1


def test_table_of_long_settings_shows_the_best_8() -> None:
    results = make_results({"data.dir": [f"/{'long/' * 20}{place}" for place in range(12)]}, seeds=2)
    text = " ".join(table(results).split())
    assert text.count("data.dir /") == 8
    assert "Shown are the best 8 settings, the best first; 4 are left out." in text
