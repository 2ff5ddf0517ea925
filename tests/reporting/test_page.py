"""The page of a result."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr

from made_results import CONFIG, KINDS, RATES, make_results
from nnjax.reporting import answer, figures, grid, page, table
from nnjax.results import stats


@pytest.fixture(params=KINDS)
def results(request: pytest.FixtureRequest) -> xr.Dataset:
    return make_results(**KINDS[request.param])


class Checker(HTMLParser):
    """Collects tags and text, and whether every element is closed in its turn."""

    VOID = ("meta", "br", "wbr", "link", "img", "hr")

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
    assert len(found.all("h1")) == 1
    assert len(found.all("svg")) == len(found.all("figcaption")) == 1 + grid.has_grid(results)
    assert any("aria-label" in attributes for attributes in found.all("div"))
    settings = stats.settings(results)
    rows = [attributes for attributes in found.all("th") if attributes.get("scope") == "row"]
    assert len(rows) == len(settings)
    stopped = any(setting.stopped for setting in settings)
    columns = [attributes for attributes in found.all("th") if attributes.get("scope") == "col"]
    assert len(columns) == 5 + stopped + max(1, len(settings[0].fields))
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


def test_page_of_a_grid_shows_its_heat_map() -> None:
    results = make_results(**KINDS["grid"])
    text = page.page(results, title="", question="")
    words = "\n".join(Checker(text).text)
    assert "Validation accuracy by learning_rate and hidden" in words
    assert grid.caption(results) in words
    assert figures.caption(results) in words
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_page_of_an_overview_is_the_page_of_its_result() -> None:
    results = make_results(**KINDS["grid"])
    assert page.page(stats.overview(results), title="A", question="B") == page.page(
        results, title="A", question="B"
    )


def test_page_says_what_the_table_and_the_answer_say() -> None:
    results = make_results(RATES, seeds=3, stopped={(1, 0): 2})
    results.attrs["chance"] = 1.0
    words = " ".join("\n".join(Checker(page.page(results, title="", question="")).text).split())
    assert "Even the best can't be told from chance, 100.00%" in words
    assert "finished or were stopped" in words
    assert "running mean" in words


def test_page_names_the_terminals_table_and_answer() -> None:
    results = make_results(RATES)
    assert page.table(results) == table.table(results)
    assert page.conclusion(results) == answer.conclusion(results)
    assert page.WIDTH == 100


def test_a_table_that_is_too_wide_scrolls_within_the_page() -> None:
    found = Checker(page.page(make_results(RATES), title="", question=""))
    (box,) = [attributes for attributes in found.all("div") if "rows" in (attributes["class"] or "").split()]
    assert (box["role"], box["tabindex"]) == ("region", "0")
    assert box["aria-label"]


def test_variables_that_are_missing_or_have_dimensions_of_their_own_change_no_page() -> None:
    results = make_results(**KINDS["stopped"])
    more = results.assign(
        layer_norm=(("learning_rate", "seed", "epoch", "layer"), np.zeros((4, 3, 5, 2))),
        class_accuracy=(("learning_rate", "seed", "class"), np.zeros((4, 3, 10))),
    )
    less = results[list(stats.METRICS)]
    first, *others = (page.page(each, title="A", question="B") for each in (results, more, less))
    assert others == [first, first]
