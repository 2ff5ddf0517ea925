"""What a run is made of: the one source of names, types and defaults.

Python, YAML and the command line all fill in the same two dataclasses. A value that can't be right is refused
when the object is made, in one sentence that names it.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nnjax import parts
from nnjax.parts import Part, PartLike
from nnjax.validation import UserError, check_count, check_range, check_seed, check_types
from nnjax.validation import choice as choice
from nnjax.validation import nearest as nearest

OWN_INIT = "normal(0.001)"
"""How the kernels of the models of nnjax start where nothing is said."""

SEED_FIELDS = ("init_seed", "data_seed")
"""The fields that can be crossed in place of the runs' seeds."""


@dataclass(frozen=True)
class DataConfig:
    """Which examples, and how they are split."""

    name: PartLike = "digits"
    """The data set; digits comes with scikit-learn, the others are read from a folder, and a function of one's own
    gives a nnjax.Dataset."""
    dir: str | None = None
    """The folder with the files of the data set."""
    source: PartLike = "auto"
    """The kind of files to read; auto takes IDX, then CSV, then a prepared TensorFlow dataset."""
    valid_fraction: float = 0.2
    """The share of the training set, its last part, that validates."""
    split_seed: int | None = None
    """Shuffle the training set with this seed before it is split; None leaves its order alone."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            object.__setattr__(self, item.name, canonical(f"data.{item.name}", getattr(self, item.name)))
        check_types(self, "data.", leave=("name", "source"))
        check_range("data.valid_fraction", self.valid_fraction, above=0, below=1)
        check_seed("data.split_seed", self.split_seed)


@dataclass(frozen=True)
class Config:
    """One setting: the network, how it starts, how it is trained, on what, and with how many seeds."""

    data: DataConfig = field(default_factory=DataConfig)
    model: PartLike = "mlp"
    """mlp, softmax_regression (one dense layer without a bias), or a Flax module of one's own."""
    model_attributes: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of a module of one's own; each is a field model.NAME and can be an axis."""
    hidden: tuple[int, ...] = (128,)
    """Widths of the hidden layers of an mlp."""
    activation: PartLike = "sigmoid"
    """The non-linearity of the hidden layers."""
    activation_slope: float = 1.0
    """k of scaled_sigmoid, 1 / (1 + exp(−k·x)); the other activations have none."""
    residual: bool = False
    """Add the input of a hidden layer, but not of the first, to its output where both have one width."""
    relu_logits: bool = False
    """Put a ReLU on the logits of softmax_regression."""
    dropout: float = 0.0
    """The probability that a hidden feature of an mlp is dropped in training."""
    init: PartLike | None = None
    """How the kernels start: zeros, constant(c), normal(σ), uniform(a, b), xavier_uniform, xavier_normal,
    he_uniform, he_normal, lecun_uniform, lecun_normal, orthogonal(gain), lsuv(tolerance, iterations), or module,
    as its own layers say; None: normal(0.001), and module for one of one's own. Biases and the like start as the
    module says, at zero in those of nnjax."""
    loss: PartLike = "cross_entropy"
    """The loss that is minimised."""
    optimizer: PartLike = "sgd"
    """sgd (plain, with momentum, with Nesterov's), adam, adamw, or an optax factory."""
    learning_rate: float = 0.1
    """η, the peak of the schedule."""
    layer_rates: tuple[float, ...] = ()
    """One factor on the learning rate for each layer with weights; () leaves all at 1."""
    weight_decay: float = 1e-3
    """λ. J = L + ½ λ Σ w² over kernels, never biases; for adamw, w ← w − η λ w beside the step."""
    momentum: float = 0.0
    """μ of classical momentum: v ← μ v + g, θ ← θ − η v."""
    nesterov: bool = False
    """Nesterov's momentum: θ ← θ − η (g + μ v)."""
    schedule: PartLike = "constant"
    """How the learning rate goes over training."""
    schedule_end: float = 0.0
    """The learning rate at the end as a factor of learning_rate; above 1 it rises (linear, exponential)."""
    schedule_steps: int = 3
    """In how many drops the step schedule reaches its end."""
    warmup_epochs: float = 0.0
    """Epochs over which the learning rate first rises linearly to its peak."""
    batch_size: int = 64
    """Examples of a batch, B."""
    epochs: int = 10
    """Passes over the training examples, E."""
    metrics: tuple[PartLike, ...] = ()
    """What is recorded beside loss, accuracy, grad_norm and update_ratio."""
    seeds: int | tuple[int, ...] = 8
    """How many seeds (0, 1, 2, …), or which."""
    init_seed: int | None = None
    """The seed of the initial draw; None: the run's seed."""
    data_seed: int | None = None
    """The seed of the data order and of dropout; None: the run's seed."""

    def __post_init__(self) -> None:
        if _is_module(self.model):
            model, attributes = _taken_apart(self.model)
            object.__setattr__(self, "model", model)
            object.__setattr__(self, "model_attributes", {**attributes, **self.model_attributes})
        for item in dataclasses.fields(self):
            value = canonical(item.name, getattr(self, item.name))
            if item.name == "model_attributes":
                value = _Attributes({name: _plain(attribute) for name, attribute in dict(value).items()})
            object.__setattr__(self, item.name, value)
        check_types(self, leave=parts.TABLES)
        _check_numbers(self)
        _check_combinations(self)

    @functools.cached_property
    def initialization(self) -> "tuple[str | Part, tuple[float, ...]]":
        """The kind of initialisation and its numbers."""
        if isinstance(self.init, Part):
            return self.init, ()
        from nnjax.nn.initializers import parse_init

        return parse_init(str(self.init or (OWN_INIT if isinstance(self.model, str) else "module")))

    def seed_values(self) -> tuple[int, ...]:
        """The seeds of the runs: 0 … n−1 for a number n, else as they are listed."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds


def field_names(cls: type = Config, prefix: str = "") -> list[str]:
    """Every name that can be set, nested ones with a dot: ``learning_rate``, ``data.name``, …

    Attributes of a module of the user's own, ``model.NAME``, come on top of these.
    """
    names = []
    for item in dataclasses.fields(cls):
        if item.name == "data":
            names += field_names(DataConfig, "data.")
        elif item.name != "model_attributes":
            names.append(prefix + item.name)
    return names


def check_field(name: str, others: Iterable[str] = ()) -> None:
    """Refuse a name that is no field of the configuration, and none of some others.

    Raises:
        UserError: naming the nearest field.
    """
    known = [*field_names(), *others]
    if name not in known and not (str(name).startswith("model.") and len(name) > 6):
        raise UserError(f"{name!r} is not a field of the configuration{nearest(name, known)}")


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested names joined with a dot, as `replace` takes them: ``{"data": {"dir": …}}`` is ``{"data.dir": …}``.

    Raises:
        UserError: where ``data`` is no mapping.
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if name != "data":
            flat[name] = value
        elif isinstance(value, Mapping):
            flat |= {f"data.{inner}": item for inner, item in value.items()}
        else:
            names = ", ".join(item.name for item in dataclasses.fields(DataConfig))
            raise UserError(f"data is {value!r}, and must be a mapping that may hold {names}")
    return flat


def flat(config: Config) -> dict[str, Any]:
    """All fields by the names that `replace` takes, parts by their names."""
    values = {name: getattr(config, name) for name in field_names() if not name.startswith("data.")}
    values |= {f"data.{item.name}": getattr(config.data, item.name) for item in dataclasses.fields(DataConfig)}
    return values | {f"model.{name}": value for name, value in config.model_attributes.items()}


def replace(config: Config, changes: Mapping[str, Any]) -> Config:
    """A copy of ``config`` with some fields changed, nested ones by their dotted name.

    Raises:
        UserError: for a name that is no field, or a value that can't be right.
    """
    top: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {"data": {}, "model": {}}
    for name, value in changes.items():
        check_field(name)
        group, dot, of_group = name.partition(".")
        if dot:
            inner[group][of_group] = value
        else:
            top[name] = value
    if inner["data"]:
        top["data"] = dataclasses.replace(config.data, **inner["data"])
    # Another model has other attributes.
    kept = config.model_attributes if top.get("model", config.model) == config.model else {}
    return dataclasses.replace(config, **top, model_attributes={**kept, **inner["model"]})


class _Attributes(dict[str, Any]):
    """The attributes of a module: a mapping that doesn't change."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return _Attributes, (dict(self),)

    def _refuse(self, *_: Any) -> None:
        raise TypeError("a configuration doesn't change: make another with nnjax.config.replace")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse  # type: ignore[assignment]


def _is_module(model: object) -> bool:
    """Whether it is a Flax module, not its class; known without importing Flax."""
    return not isinstance(model, str | Part | type) and any(
        base.__name__ == "Module" and base.__module__.startswith("flax.") for base in type(model).__mro__
    )


def _taken_apart(module: Any) -> tuple[type, dict[str, Any]]:
    """A module's class, and those of its attributes that have not their default."""
    given = {
        item.name: getattr(module, item.name)
        for item in dataclasses.fields(module)
        if item.name not in ("parent", "name")
    }
    defaults = {item.name: item.default for item in dataclasses.fields(module)}
    return type(module), {name: value for name, value in given.items() if value is not defaults[name]}


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
    if not hasattr(value, "tolist"):
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
    if name in parts.TABLES:
        return value if _is_module(value) else _resolved(name, value)
    return value


def _check_numbers(config: Config) -> None:
    for width in config.hidden:
        check_count("hidden", width)
    check_range("activation_slope", config.activation_slope)
    check_range("dropout", config.dropout, least=0, below=1)
    check_range("learning_rate", config.learning_rate, least=0)
    for rate in config.layer_rates:
        check_range("layer_rates", rate, least=0)
    check_range("weight_decay", config.weight_decay, least=0)
    check_range("momentum", config.momentum, least=0, below=1)
    check_range("schedule_end", config.schedule_end, least=0)
    check_count("schedule_steps", config.schedule_steps)
    if config.init is not None:
        _ = config.initialization  # refuses what can't be read
    check_count("batch_size", config.batch_size)
    check_count("epochs", config.epochs)
    check_range("warmup_epochs", config.warmup_epochs, least=0, most=config.epochs)
    if isinstance(config.seeds, int):
        check_range("seeds", config.seeds, least=1, most=1_000_000)
    else:
        for seed in config.seeds:
            check_seed("seeds", seed)
        if not config.seeds or len(set(config.seeds)) != len(config.seeds):
            raise UserError(f"seeds is {list(config.seeds)}, and must list at least one seed, none twice")
    check_seed("init_seed", config.init_seed)
    check_seed("data_seed", config.data_seed)


def _check_combinations(config: Config) -> None:
    if (config.momentum or config.nesterov) and not _entry("optimizer", config.optimizer, "momentum"):
        raise UserError(
            f"momentum is for the optimizer sgd, and optimizer is {str(config.optimizer)!r}: "
            "leave momentum at 0 and nesterov at false"
        )
    if config.relu_logits and config.model != "softmax_regression":
        raise UserError(f"relu_logits is for the model softmax_regression, and model is {str(config.model)!r}")
    if config.model_attributes and isinstance(config.model, str):
        name = next(iter(config.model_attributes))
        raise UserError(
            f"model.{name} is an attribute of a module of one's own, and model is {config.model!r}, whose sizes "
            "are fields of their own, such as hidden"
        )
    if (
        config.schedule_end == 0
        and config.schedule != "constant"
        and _entry("schedule", config.schedule, "by_factors")
    ):
        raise UserError(
            f"schedule_end is 0, and must be more than 0 for the schedule {str(config.schedule)!r}, "
            "which goes there by factors"
        )


def _entry(kind: str, part: PartLike, what: str) -> bool:
    """What the table says of a part; of one of the user's own, nothing."""
    return isinstance(part, str) and bool(getattr(parts.entry(kind, part), what))
