"""What the heat map shows, against the numbers that it is made of."""

import re
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from made_results import KINDS, RATES, make_results
from nnjax.reporting import figures, grid
from nnjax.reporting.style import PALETTE
from nnjax.results import stats

AXES = {"learning_rate": [1, 0.01, 0.1, 0.001], "hidden": [(8,), (8, 8), (9,)]}


def shown(results: xr.Dataset) -> tuple[dict[tuple[str, str], str], Any]:
    """The text of each cell by its labels, down and across; and the figure."""
    figure = grid.grid(results)
    panel = figure.axes[0]
    across, down = ([text.get_text() for text in axis.get_ticklabels()] for axis in (panel.xaxis, panel.yaxis))
    cells = {}
    for text in panel.texts:
        x, y = text.get_position()
        cells[down[int(y)], across[int(x)]] = text.get_text()
    return cells, figure


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ({}, False),
        (RATES, False),
        ({"batch_size": list(range(30))}, False),
        ({"learning_rate": [1, 0.1], "momentum": [0, 0.5, 0.9, 0.99]}, False),  # 8 settings
        (AXES, True),
        ({"momentum": [0.9], **AXES}, True),
        ({"momentum": [0.9, 0.5], **AXES}, False),
        ({"learning_rate,momentum": [(1, 0), (0.1, 0.9), (1, 0.9)], "activation": ["relu", "tanh", "elu"]}, True),
        ({"learning_rate": list(range(41)), "momentum": [0, 0.9]}, False),
    ],
)
def test_a_grid_is_two_axes_of_many_settings(axes: Any, expected: bool) -> None:
    assert grid.has_grid(make_results(axes, seeds=2, epochs=2)) == expected


@pytest.mark.parametrize("seeds", [3, (2, 2), 0])
def test_cells_are_the_mean_validation_accuracies(seeds: Any) -> None:
    results = make_results(AXES, seeds=seeds)
    cells, _ = shown(results)
    assert len(cells) == 12
    valid = stats.at_best(results)["valid"].astype(float)
    means = valid.mean(stats.seed_dims(results)).values
    for place, rate in enumerate(("1", "0.01", "0.1", "0.001")):
        for width, hidden in enumerate(("(8,)", "(8, 8)", "(9,)")):
            assert cells[hidden, rate] == f"{100 * means[place, width]:.1f}"


def test_numbers_ascend_and_words_are_read_downwards() -> None:
    _, figure = shown(make_results(AXES))
    panel = figure.axes[0]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["0.001", "0.01", "0.1", "1"]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["(9,)", "(8, 8)", "(8,)"]  # from below
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("learning_rate", "hidden")
    numbers = {"learning_rate": [1, 0.01, 0.1], "momentum": [0.9, 0.5, 0.0]}
    panel = grid.grid(make_results(numbers)).axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["0.01", "0.1", "1"]


def test_zipped_fields_are_one_axis() -> None:
    axes = {"learning_rate,momentum": [(1.0, 0.0), (0.1, 0.9), (1.0, 0.9)], "activation": ["relu", "tanh", "elu"]}
    cells, figure = shown(make_results(axes))
    assert ("0.1, 0.9", "elu") in cells
    assert figure.axes[0].get_ylabel().replace("\n", " ") == "learning_rate, momentum"
    assert grid.title(make_results(axes)) == "Validation accuracy by learning_rate, momentum and activation"


def test_the_best_setting_alone_is_framed_and_bold() -> None:
    results = make_results(AXES, seeds=3, diverged={(0, 0, 1): 2})  # which would be the best
    _, figure = shown(results)
    panel = figure.axes[0]
    best = stats.rank(results)[0]
    bold = [text for text in panel.texts if text.get_fontweight() == "bold"]
    (frame,) = [patch for patch in panel.patches if to_hex(patch.get_edgecolor()) == PALETTE[1].lower()]
    across, down = ([text.get_text() for text in axis.get_ticklabels()] for axis in (panel.xaxis, panel.yaxis))
    assert [down[int(frame.get_y())], across[int(frame.get_x())]] == best.values[::-1]
    assert [text.get_position() for text in bold] == [(frame.get_x() + 0.5, frame.get_y() + 0.5)]


def test_cells_say_where_runs_diverged() -> None:
    results = make_results(AXES, seeds=2, diverged={(1, 1, 0): 2, (2, 2, 0): 1, (2, 2, 1): 1})
    cells, _ = shown(results)
    assert re.fullmatch(r"\d\d\.\d†", cells["(8, 8)", "0.01"])
    assert cells["(9,)", "0.1"] == "–"
    assert sum("†" in text for text in cells.values()) == 1
    words = grid.caption(results)
    assert "†: some runs of the setting diverged." in words
    assert "–: no run has an accuracy." in words
    assert "†" not in grid.caption(make_results(AXES))
    assert "frame" in words


def test_where_all_diverged_no_setting_is_the_best() -> None:
    every = {(rate, width, 0): 1 for rate in range(4) for width in range(3)}
    results = make_results(AXES, seeds=1, diverged=every)
    cells, figure = shown(results)
    assert set(cells.values()) == {"–"}
    assert not figure.axes[0].patches
    assert "frame" not in grid.caption(results)


def test_one_setting_that_failed_does_not_take_the_colours_of_the_others() -> None:
    results = make_results(AXES, seeds=1, epochs=2)
    values = np.linspace(0.95, 0.98, 12).reshape(4, 3)
    values[3, 2] = 0.1
    results["valid_accuracy"].values[...] = values[..., None, None]
    figure = grid.grid(results)
    low, high = figure.axes[0].collections[0].get_clim()
    assert high == pytest.approx(97.727, abs=0.01)
    assert 85 < low < 95
    assert "colours" in grid.caption(results)
    results["valid_accuracy"].values[...] = np.linspace(0.1, 0.98, 12).reshape(4, 3, 1, 1)
    assert grid.grid(results).axes[0].collections[0].get_clim() == pytest.approx((10, 98))
    assert "colours" not in grid.caption(results)
    values[:] = 0.98
    values[0] = 0.5  # the median is the highest
    results["valid_accuracy"].values[...] = values[..., None, None]
    assert grid.grid(results).axes[0].collections[0].get_clim() == pytest.approx((50, 98))


def test_small_cells_have_fewer_digits_and_smaller_ones_none() -> None:
    def texts(size: int) -> list[str]:
        axes = {"learning_rate": list(range(size)), "momentum": list(range(size))}
        results = make_results(axes, seeds=1, epochs=2)
        return [text.get_text() for text in grid.grid(results).axes[0].texts]

    assert all(re.fullmatch(r"\d\d\.\d", text) for text in texts(10))
    assert all(re.fullmatch(r"\d\d", text) for text in texts(25))
    assert texts(40) == []


@pytest.mark.parametrize("kind", ["grid", "two axes"])
def test_the_heat_map_is_an_svg_without_images(kind: str) -> None:
    results = make_results(**KINDS[kind])
    text = figures.svg(grid.grid(results))
    assert "<image" not in text
    assert text == figures.svg(grid.grid(results))


def test_labels_stay_as_they_are() -> None:
    results = make_results({"data.dir": ["$a/$b", "_c", "d"], "momentum": [0, 0.5, 0.9]}, seeds=1)
    assert ">$a/$b<" in figures.svg(grid.grid(results))
