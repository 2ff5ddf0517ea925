"""Distributions as they are written: on the command line, in a YAML file, and in those of W&B's sweeps."""

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from nnjax import parts
from nnjax.search.distributions import WORDS, Distribution, choice, constant
from nnjax.search.joint import distribution_of, layers, text, tuple_of, when
from nnjax.search.numbers import exact, integers, log_integers, log_normal, log_uniform, normal, uniform
from nnjax.spelling import nearest
from nnjax.validation import UserError, short

DISTRIBUTIONS: dict[str, Any] = {
    "uniform": uniform,
    "log_uniform": log_uniform,
    "integers": integers,
    "log_integers": log_integers,
    "normal": normal,
    "log_normal": log_normal,
    "choice": choice,
    "tuple_of": tuple_of,
    "layers": layers,
    "text": text,
    "constant": constant,
    "when": when,
}
"""What can be written, by its name."""

ALIASES = {
    **dict.fromkeys(("log_uniform_values", "loguniform", "q_log_uniform_values"), "log_uniform"),
    **dict.fromkeys(("q_uniform", "quniform"), "uniform"),
    **dict.fromkeys(("int_uniform", "int"), "integers"),
    **dict.fromkeys(("categorical", "choices"), "choice"),
    **dict.fromkeys(("lognormal", "q_log_normal"), "log_normal"),
    "q_normal": "normal",
}
"""What W&B and others call them. Those with a q are rounded to multiples of it, which is 1 if not given."""

KEYS = {
    **{"min": "low", "max": "high", "mu": "mean", "sigma": "deviation", "q": "step", "value": "only"},
    **dict.fromkeys(("values", "choices"), "options"),
}
"""What W&B calls their arguments."""

Read: TypeAlias = Distribution | when | list[when]


def read(value: Any, field: str = "") -> Read:
    """What stands for a field in a space: a distribution, one under a condition, or several of those.

    Args:
        value: an object, a mapping, a text such as ``log_uniform(1e-4, 1)``, a list, which is a choice of its
            values or holds conditions, a tuple of distributions, or else a plain value.
        field: which it is for, since an init is written as a distribution is: normal(0.01).

    Raises:
        UserError: for what can't be read, or can't be.
    """
    if isinstance(value, Distribution | when):
        return value
    if isinstance(value, Mapping):
        return _from_mapping(value, field)
    if isinstance(value, range) or (hasattr(value, "tolist") and hasattr(value, "ndim") and value.ndim):
        return choice(tuple(value))
    if isinstance(value, list):
        return _from_list(value, field)
    if isinstance(value, tuple):
        return distribution_of(value)
    if isinstance(value, str) and _is_call(value, field):
        return _call(value, field)
    if isinstance(value, str) and field == "init" and (scaled := _init(value)):
        return scaled
    return constant(value)


def build(name: str, arguments: Iterable[Any], keywords: Mapping[str, Any]) -> Any:
    """The distribution of a name with its arguments.

    Raises:
        UserError: for a name that there isn't, or arguments that it doesn't take.
    """
    own = ALIASES.get(name, name)
    if own not in DISTRIBUTIONS:
        known = [*DISTRIBUTIONS, *ALIASES]
        raise UserError(f"{name!r} is no distribution, which are {', '.join(DISTRIBUTIONS)}{nearest(name, known)}")
    kind = DISTRIBUTIONS[own]
    keywords = {KEYS.get(key, key): value for key, value in keywords.items()}
    if name.startswith("q"):
        keywords = _quantised(keywords)
    signature = inspect.signature(kind)
    takes = list(signature.parameters)
    for key in keywords:
        if key not in takes:
            raise UserError(f"{name} has {key!r}, and takes {_listed(takes)}{nearest(key, takes)}")
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as error:
        raise UserError(f"{name} takes {_listed(takes)}: {error}") from None
    return kind(*arguments, **keywords)


def _quantised(keywords: dict[str, Any]) -> dict[str, Any]:
    """W&B's are multiples of q; the steps here begin at low."""
    keywords = {"step": 1, **keywords}
    low, step = keywords.get("low"), keywords["step"]
    if isinstance(low, int | float) and isinstance(step, int | float) and step > 0:
        multiple = -(-exact(low) // exact(step)) * exact(step)
        whole = isinstance(step, int)
        keywords["low"] = int(multiple) if whole else float(multiple)
    return keywords


def _from_mapping(value: Mapping[str, Any], field: str) -> Distribution | when:
    spec = dict(value)
    conditions = spec.pop("when", {})
    if not isinstance(conditions, Mapping):
        raise UserError(
            f"when is {short(conditions)}, and must be a mapping of a field to its values, such as optimizer: sgd"
        )
    name = spec.pop("distribution", None) or _guess(spec)
    if not isinstance(name, str):
        raise UserError(f"distribution is {short(name)}, and must be a name such as log_uniform")
    plain = ALIASES.get(name, name) in ("choice", "constant")  # whose values are no distributions
    spec = {key: one if plain else _inner(one, key) for key, one in spec.items()}
    items = spec.pop("items", None)
    if items is not None and name in ("tuple_of", "text"):
        first = [spec.pop("template")] if "template" in spec else []
        found = build(name, [*first, *items], spec)
    else:
        found = build(name, [], spec)
    for parent, values in reversed(list(conditions.items())):
        found = when(str(parent), values, found)
    return found


def _guess(spec: Mapping[str, Any]) -> str:
    """The distribution of a mapping that doesn't name one, as W&B has it."""
    keys = {KEYS.get(key, key) for key in spec}
    if {"low", "high"} <= keys:
        ends = [value for key, value in spec.items() if KEYS.get(key, key) in ("low", "high")]
        return "integers" if all(isinstance(end, int) for end in ends) else "uniform"
    for key, name in (("options", "choice"), ("only", "constant"), ("depth", "layers"), ("items", "tuple_of")):
        if key in keys:
            return name
    raise UserError(f"{short(dict(spec))} names no distribution, such as distribution: log_uniform")


def _inner(value: Any, key: str) -> Any:
    """What stands in another distribution: plain values, or distributions in depth, width and items."""
    if key == "items" and isinstance(value, list | tuple):
        return [read(one) for one in value]
    return read(value) if key in ("depth", "width") else value


def _from_list(values: list[Any], field: str) -> Read:
    """A choice of values, or a list of conditions."""
    conditional = [
        isinstance(value, when)
        or (isinstance(value, Mapping) and "when" in value)
        or (isinstance(value, str) and value.lstrip().startswith("when("))
        for value in values
    ]
    if values and all(conditional):
        found = [read(value, field) for value in values]
        return [one for one in found if isinstance(one, when)]
    for value, under in zip(values, conditional, strict=True):
        if (
            under
            or isinstance(value, Distribution | Mapping)
            or (isinstance(value, str) and _is_call(value, field))
        ):
            raise UserError(
                f"a list is a choice of values, and holds {short(str(value))}: distributions side by side are "
                "tuple_of(…), and those of one field stand each under a when(…)"
            )
    return choice(values)


_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*\((.*)\)\s*", re.DOTALL)
_BEGUN = re.compile(r"\s*([A-Za-z_]\w*)\s*\(")
_KEYWORD = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.*)", re.DOTALL)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_WHOLE = re.compile(r"[-+]?\d+(_\d+)*", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+(_\d+)*\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(inf|nan)", re.ASCII)


def _is_call(value: str, field: str) -> bool:
    """Whether a text is a distribution, or would be one."""
    begun = _BEGUN.match(value)
    return begun is not None and not (field == "init" and begun[1] in parts.names("init"))


def _init(value: str) -> text | None:
    """An initialisation with a distribution in its brackets: normal(log_uniform(0.001, 1))."""
    call = _CALL.fullmatch(value)
    inside = [_value(piece, "") for piece in _split(call[2])] if call else []
    if call is None or not any(isinstance(one, Distribution) for one in inside):
        return None
    return text(f"{call[1]}({', '.join(['{}'] * len(inside))})", *inside)


def _call(value: str, field: str) -> Any:
    """What a text of the form name(arguments) says."""
    call = _CALL.fullmatch(value)
    if call is None:
        raise UserError(f"{short(value)} must end with the bracket that it opens")
    name = call[1]
    plain = ALIASES.get(name, name) in ("choice", "constant")
    arguments: list[Any] = []
    keywords: dict[str, Any] = {}
    for piece in _split(call[2]):
        keyword = _KEYWORD.fullmatch(piece)
        if keyword:
            keywords[keyword[1]] = _value(keyword[2], field, plain)
        elif name == "when" and len(arguments) < 2:
            arguments.append(_value(piece, "", True))
        else:
            arguments.append(_value(piece, field if name == "when" else "", plain))
    if ALIASES.get(name, name) == "choice" and arguments:
        # The list of its options, or these one by one.
        listed = len(arguments) == 1 and isinstance(arguments[0], list | tuple)
        arguments = [arguments[0] if listed else arguments]
    return build(name, arguments, keywords)


def _value(piece: str, field: str, plain: bool = False) -> Any:
    """A word, a number, a list, or where not all is plain a distribution."""
    piece = piece.strip()
    if _QUOTED.fullmatch(piece):
        try:
            return ast.literal_eval(piece)
        except (SyntaxError, ValueError):
            raise UserError(f"{short(piece)} is no text that can be read") from None
    if piece[:1] + piece[-1:] in ("[]", "()"):
        inside = [_value(one, field, plain) for one in _split(piece[1:-1])]
        return inside if piece[0] == "[" else tuple(inside)
    if not plain and _is_call(piece, field):
        return _call(piece, field)
    if not plain and field == "init":
        return _init(piece) or piece
    if piece.lower() in WORDS:
        return WORDS[piece.lower()]
    if _WHOLE.fullmatch(piece):
        return int(piece)
    return float(piece) if _NUMBER.fullmatch(piece) else piece


def _split(inside: str) -> list[str]:
    """The pieces between commas, but not those in brackets or quotes.

    Raises:
        UserError: for brackets that don't belong together.
    """
    pieces, open_, at = [""], "", 0
    while at < len(inside):
        quoted = _QUOTED.match(inside, at)
        one = quoted[0] if quoted else inside[at]
        at += len(one)
        if one in "([":
            open_ += one
        elif one in ")]":
            if open_[-1:] + one not in ("()", "[]"):
                raise UserError(f"{short(inside)} has a bracket that closes nothing")
            open_ = open_[:-1]
        if one == "," and not open_:
            pieces.append("")
        else:
            pieces[-1] += one
    if open_:
        raise UserError(f"{short(inside)} must end with the bracket that it opens")
    return pieces if pieces[-1].strip() else pieces[:-1]


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
