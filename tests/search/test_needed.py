"""Seeds by need: what is said holds at the stated rate in all rounds, and it takes few runs."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from made_scores import kept, made
from nnjax.search import needed as module
from nnjax.search.needed import Needed, _Look, _look, needed
from nnjax.search.scores import Floats, Ints
from nnjax.search.sequences import half_width, mixture
from nnjax.validation import UserError

RATES = [89.56, 78.4]
"""Mean accuracies of the learning-rate study, in percent, and of a harder one."""
HARD = [89.56, 89.4, 89.3, 89.26, 89.0, 88.2, 86.0, 78.4]
SPREADS = np.array([0.4, 0.5, 0.6, 0.4, 0.8, 1.0, 1.2, 1.5])


def rounds(
    scores: Floats,
    *,
    zone: float | None = None,
    half_width: float | None = None,
    confidence: float,
    most: int = 64,
) -> tuple[_Look, Ints]:
    """Many sweeps ``[…, K, S]`` that are given seeds until they need none: the last look, and runs ``[…, K]``."""
    runs = np.zeros(scores.shape[:-1], np.int64)
    last: _Look | None = None
    going = np.arange(len(scores))
    while going.size:
        seen = scores[going][..., : max(int(runs[going].max()), 1)]
        look = _look(seen, runs[going], zone, half_width, confidence, 4, most)
        last = last or look
        for whole, part in zip(last, look, strict=True):
            whole[going] = part
        runs[going] += look.add
        going = going[look.add.any(axis=-1)]
    assert last is not None
    return last, runs


def good(look: _Look, means: list[float], zone: float) -> Floats:
    """Whether what is said is true: the best is at most so far behind, and isn't called worse than another."""
    truth = np.asarray(means)
    behind = truth.max() - truth[look.best]
    return (behind <= look.behind) & (~look.reached | (behind <= zone)) & look.contenders[:, truth.argmax()]


@pytest.mark.parametrize("correlation", [0, 0.8, -0.8])
@pytest.mark.parametrize(
    ("means", "spread"),
    [
        ([0.6, 0.0], [1.0, 1.0]),
        ([0.0, 0.0], [0.5, 2.0]),
        ([0.6, 0, 0, 0, 0], [1, 1, 1, 1, 1]),
        ([0.8, 0.6, 0.4, 0, -2], [2, 1, 1, 0.5, 1]),
    ],
)
def test_what_is_said_in_all_rounds_is_true_at_the_stated_rate(
    means: list[float], spread: list[float], correlation: float
) -> None:
    scores = made(means, np.array(spread), correlation, 128)
    look, _ = rounds(scores, zone=0.58, confidence=0.8, most=128)
    assert kept(good(look, means, 0.58), 0.8)


def test_ordinary_intervals_would_break_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    means = [0.6, 0, 0, 0, 0]
    scores = made(means, 1, 0, 128)

    def ordinary(n: Ints, deviation: Floats, *, confidence: float, scale: float) -> Floats:
        quantile = stats.t.ppf(0.9, np.maximum(n - 1, 1))  # of 1 − 0.8, without regard to looks and pairs
        return np.asarray(np.where(n > 1, quantile * deviation / np.sqrt(n), np.inf))

    monkeypatch.setattr(module, "width_of", ordinary)
    look, _ = rounds(scores, zone=0.58, confidence=0.8, most=128)
    assert not kept(good(look, means, 0.58), 0.8)


@pytest.mark.parametrize("correlation", [0, 0.7])
def test_the_learning_rate_study_is_decided_with_a_tenth_of_the_runs_of_64_seeds(correlation: float) -> None:
    scores = made(RATES, np.array([0.4, 1.5]), correlation, 64, seed=5)
    look, runs = rounds(scores, zone=0.5, confidence=0.95)
    assert look.reached.all()
    assert (look.best == 0).all()
    assert runs.sum(axis=1).mean() < 0.1 * 2 * 64
    assert runs.sum(axis=1).max() < 0.5 * 2 * 64


@pytest.mark.parametrize(("correlation", "share"), [(0, 0.4), (0.7, 0.25)])
def test_eight_settings_near_each_other_take_fewer_than_half_the_runs(correlation: float, share: float) -> None:
    scores = made(HARD, SPREADS, correlation, 64, seed=5)
    look, runs = rounds(scores, zone=0.5, confidence=0.95)
    assert kept(good(look, HARD, 0.5), 0.95)
    assert look.reached.mean() > 0.97
    assert runs.sum(axis=1).mean() < share * 8 * 64


def test_widths_hold_together_at_the_stated_rate_and_are_reached() -> None:
    means = [1.0, 0.8, 0.0]
    scores = made(means, 1, 0.5, 256)
    runs = np.zeros(scores.shape[:-1], np.int64)
    right = np.full(len(scores), True)
    while True:
        look = _look(scores[..., : max(int(runs.max()), 1)], runs, None, 0.4, 0.8, 4, 256)
        truth = np.asarray(means)
        lead = truth[look.best][:, None] - truth
        at = look.best[:, None]
        own = np.take_along_axis(look.means - truth, at, 1), np.take_along_axis(look.own, at, 1)
        right &= (runs.max(axis=1) == 0) | (
            np.all(np.isnan(look.leads) | (np.abs(look.leads - lead) <= look.widths), axis=1)
            & (np.abs(own[0]) <= own[1])[:, 0]
        )
        if not look.add.any():
            break
        runs = runs + look.add
    assert look.reached.all()
    assert np.nanmax(look.widths) <= 0.4
    assert kept(right, 0.8)


finite = st.floats(-100, 100).map(lambda x: round(x, 2))
tables = st.tuples(st.integers(1, 5), st.integers(0, 9)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=finite)
)


def alike(one: Needed, other: Needed, places: list[int]) -> None:
    assert one.status == other.status
    assert one.add[places].tolist() == other.add.tolist()
    assert one.contenders[places].tolist() == other.contenders.tolist()
    assert one.behind == pytest.approx(other.behind, abs=1e-9)


@given(tables, st.data())
def test_no_order_of_the_settings_changes_anything(scores: Floats, data: Any) -> None:
    settings, seeds = scores.shape
    runs = np.array(data.draw(st.lists(st.integers(0, seeds), min_size=settings, max_size=settings)))
    places = data.draw(st.permutations(range(settings)))
    wanted = data.draw(st.sampled_from([{"zone": 5.0}, {"half_width": 5.0}, {"zone": 1.0, "half_width": 9.0}]))
    scores[data.draw(arrays(np.bool_, scores.shape, elements=st.integers(0, 9).map(lambda x: x == 0)))] = np.nan
    # Ties are broken by the order; there are none.
    scores += np.arange(settings)[:, None] * 1e-3 + 1e-5 * np.arange(settings)[:, None] ** 2
    found = needed(scores, runs=runs, **wanted, most=16)
    other = needed(scores[places], runs=runs[places], **wanted, most=16)
    alike(found, other, places)
    if np.isfinite(found.mean):
        assert places[other.best] == found.best
    assert found.add.shape == found.leads.shape == found.widths.shape == (settings,)
    assert np.all(found.add >= 0)
    assert np.all(runs + found.add <= 16)
    assert found.add.any() == (found.status == "more")
    assert np.isnan(found.leads[found.best])
    # Seeds that a setting doesn't have don't count.
    scores[np.arange(seeds) >= runs[:, None]] = data.draw(st.sampled_from([np.nan, 1e6]))
    alike(found, needed(scores, runs=runs, **wanted, most=16), list(range(settings)))


def test_the_rounds_double_up_to_the_most() -> None:
    scores = made([0, 0], 1, 0, 50)[0]
    sizes = [needed(scores[:, :n], zone=1e-3, first=3, most=50) for n in (0, 3, 6, 12, 24, 48, 50)]
    assert [found.add.tolist() for found in sizes] == [[n, n] for n in (3, 3, 6, 12, 24, 2, 0)]
    assert [found.status for found in sizes] == ["more"] * 6 + ["gave up"]
    assert 1e-3 < sizes[-1].behind < 1


def test_settings_that_are_decided_get_no_more_seeds() -> None:
    scores = made([0.0, 0.2, -50, -60], 1, 0, 16)[0]
    found = needed(scores, zone=0.1)
    assert found.add.tolist() == [16, 16, 0, 0]
    assert found.contenders.tolist() == [True, True, False, False]
    ragged = needed(scores, zone=0.1, runs=[16, 16, 8, 8])
    assert ragged.add.tolist() == [16, 16, 0, 0]


@pytest.mark.parametrize("runs", [[16, 8], [8, 16]])
def test_who_lacks_seeds_catches_up_first(runs: list[int]) -> None:
    scores = made([0.5, 0.0], 1, 0, 16)[0]
    for rows in (scores, scores[::-1]):
        assert needed(rows, zone=0.01, runs=runs).add.tolist() == [16 - n if n < 16 else 0 for n in runs]


def test_leads_are_over_common_seeds_and_share_the_error() -> None:
    """By the formulas, whether the best has more seeds than others or fewer."""
    scores = made([2.0, 0, 0, 0], 1, 0.5, 16)[0]
    for wanted, share, tight in (({"zone": 0.5}, 3, 8), ({"half_width": 0.5}, 10, 32)):
        level = 1 - 0.05 / share
        scale = mixture(tight, level)
        for runs in ([8, 8, 16, 12], [16, 12, 9, 16]):
            found = needed(scores, **wanted, runs=runs)
            assert found.best == 0
            for rival in (1, 2, 3):
                common = min(runs[0], runs[rival])
                lead = scores[0, :common] - scores[rival, :common]
                assert found.leads[rival] == pytest.approx(lead.mean())
                width = half_width(common, lead.std(ddof=1), confidence=level, scale=scale)
                assert found.widths[rival] == pytest.approx(width)
            own = scores[0, : runs[0]]
            assert found.mean == pytest.approx(own.mean())
            width = half_width(runs[0], own.std(ddof=1), confidence=level, scale=scale)
            assert found.width == pytest.approx(np.inf if "zone" in wanted else width)


def test_who_is_known_to_be_worse_does_not_count_among_those_ahead() -> None:
    """The third is known to be behind the second on 8 seeds, but not so surely behind the first."""
    first, second = made([0.0, 0.0], 1, 0, 64)[0]
    noise = 0.01 * np.cos(np.arange(64))
    found = needed([first, second, second - 1 + noise], zone=0.01, runs=[64, 64, 8])
    assert found.contenders.tolist() == [True, True, False]
    rival = 1 - found.best
    assert found.behind == pytest.approx(found.widths[rival] - found.leads[rival])
    assert found.behind < np.nanmax(found.widths - found.leads)


def test_equal_settings_are_within_any_zone() -> None:
    found = needed([[0.9] * 8, [0.9] * 8], zone=1e-6)
    assert (found.status, found.best, found.behind) == ("reached", 0, 0)
    assert needed([[0.9] * 3, [0.9] * 3], zone=1e-6).status == "more"  # two equal values say nothing of the spread


def test_one_setting_and_one_seed() -> None:
    assert needed([[0.9, 0.8, 0.7, 0.9]], zone=0.1).status == "reached"
    found = needed([[0.9]], half_width=0.1)
    assert (found.status, found.add.tolist(), found.width) == ("more", [3], math.inf)
    wide = needed([[0.9, 0.8] * 32], half_width=0.001)
    assert wide.status == "gave up"
    assert 0.001 < wide.width < 0.1
    assert needed([[0.9, 0.8] * 32], half_width=0.1).status == "reached"


def test_who_diverges_gets_no_more_seeds() -> None:
    nan = np.nan
    scores = np.array([[9, 9, 9, nan], [1, 2, 1, 2], [2, 1, 2, 1.1]])
    found = needed(scores, zone=0.1)
    assert found.add.tolist() == [0, 4, 4]
    assert found.contenders.tolist() == [False, True, True]
    assert np.isnan(found.leads[0])
    found = needed([[9, nan, nan, 9], [nan, 1, 1, 1]], zone=0.1)
    assert (found.status, found.best, found.add.tolist()) == ("diverged", 1, [0, 0])
    assert needed([[9, nan], [1, 2]], zone=0.1).add.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({}, "neither zone nor half_width is given, and one of them must say what to reach"),
        ({"zone": 0.0}, "zone is 0.0, and must be more than 0"),
        ({"half_width": -1}, "half_width is -1, and must be more than 0"),
        ({"zone": 1, "confidence": 1.5}, "confidence is 1.5, and must be more than 0 and less than 1"),
        ({"zone": 1, "first": 1}, "first is 1, and must be at least 2"),
        ({"zone": 1, "first": 8, "most": 4}, "most is 4, and must be at least 8"),
        ({"zone": 1, "runs": [1]}, "runs is [1], and must have from 0 to 4 for each setting of 2"),
        ({"zone": 1, "runs": [1, 9]}, "runs is [1, 9], and must have from 0 to 4 for each setting of 2"),
    ],
)
def test_what_cannot_be_right_gets_a_sentence(given_: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        needed(np.zeros((2, 4)), **given_)
    assert str(caught.value) == said
