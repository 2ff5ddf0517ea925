"""The arguments of a checked function: their sizes, what numbers they may hold, and other sizes to try.

A shape is written ``z=5``, ``w=3,4`` or ``b=`` for a scalar; after a colon stands what the argument holds, as in
``y=5:onehot``. Equal numbers in the shapes of one check are one size: they change together.
"""

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from nnjax.gradcheck.functions import Function, name_of, parameters
from nnjax.validation import UserError

KINDS = {
    "real": "any numbers (the default)",
    "positive": "numbers above 0",
    "probability": "numbers between 0 and 1",
    "distribution": "numbers of at least 0 that add up to 1 along the last axis",
    "onehot": "one 1 and else 0 along the last axis",
    "binary": "zeros and ones",
    "labels": "whole numbers below the number that follows, as in y=8:labels10",
}


LARGEST = 2**24
"""The most entries of an argument or of a Jacobian: the checker is for shapes that one can look at."""


class Argument(NamedTuple):
    """The sizes of an argument, and what it holds: a word of `KINDS`, with the number of classes for labels."""

    sizes: tuple[int, ...]
    kind: str = "real"
    classes: int = 0

    def __str__(self) -> str:
        sizes = ",".join(map(str, self.sizes))
        return sizes if self.kind == "real" else f"{sizes}:{self.kind}{self.classes or ''}"


Arguments: TypeAlias = Mapping[str, Argument]
Shapes: TypeAlias = Mapping[str, str | int | Sequence[int] | Argument] | Iterable[str]
"""``{"z": 5, "w": (3, 4), "y": "5:onehot"}``, or ``["z=5", "w=3,4", "y=5:onehot"]``."""


def parse_shapes(shapes: Shapes) -> dict[str, Argument]:
    """The arguments by name.

    Raises:
        UserError: for what is not a shape, a size below 1, too many entries, an unknown word after the colon, or
            a name twice.
    """
    parsed: dict[str, Argument] = {}
    if isinstance(shapes, Mapping):
        return {name: _parse_value(name, value) for name, value in shapes.items()}
    for text in [shapes] if isinstance(shapes, str) else shapes:
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise UserError(f"the shape {text!r} must be a name and sizes, such as z=5, w=3,4 or b= for a scalar")
        if name.strip() in parsed:
            raise UserError(f"the shape of {name.strip()} is given twice")
        parsed[name.strip()] = _parse_value(name.strip(), value)
    return parsed


def _parse_value(name: str, value: str | int | Sequence[int] | Argument) -> Argument:
    if isinstance(value, Argument):
        return value
    if not isinstance(value, str):
        value = ",".join(map(str, [value] if isinstance(value, int) else value))
    match = re.fullmatch(r"\s*((?:\d+\s*(?:,\s*\d+\s*)*)?),?\s*(?::\s*([a-z]+)(\d*))?\s*", value)
    if not match:
        raise UserError(f"the shape {name}={value} must list whole numbers, such as {name}=5 or {name}=3,4")
    sizes = tuple(int(size) for size in match[1].split(",")) if match[1] else ()
    kind, classes = match[2] or "real", int(match[3] or 0)
    if 0 in sizes:
        raise UserError(f"the shape {name}={value} has a size of 0, and sizes must be at least 1")
    if (entries := math.prod(sizes)) > LARGEST:
        raise UserError(f"the shape {name}={value} has {entries:,} entries, and must have {LARGEST:,} at most")
    if kind not in KINDS or (kind == "labels") != (classes > 0):
        raise UserError(f"the shape {name}={value} says {match[2]}{match[3]}, and may say {', '.join(KINDS)}10")
    if kind in ("distribution", "onehot") and not sizes:
        raise UserError(f"the shape {name}={value} is a scalar, and a {kind} needs a last axis")
    return Argument(sizes, kind, classes)


def sizes_of(arguments: Arguments) -> list[int]:
    """The different sizes, in ascending order."""
    found = {size for argument in arguments.values() for size in argument.sizes}
    return sorted(found | {argument.classes for argument in arguments.values() if argument.classes})


def resize(arguments: Arguments, sizes: Mapping[int, int]) -> dict[str, Argument]:
    """The arguments with each size replaced by another."""
    return {
        name: Argument(
            tuple(sizes[size] for size in argument.sizes),
            argument.kind,
            sizes[argument.classes] if argument.classes else 0,
        )
        for name, argument in arguments.items()
    }


def other_sizes(arguments: Arguments) -> list[dict[int, int]]:
    """Replacements of the sizes to try beside the given ones: all different from each other, and all 1."""
    given = sizes_of(arguments)
    if not given:
        return []
    # Different from each other, so that an n is told from an m, and each from what it was.
    different: dict[int, int] = {}
    for size in reversed(given):
        different[size] = next(n for n in itertools.count(2) if n != size and n not in different.values())
    ones = dict.fromkeys(given, 1)
    return [different] if ones == {1: 1} else [different, ones]


def differentiated(of: Function, arguments: Arguments, wrt: str | Sequence[str] | None) -> list[str]:
    """The arguments that the derivative is in: those named, or the first.

    Raises:
        UserError: for a function without arguments, a name that it doesn't have, or one that holds labels.
    """
    names, _ = parameters(of)
    if wrt is None:
        if not names:
            raise UserError(f"{name_of(of)} takes no argument, and a derivative is in one")
        wrt = names[0]
    chosen = [wrt] if isinstance(wrt, str) else list(wrt)
    for name in chosen:
        if name not in names:
            raise UserError(
                f"{name_of(of)} has no argument {name!r} to differentiate in; it has {', '.join(names)}"
            )
        if name in arguments and arguments[name].kind == "labels":
            raise UserError(f"{name} holds labels, and a derivative is in real numbers")
    return chosen


def vector_argument(hand: Function, of: Function, wrt: Sequence[str], arguments: Arguments, form: str) -> str:
    """The name of the argument that takes the vector of a product, or "".

    Raises:
        UserError: for an argument without a shape, or a shape without an argument.
    """
    all_of, needed_of = parameters(of)
    all_hand, needed_hand = parameters(hand)
    for name in {*needed_of, *wrt} - set(arguments):
        raise UserError(f"{name_of(of)} needs the argument {name!r}: give its shape, such as {name}=5")
    for name in set(arguments) - set(all_of) - set(all_hand):
        raise UserError(
            f"neither function has the argument {name!r} of the shapes; {name_of(of)} has {', '.join(all_of)}"
        )
    missing = [name for name in needed_hand if name not in arguments]
    if form in ("jvp", "vjp"):
        if len(wrt) > 1:
            raise UserError("a product with a vector is checked in one argument at a time")
        if len(missing) != 1:
            raise UserError(
                f"{name_of(hand)} must take one argument more than {name_of(of)}, the vector of the product"
            )
        return missing[0]
    if missing:
        raise UserError(
            f"{name_of(hand)} needs the argument {missing[0]!r}, which has no shape: give one, such as "
            f"{missing[0]}=5, or call it as {name_of(of)} does ({', '.join(all_of)})"
        )
    return ""
