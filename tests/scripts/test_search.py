"""The search of the benchmark: its settings are the stated ones, and a way runs and says what it should."""

import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import search
import search_ways
from nnjax import load_data


@pytest.mark.parametrize(("name", "low", "high"), [("digits", 16, 256), ("mnist", 32, 512)])
def test_the_settings_are_the_stated_ones(name, low, high):
    size = search.SIZES[name]
    assert (size.settings, size.seeds) == (40, 4)
    assert size.epochs == {"digits": 30, "mnist": 3}[name]
    settings = search.draw(size._replace(settings=2000))
    assert settings[:40] == search.draw(size)
    assert len(set(settings)) == len(settings)
    widths = np.array([width for setting in settings for width in setting.hidden])
    assert {len(setting.hidden) for setting in settings} == {1, 2}
    assert (widths.min(), widths.max()) == (low, high)
    assert {setting.activation for setting in settings} == {"identity", "sigmoid", "tanh", "relu"}
    assert {setting.batch for setting in settings} == {16, 32, 64, 128}
    rates = [setting.rate for setting in settings]
    uniform = np.log(np.array(rates) / 0.01) / np.log(100)
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    middle = math.sqrt(low * (high + 1))  # as many below as above, where the logarithm is uniform
    assert abs(np.mean(widths < middle) - 0.5) < 0.05
    assert min(np.bincount([len(setting.hidden) for setting in settings])[1:]) > 900


@pytest.fixture
def folder(tmp_path):
    search.problem_of(load_data("digits"), search.QUICK).write(tmp_path)
    return tmp_path


def test_a_problem_is_read_as_it_was_written(folder):
    problem, there = search.problem_of(load_data("digits"), search.QUICK), search_ways.Problem.read(folder)
    assert there.settings == problem.settings
    assert (there.seeds, there.epochs, there.scale, there.classes) == (2, 5, 16.0, 10)
    assert there.x["train"].shape == (1150, 64)
    for name, split in itertools.product("xy", ("train", "valid", "test")):
        np.testing.assert_array_equal(getattr(there, name)[split], getattr(problem, name)[split])


def line_of(way, folder):
    """What a way prints, in a process of its own."""
    script = Path(search.__file__).with_name("search_ways.py")
    done = subprocess.run(
        [sys.executable, script, way, folder], capture_output=True, text=True, check=True, timeout=300
    )
    return json.loads(done.stdout)


def test_nnjax_searches_and_prints_its_line(folder):
    line = line_of("nnjax", folder)
    assert line["way"] == "nnjax"
    assert line["seconds"] > 0
    assert len(line["losses"]) == search.QUICK.settings
    finite = [loss for loss in line["losses"] if loss is not None]
    assert line["diverged"] == len(line["losses"]) - len(finite)
    assert line["loss"] == pytest.approx(np.mean(finite))
    assert min(finite) < 0.5 < math.log(10)  # it has learnt
    assert any((folder / "nnjax").rglob("*.program"))  # the next start finds its programs


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A folder with two settings, of one layer and of two, and a third that diverges."""
    folder = tmp_path_factory.mktemp("few")
    settings = [
        search_ways.Setting((32,), "tanh", 32, 0.1),
        search_ways.Setting((24, 16), "relu", 64, 0.1),
        search_ways.Setting((16, 16), "identity", 16, 50.0),
    ]
    problem = search.problem_of(load_data("digits"), search.QUICK)
    problem._replace(settings=settings, seeds=4, epochs=10).write(folder)
    return folder


@pytest.fixture(scope="module")
def losses(few):
    """Those of scikit-learn."""
    return line_of("sklearn", few)["losses"]


@pytest.mark.parametrize("way", ["jax", "optuna", "torch", "population"])
def test_a_way_loses_what_scikit_learn_does(way, few, losses):
    if way != "jax":
        pytest.importorskip("torch" if way == "population" else way)
    assert losses[2] is None
    line = line_of(way, few)
    assert line["diverged"] == 1
    assert line["losses"][2] is None
    assert line["losses"][:2] == pytest.approx(losses[:2], rel=0.25)


def test_what_has_diverged_or_gone_astray_isnt_compared(capsys):
    ours = [{"seconds": 2.0, "diverged": 1, "losses": [0.1, 0.2, None, 0.3]}]
    lines = [{"seconds": 3.0, "diverged": 0, "losses": [0.11, 0.2, 0.5, 40.0]}]
    entry = search._entry(search.WAYS["jax"], lines, ours, most=4.6)
    assert entry["apart"] == pytest.approx(0.05)
    assert entry["right"]
    assert entry["ratios"] == [1.5]
    lines[0]["losses"] = [0.2, 0.4, 0.5, 40.0]
    assert not search._entry(search.WAYS["jax"], lines, ours, most=4.6)["right"]
    assert "WRONG" in capsys.readouterr().out
