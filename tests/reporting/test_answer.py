"""What a result says in a few sentences."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from made_results import RATES, make_results, with_accuracies
from made_search import IMPORTANCE, make_search
from nnjax.reporting.answer import conclusion
from nnjax.results import stats


def test_conclusion_by_hand() -> None:
    # The second is chosen on validation; on the test set it leads by 0.01, 0.02, 0.03 and 0.02.
    results = with_accuracies([[0.8], [0.9], [0.7]], [[0.90] * 4, [0.91, 0.92, 0.93, 0.92], [0.99] * 4])
    low, high = (100 * end for end in stats.interval([0.01, 0.02, 0.03, 0.02])[1:3])
    own = ", ".join(f"{100 * end:.2f}" for end in stats.interval([0.91, 0.92, 0.93, 0.92])[1:3])
    assert conclusion(results) == (
        "momentum 0.1 is the best of 3 settings, chosen on validation accuracy: its test accuracy is 92.00%, "
        f"95% interval [{own}], over 4 runs; none of the 12 runs diverged. Its lead over the next, momentum 0, "
        f"paired by seed, is 2.00 percentage points of test accuracy, 95% interval [{low:.2f}, {high:.2f}], "
        "over 4 runs: the interval excludes zero."
    )


@pytest.mark.parametrize(
    ("lead", "words"),
    [
        ([-0.02, -0.01, -0.03], "−2.00 percentage points .* the interval excludes zero"),
        ([-0.02, 0.01, 0.03], "0.67 percentage points .* the interval includes zero"),
        ([-0.0084, 0.0, 0.0], r"−0.28 percentage points .*, 0.00\], over 3 runs: the interval includes zero"),
        ([0.0, 0.0, 0.0], r"0.00 percentage points .* \[0.00, 0.00\], over 3 runs: the interval includes zero"),
    ],
)
def test_conclusion_says_whether_the_interval_excludes_zero(lead: list[float], words: str) -> None:
    results = with_accuracies([[0.9], [0.8]], [np.array(lead) + 0.5, [0.5] * 3])
    assert re.search(words, conclusion(results))


def test_conclusion_of_one_seed_has_no_interval() -> None:
    words = conclusion(with_accuracies([[0.9], [0.8]], [[0.75], [0.5]]))
    assert "75.00%, from one run, so without an interval; none of the 2 runs diverged" in words
    assert words.endswith("is 25.00 percentage points of test accuracy, from one run, so without an interval.")


def test_conclusion_pairs_the_runs_that_finished() -> None:
    results = with_accuracies([[0.9], [0.8]], [[0.7, 0.8, 0.9], [0.6, 0.6, 0.6]], diverged={(1, 1): 3})
    words = conclusion(results)
    assert "1 of the 6 runs diverged, with momentum 0.1." in words
    assert "is 20.00 percentage points" in words
    assert "over 2 runs" in words


def test_conclusion_where_the_next_has_no_finished_run() -> None:
    results = with_accuracies([[0.9], [0.8]], [[0.7], [0.6]], diverged={(1, 0): 1})
    words = conclusion(results)
    assert words.endswith("The next, momentum 0.1, has no finished run with a seed of the best.")


def test_conclusion_of_one_setting_and_of_none_that_finished() -> None:
    assert re.fullmatch(
        r"The test accuracy is \d+\.\d\d%, 95% interval \[.*\], over 7 runs; 1 of the 8 runs diverged\.",
        conclusion(make_results(diverged={(0,): 2})),
    )
    nothing = make_results(RATES, seeds=1, diverged={(rate, 0): 1 for rate in range(4)})
    assert conclusion(nothing) == "There is nothing to compare: all 4 runs diverged."
    assert conclusion(make_results(seeds=1)).endswith("so without an interval; the run finished.")


def test_conclusion_says_when_the_best_by_validation_is_behind_on_the_test_set() -> None:
    behind = conclusion(with_accuracies([[0.9, 0.9], [0.8, 0.8]], [[0.5, 0.51], [0.6, 0.6]]))
    assert behind.endswith("On the test set it is behind.")
    ahead = conclusion(with_accuracies([[0.9, 0.9], [0.8, 0.8]], [[0.6, 0.6], [0.5, 0.51]]))
    assert "behind" not in ahead


def test_conclusion_has_no_negative_zero() -> None:
    same = conclusion(with_accuracies([[0.9, 0.9], [0.8, 0.8]], [[0.5, 0.6], [0.500001, 0.600001]]))
    assert "is 0.00 percentage points" in same


def test_conclusion_says_how_many_were_stopped() -> None:
    words = conclusion(make_results(RATES, seeds=3, stopped={(1, 0): 2, (1, 1): 1}, diverged={(2, 0): 1}))
    assert (
        "1 of the 12 runs diverged, with learning_rate 0.05, and 2 were stopped before the last epoch, which"
        in words
    )
    words = conclusion(make_results(RATES, seeds=1, stopped={(1, 0): 2}))
    assert "none of the 4 runs diverged, and 1 was stopped before the last epoch, which saved" in words
    assert conclusion(make_results(seeds=1, stopped={(0,): 2})).endswith(
        "the run was stopped, which saved 3 of the 5 epochs (60%)."
    )


def at_chance(test: Any, chance: object, **arguments: Any) -> str:
    results = with_accuracies([[0.9 - place / 10] for place in range(len(test))], test, **arguments)
    results.attrs["chance"] = chance
    return conclusion(results)


CHANCE = "can't be told from chance"


@pytest.mark.parametrize(
    ("best", "said"),
    [
        ([0.08, 0.10, 0.12], True),
        ([0.05, 0.05, 0.05], True),  # below
        ([0.08, 0.15, 0.85], True),  # the interval includes it
        ([0.109, 0.109, 0.109], True),  # within a percentage point
        ([0.12, 0.121, 0.122], False),
        ([0.7, 0.8, 0.9], False),
        ([0.105], True),
        ([0.2], False),
    ],
)
def test_conclusion_says_where_even_the_best_is_at_chance(best: list[float], said: bool) -> None:
    words = at_chance([best, [0.9] * len(best)], 0.1)
    assert (CHANCE in words) == said
    if said:
        assert words.endswith(
            " Even the best can't be told from chance, 10.00%, the share of the commonest class: "
            "a larger learning rate, more epochs or another initialisation might help."
        )


def test_conclusion_says_of_one_setting_that_it_is_at_chance() -> None:
    assert re.search(r"diverged\. It can't be told from chance, 10\.00%", at_chance([[0.1, 0.1]], np.float64(0.1)))


@pytest.mark.parametrize("chance", [float("nan"), "unknown", [0.1, 0.2]])
def test_conclusion_says_nothing_of_a_chance_that_is_none(chance: object) -> None:
    assert CHANCE not in at_chance([[0.1, 0.1], [0.1, 0.1]], chance)
    assert CHANCE not in conclusion(with_accuracies([[0.9], [0.8]], [[0.1], [0.1]]))


def test_conclusion_where_no_run_has_an_accuracy_yet() -> None:
    results = make_results(RATES, seeds=2, stopped={(rate, seed): 0 for rate in range(4) for seed in range(2)})
    results["best_epoch"] = results["best_epoch"] * 0
    assert conclusion(results) == (
        "There is nothing to compare: none of the 8 runs diverged, and 8 were stopped before the last epoch, "
        "which saved 40 of the 40 epochs (100%)."
    )


def test_a_setting_without_any_accuracy_is_not_the_best() -> None:
    results = make_results(RATES, seeds=2, diverged={(rate, 0): 1 for rate in range(4)})
    results["best_epoch"][1] = 0
    results["status"][1] = "stopped"
    assert [setting.place for setting in stats.rank(results)] == [0, 2, 3, 1]


def searched(
    fresh: Sequence[float] | None = (0.9, 0.92),
    contenders: Sequence[bool] = (False, True, True),
    stopped: Mapping[tuple[int, ...], int] | None = None,
    **said: Any,
) -> xr.Dataset:
    """The results of a search of three settings with two seeds, of which the second is the best."""
    results = with_accuracies([[0.8], [0.9], [0.7]], [[0.9, 0.9], [0.91, 0.93], [0.99, 0.99]], stopped=stopped)
    results["contender"] = ("momentum", list(contenders))
    said = {"best": 1, "score": 0.9, "optimism": 0.012, "confidence": 0.95, "zone": 0.005, **said}
    if fresh is not None:
        results["fresh_test_accuracy"] = ("fresh_seed", list(fresh))
        said["fresh_seeds"] = list(range(2, 2 + len(fresh)))
    return results.assign_attrs(search=json.dumps(said))


def test_conclusion_of_a_search_by_hand() -> None:
    half = 100 * float(scipy.stats.t.ppf(0.975, 1)) * 0.01
    assert conclusion(searched()) == (
        "momentum 0.1 is the best of 3 settings, chosen on validation accuracy: 90.00%, of which some 1.20 "
        "percentage points are the optimism of choosing the highest. With 2 fresh seeds its test accuracy is "
        f"91.00% ± {half:.2f}, its 95% t-interval. 1 other setting may be the best too, at 95% confidence; "
        "differences within 0.50 points count as none. None of the 6 runs diverged."
    )


def test_conclusion_says_what_was_monitored() -> None:
    results = searched(score=0.25, optimism=0.0123, zone=0.05)
    results["valid_loss"].values[...] = np.array([0.5, 0.25, 0.75]).reshape(3, 1, 1)
    results["best_epoch"].attrs |= {"monitor": "valid_loss", "better": "lower"}
    assert conclusion(results).startswith(
        "momentum 0.1 is the best of 3 settings, chosen on validation loss: 0.25, too low by 0.0123, the optimism "
        "of choosing the lowest. With 2 fresh seeds"
    )
    assert "differences within 0.05 count as none." in conclusion(results)
    del results.attrs["search"]
    assert "chosen on validation loss: its test accuracy is" in conclusion(results)


def test_conclusion_of_a_sweep_says_what_stopping_saved() -> None:
    results = with_accuracies([[0.8], [0.9]], [[0.9, 0.9], [0.9, 0.9]], stopped={(0, 0): 1, (1, 1): 3})
    words = "none of the 4 runs diverged, and 2 were stopped before the last epoch, which saved 6 of the 20 epochs"
    assert f"{words} (30%). Its lead" in conclusion(results)
    alone = with_accuracies([[0.8]], [[0.9]], stopped={(0, 0): 2})
    assert "the run was stopped, which saved 3 of the 5 epochs (60%)." in conclusion(alone)


def test_conclusion_of_a_search_says_what_stopping_saved() -> None:
    results = searched(stopped={(0, 0): 1, (0, 1): 1, (2, 0): 3}, contenders=(False, True, False))
    assert results.sizes["epoch"] == 5
    words = conclusion(results)
    # Of 30 epochs 4, 4 and 2.
    assert "No other setting may be the best, at 95% confidence, those stopped early taken for worse." in words
    assert words.endswith("and 3 were stopped before the last epoch, which saved 10 of the 30 epochs (33%).")
    assert "saved" not in conclusion(results.assign_attrs(ended="Ctrl-C ended the training"))


@pytest.mark.parametrize(
    ("results", "words"),
    [
        (searched(fresh=None), r"It wasn.t trained with fresh seeds; with those of .* 92.00%, 95% int"),
        (searched(fresh=[0.9]), r"With 1 fresh seed its test accuracy is 90.00%\."),
        (searched(fresh=[0.9, 0.9, np.nan]), r"With 3 fresh .* 90.00% ± 0.00, .*; 1 of these runs diverged\."),
        (searched(fresh=[np.nan, np.nan]), r"With 2 fresh seeds it diverged\."),
        (searched(optimism=float("nan")), "90.00%, of whose optimism nothing is known"),
        (searched(optimism=float("nan"), contenders=[False, True, False]), "Which others may .* isn't known"),
        (searched(contenders=[True] * 3, confidence=0.9), "2 other settings may be .* too, at 90% confidence"),
    ],
)  # fmt: skip
def test_conclusion_of_a_search_says_what_there_is(results: xr.Dataset, words: str) -> None:
    assert re.search(words, conclusion(results))


def test_a_part_of_a_searchs_results_is_described_as_any() -> None:
    results = searched()
    for part in (results.isel(momentum=[1, 2]), results.drop_vars("contender"), results.assign_attrs(search="no")):
        assert "Its lead over the next" in conclusion(part)


def test_conclusion_of_a_search_names_the_field_that_mattered_most() -> None:
    words = conclusion(make_search(24, importance=IMPORTANCE, most="learning_rate"))
    assert (
        "differences within 0.50 points count as none. Of the fields, learning_rate mattered most: some 81% of "
        "the variance of the validation accuracy goes with it, 95% interval [60, 100]. None of the 72 runs "
        "diverged."
    ) in words
    assert "mattered" not in conclusion(make_search(24, importance=IMPORTANCE))
    assert "mattered" not in conclusion(make_search(24))
