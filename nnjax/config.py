"""What a run is made of: the one source of names, types and defaults.

Python, YAML and the command line all fill in the same two dataclasses. A value that can't be right is refused
when the object is made, in one sentence that names it.
"""

import dataclasses
import functools
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nnjax import parts
from nnjax.fields import (
    CHECKS,
    canonical,
    check_class_weight,
    check_columns,
    check_folds,
    check_monitor,
    is_module,
    parse_init,
    taken_apart,
)
from nnjax.parts import Part, PartLike
from nnjax.seeds import ByNeed, parse_need
from nnjax.spelling import nearest
from nnjax.tasks import AUTO, task_of
from nnjax.validation import UserError, check_count, check_range, check_seed, check_type, choice, short

OWN_INIT = "normal(0.001)"
"""How the kernels of the models of nnjax start where nothing is said."""

SEED_FIELDS = ("init_seed", "data_seed")
"""The fields that can be crossed in place of the runs' seeds."""

RUN_FIELDS = (*SEED_FIELDS, "data.fold")
"""The fields whose values make runs of a setting and no other setting, where they are axes: seeds, and folds."""


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
    """Shuffle the training set with this seed before it is split; None leaves its order alone. A table's splits
    are drawn with it, with 0 for None."""
    file: str | None = None
    """Of data.name table: a CSV, TSV, Parquet or Arrow file, or module:function that gives a table. Of text: such
    a table, a folder with a folder or a file of lines for each class, or a pattern of such files. Of arrays: a
    folder with x.npy and y.npy, or with train_x.npy and so on, or an .npz file that holds such arrays."""
    target: str | None = None
    """The column of a table, or of texts in one, that is to be predicted."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """What columns of a table are, where it isn't what they look like: number, category, boolean or left_out."""
    missing: Literal["impute", "refuse"] = "impute"
    """What is done about a missing value of a table: impute puts the training part's median in its place, and an
    input beside it that says so."""
    scaling: Literal["standard", "quantile", "none"] = "standard"
    """How numbers of a table are scaled, by the training part: to mean 0 and standard deviation 1, to the
    quantiles of a normal distribution, or not."""
    split: Literal["stratified", "random", "group", "time", "given"] = "stratified"
    """How a table is split: each part with the same shares of the classes; at random; groups kept together; the
    latest rows for the test; or as a column says (train, valid, test)."""
    split_column: str | None = None
    """The column of a table that has the group, the time or the part of each row; it is no input."""
    weight: str | None = None
    """The column of a table, or of texts in one, that says how much each row counts; it is no input."""
    class_weight: str | Mapping[Any, float] | None = None
    """How much training examples count by their class: balanced, or a mapping from classes to numbers, 1 for those
    that aren't named; None: all alike."""
    task: Literal["auto", "classification", "regression"] = "auto"
    """What is learned of a table's target; auto: its classes, or a quantity, where it holds numbers that aren't
    whole, or many different ones."""
    test_fraction: float = 0.2
    """The share of a table that tests; data.valid_fraction is a share of the rest."""
    text_column: str | None = None
    """The column of a table that has the texts, of data.name text; None: the one that holds any."""
    vectorizer: Literal["counts", "binary", "tfidf"] = "counts"
    """What a text's inputs are: how often it holds each word, whether it does, or the words' tf-idf."""
    ngrams: int = 1
    """How many words of a text that follow each other are an input, at most."""
    vocabulary: int | None = 20_000
    """The commonest words of the texts that train, at most so many; None for all."""
    min_count: int = 1
    """In how many of the texts that train a word must be."""
    vectors: str | None = None
    """A text file of GloVe or word2vec with whose vectors the words of a dan start; None: they are drawn."""
    window: int | None = None
    """How many examples of data.name arrays are in memory at a time, and are shuffled together; None: all, and of
    inputs of more than 64 MB as many as 64 MB hold."""
    folds: int | None = None
    """Cut a table in so many parts, of which one tests and the others train and validate; None: no folds."""
    fold: int = 0
    """Which of the folds tests, from 0; as an axis, folds are runs of a setting, as seeds are."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            name = f"data.{item.name}"
            object.__setattr__(self, item.name, canonical(name, getattr(self, item.name)))
            check_type(name, getattr(self, item.name), _hints(DataConfig)[item.name])
        check_range("data.valid_fraction", self.valid_fraction, above=0, below=1)
        check_seed("data.split_seed", self.split_seed)
        check_range("data.test_fraction", self.test_fraction, above=0, below=1)
        check_count("data.ngrams", self.ngrams)
        check_count("data.min_count", self.min_count)
        if self.window is not None:
            check_count("data.window", self.window)
        if self.vocabulary is not None:
            check_count("data.vocabulary", self.vocabulary)
        check_folds(self.folds, self.fold)
        check_columns(self.columns)
        check_class_weight(self.class_weight)


@dataclass(frozen=True)
class Config:
    """One setting: the network, how it starts, how it is trained, on what, and with how many seeds."""

    data: DataConfig = field(default_factory=DataConfig)
    model: PartLike = "mlp"
    """mlp, dan (a deep averaging network, for texts), softmax_regression (one dense layer without a bias), or a
    Flax module of one's own."""
    model_attributes: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of a dan (embedding, word_dropout) or of a module of one's own; each is a field model.NAME and
    can be an axis."""
    hidden: tuple[int, ...] = (128,)
    """Widths of the hidden layers of an mlp or a dan."""
    activation: PartLike = "sigmoid"
    """The non-linearity of the hidden layers."""
    activation_slope: float = 1.0
    """k of scaled_sigmoid, 1 / (1 + exp(−k·x)); the other activations have none."""
    residual: bool = False
    """Add the input of a hidden layer, but not of the first, to its output where both have one width."""
    relu_logits: bool = False
    """Put a ReLU on the logits of softmax_regression."""
    dropout: float = 0.0
    """The probability that a hidden feature of an mlp or a dan is dropped in training."""
    init: PartLike | None = None
    """How the kernels start: zeros, constant(c), normal(σ), uniform(a, b), xavier_uniform, xavier_normal,
    he_uniform, he_normal, lecun_uniform, lecun_normal, orthogonal(gain), lsuv(tolerance, iterations), or module,
    as its own layers say; None: normal(0.001), and module for one of one's own. Biases and the like start as the
    module says, at zero in those of nnjax."""
    loss: PartLike = AUTO
    """The loss that is minimised; auto: that of the task, cross_entropy of classes, mse of real targets,
    binary_cross_entropy of several labels."""
    huber_delta: float = 1.0
    """δ of the loss huber: up to it errors are squared, in standard deviations of the target; the others have
    none."""
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
    beta_1: float = 0.9
    """β₁ of adam and adamw, with which their mean of gradients forgets."""
    beta_2: float = 0.999
    """β₂ of adam and adamw, with which their mean of squared gradients forgets."""
    epsilon: float = 1e-8
    """ε of adam and adamw, added to the root of the mean square that divides a step."""
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
    shuffle: bool = True
    """Whether each epoch sees the examples in an order of its own, and not as they stand."""
    epochs: int = 10
    """Passes over the training examples, E."""
    patience: int | None = None
    """Epochs without a better one, by monitor, after which a run is stopped; None: it has all its epochs."""
    monitor: str = AUTO
    """By what the best epoch is chosen: valid_accuracy, valid_loss, or valid_NAME of another metric that says
    which values are better; auto: that of the task, valid_accuracy of classes, valid_r2 of real targets,
    valid_f1 of several labels. Of equal epochs it is that of the lower validation loss, then the earlier."""
    metrics: tuple[PartLike, ...] = ()
    """What is recorded beside the loss, the metrics of the task, grad_norm and update_ratio."""
    seeds: int | tuple[int, ...] | str = 8
    """How many seeds (0, 1, 2, …), or which; auto, or auto(zone=0.005), adds them where they are needed."""
    init_seed: int | None = None
    """The seed of the initial draw; None: the run's seed."""
    data_seed: int | None = None
    """The seed of the data order and of dropout; None: the run's seed."""

    def __post_init__(self) -> None:
        if is_module(self.model):
            model, attributes = taken_apart(self.model)
            object.__setattr__(self, "model", model)
            object.__setattr__(self, "model_attributes", {**attributes, **self.model_attributes})
        self._settle(item.name for item in dataclasses.fields(self))

    def _settle(self, names: Iterable[str]) -> None:
        """Bring fields in the form in which they are held, and refuse what can't be."""
        for name in names:
            value = canonical(name, getattr(self, name))
            object.__setattr__(self, name, value)
            check_type(name, value, _hints(Config)[name])
            if name in CHECKS:
                CHECKS[name](value)
        _check_combinations(self)

    @functools.cached_property
    def initialization(self) -> "tuple[str | Part, tuple[float, ...]]":
        """The kind of initialisation and its numbers."""
        if isinstance(self.init, Part):
            return self.init, ()
        return parse_init(str(self.init or (OWN_INIT if isinstance(self.model, str) else "module")))

    def seed_values(self) -> tuple[int, ...]:
        """The seeds of the runs: 0 … n−1 for a number n, else as they are listed; by need, as many as may be."""
        number = self.by_need.most if self.by_need else self.seeds
        return tuple(range(number)) if isinstance(number, int) else tuple(map(int, number))

    @property
    def by_need(self) -> ByNeed | None:
        """What adds seeds, where their number isn't fixed."""
        return parse_need(self.seeds) if isinstance(self.seeds, str) else None


@functools.cache
def field_names() -> tuple[str, ...]:
    """Every name that can be set, nested ones with a dot: ``learning_rate``, ``data.name``, …

    Attributes of a module of the user's own, ``model.NAME``, come on top of these.
    """
    data = [f"data.{item.name}" for item in dataclasses.fields(DataConfig)]
    own = [item.name for item in dataclasses.fields(Config)]
    return (*data, *(name for name in own if name not in ("data", "model_attributes")))


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """What the fields of a configuration may hold; those that name parts have been looked up, and may hold all."""
    hints = typing.get_type_hints(cls)
    prefix = "data." if cls is DataConfig else ""
    return {name: object if prefix + name in parts.TABLES else hint for name, hint in hints.items()}


def of_task(config: Config, task: str) -> Config:
    """The configuration with what it leaves to the task: the loss, and what is monitored."""
    of_it = {"loss": task_of(task).losses[0], "monitor": task_of(task).monitor}
    left = {name: value for name, value in of_it.items() if getattr(config, name) == AUTO}
    return replace(config, left) if left else config


def check_field(name: str, others: Iterable[str] = ()) -> None:
    """Refuse a name that is no field of the configuration, and none of some others.

    Raises:
        UserError: naming the nearest field.
    """
    known = [*field_names(), *others]
    if name not in known and not (str(name).startswith("model.") and len(name) > 6):
        raise UserError(f"{short(name)} is not a field of the configuration{nearest(name, known)}")


def check_data_fields(names: Iterable[str]) -> None:
    """Refuse a name that is no field of the data.

    Raises:
        UserError: naming the fields, and the nearest of them.
    """
    known = [item.name for item in dataclasses.fields(DataConfig)]
    for name in names:
        choice("a field of data", name, known)


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
    if inner["model"] or "model" in top:
        kept = (
            config.model_attributes if canonical("model", top.get("model", config.model)) == config.model else {}
        )
        top["model_attributes"] = {**kept, **inner["model"]}
    if "model" in top:
        return dataclasses.replace(config, **top)
    # Of a sweep's thousands of settings, what doesn't change is not looked at again.
    new = object.__new__(Config)
    new.__dict__.update(config.__dict__)
    if "init" in top:
        new.__dict__.pop("initialization", None)
    new.__dict__.update(top)
    new._settle(top)
    return new


def _check_combinations(config: Config) -> None:
    check_range("warmup_epochs", config.warmup_epochs, least=0, most=config.epochs)
    if config.init is not None:
        _ = config.initialization  # refuses what can't be read
    if config.monitor != AUTO:
        check_monitor(config.monitor, config.metrics)
    if (config.momentum or config.nesterov) and not _entry("optimizer", config.optimizer, "momentum"):
        raise UserError(
            f"momentum is for the optimizer sgd, and optimizer is {str(config.optimizer)!r}: "
            "leave momentum at 0 and nesterov at false"
        )
    of_moments = {name: getattr(config, name) for name in ("beta_1", "beta_2", "epsilon")}
    changed = [name for name, value in of_moments.items() if value != getattr(Config, name)]
    if changed and not _entry("optimizer", config.optimizer, "moments"):
        raise UserError(
            f"{changed[0]} is for the optimizers adam and adamw, and optimizer is {str(config.optimizer)!r}: "
            f"leave it at {getattr(Config, changed[0])}"
        )
    if config.relu_logits and config.model != "softmax_regression":
        raise UserError(f"relu_logits is for the model softmax_regression, and model is {str(config.model)!r}")
    if config.model_attributes and isinstance(config.model, str) and config.model != "dan":
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
