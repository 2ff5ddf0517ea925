"""A file with parts of the user's own: trained by name and by callable, swept, saved, back without the file."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import nnjax
from nnjax import cli, parts
from nnjax.validation import UserError

SOURCE = '''
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax


def swish(x):
    return x * jax.nn.sigmoid(x)


def smoothed(logits, label):
    """Cross-entropy against a label with a tenth of its weight spread over all classes."""
    own = jnp.arange(logits.shape[0], dtype=label.dtype) == label
    target = jnp.where(own, 0.9, 0.0) + 0.1 / logits.shape[0]
    return -jnp.sum(target * jax.nn.log_softmax(logits))


def spread(key, shape, dtype):
    return 0.3 * jax.random.normal(key, shape, dtype)


def lion(learning_rate):
    return optax.lion(learning_rate)


def halves(done):
    return 0.5 ** jnp.floor(4 * done)


def confidence(logits, label):
    """Largest probability."""
    return jnp.max(jax.nn.softmax(logits))


def largest_step(params, grads, updates):
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(updates)]))


class Block(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.LayerNorm()(nn.relu(nn.Dense(self.width)(x)))


class Deep(nn.Module):
    """Of three levels, with a layer norm and a dropout."""

    width: int = 8
    classes: int = 10
    rate: float = 0.1

    @nn.compact
    def __call__(self, x, train=False):
        x = Block(self.width, name="second")(Block(self.width, name="first")(x))
        return nn.Dense(self.classes)(nn.Dropout(self.rate, deterministic=not train)(x))


def with_numpy(x):
    return np.tanh(x)


def of_a_sum(x):
    return jnp.sum(x)


def branches(x):
    return x if x[0, 0] > 0 else -x


class Counting(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(nn.BatchNorm(use_running_average=False)(x))


class Narrow(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(7)(x)


class Needy(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(x)
'''

OWN = {
    "activation": "swish",
    "loss": "smoothed",
    "init": "spread",
    "optimizer": "lion",
    "schedule": "halves",
    "metrics": ["confidence", "largest_step"],
}
SMALL = {"hidden": 6, "epochs": 2, "seeds": 2, "learning_rate": 0.01}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The file, in the folder in which the test runs; and its module."""
    (tmp_path / "mine.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return sys.modules[parts.load("mine.py:swish").__module__]


def named(name):
    return [named(one) for one in name] if isinstance(name, list) else f"mine.py:{name}"


def test_all_kinds_by_name_and_by_callable_train_alike(mine, digits):
    by_name = nnjax.Config(**SMALL, **{field: named(name) for field, name in OWN.items()})
    functions = {
        field: [getattr(mine, one) for one in name] if isinstance(name, list) else getattr(mine, name)
        for field, name in OWN.items()
    }
    first = nnjax.sweep(by_name, digits)
    second = nnjax.sweep(nnjax.Config(**SMALL, **functions), digits)
    for variable in ("train_loss", "valid_loss", "train_confidence", "test_confidence_last", "largest_step"):
        np.testing.assert_array_equal(first[variable], second[variable])
    assert np.isfinite(first.train_loss).all()
    assert first.train_confidence.attrs["long_name"] == "training Largest probability, running"
    assert ((first.test_confidence > 0.1) & (first.test_confidence < 1)).all()


def test_a_part_does_what_its_twin_of_the_table_does(digits, tmp_path, monkeypatch):
    """The same formulas under other names give the same numbers, to the bit where the program is the same."""
    (tmp_path / "twins.py").write_text(
        textwrap.dedent("""
        import jax, jax.numpy as jnp, optax
        from nnjax.nn.losses import cross_entropy

        def curve(x): return jnp.tanh(x)
        def loss(logits, label): return cross_entropy(logits, label)
        def draw(key, shape, dtype): return 0.1 * jax.random.normal(key, shape, dtype)
        def plain(learning_rate): return optax.sgd(learning_rate)
        def straight(done): return 1 + (0.25 - 1) * done
        """)
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    table = {"activation": "tanh", "init": "normal(0.1)", "schedule": "linear", "schedule_end": 0.25}
    own = {
        "activation": "twins.py:curve",
        "loss": "twins.py:loss",
        "init": "twins.py:draw",
        "optimizer": "twins.py:plain",
        "schedule": "twins.py:straight",
    }
    expected = nnjax.sweep(nnjax.Config(**SMALL, **table), digits)
    found = nnjax.sweep(nnjax.Config(**SMALL, **own), digits)
    for variable in ("train_loss", "valid_loss", "grad_norm", "test_loss"):
        np.testing.assert_allclose(found[variable], expected[variable], rtol=1e-6)


def test_parts_are_swept_like_names_and_come_back_without_the_file(mine, digits, tmp_path):
    config = nnjax.Config(**SMALL, optimizer=mine.lion, metrics=["mine.py:confidence"])
    axes = {"activation": ["mine.py:swish", "tanh"], "init": ["mine.py:spread", "he_normal"]}
    results = nnjax.sweep(config, digits, axes, keep_parameters=True)
    assert results.activation.values.tolist() == ["mine.py:swish", "tanh"]
    recorded = json.loads(results.attrs["parts"])
    assert set(recorded["activation"]) == {"mine.py:swish"}
    assert len(recorded["activation"]["mine.py:swish"]) == 64

    deep = nnjax.Config(epochs=2, seeds=2, model=mine.Deep(rate=0.0), learning_rate=0.1)
    of_deep = nnjax.sweep(deep, digits, {"model.width": [4, 8]}, keep_parameters=True)
    assert of_deep["model.width"].values.tolist() == [4, 8]
    assert "params.second.LayerNorm_0.scale" in of_deep

    away = tmp_path / "away"
    away.mkdir()
    nnjax.save_results(results, away / "results.nc")
    nnjax.save_results(of_deep, away / "deep.nc")
    code = """
import nnjax
from nnjax.results import configs
data = nnjax.load_data("digits")
results, deep = nnjax.load_results("results.nc"), nnjax.load_results("deep.nc")
for activation in ("mine.py:swish", "tanh"):
    for init in ("mine.py:spread", "he_normal"):
        network = nnjax.network(results, activation=activation, init=init, seed=1)
        print(network.score(data.test.x, data.test.y))
for width in (4, 8):
    network = nnjax.network(deep, **{"model.width": width}, seed=1)
    print(network.score(data.test.x, data.test.y))
try:
    network.module
except nnjax.UserError as error:
    print(error)
print(nnjax.stats.best(results).init)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=away, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *scores, sentence, _ = done.stdout.strip().split("\n")
    expected = [*results.test_accuracy.sel(seed=1).values.ravel(), *of_deep.test_accuracy.sel(seed=1).values]
    np.testing.assert_allclose(np.array(scores, float), expected, atol=1e-6)
    assert "isn't to be found here" in sentence


def test_a_part_that_has_changed_is_not_taken_for_the_one_that_was_trained(mine, digits, tmp_path):
    config = nnjax.Config(**SMALL, activation="mine.py:swish")
    results = nnjax.sweep(config, digits, keep_parameters=True)
    network = nnjax.network(results, seed=0)
    (tmp_path / "mine.py").write_text(SOURCE.replace("x * jax.nn.sigmoid(x)", "jnp.cos(x)"))
    again = nnjax.network(results, seed=0)
    np.testing.assert_array_equal(network.logits(digits.test.x), again.logits(digits.test.x))
    with pytest.raises(UserError, match="has changed since"):
        nnjax.sweep(nnjax.stats.best(results), digits)


def test_the_command_trains_and_sweeps_them(mine, tmp_path, capsys):
    flags = [f"--{field}={named(name)}" if isinstance(name, str) else "" for field, name in OWN.items()]
    flags = [*filter(None, flags), "--metrics=[mine.py:confidence]", "--epochs=1", "--seeds=2", "--hidden=4"]
    assert cli.main(["train", *flags, "--output", "a"]) == 0
    assert "mine.py:swish" in (tmp_path / "a/config.yml").read_text()
    assert (
        cli.main(["sweep", "--config", "a/config.yml", "--axes.activation", "[mine.py:swish, relu]", "--dry-run"])
        == 0
    )
    sweep = ["sweep", "--model", "mine.py:Deep", "--axes.model.width", "[3, 4]", "--epochs", "1", "--seeds", "2"]
    assert cli.main([*sweep, "--output", "b", "--keep_parameters"]) == 0
    results = nnjax.load_results("b/results.nc")
    assert nnjax.network(results, **{"model.width": 3}, seed=0).params["first"]["Dense_0"]["kernel"].shape == (
        64,
        3,
    )
    assert cli.main(["sweep", "--config", "b/config.yml", "--dry-run"]) == 0
    capsys.readouterr()


MISTAKES = {
    "with NumPy": (
        {"activation": "with_numpy"},
        "activation mine.py:with_numpy doesn't fit: it computes with NumPy",
    ),
    "a branch": (
        {"activation": "branches"},
        "activation mine.py:branches doesn't fit: it computes with NumPy or Python",
    ),
    "another shape": ({"activation": "of_a_sum"}, r"of float32\[3, 4\] it makes float32\[\]"),
    "an activation as a loss": ({"loss": "swish"}, "loss mine.py:swish doesn't fit: it raises TypeError"),
    "an activation as a draw": ({"init": "swish"}, "init mine.py:swish doesn't fit"),
    "an activation as an optimizer": ({"optimizer": "swish"}, "optimizer mine.py:swish doesn't fit"),
    "a loss as a schedule": ({"schedule": "smoothed"}, "schedule mine.py:smoothed doesn't fit"),
    "an activation as a metric": ({"metrics": ["swish"]}, "metric mine.py:swish doesn't fit"),
    "a function as a model": ({"model": "swish"}, "model mine.py:swish is a function, and must be a class"),
    "batch statistics": ({"model": "Counting"}, "it has batch_stats beside its parameters"),
    "seven classes": ({"model": "Narrow"}, r"of float32\[2, 64\] it makes float32\[2, 7\]"),
    "a missing attribute": ({"model": "Needy"}, "missing 1 required positional argument: 'width'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_does_not_fit_is_refused_before_anything_trains(mine, digits, mistake):
    fields, sentence = MISTAKES[mistake]
    config = nnjax.Config(**{field: named(name) for field, name in fields.items()})
    with pytest.raises(UserError, match=sentence):
        nnjax.plan(config, digits)


def test_what_is_not_there_is_said_with_the_nearest_name(mine):
    with pytest.raises(UserError, match="has no function 'swich'; did you mean 'swish'"):
        nnjax.Config(activation="mine.py:swich")
    with pytest.raises(UserError, match=r"there is no file mina\.py; did you mean 'mine\.py'"):
        nnjax.Config(activation="mina.py:swish")
    with pytest.raises(UserError, match="has no attribute 'widht'; did you mean 'width'"):
        nnjax.plan(nnjax.Config(model="mine.py:Deep", model_attributes={"widht": 3}), nnjax.load_data("digits"))
    with pytest.raises(UserError, match=r"model.width is an attribute of a module of one's own"):
        nnjax.Config(model_attributes={"width": 3})


def test_two_functions_of_one_name_are_refused_on_an_axis(digits):
    axes = {"activation": [lambda x: x, lambda x: -x]}
    with pytest.raises(UserError, match="two functions on the axis activation are called <lambda>"):
        nnjax.plan(nnjax.Config(), digits, axes)


def test_a_metric_takes_no_name_of_the_results(digits):
    def train_loss(params, grads, updates):
        return 42.0

    def learning_rate(logits, label):
        return 1.0

    for metric in (train_loss, learning_rate):
        with pytest.raises(UserError, match="as something else"):
            nnjax.plan(nnjax.Config(metrics=[metric]), digits)


def test_two_metrics_of_one_name_are_refused_wherever_they_stand(digits):
    first, second = (
        (lambda value: lambda logits, label: value)(1.0),
        (lambda value: lambda logits, label: value)(2.0),
    )
    for axes in ({"metrics": [[first], [second]]}, [{"metrics": [first]}, {"metrics": [second]}]):
        with pytest.raises(UserError, match="two functions on the axis metrics"):
            nnjax.plan(nnjax.Config(), digits, axes)


def test_a_script_is_not_run_again_for_the_functions_that_it_gives(tmp_path):
    script = tmp_path / "study.py"
    script.write_text(
        textwrap.dedent("""
        import jax.numpy as jnp
        import nnjax
        print("runs as", __name__)

        def curve(x):
            return jnp.tanh(x)

        config = nnjax.Config(hidden=3, epochs=1, seeds=1, activation=curve)
        results = nnjax.sweep(config, nnjax.load_data("digits"), keep_parameters=True)
        print(nnjax.network(results).config.activation == config.activation, nnjax.stats.best(results).activation)
        """)
    )
    done = subprocess.run([sys.executable, "study.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["runs as __main__", "True study.py:curve"]


def test_a_module_that_takes_dropout_gets_it(mine, digits, tmp_path):
    (tmp_path / "dropping.py").write_text(
        textwrap.dedent("""
        import flax.linen as nn
        from nnjax.nn.networks import drop

        class Dropping(nn.Module):
            classes: int = 10

            @nn.compact
            def __call__(self, x, dropout=None):
                x = nn.relu(nn.Dense(12)(x))
                if dropout is not None:
                    x = drop(self.make_rng("dropout"), x, dropout)
                return nn.Dense(self.classes)(x)
        """)
    )
    config = nnjax.Config(model="dropping.py:Dropping", epochs=1, seeds=1)
    results = nnjax.sweep(config, digits, {"dropout": [0, 0.5]})
    assert float(results.train_loss.sel(dropout=0).item()) != float(results.train_loss.sel(dropout=0.5).item())


@pytest.mark.usefixtures("nothing_kept")
def test_what_calls_back_into_python_trains_and_comes_back(digits):
    import jax
    import jax.numpy as jnp

    def told(x):
        jax.debug.callback(lambda value: None, jnp.sum(x))
        return jnp.tanh(x)

    results = nnjax.sweep(nnjax.Config(**SMALL, activation=told), digits, keep_parameters=True)
    assert np.isfinite(results.train_loss).all()
