"""What a study's script calls to be a command of its own, and what `nnjax train` and `nnjax sweep` do."""

import contextlib
import os
import sys
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from nnjax.axes import Axes, parse_axes
from nnjax.cli.endings import end_early, sentences
from nnjax.cli.options import Options, read_options
from nnjax.config import Config
from nnjax.validation import UserError

if TYPE_CHECKING:
    import xarray as xr

    from nnjax.reporting.folder import Folder


def parse(
    description: str | None,
    *,
    config: Config,
    axes: Axes | None = None,
    output: str | os.PathLike[str] | None = None,
    argv: Sequence[str] | None = None,
) -> Options:
    """The options of a study's script: those of ``nnjax sweep``, over defaults of its own.

    A mistake in them ends the script with one sentence, ``--help`` with the help.

    Args:
        description: for the help, the script's docstring.
        config: the setting that the axes vary.
        axes: the fields to vary, see `nnjax.axes.Axes`.
        output: the folder for results and report.
        argv: the flags; None takes those that the script was started with.
    """
    with sentences():
        defaults = Options(config, parse_axes(axes), None if output is None else Path(output))
        return read_options(
            sys.argv[1:] if argv is None else argv,
            defaults,
            program=Path(sys.argv[0]).name,
            description=description or "",
        )


def run(options: Options, *, title: str, question: str) -> "xr.Dataset":
    """Print the plan, train, print table and answer, and write the folder of the results if there is to be one.

    A mistake in the options ends the script with one sentence, ``--dry-run`` after the plan and its time.

    Args:
        options: from `parse`; their title and question, where they are set, take the place of these.
        title, question: of the report.
    """
    with sentences(), folder(options.output, overwrite=options.overwrite, dry_run=options.dry_run) as place:
        from nnjax.engine.estimate import estimate
        from nnjax.engine.plan import WIDTH, plan
        from nnjax.search import sweep

        todo = plan(options.config, axes=options.axes, runs_per_call=options.runs_per_call)
        if options.start_from is not None:
            from nnjax.engine.starting import started
            from nnjax.results.sources import read_start

            todo = started(todo, read_start(options.start_from))
        print(todo, flush=True)
        if options.dry_run:
            print(textwrap.fill(str(estimate(todo)), WIDTH))
            raise SystemExit(0)
        trained = sweep.run_plan(
            todo,
            keep_parameters=options.keep_parameters,
            keep_state=options.keep_state,
            time_limit=options.time_limit,
        )
        conclude(trained, place, options, title=title, question=question)
    return trained


def conclude(
    results: "xr.Dataset", place: "Folder | None", options: Options, *, title: str, question: str
) -> None:
    """`present` what was trained just now, and say where it was ended before its end."""
    present(results, place, options, title=title, question=question)
    if "ended" in results.attrs:
        end_early(str(results.attrs["ended"]))


def present(results: "xr.Dataset", place: "Folder | None", options: Options, *, title: str, question: str) -> None:
    """Print table and answer of results, and write them with their page into a folder if there is one."""
    from nnjax.reporting import page
    from nnjax.results.files import save
    from nnjax.results.settings import overview

    found = overview(results)
    try:
        answer = textwrap.fill(page.conclusion(found), page.WIDTH)
        print(f"\n{page.table(found)}\n\n{answer}", flush=True)
    finally:  # though nobody may read the table any more
        if place is not None:
            place.write(results, title=options.title or title, question=options.question or question, save=save)
    if place is not None:
        print(f"\nResults, figure and page are in {place.path}: open {place.path / 'report.html'}")


def folder(
    path: Path | None, *, overwrite: bool = False, dry_run: bool = False
) -> "AbstractContextManager[Folder | None]":
    """The folder of the results, to be reserved before the training; None where there is to be none."""
    if path is None or dry_run:
        return contextlib.nullcontext()
    if os.path.lexists(path) and not overwrite:
        raise UserError(f"{path} exists already: write elsewhere with --output, or replace it with --overwrite")
    from nnjax.reporting.folder import Folder

    return Folder(path, overwrite=overwrite)
