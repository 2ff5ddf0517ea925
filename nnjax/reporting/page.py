"""The answer of a sweep: a table for a terminal, a sentence, and one self-contained HTML page."""

import html
import importlib.resources
import json
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import xarray as xr

from nnjax.reporting import figures
from nnjax.results import stats
from nnjax.results.stats import Estimate, Setting

MOST_ROWS = 40
"""Settings that a table shows."""
WIDTH = 100
"""Columns of a terminal."""
HEAD = ["training", "validation", "test", "runs", "diverged"]


class _Row(NamedTuple):
    """A setting, the mean accuracies of its runs that finished (by split), and whether it is the best."""

    setting: Setting
    means: dict[str, Estimate]
    best: bool


def table(results: xr.Dataset) -> str:
    """A row for each setting, for a terminal: accuracies at the best validation epoch, runs, how many diverged.

    Accuracies are means over the runs that finished, in percent, ± half the width of the 95% interval
    (`stats.interval`). A star marks the best setting (`stats.rank`). Of more than 40 settings the best 40 stand
    in it.

    Raises:
        UserError: as `stats.settings` does.
    """
    rows, left_out = _rows(results)
    fields = _fields(rows[0].setting)
    numbers = _aligned("<<<>>", [HEAD, *([*map(_plus_minus, row.means.values()), *_counts(row)] for row in rows)])
    names = _aligned("<" * len(fields), [fields, *(_values(row.setting) for row in rows)])
    room = WIDTH - len("*  ") - len("  ") - len(numbers[0])
    if len(names[0]) > room:
        names = ["setting", *(_broken(row.setting.label, room) for row in rows)]
    width = max(len(line) for name in names for line in name.split("\n"))
    lines = []
    marks = [" ", *("*" if row.best else " " for row in rows)]
    for mark, name, number in zip(marks, names, numbers, strict=True):
        first, *more = name.split("\n")
        lines += [f"{mark}  {first:<{width}}  {number}", *(f"   {line}" for line in more)]
    note = _note(rows, left_out, "± half the width of", "*")
    return "\n".join([*lines, "", textwrap.fill(note, WIDTH)])


def conclusion(results: xr.Dataset) -> str:
    """One or two sentences: the best setting, its test accuracy, and its lead over the next with the interval.

    The best and the next are chosen on validation accuracy (`stats.rank`); the lead is the mean difference of
    their test accuracies over common seeds (`stats.paired_difference`), in percentage points.

    Raises:
        UserError: as `stats.settings` does.
    """
    ranked = stats.rank(results)
    best = ranked[0]
    accuracies = stats.accuracies(best.runs)["test"]
    accuracy = stats.interval(accuracies)
    diverged = _diverged(ranked)
    if not accuracy.n:
        return f"There is nothing to compare: {diverged}."
    words = f"{_number(accuracy.mean)}%, {_ends(accuracy)}"
    if len(ranked) == 1:
        return f"The test accuracy is {words}; {diverged}."
    first = (
        f"{best.label} is the best of {len(ranked)} settings, chosen on validation accuracy: "
        f"its test accuracy is {words}; {diverged}."
    )
    second = ranked[1]
    lead = stats.paired_difference(accuracies, stats.accuracies(second.runs)["test"])
    if not lead.n:
        return f"{first} The next, {second.label}, has no finished run with a seed of the best."
    verdict = f": the interval {'excludes' if lead.low > 0 or lead.high < 0 else 'includes'} zero"
    behind = " On the test set it is behind." if lead.mean < 0 else ""
    return (
        f"{first} Its lead over the next, {second.label}, paired by seed, is {_number(lead.mean)} percentage "
        f"points of test accuracy, {_ends(lead)}{verdict if lead.n > 1 else ''}.{behind}"
    )


def page(results: xr.Dataset, drawing: str | None = None, *, title: str, question: str) -> str:
    """One HTML page with all of it: question, answer, table, figure, configuration and provenance.

    It loads nothing and runs no script; everything that it quotes is escaped.

    Args:
        results: a labelled result.
        drawing: its learning curves as SVG, where they are drawn already.
        title: the heading.
        question: what the sweep was to answer.

    Raises:
        UserError: as `stats.settings` does.
    """
    drawing = drawing or figures.svg(figures.learning_curves(results))
    title, question, answer, caption, config = map(
        html.escape,
        (title, question, conclusion(results), figures.caption(results), str(results.attrs.get("config", ""))),
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_style()}</style>
</head>
<body>
<main>
<header>
<h1>{title}</h1>
<p class="question">{question}</p>
</header>
<section>
<h2>Answer</h2>
<p class="answer">{answer}</p>
</section>
<section>
<h2>Accuracy by setting</h2>
{_html_table(results)}
</section>
<section>
<h2>Learning curves</h2>
<figure>
<div class="wide" role="img" aria-label="Learning curves: loss and accuracy of training and validation by epoch">
{drawing}
</div>
<figcaption>{caption}</figcaption>
</figure>
</section>
<section>
<h2>Configuration</h2>
<p class="note">As a file for <code>nnjax sweep --config</code>: every field, and the axes that were varied.</p>
<pre>{config}</pre>
</section>
<section>
<h2>Provenance</h2>
<dl>
{_html_provenance(results)}
</dl>
</section>
</main>
</body>
</html>
"""


def _rows(results: xr.Dataset) -> tuple[list[_Row], int]:
    """The rows of a table in the order of the sweep, and how many settings it leaves out."""
    ranked = stats.rank(results)
    rows = []
    for place, setting in enumerate(ranked[:MOST_ROWS]):
        runs = stats.accuracies(setting.runs)
        means = {split: stats.interval(runs[split]) for split in ("train", "valid", "test")}
        rows.append(_Row(setting, means, place == 0 and len(ranked) > 1 and means["valid"].n > 0))
    return sorted(rows, key=lambda row: row.setting.place), len(ranked) - len(rows)


def _fields(setting: Setting) -> list[str]:
    return list(setting.fields) or ["setting"]


def _values(setting: Setting) -> list[str]:
    return setting.values or ["as configured"]


def _counts(row: _Row) -> list[str]:
    return [str(row.setting.total), str(row.setting.diverged)]


def _note(rows: Sequence[_Row], left_out: int, spread: str, mark: str) -> str:
    """What the numbers of a table are."""
    counts = [row.means["test"].n for row in rows]
    few = min((count for count in counts if count > 1), default=0)
    words = "Accuracy in percent at each run's best validation epoch: mean over the runs that finished"
    words += f", {spread} its 95% interval." if few else ", without intervals, which take two runs."
    if 0 < few < 8:
        words += f" Intervals of few runs (here {few}) are too narrow: with 4 runs, 80% of them cover the mean."
    if any(row.best for row in rows):
        words += f" {mark}: chosen on validation accuracy, settings with diverged runs last."
    if left_out:
        words += f" Shown are the best {len(rows)} settings; {left_out} are left out."
    return words


def _diverged(settings: Sequence[Setting]) -> str:
    total, count = sum(setting.total for setting in settings), sum(setting.diverged for setting in settings)
    guilty = [setting.label for setting in settings if setting.diverged]
    if count in (0, total):
        if total == 1:
            return f"the run {'diverged' if count else 'finished'}"
        return f"{'all' if count else 'none of the'} {total} runs diverged"
    words = f"{count} of the {total} runs diverged"
    if len(settings) == 1:
        return words
    return f"{words}, with {guilty[0] if len(guilty) == 1 else f'{len(guilty)} of the settings'}"


def _number(share: float) -> str:
    # Adding 0 after rounding makes zero of a negative zero.
    return "–" if np.isnan(share) else f"{round(100 * share, 2) + 0:.2f}".replace("-", "−")


def _plus_minus(found: Estimate) -> str:
    half = "" if np.isnan(found.low) else f" ± {50 * (found.high - found.low):.2f}"
    return f"{_number(found.mean):>6}{half}"


def _ends(found: Estimate) -> str:
    if found.n < 2:
        return "from one run, so without an interval"
    return f"95% interval [{_number(found.low)}, {_number(found.high)}], over {found.n} runs"


def _aligned(sides: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with straight columns, each to the left (<) or to the right (>)."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        for row in rows
    ]


def _broken(label: str, width: int) -> str:
    """A long label on several lines, broken between its fields."""
    whole = label.replace(" ", "\u00a0").replace(",\u00a0", ", ")
    return textwrap.fill(whole, width).replace("\u00a0", " ")


def _html_table(results: xr.Dataset) -> str:
    rows, left_out = _rows(results)
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in [*_fields(rows[0].setting), *HEAD])
    widest = max(len(_number(found.mean)) for row in rows for found in row.means.values())
    body = ""
    for row in rows:
        first, *others = map(html.escape, _values(row.setting))
        body += '<tr class="best">' if row.best else "<tr>"
        body += f'<th scope="row">{first}{" <strong>best</strong>" if row.best else ""}</th>'
        body += "".join(f"<td>{text}</td>" for text in others)
        for found in row.means.values():
            mean = f"{_number(found.mean):>{widest}}".replace(" ", "\u2007")  # a space as wide as a digit
            ends = "" if found.n < 2 else f" <small>[{_number(found.low)}, {_number(found.high)}]</small>"
            body += f"<td>{mean}{ends}</td>"
        body += "".join(f'<td class="count">{count}</td>' for count in _counts(row)) + "</tr>\n"
    note = html.escape(_note(rows, left_out, "in brackets", "Best"))
    return (
        f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n'
        f'<p class="note">{note}</p>'
    )


def _html_provenance(results: xr.Dataset) -> str:
    said = results.attrs
    facts = {name: str(said.get(name, "")) for name in ("data", "device", "git_revision", "created", "versions")}
    with suppress(ValueError, AttributeError):  # another program's attributes may say it in another way
        facts["versions"] = ", ".join(f"{name} {text}" for name, text in json.loads(facts["versions"]).items())
    if "wall_time" in said:
        facts["wall_time"] = f"{float(said['wall_time']):,.1f} s"
    return "\n".join(
        f"<dt>{name.replace('_', ' ')}</dt><dd>{html.escape(text or 'not recorded')}</dd>"
        for name, text in facts.items()
    )


def _style() -> str:
    return (importlib.resources.files("nnjax.reporting") / "page.css").read_text(encoding="utf-8")
