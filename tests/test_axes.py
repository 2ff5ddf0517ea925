import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.axes import describe_axes, expand, parse_axes
from nnjax.config import Config


def settings(axes):
    return expand(Config(), parse_axes(axes))


def test_no_axes_are_one_setting():
    assert settings(None) == settings({}) == [Config()]


def test_a_product_runs_through_its_last_axis_fastest():
    got = settings({"learning_rate": [1, 0.1], "batch_size": [8, 16, 32]})
    assert [(c.learning_rate, c.batch_size) for c in got] == [
        *((1, 8), (1, 16), (1, 32)),
        *((0.1, 8), (0.1, 16), (0.1, 32)),
    ]


def test_zipped_fields_go_together_and_multiply_with_other_axes():
    got = settings({"learning_rate, momentum": [(1, 0), (0.1, 0.9)], "epochs": [1, 2]})
    assert [(c.learning_rate, c.momentum, c.epochs) for c in got] == [
        *((1, 0, 1), (1, 0, 2)),
        *((0.1, 0.9, 1), (0.1, 0.9, 2)),
    ]


def test_a_list_names_each_setting():
    got = settings([{"learning_rate": 1}, {"hidden": [5, 6], "data.valid_fraction": 0.5}])
    assert got[0] == Config(learning_rate=1)
    assert got[1].hidden == (5, 6)
    assert got[1].data.valid_fraction == 0.5


@pytest.mark.parametrize(
    "axes",
    [
        {"learning_rate": [1, 0.1], "hidden": [(3,), (4, 5)]},
        {"learning_rate,momentum": [(1, 0), (0.1, 0.9)], "epochs": [1, 2]},
        [{"learning_rate": 1}, {"hidden": (5, 6)}],
    ],
)
def test_axes_can_be_described_in_the_words_that_made_them(axes):
    assert describe_axes(parse_axes(axes)) == axes


def test_values_may_come_from_numpy():
    got = settings({"learning_rate": np.geomspace(0.1, 1, 3), "epochs": np.arange(1, 3)})
    assert isinstance(got[0].learning_rate, float)
    assert isinstance(got[0].epochs, int)


@given(
    st.dictionaries(
        st.sampled_from(["learning_rate", "weight_decay", "schedule_end", "activation_slope"]),
        st.lists(st.floats(0, 10), min_size=1, max_size=4, unique=True),
    )
)
def test_a_product_holds_every_combination_once(axes):
    got = settings(axes)
    assert len(got) == math.prod(map(len, axes.values()))
    assert len(set(got)) == len(got)
    for name, values in axes.items():
        assert {getattr(config, name) for config in got} == set(values)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        (
            {"learnin_rate": [1]},
            "'learnin_rate' is not a field of the configuration; did you mean 'learning_rate'",
        ),
        ({"learning_rate": []}, "the axis learning_rate is empty"),
        ({"learning_rate": 0.1}, "must be a list of values"),
        ({"activation": "relu"}, "must be a list of values"),
        ({"learning_rate": [1, 0.1, 1]}, "holds 1 twice"),
        ({"learning_rate": [1], "learning_rate,momentum": [(1, 0)]}, "learning_rate is on two axes"),
        ({"learning_rate,momentum": [(1, 0), (1, 0, 0)]}, r"holds \(1, 0, 0\), and zips 2 values"),
        ({"learning_rate,momentum": [1, 2]}, "zips 2 values"),
        ({"learning_rate,learning_rate": [(1, 2)]}, "names a field twice"),
        ({"data_seed": [None, 0]}, "data_seed is None on an axis"),
        ({"seeds": [1, 2]}, "seeds are no axis"),
        ({"seed": [1, 2]}, "seeds are no axis"),
        ([{"learning_rate": 1}, {"learning_rate": 1}], "holds .* twice"),
        ([1, 2], "must be a mapping"),
        ({"learning_rate": [1, "fast"]}, "learning_rate is 'fast', and must be a number"),
        ({"hidden": [(8,), (-8,)]}, "hidden is -8, and must be at least 1"),
    ],
)
def test_impossible_axes_get_a_sentence(axes, words):
    with pytest.raises(ValueError, match=words):
        settings(axes)


def test_a_tuple_of_names_zips_as_a_joined_name_does():
    values = [(1, 0), (0.1, 0.9)]
    assert settings({("learning_rate", "momentum"): values}) == settings({"learning_rate,momentum": values})
    assert settings({("learning_rate", "momentum"): np.array(values)}) == settings(
        {"learning_rate,momentum": values}
    )
