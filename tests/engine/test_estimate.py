"""How long a plan will take: the model of seconds against counts by hand, and what the sentence says."""

import dataclasses
import math

import hypothesis
import jax
import pytest
from hypothesis import strategies as st

import nnjax
from nnjax.config import Config
from nnjax.engine import estimate as module
from nnjax.engine.estimate import Estimate, Seconds, estimate
from nnjax.engine.speed import Speed, calibrate

SPEED = Speed(devices=2, rate=1e9, step=4.5e-6, compiling=0.1, cores=2)
PRODUCTS = SPEED._replace(step=0.0)
"""A machine on which nothing but products takes time."""
SMALL = Config(hidden=(32,), batch_size=64, epochs=3, init="he_normal")


@pytest.fixture
def uncalibrated(monkeypatch):
    """Nothing is measured with this."""
    monkeypatch.setattr(module, "calibrate", lambda plan: SPEED)


def test_products_take_their_operations_over_the_rate(digits):
    plan = nnjax.plan(SMALL, digits, seeds=4)
    train, valid, test = (len(split.y) for split in (digits.train, digits.valid, digits.test))
    forward = 2 * (64 * 32 + 32 * 10)  # an example
    step = 64 * (3 * forward - 2 * 64 * 32)  # the inputs have no gradient
    run = 3 * (math.ceil(train / 64) * step + valid * forward) + 2 * test * forward
    assert estimate(plan, PRODUCTS).training == pytest.approx(4 * run / 2 / 1e9)  # two devices
    one = nnjax.plan(SMALL, digits, seeds=1)
    assert estimate(one, PRODUCTS).training == pytest.approx(run / 1e9)


def test_parts_of_a_shared_program_are_padded(digits):
    plan = nnjax.plan(SMALL, digits, [{"hidden": (width,), "batch_size": 48} for width in (20, 31, 32)], seeds=2)
    (group,) = plan.groups
    network, rows = group.shared.structure.network, group.shared.rows
    forward = 2 * (64 * network.hidden[0] + network.hidden[0] * 10)
    parts = math.ceil(len(digits.train.y) / 48) * math.ceil(48 / rows) + math.ceil(len(digits.valid.y) / rows) / 3
    run = 3 * parts * rows * (3 * forward - 2 * 64 * network.hidden[0]) + 2 * len(digits.test.y) * forward
    found = estimate(plan, PRODUCTS)
    assert found.training == pytest.approx(6 * run / 2 / 1e9)
    own = estimate(nnjax.plan(SMALL, digits, seeds=2), PRODUCTS)
    assert found.compiling < own.compiling


@hypothesis.settings(max_examples=15)
@hypothesis.given(st.integers(1, 8), st.integers(1, 20), st.sampled_from([{}, {"optimizer": "adam"}]))
def test_more_of_anything_takes_longer(digits, seeds, epochs, fields):
    config = dataclasses.replace(SMALL, epochs=epochs, hidden=(300,), **fields)

    def training(config, seeds):
        return estimate(nnjax.plan(config, digits, seeds=seeds), SPEED).training

    least = training(config, seeds)
    assert training(config, seeds + 2) > least > 0  # on each device one
    assert training(dataclasses.replace(config, epochs=epochs + 1), seeds) > least
    assert training(dataclasses.replace(config, hidden=(300, 300)), seeds) > least
    assert training(dataclasses.replace(config, dropout=0.5), seeds) > least
    assert training(dataclasses.replace(config, optimizer="adam"), seeds) >= least


def test_groups_add_up(digits):
    widths = [(16,), (300,), (300, 20)]
    together = estimate(nnjax.plan(SMALL, digits, {"hidden": widths}, seeds=3, share=False), SPEED)
    alone = [
        estimate(nnjax.plan(dataclasses.replace(SMALL, hidden=width), digits, seeds=3), SPEED) for width in widths
    ]
    assert together.groups == tuple(found.groups[0] for found in alone)
    assert together.training == pytest.approx(sum(found.training for found in alone))
    assert together.compiling == pytest.approx(sum(found.compiling for found in alone))


def test_the_device_that_works_longest_is_waited_for(digits):
    mixed = nnjax.plan(SMALL, digits, {"epochs": [1, 5]}, seeds=1)  # a run on each
    longest = nnjax.plan(dataclasses.replace(SMALL, epochs=5), digits, seeds=1)
    assert estimate(mixed, SPEED).training == estimate(longest, SPEED).training


def test_units_scale_what_they_are_units_of(digits):
    plan = nnjax.plan(SMALL, digits, seeds=4)
    found = estimate(plan, SPEED)
    assert estimate(plan, SPEED._replace(compiling=0.2)).compiling == pytest.approx(2 * found.compiling)
    slow = estimate(plan, SPEED._replace(rate=0.5e9, step=9e-6))
    assert slow.training == pytest.approx(2 * found.training)
    busy = estimate(plan, SPEED._replace(busy=3.0))
    assert (busy.training, busy.compiling) == pytest.approx((3 * found.training, 3 * found.compiling))
    assert estimate(plan, SPEED._replace(cores=1)).compiling == pytest.approx(2 * found.compiling)


def test_compilation_beside_the_training_takes_cores_from_it():
    groups = (Seconds(4, 10), Seconds(4, 10), Seconds(2, 10))
    assert Estimate(groups, SPEED).total == 40
    assert Estimate(groups, SPEED._replace(cores=16)).total == 4 + 30 + 6 * 2 / 16
    assert Estimate(groups, SPEED._replace(cores=16, is_cpu=False)).total == 4 + 30
    short = tuple(Seconds(4, 0.1) for _ in range(5))
    assert Estimate(short, SPEED._replace(cores=16)).total == 4 + 16
    assert Estimate(groups[:1], SPEED).total == 14


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.3, "less than 1 s"),
        (1.4, "1 s"),
        (9.6, "10 s"),
        (43, "45 s"),
        (179, "180 s"),
        (181, "3 min"),
        (3000, "50 min"),
        (20000, "6 h"),
        (4e6, "1,110 h"),
    ],
)
def test_an_estimate_is_rounded_to_what_it_is_good_for(seconds, words):
    assert f"{words} of training" in str(Estimate((Seconds(1, seconds),), SPEED))


def test_the_sentence():
    assert str(Estimate((Seconds(5, 10), Seconds(3, 30)), SPEED)) == (
        "It takes about 50 s: 8 s of compilation, some of it beside the training, and about 40 s of training, as "
        "this machine (2 cpu devices) computes just now. Programs kept from an earlier start aren't compiled "
        "again, which is not counted here."
    )
    assert str(Estimate((Seconds(5, 10),), SPEED._replace(devices=1, is_cpu=False), at_most=True)) == (
        "It takes at most about 15 s: 5 s of compilation, and at most about 10 s of training, as this machine "
        "(1 device) computes just now. It is an upper bound, as some runs may stop early or not be needed. "
        "Programs kept from an earlier start aren't compiled again, which is not counted here."
    )
    assert "(2 cpu devices, which others keep busy)" in str(Estimate((Seconds(1, 1),), SPEED._replace(busy=2.0)))


@pytest.mark.usefixtures("uncalibrated")
def test_patience_makes_an_upper_bound(digits):
    patient = dataclasses.replace(SMALL, patience=2)
    assert nnjax.estimate(nnjax.plan(patient, digits, seeds=1)).at_most
    assert not nnjax.estimate(nnjax.plan(SMALL, digits, seeds=1)).at_most
    assert nnjax.estimate(nnjax.plan(SMALL, digits, seeds=1), at_most=True).at_most


def test_a_calibration_is_quick_and_a_plan_does_without(digits, monkeypatch, compilations):
    plan = nnjax.plan(dataclasses.replace(SMALL, hidden=(256,)), digits, seeds=2)
    str(plan)
    assert compilations == []
    speed = calibrate(plan)
    assert (speed.devices, speed.is_cpu) == (2, True)
    assert 1e8 < speed.rate < 1e13
    assert 1e-7 < speed.step < 1e-3
    assert 0 < speed.compiling < 30
    assert len(compilations) == 3
    monkeypatch.setattr(module, "calibrate", lambda plan: pytest.fail("it is measured"))
    assert estimate(plan, speed) == estimate(plan, speed)


@pytest.mark.parametrize(
    "config",
    [Config(model="softmax_regression"), Config(hidden=(16,)), Config(hidden=(700, 700), batch_size=1000)],
    ids=["softmax", "side_by_side", "threads"],
)
def test_whatever_is_planned_can_be_measured(digits, config, monkeypatch):
    monkeypatch.setattr("nnjax.engine.speed.MEASURED", 0.003)
    with jax.disable_jit(), jax.debug_nans(True), jax.enable_x64(True):
        speed = calibrate(nnjax.plan(config, digits, seeds=8 if config.hidden == (16,) else 1))
    assert math.isfinite(speed.rate)
    assert speed.rate > 1e7
