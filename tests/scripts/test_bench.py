"""Whatever the benchmark times trains the same networks: loss and weights are those of a float64 reference."""

import importlib
import itertools

import jax
import numpy as np
import pytest

import bench
import hosts
import peers
import reference
from nnjax import Config
from nnjax.data import epoch_order
from nnjax.training.start import run_keys

RATE, DECAY, BATCH, RUNS, EPOCHS = 0.5, 0.05, 16, 3, 2
JAX, TORCH = "peers_jax", "peers_torch"


def task(hidden, examples=70):
    """Three runs for two epochs on examples of five features and three classes."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 17, (examples, 5)).astype(np.uint8)
    y = rng.integers(0, 3, examples).astype(np.int32)
    widths = (5, *hidden, 3)
    weights = []
    for shape in itertools.pairwise(widths):
        weights.append(rng.normal(size=(RUNS, *shape)).astype(np.float32))
        weights.append(rng.normal(size=(RUNS, shape[1])).astype(np.float32))
    orders = [
        [
            epoch_order(jax.random.fold_in(run_keys(0, seed).order, epoch), examples, BATCH)
            for epoch in range(EPOCHS)
        ]
        for seed in range(RUNS)
    ]
    orders = np.array(orders).reshape(RUNS, -1, BATCH)
    return peers.Task(x, y, x, y, 16.0, 3, hidden, BATCH, RATE, DECAY, tuple(range(RUNS)), weights, orders)


def expected(task, steps):
    """Running loss and weights of the reference after so many steps of run 0."""
    names = [f"Dense_{i}" for i in range(len(task.hidden) + 1)]
    leaves = [leaf[0] for leaf in task.weights]
    tree = {name: dict(zip(("kernel", "bias"), leaves[2 * i :], strict=False)) for i, name in enumerate(names)}
    config = Config(hidden=task.hidden, learning_rate=RATE, weight_decay=DECAY, batch_size=BATCH)
    network = reference.Network(config, tree, task.epoch)
    batches = reference.real_places(task.orders[0, :steps].reshape(steps, BATCH), len(task.y))
    metrics = network.train_epoch(task.x / 16.0, task.y, batches)
    return metrics.loss, [network.tree[name][leaf] for name in names for leaf in ("kernel", "bias")]


def trainer(module, name, task):
    if module == TORCH:
        pytest.importorskip("torch")
    return getattr(importlib.import_module(module), name)(task)


def check(trained, task, steps):
    loss, weights = expected(task, steps)
    assert trained.seconds > 0
    assert trained.loss == pytest.approx(loss, rel=1e-5)
    for actual, wanted in zip(trained.weights, weights, strict=True):
        assert reference.deviation(actual, wanted) < 1e-5


@pytest.mark.parametrize("hidden", [(4,), (4, 3)])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("peers", "NumPy"),
        (JAX, "JaxScan"),
        (JAX, "JaxVmap"),
        (TORCH, "TorchLoop"),
        (TORCH, "TorchVmap"),
    ],
)
@pytest.mark.parametrize("examples", [64, 70])
def test_a_peer_trains_the_first_steps_of_a_run(module, name, hidden, examples):
    todo = task(hidden, examples)
    # Plain jax, as one writes it, adds a bias to a batch and divides by a whole number.
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        peer = trainer(module, name, todo)
        for steps in (todo.epoch - 1, 2 * todo.epoch):
            check(peer.train(RUNS, steps), todo, steps)


@pytest.mark.parametrize("hidden", [(4,), (4, 3)])
def test_scikit_learn_trains_the_first_steps_of_a_run(hidden):
    todo = task(hidden, 64)  # where batches are full, its decay is λ
    peer = peers.ScikitLearn(todo)
    for steps in (3, 8):
        trained = peer.train(RUNS, steps)
        loss, objective, _ = peers.Reference(todo).after({steps})[steps]
        check(trained._replace(loss=trained.loss + loss - objective), todo, steps)


def test_scikit_learn_trains_on_a_partial_batch():
    todo = task((4,), 70)
    trained = peers.ScikitLearn(todo).train(1, todo.epoch)
    _, weights = expected(todo, todo.epoch)
    apart = [reference.deviation(actual, wanted) for actual, wanted in zip(trained.weights, weights, strict=True)]
    assert 1e-5 < max(apart) < 0.2  # it decays more


@pytest.mark.parametrize("hidden", [(4,), (4, 3)])
def test_nnjax_trains_whole_epochs_from_its_start(hidden):
    todo = task(hidden)
    peer = trainer(JAX, "NnJax", todo)
    todo = todo._replace(weights=peer.start())
    for _ in range(2):
        check(peer.train(RUNS, 2 * todo.epoch), todo, 2 * todo.epoch)


def test_the_reference_of_the_benchmark_is_that_of_the_tests():
    todo = task((4, 3))
    for steps, (loss, objective, weights) in peers.Reference(todo).after({3, 10}).items():
        wanted_loss, wanted = expected(todo, steps)
        assert loss == pytest.approx(wanted_loss, rel=1e-12)
        assert objective > loss
        for actual, expected_leaf in zip(weights, wanted, strict=True):
            np.testing.assert_allclose(actual, expected_leaf, rtol=1e-10)


@pytest.mark.parametrize("key", ["numpy", "sklearn", "torch-cores"])
def test_a_peer_of_a_core_has_one_thread_and_keeps_its_memory(key):
    peer = hosts.Peer(bench.KINDS[key], runs=4, cores=1)
    for name in ("OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_"):
        peer.hosts[0].call("make", "os", "getenv", name)
        value = int(peer.hosts[0].call("strip"))
        assert value == 1 if name == "OMP_NUM_THREADS" else value >= 1 << 28
    peer.close()
