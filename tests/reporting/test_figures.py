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
    assert len(loss.lines) == 12
    assert not any(line.is_dashed() for line in loss.lines)
    assert legend(figure)[1:] == ["validation", "95% interval"]
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


def test_of_more_settings_of_another_kind_the_best_5_are_drawn() -> None:
    results = make_results(WIDTHS, seeds=2)
    figure = figures.learning_curves(results)
    assert len(figure.axes[0].lines) == 10
    best = sorted(stats.rank(results)[:5], key=lambda setting: setting.place)
    title, *names = legend(figure)
    assert title == "hidden\nbest 5 of 12 settings"
    assert names[:5] == [setting.values[0] for setting in best]
    assert "best 5 of 12 settings" in figures.caption(results)


def test_curves_are_drawn_of_few_settings_and_no_other_is_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    results = make_results({"data.dir": [str(place) for place in range(300)]}, seeds=2, epochs=2)
    summary, made = stats.summary, []

    def counted(values: xr.DataArray, *arguments: Any, **options: Any) -> xr.Dataset:
        made.append(values.sizes["setting"])
        return summary(values, *arguments, **options)

    monkeypatch.setattr(stats, "summary", counted)
    figures.learning_curves(results)
    assert made == [5, 5, 5, 5]


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


def test_the_caption_says_that_training_is_a_running_mean() -> None:
    words = figures.caption(make_results(RATES))
    assert "Training is the running mean over the steps of an epoch, while the network changes" in words
    assert "validation is measured after the epoch" in words
    without = figures.caption(make_results({"batch_size": list(range(12))}))
    assert without.startswith("Validation loss (left) and accuracy (right), measured after each epoch.")
    assert "raining" not in without


def test_stopped_runs_are_drawn_to_their_end_and_said() -> None:
    results = make_results(RATES, seeds=2, stopped={(0, 0): 2, (1, 0): 3, (1, 1): 3})
    drawn = lines(figures.learning_curves(results).axes[0])
    losses = results["valid_loss"].values[0].astype(float)
    expected = [*losses[:, :2].mean(axis=0), *losses[1, 2:]]
    np.testing.assert_allclose(drawn[figures.PALETTE[0], False].get_ydata(), expected, rtol=1e-6)
    assert drawn[figures.PALETTE[1], False].get_xdata().tolist() == [1, 2, 3]
    words = figures.caption(results)
    assert "Stopped before the last epoch: 3 of 8 runs; a mean is over those that came to its epoch." in words
    assert "iverged" not in words
    assert "topped" not in figures.caption(make_results(RATES))


def exploding(*runs: tuple[int, int], loss: float = 1e28) -> xr.Dataset:
    results = make_results(RATES, seeds=2, epochs=6)
    for run in runs:
        results["valid_loss"][(*run, 5)] = loss
    return results


def test_a_loss_that_explodes_leaves_the_axis_and_the_caption_says_so() -> None:
    results = exploding((1, 0))
    figure = figures.learning_curves(results)
    panel = figure.axes[0]
    low, high = panel.get_ylim()
    others = np.delete(results["valid_loss"].mean("seed").values, 1, axis=0)
    assert others.max() < high < 2 * others.max()
    assert 0 < low < float(results["train_loss"].min())
    curve = lines(panel)[figures.PALETTE[1], False].get_ydata()
    assert high < curve[5] < 100 * high
    np.testing.assert_allclose(curve[:5], results["valid_loss"].values[1, :, :5].astype(float).mean(axis=0))
    # No coordinate that a browser can't hold, and no band over the panel.
    assert max(map(float, re.findall(r"\d+(?:\.\d+)?", " ".join(drawn_paths(figures.svg(figure)))))) < 1e5
    assert all(path.vertices[:, 1].max() <= high for band in panel.collections for path in band.get_paths())
    assert "1 curve of learning_rate 0.1 leaves the loss axis, up to 5e+27." in figures.caption(results)


def drawn_paths(text: str) -> list[str]:
    return re.findall(r' d="([^"]*)"', text)


def test_several_curves_that_leave_the_axis_are_counted() -> None:
    assert "2 curves of 2 settings leave the loss axis" in figures.caption(exploding((1, 0), (2, 1)))


@pytest.mark.parametrize("results", [exploding(), exploding((1, 0), loss=300)], ids=["none", "seen"])
def test_a_loss_that_an_axis_can_show_stays_on_it(results: xr.Dataset) -> None:
    panel = figures.learning_curves(results).axes[0]
    assert panel.get_ylim()[1] > max(line.get_ydata().max() for line in panel.lines)
    assert "axis" not in figures.caption(results)


def test_a_point_that_leaves_the_axis_has_no_bar() -> None:
    results = make_results(RATES, seeds=2, epochs=1)
    results["valid_loss"][1, 0] = 1e28
    panel = figures.learning_curves(results).axes[0]
    assert [bars.has_yerr for bars in panel.containers] == [True] * 3 + [False] + [True] * 4


def test_a_loss_of_zero_sends_no_other_off_the_axis() -> None:
    results = make_results(RATES, seeds=2)
    for name in ("train_loss", "valid_loss"):
        results[name][:2] = 0.0
    assert "axis" not in figures.caption(results)


def test_where_all_losses_explode_the_axis_shows_them() -> None:
    results = make_results(seeds=2, epochs=4)
    for name in ("train_loss", "valid_loss"):
        results[name][:, 3] = 1e28
    panel = figures.learning_curves(results).axes[0]
    assert panel.get_ylim()[1] > 1e28
    assert panel.get_yscale() == "log"


def test_a_legend_of_long_names_is_seen_whole() -> None:
    names = ",".join(["learning_rate", "weight_decay", "batch_size", "activation_slope"])
    settings = [(1e-5 * place, 0.001 + place, 64, 1.5) for place in range(1, 9)]
    results = make_results({names: settings}, seeds=2, diverged={(place, 0): 2 for place in range(8)})
    figure = figures.learning_curves(results)
    (found,) = figure.legends
    box = found.get_window_extent()
    assert [text.get_text().count("\n") for text in found.get_texts()[:8]] == [1] * 8
    assert all("(1 of 2 diverged)" in text.get_text() for text in found.get_texts()[:8])
    assert box.y0 >= 0
    assert box.y1 <= figure.bbox.y1
    assert box.x1 <= figure.bbox.x1
    assert figures.learning_curves(make_results(RATES)).get_figheight() == 3.8


# How colours look to dichromats, in linear RGB: Machado, Oliveira and Fernandes (2009), severity 1.
SEEN = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}


def lab(colours: Any, eye: Any) -> Any:
    """CIELAB of colours as an eye sees them, [K, 3]."""
    rgb = np.array([matplotlib.colors.to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(eye).T, 0, 1)
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.072175],
        [0.0193339, 0.119192, 0.9503041],
    ]
    xyz = linear @ np.array(to_xyz).T / [0.95047, 1, 1.08883]
    root = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * root[:, 1] - 16, 500 * (root[:, 0] - root[:, 1]), 200 * (root[:, 1] - root[:, 2])], -1)


@pytest.mark.parametrize("eye", SEEN)
def test_colours_are_told_apart_by_every_eye(eye: str) -> None:
    seen = lab(figures.PALETTE, SEEN[eye])
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(len(seen), 1)]
    assert apart.min() > 15
    assert np.linalg.norm(seen - lab(["white"], SEEN[eye]), axis=-1).min() > 20


@pytest.mark.parametrize("eye", SEEN)
@pytest.mark.parametrize("name", ["viridis", "cividis"])
def test_colour_maps_grow_lighter_for_every_eye(name: str, eye: str) -> None:
    lightness = lab(matplotlib.colormaps[name](np.linspace(0, 1, 32))[:, :3], SEEN[eye])[:, 0]
    assert (np.diff(lightness) > 0).all()


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
