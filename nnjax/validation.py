"""What a value of the configuration must be, and the sentence that says so when it isn't."""

import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from nnjax.spelling import nearest

LARGEST = 3.4028234e38
"""The largest number of 32 bits, in which networks train."""


class UserError(ValueError):
    """A user's mistake, in one sentence that names the value, what was expected and the nearest right spelling."""


def cut(text: Any, most: int = 60) -> Any:
    """A text, on one line and cut short; what is no text as it is."""
    if not isinstance(text, str):
        return text
    line = " ".join(text.split()) if "\n" in text else text
    return line if len(line) <= most else line[: most - 3] + "…"


def short(value: Any) -> str:
    """A value as Python writes it, cut to some 60 characters."""
    return str(cut(repr(value)))


def choice(name: str, value: object, known: Iterable[str], others: str = "") -> None:
    """Refuse a value that is not one of the known words; ``others`` says what else is taken.

    Raises:
        UserError: naming the value, the words and the nearest of them.
    """
    known = list(known)
    if value not in known:
        raise UserError(
            f"{name} is {value!r}, and must be one of {', '.join(known)}{others}{nearest(value, known)}"
        )


def check_type(name: str, value: object, hint: Any) -> None:
    """Refuse a value of another type or word than a field is annotated with.

    Raises:
        UserError: naming the field, its value and what it must be.
    """
    if typing.get_origin(hint) is Literal:
        choice(name, value, typing.get_args(hint))
    elif not _fits(value, hint):
        shown = list(value) if isinstance(value, tuple) else value
        raise UserError(f"{name} is {short(shown)}, and must be {_words(hint)}")


def check_range(
    name: str,
    value: float,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> None:
    """Refuse a number that is out of bounds or not finite in the 32 bits that networks train in.

    Raises:
        UserError: naming the number and its bounds.
    """
    if not abs(value) <= LARGEST:
        raise UserError(f"{name} is {value}, and must be finite in 32 bits")
    if least <= value <= most and above < value < below:
        return
    bounds = [
        f"{words} {bound if isinstance(bound, int) else f'{bound:g}'}"
        for words, bound in (
            ("at least", least),
            ("at most", most),
            ("more than", above),
            ("less than", below),
        )
        if math.isfinite(bound)
    ]
    raise UserError(f"{name} is {value}, and must be {' and '.join(bounds)}")


def check_count(name: str, value: int) -> None:
    """Refuse a count that is no whole number, below 1, or above what the devices' integers hold.

    Raises:
        UserError: naming the value and what it must be.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise UserError(f"{name} is {short(value)}, and must be a whole number")
    check_range(name, value, least=1)
    check_range(name, value, most=2**31 - 1)


def check_seed(name: str, value: int | None) -> None:
    """Refuse a seed that is no integer of 32 bits without a sign; None is no seed.

    Raises:
        UserError: naming the seed and its bounds.
    """
    if value is not None:
        check_range(name, value, least=0, below=2**32)


def _fits(value: object, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return any(_fits(value, argument) for argument in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, arguments[0]) for item in value)
    if hint is object:
        return True
    if origin is Mapping:
        return isinstance(value, Mapping)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _words(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return " or ".join(_words(argument) for argument in arguments)
    if origin is tuple:
        return {int: "a list of whole numbers", float: "a list of numbers"}[arguments[0]]
    if origin is Mapping:
        return "a mapping"
    words = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
    return words.get(hint, "none" if hint is type(None) else hint.__name__)
