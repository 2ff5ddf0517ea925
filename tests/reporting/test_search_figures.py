"""The figures of a search."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from made_results import KINDS, RATES, make_results
from made_search import IMPORTANCE, SPACE, make_search
from nnjax.reporting import page, search_figures
from nnjax.reporting.folder import FILES, SEARCH_FILES, Folder
from nnjax.reporting.search_points import BEST, LOST, MAYBE
from nnjax.reporting.style import PAPER
from nnjax.reporting.svg import svg
from nnjax.results import stats
from nnjax.results.files import save

ONE = {"learning_rate": "log_uniform(0.0001, 1)"}


def points(panel, colour: str) -> np.ndarray:
    """The places of the markers of a colour, ``[n, 2]``."""
    lines = [
        line
        for line in panel.lines
        if line.get_linestyle() == "None" and to_hex(line.get_color()) == to_hex(colour)
    ]
    return np.concatenate([line.get_xydata() for line in lines])


def test_there_are_figures_of_a_search_alone() -> None:
    assert list(search_figures.figures(make_search(importance=IMPORTANCE))) == ["importance", "fields", "parallel"]
    assert list(search_figures.figures(make_search())) == ["fields", "parallel"]
    assert list(search_figures.figures(make_search(space=ONE))) == ["fields"]
    for kind in ("grid", "all diverged", "no axes"):
        assert search_figures.figures(make_results(**KINDS[kind])) == {}
    assert search_figures.figures(make_search(4, lost=range(4))) == {}


def test_each_setting_is_a_point_of_each_panel() -> None:
    results = make_search(24, lost=[20])
    found = stats.overview(results)
    panels = search_figures.by_field(found).axes
    assert [panel.get_xlabel() for panel in panels] == [
        *("learning_rate", "momentum", "optimizer", "hidden: layers", "hidden: mean width")
    ]
    mean = 100 * results["valid_accuracy"].isel(epoch=-1).mean("seed").values
    for panel in panels:
        (star,) = points(panel, BEST)
        assert star[1] == pytest.approx(mean[found.order[0]], abs=1e-4)
        assert len(points(panel, MAYBE)) == 2
        assert len(points(panel, LOST)) == 1
        assert sum(len(line.get_xdata()) for line in panel.lines if line.get_linestyle() == "None") == 24
    rates = results["learning_rate"].values
    at = np.log(rates / rates[0]) / np.log(rates[-1] / rates[0])
    assert points(panels[0], BEST)[0, 0] == pytest.approx(at[found.order[0]])
    assert panels[0].get_ylabel() == "validation accuracy (%)"
    assert panels[1].get_xticklabels()[0].get_text() == "not set"
    low, high = panels[0].get_ylim()
    assert low < points(panels[0], LOST)[0, 1] < points(panels[0], BEST)[0, 1] < high


def test_bars_are_the_intervals_of_the_seeds() -> None:
    results = make_search(12)
    found = stats.overview(results)
    panel = search_figures.by_field(found).axes[0]
    ends = np.concatenate([line.get_ydata() for line in panel.lines if line.get_linestyle() == "-"])
    estimate = 100 * stats.summary(found.at_best["valid"], resamples=1999)
    assert np.nanmax(ends) == pytest.approx(float(estimate["high"].max()))
    assert np.isfinite(ends).sum() == 20  # two settings are below the axis
    one = search_figures.by_field(make_search(12, seeds=1)).axes[0]
    assert not any(len(line.get_ydata()) for line in one.lines if line.get_linestyle() == "-")


def test_better_lines_lie_above_and_what_diverged_below() -> None:
    found = stats.overview(make_search(24, lost=[3, 5]))
    panel = search_figures.parallel(found).axes[0]
    lines = [line for line in panel.lines if len(line.get_xdata()) == 6]
    assert len(lines) == 24
    above = sorted(lines, key=lambda line: line.get_zorder())
    heights = [line.get_ydata()[-1] for line in above]
    assert heights == sorted(heights)
    assert heights[-1] == 1
    assert [height < 0 for height in heights].count(True) == 2
    assert to_hex(above[-1].get_color()) == to_hex(BEST)
    lightness = [np.dot(line.get_color()[:3], (0.3, 0.59, 0.11)) for line in above[2:-1]]
    assert lightness == sorted(lightness)
    texts = [text.get_text() for text in panel.texts]
    assert texts.count("not set") == 1
    assert texts.count("diverged") == 1
    unset = [line.get_ydata()[1] < 0 for line in lines]
    assert sum(unset) == 12


def test_the_shares_stand_in_order_with_their_intervals() -> None:
    panel = search_figures.what_mattered(make_search(importance=IMPORTANCE)).axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == [
        "learning_rate",
        "hidden",
        "optimizer",
        "momentum",
    ]
    filled, hollow = (container.lines[0] for container in panel.containers)
    assert filled.get_xdata().tolist() == [81, 2]
    assert hollow.get_xdata().tolist() == [10, -1]
    assert hollow.get_markerfacecolor() == PAPER
    (bars,) = panel.containers[1].lines[2]
    np.testing.assert_allclose([segment[:, 0] for segment in bars.get_segments()], [[-2, 22], [-5, 3]])
    assert "%" in panel.get_xlabel()


def test_captions_say_what_is_shown() -> None:
    results = make_search(24, lost=[2], importance=IMPORTANCE, most="learning_rate")
    fields, lines, shares = (
        search_figures.caption(results, name) for name in ("fields", "parallel", "importance")
    )
    assert "95% interval over seeds" in fields
    assert "interval" not in search_figures.caption(make_search(24, seeds=1), "fields")
    assert "×: settings with a run that diverged, 1." in fields
    assert "Dashed: settings with a run that diverged, 1." in lines
    assert "not set" in fields
    assert "learning_rate mattered most: some 81%" in shares
    assert "predicts 70% of the variance" in shares
    assert "can't be told" in search_figures.caption(make_search(24, importance=IMPORTANCE), "importance")
    assert search_figures.unsaid(make_search(10)) == "Which field mattered can't be said from 10 settings."
    assert search_figures.unsaid(results) == search_figures.unsaid(make_results(RATES)) == ""


def test_settings_far_below_stand_at_the_foot_of_the_axis() -> None:
    results = make_search(24)
    results["valid_accuracy"][:4] = 0.1
    panel = search_figures.by_field(results).axes[0]
    (foot,) = [line for line in panel.lines if line.get_marker() == "v" and len(line.get_xdata())]
    assert len(foot.get_xdata()) == 4
    assert panel.get_ylim()[0] > 20
    assert "▾: 4 of the 24 settings are below" in search_figures.caption(results, "fields")
    assert "4 settings are below" in search_figures.caption(results, "parallel")


def test_a_page_has_the_figures_and_a_folder_their_files(tmp_path: Path) -> None:
    results = make_search(importance=IMPORTANCE, most="learning_rate")
    with Folder(tmp_path / "out") as folder:
        folder.write(results, title="A", question="B", save=save)
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES | SEARCH_FILES
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert text == page.page(results, title="A", question="B")
    headings = re.findall("<h2>(.*?)</h2>", text)
    assert headings[2:5] == ["What mattered", "Validation accuracy by field", "All settings"]
    assert "Of the fields, learning_rate mattered most" in text
    small = make_search(8, space={name: SPACE[name] for name in ("learning_rate", "optimizer")})
    assert "Which field mattered can&#x27;t be said from 8 settings." in page.page(small, title="A", question="B")
    with Folder(tmp_path / "out", overwrite=True) as folder:
        folder.write(small, title="A", question="B", save=save)


@pytest.mark.parametrize("name", ["importance", "fields", "parallel"])
def test_a_drawing_is_the_same_again_and_of_the_colours_of_the_page(name: str) -> None:
    found = stats.overview(make_search(24, lost=[1], importance=IMPORTANCE))
    one, other = (svg(search_figures.figures(found)[name](found)) for _ in range(2))
    assert one == other
    assert "<image" not in one
    assert PAPER not in one
    assert ("var(--paper, #fff)" in one) == (name != "fields")


def test_a_large_search_is_a_small_page() -> None:
    results = make_search(200, lost=[0, 1], importance=IMPORTANCE)
    sizes = [len(svg(draw(results))) for draw in search_figures.figures(results).values()]
    assert sum(sizes) < 300_000


def test_dollars_stay_dollars() -> None:
    results = make_search(12)
    results["optimizer"][:] = np.where(np.arange(12) % 2, "$a/$b", "c")
    for drawing in (search_figures.by_field(results), search_figures.parallel(results)):
        assert ">$a/$b<" in svg(drawing)


def test_a_part_of_a_searchs_results_is_drawn_as_any() -> None:
    results: xr.Dataset = make_search(24, importance=IMPORTANCE)
    assert search_figures.figures(results.drop_vars("contender")) == {}
    old = results.drop_vars(["is_set", "importance", "importance_low", "importance_high", "field"])
    assert list(search_figures.figures(old)) == ["fields", "parallel"]
    assert "not set" not in search_figures.caption(old, "fields")
