"""The table, the answer, the page and the folder of a result."""

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import xarray as xr

from made_results import CONFIG, KINDS, RATES, make_results
from nnjax.reporting import page
from nnjax.results import stats


@pytest.fixture(params=KINDS)
def results(request: pytest.FixtureRequest) -> xr.Dataset:
    return make_results(**KINDS[request.param])


def with_accuracies(valid: Any, test: Any, **arguments: Any) -> xr.Dataset:
    """A sweep over momentum whose runs have the given accuracies, [settings, seeds], at every epoch."""
    valid, test = np.broadcast_arrays(np.array(valid, float), np.array(test, float))
    momenta = [place / 10 for place in range(len(valid))]
    results = make_results({"momentum": momenta}, seeds=valid.shape[1], **arguments)
    results["valid_accuracy"].values[...] = valid[..., None]
    results["test_accuracy"] = results["test_accuracy"].dims, test
    return results


def cells(text: str) -> list[list[str]]:
    """The table without its note, split at two spaces."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.split("\n\n")[0].split("\n")]


def test_table_has_the_means_and_half_the_width_of_the_intervals() -> None:
    results = make_results(RATES, seeds=9, diverged={(0, 3): 2})
    head, *rows = cells(page.table(results))
    assert head == ["learning_rate", "training", "validation", "test", "runs", "diverged"]
    for rate, row in enumerate(rows):
        found = [f"{results.learning_rate.values[rate]:g}"]
        for split in ("train", "valid", "test"):
            runs = stats.accuracies(results)[split].values[rate]
            interval = stats.interval(runs)
            found.append(f"{100 * np.nanmean(runs):.2f} ± {50 * (interval.high - interval.low):.2f}")
        assert [row[0].strip("* "), *row[1:4]] == found or row[1:5] == found
        assert row[-2:] == ["9", "1" if rate == 0 else "0"]


def test_table_stars_the_best_setting_alone() -> None:
    results = make_results(RATES)
    lines = page.table(results).split("\n")
    assert [line[0] for line in lines[:5]].count("*") == 1
    assert lines[1 + stats.rank(results)[0].place][0] == "*"
    assert "*" not in page.table(make_results())


def test_table_is_straight_and_fits(results: xr.Dataset) -> None:
    text = page.table(results)
    rows = text.split("\n\n")[0].split("\n")
    assert len({len(row) for row in rows}) == 1
    assert all(len(line) <= 100 for line in text.split("\n"))
    assert len(rows) == 1 + len(stats.settings(results))


def test_table_has_its_points_below_each_other() -> None:
    # A wide interval (of 0.1 and 0.9), an accuracy of 100%, and a setting without an interval.
    tests = [[0.1, 0.9], [1.0, 1.0], [0.5, 0.6]]
    results = with_accuracies([[0.9], [0.8], [0.7]], tests, diverged={(2, 0): 1})
    lines = page.table(results).split("\n")[1:4]
    places = [[match.start() for match in re.finditer(r"\.\d\d", line)] for line in lines]
    assert places[0][::2] == places[1][::2] == places[2]
    assert "100.00 ± 0.00" in lines[1]
    assert re.search(r" 50\.00 ± 40\.00 ", lines[0])


def test_table_without_intervals() -> None:
    rows = cells(page.table(make_results(RATES, seeds=1, diverged={(0, 0): 1})))
    assert rows[1] == ["1", "–", "–", "–", "1", "1"]
    assert "±" not in str(rows)
    assert "without intervals" in " ".join(page.table(make_results(RATES, seeds=1)).split())


def test_table_says_that_few_runs_make_narrow_intervals() -> None:
    assert "(here 7) are too narrow" in page.table(make_results(seeds=7))
    assert "too narrow" not in page.table(make_results(seeds=8))


def test_table_shows_the_best_40() -> None:
    results = make_results({"batch_size": list(range(1, 46))}, seeds=1).isel(batch_size=slice(None, None, -1))
    text = page.table(results)
    shown = [row[0].strip("* ") if row[0] != "*" else row[1] for row in cells(text)[1:]]
    best = sorted(stats.rank(results)[:40], key=lambda setting: setting.place)
    assert shown == [setting.values[0] for setting in best]
    assert "the best 40 settings; 5 are left out" in text


def test_table_breaks_long_settings_and_loses_nothing() -> None:
    names = ["learning_rate", "weight_decay", "batch_size", "activation_slope", "schedule_end"]
    settings = [(1e-5, 0.001, 64, 1.5, 0.25), (1.0, 0.125, 32, 2.5, 0.75)]
    text = page.table(make_results({",".join(names): settings}, seeds=2))
    assert all(len(line) <= 100 for line in text.split("\n"))
    for values in settings:
        for name, value in zip(names, values, strict=True):
            assert f" {name} {value:g}" in text
    places = [[match.start() for match in re.finditer("±", line)] for line in text.split("\n\n")[0].split("\n")]
    assert len([place for place in places if place]) == 2
    assert len({tuple(place) for place in places if place}) == 1


def test_conclusion_by_hand() -> None:
    # The second is chosen on validation; on the test set it leads by 0.01, 0.02, 0.03 and 0.02.
    results = with_accuracies([[0.8], [0.9], [0.7]], [[0.90] * 4, [0.91, 0.92, 0.93, 0.92], [0.99] * 4])
    low, high = (100 * end for end in stats.interval([0.01, 0.02, 0.03, 0.02])[1:3])
    own = ", ".join(f"{100 * end:.2f}" for end in stats.interval([0.91, 0.92, 0.93, 0.92])[1:3])
    assert page.conclusion(results) == (
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
        ([0.0, 0.0, 0.0], r"0.00 percentage points .* \[0.00, 0.00\], over 3 runs: the interval includes zero"),
    ],
)
def test_conclusion_says_whether_the_interval_excludes_zero(lead: list[float], words: str) -> None:
    results = with_accuracies([[0.9], [0.8]], [np.array(lead) + 0.5, [0.5] * 3])
    assert re.search(words, page.conclusion(results))


def test_conclusion_of_one_seed_has_no_interval() -> None:
    words = page.conclusion(with_accuracies([[0.9], [0.8]], [[0.75], [0.5]]))
    assert "75.00%, from one run, so without an interval; none of the 2 runs diverged" in words
    assert words.endswith("is 25.00 percentage points of test accuracy, from one run, so without an interval.")


def test_conclusion_pairs_the_runs_that_finished() -> None:
    results = with_accuracies([[0.9], [0.8]], [[0.7, 0.8, 0.9], [0.6, 0.6, 0.6]], diverged={(1, 1): 3})
    words = page.conclusion(results)
    assert "1 of the 6 runs diverged, with momentum 0.1." in words
    assert "is 20.00 percentage points" in words
    assert "over 2 runs" in words


def test_conclusion_where_the_next_has_no_finished_run() -> None:
    results = with_accuracies([[0.9], [0.8]], [[0.7], [0.6]], diverged={(1, 0): 1})
    words = page.conclusion(results)
    assert words.endswith("The next, momentum 0.1, has no finished run with a seed of the best.")


def test_conclusion_of_one_setting_and_of_none_that_finished() -> None:
    assert re.fullmatch(
        r"The test accuracy is \d+\.\d\d%, 95% interval \[.*\], over 7 runs; 1 of the 8 runs diverged\.",
        page.conclusion(make_results(diverged={(0,): 2})),
    )
    nothing = make_results(RATES, seeds=1, diverged={(rate, 0): 1 for rate in range(4)})
    assert page.conclusion(nothing) == "There is nothing to compare: all 4 runs diverged."
    assert page.conclusion(make_results(seeds=1)).endswith("so without an interval; the run finished.")


class Checker(HTMLParser):
    """Collects tags and text, and whether every element is closed in its turn."""

    VOID = ("meta", "br", "link", "img", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_page_is_well_formed_and_complete(results: xr.Dataset) -> None:
    found = Checker(page.page(results, title="A title", question="A question?"))
    text = "\n".join(found.text)
    assert found.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in found.all("meta")
    assert len(found.all("h1")) == len(found.all("svg")) == len(found.all("figcaption")) == 1
    assert any("aria-label" in attributes for attributes in found.all("div"))
    settings = stats.settings(results)
    rows = [attributes for attributes in found.all("th") if attributes.get("scope") == "row"]
    assert len(rows) == len(settings)
    assert len([attributes for attributes in found.all("th") if attributes.get("scope") == "col"]) == 5 + max(
        1, len(settings[0].fields)
    )
    assert "A question?" in text
    assert page.conclusion(results) in text
    assert CONFIG in text
    for fact in ("jax 0.10.2", "4 × cpu (cpu)", "47ca3f0c1d2e+", "23.5 s"):
        assert fact in text


def test_page_loads_nothing() -> None:
    text = page.page(make_results(RATES), title="", question="")
    found = Checker(text)
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in found.tags}
    references = [
        value
        for _, attributes in found.tags
        for name, value in attributes.items()
        if name in ("href", "xlink:href", "src", "action", "srcset")
    ]
    assert references
    assert all(value and value.startswith("#") for value in references)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_page_escapes_what_it_quotes() -> None:
    bad = "<script>alert('&')</script>\""
    results = make_results({"data.dir": [bad, "b"]}, seeds=2)
    results.attrs |= {"config": bad, "device": bad, "git_revision": bad, "versions": bad}
    text = page.page(results, title=bad, question=bad)
    assert "<script" not in text
    assert "".join(Checker(text).text).count(bad) >= 7


def test_page_without_provenance_says_so() -> None:
    results = make_results()
    results.attrs.clear()
    assert page.page(results, title="", question="").count("<dd>not recorded</dd>") == 5


def test_page_marks_the_best_row_in_words() -> None:
    text = page.page(make_results(RATES), title="", question="")
    (row,) = re.findall(r'<tr class="best">.*', text)
    assert "<strong>best</strong>" in row


def test_conclusion_says_when_the_best_by_validation_is_behind_on_the_test_set() -> None:
    behind = page.conclusion(with_accuracies([[0.9, 0.9], [0.8, 0.8]], [[0.5, 0.51], [0.6, 0.6]]))
    assert behind.endswith("On the test set it is behind.")
    ahead = page.conclusion(with_accuracies([[0.9, 0.9], [0.8, 0.8]], [[0.6, 0.6], [0.5, 0.51]]))
    assert "behind" not in ahead


def test_conclusion_has_no_negative_zero() -> None:
    same = page.conclusion(with_accuracies([[0.9, 0.9], [0.8, 0.8]], [[0.5, 0.6], [0.500001, 0.600001]]))
    assert "is 0.00 percentage points" in same
