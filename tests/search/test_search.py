import ast
import json

import jax
import numpy as np
import pytest

import nnjax
from made_search import make_search
from nnjax.config import Config
from nnjax.search import importance as measuring
from nnjax.search.space import parse_space
from nnjax.validation import UserError

SPACE = {
    "hidden": "layers(integers(1, 2), integers(4, 40))",
    "activation": ["relu", "tanh"],
    "learning_rate": "log_uniform(0.01, 2)",
    "batch_size": [16, 50],
}
CONFIG = Config(init="xavier_uniform", epochs=3, seeds=2)


@pytest.fixture(scope="module")
def found(digits):
    return nnjax.search(CONFIG, digits, SPACE, samples=8, seeds=3, progress=False, keep_parameters=True)


def test_a_search_is_labelled_with_a_row_for_each_setting(found):
    assert dict(found.sizes)["setting"] == 8
    assert found.seed.values.tolist() == [0, 1, 2]
    assert found.learning_rate.dims == ("setting",)
    assert (found.status == "finished").all()


def test_a_setting_of_a_search_is_that_of_a_sweep(found, digits):
    place = 3
    setting = {name: found[name].values[place] for name in ("hidden", "activation", "learning_rate", "batch_size")}
    setting["hidden"] = ast.literal_eval(setting["hidden"])
    alone = nnjax.sweep(CONFIG, digits, [setting], seeds=3, keep_parameters=True, progress=False)
    a, b = nnjax.parameters(found, setting=place, seed=2), nnjax.parameters(alone, seed=2, setting=0)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert np.linalg.norm(x - y) <= 1e-5 * np.linalg.norm(y)


def test_the_best_is_chosen_by_validation_and_trained_anew(found, digits):
    said = json.loads(found.attrs["search"])
    valid = found.valid_accuracy.max("epoch").mean("seed").values
    assert said["best"] == int(np.argmax(valid))
    assert said["score"] == pytest.approx(float(valid.max()), abs=1e-6)
    assert found.contender.values[said["best"]]
    assert found.fresh_seed.values.tolist() == said["fresh_seeds"] == [3, 4, 5]
    anew = nnjax.sweep(nnjax.stats.best(found), digits, seeds=[3, 4, 5], progress=False)
    np.testing.assert_allclose(found.fresh_test_accuracy, anew.test_accuracy, atol=1e-6)


def test_a_search_with_one_seed_says_the_same_again(found, digits):
    again = nnjax.search(CONFIG, digits, SPACE, samples=8, seeds=3, progress=False, keep_parameters=True)
    np.testing.assert_array_equal(found.train_loss, again.train_loss)
    assert found.attrs["search"] == again.attrs["search"]
    other = nnjax.search(CONFIG, digits, SPACE, samples=2, seed=1, fresh=0, progress=False)
    assert other.learning_rate.values[0] != found.learning_rate.values[0]
    assert "fresh_test_accuracy" not in other


def test_a_grid_is_a_sweep_over_all_combinations(digits):
    space = {"hidden": [(8,), (9, 4)], "batch_size": [16, 50]}
    grid = nnjax.search(CONFIG, digits, space, sampler="grid", fresh=0, progress=False)
    sweep = nnjax.sweep(CONFIG, digits, space, progress=False)
    np.testing.assert_allclose(
        grid.valid_loss.values, sweep.valid_loss.values.reshape(grid.valid_loss.shape), rtol=1e-4
    )


def test_equal_settings_are_trained_once(digits):
    results = nnjax.search(CONFIG, digits, {"batch_size": [16, 50]}, samples=20, fresh=0, progress=False)
    assert sorted(results.batch_size.values.tolist()) == [16, 50]


class Told:
    """A sampler that asks for a rate, and halves it where it is told of a score."""

    def __init__(self):
        self.rate, self.scores = 0.4, []

    def ask(self, count):
        return [{"learning_rate": self.rate / 2**index} for index in range(count)]

    def tell(self, values, score):
        self.scores.append((values["learning_rate"], score))
        self.rate = values["learning_rate"] / 2


def test_a_sampler_of_ones_own_is_told_the_scores(digits):
    sampler = Told()
    results = nnjax.search(
        CONFIG,
        digits,
        {"learning_rate": "uniform(0, 1)"},
        samples=4,
        batch=2,
        sampler=sampler,
        fresh=0,
        progress=False,
    )
    assert results.learning_rate.values.tolist() == [0.4, 0.2, 0.1, 0.05]
    best = results.valid_accuracy.max("epoch").mean("seed").values
    assert [rate for rate, _ in sampler.scores] == [0.4, 0.2, 0.1, 0.05]
    np.testing.assert_allclose([score for _, score in sampler.scores], best, atol=1e-6)


def test_a_diverged_setting_is_told_as_nan(digits):
    sampler = Told()
    sampler.rate = 1e7
    config = nnjax.config.replace(CONFIG, {"activation": "relu", "epochs": 3})
    space = {"learning_rate": "uniform(0, 1)"}
    nnjax.search(config, digits, space, samples=1, batch=1, sampler=sampler, fresh=0, progress=False)
    assert np.isnan(sampler.scores[0][1])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"space": None}, "space is missing"),
        ({"space": SPACE, "sampler": "sobl"}, "did you mean 'sobol'"),
        ({"space": SPACE, "samples": 0}, "samples is 0"),
        ({"space": SPACE, "fresh": -1}, "fresh is -1"),
        ({"space": SPACE, "zone": 0}, "zone is 0"),
        ({"space": SPACE, "confidence": 1}, "confidence is 1"),
        ({"space": {"learning_rat": [1]}}, "did you mean 'learning_rate'"),
    ],
)
def test_what_can_not_be_is_said(given, sentence, digits):
    with pytest.raises(UserError, match=sentence):
        nnjax.search(CONFIG, digits, **given)


def test_patience_makes_no_losers(digits):
    config = nnjax.config.replace(CONFIG, {"patience": 1, "epochs": 8})
    space = {"learning_rate": [0.5, 0.4, 0.3], "batch_size": [32]}
    found = nnjax.search(config, digits, space, sampler="grid", seeds=3, fresh=0, progress=False)
    assert (found.status == "stopped").any()
    said = json.loads(found.attrs["search"])
    assert np.isfinite(said["score"])
    assert int(found.contender.sum()) > 1


def test_a_search_says_which_fields_are_set_and_how_much_each_matters(digits):
    config = Config(epochs=2, hidden=(8,), batch_size=64)
    space = {
        "init": ["xavier_uniform", "he_normal"],
        "learning_rate": "log_uniform(1e-5, 1)",
        "weight_decay": "when(init, he_normal, log_uniform(1e-5, 1e-2))",
    }
    results = nnjax.search(config, digits, space, samples=20, seeds=2, fresh=0, progress=False)
    assert results.field.values.tolist() == ["init", "learning_rate", "weight_decay"]
    assert results.is_set.sel(field="learning_rate").all()
    np.testing.assert_array_equal(results.is_set.sel(field="weight_decay"), results.init == "he_normal")
    assert (results.importance_low <= results.importance).all()
    assert (results.importance <= results.importance_high).all()
    assert str(results.field[int(results.importance.values.argmax())].values) == "learning_rate"
    assert json.loads(results.attrs["search"])["mattered_most"] in ("learning_rate", None)


def test_a_setting_with_a_diverged_run_counts_as_the_lowest(monkeypatch):
    space = parse_space({"learning_rate": "log_uniform(1e-4, 1)"})
    results = make_search(24, space={"learning_rate": ""}, lost=[23])
    told = {}
    monkeypatch.setattr(measuring, "importance", lambda space, settings, scores: told.update(scores=scores))
    measuring.with_importance(
        results, space, [{"learning_rate": rate} for rate in results.learning_rate.values], {}
    )
    means = results.valid_accuracy.isel(epoch=-1).mean("seed").values
    np.testing.assert_allclose(told["scores"][:23], means[:23], rtol=1e-6)
    assert told["scores"][23] == told["scores"][:23].min()
