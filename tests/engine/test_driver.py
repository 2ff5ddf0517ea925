"""The one loop and who drives it: whatever way runs are asked for, they are the same runs."""

import numpy as np
import pytest

from nnjax.config import Config
from nnjax.engine.driver import Driver, Fixed, Stretch
from nnjax.engine.loop import train
from nnjax.engine.plan import plan

CONFIG = Config(init="xavier_uniform", epochs=5, seeds=2)
AXES = {"hidden": [(5,), (6,), (4, 3)], "learning_rate": [1, 1e30]}


class Piecewise(Driver):
    """Asks for groups in some order, some epochs at a time, and may stop a run at the end of a stretch."""

    def __init__(self, groups, lengths, stops=None):
        self.left = list(groups)
        self.until = list(np.cumsum(lengths))
        self.stops = stops
        self.outcomes, self.standings, self.ends = [], [], []

    def ask(self):
        if not self.until or not self.left:
            return ()
        until = int(self.until.pop(0))
        return [Stretch(group, until, self.stops if self.standings else None) for group in self.left]

    def on_epoch(self, end):
        self.ends.append(end.epoch)

    def on_standing(self, standing):
        self.standings.append(standing)

    def on_outcome(self, group, outcome):
        self.left.remove(group)
        self.outcomes.append((group, outcome))


def of_runs(outcomes):
    """Curves and tests by setting and seed."""
    return {
        (run.setting, run.seed_index): {
            **{name: values[index] for name, values in outcome.epochs.items()},
            **{name: values[index] for name, values in outcome.test.items()},
            "best_epoch": outcome.best_epoch[index],
            "diverged_epoch": outcome.diverged_epoch[index],
            "stopped_epoch": outcome.stopped_epoch[index],
        }
        for group, outcome in outcomes
        for index, run in enumerate(group.runs)
    }


@pytest.fixture(scope="module")
def groups(digits):
    return plan(CONFIG, digits, AXES).groups


@pytest.fixture(scope="module")
def whole(groups):
    driver = Fixed(groups)
    train(driver)
    assert [group for group, _ in driver.outcomes] == list(groups)
    return of_runs(driver.outcomes)


@pytest.mark.parametrize("lengths", [(5,), (1, 3, 1), (2, 3)])
@pytest.mark.parametrize("turned", [False, True])
def test_stretches_and_the_order_of_groups_change_no_run(groups, whole, lengths, turned):
    driver = Piecewise(reversed(groups) if turned else groups, lengths)
    train(driver)
    found = of_runs(driver.outcomes)
    assert found.keys() == whole.keys()
    for run, values in whole.items():
        for name, value in values.items():
            np.testing.assert_array_equal(found[run][name], value)
    assert max(driver.ends) == 5
    last = {standing.group: standing for standing in driver.standings}
    for group in groups:
        of_group = [found[run.setting, run.seed_index] for run in group.runs]
        diverged = [values["diverged_epoch"] > 0 for values in of_group]
        assert np.isnan(last[group].best).tolist() == diverged
        assert last[group].trained == sum(int(np.isfinite(values["train_loss"]).sum()) for values in of_group)


def test_runs_that_a_stretch_stops_keep_what_they_have(groups, whole):
    driver = Piecewise(groups, (2, 3), stops=[0])
    train(driver)
    found = of_runs(driver.outcomes)
    stopped = {(group.runs[0].setting, group.runs[0].seed_index) for group in groups}
    for run, values in whole.items():
        last = 2 if run in stopped else 5
        np.testing.assert_array_equal(found[run]["train_loss"][:last], values["train_loss"][:last])
        assert np.isnan(found[run]["train_loss"][last:]).all()
        assert found[run]["stopped_epoch"] == (2 if run in stopped and not values["diverged_epoch"] else 0)


def test_it_ends_at_once_and_something_has_begun(groups):
    driver = Fixed(groups)
    train(driver, ends=lambda: "the clock")
    ((group, outcome),) = driver.outcomes
    assert group is groups[0]
    assert outcome.epochs["train_loss"].shape[1] in (1, 2)
    assert set(outcome.stopped_epoch[outcome.diverged_epoch == 0]) <= {1, 2}


def test_who_asks_for_nothing_trains_nothing():
    driver = Driver()
    train(driver)
    assert driver.total == 0
