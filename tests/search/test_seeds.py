"""Seeds by need in a sweep and a search, against the rule applied to runs with all the seeds."""

import json

import numpy as np
import pytest
import yaml

import nnjax
from nnjax.config import Config
from nnjax.reporting.answer import conclusion
from nnjax.search.needed import needed
from nnjax.seeds import ByNeed
from nnjax.validation import UserError

CONFIG = Config(hidden=(5,), init="xavier_uniform", epochs=4)
AXES = {"learning_rate": [0.8, 1, 0.03, 1e30]}


@pytest.fixture(scope="module")
def whole(digits):
    """All runs that there may be."""
    return nnjax.sweep(CONFIG, digits, AXES, seeds=16, progress=False)


def by_hand(whole, **asked):
    """How many seeds each setting gets, and what the last look says."""
    best = whole.valid_accuracy.max("epoch").where(whole.status != "diverged").values
    runs = np.zeros(len(best), int)
    while (found := needed(best[:, : runs.max()], runs=runs, **asked)).status == "more":
        runs = runs + found.add
    return runs, found


@pytest.mark.parametrize(
    "asked",
    [
        {"zone": 0.05, "first": 4, "most": 16},
        {"half_width": 0.1, "first": 3, "most": 12, "confidence": 0.9},
        {"half_width": 1e-6, "first": 2, "most": 6},
    ],
)
def test_seeds_are_added_as_the_rule_says(digits, whole, asked):
    runs, found = by_hand(whole, **asked)
    results = nnjax.sweep(CONFIG, digits, AXES, seeds=str(ByNeed(**asked)), progress=False)
    assert runs[3] == asked["first"] < runs.max()  # who diverges gets no more
    assert results.sizes["seed"] == runs.max()
    assert (results.status != "missing").sum("seed").values.tolist() == runs.tolist()
    for setting, count in enumerate(runs):
        for name in ("valid_loss", "test_accuracy"):
            of_run = results[name].isel(learning_rate=setting)
            expected = whole[name].isel(learning_rate=setting)
            np.testing.assert_allclose(of_run[:count].values, expected[:count].values, rtol=1e-4)
            assert np.isnan(of_run[count:]).all()
    said = json.loads(results.attrs["by_need"])
    assert (said["status"], said["best"]) == (found.status, found.best)
    assert said["behind"] == pytest.approx(found.behind)
    assert yaml.safe_load(results.attrs["config"])["seeds"] == runs.max()
    words = conclusion(results)
    assert f"{asked['first']} to {runs.max()} a setting: {runs.sum()} runs, where" in words
    assert ("asked for was" in words) == (found.status == "gave up")


def test_one_setting_is_known_to_a_width(digits):
    results = nnjax.sweep(CONFIG, digits, seeds="auto(half_width=0.2)", progress=False)
    assert 4 <= results.sizes["seed"] < 64
    assert "The best's validation accuracy is known to ±" in conclusion(results)


def test_a_search_adds_seeds_in_each_batch(digits):
    space = {"hidden": "layers(integers(1, 2), integers(4, 9))", "learning_rate": [1, 1e-4]}
    found = nnjax.search(
        CONFIG, digits, space, samples=6, batch=3, seeds="auto(first=4, most=16, zone=0.02)", progress=False
    )
    runs = (found.status != "missing").sum("seed").values
    assert 4 <= runs.min() < runs.max() <= 16
    said = json.loads(found.attrs["search"])
    assert said["fresh_seeds"] == list(range(runs.max(), 2 * runs.max()))
    assert "optimism" not in said
    assert said["score"] == pytest.approx(
        found.valid_accuracy.max("epoch").isel(setting=said["best"]).mean().item(), rel=1e-6
    )


def test_the_plan_says_how_many_there_may_be(digits):
    assert "4 settings × 4 to 64 seeds = at most 256 runs in" in str(
        nnjax.plan(CONFIG, digits, AXES, seeds="auto")
    )


def test_what_can_not_go_with_it_is_said(digits):
    with pytest.raises(UserError, match="seeds is 'auto', and on_epoch is given"):
        nnjax.sweep(CONFIG, digits, AXES, seeds="auto", on_epoch=lambda end: None, progress=False)
    with pytest.raises(UserError, match="the settings fix both init_seed and data_seed"):
        nnjax.sweep(CONFIG, digits, {"init_seed": [0, 1], "data_seed": [0, 1]}, seeds="auto", progress=False)
    with pytest.raises(UserError, match=r"seeds is 'auto', and .* halving"):
        nnjax.search(CONFIG, digits, {"dropout": [0, 0.1]}, seeds="auto", halving=nnjax.Halving(2), progress=False)
