"""A user's function, called by the names of its arguments."""

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from nnjax.validation import UserError

Function: TypeAlias = Callable[..., Any]


def parameters(function: Function) -> tuple[list[str], list[str]]:
    """The names of a function's arguments, and those of them that have no default.

    Raises:
        UserError: for a function that doesn't tell.
    """
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise UserError(f"{name_of(function)} doesn't say what its arguments are called") from None
    named = [p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return [p.name for p in named], [p.name for p in named if p.default is p.empty]


def name_of(function: Function) -> str:
    """The name to call a function by in a sentence."""
    return getattr(function, "__name__", None) or type(function).__name__


def call(function: Function, values: Mapping[str, Any]) -> Any:
    """The function at the values that it has arguments for."""
    names, _ = parameters(function)
    # By position as far as it goes: what jax.grad returns takes its argument in no other way.
    positional = list(itertools.takewhile(values.__contains__, names))
    keyword = [name for name in names[len(positional) :] if name in values]
    only_keyword = {p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
    keyword += [name for name in positional if name in only_keyword]
    positional = [name for name in positional if name not in only_keyword]
    return function(*(values[name] for name in positional), **{name: values[name] for name in keyword})
