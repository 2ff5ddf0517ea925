"""Tables of parts: their names are known without importing them, and every entry trains."""

import importlib
from typing import Any

import jax
import numpy as np
import pytest

import nnjax
from nnjax import parts
from nnjax.config import Config
from nnjax.data import Dataset
from nnjax.tasks import TASKS
from nnjax.training.metrics import fitting
from nnjax.types import Examples


def table(kind: str) -> Any:
    """A kind's table, or nothing where there is none yet."""
    module, name = parts.TABLES[kind]
    return getattr(importlib.import_module(module), name, None)


KINDS = [kind for kind in parts.TABLES if table(kind) is not None]
TRAINED = ["model", "activation", "init", "loss", "optimizer", "schedule", "metrics"]


def test_every_kind_that_trains_has_a_table() -> None:
    assert [kind for kind in KINDS if not kind.startswith("data.")] == TRAINED


@pytest.mark.parametrize("kind", KINDS)
def test_names_read_from_source_are_those_of_the_table(kind: str) -> None:
    assert parts._names_in_source(*parts.TABLES[kind]) == tuple(table(kind))
    assert parts.names(kind) == (*parts.WORDS.get(kind, ()), *table(kind))
    for name, entry in table(kind).items():
        assert parts.entry(kind, name) is entry
        assert parts.resolve(kind, name) == name


def test_a_name_that_is_in_the_table_since_it_was_imported_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table("loss"), "hinge", table("loss")["mse"])
    assert "hinge" in parts.names("loss")
    assert Config(loss="hinge").loss == "hinge"


def test_names_are_known_without_importing_what_has_them(in_a_process: Any) -> None:
    code = "import sys; from nnjax import parts; [*map(parts.names, sys.argv[1:])]; print('jax' in sys.modules)"
    assert in_a_process(code, *KINDS) == "False"


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 3, 60).astype(np.int32)
    splits = [Examples(x[i : i + 20], y[i : i + 20]) for i in (0, 20, 40)]
    return Dataset("noise", *splits, classes=3, scale=1.0)


@pytest.mark.parametrize("kind", TRAINED)
def test_every_entry_of_a_table_trains_an_epoch(kind: str, data: Dataset) -> None:
    config = Config(hidden=(4,), init="he_normal", schedule_end=0.1, learning_rate=0.01, batch_size=8, epochs=1)
    fit = {"loss": ("auto", *TASKS["classification"].losses), "metrics": fitting("classification")}
    names = fit.get(kind, parts.names(kind))  # those of other tasks: tests/test_tasks.py
    axis = [(name,) if kind == "metrics" else name for name in names]
    # optax's adam raises a float to a whole number, which strict promotion refuses.
    with jax.numpy_dtype_promotion("standard" if kind == "optimizer" else "strict"):
        got = nnjax.sweep(config, data, {kind: axis}, seeds=1)
    assert got.sizes[kind] == len(names)
    assert (got.status == "finished").all()
    for name in ("train_loss", "valid_loss", "test_loss_last", "grad_norm"):
        assert np.isfinite(got[name]).all(), name
    if kind != "init":  # zeros have no size that a step could be compared with
        assert (got.update_ratio > 0).all()
