"""Which fields mattered, on scores whose truth is known."""

import numpy as np
import pytest

from nnjax.search.importance import FEWEST, distribution_at, importance, varied
from nnjax.search.samplers import SAMPLERS
from nnjax.search.space import parse_space

UNIT = parse_space(dict.fromkeys(("learning_rate", "weight_decay", "activation_slope"), "uniform(0, 1)"))
HANGING = parse_space(
    {
        "optimizer": ["sgd", "adam"],
        "learning_rate": ["when(optimizer, sgd, uniform(1, 2))", "when(optimizer, adam, uniform(0, 1))"],
        "momentum": "when(optimizer, sgd, uniform(0, 0.99))",
        "batch_size": 32,
    }
)


def drawn(space, count, seed=0):
    return SAMPLERS["random"](space, seed).ask(count)


def test_the_shares_are_the_total_sobol_indices():
    """Of y = 2a + b, variances are 4/12 and 1/12. With 4 (a − ½)(c − ½) added, 16/144 goes with both."""
    settings = SAMPLERS["sobol"](UNIT, 0).ask(256)
    a, b, c = np.array([list(values.values()) for values in settings]).T
    found = importance(UNIT, settings, 2 * a + b)
    assert found.fields == ("learning_rate", "weight_decay", "activation_slope")
    assert found.settings == 256
    np.testing.assert_allclose(found.share, [0.8, 0.2, 0], atol=0.05)
    assert found.explained > 0.95
    interaction = 16 / 144
    variance = 4 / 12 + 1 / 12 + interaction
    found = importance(UNIT, settings, 2 * a + b + 4 * (a - 0.5) * (c - 0.5))
    expected = np.array([4 / 12 + interaction, 1 / 12, interaction]) / variance
    np.testing.assert_allclose(found.share, expected, atol=0.08)
    assert found.share.sum() > 1


@pytest.mark.parametrize("seed", range(3))
def test_an_important_field_comes_first_and_one_that_does_not_matter_covers_zero(seed):
    settings = drawn(UNIT, 40, seed)
    a, b, _ = np.array([list(values.values()) for values in settings]).T
    noise = np.random.default_rng(1000 + seed).normal(0, 0.05, 40)
    found = importance(UNIT, settings, np.sin(3 * a) + 0.1 * b + noise)
    assert found.most == "learning_rate"
    assert found.low[0] > 0.3
    assert found.low[2] <= 0.01
    assert found.high[2] >= -0.01
    assert (found.low <= found.share).all()
    assert (found.share <= found.high).all()


def test_of_noise_the_shares_are_about_zero_and_no_field_is_said_to_matter():
    lows, shares, said = [], [], []
    for seed in range(8):
        found = importance(UNIT, drawn(UNIT, 24, seed), np.random.default_rng(1000 + seed).normal(size=24))
        lows += list(found.low)
        shares += list(found.share)
        said.append(found.most)
    assert np.mean(np.array(lows) > 0) < 0.2
    assert abs(np.mean(shares)) < 0.04
    assert sum(each is not None for each in said) <= 1


def test_scores_of_another_scale_say_the_same():
    settings = drawn(UNIT, 30)
    scores = np.array([values["learning_rate"] ** 2 for values in settings])
    one, other = importance(UNIT, settings, scores), importance(UNIT, settings, 7 + 100 * scores)
    np.testing.assert_allclose(one.share, other.share, atol=0.02)
    assert one.most == other.most == "learning_rate"


def test_the_order_of_magnitude_of_a_field_is_learned_as_well_as_the_field():
    space = parse_space({"learning_rate": "log_uniform(1e-6, 1)", "momentum": "uniform(0, 0.9)"})
    settings = drawn(space, 60)
    found = importance(space, settings, [-abs(np.log(values["learning_rate"]) + 7) for values in settings])
    assert found.most == "learning_rate"
    assert found.share[0] > 0.8


def test_lists_texts_and_words_are_learned():
    space = parse_space(
        {
            "hidden": "layers(integers(1, 3), integers(4, 64))",
            "init": "normal(log_uniform(1e-3, 1))",
            "activation": ["relu", "tanh", "gelu"],
        }
    )
    settings = drawn(space, 120)
    scores = {
        "hidden": [len(values["hidden"]) for values in settings],
        "init": [np.log(float(str(values["init"])[7:-1])) for values in settings],
        "activation": [values["activation"] == "tanh" for values in settings],
    }
    for place, (name, of_name) in enumerate(scores.items()):
        found = importance(space, settings, np.array(of_name, float))
        assert found.most == name
        assert found.share[place] > 0.8


def test_a_field_that_hangs_on_another_is_exchanged_where_the_same_distribution_holds():
    """The rate only says which optimizer it is: within an optimizer it doesn't matter."""
    settings = drawn(HANGING, 80)
    assert varied(HANGING) == ("optimizer", "learning_rate", "momentum")
    active = distribution_at(HANGING, settings)
    sgd = np.array([values["optimizer"] == "sgd" for values in settings])
    assert (active[:, 0] == 0).all()
    assert (active[sgd, 1] == 1).all()
    assert (active[~sgd, 1] == 2).all()
    assert ((active[:, 2] >= 0) == sgd).all()
    found = importance(HANGING, settings, sgd + np.random.default_rng(0).normal(0, 0.01, 80))
    assert abs(found.share[1]) < 0.02
    assert abs(found.share[2]) < 0.02
    # And momentum does where it is set.
    found = importance(HANGING, settings, [values.get("momentum", 0.5) for values in settings])
    assert found.most == "momentum"


def test_zipped_fields_are_one():
    space = parse_space(
        {"learning_rate,momentum": [(1, 0), (0.1, 0.9), (0.01, 0.5)], "weight_decay": "uniform(0, 1)"}
    )
    settings = drawn(space, 40)
    found = importance(space, settings, [values["momentum"] for values in settings])
    assert found.fields == ("learning_rate,momentum", "weight_decay")
    assert found.most == "learning_rate,momentum"


def test_too_little_says_nothing():
    settings = drawn(UNIT, FEWEST)
    scores = np.arange(float(FEWEST))
    assert importance(UNIT, settings, scores).settings == FEWEST
    assert importance(UNIT, settings[1:], scores[1:]) is None
    scores[3] = np.nan
    assert importance(UNIT, settings, scores) is None
    assert importance(UNIT, settings, np.ones(FEWEST)) is None
    one = parse_space({"learning_rate": "uniform(0, 1)"})
    settings = drawn(one, 20)
    found = importance(one, settings, [values["learning_rate"] for values in settings])
    assert found.low[0] > 0.3
    assert found.most is None  # there is no other
