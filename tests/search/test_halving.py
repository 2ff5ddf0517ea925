import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnjax
from nnjax.config import Config
from nnjax.search.halving import Halving, Race, survivors
from nnjax.validation import UserError

SPACE = {"hidden": "layers(integers(1, 2), integers(4, 20))", "learning_rate": "log_uniform(0.001, 3)"}
CONFIG = Config(init="xavier_uniform", epochs=9, seeds=2)


def test_rungs_are_those_of_the_paper():
    # Table 1 of Li et al. (2018): R = 81, eta = 3.
    assert Halving(3).rungs(81) == (1, 3, 9, 27, 81)
    assert Halving(2, least=2).rungs(9) == (2, 4, 8, 9)
    assert Halving(3).rungs(1) == (1,)


def test_brackets_have_the_shares_of_the_paper():
    # Of Table 1, without its rounding: 81, 34, 15, 8, 5 settings begin in the five brackets.
    shares = np.array(Halving(3, brackets=5).shares(143, 81))
    assert shares.sum() == 143
    assert np.abs(shares - [81, 34, 15, 8, 5]).max() <= 1


@given(
    means=st.lists(st.integers(0, 50), min_size=1, max_size=30),
    diverged=st.sets(st.integers(0, 29)),
    factor=st.integers(2, 5),
)
def test_the_better_share_survives(means, diverged, factor):
    scores = {
        index: np.array([mean / 50, np.nan if index in diverged else mean / 50])
        for index, mean in enumerate(means)
    }
    kept = survivors(scores, factor)
    assert len(kept) == max(1, len(means) // factor)
    worst = min(kept, key=lambda index: (index not in diverged, means[index]))
    for index in set(scores) - set(kept):
        assert (index not in diverged, means[index]) <= (worst not in diverged, means[worst])
    turned = dict(reversed(scores.items()))
    assert survivors(turned, factor) == kept


def by_hand(results, halving, epochs):
    """What successive halving does, run by run, from the curves of runs that nobody stopped."""
    curves = results.valid_accuracy.values  # [setting, seed, epoch]
    alive, stopped = list(range(len(curves))), np.zeros(len(curves), int)
    for rung in halving.rungs(epochs)[:-1]:
        means = [curves[setting, :, :rung].max(axis=1).mean() for setting in alive]
        keep = max(1, len(alive) // halving.factor)
        best = sorted(np.argsort(-np.array(means), kind="stable")[:keep])
        for place, setting in enumerate(alive):
            if place not in best:
                stopped[setting] = rung
        alive = [alive[place] for place in best]
    return stopped


def test_a_search_stops_what_a_plain_loop_would_stop(digits):
    halving = Halving(3)
    whole = nnjax.search(CONFIG, digits, SPACE, samples=10, fresh=0, progress=False)
    raced = nnjax.search(CONFIG, digits, SPACE, samples=10, fresh=0, halving=halving, progress=False)
    expected = by_hand(whole, halving, 9)
    assert set(expected) == {0, 1, 3}
    np.testing.assert_array_equal(raced.stopped_epoch.values, np.repeat(expected[:, None], 2, axis=1))
    for setting, epochs in enumerate(expected):
        last = epochs or 9
        np.testing.assert_array_equal(
            raced.train_loss.values[setting, :, :last], whole.train_loss.values[setting, :, :last]
        )
        assert np.isnan(raced.train_loss.values[setting, :, last:]).all()
    assert (raced.contender.values == (expected == 0)).all()


def test_a_bracket_chooses_among_itself():
    race = Race(Halving(2, brackets=2), 6, 4)
    assert race.rungs == (1, 2, 4)
    scores = {setting: np.array([setting / 10]) for setting in range(6)}
    first = race(0, scores)
    assert first == {0, 1}
    assert list(race.bracket) == [0, 0, 0, 1, 1, 1]
    left = {setting: score for setting, score in scores.items() if setting not in first}
    assert race(1, left) == {3, 4}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Halving(1), "factor of a halving is 1, and must be a whole number from 2 on"),
        (lambda: Halving(least=0), "least of a halving is 0"),
        (lambda: Halving(least=10).rungs(9), "must be at most 9, the epochs"),
        (lambda: Halving(brackets=4).shares(9, 9), "must be at most 3, the rungs of 9 epochs"),
    ],
)
def test_what_can_not_be_is_said(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
