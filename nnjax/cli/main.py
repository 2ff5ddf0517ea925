"""The `nnjax` command, and what a study's script calls to be one of its own.

A user's mistake is one sentence on stderr and exit code 2. What is slow to import is imported when it is needed:
help, and most of the mistakes, come before that.
"""

import argparse
import contextlib
import os
import sys
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from nnjax.axes import Axes, parse_axes
from nnjax.cli.endings import sentences
from nnjax.cli.options import Options, read_options
from nnjax.config import SEED_FIELDS, Config, nearest
from nnjax.validation import UserError

if TYPE_CHECKING:
    import xarray as xr

    from nnjax.reporting.folder import Folder

COMMANDS = {
    "train": "Train one setting, with each of its seeds.",
    "sweep": "Train every setting that the axes say, each with all seeds.",
    "check": "Check derivatives worked out by hand: those of nnjax, or your own.",
}

HELP = f"""usage: nnjax COMMAND …

Train many small neural networks side by side; check formulas worked out by hand.

commands:
{"".join(f"  {name:<11}{words}{chr(10)}" for name, words in COMMANDS.items())}
options:
  --help     show this, or the options of a command: nnjax train --help
  --version  show the version
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for a wrong formula, else one of `nnjax.cli.endings`."""
    try:
        with sentences():
            _command(sys.argv[1:] if argv is None else argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


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
    defaults = Options(config, axes, None if output is None else Path(output))
    with sentences():
        return read_options(
            sys.argv[1:] if argv is None else argv,
            defaults,
            program=Path(sys.argv[0]).name,
            description=description or "",
        )


def run(options: Options, *, title: str, question: str) -> "xr.Dataset":
    """Print the plan, train, print table and answer, and write the folder of the results if there is to be one.

    A mistake in the options ends the script with one sentence, ``--dry-run`` after the plan.

    Args:
        options: from `parse`.
        title, question: of the report.
    """
    with sentences():
        with _folder(options) as folder:
            from nnjax.data import cache
            from nnjax.engine.compilation import keep_programs
            from nnjax.engine.plan import plan
            from nnjax.reporting import page
            from nnjax.results.files import save
            from nnjax.search import sweep

            todo = plan(options.config, axes=options.axes, together=options.together)
            print(todo, flush=True)
            if options.dry_run:
                raise SystemExit(0)
            with contextlib.suppress(RuntimeError):  # the user has no home folder
                keep_programs(cache.folder() / "programs")
            trained = sweep.run_plan(todo)
            try:
                answer = textwrap.fill(page.conclusion(trained), page.WIDTH)
                print(f"\n{page.table(trained)}\n\n{answer}", flush=True)
            finally:  # though nobody may read the table any more
                if folder is not None:
                    folder.write(trained, title=title, question=question, save=save)
        if options.output is not None:
            print(f"\nResults, figure and page are in {options.output}: open {options.output / 'report.html'}")
    return trained


def _command(argv: Sequence[str]) -> None:
    command, flags = (argv[0], argv[1:]) if argv else ("", [])
    if command in ("-h", "--help"):
        print(HELP, end="")
    elif command == "--version":
        print(f"nnjax {_version()}")
    elif command == "check":
        raise SystemExit(_check(flags))
    elif command in COMMANDS:
        options = read_options(
            flags,
            Options(Config()),
            program=f"nnjax {command}",
            description=COMMANDS[command],
            takes_axes=command == "sweep",
        )
        model, data = options.config.model, options.config.data.name
        fields = [field for axis in parse_axes(options.axes) for field in axis.fields]
        varied = ", ".join(field for field in fields if field not in SEED_FIELDS)
        if varied:
            run(options, title=f"{model} on {data}: {varied}", question="Which setting is best?")
        else:
            run(options, title=f"{model} on {data}", question="How accurate is it?")
    else:
        known = [*COMMANDS, "--help", "--version"]
        given = f"{command!r} is no command" if command else "a command is missing"
        *others, last = COMMANDS
        raise UserError(f"{given}: give {', '.join(others)} or {last}{nearest(command, known)}")


def _check(flags: Sequence[str]) -> int:
    """``nnjax check``: the exit code, 1 for a wrong formula."""
    parser = _check_parser()
    try:
        parsed, rest = parser.parse_known_args(flags)
    except argparse.ArgumentError as error:
        raise UserError(f"{error.argument_name} needs a value") from None
    for word in rest:
        if not word.startswith("-"):
            raise UserError(f"{word!r} is one word more than the formula's name")
        flag = word.partition("=")[0]
        raise UserError(f"there is no flag {flag}{nearest(flag, [f'--{name}' for name in vars(parsed)])}")
    given = {name: value for name, value in vars(parsed).items() if value is not None}
    for once in [name for name in ("of", "wrt", "form") if name in given]:
        first, *others = given[once]
        if others:
            raise UserError(f"--{once} is given {1 + len(others)} times, and must be given once")
        if not first:
            raise UserError(f"--{once} needs a value")
        given[once] = first
    if not given:
        from nnjax.gradcheck.command import run_all

        return run_all()
    for name, words in (
        ("formula", "name the formula to check first, as in my_formulas:jacobian"),
        ("of", "name the function that it is the derivative of, as in --of my_formulas:f"),
        ("shape", "give the shape of each argument, as in --shape z=5 --shape w=3,4"),
    ):
        if name not in given:
            raise UserError(f"{name if name == 'formula' else f'--{name}'} is missing: {words}")
    from nnjax.gradcheck.command import run_check

    wrt = given["wrt"].split(",") if "wrt" in given else None
    return run_check(given["formula"], given["of"], given["shape"], wrt, given.get("form", "jacobian"))


def _check_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nnjax check",
        usage="nnjax check [FORMULA --of FUNCTION --shape NAME=SIZES … [--wrt NAME] [--form FORM]]",
        description="Compare a derivative worked out by hand with autodiff, in float64, at random points and hard "
        "ones; where it is wrong, say which term. Without a formula, all of nnjax's own are checked.",
        epilog="Functions are named module:function or file.py:function; modules of this folder are found. "
        "Exit code: 0 where the formula is right, 1 where it is wrong, 2 for a mistake in the call.",
        allow_abbrev=False,
        exit_on_error=False,
    )
    parser.add_argument("formula", nargs="?", metavar="FORMULA", help="the derivative worked out by hand")
    parser.add_argument(
        "--of", action="append", metavar="FUNCTION", help="what it is the derivative of, written for JAX"
    )
    parser.add_argument(
        "--shape",
        action="append",
        metavar="NAME=SIZES",
        help="of each argument: z=5, w=3,4, b= for a scalar; after a colon what it holds, if not any (real) "
        "numbers: y=5:onehot, positive, probability, distribution, binary, labels10 for whole numbers below 10",
    )
    parser.add_argument(
        "--wrt", action="append", metavar="NAME", help="the argument that the derivative is in, if not the first"
    )
    parser.add_argument(
        "--form",
        action="append",
        metavar="FORM",
        help="what the formula returns: jacobian (the default), shaped output × input; jvp or vjp, a product with "
        "a vector, its last argument; rows or columns, one matrix with entries strung in that order",
    )
    return parser


def _version() -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version("nnjax")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _folder(options: Options) -> "AbstractContextManager[Folder | None]":
    """The folder of the results, to be reserved before the training; None where there is to be none."""
    path = options.output
    if path is None or options.dry_run:
        return contextlib.nullcontext()
    if os.path.lexists(path) and not options.overwrite:
        raise UserError(f"{path} exists already: write elsewhere with --output, or replace it with --overwrite")
    from nnjax.reporting.folder import Folder

    return Folder(path, overwrite=options.overwrite)
