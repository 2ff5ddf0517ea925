"""Programs that structures share, against those that a structure has to itself."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnjax
from nnjax.config import Config
from nnjax.data.order import epoch_order
from nnjax.engine import devices, draws, sharing
from nnjax.engine.plan import plan
from nnjax.engine.reading import order_of
from nnjax.engine.shared import packed, unpacked
from nnjax.nn.activations import ACTIVATIONS
from nnjax.nn.initializers import INITIALIZERS, initialize
from nnjax.nn.models import layers, param_shapes
from nnjax.nn.networks import MLP
from nnjax.search.sweep import run_plan
from nnjax.training.shared import Shared
from nnjax.training.start import run_keys
from nnjax.training.structure import Structure
from nnjax.validation import UserError

pytestmark = pytest.mark.skipif(devices.platform() != "cpu", reason="programs are shared on a CPU alone")

CONFIG = Config(
    init="xavier_uniform",
    learning_rate=0.2,
    epochs=10,
    metrics=("class_accuracy", "layer_grad_norm", "kernel_norm"),
)

MIXED = [
    {"hidden": (16,), "activation": "tanh", "batch_size": 32},
    {"hidden": (33, 7), "activation": "relu", "batch_size": 100},
    {"hidden": (64, 65), "activation": "sigmoid", "batch_size": 16, "momentum": 0.9, "nesterov": False},
    {"hidden": (5, 40), "activation": "gelu", "batch_size": 1150},
    {"hidden": (20,), "activation": "leaky_relu", "batch_size": 17, "learning_rate": 0.05},
    {"hidden": (20,), "activation": "identity", "batch_size": 64, "schedule": "cosine"},
    {"hidden": (30,), "activation": "scaled_sigmoid", "activation_slope": 2.0, "batch_size": 50, "epochs": 7},
    {"hidden": (12,), "activation": "tanh", "optimizer": "adam", "learning_rate": 0.003},
    {"hidden": (13,), "activation": "relu", "optimizer": "adam", "learning_rate": 0.003, "init": "orthogonal"},
    {"hidden": (14,), "activation": "relu", "optimizer": "adamw", "learning_rate": 0.003, "init": "he_normal"},
    {"hidden": (15, 9), "activation": "tanh", "loss": "mse", "layer_rates": (1.0, 0.5, 2.0)},
    {"hidden": (15, 8), "activation": "relu", "loss": "mse", "momentum": 0.5},
]


@pytest.fixture(scope="module")
def both(digits):
    """The same runs in shared programs and in their structures' own."""
    with jax.numpy_dtype_promotion("standard"):  # optax's adam raises a float to a whole number
        found = []
        for share in (None, False):
            todo = plan(CONFIG, digits, MIXED, seeds=2, share=share)
            found.append((todo, run_plan(todo, keep_parameters=True, progress=False)))
    return found


def test_most_structures_share_programs(both):
    (shared, _), (own, _) = both
    assert sum(len(group.runs) for group in shared.groups if group.shared) == 2 * len(MIXED)
    assert len(shared.groups) < len(own.groups) == len(MIXED)
    assert not any(group.shared for group in own.groups)


@pytest.mark.parametrize("number", range(len(MIXED)), ids=lambda number: str(MIXED[number]))
def test_a_run_of_a_shared_program_is_that_of_its_own(both, number):
    (_, shared), (_, own) = both
    for seed in (0, 1):
        for which in ("best", "last"):
            a, b = (nnjax.parameters(result, which, setting=number, seed=seed) for result in (shared, own))
            for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
                assert x.shape == y.shape
                assert np.linalg.norm(x - y) <= 1e-5 * np.linalg.norm(y)
    a, b = (result.sel(setting=number) for result in (shared, own))
    assert (a.best_epoch.values == b.best_epoch.values).all()
    assert (a.status.values == b.status.values).all()
    for name in own.data_vars:
        if own[name].dtype.kind == "f" and not name.startswith("params."):
            np.testing.assert_allclose(a[name].values, b[name].values, rtol=2e-4, atol=1e-6, err_msg=name)


def test_weighted_runs_of_a_shared_program_are_those_of_their_own(digits):
    weight = np.random.default_rng(0).integers(0, 3, len(digits.train.y)) / 2  # some are 0
    data = dataclasses.replace(digits, train=(*digits.train, weight), task="classification")
    axes = [{"hidden": (9,), "batch_size": 20}, {"hidden": (16,), "batch_size": 600}]  # of parts, too
    config = dataclasses.replace(CONFIG, activation="relu", epochs=2, seeds=1)
    found = []
    for share in (None, False):
        todo = plan(config, data, axes, share=share)
        assert all((group.shared is None) == (share is False) for group in todo.groups)
        found.append(run_plan(todo, keep_parameters=True, progress=False))
    for name in ("train_loss", "train_class_accuracy", "valid_loss", "test_accuracy", "params.Dense_0.kernel"):
        np.testing.assert_allclose(*(result[name].values for result in found), rtol=2e-4, atol=1e-6, err_msg=name)


def test_runs_without_a_shuffle_read_the_examples_as_they_stand(digits):
    """One step of an epoch of two, so that the order decides: both ways of training, and NumPy's mean loss."""
    of_order = {"shuffle": False, "batch_size": 600, "epochs": 1, "learning_rate": 20.0}
    config = dataclasses.replace(CONFIG, **of_order, activation="tanh", init="zeros", metrics=(), seeds=1)
    axes = [{"hidden": (9,)}, {"hidden": (16,)}]
    shared, own = (run_plan(plan(config, digits, axes, share=share), progress=False) for share in (None, False))
    np.testing.assert_allclose(shared.train_loss.values, own.train_loss.values, rtol=1e-5)
    # All that moves at first is the last bias, by the shares of the classes in the first 600 examples.
    count = len(digits.train.y)
    first, rest = (np.bincount(part, minlength=10) / len(part) for part in np.split(digits.train.y, [600]))
    bias = config.learning_rate * (first - 0.1)
    after = -(rest * (bias - np.log(np.exp(bias).sum()))).sum()
    expected = (600 * np.log(10) + (count - 600) * after) / count
    np.testing.assert_allclose(own.train_loss.values.ravel(), expected, rtol=1e-5)


def test_a_run_does_not_depend_on_those_beside_it(digits):
    chosen = MIXED[:4]
    todo = plan(CONFIG, digits, chosen, seeds=2)
    program = {run.setting: group.shared for group in todo.groups for run in group.runs}
    together = run_plan(todo, keep_parameters=True, progress=False)
    # The same program with other runs, in another order.
    for group in todo.groups:
        few = dataclasses.replace(todo, groups=(dataclasses.replace(group, runs=group.runs[::-1][:1]),))
        assert few.groups[0].shared is program[group.runs[-1].setting]
        alone = run_plan(few, keep_parameters=True, progress=False)
        run = {"setting": group.runs[-1].setting, "seed": group.runs[-1].seed_index}
        for name in ("train_loss", "valid_loss", "test_loss", "grad_norm", "train_class_accuracy"):
            np.testing.assert_array_equal(together[name].sel(run).values, alone[name].sel(run).values)


def test_runs_that_diverge_or_are_stopped_leave(digits):
    chosen = [*MIXED[:3], {"hidden": (31,), "activation": "relu", "learning_rate": 1e6, "batch_size": 32}]

    def stop(end):
        stopped = [index for index, run in enumerate(end.runs) if run.setting == 1 and end.epoch == 2]
        return stopped

    results = nnjax.sweep(CONFIG, digits, chosen, seeds=2, on_epoch=stop, progress=False)
    assert results.status.values.tolist() == [
        ["finished"] * 2,
        ["stopped"] * 2,
        ["finished"] * 2,
        ["diverged"] * 2,
    ]
    assert (results.stopped_epoch.values[1] == 2).all()
    assert np.isnan(results.train_loss.values[1, :, 2:]).all()
    assert np.isfinite(results.test_accuracy.values[:3]).all()
    assert np.isnan(results.test_accuracy_last.values[3]).all()
    assert (results.diverged_epoch.values[3] > 0).all()


@pytest.mark.parametrize("kind", [kind for kind, entry in INITIALIZERS.items() if entry.affine])
@given(hidden=st.sampled_from([(5,), (70, 1, 9)]), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=4, deadline=None)
def test_draws_are_those_of_the_network(kind, hidden, seed):
    config = Config(hidden=hidden, init=kind)
    network = MLP(config.hidden, 10)
    shapes, names = param_shapes(network, 64), layers(network, 64)
    numbers = jnp.array(config.initialization[1], jnp.float32)
    expected = initialize(run_keys(seed, 0).init, INITIALIZERS[kind], numbers, shapes, layers=names)
    found = draws.draw(config, seed, shapes, names)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


@given(examples=st.sampled_from([1, 2, 1000, 2999]), seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 200))
@settings(max_examples=8, deadline=None)
def test_orders_are_those_of_an_epoch(examples, seed, epoch):
    key = jax.random.fold_in(run_keys(0, seed).order, epoch)
    expected = np.asarray(epoch_order(key, examples, 7)).ravel()[:examples]
    np.testing.assert_array_equal(order_of(examples, seed, epoch), expected)


def work(config, data, runs=4):
    structure = nnjax.training.Structure.of(config, data.classes, data.inputs)
    examples, valid = len(data.train.y), len(data.valid.y)
    return sharing.Work(config, structure, data.inputs, data.classes, examples, valid, runs, config.epochs)


@given(hidden=st.lists(st.integers(1, 60), min_size=1, max_size=3), runs=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_parameters_come_back_from_their_matrices(hidden, runs, digits):
    shared = Shared(Structure.of(Config(hidden=(64,) * len(hidden)), 10, 64), 64, (), 32, 100)
    shapes = param_shapes(MLP(tuple(hidden), 10), 64)
    rng = np.random.default_rng(0)
    trees = [
        jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes) for _ in range(runs)
    ]
    matrices = jax.tree.map(lambda *leaves: np.stack(leaves), *(packed(shared, tree) for tree in trees))
    back = unpacked(shared, matrices, shapes)
    for index, tree in enumerate(trees):
        jax.tree.map(lambda a, b, index=index: np.testing.assert_array_equal(a[index], b), back, tree)
    assert sum(np.abs(leaf).sum() for leaf in jax.tree.leaves(matrices)) == pytest.approx(
        sum(np.abs(leaf).sum() for t in trees for leaf in jax.tree.leaves(t))
    )


@pytest.mark.parametrize(
    "change",
    [
        {"model": "softmax_regression"},
        {"dropout": 0.1},
        {"residual": True},
        {"hidden": ()},
        {"activation": jnp.sin},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_a_shared_program_does_not_know_keeps_its_own(change, digits):
    config = nnjax.config.replace(Config(), change)
    assert not sharing.can_share(config, work(config, digits).structure)
    assert sharing.can_share(Config(), work(Config(), digits).structure)


def test_one_structure_has_its_own_program(digits):
    assert plan(CONFIG, digits, {"learning_rate": [0.1, 0.2]}).groups[0].shared is None


def test_runs_per_call_asks_for_own_programs(digits):
    assert not any(group.shared for group in plan(CONFIG, digits, MIXED, runs_per_call=2).groups)


def test_a_long_training_pays_for_its_own_program(digits):
    short, long = (
        plan(Config(epochs=epochs), digits, {"hidden": [(256, 256), (250, 250)]}, seeds=32) for epochs in (2, 2000)
    )
    assert all(group.shared for group in short.groups)
    assert not any(group.shared for group in long.groups)


def test_what_is_no_number_has_a_branch(digits):
    todo = plan(CONFIG, digits, {"activation": list(ACTIVATIONS), "hidden": [(8,), (9,)]})
    (shared,) = {group.shared for group in todo.groups}
    assert shared.branches == (ACTIVATIONS["gelu"],)


def test_a_batch_larger_than_the_data_is_refused_in_a_mixed_sweep(digits):
    with pytest.raises(UserError, match="batch_size is 2000"):
        plan(CONFIG, digits, {"batch_size": [32, 2000]})


@pytest.mark.slow
@pytest.mark.usefixtures("as_users_have_it")
def test_best_epochs_and_predictions_are_those_of_own_programs(digits):
    """Of 25 random structures × 4 seeds that learn something, 99 of 100 at least.

    The others, here one setting, end with twenty times the loss of guessing: their steps throw them about, so that
    the last bit of a product decides where they are.
    """
    rng = np.random.default_rng(0)
    chosen = [
        {
            "hidden": tuple(int(width) for width in rng.integers(16, 257, rng.integers(1, 3))),
            "activation": str(rng.choice(["identity", "sigmoid", "tanh", "relu"])),
            "batch_size": int(rng.choice([16, 32, 64, 128])),
            "learning_rate": float(10 ** rng.uniform(-2, 0)),
        }
        for _ in range(25)
    ]
    config = Config(init="xavier_uniform", epochs=10, seeds=4)
    shared, own = (
        run_plan(plan(config, digits, chosen, share=share), keep_parameters=True, progress=False)
        for share in (None, False)
    )
    same = learnt = 0
    for setting in range(25):
        for seed in range(4):
            if not own.train_loss.sel(setting=setting, seed=seed, epoch=10) < np.log(digits.classes):
                continue
            learnt += 1
            epochs, classes = [], []
            for results in (shared, own):
                epochs.append(int(results.best_epoch.sel(setting=setting, seed=seed)))
                network = nnjax.network(results, setting=setting, seed=seed)
                classes.append(network.predict(digits.test.x))
            same += epochs[0] == epochs[1] and bool((classes[0] == classes[1]).all())
    assert learnt >= 80
    assert same >= 0.99 * learnt


def test_data_of_other_inputs_has_other_programs():
    wide = {"data.name": ["iris", "wine"], "hidden": [(5,), (9,)]}
    todo = plan(Config(batch_size=16, epochs=2), None, wide, seeds=1)
    assert {(group.shared.inputs, group.data.inputs) for group in todo.groups} == {(4, 4), (13, 13)}
    results = run_plan(todo, progress=False)
    assert (results.status == "finished").all()
