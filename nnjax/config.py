"""What a run is made of: the one source of names, types and defaults.

Python, YAML and the command line all fill in the same two dataclasses. A value that can't be right is refused
when the object is made, in one sentence that names it.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nnjax.validation import UserError, check_count, check_range, check_seed, check_types
from nnjax.validation import choice as choice
from nnjax.validation import nearest as nearest

Model = Literal["mlp", "softmax_regression"]
ActivationName = Literal["identity", "sigmoid", "scaled_sigmoid", "tanh", "relu", "leaky_relu", "gelu"]
LossName = Literal["cross_entropy", "mse", "mse_probabilities", "binary_cross_entropy"]
OptimizerName = Literal["sgd", "adam", "adamw"]
ScheduleName = Literal["constant", "linear", "cosine", "exponential", "step"]
DataName = Literal["digits", "mnist", "fashion_mnist", "kmnist"]
DataSource = Literal["auto", "idx", "csv", "tfds"]

INITS: dict[str, tuple[float, ...]] = {
    "zeros": (),
    "constant": (1.0,),
    "normal": (0.001,),
    "uniform": (-0.1, 0.1),
    "xavier_uniform": (),
    "xavier_normal": (),
    "he_uniform": (),
    "he_normal": (),
    "lecun_uniform": (),
    "lecun_normal": (),
    "orthogonal": (1.0,),
    "lsuv": (0.01, 10.0),
}
"""The kinds of initialisation, each with the numbers it takes and their defaults."""

SEED_FIELDS = ("init_seed", "data_seed")
"""The fields that can be crossed in place of the runs' seeds."""


@dataclass(frozen=True)
class DataConfig:
    """Which examples, and how they are split."""

    name: DataName = "digits"
    """The data set; digits comes with scikit-learn, the others are read from a folder."""
    dir: str | None = None
    """The folder with the files of the data set."""
    source: DataSource = "auto"
    """The kind of files to read; auto takes IDX, then CSV, then a prepared TensorFlow dataset."""
    valid_fraction: float = 0.2
    """The share of the training set, its last part, that validates."""
    split_seed: int | None = None
    """Shuffle the training set with this seed before it is split; None leaves its order alone."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            object.__setattr__(self, item.name, _plain(getattr(self, item.name)))
        check_types(self, "data.")
        check_range("data.valid_fraction", self.valid_fraction, above=0, below=1)
        check_seed("data.split_seed", self.split_seed)


@dataclass(frozen=True)
class Config:
    """One setting: the network, how it starts, how it is trained, on what, and with how many seeds."""

    data: DataConfig = field(default_factory=DataConfig)
    model: Model = "mlp"
    """mlp, or softmax_regression: one dense layer without a bias."""
    hidden: tuple[int, ...] = (128,)
    """Widths of the hidden layers of an mlp."""
    activation: ActivationName = "sigmoid"
    """The non-linearity of the hidden layers."""
    activation_slope: float = 1.0
    """k of scaled_sigmoid, 1 / (1 + exp(−k·x)); the other activations have none."""
    residual: bool = False
    """Add the input of a hidden layer, but not of the first, to its output where both have one width."""
    relu_logits: bool = False
    """Put a ReLU on the logits of softmax_regression."""
    dropout: float = 0.0
    """The probability that a hidden feature of an mlp is dropped in training."""
    init: str = "normal(0.001)"
    """How the kernels start, biases being zero: zeros, constant(c), normal(σ), uniform(a, b), xavier_uniform,
    xavier_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, orthogonal(gain),
    lsuv(tolerance, iterations)."""
    loss: LossName = "cross_entropy"
    """The loss that is minimised."""
    optimizer: OptimizerName = "sgd"
    """sgd (plain, with momentum, with Nesterov's), adam or adamw."""
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
    schedule: ScheduleName = "constant"
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
    seeds: int | tuple[int, ...] = 8
    """How many seeds (0, 1, 2, …), or which."""
    init_seed: int | None = None
    """The seed of the initial draw; None: the run's seed."""
    data_seed: int | None = None
    """The seed of the data order and of dropout; None: the run's seed."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = _plain(getattr(self, item.name))
            if item.name in ("hidden", "layer_rates") and isinstance(value, int | float):
                value = (value,)
            object.__setattr__(self, item.name, value)
        check_types(self)
        _check_numbers(self)
        _check_combinations(self)

    @property
    def num_layers(self) -> int:
        """L, the layers with weights."""
        return len(self.hidden) + 1 if self.model == "mlp" else 1

    def seed_values(self) -> tuple[int, ...]:
        """The seeds of the runs: 0 … n−1 for a number n, else as they are listed."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds


def parse_init(text: str) -> tuple[str, tuple[float, ...]]:
    """The kind and the numbers in an initialisation's name: ``"normal(0.01)"`` is ("normal", (0.01,)).

    Numbers that are left out are taken from `INITS`.

    Raises:
        UserError: for an unknown kind, too many numbers, or what isn't a number.
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*", text)
    if not match:
        torn = "; in a list, quote one with a comma" if text.count("(") != text.count(")") else ""
        raise UserError(f"init is {text!r}, and must be a name with its numbers, such as 'normal(0.001)'{torn}")
    kind, inside = match[1], (match[2] or "").strip()
    choice("init", kind, INITS)
    words = inside.split(",") if inside else []
    defaults = INITS[kind]
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
    if kind == "uniform" and numbers[0] > numbers[1]:
        raise UserError(f"init is {text!r}, and the lower end must not be above the upper one")
    if kind == "normal" and numbers[0] < 0:
        raise UserError(f"init is {text!r}, and a standard deviation must be at least 0")
    if kind == "lsuv" and (numbers[0] <= 0 or numbers[1] < 1):
        raise UserError(f"init is {text!r}, and lsuv takes a tolerance above 0 and at least 1 iteration")
    return kind, numbers


def field_names(cls: type = Config, prefix: str = "") -> list[str]:
    """Every name that can be set, nested ones with a dot: ``learning_rate``, ``data.name``, …"""
    names = []
    for item in dataclasses.fields(cls):
        if item.name == "data":
            names += field_names(DataConfig, "data.")
        else:
            names.append(prefix + item.name)
    return names


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


def replace(config: Config, changes: Mapping[str, Any]) -> Config:
    """A copy of ``config`` with some fields changed, nested ones by their dotted name.

    Raises:
        UserError: for a name that is no field, or a value that can't be right.
    """
    for name in changes:
        if name not in field_names():
            raise UserError(f"{name!r} is not a field of the configuration{nearest(name, field_names())}")
    data = {name.removeprefix("data."): value for name, value in changes.items() if name.startswith("data.")}
    top = {name: value for name, value in changes.items() if not name.startswith("data.")}
    return dataclasses.replace(config, **top, data=dataclasses.replace(config.data, **data))


def _plain(value: Any) -> Any:
    """YAML and JSON have lists only, and axes come as NumPy arrays: a frozen object wants plain values."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return tuple(_plain(item) for item in value) if isinstance(value, list | tuple | range) else value


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
    parse_init(config.init)
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
    layers = config.num_layers
    if config.layer_rates and len(config.layer_rates) != layers:
        raise UserError(
            f"layer_rates has {len(config.layer_rates)} factors, and the network has {layers} layers with weights"
        )
    if config.optimizer != "sgd" and (config.momentum or config.nesterov):
        raise UserError(
            f"momentum is for the optimizer sgd, and optimizer is {config.optimizer!r}: "
            "leave momentum at 0 and nesterov at false"
        )
    if config.relu_logits and config.model != "softmax_regression":
        raise UserError(f"relu_logits is for the model softmax_regression, and model is {config.model!r}")
    if config.schedule in ("exponential", "step") and config.schedule_end == 0:
        raise UserError(
            f"schedule_end is 0, and must be more than 0 for the schedule {config.schedule!r}, "
            "which goes there by factors"
        )
