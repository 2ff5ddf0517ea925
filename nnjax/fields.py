"""The fields of a configuration one by one: the form in which each is held, what it must be, and what it fixes."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nnjax import parts
from nnjax.parts import Part, PartLike
from nnjax.seeds import parse_need
from nnjax.validation import UserError, check_count, check_range, check_seed, choice, short


class Attributes(dict[str, Any]):
    """The attributes of a module: a mapping that doesn't change."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return Attributes, (dict(self),)

    def _refuse(self, *_: Any) -> None:
        raise TypeError("a configuration doesn't change: make another with nnjax.config.replace")

    __setitem__ = __delitem__ = __ior__ = _refuse  # type: ignore[assignment]
    clear = pop = popitem = setdefault = update = _refuse  # type: ignore[assignment]


def is_module(model: object) -> bool:
    """Whether it is a Flax module, not its class; known without importing Flax."""
    return not isinstance(model, str | Part | type) and any(
        base.__name__ == "Module" and base.__module__.startswith("flax.") for base in type(model).__mro__
    )


def taken_apart(module: Any) -> tuple[type, dict[str, Any]]:
    """A module's class, and those of its attributes that have not their default."""
    given = {
        item.name: getattr(module, item.name)
        for item in dataclasses.fields(module)
        if item.name not in ("parent", "name")
    }
    defaults = {item.name: item.default for item in dataclasses.fields(module)}
    own = {name: value for name, value in given.items() if not _same(value, defaults[name])}
    return type(module), own


def _same(one: Any, other: Any) -> bool:
    return one is other or (
        type(one) is type(other) and isinstance(one, str | int | float | tuple) and one == other
    )


def _resolved(kind: str, value: Any) -> Any:
    """A field that names parts, with its names checked and the user's functions found."""
    if kind == "metrics":
        listed = value if isinstance(value, list | tuple) else (value,)
        return tuple(parts.resolve(kind, one) for one in listed)
    if kind == "init" and (value is None or isinstance(value, str)):
        return parts.resolve(kind, value) if ":" in (value or "") else value
    return parts.resolve(kind, value)


def _plain(value: Any) -> Any:
    """YAML and JSON have lists only, and axes come as NumPy arrays: a frozen object wants plain values.

    A number of fewer than 64 bits becomes the shortest that it is written as: float32's 0.1 is 0.1.
    """
    if isinstance(value, list | tuple | range):
        return tuple(_plain(item) for item in value)
    if isinstance(value, type) or not hasattr(value, "tolist"):
        return value
    short = getattr(getattr(value, "dtype", None), "kind", "") == "f" and value.dtype.itemsize < 8
    if short and value.ndim == 0:
        return float(str(value))
    return tuple(map(_plain, value)) if value.ndim else value.item()


def canonical(name: str, value: Any) -> Any:
    """The value as a configuration holds it: lists are tuples, one width a list of one, NumPy's numbers Python's.

    Raises:
        UserError: for a part that can't be found.
    """
    value = _plain(value)
    if name in ("hidden", "layer_rates") and isinstance(value, int | float):
        return (value,)
    if name in ("model_attributes", "data.columns") and isinstance(value, Mapping):
        return Attributes({attribute: _plain(inner) for attribute, inner in value.items()})
    if name == "data.class_weight" and isinstance(value, Mapping):  # classes are words in YAML
        return Attributes({_word(label): _plain(inner) for label, inner in value.items()})
    if name in parts.TABLES:
        return value if is_module(value) else _resolved(name, value)
    return value


def _word(label: Any) -> str:
    """A class as it is called: 3 also where it is 3.0."""
    label = _plain(label)
    return str(int(label) if isinstance(label, float) and label.is_integer() else label)


def parse_init(text: str) -> tuple[str, tuple[float, ...]]:
    """The kind and the numbers in an initialisation's name: ``"normal(0.01)"`` is ("normal", (0.01,)).

    Numbers that are left out are those of the kind.

    Raises:
        UserError: for an unknown kind, too many numbers, or what isn't a number.
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*", text)
    if not match:
        torn = "; in a list, quote one with a comma" if text.count("(") != text.count(")") else ""
        raise UserError(f"init is {text!r}, and must be a name with its numbers, such as 'normal(0.001)'{torn}")
    kind, inside = match[1], (match[2] or "").strip()
    choice("init", kind, parts.names("init"), ", or module:function or file.py:function")
    words = inside.split(",") if inside else []
    entry = parts.entry("init", kind)
    defaults = entry.numbers
    if len(words) > len(defaults):
        takes = f"{len(defaults)} number{'s' * (len(defaults) != 1)}" if defaults else "no numbers"
        raise UserError(f"init is {text!r}, and {kind} takes {takes}")
    try:
        given = tuple(float(word) for word in words)
    except ValueError:
        raise UserError(f"init is {text!r}, and what stands in the brackets must be numbers") from None
    numbers = given + defaults[len(given) :]
    for number in numbers:
        check_range(f"the number in init {text!r}", number)
    if wrong := entry.wrong(numbers):
        raise UserError(f"init is {text!r}, and {wrong}")
    return kind, numbers


def _each(check: Callable[[str, Any], None], name: str) -> Callable[[Any], None]:
    def of_each(values: Iterable[Any]) -> None:
        for value in values:
            check(name, value)

    return of_each


def _check_seeds(seeds: Any) -> None:
    if isinstance(seeds, str):
        parse_need(seeds)
        return
    if isinstance(seeds, int):
        check_range("seeds", seeds, least=1, most=1_000_000)
        return
    for seed in seeds:
        check_seed("seeds", seed)
    if not seeds or len(set(seeds)) != len(seeds):
        raise UserError(f"seeds is {list(seeds)}, and must list at least one seed, none twice")


COLUMN_KINDS = ("number", "category", "boolean", "left_out")
"""What a column of a table can be."""


def check_columns(columns: Mapping[Any, Any]) -> None:
    """Refuse what no column of a table can be.

    Raises:
        UserError: naming the column and the kinds.
    """
    for name, kind in columns.items():
        choice(f"data.columns of {name}", kind, COLUMN_KINDS)


def check_class_weight(weights: Any) -> None:
    """Refuse a word that isn't balanced, and weights that are negative or no numbers.

    Raises:
        UserError: naming the class.
    """
    if isinstance(weights, str) and weights != "balanced":
        raise UserError(
            f"data.class_weight is {short(weights)}, and must be balanced or a mapping from classes to numbers"
        )
    for name, weight in weights.items() if isinstance(weights, Mapping) else ():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise UserError(f"data.class_weight of {name} is {weight!r}, and must be a number")
        check_range(f"data.class_weight of {name}", weight, least=0)


def check_folds(folds: int | None, fold: int) -> None:
    """Refuse fewer than two folds, and a fold that is none of them.

    Raises:
        UserError: naming both fields.
    """
    if folds is not None:
        check_range("data.folds", folds, least=2)
        check_range("data.fold", fold, least=0, below=folds)
    elif fold != 0:
        raise UserError(f"data.fold is {fold}, and data.folds, how many folds there are, is not set")


def _ranged(name: str, **bounds: float) -> Callable[[Any], None]:
    return lambda value: check_range(name, value, **bounds)


def _counted(name: str) -> Callable[[Any], None]:
    return lambda value: check_count(name, value)


def check_monitor(monitor: str, metrics: Iterable[PartLike]) -> None:
    """Refuse what the best epoch can't be chosen by.

    Args:
        monitor: ``valid_`` and the name of a metric.
        metrics: what is recorded beside the standard ones.

    Raises:
        UserError: naming what can be.
    """
    tabled = {name: parts.entry("metrics", name) for name in parts.names("metrics")}
    own = {part.name.rpartition(":")[2]: part for part in metrics if isinstance(part, Part)}
    named = tabled | {name: part.function for name, part in own.items()}
    known = [f"valid_{name}" for name, metric in named.items() if _has_best(metric)]
    part = own.get(monitor.removeprefix("valid_"))
    if part is None or _better(part.function):
        choice("monitor", monitor, known)
    elif not part.lost:
        raise UserError(
            f"monitor is {monitor!r}, and the metric {part} doesn't say which values are better: give it as "
            f"nnjax.Metric(…, better='higher') or 'lower', or monitor one of {', '.join(known)}"
        )


def _better(metric: Any) -> str:
    """Which values a metric says to be better; a plain function says nothing."""
    return str(getattr(metric, "better", ""))


def _has_best(metric: Any) -> bool:
    """Whether a metric is one number of the examples, and says which values are better."""
    return bool(_better(metric)) and metric.of == "example" and not metric.dims


CHECKS: dict[str, Callable[[Any], None]] = {
    "hidden": _each(check_count, "hidden"),
    "activation_slope": _ranged("activation_slope"),
    "dropout": _ranged("dropout", least=0, below=1),
    "huber_delta": _ranged("huber_delta", above=0),
    "learning_rate": _ranged("learning_rate", least=0),
    "layer_rates": _each(lambda name, rate: check_range(name, rate, least=0), "layer_rates"),
    "weight_decay": _ranged("weight_decay", least=0),
    "momentum": _ranged("momentum", least=0, below=1),
    "beta_1": _ranged("beta_1", least=0, below=1),
    "beta_2": _ranged("beta_2", least=0, below=1),
    "epsilon": _ranged("epsilon", above=0),
    "schedule_end": _ranged("schedule_end", least=0),
    "schedule_steps": _counted("schedule_steps"),
    "batch_size": _counted("batch_size"),
    "epochs": _counted("epochs"),
    "patience": lambda patience: None if patience is None else check_count("patience", patience),
    "seeds": _check_seeds,
    "init_seed": lambda seed: check_seed("init_seed", seed),
    "data_seed": lambda seed: check_seed("data_seed", seed),
}
"""What the value of a field must be, beyond its type."""

FIXES_PROGRAM = (
    *("model", "model_attributes", "hidden", "activation", "residual", "relu_logits", "loss"),
    *("huber_delta", "optimizer", "nesterov", "schedule", "batch_size", "metrics"),
    "shuffle",
)
"""The fields that fix the compiled program. Two settings that differ in others share one, but for whether there is
any momentum or dropout."""

NUMBERS = (
    *("activation_slope", "dropout", "init", "learning_rate", "layer_rates", "weight_decay", "momentum"),
    *("beta_1", "beta_2", "epsilon"),
    *("schedule_end", "schedule_steps", "warmup_epochs", "epochs", "patience", "monitor"),
    *("seeds", "init_seed", "data_seed"),
)
"""The fields that are inputs of the program."""

DATA = ("data",)
"""The fields that say what it is trained on."""
