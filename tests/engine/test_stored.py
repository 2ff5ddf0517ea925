"""Training on inputs that stay in their file: the numbers of training in memory, in the order of the windows."""

import dataclasses
import itertools
from pathlib import Path

import jax
import numpy as np
import pytest

import nnjax
import reference
from nnjax.config import Config
from nnjax.data import Dataset, Stored
from nnjax.data.order import epoch_order
from nnjax.data.stored import windows
from nnjax.engine.epochs import Training
from nnjax.training.start import run_keys
from nnjax.validation import UserError

CONFIG = Config(hidden=(8,), epochs=3, batch_size=32, learning_rate=0.5, init="he_normal")
AXES = {"learning_rate": [0.5, 1e30]}  # of which one diverges
COUNTS = (700, 130, 173)


def parts(x: np.ndarray | Stored, y: np.ndarray) -> list[tuple]:
    cuts = np.cumsum((0, *COUNTS))
    return [(x[first:end], y[first:end]) for first, end in itertools.pairwise(cuts)]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray, Path]:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(sum(COUNTS), 5)).astype(np.float32)
    path = tmp_path_factory.mktemp("stored") / "x.npy"
    np.save(path, x)
    return x, (x @ draw.normal(size=(5, 3))).argmax(1), path


def stored(path: Path, y: np.ndarray, window: int) -> Dataset:
    return Dataset("mine", *parts(Stored(np.load(path, mmap_mode="r"), window=window), y))


def test_a_window_that_holds_all_is_training_in_memory_to_the_bit(examples):
    x, y, path = examples
    in_memory = nnjax.sweep(CONFIG, Dataset("mine", *parts(x, y)), AXES, seeds=2, keep_parameters=True)
    from_file = nnjax.sweep(CONFIG, stored(path, y, 1000), AXES, seeds=2, keep_parameters=True)
    assert set(from_file.status.values.ravel()) == {"finished", "diverged"}
    for name in in_memory.data_vars:
        if name.startswith("test_"):  # which is judged in another program
            np.testing.assert_allclose(in_memory[name], from_file[name], rtol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(in_memory[name], from_file[name], err_msg=name)


def test_without_a_shuffle_windows_are_training_in_memory(examples):
    x, y, path = examples
    config = dataclasses.replace(CONFIG, shuffle=False, epochs=2)
    in_memory, from_file = (
        nnjax.sweep(config, data, seeds=1, keep_parameters=True)
        for data in (Dataset("mine", *parts(x, y)), stored(path, y, 270))
    )
    for name in ("train_loss", "params.Dense_0.kernel"):
        np.testing.assert_allclose(in_memory[name], from_file[name], rtol=2e-5, atol=1e-6, err_msg=name)


def test_windows_are_numpys_steps_in_their_order_and_are_read_once_for_all_runs(examples, monkeypatch):
    x, y, path = examples
    (group,) = nnjax.plan(CONFIG, stored(path, y, 270), AXES, seeds=2).groups  # whole batches: 256
    training = Training(group)
    start = training.params
    read, sizes = Stored.read, []
    monkeypatch.setattr(Stored, "read", lambda self, places: sizes.append(len(places)) or read(self, places))
    ends = list(training.epochs(2))
    assert sizes == [256, 256, 188, 130] * 2
    number = 1  # of the run: the second seed
    run, key = group.runs[number], run_keys(0, group.runs[number].data_seed).order
    network = reference.Network(run.config, jax.tree.map(lambda leaf: leaf[number], start), -(-700 // 32))
    (of_training, of_validation, _) = parts(x, y)
    for epoch, found in enumerate(ends):
        batches = []
        for part, places in enumerate(windows(700, 256, 4, epoch)):
            folded = jax.random.fold_in(key, epoch)
            order = epoch_order(jax.random.fold_in(folded, part) if part else folded, len(places), 32)
            batches += [places[real] for real in reference.real_places(order, len(places))]
        assert [len(batch) for batch in batches] == [32] * 21 + [28]
        means = network.train_epoch(*of_training, batches)
        expected = (means.loss, means.accuracy, *network.evaluate(*of_validation))
        names = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")
        np.testing.assert_allclose([found.metrics[name][number] for name in names], expected, rtol=1e-5)
    trained = jax.tree.map(lambda leaf: leaf[number], training.params)
    assert reference.tree_deviation(trained, network.tree) < 1e-5


def test_a_run_alone_is_given_examples_in_memory(examples):
    _, y, path = examples
    with pytest.raises(UserError, match="mine stays in its file, and a run alone is given examples in memory"):
        nnjax.training.begin(CONFIG, stored(path, y, 256))
