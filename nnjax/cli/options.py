"""What a command was asked to do: its flags, and the configuration files that they name, over defaults.

Every field of the configuration is a flag, whose text is YAML as in a file. Names, types, help and defaults all
come from the dataclasses of `nnjax.config`, which check the values.
"""

import argparse
import dataclasses
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nnjax.axes import Axes, Axis, describe_axes, parse_axes
from nnjax.cli.parser import AXIS, OF_SPACE, Takes, make_parser
from nnjax.cli.search_options import SearchOptions, read_search
from nnjax.cli.yaml_files import SECTIONS, check_list, read_file, read_yaml
from nnjax.config import Config, DataConfig, field_names, flatten, replace
from nnjax.parts import TABLES
from nnjax.spelling import nearest
from nnjax.validation import UserError, check_count, short

if TYPE_CHECKING:
    from nnjax.search.space import Space

WORDS = {*TABLES, "title", "question"} - {"metrics", "init"}
"""Flags whose text is taken as it stands."""

ATTRIBUTE = "--model."
"""How a flag begins that sets an attribute of a module of the user's own."""


@dataclass(frozen=True)
class Options:
    """What to train, and where to write it."""

    config: Config
    axes: tuple[Axis, ...] = ()
    output: Path | None = None
    """The folder for results and report; None writes none."""
    overwrite: bool = False
    """Replace the folder if it exists."""
    dry_run: bool = False
    """Print the plan and stop."""
    runs_per_call: int | None = None
    """Runs that a device trains at a time; None leaves it to `nnjax.engine.layout.arrange`."""
    keep_parameters: bool = False
    """Keep the trained parameters in the results."""
    keep_state: bool = False
    """Keep these, and all else that training goes on from."""
    start_from: Path | None = None
    """Results with whose runs training begins."""
    title: str | None = None
    """Of the page."""
    question: str | None = None
    """Of the page."""
    time_limit: float | None = None
    """Seconds after which training ends with the next epoch."""
    quiet: bool = False
    """Show no progress."""
    space: "Space | None" = None
    """What is searched; None for what is no search."""
    search: SearchOptions = dataclasses.field(default_factory=SearchOptions)
    """How it is searched."""


def read_options(
    argv: Sequence[str], defaults: Options, *, program: str, description: str, takes: Takes = "axes"
) -> Options:
    """The options that flags and files set, over defaults: flags win over files, wherever they stand.

    Args:
        argv: the flags.
        defaults: what holds where nothing else is said.
        program: its name in the help.
        description: what it does, for the help.
        takes: whether it has axes or a space; what it hasn't is refused.

    Raises:
        UserError: in one sentence, for what can't be read or can't be right.
        SystemExit: after ``--help``.
    """
    parser = make_parser(defaults, program, description, takes)
    try:
        parsed, rest = parser.parse_known_args(argv)
    except argparse.ArgumentError as error:
        raise UserError(
            f"{error.argument_name} needs a value; one that begins with a hyphen is given with =, as in "
            f"{error.argument_name}=-1"
        ) from None
    flags = {name: text for name, text in vars(parsed).items() if text is not None}
    single, attributes = _dotted(rest, takes, program, [f"--{name}" for name in vars(parsed)])

    in_files: dict[str, Any] = {}
    for path in flags.pop("config", []):
        in_files |= read_file(path)
    sections = {name: in_files.pop(name) for name in SECTIONS if name in in_files}
    for name in sections:
        if takes is None or SECTIONS[name] != SECTIONS[takes]:
            held = "has axes, which are" if name == "axes" else f"has the section {name}, which is"
            raise UserError(f"the configuration file {held} for {SECTIONS[name]}, and {program} {_does(takes)}")
    if takes is not None and takes in flags:
        sections[takes] = read_flag(takes, flags.pop(takes))
    axes, space, search = defaults.axes, defaults.space, defaults.search
    if takes == "axes" and (single or "axes" in sections):
        axes = parse_axes(_join_axes(sections.get("axes", describe_axes(defaults.axes)), single))
    if takes == "space":
        space = _read_space(sections.get("space"), single)
        of_search = sections.get("search", {})
        if isinstance(of_search, Mapping):
            given = [item.name for item in dataclasses.fields(SearchOptions) if item.name in flags]
            of_search = {**of_search, **{name: read_flag(name, flags.pop(name)) for name in given}}
        search = read_search(of_search)

    output = flags.pop("output", defaults.output)
    start_from = flags.pop("start_from", defaults.start_from)
    overwrite, dry_run, quiet, keep, keep_state = (
        _read_switch(name, flags.pop(name)) if name in flags else default
        for name, default in (
            ("overwrite", False),
            ("dry-run", False),
            ("quiet", False),
            ("keep_parameters", defaults.keep_parameters),
            ("keep_state", defaults.keep_state),
        )
    )
    title, question = (flags.pop(name, getattr(defaults, name)) for name in ("title", "question"))
    runs_per_call = (
        read_flag("runs_per_call", flags.pop("runs_per_call"))
        if "runs_per_call" in flags
        else defaults.runs_per_call
    )
    if runs_per_call is not None:
        check_count("--runs_per_call", runs_per_call)
    time_limit = read_duration(flags.pop("time")) if "time" in flags else defaults.time_limit
    in_flags = flatten({name: read_flag(name, text) for name, text in flags.items()}) | attributes
    varied = {name for axis in axes for name in axis.fields}
    _refuse_set(in_flags, varied, "is an axis of the sweep", f"give the axis its values with {AXIS}")
    # Where a field is in the space under a condition, the configuration says what it is elsewhere.
    parameters = () if space is None else space.parameters
    searched = {name for parameter in parameters if not parameter.conditions for name in parameter.fields}
    _refuse_set(in_flags, searched, "is in the space of the search", f"give it there with {OF_SPACE}")
    config = replace(defaults.config, in_files | in_flags)
    if config.data.dir is not None and config.data.name == "digits" and "data.name" not in varied:
        raise UserError(
            f"data.dir is {config.data.dir!r}, and data.name is 'digits', which is read from no folder: "
            "say with data.name what the folder holds"
        )
    folder = None if output is None else Path(output).expanduser()
    return Options(
        config=config,
        axes=axes,
        output=folder,
        overwrite=overwrite,
        dry_run=dry_run,
        runs_per_call=runs_per_call,
        keep_parameters=keep,
        keep_state=keep_state,
        start_from=None if start_from is None else Path(start_from).expanduser(),
        title=title,
        question=question,
        time_limit=time_limit,
        quiet=quiet,
        space=space,
        search=search,
    )


def _refuse_set(in_flags: Mapping[str, Any], elsewhere: set[str], where: str, instead: str) -> None:
    """Refuse a flag for a field that varies."""
    for name in sorted(in_flags.keys() & elsewhere):
        raise UserError(
            f"{name} is set to {in_flags[name]!r}, and {where} as well: leave out --{name}, or {instead}{name}"
        )


def read_duration(text: str) -> float:
    """Seconds of a text such as 90, 90s, 30m or 1h30m.

    Raises:
        UserError: where it isn't one.
    """
    number = r"(\d+(?:\.\d+)?)"
    found = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s?)?", text.strip())
    seconds = (
        sum(float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True))
        if found
        else 0
    )
    if seconds <= 0:
        raise UserError(f"--time is {short(text)}, and must be a time such as 90s, 30m or 1h30m")
    return seconds


def read_flag(name: str, text: str) -> Any:
    """The value in the text of a flag: as it stands for a field that holds words, else read as YAML.

    Raises:
        UserError: for what is no YAML, or numbers for a list that are not written as one.
    """
    hint = _hints().get(name)
    if hint is str or typing.get_origin(hint) is Literal or name in WORDS:
        return text
    value = read_yaml(text, f"--{name} {text}")
    check_list(name, value)
    # The name of a folder may look like a number.
    return text if hint == str | None and value is not None else value


def _hints() -> dict[str, Any]:
    nested = {f"data.{name}": hint for name, hint in typing.get_type_hints(DataConfig).items()}
    return typing.get_type_hints(Config) | nested


def _dotted(
    rest: Sequence[str], takes: Takes, program: str, known: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The axes or fields of a space, and the attributes of a module, that are flags of their own, among what the
    parser doesn't know.

    There may be nothing else.
    """
    prefix = {"axes": AXIS, "space": OF_SPACE}[takes] if takes else None
    if prefix:
        known = [*known, *(prefix + name for name in field_names())]
    varied: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    words = iter(rest)
    for word in words:
        flag, equals, text = word.partition("=")
        of_one, of_model = prefix is not None and flag.startswith(prefix), flag.startswith(ATTRIBUTE)
        if not (of_one or of_model):
            raise UserError(_unknown(flag, program, known, takes))
        if not equals:
            text = next(words, "--")
            if text.startswith("--"):
                needed = {"axes": "a list of values", "space": "a distribution", None: "a value"}
                raise UserError(f"{flag} needs {needed[takes if of_one else None]}")
        value = read_yaml(text, f"{flag} {text}")
        if of_one and prefix:
            varied[flag.removeprefix(prefix)] = value
        else:
            attributes[flag.removeprefix("--")] = value
    return varied, attributes


def _unknown(flag: str, program: str, known: list[str], takes: Takes) -> str:
    near = nearest(flag, known)
    if flag[:1] in ("\u2012", "\u2013", "\u2014", "\u2212"):  # as a text program makes them of two hyphens
        return f"{short(flag)} begins with a dash that is no hyphen{near}"
    if not flag.startswith("-"):
        if near:
            return f"{short(flag)} belongs to no flag{near}"
        number = flag.strip().replace(".", "", 1).isdigit()
        listed = ', and a list is written in brackets, as in "[64, 32]"' if number else ""
        return f"{short(flag)} belongs to no flag: quote a value that has spaces in it{listed}"
    for name, command in SECTIONS.items():
        if name not in (takes, "search") and re.match(rf"--{name}(?![a-z])", flag):
            return f"{flag} is for {command}, and {program} {_does(takes)}"
    return f"there is no flag {flag if len(flag) <= 60 else flag[:57] + '…'}{near}"


def _does(takes: Takes) -> str:
    return {"axes": "has axes", "space": "has a space", None: "trains one setting"}[takes]


def _read_space(space: Any, single: dict[str, Any]) -> "Space":
    """The space: what is given together, with the fields given one by one in their places or behind them."""
    from nnjax.search.space import parse_space  # which loads NumPy

    if space is None and not single:
        raise UserError(
            f'the space is missing: say what to search, as in {OF_SPACE}learning_rate "log_uniform(0.01, 1)"'
        )
    joined = {**(space or {}), **single} if isinstance(space, Mapping | None) else space
    for name, value in joined.items() if isinstance(joined, Mapping) else ():
        _refuse_cut(name, value)
    return parse_space(joined)


def _refuse_cut(name: str, value: Any) -> None:
    """Refuse what YAML has cut at a comma: in its brackets, uniform(0, 1) is two values."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and one.count("(") > one.count(")"):
            raise UserError(
                f"the space of {name} has {short(one)}: in brackets of YAML a distribution stands in quotes, as "
                "in {momentum: 'uniform(0, 0.9)'}"
            )


def _join_axes(axes: Any, single: dict[str, Any]) -> Axes | None:
    """All axes: those given together, with those given one by one in their places or behind them."""
    if isinstance(axes, str) or not isinstance(axes, Mapping | Sequence | None):
        raise UserError(f"axes is {axes!r}, and must be a mapping of fields to lists, or a list of settings")
    if not single:
        return axes
    if isinstance(axes, Sequence):
        raise UserError(f"{AXIS}{next(iter(single))} can't be added to a list of settings: give --axes as well")
    return {**(axes or {}), **single}


def _read_switch(name: str, text: str) -> bool:
    value = read_flag(name, text)
    if not isinstance(value, bool):
        raise UserError(f"--{name} is {value!r}, and must be true or false")
    return value
