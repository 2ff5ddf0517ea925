"""The flags of a command that trains: all fields of the configuration, with help and defaults from its source."""

import argparse
import ast
import inspect
import itertools
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nnjax.axes import describe_axes
from nnjax.cli.search_options import SearchOptions
from nnjax.config import Config, DataConfig
from nnjax.parts import OF_NNJAX, TABLES
from nnjax.parts import names as part_names

if TYPE_CHECKING:
    from nnjax.cli.options import Options

AXIS = "--axes."
"""How a flag begins that gives one axis: ``--axes.learning_rate "[1, 0.1]"``."""

OF_SPACE = "--space."
"""How a flag begins that gives a field of a space: ``--space.learning_rate "log_uniform(0.01, 1)"``."""

Takes: typing.TypeAlias = Literal["axes", "space"] | None
"""What a command varies: the axes of a sweep, the space of a search, or nothing."""


def make_parser(defaults: "Options", program: str, description: str, takes: Takes) -> argparse.ArgumentParser:
    """All flags but those that name a field behind a dot, which `nnjax.cli.options` reads.

    Args:
        defaults: what holds where nothing else is said, for the help.
        program, description: for the help.
        takes: whether it has axes or a space.
    """
    varied = f"[{OF_SPACE}FIELD DISTRIBUTION …] " if takes == "space" else ""
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"{program} [--config FILE] {varied}[--FIELD VALUE …] [--output DIR] …",
        description=description,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=28),
        allow_abbrev=False,
        exit_on_error=False,
    )

    def switch(name: str, words: str) -> None:
        parser.add_argument(f"--{name}", dest=name, nargs="?", const="true", metavar="{true,false}", help=words)

    parser.add_argument(
        "--config", action="append", metavar="FILE", help="YAML file with fields; a flag wins over it"
    )
    if takes == "axes":
        parser.add_argument(
            "--axes",
            metavar="YAML",
            help=f"all axes of the sweep, or a list of settings{_default(describe_axes(defaults.axes) or None)}",
        )
        parser.add_argument(
            AXIS + "FIELD",
            metavar="LIST",
            help=f'one axis: {AXIS}learning_rate "[1, 0.1]"; fields that go together: '
            f'{AXIS}learning_rate,momentum "[[1, 0], [0.1, 0.9]]"',
        )
    if takes == "space":
        parser.add_argument("--space", metavar="YAML", help="a distribution for each field that is searched")
        parser.add_argument(
            OF_SPACE + "FIELD",
            metavar="DISTRIBUTION",
            help=f'of one field: {OF_SPACE}learning_rate "log_uniform(0.01, 1)", or a list: '
            f'{OF_SPACE}activation "[relu, tanh]"',
        )
    parser.add_argument(
        "--output", metavar="DIR", help=f"write results and report here{_default(defaults.output)}"
    )
    switch("overwrite", "replace the folder of --output, once the new one is complete")
    switch("dry-run", "print the plan and how long it takes, and stop")
    if takes == "space":
        switch("quiet", "show no progress")
    else:
        words = "runs that a device trains at a time, instead of as many as are fast"
        parser.add_argument("--runs_per_call", metavar="N", help=words)
        words = "go on from these results, kept with --keep_state, or begin with their parameters"
        parser.add_argument("--start_from", metavar="FILE", help=words)
        switch("keep_state", "keep in the results all that training goes on from")
    parser.add_argument(
        "--time",
        metavar="TIME",
        help="end with the next epoch after so long, and keep what there is: 90s, 30m, 1h30m",
    )
    switch("keep_parameters", "keep the trained networks in the results, for nnjax.network")
    parser.add_argument("--title", metavar="TEXT", help="of the page")
    parser.add_argument("--question", metavar="TEXT", help="that the page answers")
    sections: list[tuple[type, str, Any]] = [(SearchOptions, "", defaults.search)] if takes == "space" else []
    sections += [(Config, "", defaults.config), (DataConfig, "data.", defaults.config.data)]
    for cls, prefix, values in sections:
        group = parser.add_argument_group((inspect.getdoc(cls) or "").rstrip("."))
        descriptions = _descriptions(cls)
        for name, hint in typing.get_type_hints(cls).items():
            if name == "model_attributes":
                group.add_argument("--model.NAME", metavar="VALUE", help="an attribute of a module of one's own")
                continue
            words = descriptions.get(name, "data.name, data.dir, … as one mapping")
            default = "" if hint is DataConfig else _default(getattr(values, name))
            group.add_argument(
                f"--{prefix}{name}",
                nargs="?" if hint is bool else None,
                const="true" if hint is bool else None,
                metavar=_metavar(hint, prefix + name),
                help=(words + default).replace("%", "%%"),
            )
    return parser


def _descriptions(cls: type) -> dict[str, str]:
    """The docstrings of a dataclass's fields; Python forgets them, and its source has them."""
    definition = ast.parse(inspect.getsource(cls)).body[0]
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, below in itertools.pairwise(definition.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = " ".join(words.split())
    return found


def _metavar(hint: Any, name: str = "") -> str:
    if name in TABLES and name != "metrics":
        return (
            f"{{{','.join(part_names(name))}}}"
            if name in OF_NNJAX
            else f"{{{','.join(part_names(name))},FILE:NAME}}"
        )
    if typing.get_origin(hint) is Literal:
        return f"{{{','.join(typing.get_args(hint))}}}"
    if typing.get_origin(hint) is types.UnionType:
        return "|".join(_metavar(part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return "LIST"
    if typing.get_origin(hint) is Mapping:
        return "MAPPING"
    return {bool: "{true,false}", float: "NUMBER", int: "N", str: "TEXT", DataConfig: "MAPPING"}.get(hint, "None")


def _default(value: Any) -> str:
    if value is None:
        return ""
    words = isinstance(value, str | Path)
    return f" (default: {value if words else json.dumps(value, default=str)})"
