"""Every field of the configuration is classified, and does what its class says."""

import dataclasses
import subprocess
import sys

import pytest

import nnjax
from nnjax.config import Config, replace
from nnjax.fields import DATA, FIXES_PROGRAM, NUMBERS
from nnjax.training.structure import Structure, hyperparameters

BASE = Config(hidden=(4, 4), init="normal(0.1)", schedule="linear", momentum=0.5, dropout=0.1)

OTHERS = {
    "model": {"model": "softmax_regression"},
    "hidden": {"hidden": (5,)},
    "activation": {"activation": "relu"},
    "residual": {"residual": True},
    "relu_logits": {"model": "softmax_regression", "relu_logits": True},
    "loss": {"loss": "mse"},
    "huber_delta": {"huber_delta": 2.0},
    "optimizer": {"optimizer": "adam", "momentum": 0},
    "nesterov": {"nesterov": True},
    "schedule": {"schedule": "cosine"},
    "batch_size": {"batch_size": 32},
    "shuffle": {"shuffle": False},
    "metrics": {"metrics": ("class_accuracy",)},
    "activation_slope": {"activation_slope": 2.0},
    "dropout": {"dropout": 0.2},
    "init": {"init": "he_normal"},
    "learning_rate": {"learning_rate": 0.2},
    "layer_rates": {"layer_rates": (1, 2, 3)},
    "weight_decay": {"weight_decay": 0.5},
    "momentum": {"momentum": 0.9},
    "beta_1": {"beta_1": 0.8},
    "beta_2": {"beta_2": 0.99},
    "epsilon": {"epsilon": 1e-6},
    "schedule_end": {"schedule_end": 0.5},
    "warmup_epochs": {"warmup_epochs": 1},
    "epochs": {"epochs": 3},
    "patience": {"patience": 2},
    "monitor": {"monitor": "valid_loss"},
    "init_seed": {"init_seed": 3},
    "data_seed": {"data_seed": 3},
}
"""A change of each field that shows in a plan; of schedule_steps alone the numbers show it, and seeds are runs."""

ADAM = {"optimizer": "adam", "momentum": 0}
BASES = {"relu_logits": {"model": "softmax_regression"}, "beta_1": ADAM, "beta_2": ADAM, "epsilon": ADAM}
"""What a field needs to be changed at all."""


def test_every_field_is_in_one_class():
    classified = [*FIXES_PROGRAM, *NUMBERS, *DATA]
    assert sorted(classified) == sorted(item.name for item in dataclasses.fields(Config))


def test_every_field_is_changed_below():
    rest = {"model_attributes", "schedule_steps", "seeds", "data"}
    assert set(OTHERS) == {item.name for item in dataclasses.fields(Config)} - rest


@pytest.mark.parametrize("field", [field for field in OTHERS if field != "huber_delta"])
def test_a_field_does_what_its_class_says(digits, field):
    base = replace(BASE, BASES.get(field, {}))
    changed = replace(base, OTHERS[field])
    groups = nnjax.plan(base, digits, [{}, OTHERS[field]]).groups
    assert len(groups) == (2 if field in FIXES_PROGRAM else 1) or field == "relu_logits"
    structures = [Structure.of(config, 10, 64) for config in (base, changed)]
    if field in FIXES_PROGRAM and field != "batch_size":
        assert structures[0] != structures[1]
    if field in NUMBERS:
        assert structures[0] == structures[1]


def test_deltas_of_huber_are_two_structures_and_of_other_losses_one():
    def structures(loss):
        configs = (replace(BASE, {"loss": loss, "huber_delta": delta}) for delta in (1, 2))
        return [Structure.of(config, 3, 64, "regression") for config in configs]

    assert len(set(structures("huber"))) == 2
    assert len(set(structures("mse"))) == 1


def test_a_number_is_an_input_of_the_program(digits):
    fields = (
        "activation_slope",
        "dropout",
        "learning_rate",
        "weight_decay",
        "momentum",
        "schedule_end",
        "monitor",
    )
    for field in fields:
        changed = replace(BASE, OTHERS[field])
        structure = Structure.of(BASE, 10, 64)
        one, other = (hyperparameters(config, structure, 100) for config in (BASE, changed))
        assert getattr(one, field) != getattr(other, field)
    assert hyperparameters(replace(BASE, {"schedule_steps": 5}), structure, 100).schedule_steps == 5


def test_a_plan_starts_no_device_of_its_own():
    code = """
import nnjax
from nnjax.engine import devices
print(nnjax.plan(nnjax.Config(), axes={"hidden": [4, 8]}))
assert not devices._clients, devices._clients
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_20000_settings_are_told_apart_by_hash_and_not_each_with_each(digits, monkeypatch):
    """As many comparisons as settings, not their square."""
    compared = 0
    equal = Config.__eq__

    def counting(self, other):
        nonlocal compared
        compared += 1
        return equal(self, other)

    monkeypatch.setattr(Config, "__eq__", counting)
    rates = [0.001 + 1e-6 * i for i in range(3000)]
    assert nnjax.plan(BASE, digits, {"learning_rate": rates}, seeds=1).runs == 3000
    assert compared < 3000
