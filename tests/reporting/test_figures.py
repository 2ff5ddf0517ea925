"""What the figures draw, against the numbers that they are made of."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
import xarray as xr

from made_results import KINDS, RATES, make_results
from nnjax.reporting import figures
from nnjax.results import stats

WIDTHS = {"hidden": [(width,) for width in range(1, 13)]}


@pytest.fixture(params=KINDS)
def results(request: pytest.FixtureRequest) -> xr.Dataset:
    return make_results(**KINDS[request.param])


def lines(panel: Any) -> dict[tuple[Any, Any], Any]:
    """The lines of a panel by colour and whether they are dashed."""
    return {(line.get_color(), line.is_dashed()): line for line in panel.lines}


def legend(figure: Any) -> list[str]:
    (found,) = figure.legends
    return [found.get_title().get_text(), *(text.get_text() for text in found.get_texts())]


def test_lines_are_the_means_of_the_runs_that_finished() -> None:
    results = make_results(RATES, seeds=5, epochs=6, diverged={(0, 2): 3, (0, 4): 1})
    figure = figures.learning_curves(results)
    for panel, kind, scale in zip(figure.axes, ("loss", "accuracy"), (1, 100), strict=True):
        drawn = lines(panel)
        assert len(panel.lines) == len(drawn) == 8
        for rate in range(4):
            runs = [run for run in range(5) if results["status"].values[rate, run] == "finished"]
            for dashed, split in ((False, "valid"), (True, "train")):
                line = drawn[figures.PALETTE[rate], dashed]
                means = results[f"{split}_{kind}"].values[rate, runs].astype(float).mean(axis=0)
                np.testing.assert_allclose(line.get_ydata(), scale * means, rtol=1e-6)
                assert line.get_xdata().tolist() == [1, 2, 3, 4, 5, 6]


def test_bands_are_the_intervals_of_the_means() -> None:
    results = make_results(RATES, seeds=5, epochs=6)
    panel = figures.learning_curves(results).axes[1]
    assert len(panel.collections) == 8
    found = stats.summary(results["train_accuracy"].isel(learning_rate=0), resamples=figures.RESAMPLES)
    low, high = 100 * found["low"].values, 100 * found["high"].values
    corners = panel.collections[0].get_paths()[0].vertices
    for epoch in range(1, 7):
        at = corners[corners[:, 0] == epoch, 1]
        assert (at.min(), at.max()) == pytest.approx((low[epoch - 1], high[epoch - 1]), rel=1e-6)


def test_one_seed_has_lines_without_bands() -> None:
    figure = figures.learning_curves(make_results(RATES, seeds=1))
    assert [len(panel.lines) for panel in figure.axes] == [8, 8]
    assert not any(panel.collections for panel in figure.axes)
    assert "95% interval" not in legend(figure)


def test_one_epoch_has_points_beside_each_other_with_bars() -> None:
    figure = figures.learning_curves(make_results(RATES, epochs=1))
    for panel in figure.axes:
        assert len(panel.containers) == 8
        assert all(bars.has_yerr for bars in panel.containers)
        places = [bars.lines[0].get_xdata()[0] for bars in panel.containers]
        assert len(set(places)) == 8
        assert min(places) > panel.get_xlim()[0]
        assert max(places) < panel.get_xlim()[1]
        assert all(bars.lines[0].get_marker() in figures.MARKERS for bars in panel.containers)


def test_one_run_has_a_point_without_a_bar() -> None:
    figure = figures.learning_curves(make_results(seeds=1, epochs=1))
    assert [[bars.has_yerr for bars in panel.containers] for panel in figure.axes] == [[False, False]] * 2


def test_a_setting_of_fewer_epochs_ends_earlier() -> None:
    results = make_results({"epochs": [2, 5]}, seeds=3)
    for name in ("train_loss", "valid_loss", "train_accuracy", "valid_accuracy"):
        results[name][0, :, 2:] = np.nan
    drawn = lines(figures.learning_curves(results).axes[0])
    assert [len(drawn[figures.PALETTE[place], False].get_xdata()) for place in (0, 1)] == [2, 5]


@pytest.mark.parametrize(("factor", "scale"), [(19, "linear"), (21, "log")])
def test_the_loss_axis_is_logarithmic_above_a_factor_of_20(factor: float, scale: str) -> None:
    results = make_results(seeds=3, epochs=2)
    for name in ("train_loss", "valid_loss"):
        results[name] = results[name] * 0 + xr.DataArray([factor * 0.05, 0.05], dims="epoch")
    loss, accuracy = figures.learning_curves(results).axes
    assert (loss.get_yscale(), accuracy.get_yscale()) == (scale, "linear")


def test_axes_say_what_they_show() -> None:
    results = make_results(RATES)
    loss, accuracy = figures.learning_curves(results).axes
    assert (loss.get_xlabel(), loss.get_ylabel()) == ("epoch", "loss (nat)")
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("epoch", "accuracy (%)")
    results["valid_loss"].attrs["units"] = "1"
    assert figures.learning_curves(results).axes[0].get_ylabel() == "loss"


def test_the_legend_names_settings_and_diverged_runs() -> None:
    figure = figures.learning_curves(make_results(RATES, seeds=2, diverged={(0, 0): 1, (0, 1): 2, (2, 1): 5}))
    settings = ["1 (all 2 diverged)", "0.1", "0.05 (1 of 2 diverged)", "0.01"]
    assert legend(figure) == ["learning_rate", *settings, " ", "validation", "training", "95% interval"]
    assert legend(figures.learning_curves(make_results(diverged={(0,): 3})))[0] == "1 of 8 diverged"


def test_settings_differ_in_colour_and_in_marker() -> None:
    figure = figures.learning_curves(make_results({"batch_size": list(range(1, 9))}, seeds=2))
    solid = [line for line in figure.axes[0].lines if not line.is_dashed()]
    assert len({line.get_color() for line in solid}) == len({line.get_marker() for line in solid}) == 8


def test_more_settings_of_one_number_become_a_colour_bar() -> None:
    figure = figures.learning_curves(
        make_results({"batch_size": [*range(1, 12), 0]}, seeds=2, diverged={(1, 0): 2})
    )
    loss, _, bar = figure.axes
    assert len(loss.lines) == 24
    labels = [text.get_text() for text in bar.get_yticklabels()]
    assert labels[:4] == ["0", "1", "2 (1 of 2 diverged)", "3"]
    assert bar.get_title(loc="left") == "batch_size"
    assert (
        len(
            {
                line.get_color() if isinstance(line.get_color(), str) else tuple(line.get_color())
                for line in loss.lines
            }
        )
        == 12
    )


def test_of_more_settings_of_another_kind_the_best_8_are_drawn() -> None:
    results = make_results(WIDTHS, seeds=2)
    figure = figures.learning_curves(results)
    assert len(figure.axes[0].lines) == 16
    best = sorted(stats.rank(results)[:8], key=lambda setting: setting.place)
    title, *names = legend(figure)
    assert title == "hidden\nbest 8 of 12 settings"
    assert names[:8] == [setting.values[0] for setting in best]
    assert "best 8 of 12 settings" in figures.caption(results)


def test_long_curves_are_thinned_to_their_ends() -> None:
    line = figures.learning_curves(make_results(seeds=1, epochs=1001)).axes[0].lines[0]
    assert len(line.get_xdata()) == figures.POINTS
    assert (line.get_xdata()[0], line.get_xdata()[-1]) == (1, 1001)


def test_where_no_run_finished_the_figure_says_so() -> None:
    figure = figures.learning_curves(make_results(RATES, seeds=1, diverged={(rate, 0): 1 for rate in range(4)}))
    assert [[text.get_text() for text in panel.texts] for panel in figure.axes] == [["no run finished"]] * 2


def test_the_caption_says_what_the_band_is() -> None:
    words = figures.caption(make_results(RATES, diverged={(0, 1): 2}))
    assert "bands 95% bootstrap intervals of that mean at each epoch by itself" in words
    assert words.endswith("Diverged and left out: 1 of 32 runs.")
    assert "bars 95%" in figures.caption(make_results(RATES, epochs=1))
    assert "no intervals" in figures.caption(make_results(RATES, seeds=1))


def elements(text: str) -> Iterator[ElementTree.Element]:
    return ElementTree.fromstring(text).iter()


def test_svg_is_one_element_with_ids_of_its_own(results: xr.Dataset) -> None:
    text = figures.svg(figures.learning_curves(results))
    assert text.startswith("<svg ")
    ids = [element.attrib["id"] for element in elements(text) if "id" in element.attrib]
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
    assert ids
    assert len(ids) == len(set(ids))
    assert set(ids) == set(used)
    assert "<style" not in text
    assert "<metadata" not in text
    assert figures.INK not in text


def test_svg_is_the_same_every_time() -> None:
    figure = figures.learning_curves(make_results(RATES))
    assert figures.svg(figure) == figures.svg(figure) == figures.svg(figures.learning_curves(make_results(RATES)))


def test_two_figures_in_a_page_share_no_id() -> None:
    first, second = (figures.svg(figures.learning_curves(make_results(RATES, seed=seed))) for seed in (0, 1))
    ids = [set(re.findall(r' id="([^"]+)"', text)) for text in (first, second)]
    assert ids[0].isdisjoint(ids[1])


def test_svg_keeps_text_as_it_is() -> None:
    names = ["$a/$b", '<b id="x" d="1.2345">', "é&amp;", f"font-family: {figures.INK}"]
    text = figures.svg(figures.learning_curves(make_results({"data.dir": names}, seeds=1)))
    found = [element.text for element in elements(text) if element.tag.endswith("text")]
    assert set(names) <= set(found)
    assert {"epoch", "loss (nat)", "validation"} <= set(found)


def test_svg_is_small() -> None:
    results = make_results(RATES, seeds=4, epochs=100)
    assert len(figures.svg(figures.learning_curves(results))) < 120_000


def test_figures_leave_no_trace() -> None:
    before = dict(matplotlib.rcParams)
    figures.svg(figures.learning_curves(make_results(RATES, seeds=2)))
    assert dict(matplotlib.rcParams) == before


def test_importing_costs_neither_matplotlib_nor_scipy_and_drawing_no_pyplot() -> None:
    program = """
import sys
import nnjax.reporting.page
assert not {"matplotlib", "scipy", "jax"} & set(sys.modules)
from made_results import make_results
nnjax.reporting.page.page(make_results(), title="", question="")
assert "matplotlib.pyplot" not in sys.modules
assert "jax" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[1], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
