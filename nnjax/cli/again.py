"""``nnjax report`` and ``nnjax merge``: from results files, without training anything."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nnjax.cli.options import Options
from nnjax.cli.study import folder, present
from nnjax.config import Config
from nnjax.spelling import nearest
from nnjax.validation import UserError


def report(flags: Sequence[str]) -> None:
    """Print table and answer of a results file again, and write its folder where one is named."""
    parser = made_parser("report", "Make the table, the figures and the page of a results file again.")
    parser.add_argument("file", nargs="?", metavar="FILE", help="the results, such as results/widths/results.nc")
    parser.add_argument("--output", metavar="DIR", help="write results, figures and page into this folder")
    parser.add_argument("--overwrite", action="store_true", help="replace the folder of --output")
    parser.add_argument("--title", metavar="TEXT", help="of the page")
    parser.add_argument("--question", metavar="TEXT", help="that the page answers")
    given = parsed(parser, flags)
    if given.file is None:
        raise UserError("name the results file: nnjax report results/widths/results.nc")
    output = None if given.output is None else Path(given.output).expanduser()
    with folder(output, overwrite=given.overwrite) as place:
        from nnjax.results.files import load

        options = Options(Config(), title=given.title, question=given.question)
        present(load(given.file), place, options, title=Path(given.file).stem, question="Which setting is best?")


def merge(flags: Sequence[str]) -> None:
    """Join the results of parts of a sweep in one file."""
    parser = made_parser(
        "merge", "Join results of parts of a sweep, which differ in values of an axis or in seeds."
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="the results of the parts")
    parser.add_argument("--output", metavar="FILE", help="where to write the whole")
    parser.add_argument("--overwrite", action="store_true", help="replace the file of --output")
    given = parsed(parser, flags)
    if len(given.files) < 2 or given.output is None:
        raise UserError("name two files or more, and the whole: nnjax merge a.nc b.nc --output all.nc")
    if Path(given.output).exists() and not given.overwrite:
        raise UserError(f"{given.output} exists already: write elsewhere, or replace it with --overwrite")
    from nnjax.results.files import save
    from nnjax.results.merge import merge as join

    whole = join(given.files)
    save(whole, given.output)
    sizes = ", ".join(f"{name} {whole.sizes[name]}" for name in whole["status"].dims)
    print(f"{given.output} holds {whole['status'].size} runs ({sizes})")


def made_parser(command: str, description: str) -> argparse.ArgumentParser:
    """The parser of a command that trains nothing."""
    return argparse.ArgumentParser(
        prog=f"nnjax {command}", description=description, allow_abbrev=False, exit_on_error=False
    )


def parsed(parser: argparse.ArgumentParser, flags: Sequence[str]) -> argparse.Namespace:
    """What the flags say; what the parser does not know is refused in a sentence."""
    try:
        found, rest = parser.parse_known_args(flags)
    except argparse.ArgumentError as error:
        raise UserError(f"{error.argument_name} needs a value") from None
    for word in rest:
        flag = word.partition("=")[0]
        known = [f"--{name}" for name in vars(found) if name not in ("file", "files", "data")]
        if flag.startswith("-"):
            raise UserError(f"there is no flag {flag}{nearest(flag, known)}")
        raise UserError(f"{word!r} is one word more than {parser.prog} takes")
    return found
