"""Networks back from their results, and settings that train again."""

import numpy as np
import pytest
import sklearn.metrics

import nnjax
from nnjax.results import configs
from nnjax.validation import UserError

BASE = nnjax.Config(epochs=3, seeds=2, learning_rate=0.5, init="xavier_normal", hidden=(9,))


@pytest.fixture(scope="module")
def data():
    return nnjax.load_data("digits")


@pytest.fixture(scope="module")
def trained(data):
    """Networks whose answers depend on activation, slope and scale."""
    axes = {"activation,activation_slope": [("tanh", 1), ("scaled_sigmoid", 3.0), ("relu", 1)]}
    return nnjax.sweep(BASE, data, axes, keep_parameters=True)


def by_hand(network, x):
    """The logits in NumPy, in float64."""
    slope = network.config.activation_slope
    activation = {
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0),
        "scaled_sigmoid": lambda z: 1 / (1 + np.exp(-slope * z)),
    }[network.config.activation]
    first, last = (
        {name: np.asarray(leaf, np.float64) for name, leaf in network.params[layer].items()}
        for layer in ("Dense_0", "Dense_1")
    )
    hidden = activation(x / network.scale @ first["kernel"] + first["bias"])
    return hidden @ last["kernel"] + last["bias"]


@pytest.mark.parametrize("activation", ["tanh", "scaled_sigmoid", "relu"])
@pytest.mark.parametrize("which", ["best", "last"])
def test_it_predicts_what_was_recorded_and_what_numpy_computes(trained, data, activation, which):
    network = nnjax.network(trained, which, activation=activation, seed=1)
    x, y = data.test
    np.testing.assert_allclose(network.logits(x), by_hand(network, x), atol=1e-5)
    run = trained.sel(seed=1).isel(
        {"activation,activation_slope": ["tanh", "scaled_sigmoid", "relu"].index(activation)}
    )
    recorded = run.test_accuracy if which == "best" else run.test_accuracy_last
    assert network.score(x, y) == pytest.approx(float(recorded), abs=1e-6)
    assert network.score(x, y) == sklearn.metrics.accuracy_score(y, network.predict(x))
    np.testing.assert_array_equal(
        network.confusion_matrix(x, y), sklearn.metrics.confusion_matrix(y, network.predict(x), labels=range(10))
    )
    np.testing.assert_allclose(network.predict_proba(x).sum(axis=1), 1, rtol=1e-5)
    applied = network.module.apply(
        {"params": network.params}, x / network.scale, slope=float(network.config.activation_slope)
    )
    np.testing.assert_allclose(applied, network.logits(x), atol=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "mse_probabilities", "binary_cross_entropy"])
def test_probabilities_of_each_loss_are_such(data, loss):
    results = nnjax.sweep(
        nnjax.config.replace(BASE, {"loss": loss, "seeds": 1, "epochs": 1}), data, keep_parameters=True
    )
    network = nnjax.network(results)
    shares = network.predict_proba(data.test.x)
    assert ((shares >= 0) & (shares <= 1)).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    positive = network.logits(data.test.x).max(axis=1) > 0  # of outputs below 0 all shares of mse are alike
    np.testing.assert_array_equal(shares.argmax(axis=1)[positive], network.predict(data.test.x)[positive])


def test_the_best_setting_trains_again(trained, data):
    best = nnjax.stats.best(trained)
    assert best == configs.setting(trained, nnjax.stats.rank(trained)[0].place)
    again = nnjax.sweep(best, data)
    label = {"activation,activation_slope": nnjax.stats.rank(trained)[0].place}
    # It was trained in a program that it shared, and is now in one of its own.
    np.testing.assert_allclose(again.train_loss, trained.train_loss.isel(label), rtol=1e-5)


def test_settings_come_back_as_they_were(data):
    axes = {
        "hidden": [8, (8, 8)],
        "init": ["normal(0.1)", "orthogonal"],
        "learning_rate,momentum": [(0.1, 0), (1, 0.5)],
    }
    results = nnjax.sweep(nnjax.config.replace(BASE, {"epochs": 1}), data, axes)
    plan = nnjax.plan(nnjax.config.replace(BASE, {"epochs": 1}), data, axes)
    assert configs.settings(results) == list(plan.settings)
    assert [configs.setting(results, i) for i in range(8)] == list(plan.settings)


def test_a_value_is_found_in_any_of_its_spellings(data):
    axes = {"hidden": [8, (8, 8)], "learning_rate": np.array([0.1, 0.3], np.float32)}
    results = nnjax.sweep(nnjax.config.replace(BASE, {"epochs": 1, "seeds": 1}), data, axes, keep_parameters=True)
    assert results.hidden.values.tolist() == ["(8,)", "(8, 8)"]
    assert results.learning_rate.values.tolist() == [0.1, 0.3]
    results.sel(learning_rate=0.1)
    expected = nnjax.parameters(results, hidden=(8,), learning_rate=0.1)["Dense_0"]["kernel"]
    for hidden in (8, [8], (8,), "(8,)", np.int64(8), (np.int64(8),)):
        for rate in (0.1, np.float32(0.1), np.float64(0.1)):
            found = nnjax.parameters(results, hidden=hidden, learning_rate=rate)["Dense_0"]["kernel"]
            np.testing.assert_array_equal(found, expected)


def test_labels_of_numpy_numbers_in_tuples_are_plain(data):
    axes = {
        "hidden": [(np.int64(4),), (np.int64(4), np.int32(3))],
        "learning_rate,momentum": [(np.float32(0.1), 0)],
    }
    results = nnjax.sweep(nnjax.config.replace(BASE, {"epochs": 1, "seeds": 1}), data, axes)
    assert results.hidden.values.tolist() == ["(4,)", "(4, 3)"]
    assert results.learning_rate.values.tolist() == [0.1]


def test_data_of_ones_own_is_never_another(data, tmp_path, capsys):
    own = nnjax.Dataset("digits", data.train, data.valid, data.test, 10, 16.0)
    results = nnjax.sweep(nnjax.config.replace(BASE, {"epochs": 1, "seeds": 1}), own, keep_parameters=True)
    (tmp_path / "config.yml").write_text(results.attrs["config"])
    assert nnjax.cli.main(["train", "--config", str(tmp_path / "config.yml"), "--dry-run"]) == 2
    assert "data.name is 'digits, given in Python'" in capsys.readouterr().err
    network = nnjax.network(results)
    assert network.score(own.test.x, own.test.y) == pytest.approx(results.test_accuracy.item(), abs=1e-6)


MISTAKES = {
    "no parameters": (
        lambda r: nnjax.network(r.drop_vars([n for n in r if str(n).startswith("params.")])),
        "no parameters",
    ),
    "several runs": (
        nnjax.network,
        "more than one run is in these results: give activation,activation_slope and seed",
    ),
    "several still": (
        lambda r: nnjax.network(r, seed=0),
        "more than one run is at seed=0: give activation,activation_slope",
    ),
    "no such axis": (
        lambda r: nnjax.network(r, activatoin="tanh"),
        "'activatoin' is no axis of these results; did you mean",
    ),
    "no such value": (lambda r: nnjax.network(r, seed=7), "seed is 7, and must be one of 0, 1"),
    "no such epoch": (
        lambda r: nnjax.network(r, "first", seed=0, activation="tanh"),
        "which is 'first', and must be",
    ),
    "another shape": (
        lambda r: nnjax.network(r, activation="tanh", seed=0).logits(np.zeros((3, 63))),
        r"x has the shape \[3, 63\], and must have \[N, 64\]",
    ),
    "labels of another number": (
        lambda r: nnjax.network(r, activation="tanh", seed=0).score(np.zeros((3, 64)), [0, 1]),
        r"y has the shape \[2\]",
    ),
    "labels out of range": (
        lambda r: nnjax.network(r, activation="tanh", seed=0).score(np.zeros((2, 64)), [0, 10]),
        "y holds classes from 0 to 10, and must hold 0 to 9",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_get_a_sentence(trained, mistake):
    call, sentence = MISTAKES[mistake]
    with pytest.raises(UserError, match=sentence):
        call(trained)


def test_one_setting_in_two_spellings_is_refused(data):
    for axes in (
        {"hidden": [8, (8,)]},
        {"learning_rate": [0.1, np.float32(0.1)]},
        {"init": ["normal", "normal(0.001)"]},
        {"init": ["normal(0.1)", " normal( 0.10 ) "]},
        [{"learning_rate": 0.5}, {"hidden": (9,)}],
    ):
        with pytest.raises(UserError, match=r"twice|one setting in two spellings"):
            nnjax.plan(BASE, data, axes)


def test_a_part_of_a_result_has_the_networks_of_the_whole(trained, data):
    """Whatever was selected, turned round or transposed: the setting is found by its labels."""
    expected = nnjax.network(trained, activation="relu", seed=1)
    pieces = {
        "one": trained.isel({"activation,activation_slope": [2]}),
        "turned round": trained.isel({"activation,activation_slope": slice(None, None, -1)}),
        "transposed": trained.transpose("seed", "activation,activation_slope", ...),
    }
    for name, piece in pieces.items():
        network = nnjax.network(piece, activation="relu", seed=1)
        assert network.config == expected.config, name
        np.testing.assert_array_equal(network.logits(data.test.x), expected.logits(data.test.x))
    assert nnjax.stats.best(pieces["turned round"]) == nnjax.stats.best(trained)
    assert nnjax.stats.best(pieces["one"]).activation == "relu"


def test_each_source_of_ones_own_has_its_scale(data):
    def sources():
        for scale in (16.0, 1600.0):
            yield nnjax.Dataset(f"by {scale}", data.train, data.valid, data.test, 10, scale)

    first, second = sources()

    def small():
        return first

    def large():
        return second

    config = nnjax.config.replace(BASE, {"epochs": 1, "seeds": 1, "data.split_seed": None})
    results = nnjax.sweep(config, axes={"data.name": [small, large]}, keep_parameters=True)
    for source, scale in ((small, 16.0), (large, 1600.0)):
        network = nnjax.network(results, **{"data.name": source})
        assert network.scale == scale
        recorded = results.test_accuracy.sel({"data.name": "small" if source is small else "large"})
        assert network.score(*data.test) == pytest.approx(recorded.item(), abs=1e-6)
