"""Data sets: what they refuse, how a training set is split, the digits, and what an import costs."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from nnjax.data import Dataset, Examples, load_data, split_train


def examples(count: int, inputs: int = 4, classes: int = 3) -> Examples:
    """Examples whose first input says which they are."""
    x = np.tile(np.arange(count, dtype=np.uint8)[:, None], (1, inputs))
    return Examples(x, np.arange(count, dtype=np.int32) % classes)


def make(**changes: object) -> Dataset:
    fields: dict[str, object] = {
        "name": "toy",
        "train": examples(6),
        "valid": examples(3),
        "test": examples(2),
        "classes": 3,
        "scale": 255.0,
    }
    return Dataset(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_dataset_knows_its_inputs_and_keeps_its_bytes() -> None:
    data = make(train=Examples(examples(6).x, np.arange(6) % 3))
    assert data.inputs == 4
    assert data.train.x.dtype == np.uint8
    assert data.train.y.dtype == np.int32
    assert make(test=Examples(np.ones((2, 4), np.float32), np.zeros(2, int))).test.x.dtype == np.float32


def with_value(value: float) -> Examples:
    x = np.zeros((3, 4), np.float32)
    x[2, 1] = value
    return Examples(x, np.zeros(3, np.int32))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "label too large": (
        {"valid": Examples(np.zeros((3, 4), np.uint8), np.array([0, 3, 1]))},
        r"the valid split of toy holds the label 3 at example 1 \(counted from 0\), and labels must be 0 to 2",
    ),
    "negative label": (
        {"test": Examples(np.zeros((2, 4), np.uint8), np.array([0, -1]))},
        r"the test split of toy holds the label -1 at example 1",
    ),
    "NaN": ({"train": with_value(math.nan)}, r"the train split of toy holds nan at example 2, input 1 .* finite"),
    "infinity": ({"valid": with_value(-math.inf)}, r"the valid split of toy holds -inf at example 2, input 1"),
    "other inputs": (
        {"test": examples(2, inputs=5)},
        r"the test split of toy has 5 inputs, and the train split has 4",
    ),
    "other number of labels": (
        {"train": Examples(np.zeros((3, 4), np.uint8), np.zeros(2, int))},
        r"the train split of toy has 3 inputs and 2 labels",
    ),
    "images not flat": (
        {"train": Examples(np.zeros((3, 2, 2), np.uint8), np.zeros(3, int))},
        r"has inputs of shape \(3, 2, 2\), and they must be \[N, D\]: give x\.reshape\(len\(x\), -1\)",
    ),
    "empty": (
        {"valid": Examples(np.zeros((0, 4), np.uint8), np.zeros(0, int))},
        r"the valid split of toy is empty: its inputs have the shape \(0, 4\)",
    ),
    "no inputs": (
        {"train": Examples(np.zeros((3, 0), np.uint8), np.zeros(3, int))},
        r"the train split of toy is empty",
    ),
    "labels that are no whole numbers": (
        {"train": Examples(np.zeros((3, 4), np.uint8), np.zeros(3))},
        r"has labels of type float64, and they must be whole numbers",
    ),
    "scale": ({"scale": 0.0}, r"the scale of toy is 0.0, and must be positive and finite"),
    "scale that is no number": ({"scale": math.nan}, r"the scale of toy is nan, and must be positive and finite"),
    "classes": ({"classes": 0}, r"toy has 0 classes, and must have at least 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_dataset_refuses_what_cannot_be_right(case: str) -> None:
    changes, sentence = REFUSED[case]
    with pytest.raises(ValueError, match=sentence) as caught:
        make(**changes)
    assert "\n" not in str(caught.value)


@given(count=st.integers(2, 200), fraction=st.floats(0.001, 0.999), seed=st.none() | st.integers(0, 2**32 - 1))
def test_a_split_keeps_every_example_once_with_its_label(count: int, fraction: float, seed: int | None) -> None:
    whole = examples(count)
    share = round(count * fraction)
    if share in (0, count):
        with pytest.raises(ValueError, match=f"data.valid_fraction is .*, which splits {count} training examples"):
            split_train(whole, fraction, seed)
        return
    train, valid = split_train(whole, fraction, seed)
    x, y = np.concatenate([train.x, valid.x]), np.concatenate([train.y, valid.y])
    assert len(valid.y) == share
    if seed is None:
        np.testing.assert_array_equal(x, whole.x)
    assert sorted(x[:, 0].tolist()) == list(range(count))
    np.testing.assert_array_equal(y, x[:, 0] % 3)


def test_a_fraction_is_of_the_examples_not_of_a_rounding_error() -> None:
    # int(10 * (1 - 0.9)) is 0, since 1 - 0.9 is a little less than 0.1.
    train, valid = split_train(examples(10), 0.9, None)
    assert (len(train.y), len(valid.y)) == (1, 9)


def test_the_split_seed_decides_the_shuffle_for_good() -> None:
    whole = examples(200)
    first, again, other = (split_train(whole, 0.2, seed)[0].x[:, 0] for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9
    # What every NumPy since 1.0 draws for seed 7.
    assert split_train(examples(10), 0.2, 7)[0].x[:, 0].tolist() == [8, 5, 0, 2, 1, 9, 7, 3]


def test_digits_are_those_of_scikit_learn() -> None:
    data = load_data()
    x, y = load_digits(return_X_y=True)
    np.testing.assert_array_equal(np.concatenate([data.train.x, data.valid.x, data.test.x]), x)
    np.testing.assert_array_equal(np.concatenate([data.train.y, data.valid.y, data.test.y]), y)
    assert [len(split.y) for split in (data.train, data.valid, data.test)] == [1150, 288, 359]
    assert (data.name, data.classes, data.scale, data.inputs) == ("digits", 10, 16.0, 64)
    for split in (data.train, data.valid, data.test):
        assert [array.dtype.name for array in split] == ["uint8", "int32"]
    assert x.max() == data.scale


def test_digits_are_not_cached(cache_dir: Path) -> None:
    load_data("digits")
    assert not cache_dir.exists()


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_import_loads_none_of_the_readers_libraries() -> None:
    heavy = {"sklearn", "tensorflow_datasets", "tensorflow", "pandas", "PIL", "flax", "array_record"}
    assert run(f"import nnjax.data, sys; print(sorted({heavy} & set(sys.modules)))").strip() == "[]"


def test_loading_starts_no_jax_backend() -> None:
    # With such a platform any use of a device fails.
    code = "from nnjax.data import load_data; print(load_data().inputs)"
    assert run(code, JAX_PLATFORMS="no-such-platform").strip() == "64"
