import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import nnjax
import reference
from nnjax.config import Config
from nnjax.data import Dataset
from nnjax.data.batches import Splits
from nnjax.data.order import epoch_order, num_batches
from nnjax.engine import plan as plans
from nnjax.engine.epochs import Training
from nnjax.nn.initializers import INITIALIZERS, initialize
from nnjax.nn.models import param_shapes
from nnjax.search.sweep import run_plan
from nnjax.training.epoch import norm_spacing, run_epoch
from nnjax.training.start import init_state, run_keys
from nnjax.training.structure import Structure, hyperparameters
from nnjax.types import Examples
from nnjax.validation import UserError

SMALL = Config(hidden=(8,), init="he_normal", learning_rate=0.5, epochs=2)


def train_alone(config, data, seed):
    """One run by the functions of train.py and nothing of a sweep."""
    kind, numbers = config.initialization
    structure = Structure.of(config, data.classes, data.inputs)
    hyper = hyperparameters(config, structure, len(data.train.y))
    splits = jax.device_put(Splits(data.train, data.valid, np.float32(data.scale)))
    keys = run_keys(seed, seed)
    shapes = param_shapes(structure.network, data.inputs)
    params = initialize(keys.init, INITIALIZERS[kind], jnp.array(numbers, jnp.float32), shapes)
    state = init_state(structure, params, hyper)

    @jax.jit
    def epoch(state, hyper, number):
        order = epoch_order(jax.random.fold_in(keys.order, number), len(data.train.y), config.batch_size)
        return run_epoch(structure, state, hyper, keys.dropout, order, splits)

    metrics = []
    for number in range(config.epochs):
        state, measured = epoch(state, hyper, number)
        metrics.append(measured)
    return state, metrics


OF_AN_EPOCH = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "grad_norm", "update_ratio")


def relative(a, b):
    return max(
        np.linalg.norm(x - y) / np.linalg.norm(y)
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        Config(hidden=(8, 8), residual=True, activation="relu", init="xavier_uniform", momentum=0.9, dropout=0.2),
        Config(model="softmax_regression", optimizer="adam", learning_rate=0.01, schedule="cosine"),
    ],
    ids=lambda config: config.optimizer + config.activation,
)
def test_a_run_of_a_sweep_equals_the_run_alone(config, digits):
    # optax's adam raises a float to a whole number, which strict promotion refuses.
    with jax.numpy_dtype_promotion("standard" if config.optimizer == "adam" else "strict"):
        together = nnjax.sweep(config, digits, {"weight_decay": [0, 1e-3]}, seeds=3, keep_parameters=True)
        state, metrics = train_alone(nnjax.config.replace(config, {"weight_decay": 1e-3}), digits, seed=2)
    run = {"weight_decay": 1e-3, "seed": 2}
    assert relative(nnjax.parameters(together, "last", **run), state.train.params) < 1e-5
    assert relative(nnjax.parameters(together, "best", **run), state.best_params) < 1e-5
    assert sorted(metrics[0]) == sorted(OF_AN_EPOCH)
    for name in OF_AN_EPOCH:
        alone = [measured[name] for measured in metrics]
        np.testing.assert_allclose(together[name].sel(run), alone, rtol=1e-4)


FULL_SIZE = Config(hidden=(128,), init="xavier_uniform", weight_decay=1e-3, epochs=2)


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("changes", "axes", "seeds", "inputs", "classes", "examples"),
    [
        pytest.param({"batch_size": 64}, {}, 2, 784, 10, 2500, id="one network at a time"),
        pytest.param(
            {"batch_size": 64}, {"learning_rate": [0.1, 0.3, 0.03, 0.01]}, 1, 784, 10, 1500, id="one order"
        ),
        pytest.param({"batch_size": 32, "hidden": (32,)}, {}, 90, 64, 10, 1150, id="many at a time"),
        pytest.param({"batch_size": 256, "hidden": (512, 512)}, {}, 2, 784, 10, 2500, id="wide"),
        pytest.param({"batch_size": 33_000, "hidden": (3,)}, {}, 1, 5, 3, 33_000, id="whole data set"),
    ],
)
def test_numbers_of_full_size_are_what_numpy_finds_in_float64(changes, axes, seeds, inputs, classes, examples):
    """XLA computes large arrays in other ways, and has been wrong there: https://github.com/jax-ml/jax/issues/39103."""
    config = nnjax.config.replace(FULL_SIZE, changes)
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, (examples + 700, inputs), dtype=np.uint8)
    y = (x @ draw.normal(size=(inputs, classes))).argmax(1).astype(np.int32)
    train_part, valid = Examples(x[:examples], y[:examples]), Examples(x[examples:], y[examples:])
    data = Dataset("noise", train_part, valid, valid, classes=classes, scale=255.0)
    group = plans.plan(config, data, axes, seeds=seeds).groups[0]

    training = Training(group)
    start = training.params
    epochs = list(training.epochs(config.epochs))

    last = len(group.runs) - 1
    run, order_key = group.runs[last], run_keys(0, group.runs[last].data_seed).order
    steps = num_batches(examples, config.batch_size)
    network = reference.Network(run.config, jax.tree.map(lambda leaf: leaf[last], start), steps)
    for number, found in enumerate(epochs):
        order = epoch_order(jax.random.fold_in(order_key, number), examples, config.batch_size)
        batches = reference.real_places(order, examples)
        means = network.train_epoch(x[:examples] / 255, y[:examples], batches, norm_every=norm_spacing(steps))
        expected = (*dataclasses.astuple(means)[:2], *network.evaluate(x[examples:] / 255, valid.y))
        expected += (means.grad_norm, means.update_ratio)
        assert sorted(found.metrics) == sorted(OF_AN_EPOCH)
        np.testing.assert_allclose([found.metrics[name][last] for name in OF_AN_EPOCH], expected, rtol=1e-5)
    trained = jax.tree.map(lambda leaf: leaf[last], training.params)
    assert reference.tree_deviation(trained, network.tree) < 1e-5


def test_one_at_a_time_the_number_of_neighbours_does_not_change_a_run_by_a_bit(digits):
    few = nnjax.sweep(SMALL, digits, {"learning_rate": [0.5]}, seeds=2, runs_per_call=1)
    many = nnjax.sweep(SMALL, digits, {"learning_rate": [0.5, 0.1, 0.02]}, seeds=5, runs_per_call=1)
    for name in ("train_loss", "valid_loss", "test_loss_last"):
        np.testing.assert_array_equal(
            few[name].sel(learning_rate=0.5), many[name].sel(learning_rate=0.5, seed=[0, 1])
        )


@pytest.mark.parametrize("runs_per_call", [2, 3, 5, 100, None])
@pytest.mark.parametrize(
    "config", [SMALL, Config(hidden=(8,), dropout=0.3, momentum=0.9, init="lsuv")], ids=["plain", "rich"]
)
def test_several_runs_at_a_time_give_what_one_after_another_gives(config, digits, runs_per_call):
    axes = {"learning_rate": [0.5, 0.1], "init_seed": [0, 1, 2]}
    apart = nnjax.sweep(config, digits, axes, seeds=3, keep_parameters=True, runs_per_call=1)
    several = nnjax.sweep(config, digits, axes, seeds=3, keep_parameters=True, runs_per_call=runs_per_call)
    for name in apart.data_vars:
        if name.startswith("params.") or name in OF_AN_EPOCH:
            np.testing.assert_allclose(apart[name], several[name], rtol=2e-3, atol=1e-5, err_msg=name)


def test_runs_at_a_time_may_have_different_numbers_of_epochs_and_diverge(digits):
    config = Config(hidden=(8,), activation="relu", loss="mse", init="he_normal")
    axes = {"learning_rate": [0.1, 1e4], "epochs": [1, 3]}
    apart = nnjax.sweep(config, digits, axes, seeds=2, runs_per_call=1)
    several = nnjax.sweep(config, digits, axes, seeds=2, runs_per_call=8)
    for name in ("status", "diverged_epoch", "best_epoch"):
        np.testing.assert_array_equal(apart[name], several[name], err_msg=name)
    np.testing.assert_allclose(apart.train_loss, several.train_loss, rtol=1e-3)
    np.testing.assert_allclose(apart.test_loss_last, several.test_loss_last, rtol=1e-3)


def test_three_numbers_and_four_kinds_of_initialisation_compile_one_training_program(digits, compilations):
    axes = {
        "learning_rate": [0.1, 1],
        "weight_decay": [0, 1e-3],
        "momentum": [0, 0.9],
        "init": ["normal(0.1)", "he_uniform", "orthogonal", "lsuv"],
    }
    config = Config(hidden=(7,), epochs=1)
    nnjax.sweep(config, digits, axes, seeds=2)
    assert compilations.count("jit(train_epoch_of_all)") == 1

    compilations.clear()
    other = axes | {
        "learning_rate": [0.3, 0.2],
        "init": ["normal(0.2)", "he_uniform", "orthogonal(2)", "lsuv(0.1)"],
    }
    nnjax.sweep(nnjax.config.replace(config, {"epochs": 2}), digits, other, seeds=[5, 9])
    assert compilations == []


@pytest.mark.parametrize(
    "axis", [{"momentum": [0, 0.9]}, {"dropout": [0.5, 0]}, {"init": ["orthogonal", "he_normal"]}]
)
def test_settings_that_share_a_program_keep_their_own_numbers(axis, digits):
    together = nnjax.sweep(SMALL, digits, axis, seeds=2)
    ((name, values),) = axis.items()
    for value in values:
        alone = nnjax.sweep(nnjax.config.replace(SMALL, {name: value}), digits, seeds=2)
        np.testing.assert_allclose(together.train_loss.sel({name: value}), alone.train_loss, rtol=1e-5)


def test_structure_splits_a_sweep_into_groups_of_one_compilation_each(digits, compilations):
    axes = {"learning_rate": [0.1, 1], "hidden": [(5,), (6,)], "activation": ["tanh", "relu"]}
    todo = nnjax.plan(Config(epochs=1), digits, axes, seeds=2, share=False)
    assert [len(group.runs) for group in todo.groups] == [4, 4, 4, 4]
    results = run_plan(todo)
    assert compilations.count("jit(train_epoch_of_all)") == 4
    # Each place holds the run of its own labels.
    one = nnjax.sweep(Config(epochs=1, hidden=(6,), activation="tanh"), digits, seeds=2)
    np.testing.assert_array_equal(
        results.valid_loss.sel(hidden="(6,)", activation="tanh", learning_rate=0.1), one.valid_loss
    )


def test_a_diverged_run_is_marked_and_its_neighbours_stay_as_they_were_to_the_bit(digits):
    config = Config(hidden=(8,), activation="relu", loss="mse", init="he_normal", epochs=4)
    healthy = nnjax.sweep(config, digits, {"learning_rate": [0.1, 0.05]}, seeds=3)
    mixed = nnjax.sweep(config, digits, {"learning_rate": [0.1, 1e4]}, seeds=3)
    assert (mixed.status.sel(learning_rate=0.1) == "finished").all()
    assert (mixed.diverged_epoch.sel(learning_rate=0.1) == 0).all()
    for name in mixed.data_vars:
        np.testing.assert_array_equal(mixed[name].sel(learning_rate=0.1), healthy[name].sel(learning_rate=0.1))
    gone = mixed.sel(learning_rate=1e4)
    assert (gone.status == "diverged").all()
    assert (gone.diverged_epoch >= 1).all()
    for seed in gone.seed:
        run = gone.sel(seed=seed)
        finite = np.isfinite(run.train_loss.values)
        assert finite.sum() == run.diverged_epoch - 1
        assert run.best_epoch < run.diverged_epoch
        assert np.isnan(run.test_accuracy_last)
        assert np.isnan(run.test_accuracy) == (run.best_epoch == 0)


def test_chunks_without_a_run_to_train_are_not_called(digits):
    config = Config(hidden=(8,), activation="relu", loss="mse", init="he_normal")
    axes = [{"learning_rate": 1e6, "epochs": 6}, {"learning_rate": 0.1, "epochs": 2}]
    (group,) = nnjax.plan(config, digits, axes, seeds=1, runs_per_call=1).groups
    training = Training(group)
    own, rates = training._programs, []
    train_chunks = own.epoch

    def count(states, chunks, epoch):
        rates.extend(float(own.inputs[chunk].hyper.learning_rate[0, 0]) for chunk in chunks)
        return train_chunks(states, chunks, epoch)

    own.epoch = count
    losses = np.array([end.metrics["train_loss"] for end in training.epochs(6)])
    assert np.isnan(losses[:, 0]).all()  # diverged in its first epoch, which is known when the second has begun
    assert (rates.count(1e6), rates.count(np.float32(0.1))) == (2, 2)


def test_an_epoch_begins_before_the_metrics_of_the_last_are_fetched(digits):
    (group,) = nnjax.plan(Config(hidden=(8,), epochs=3), digits, seeds=2).groups
    training = Training(group)
    begin, begun = training._begin_epoch, []
    training._begin_epoch = lambda: begun.append(0) or begin()
    assert [len(begun) for _ in training.epochs(3)] == [2, 3, 3]


def test_settings_share_the_seeds_initial_draw_and_data_order(digits):
    # Without learning every epoch sees the initial network, in the order of the seed.
    config = Config(hidden=(8,), init="normal(0.1)", learning_rate=0, epochs=1)
    got = nnjax.sweep(config, digits, {"weight_decay": [0, 0.1]}, seeds=3, keep_parameters=True)
    np.testing.assert_array_equal(*got["params.Dense_0.kernel"].transpose("weight_decay", ...))
    assert len(np.unique(got["params.Dense_0.kernel"].isel(weight_decay=0, kept=0)[:, 0, 0])) == 3
    scaled = nnjax.sweep(config, digits, {"init": ["normal(0.1)", "normal(0.3)"]}, seeds=3, keep_parameters=True)
    small, large = scaled["params.Dense_0.kernel"].transpose("init", ...)
    np.testing.assert_allclose(3 * small, large, rtol=1e-6)


def test_initial_and_data_seeds_can_be_crossed(digits):
    got = nnjax.sweep(SMALL, digits, {"init_seed": [0, 1], "data_seed": [0, 1, 2]})
    assert got.test_accuracy.dims == ("init_seed", "data_seed")
    assert len(np.unique(got.train_loss.isel(epoch=0))) == 6
    by_seed = nnjax.sweep(SMALL, digits, seeds=2)
    for seed in (0, 1):
        # Other numbers of runs side by side, other last bits.
        crossed = got.valid_loss.sel(init_seed=seed, data_seed=seed)
        np.testing.assert_allclose(crossed, by_seed.valid_loss[seed], rtol=1e-5)


def test_one_fixed_seed_leaves_the_other_to_vary(digits):
    config = nnjax.config.replace(SMALL, {"init_seed": 7, "learning_rate": 0})
    got = nnjax.sweep(config, digits, seeds=3, keep_parameters=True)
    assert got.sizes["seed"] == 3
    kernels = got["params.Dense_0.kernel"].isel(kept=1)
    np.testing.assert_array_equal(kernels[0], kernels[1])


def test_epochs_can_be_an_axis(digits, compilations):
    got = nnjax.sweep(Config(hidden=(9,), init="he_normal"), digits, {"epochs": [1, 3]}, seeds=2)
    assert compilations.count("jit(train_epoch_of_all)") == 1
    assert np.isnan(got.valid_loss.sel(epochs=1)).sum() == 2 * 2
    assert np.isfinite(got.valid_loss.sel(epochs=3)).all()
    assert (got.status == "finished").all()
    np.testing.assert_array_equal(got.valid_loss.sel(epochs=1, epoch=1), got.valid_loss.sel(epochs=3, epoch=1))


def test_axes_label_the_results(digits):
    got = nnjax.sweep(
        SMALL,
        digits,
        {"learning_rate": [1, 0.1], "hidden": [(3,), (4,)], "momentum,nesterov": [(0.5, False), (0.9, True)]},
        seeds=[4, 2],
    )
    assert got.valid_loss.dims == ("learning_rate", "hidden", "momentum,nesterov", "seed", "epoch")
    assert list(got.seed) == [4, 2]
    assert list(got.hidden.values) == ["(3,)", "(4,)"]
    assert list(got.momentum.values) == [0.5, 0.9]
    assert list(got.nesterov.values) == ["False", "True"]
    assert list(got.epoch) == [1, 2]
    assert got.test_accuracy.sel(learning_rate=0.1).mean("seed").dims == ("hidden", "momentum,nesterov")


def test_a_list_of_settings_is_one_axis(digits):
    got = nnjax.sweep(SMALL, digits, [{"learning_rate": 1.0}, {"hidden": [5], "learning_rate": 0.1}], seeds=1)
    assert got.valid_loss.dims == ("setting", "seed", "epoch")
    assert list(got.learning_rate.values) == [1.0, 0.1]


def test_data_can_be_an_axis():
    got = nnjax.sweep(SMALL, axes={"data.valid_fraction": [0.2, 0.4]}, seeds=1)
    assert got.valid_loss.sel({"data.valid_fraction": 0.4}).size == 2
    with pytest.raises(ValueError, match=r"data\.… is an axis of the sweep, and data is given as well"):
        nnjax.plan(SMALL, nnjax.load_data("digits"), {"data.valid_fraction": [0.2, 0.4]})


def test_more_learning_moves_the_weights_more(digits):
    got = nnjax.sweep(SMALL, digits, {"learning_rate": [0.0, 0.01, 0.1]}, seeds=2)
    ratio = got.update_ratio.mean(["seed", "epoch"]).values
    assert ratio[0] == 0
    assert ratio[0] < ratio[1] < ratio[2]
    assert (got.grad_norm > 0).all()


def test_bytes_and_floats_train_alike():
    rng = np.random.default_rng(0)
    bytes_ = rng.integers(0, 256, (90, 6), dtype=np.uint8)
    labels = rng.integers(0, 3, 90).astype(np.int32)

    def dataset(x):
        parts = [Examples(x[i : i + 30], labels[i : i + 30]) for i in (0, 30, 60)]
        return Dataset("noise", *parts, classes=3, scale=255.0)

    config = Config(hidden=(4,), init="he_normal", batch_size=7, epochs=2)
    xr.testing.assert_equal(
        nnjax.sweep(config, dataset(bytes_), seeds=2),
        nnjax.sweep(config, dataset(bytes_.astype(np.float32)), seeds=2),
    )


def test_one_run_with_both_seeds_fixed_has_no_dimension_but_epoch(digits):
    got = nnjax.sweep(nnjax.config.replace(SMALL, {"init_seed": 1, "data_seed": 2}), digits)
    assert got.valid_loss.dims == ("epoch",)
    assert got.test_accuracy.dims == ()
    crossed = nnjax.sweep(SMALL, digits, {"init_seed": [1], "data_seed": [2]})
    np.testing.assert_array_equal(got.valid_loss, crossed.valid_loss.squeeze())


def test_a_field_that_a_listed_setting_leaves_out_is_labelled_by_its_default(digits):
    got = nnjax.sweep(SMALL, digits, [{"learning_rate": 1.0}, {"momentum": 0.9}], seeds=1)
    assert list(got.learning_rate.values) == [1.0, SMALL.learning_rate]
    assert list(got.momentum.values) == [0.0, 0.9]


def test_weights_of_zero_have_an_update_ratio_that_is_finite(digits):
    got = nnjax.sweep(Config(model="softmax_regression", init="zeros", epochs=1), digits, seeds=1)
    assert np.isfinite(got.update_ratio).all()


# The end of an epoch.


def last_epochs(config, data, axes=None, epochs=None, **options):
    """Results with parameters; with another number of epochs, of a program that is the same."""
    changed = nnjax.config.replace(config, {} if epochs is None else {"epochs": epochs})
    return nnjax.sweep(changed, data, axes, keep_parameters=True, **options)


def trees(results, which):
    """The parameters of all runs, by leaf."""
    of = results.isel(kept=["best", "last"].index(which))
    return {name: of[name].values for name in results.data_vars if str(name).startswith("params.")}


def assert_same_runs(found, expected):
    """Every variable to the bit, NaN included."""
    assert set(found.data_vars) == set(expected.data_vars)
    for name in found.data_vars:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=str(name))


WATCHED = Config(hidden=(8,), init="he_normal", learning_rate=0.5, momentum=0.9, epochs=4)


def test_somebody_sees_the_end_of_every_epoch_of_every_group(digits):
    axes = {"hidden": [(8,), (5, 4)], "epochs": [1, 3]}  # of two programs
    ends = []
    results = nnjax.sweep(SMALL, digits, axes, seeds=2, on_epoch=ends.append)
    groups = nnjax.plan(SMALL, digits, axes, seeds=2).groups
    assert [end.epoch for end in ends] == [1, 2, 3] * 2
    for number, end in enumerate(ends):
        assert end.runs == groups[number // 3].runs
        assert end.states is None
        assert sorted(end.metrics) == sorted(OF_AN_EPOCH)
        np.testing.assert_array_equal(end.trained, [end.epoch <= run.config.epochs for run in end.runs])
        for place, run in enumerate(end.runs):
            at = {"hidden": str(run.config.hidden), "epochs": run.config.epochs, "seed": run.data_seed}
            assert run.seed_index == run.data_seed
            for name in OF_AN_EPOCH:
                expected = results[name].sel(at).sel(epoch=end.epoch)
                np.testing.assert_array_equal(end.metrics[name][place], expected)
    assert_same_runs(results, nnjax.sweep(SMALL, digits, axes, seeds=2))


def test_a_run_that_diverges_in_an_epoch_was_not_trained_in_it(digits):
    config = Config(hidden=(8,), activation="relu", loss="mse", init="he_normal", epochs=3)
    ends = []
    results = nnjax.sweep(config, digits, {"learning_rate": [0.1, 1e4]}, seeds=2, on_epoch=ends.append)
    assert (results.diverged_epoch.sel(learning_rate=1e4) > 0).all()
    for end in ends:
        diverged = results.diverged_epoch.values.ravel()
        np.testing.assert_array_equal(end.trained, (diverged == 0) | (end.epoch < diverged))


@pytest.mark.parametrize("runs_per_call", [None, 1])
def test_states_are_those_of_the_epoch_and_of_no_later_one(digits, runs_per_call):
    ends = []
    nnjax.sweep(
        WATCHED, digits, seeds=3, runs_per_call=runs_per_call, on_epoch=ends.append, states=True, progress=False
    )
    for end in ends:
        expected = last_epochs(WATCHED, digits, epochs=end.epoch, seeds=3, runs_per_call=runs_per_call)
        for which, params in (("last", end.states.train.params), ("best", end.states.best_params)):
            for name, leaf in trees(expected, which).items():
                _, layer, of_layer = name.split(".")
                np.testing.assert_array_equal(params[layer][of_layer], leaf)
        np.testing.assert_array_equal(end.states.epoch, [end.epoch] * 3)
        np.testing.assert_array_equal(end.states.best_epoch, expected.best_epoch)
        assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(end.states))
    assert not np.array_equal(*(end.states.train.params["Dense_0"]["kernel"] for end in ends[:2]))


ANSWERS = {
    "indices": lambda end: [1, 4] if end.epoch == 2 else [],
    "one after another": lambda end: iter([np.int64(1), 4, 4]) if end.epoch == 2 else None,
    "an array": lambda end: np.array([4, 1]) if end.epoch == 2 else np.array([]),
    "a mask": lambda end: np.isin(np.arange(6), [1, 4]) & (end.epoch == 2),
    "truths": lambda end: [False, end.epoch == 2, False, False, end.epoch == 2, False],
    "again and again": lambda end: {1, 4} if end.epoch >= 2 else (),
}


@pytest.fixture(scope="module")
def unstopped(digits):
    return last_epochs(WATCHED, digits, {"learning_rate": [0.5, 0.1]}, seeds=3)


@pytest.fixture(scope="module")
def short(digits):
    return last_epochs(WATCHED, digits, {"learning_rate": [0.5, 0.1]}, epochs=2, seeds=3)


@pytest.mark.parametrize("answer", ANSWERS)
def test_runs_that_somebody_stops_rest_and_the_others_do_not_change_by_a_bit(digits, unstopped, short, answer):
    axes = {"learning_rate": [0.5, 0.1]}
    results = last_epochs(WATCHED, digits, axes, seeds=3, on_epoch=ANSWERS[answer])
    stopped = np.isin(np.arange(6), [1, 4]).reshape(2, 3)
    np.testing.assert_array_equal(results.status, np.where(stopped, "stopped", "finished"))
    np.testing.assert_array_equal(results.stopped_epoch, np.where(stopped, 2, 0))
    assert (results.diverged_epoch == 0).all()
    for name, variable in results.data_vars.items():
        if name in ("status", "stopped_epoch"):
            continue
        found, whole, early = (of[name].values for of in (results, unstopped, short))
        np.testing.assert_array_equal(found[~stopped], whole[~stopped], err_msg=name)
        if "epoch" in variable.dims:
            np.testing.assert_array_equal(found[stopped][..., :2], early[stopped], err_msg=name)
            assert np.isnan(found[stopped][..., 2:]).all()
        else:
            np.testing.assert_array_equal(found[stopped], early[stopped], err_msg=name)


def test_a_stop_at_the_last_epoch_or_of_a_run_that_has_diverged_is_none(digits):
    config = Config(hidden=(8,), activation="relu", loss="mse", init="he_normal", epochs=3)
    axes = {"learning_rate": [0.1, 1e4]}
    whole = nnjax.sweep(config, digits, axes, seeds=1)
    assert list(whole.status.values.ravel()) == ["finished", "diverged"]
    stopped = nnjax.sweep(
        config, digits, axes, seeds=1, on_epoch=lambda end: [1] if end.epoch < 3 else [0, 1], runs_per_call=2
    )
    np.testing.assert_array_equal(stopped.status, whole.status)
    assert (stopped.stopped_epoch == 0).all()


def test_chunks_of_runs_that_were_stopped_are_not_called(digits):
    (group,) = nnjax.plan(WATCHED, digits, seeds=2, runs_per_call=1).groups
    training = Training(group)
    train_chunks, calls = training._programs.epoch, []
    training._programs.epoch = lambda states, chunks, epoch: (
        calls.extend(chunks) or train_chunks(states, chunks, epoch)
    )
    for end in training.epochs(4, wait=True):
        training.stop([0] if end.epoch == 1 else None)
    assert calls == [0, 1, 1, 1, 1]
    training.restart()
    assert [end.trained.tolist() for end in training.epochs(2, wait=True)] == [[True, True]] * 2


@pytest.mark.parametrize(
    "answer",
    [
        [2],
        [-1],
        [0.5],
        ["0"],
        "best",
        7,
        True,
        [None],
        [[0], [1]],
        [[0], [1, 0]],
        np.array([True]),
        np.array([[True, False]]),
        {"stop": 0},
    ],
    ids=repr,
)
def test_an_answer_that_names_no_runs_gets_a_sentence(digits, answer):
    words = "on_epoch answers .*, and must answer which runs stop: indices from 0 to 1, a truth value for each run"
    with pytest.raises(ValueError, match=words) as caught:
        nnjax.sweep(SMALL, digits, seeds=2, on_epoch=lambda end: answer)
    assert isinstance(caught.value, UserError)
    assert "\n" not in str(caught.value)
