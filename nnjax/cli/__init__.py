"""The `nnjax` command, and what a study's script calls to be one of its own."""

from nnjax.cli.main import main
from nnjax.cli.study import parse, run

__all__ = ["main", "parse", "run"]
