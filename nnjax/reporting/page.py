"""A sweep's answer as one self-contained HTML page."""

import html
import importlib.resources
import json
import re
from collections.abc import Mapping
from contextlib import suppress

import xarray as xr

from nnjax.reporting import figures, grid, search_figures
from nnjax.reporting.answer import conclusion as conclusion
from nnjax.reporting.measured import heading, number
from nnjax.reporting.svg import svg
from nnjax.reporting.table import SPLITS, counts, names, note, rows, values
from nnjax.reporting.table import WIDTH as WIDTH
from nnjax.reporting.table import table as table
from nnjax.results import stats
from nnjax.results.stats import Overview

LONG = 30
"""Letters of a label that is broken in a page's table."""


def page(
    results: xr.Dataset | Overview,
    curves: str | None = None,
    cells: str | None = None,
    of_search: Mapping[str, str] | None = None,
    *,
    title: str,
    question: str,
) -> str:
    """One HTML page with all of it: question, answer, table, figures, configuration and provenance.

    It loads nothing and runs no script; everything that it quotes is escaped.

    Args:
        results: a labelled result.
        curves, cells, of_search: its learning curves, its grid and its `search_figures.figures` as SVG, where they
            are drawn already.
        title: the heading.
        question: what the sweep was to answer.

    Raises:
        UserError: as `stats.settings` does.
    """
    found = stats.overview(results)
    curves = curves or svg(figures.learning_curves(found))
    if cells is None and grid.has_grid(found):
        cells = svg(grid.grid(found))
    if of_search is None:
        of_search = {name: svg(draw(found)) for name, draw in search_figures.figures(found).items()}
    title, question, answer, caption, config = map(
        html.escape,
        (title, question, conclusion(found), figures.caption(found), str(found.attrs.get("config", ""))),
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
<h2>{heading(found.measure)} by setting</h2>
{_table(found)}
</section>
{_grid(found, cells) if cells else ""}
{_of_search(found, of_search)}
<section>
<h2>Learning curves</h2>
{_figure(curves, f"Learning curves: loss and {found.measure.words} of training and validation by epoch", caption)}
</section>
<section>
<h2>Configuration</h2>
<p class="note">As a file for <code>nnjax sweep --config</code>: every field, and the axes that were varied.</p>
<pre>{config}</pre>
</section>
<section>
<h2>Provenance</h2>
<dl>
{_provenance(found)}
</dl>
</section>
</main>
</body>
</html>
"""


def _table(found: Overview) -> str:
    shown, title = rows(found), f"{heading(found.measure)} by setting"
    tallies = [counts(found, row.setting) for row in shown]
    fields = [re.sub(r"([_.])", r"\1<wbr>", html.escape(name)) for name in names(shown[0].setting)]
    head = "".join(f'<th scope="col">{name}</th>' for name in [*fields, *SPLITS.values()])
    head += "".join(f'<th scope="col" class="count">{name}</th>' for name in tallies[0])
    widest = max(len(number(mean.mean, found.measure)) for row in shown for mean in row.means.values())
    body = ""
    for row, tally in zip(shown, tallies, strict=True):
        texts = values(row.setting)
        first, *others = map(html.escape, texts)
        look, *looks = (' class="long"' if len(text) > LONG else "" for text in texts)
        body += '<tr class="best">' if row.best else "<tr>"
        body += f'<th scope="row"{look}>{first}{" <strong>best</strong>" if row.best else ""}</th>'
        body += "".join(f"<td{look}>{text}</td>" for look, text in zip(looks, others, strict=True))
        for estimate in row.means.values():
            mean = f"{number(estimate.mean, found.measure):>{widest}}".replace(
                " ", "\u2007"
            )  # a space as wide as a digit
            low, high = (number(value, found.measure) for value in (estimate.low, estimate.high))
            ends = "" if estimate.n < 2 else f" <small>[{low}, {high}]</small>"
            body += f"<td>{mean}{ends}</td>"
        body += "".join(f'<td class="count">{count}</td>' for count in tally.values()) + "</tr>\n"
    return (
        f'<div class="wide rows" role="region" aria-label="{title}" tabindex="0"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"
        f'<p class="note">{html.escape(note(found, shown, "in brackets", "Best"))}</p>'
    )


def _grid(found: Overview, cells: str) -> str:
    figure = _figure(
        cells, f"Validation {found.measure.words} by setting", html.escape(grid.caption(found)), "wide cells"
    )
    return f"<section>\n<h2>{html.escape(grid.title(found))}</h2>\n{figure}\n</section>"


def _of_search(found: Overview, drawings: Mapping[str, str]) -> str:
    sections = []
    if unsaid := search_figures.unsaid(found):
        sections.append(
            f'<section>\n<h2>What mattered</h2>\n<p class="note">{html.escape(unsaid)}</p>\n</section>'
        )
    for name, drawing in drawings.items():
        title, caption = search_figures.title(found, name), html.escape(search_figures.caption(found, name))
        sections.append(
            f"<section>\n<h2>{title}</h2>\n{_figure(drawing, title, caption, 'wide cells')}\n</section>"
        )
    return "\n".join(sections)


def _figure(drawing: str, label: str, caption: str, look: str = "wide") -> str:
    return (
        f'<figure>\n<div class="{look}" role="img" aria-label="{label}">\n{drawing}\n</div>\n'
        f"<figcaption>{caption}</figcaption>\n</figure>"
    )


def _provenance(found: Overview) -> str:
    said = found.attrs
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
