"""What a sweep will do, before any of it is done."""

import dataclasses
import re

import pytest

import nnjax
from nnjax.config import Config, of_task
from nnjax.engine.plan import groups_of

SMALL = Config(hidden=(8,), init="he_normal", learning_rate=0.5, epochs=2)


@pytest.mark.parametrize("runs_per_call", [0, -1, 2.5, "4", True])
def test_runs_at_a_time_are_a_count(digits, runs_per_call):
    with pytest.raises(ValueError, match=r"runs_per_call is .* and must be"):
        nnjax.plan(SMALL, digits, runs_per_call=runs_per_call)


def test_the_plan_says_how_many_runs_a_device_takes_at_a_time(digits):
    assert "3 at a time on each" in str(nnjax.plan(SMALL, digits, seeds=6, runs_per_call=3))


def test_a_batch_larger_than_the_training_data_gets_a_sentence(digits):
    with pytest.raises(ValueError, match=re.escape("batch_size is 2000, and must be at most 11")):
        nnjax.plan(Config(batch_size=2000), digits)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (Config(layer_rates=[1, 1, 1]), "layer_rates has 3 factors, and the network has 2 layers"),
        (
            Config(model="softmax_regression", layer_rates=[1, 1]),
            "layer_rates has 2 factors, and the network has 1 layers",
        ),
    ],
    ids=["mlp", "softmax_regression"],
)
def test_rates_of_another_number_of_layers_than_the_network_has_get_a_sentence(digits, config, words):
    with pytest.raises(ValueError, match=words) as caught:
        nnjax.plan(config, digits)
    assert "\n" not in str(caught.value)


def test_settings_can_each_have_data_of_their_own(digits):
    few = dataclasses.replace(digits, train=(digits.train.x[:70], digits.train.y[:70]))
    folds = [nnjax.DataConfig(folds=2, fold=fold) for fold in (0, 1)]
    base = of_task(Config(batch_size=32, init_seed=0), digits.task)
    settings = [
        dataclasses.replace(base, data=folds[fold], hidden=(width,), data_seed=seed)
        for seed, (fold, width) in enumerate([(0, 8), (1, 8), (0, 9), (1, 9)])
    ]
    groups = groups_of(settings, dict(zip(folds, (digits, few), strict=True)))
    runs = {run.setting: (run.data_seed, len(group.data.train.y)) for group in groups for run in group.runs}
    assert runs == {0: (0, len(digits.train.y)), 1: (1, 70), 2: (2, len(digits.train.y)), 3: (3, 70)}
    with pytest.raises(ValueError, match="batch_size is 99, and must be at most 70"):
        groups_of([dataclasses.replace(settings[1], batch_size=99)], {folds[1]: few})


def test_the_plan_counts_what_will_happen(digits):
    words = str(
        nnjax.plan(
            Config(momentum=0.9),
            digits,
            {"learning_rate": [1, 0.1], "hidden": [(16,), (4,)]},
            seeds=5,
            share=False,
        )
    )
    assert "4 settings × 5 seeds = 20 runs in 2 groups" in words
    assert "2 compilations" in words
    assert "mlp 64-16-10" in words
    parameters = 64 * 16 + 16 + 16 * 10 + 10
    assert f"{parameters:,} parameters a run" in words
    assert f"{3 * 4 * 10 * parameters / 1000:.3g} kB of state" in words  # weights, the best, and velocities


def test_a_shared_program_is_one_compilation(digits):
    words = str(nnjax.plan(SMALL, digits, {"hidden": [(16,), (40,)], "batch_size": [32, 20]}, seeds=5))
    assert "4 settings × 5 seeds = 20 runs in 1 group, so 1 compilation" in words
    assert "mlp up to 64-48-10 (4 structures" in words
    assert "batch up to 32" in words
    assert f"up to {64 * 40 + 40 + 40 * 10 + 10:,} parameters a run" in words


def test_folds_are_counted_beside_settings_and_seeds():
    config = nnjax.Config(batch_size=16, data=nnjax.DataConfig("wine", folds=3))
    plan = nnjax.plan(config, axes={"data.fold": [0, 1, 2], "momentum": [0, 0.9]}, seeds=4)
    assert str(plan).startswith("2 settings × 3 folds × 4 seeds = 24 runs in ")


def test_crossed_seeds_are_counted_as_seeds(digits):
    axes = {"init_seed": [0, 1], "data_seed": [0, 1, 2], "learning_rate": [1, 0.1]}
    assert str(nnjax.plan(SMALL, digits, axes)).startswith("2 settings × 6 seeds = 12 runs in 1 group")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((SMALL, "digits"), "data is a str, and must be a nnjax.Dataset"),
        ((SMALL, {"learning_rate": [1]}), "data is a dict"),
        (({"epochs": 1},), "the configuration is a dict, and must be a nnjax.Config"),
    ],
)
def test_arguments_of_the_wrong_kind_get_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=words):
        nnjax.plan(*arguments)


def test_a_number_of_seeds_that_is_not_whole_gets_a_sentence(digits):
    with pytest.raises(ValueError, match=r"seeds is 2\.0, and must be a whole number"):
        nnjax.plan(SMALL, digits, seeds=2.0)


def test_copies_of_one_run_are_not_counted_as_many(digits):
    with pytest.raises(ValueError, match="fix both in all settings or in none"):
        nnjax.plan(SMALL, digits, [{"init_seed": 0, "data_seed": 0}, {"learning_rate": 1}], seeds=8)
