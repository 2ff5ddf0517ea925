"""Inputs that stay in their file are read as NumPy reads them, and an epoch's windows hold each example once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnjax.data.dataset
from nnjax.data import Dataset, Stored, class_weighted, split_train
from nnjax.data.stored import some_of, windows
from nnjax.types import Weighted
from nnjax.validation import UserError


def mapped(folder: Path, array: np.ndarray) -> np.memmap:
    """An array as a memory map of a file."""
    np.save(folder / "x.npy", array)
    return np.load(folder / "x.npy", mmap_mode="r")  # type: ignore[no-any-return]


class Slices:
    """What h5py and zarr give: a shape, a dtype, and slices."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        assert isinstance(rows, slice)
        return self.array[rows]


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "i2", "u1", "?", "f2"])
def test_rows_are_read_from_a_file_as_numpy_reads_them(tmp_path: Path, dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 99, (700, 30)).astype(dtype)
    whole = mapped(tmp_path, x)
    rows = np.random.default_rng(1).permutation(700)[:400]
    for source, expected in (
        (whole, x),
        (whole[100:650], x[100:650]),  # a view, which has the offset of the whole map
        (whole[:, ::2], x[:, ::2]),  # not in one piece
        (Slices(x), x),
    ):
        stored = Stored(source)
        places = rows[rows < len(expected)]
        np.testing.assert_array_equal(stored.read(places), expected[places].astype(stored.dtype))
        np.testing.assert_array_equal(np.asarray(stored[5:300:2][places % 100]), expected[5:300:2][places % 100])
        assert stored.read(places).dtype == (
            np.uint8 if dtype in "u1?" else np.float16 if dtype == "f2" else np.float32
        )


@settings(max_examples=50)
@given(st.integers(1, 300), st.integers(1, 80), st.integers(1, 20), st.integers(0, 5))
def test_the_windows_of_an_epoch_hold_each_example_once(count: int, window: int, block: int, epoch: int) -> None:
    found = list(windows(count, window, block, epoch))
    assert [len(places) for places in found[:-1]] == [window] * (len(found) - 1)
    together = np.concatenate(found)
    np.testing.assert_array_equal(np.sort(together), np.arange(count))
    # Where one example isn't followed by the next, a block begins or the file ends.
    breaks = np.flatnonzero(np.diff(together) != 1)
    assert all(together[at + 1] % block == 0 for at in breaks)


def test_blocks_are_in_another_order_in_each_epoch_and_stay_where_they_are_to_be_evaluated() -> None:
    orders = [np.concatenate(list(windows(1000, 100, 10, epoch))) for epoch in (0, 1, None)]
    assert not np.array_equal(orders[0], orders[1])
    np.testing.assert_array_equal(orders[2], np.arange(1000))


def test_a_large_memory_map_stays_in_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(600, 5)).astype(np.float32)
    x[:, 0] *= 100
    y = np.arange(600) % 3
    source = mapped(tmp_path, x)
    small = Dataset("mine", *[(source, y)] * 3)
    assert not small.is_stored
    monkeypatch.setattr(nnjax.data.dataset, "WINDOW_BYTES", 1000)
    parts = split_train(nnjax.data.Examples(Stored(source, window=128), y), 0.25, seed=0)
    data = Dataset("mine", *parts, (source[:400], y[:400]))
    assert data.is_stored
    assert isinstance(data.test.x, Stored)
    in_memory = Dataset("mine", *split_train(nnjax.data.Examples(x, y), 0.25, seed=0), (x[:400], y[:400]))
    assert data.fingerprint == in_memory.fingerprint
    assert [note[:40] for note in data.notes] == [
        "the 450 training inputs stay in their fi",
        "inputs aren't scaled: the standard devia",
    ]
    weighted = class_weighted(data)
    assert isinstance(weighted.train, Weighted)
    np.testing.assert_array_equal(some_of(weighted.train, np.array([7, 3])).x, in_memory.train.x[[7, 3]])


def test_stored_inputs_that_cannot_be_get_one_sentence(tmp_path: Path) -> None:
    y = np.arange(300) % 3
    broken = np.zeros((300, 4), np.float32)
    broken[211, 2] = np.nan
    cases: list[tuple[Any, str]] = [
        (broken, r"holds nan at example 211, input 2 \(counted from 0\), and inputs must be finite"),
        (np.full((300, 4), 2**25), r"holds the whole number 33554432 at example 0, input 0"),
        (np.zeros((300, 4), "U3"), r"has stored inputs of type <U3, and they must be real numbers"),
        (np.zeros((300, 4, 1)), r"has stored inputs of shape \(300, 4, 1\), and they must be \[N, D\]"),
    ]
    for array, sentence in cases:
        with pytest.raises(UserError, match=sentence):
            Dataset("mine", *[(Stored(mapped(tmp_path, array), window=100), y)] * 3)
    with pytest.raises(UserError, match="the source of stored inputs is a list of 2, and must have a shape"):
        Stored([1, 2])
    whole = Stored(mapped(tmp_path, broken))
    with (tmp_path / "x.npy").open("r+b") as file:
        file.truncate(2000)
    with pytest.raises(UserError, match=r"x.npy ends before its row 300: it has been cut short"):
        whole.read(np.array([299]))
