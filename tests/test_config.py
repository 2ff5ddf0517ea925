import dataclasses

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from any_init import inits
from nnjax import parts
from nnjax.cli.yaml_files import read_yaml
from nnjax.config import Config, DataConfig, field_names, flatten, replace
from nnjax.fields import COLUMN_KINDS


def test_defaults_are_the_documented_ones():
    config = Config()
    assert (config.model, config.hidden, config.activation) == ("mlp", (128,), "sigmoid")
    assert (config.initialization, config.loss, config.optimizer) == (("normal", (0.001,)), "auto", "sgd")
    assert config == Config(init=None)
    assert (config.learning_rate, config.weight_decay, config.momentum) == (0.1, 1e-3, 0)
    assert (config.batch_size, config.epochs, config.data) == (64, 10, DataConfig("digits"))


IMPOSSIBLE = {
    # types
    "number": ({"learning_rate": "fast"}, "learning_rate is 'fast', and must be a number"),
    "truth is no number": ({"momentum": True}, "momentum is True, and must be a number"),
    "whole number": ({"epochs": 1.5}, "epochs is 1.5, and must be a whole number"),
    "truth is no whole number": ({"epochs": True}, "epochs is True, and must be a whole number"),
    "list": ({"hidden": "wide"}, "hidden is 'wide', and must be a list of whole numbers"),
    "item of a list": ({"hidden": [8, 0.5]}, r"hidden is \[8, 0.5\], and must be a list of whole numbers"),
    "list of numbers": ({"layer_rates": ["a"]}, r"layer_rates is \['a'\], and must be a list of numbers"),
    "truth": ({"nesterov": 1}, "nesterov is 1, and must be true or false"),
    "text": ({"init": 3}, "init is 3, and must be one of zeros, .* or module:function or file.py:function$"),
    "text or none": ({"data.dir": 3}, "data.dir is 3, and must be a text or none"),
    "number or list": ({"seeds": "all"}, "seeds is 'all', and must be a number, a list of seeds, or auto"),
    # words
    "model": (
        {"model": "mpl"},
        "model is 'mpl', and must be one of mlp, dan, softmax_regression, "
        "or module:function or file.py:function; did you mean 'mlp'?",
    ),
    "activation": ({"activation": "rely"}, "did you mean 'relu'?"),
    "loss": ({"loss": "hinge"}, "loss is 'hinge', and must be one of auto, cross_entropy, mse"),
    "optimizer": ({"optimizer": "adan"}, "did you mean 'adam'?"),
    "schedule": ({"schedule": ["cosine"]}, r"schedule is \('cosine',\), and must be one of"),
    "data.name": ({"data.name": "mnits"}, "data.name is 'mnits', .* did you mean 'mnist'?"),
    "data.source": ({"data.source": "zip"}, "data.source is 'zip', and must be one of auto, idx, csv, tfds"),
    # ranges
    "hidden": ({"hidden": [8, 0]}, "hidden is 0, and must be at least 1"),
    "wide": ({"hidden": 2**31}, "hidden is 2147483648, and must be at most 2147483647"),
    "dropout": ({"dropout": 1.0}, "dropout is 1.0, and must be at least 0 and less than 1"),
    "negative dropout": ({"dropout": -0.1}, "dropout is -0.1, and must be at least 0"),
    "learning_rate": ({"learning_rate": -1}, "learning_rate is -1, and must be at least 0$"),
    "not a number": ({"learning_rate": float("nan")}, "learning_rate is nan, and must be finite"),
    "infinite": ({"activation_slope": float("-inf")}, "activation_slope is -inf, and must be finite"),
    "too large for float32": ({"learning_rate": 10**400}, "and must be finite in 32 bits"),
    "layer_rates": ({"layer_rates": [1, -1]}, "layer_rates is -1, and must be at least 0"),
    "weight_decay": ({"weight_decay": -1e-3}, "weight_decay is -0.001, and must be at least 0"),
    "momentum": ({"momentum": 1}, "momentum is 1, and must be at least 0 and less than 1"),
    "schedule_end": ({"schedule_end": -1}, "schedule_end is -1, and must be at least 0"),
    "schedule_steps": ({"schedule_steps": 0}, "schedule_steps is 0, and must be at least 1"),
    "negative warm-up": ({"warmup_epochs": -1}, "warmup_epochs is -1, and must be at least 0"),
    "long warm-up": ({"warmup_epochs": 11}, "warmup_epochs is 11, and must be at least 0 and at most 10"),
    "batch_size": ({"batch_size": 0}, "batch_size is 0, and must be at least 1"),
    "epochs": ({"epochs": -1}, "epochs is -1, and must be at least 1"),
    "many epochs": ({"epochs": 2**31}, "epochs is 2147483648, and must be at most"),
    "no seeds": ({"seeds": 0}, "seeds is 0, and must be at least 1 and at most 1000000"),
    "too many seeds": ({"seeds": 10**9}, "seeds is 1000000000, and must be at least 1 and at most 1000000"),
    "empty seeds": ({"seeds": []}, r"seeds is \[\], and must list at least one seed"),
    "seed twice": ({"seeds": [1, 2, 1]}, r"seeds is \[1, 2, 1\], and must list at least one seed, none twice"),
    "negative seed": ({"seeds": [0, -1]}, "seeds is -1, and must be at least 0 and less than 4294967296"),
    "init_seed": ({"init_seed": 2**32}, "init_seed is 4294967296, and must be at least 0 and less than"),
    "data_seed": ({"data_seed": -1}, "data_seed is -1, and must be at least 0"),
    "valid_fraction": ({"data.valid_fraction": 0}, "data.valid_fraction is 0, and must be more than 0 and less"),
    "split_seed": ({"data.split_seed": -1}, "data.split_seed is -1, and must be at least 0"),
    # initialisations
    "kind": ({"init": "norml(1)"}, "init is 'norml', and must be one of zeros, .* did you mean 'normal'?"),
    "form": ({"init": "normal 1"}, r"init is 'normal 1', and must be a name .*'normal\(0.001\)'$"),
    "torn apart": ({"init": "uniform(-1"}, "in a list, quote one with a comma"),
    "numbers": ({"init": "normal(a)"}, "what stands in the brackets must be numbers"),
    "too many": ({"init": "normal(1, 2)"}, r"init is 'normal\(1, 2\)', and normal takes 1 number$"),
    "none taken": ({"init": "zeros(0)"}, "and zeros takes no numbers"),
    "infinite number": ({"init": "constant(inf)"}, "must be finite"),
    "deviation": ({"init": "normal(-1)"}, "a standard deviation must be at least 0"),
    "interval": ({"init": "uniform(1, 0)"}, "the lower end must not be above the upper one"),
    "tolerance": ({"init": "lsuv(0)"}, "lsuv takes a tolerance above 0 and at least 1 iteration"),
    "iterations": ({"init": "lsuv(0.1, 0)"}, "lsuv takes a tolerance above 0 and at least 1 iteration"),
    # combinations
    "adam's momentum": ({"optimizer": "adam", "momentum": 0.9}, "momentum is for the optimizer sgd"),
    "nesterov's": ({"optimizer": "adamw", "nesterov": True}, "momentum is for the optimizer sgd"),
    "sgd's moments": ({"beta_1": 0.5}, "beta_1 is for the optimizers adam and adamw, and optimizer is 'sgd'"),
    "logits": ({"relu_logits": True}, "relu_logits is for the model softmax_regression"),
    "exponential": ({"schedule": "exponential"}, "schedule_end is 0, and must be more than 0"),
    "step": ({"schedule": "step"}, "schedule_end is 0, and must be more than 0"),
    # names
    "name": ({"learnin_rate": 1}, "'learnin_rate' is not a field of .* did you mean 'learning_rate'?"),
    "dotted name": ({"data.nam": 1}, "'data.nam' is not a field of .* did you mean 'data.name'?"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_right_is_refused_in_one_sentence(case):
    changes, words = IMPOSSIBLE[case]
    with pytest.raises(ValueError, match=words) as caught:
        replace(Config(), changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"dropout": 0, "momentum": 0, "weight_decay": 0, "learning_rate": 0, "warmup_epochs": 10},
        {"init_seed": 2**32 - 1, "seeds": [0, 2**32 - 1], "hidden": [], "batch_size": 1, "epochs": 10},
        {"schedule": "step", "schedule_end": 0.1, "schedule_steps": 1},
        {"model": "softmax_regression", "relu_logits": True, "layer_rates": [0.5]},
        {"init": "uniform(1, 1)"},
        {"init": "lsuv(1e-9, 1)"},
    ],
)
def test_what_is_just_possible_is_taken(changes):
    config = replace(Config(), changes)
    for name, value in changes.items():
        assert getattr(config, name) == (tuple(value) if isinstance(value, list) else value)


def test_values_become_plain():
    config = Config(
        hidden=[np.int64(3), 4],
        seeds=np.arange(3),
        layer_rates=range(1, 4),
        epochs=np.int64(5),
        data=DataConfig(split_seed=np.int64(7)),
    )
    assert config == Config(
        hidden=(3, 4), seeds=(0, 1, 2), layer_rates=(1, 2, 3), epochs=5, data=DataConfig(split_seed=7)
    )
    assert {type(value) for value in (*config.hidden, *config.seeds, config.epochs, config.data.split_seed)} == {
        int
    }
    assert isinstance(hash(config), int)


def test_a_number_is_a_list_of_one():
    assert Config(hidden=64).hidden == (64,)
    assert Config(hidden=64, layer_rates=[1, 2]).layer_rates == (1, 2)
    assert Config(model="softmax_regression", layer_rates=0.5).layer_rates == (0.5,)


def test_a_number_of_seeds_counts_from_zero_and_a_list_names_them():
    assert Config(seeds=3).seed_values() == (0, 1, 2)
    assert Config(seeds=[3]).seed_values() == (3,)


def test_data_must_be_a_mapping():
    with pytest.raises(ValueError, match="data is 'mnist', and must be a mapping that may hold name, dir, source"):
        flatten({"data": "mnist"})


NAMED = {
    kind: st.sampled_from(parts.names(kind))
    for kind in ("model", "activation", "loss", "optimizer", "schedule", "metrics")
}
SEED = st.integers(0, 2**32 - 1)
POSITIVE = st.floats(0, 3e38)
SHARE = st.floats(0, 1, exclude_max=True)


@st.composite
def any_fields(draw):
    """The fields of any configuration that is possible: strategies can't make it, as type checks draw numbers."""
    values = {name: draw(strategy) for name, strategy in NAMED.items()}
    kind, numbers = draw(inits())
    values["init"] = f"{kind}({', '.join(map(repr, numbers))})"
    values["hidden"] = draw(st.lists(st.integers(1, 1000), max_size=3).map(tuple))
    layers = 1 if values["model"] == "softmax_regression" else len(values["hidden"]) + 1
    values["layer_rates"] = draw(st.just(()) | st.tuples(*[POSITIVE] * layers))
    values["metrics"] = tuple(draw(st.lists(NAMED["metrics"], max_size=3)))
    values["residual"] = draw(st.booleans())
    values["relu_logits"] = values["model"] == "softmax_regression" and draw(st.booleans())
    if values["optimizer"] == "sgd":
        values["momentum"], values["nesterov"] = draw(SHARE), draw(st.booleans())
    values["schedule_end"] = draw(st.floats(1e-9, 10))
    values["dropout"], values["activation_slope"] = draw(SHARE), draw(st.floats(-9, 9))
    values["learning_rate"], values["weight_decay"] = draw(POSITIVE), draw(POSITIVE)
    values["batch_size"], values["schedule_steps"] = draw(st.integers(1, 500)), draw(st.integers(1, 9))
    values["epochs"] = draw(st.integers(1, 1000))
    values["patience"] = draw(st.none() | st.integers(1, 100))
    values["monitor"] = draw(st.sampled_from(["valid_accuracy", "valid_loss"]))
    values["warmup_epochs"] = draw(st.floats(0, values["epochs"]))
    values["seeds"] = draw(st.integers(1, 1000) | st.lists(SEED, min_size=1, max_size=4, unique=True).map(tuple))
    values["init_seed"], values["data_seed"] = draw(st.none() | SEED), draw(st.none() | SEED)
    values["data"] = DataConfig(
        draw(st.sampled_from(["digits", "mnist", "fashion_mnist", "kmnist"])),
        draw(st.none() | st.text(max_size=9)),
        draw(st.sampled_from(["auto", "idx", "csv", "tfds"])),
        draw(st.floats(0.01, 0.99)),
        draw(st.none() | SEED),
        file=draw(st.none() | st.text(max_size=9)),
        target=draw(st.none() | st.text(max_size=9)),
        columns=draw(st.dictionaries(st.text("abc_", min_size=1), st.sampled_from(COLUMN_KINDS), max_size=3)),
        scaling=draw(st.sampled_from(["standard", "quantile", "none"])),
        split=draw(st.sampled_from(["stratified", "random", "group", "time", "given"])),
        test_fraction=draw(st.floats(0.01, 0.99)),
        folds=(folds := draw(st.none() | st.integers(2, 10))),
        fold=draw(st.integers(0, folds - 1)) if folds else 0,
    )
    return values


@given(any_fields())
def test_a_configuration_comes_back_from_yaml(fields):
    config = Config(**fields)
    words = dataclasses.asdict(config)
    assert not words.pop("model_attributes")
    words["data"]["columns"] = dict(words["data"]["columns"])
    text = yaml.safe_dump(words)
    assert replace(Config(), flatten(read_yaml(text, "text"))) == config


def get(config, name):
    return getattr(config.data, name.removeprefix("data.")) if "." in name else getattr(config, name)


@given(any_fields(), any_fields())
def test_replace_takes_dotted_names_and_changes_nothing_else(fields, others):
    config, other = Config(**fields), Config(**others)
    assert replace(config, {name: get(other, name) for name in field_names()}) == other
    of_data = {name: get(other, name) for name in field_names() if name.startswith("data.")}
    assert replace(config, of_data) == dataclasses.replace(config, data=other.data)
    name = "data.valid_fraction"
    one = dataclasses.replace(config.data, valid_fraction=other.data.valid_fraction)
    assert replace(config, {name: get(other, name)}) == dataclasses.replace(config, data=one)
