"""The selection keeps its promise on made scores, and a rule that looks repeatedly without care doesn't."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from made_scores import kept, made
from nnjax.search import selection
from nnjax.search.scores import Floats
from nnjax.search.selection import KimNelson, select
from nnjax.validation import UserError

CONFIDENCE = 0.9
ROUNDS = [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]


def scenario(settings: int, spread: str, correlation: float, zone: float, seeds: int) -> Floats:
    """The worst case: the first setting is ahead of all others by exactly the zone."""
    spreads = {
        "equal": np.full(settings, 1.0),
        "best steady": np.linspace(0.5, 1.5, settings),
        "best noisy": np.linspace(1.5, 0.5, settings),
    }
    means = np.where(np.arange(settings) == 0, zone, 0.0)
    return made(means, spreads[spread], correlation, seeds)


def right(scores: Floats, zone: float, looks: Any, first: int = 8) -> Floats:
    alive, end = select(scores, zone, CONFIDENCE, first=first, looks=looks)
    assert (end > 0).mean() > 0.99
    return (end == 0) | (alive[:, 0] & (alive.sum(axis=1) == 1))


@pytest.mark.parametrize("correlation", [0, 0.7, -0.7])
@pytest.mark.parametrize("spread", ["equal", "best steady", "best noisy"])
@pytest.mark.parametrize(("settings", "zone", "seeds"), [(2, 0.4, 512), (5, 0.9, 128)])
def test_the_best_is_selected_at_the_stated_rate(
    settings: int, zone: float, seeds: int, spread: str, correlation: float
) -> None:
    scores = scenario(settings, spread, correlation, zone, seeds)
    assert kept(right(scores, zone, [n for n in ROUNDS if n <= seeds]), CONFIDENCE)


@pytest.mark.slow
@pytest.mark.parametrize("looks", [range(8, 513), ROUNDS])
@pytest.mark.parametrize("correlation", [0, 0.7, -0.7])
@pytest.mark.parametrize("spread", ["equal", "best steady", "best noisy"])
@pytest.mark.parametrize("settings", [2, 5, 20])
def test_the_best_is_selected_at_the_stated_rate_seed_by_seed(
    settings: int, spread: str, correlation: float, looks: Any
) -> None:
    zone = 0.4 if settings < 20 else 0.7
    scores = scenario(settings, spread, correlation, zone, 512)
    assert kept(right(scores, zone, looks), CONFIDENCE)


def test_the_best_of_twenty_is_selected_at_the_stated_rate() -> None:
    assert kept(right(scenario(20, "best noisy", 0, 1.5, 64), 1.5, [8, 12, 16, 24, 32, 48, 64]), CONFIDENCE)


def test_the_promise_is_not_far_from_what_is_kept() -> None:
    """Seed by seed, with a small zone, the rate comes near the confidence: the procedure wastes little."""
    rate = right(scenario(2, "equal", 0, 0.3, 900), 0.3, range(8, 901)).mean()
    assert CONFIDENCE - 0.02 < rate < CONFIDENCE + 0.05


def test_half_the_height_would_break_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    true = selection.eta
    scores = scenario(2, "equal", 0, 0.3, 900)
    assert kept(right(scores, 0.3, range(8, 901)), CONFIDENCE)
    monkeypatch.setattr(selection, "eta", lambda *given: true(*given) / 2)
    assert not kept(right(scores, 0.3, range(8, 901)), CONFIDENCE)


def test_an_ordinary_interval_looked_at_repeatedly_would_break_the_promise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dropped is who an ordinary t-interval of the paired difference shows to be behind, at any look."""

    def ordinary(spread: Floats, seeds: int, zone: float, height: float, first: int) -> Floats:
        quantile = stats.t.ppf(1 - (1 - CONFIDENCE) / 2, first - 1)
        return np.asarray(seeds * quantile * np.sqrt(spread / seeds))

    scores = scenario(20, "equal", 0, 0.4, 512)[:, :, :256]
    monkeypatch.setattr(selection, "reaches", ordinary)
    alive, _ = select(scores, 0.4, CONFIDENCE, looks=[8, 12, 16, 24, 32, 48, 64, 96, 128])
    assert not kept(alive[:, 0], CONFIDENCE)


def test_the_formulas() -> None:
    # ½ ((2 · 0.05 / 4)^(−2/9) − 1) for K = 5, n₀ = 10
    assert selection.eta(5, 0.95, 10) == pytest.approx(0.5 * ((0.1 / 4) ** (-2 / 9) - 1))
    # E exp(−η χ²) / 2 = α / (K − 1): what η is chosen for
    chi = np.random.default_rng(0).chisquare(9, 10**6)
    assert np.exp(-selection.eta(5, 0.95, 10) * chi).mean() / 2 == pytest.approx(0.05 / 4, rel=0.02)
    reach = selection.reaches(np.array([[0, 2.0], [2, 0]]), 10, 0.5, 1.1, 8)
    h2 = 2 * 1.1 * 7
    assert reach[0, 1] == pytest.approx(10 * (0.5 / 20) * (h2 * 2 / 0.25 - 10))
    assert reach[0, 0] == 0


finite = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
tables = st.tuples(st.integers(1, 5), st.integers(4, 12)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=finite)
)


@given(tables, st.integers(1, 4), st.randoms(use_true_random=False))
def test_round_by_round_as_all_at_once_and_in_any_order_of_settings(
    scores: Floats, size: int, random: Any
) -> None:
    settings, seeds = scores.shape
    places = list(range(settings))
    random.shuffle(places)
    one, other = (KimNelson(settings, 10.0, first=4) for _ in range(2))
    looks = []
    for start in range(0, seeds, size):
        new = scores[:, start : start + size]
        alive = one.tell(new)
        other.tell(new[places])
        looks.append(start + new.shape[1])
        assert one.alive[places].tolist() == other.alive.tolist()
        assert one.decided == other.decided
        assert np.flatnonzero(one.alive).tolist() == alive.tolist()
        assert one.alive.any()
        assert one.alive[one.best]
    together, _ = select(scores, 10.0, first=4, looks=[n for n in looks if n >= 4])
    assert one.alive.tolist() == together.tolist()


def test_it_ends_when_it_says() -> None:
    scores = made([0, 0, 0], 1, 0, 400)[0]
    search = KimNelson(3, 0.3, first=8)
    assert search.most is None
    search.tell(scores[:, :8])
    most = search.most
    assert most is not None
    assert 8 < most < 400
    while not search.decided:
        search.tell(scores[:, search.seeds : search.seeds + 1])
    assert search.seeds <= most
    before = search.alive.tolist()
    assert search.tell(-scores[:, :8]).tolist() == np.flatnonzero(before).tolist()


def test_a_dropped_setting_drops_nobody() -> None:
    reach = np.full((3, 3), 0.5)
    alive = np.array([False, True, True])
    assert selection.surviving(alive, np.array([9, 1, 0.9]), reach).tolist() == [False, True, True]
    assert selection.surviving(alive, np.array([9, 1, 0.4]), reach).tolist() == [False, True, False]


def test_variances_are_of_the_first_stage_whatever_comes_with_it() -> None:
    scores = made([0, 0, 0], 1, 0, 20)[0]
    most = set()
    for size in (8, 12, 20):
        search = KimNelson(3, 0.1, first=8)
        search.tell(scores[:, :size])
        most.add(search.most)
    assert len(most) == 1


def test_equal_settings_all_survive_and_the_first_is_named() -> None:
    search = KimNelson(3, 0.1, first=2)
    assert search.tell([[0.9, 0.9], [0.8, 0.8], [0.9, 0.9]]).tolist() == [0, 2]
    assert search.decided
    assert search.best == 0


def test_one_setting_is_decided_before_it_starts() -> None:
    search = KimNelson(1, 0.1)
    assert search.decided
    assert search.tell([[0.5]]).tolist() == [0]


def test_one_seed_decides_nothing() -> None:
    search = KimNelson(2, 0.1, first=2)
    assert search.tell([[1], [0]]).tolist() == [0, 1]
    assert not search.decided


def test_who_diverges_is_dropped_while_another_does_not() -> None:
    nan = np.nan
    search = KimNelson(3, 0.5, first=2)
    assert search.tell([[9, nan], [1, 2.5], [2, 1]]).tolist() == [1, 2]
    assert not search.decided
    assert search.tell([[9, 9], [np.inf, 2], [2, 1]]).tolist() == [2]
    assert search.decided
    search = KimNelson(3, 0.5, first=2)
    assert search.tell([[9, nan], [nan, 3], [nan, nan]]).tolist() == [0, 1]
    assert search.decided
    assert search.best == 0


def test_rows_of_dropped_settings_do_not_count() -> None:
    scores = made([0, 0.1, -9], 1, 0, 12)[0]
    search = KimNelson(3, 0.1, first=8)
    assert search.tell(scores[:, :8]).tolist() == [0, 1]
    scores[2, 8:] = np.nan, 1e9, np.inf, 0
    assert search.tell(scores[:, 8:]).tolist() == [0, 1]
    assert search.seeds == 12


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"settings": 0}, "settings is 0, and must be at least 1"),
        ({"zone": 0}, "zone is 0, and must be more than 0"),
        ({"zone": -1.0}, "zone is -1.0, and must be more than 0"),
        ({"zone": float("nan")}, "zone is nan, and must be finite in 32 bits"),
        ({"zone": "small"}, "zone is 'small', and must be a number"),
        ({"confidence": 1}, "confidence is 1, and must be more than 0 and less than 1"),
        ({"confidence": 95}, "confidence is 95, and must be more than 0 and less than 1"),
        ({"first": 1}, "first is 1, and must be at least 2"),
        ({"first": 2.5}, "first is 2.5, and must be a whole number"),
    ],
)
def test_what_cannot_be_right_gets_a_sentence(given_: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        KimNelson(**{"settings": 2, "zone": 0.1, **given_})
    assert str(caught.value) == said


def test_scores_of_another_shape_get_a_sentence() -> None:
    search = KimNelson(2, 0.1)
    with pytest.raises(UserError, match=r"^scores have the shape \(2,\), and must be \[settings, seeds\]$"):
        search.tell([1, 2])
    with pytest.raises(UserError, match=r"^scores have 3 rows, and must have one for each of the 2 settings$"):
        search.tell(np.zeros((3, 4)))
    with pytest.raises(UserError, match=r"^looks has 4, and must be between first, 8, and 16 seeds$"):
        select(np.zeros((2, 16)), 0.1, looks=[4])
