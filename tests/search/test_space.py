"""Spaces: which fields a setting has, under which conditions, and what can't be one."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nnjax.config import Config, DataConfig, field_names
from nnjax.search.distributions import choice
from nnjax.search.ends import check_space
from nnjax.search.joint import layers, when
from nnjax.search.numbers import integers, log_integers, log_uniform, normal, uniform
from nnjax.search.space import NOT_SEARCHED, parse_space
from nnjax.validation import UserError

WIDE = {
    "hidden": "layers(integers(1, 2), log_integers(16, 256))",
    "activation": ["relu", "tanh", jax.nn.silu],
    "learning_rate": [
        when("optimizer", "sgd", log_uniform(0.1, 1)),
        when("optimizer", ["adam", "adamw"], log_uniform(1e-4, 1e-2)),
    ],
    "optimizer": choice(["sgd", "adam", "adamw"], [0.5, 0.25, 0.25]),
    "momentum": when("optimizer", "sgd", uniform(0.5, 0.99)),
    "init": "normal(log_uniform(0.001, 1))",
    "batch_size": {"distribution": "log_integers", "min": 16, "max": 128},
    "weight_decay": 0,
    "schedule,schedule_end": [["constant", 0], ["cosine", 0.1]],
    "warmup_epochs": {"min": 0.5, "max": 2, "when": {"schedule": "cosine"}},
}
space = parse_space(WIDE)
points = st.lists(st.floats(0, 1), min_size=space.dims, max_size=space.dims)


@given(points)
def test_every_point_is_a_setting_whose_conditions_hold(u):
    values = space.values(u)
    config = space.config(Config(momentum=0, schedule="linear", warmup_epochs=0.25), values)
    assert all(getattr(config, name) == value for name, value in values.items())
    assert ("momentum" in values) == (config.optimizer == "sgd")
    assert config.momentum == values.get("momentum", 0)
    assert (0.1 <= config.learning_rate <= 1) if config.optimizer == "sgd" else (config.learning_rate <= 1e-2)
    assert ("warmup_epochs" in values) == (config.schedule == "cosine")
    assert config.warmup_epochs == values.get("warmup_epochs", 0.25)
    assert (config.schedule, config.schedule_end) in [("constant", 0), ("cosine", 0.1)]


@given(points, points)
def test_a_coordinate_that_is_not_needed_changes_nothing(u, v):
    first = [0]
    for parameter in space.parameters:
        first.append(first[-1] + parameter.distribution.dims)
    momentum = first[[parameter.name for parameter in space.parameters].index("momentum")]
    values = space.values(u)
    other = space.values([*u[:momentum], v[momentum], *u[momentum + 1 :]])
    assert {k: x for k, x in values.items() if k != "momentum"} == {
        k: x for k, x in other.items() if k != "momentum"
    }
    assert "momentum" in values or values == other


def test_values_are_in_the_order_of_the_space_whatever_hangs_on_what():
    two = parse_space({"momentum": when("optimizer", "sgd", uniform(0.5, 0.9)), "optimizer": ["adam", "sgd"]})
    assert two.order == (1, 0)
    assert two.values([0.5, 0.9]) == {"momentum": 0.7, "optimizer": "sgd"}
    assert list(two.values([0.5, 0.9])) == ["momentum", "optimizer"]
    assert two.values([0.5, 0.1]) == {"optimizer": "adam"}


def test_conditions_may_hang_on_conditions():
    nested = parse_space(
        {
            "optimizer": ["sgd", "adam"],
            "nesterov": when("optimizer", "sgd", [True, False]),
            "momentum": when("nesterov", True, 0.9),
            "dropout": when("optimizer", "sgd", when("nesterov", False, 0.5)),
        }
    )
    assert parse_space(nested.described()) == nested
    assert list(nested.grid()) == [
        {"optimizer": "sgd", "nesterov": True, "momentum": 0.9},
        {"optimizer": "sgd", "nesterov": False, "dropout": 0.5},
        {"optimizer": "adam"},
    ]


def test_a_condition_compares_values_as_a_configuration_holds_them():
    assert list(parse_space({"hidden": [16, [32]], "dropout": when("hidden", [32], 0.5)}).grid()) == [
        {"hidden": (16,)},
        {"hidden": (32,), "dropout": 0.5},
    ]
    own = parse_space({"activation": ["relu", jax.nn.silu], "dropout": when("activation", "jax.nn:silu", 0.5)})
    assert [len(values) for values in own.grid()] == [1, 2]


def test_a_condition_may_hang_on_a_zipped_field():
    assert list(
        parse_space(
            {"optimizer,learning_rate": [("sgd", 1), ("adam", 0.1)], "momentum": when("optimizer", "sgd", 0.9)}
        ).grid()
    ) == [{"optimizer": "sgd", "learning_rate": 1, "momentum": 0.9}, {"optimizer": "adam", "learning_rate": 0.1}]


def test_zipped_fields_may_also_be_a_tuple_of_distributions():
    zipped = parse_space({("learning_rate", "dropout"): (log_uniform(0.01, 1), 0.5)})
    assert zipped.values([1]) == {"learning_rate": 1, "dropout": 0.5}
    assert parse_space({"dropout,epochs": (0.5, 3)}).values([]) == {"dropout": 0.5, "epochs": 3}


def test_a_space_drawn_at_random_has_its_probabilities():
    drawn = [space.values(u) for u in np.random.default_rng(0).random((4000, space.dims)).tolist()]
    counts = [sum(values["optimizer"] == name for values in drawn) for name in ("sgd", "adam", "adamw")]
    assert stats.chisquare(counts, [2000, 1000, 1000]).pvalue > 1e-3
    rates = [values["learning_rate"] for values in drawn if values["optimizer"] != "sgd"]
    assert stats.kstest(rates, stats.loguniform(1e-4, 1e-2).cdf).pvalue > 1e-3
    scales = [float(values["init"][7:-1]) for values in drawn]
    assert stats.kstest(scales, stats.loguniform(1e-3, 1).cdf).pvalue > 1e-3
    # Fields of their own are independent.
    assert stats.spearmanr(scales, [values["batch_size"] for values in drawn]).pvalue > 1e-3


def test_a_space_is_described_in_the_words_that_make_it():
    described = space.described()
    assert described["weight_decay"] == 0
    assert described["momentum"] == "when(optimizer, sgd, uniform(0.5, 0.99))"
    assert described["learning_rate"][0] == "when(optimizer, sgd, log_uniform(0.1, 1))"
    assert described["activation"] == "choice([relu, tanh, jax.nn:silu])"
    assert parse_space(described) == space
    assert parse_space(space) is space
    assert "momentum: uniform(0.5, 0.99) where optimizer is sgd" in str(space)


def test_every_field_can_be_searched_or_says_why_not():
    config = Config(data=DataConfig())
    for name in field_names():
        value = getattr(config.data if name.startswith("data.") else config, name.removeprefix("data."))
        if name in NOT_SEARCHED:
            with pytest.raises(UserError, match=f"{name} can't be in the space: "):
                parse_space({name: [value]})
        else:
            one = parse_space({name: [value]})
            check_space(one, config)
            assert one.config(config, one.values([0.5])) == config


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({}, "the space is {}, and must be a mapping of fields to distributions"),
        ([], r"the space is \[\], and must be a mapping"),
        ({"lr": uniform(0, 1)}, "'lr' is not a field of the configuration; did you mean 'learning_rate'"),
        (
            {"learning_rate": "log_uniform(0, 1)"},
            r"the space of learning_rate: low of log_uniform\(0, 1\) must be",
        ),
        ({"learning_rate": "uniform(1, 1)"}, "the space of learning_rate: .* is empty"),
        ({"learning_rate": "gauss(1, 1)"}, "the space of learning_rate: 'gauss' is no distribution"),
        ({"activation": ["relu", "rleu"]}, "the space of activation: .* 'rleu', .* did you mean 'relu'"),
        ({"hidden": [32, [32]]}, r"the space of hidden: a choice holds \[32\] twice"),
        ({"seeds": [1, 2]}, "seeds can't be in the space: every setting runs with each of them"),
        ({"seed": 3}, "seed can't be in the space"),
        ({"init_seed": integers(0, 9)}, "init_seed can't be in the space: .* a lucky one"),
        ({"data.name": ["digits", "mnist"]}, "data.name can't be in the space: .* on the same examples"),
        ({"metrics": ["a"]}, "metrics can't be in the space"),
        ({"learning_rate,learning_rate": [[1, 2]]}, "names a field twice"),
        ({"learning_rate,momentum": [[1, 2, 3]]}, r"it holds \[1, 2, 3\], and zips 2 values"),
        ({"learning_rate,momentum": uniform(0, 1)}, "doesn't give 2 values, as a choice of tuples does"),
        ({"learning_rate,momentum": [[1, 0]], "momentum": [0]}, "momentum is twice in the space"),
        (
            {
                "optimizer": ["sgd", "adam"],
                "learning_rate": [when("optimizer", "sgd", 1), when("optimizer", ["adam", "sgd"], 2)],
            },
            "learning_rate is twice in the space",
        ),
        ({"momentum": when("optimizer", "sgd", 0.9)}, "momentum hangs on optimizer, which is not in the space"),
        (
            {"optimizer": ["sgd"], "momentum": when("optimzer", "sgd", 0.9)},
            "hangs on optimzer, which is not in the space; did you mean 'optimizer'",
        ),
        (
            {"optimizer": ["sgd", "adam"], "momentum": when("optimizer", "adamw", 0.9)},
            r"momentum hangs on optimizer being adamw, which is never drawn from choice\(\[sgd, adam\]\)",
        ),
        (
            {"optimizer": ["sgd", "adam"], "momentum": when("optimizer", "sdg", 0.9)},
            "the space of momentum: optimizer is 'sdg', .* did you mean 'sgd'",
        ),
        (
            {"dropout": uniform(0, 0.5), "momentum": when("dropout", 0.25, 0.9)},
            "momentum hangs on dropout being 0.25, which is never drawn",
        ),
        (
            {"epochs": when("dropout", 0.5, integers(1, 2)), "dropout": when("epochs", 1, 0.5)},
            "the conditions of epochs, dropout go round in a circle",
        ),
        ({"dropout": when("dropout", 0.5, 0.5)}, "the conditions of dropout go round in a circle"),
        ({"model.filters": [{}]}, "a list is a choice of values, and holds '{}'"),
        ({"model.filters": {"value": {}}}, "it holds {}, which is a value of no field"),
    ],
)
def test_a_bad_space_gets_a_sentence(bad, words):
    with pytest.raises(UserError, match=words) as caught:
        parse_space(bad)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (
            {"learning_rate": uniform(-1, 1), "dropout": [0, 0.5]},
            r"^a space with learning_rate: uniform\(-1, 1\) can't be, since learning_rate is -1.0, .* at least 0$",
        ),
        ({"learning_rate": normal(0.1, 0.1)}, "since learning_rate is -0.5.*, and must be at least 0"),
        ({"dropout": uniform(0, 1)}, "since dropout is 1.0, and must be at least 0 and less than 1"),
        ({"learning_rate": "fast"}, "since learning_rate is 'fast', and must be a number"),
        ({"hidden": layers(1, uniform(16, 32))}, r"since hidden is \[16.0\], and must be a list of whole numbers"),
        ({"hidden": layers(integers(1, 2), log_integers(1, 2**40))}, "since hidden is 1099511627776"),
        ({"epochs": integers(0, 3)}, "since epochs is 0, and must be at least 1"),
        ({"init": "normal(uniform(-1, 1))"}, "since init is 'normal\\(-1.0\\)'"),
        (
            {"optimizer": ["sgd", "adam"], "dropout": [0, 0.5], "momentum": uniform(0, 0.9)},
            r"^a space with optimizer: choice\(\[sgd, adam\]\) and momentum: uniform\(0, 0.9\) can't be, since "
            r"momentum is for the optimizer sgd, .* only with some values of the other hangs on it by when\(…\)$",
        ),
        ({"schedule": ["constant", "exponential"]}, "^a space with schedule: .* since schedule_end is 0"),
        (
            {
                "optimizer": ["adam", "sgd"],
                "nesterov": when("optimizer", "sgd", [False, True]),
                "dropout": when("nesterov", True, uniform(0, 1)),
            },
            r"^a space with dropout: uniform\(0, 1\) where nesterov is true can't be",
        ),
        (
            {"epochs": [5, 10], "warmup_epochs": [0, 5, 6]},
            "epochs: .* and warmup_epochs: .* since warmup_epochs is 6",
        ),
    ],
)
def test_a_space_with_a_setting_that_cannot_be_gets_a_sentence(bad, words):
    with pytest.raises(UserError, match=words):
        check_space(parse_space(bad), Config())


def test_a_space_is_held_against_the_configuration_that_it_varies():
    check_space(space, Config())
    two = parse_space({"optimizer": ["sgd", "adam"]})
    check_space(two, Config())
    with pytest.raises(UserError, match=r"a space with optimizer: .* since momentum is for the optimizer sgd"):
        check_space(two, Config(momentum=0.9))
    # A rule between two fields isn't broken where they are never set together.
    check_space(parse_space({"optimizer": ["sgd", "adam"], "momentum": when("optimizer", "sgd", 0.9)}), Config())
    check_space(parse_space({"schedule,schedule_end": [["constant", 0], ["exponential", 0.1]]}), Config())
    check_space(parse_space({"schedule": ["linear", "exponential"], "schedule_end": uniform(0.1, 1)}), Config())


def test_widths_of_a_field_of_whole_numbers():
    check_space(
        parse_space({"batch_size": log_integers(16, 128, step=16), "hidden": layers(2, [16, 32])}), Config()
    )
