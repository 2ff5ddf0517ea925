"""The `nnjax` command.

A user's mistake is one sentence on stderr and exit code 2. What is slow to import is imported when it is needed:
help, and most of the mistakes, come before that.
"""

import sys
from collections.abc import Sequence

from nnjax.cli.check import run_check_command
from nnjax.cli.endings import sentences
from nnjax.cli.options import Options, read_options
from nnjax.cli.parser import Takes
from nnjax.cli.study import run
from nnjax.config import RUN_FIELDS, Config
from nnjax.spelling import nearest
from nnjax.validation import UserError

COMMANDS = {
    "train": "Train one setting, with each of its seeds.",
    "sweep": "Train every setting that the axes say, each with all seeds.",
    "search": "Train settings of a space, choose the best, and train it anew with fresh seeds.",
    "report": "Make table, figures and page of a results file again.",
    "merge": "Join results of parts of a sweep.",
    "predict": "Say what a saved network predicts of the rows of a table, or of texts.",
    "check": "Check derivatives worked out by hand: those of nnjax, or your own.",
}

TAKES: dict[str, Takes] = {"sweep": "axes", "search": "space"}
"""What a command varies; train varies nothing."""

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


def _command(argv: Sequence[str]) -> None:
    command, flags = (argv[0], argv[1:]) if argv else ("", [])
    if command in ("-h", "--help"):
        print(HELP, end="")
    elif command == "--version":
        print(f"nnjax {_version()}")
    elif command == "check":
        raise SystemExit(run_check_command(flags))
    elif command == "predict":
        from nnjax.cli.predict import predict

        predict(flags)
    elif command in ("report", "merge"):
        from nnjax.cli import again

        getattr(again, command)(flags)
    elif command in COMMANDS:
        _train(command, flags)
    else:
        known = [*COMMANDS, "--help", "--version"]
        given = f"{command!r} is no command" if command else "a command is missing"
        *others, last = COMMANDS
        raise UserError(f"{given}: give {', '.join(others)} or {last}{nearest(command, known)}")


def _train(command: str, flags: Sequence[str]) -> None:
    """``nnjax train``, ``nnjax sweep`` and ``nnjax search``."""
    options = read_options(
        flags,
        Options(Config()),
        program=f"nnjax {command}",
        description=COMMANDS[command],
        takes=TAKES.get(command),
    )
    about = f"{options.config.model} on {options.config.data.file or options.config.data.name}"
    if options.space is not None:
        from nnjax.cli.search import search

        fields = dict.fromkeys(field for parameter in options.space.parameters for field in parameter.fields)
        search(options, title=f"{about}: a search over {', '.join(fields)}", question="Which setting is best?")
        return
    varied = ", ".join(field for axis in options.axes for field in axis.fields if field not in RUN_FIELDS)
    if varied:
        run(options, title=f"{about}: {varied}", question="Which setting is best?")
    else:
        run(options, title=about, question="How accurate is it?")


def _version() -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version("nnjax")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
