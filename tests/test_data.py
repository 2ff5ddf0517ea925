"""Data sets: what they refuse, how they are split, which source is read, and the cache."""

import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from nnjax.data import Dataset, Examples, cache, idx, load, load_data, split_train


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


def write_idx(folder: Path, first: int = 0, counts: tuple[int, int] = (10, 4)) -> Path:
    """The four IDX files of a set of 2 × 2 images, each filled with its label."""
    folder.mkdir(exist_ok=True)
    for split, count in zip(("train", "t10k"), counts, strict=True):
        labels = [(first + place) % 10 for place in range(count)]
        heads = {
            "images-idx3": bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2]),
            "labels-idx1": bytes([0, 0, 8, 1, 0, 0, 0, count]),
        }
        values = {"images-idx3": [label for label in labels for _ in range(4)], "labels-idx1": labels}
        for kind, head in heads.items():
            (folder / f"{split}-{kind}-ubyte").write_bytes(head + bytes(values[kind]))
    return folder


def write_csv(folder: Path, label: int) -> Path:
    """Two CSV files of ten images, all of one label."""
    folder.mkdir(exist_ok=True)
    for split in ("train", "test"):
        (folder / f"mnist_{split}.csv").write_text(f"{label}{',1' * 784}\n" * 10)
    return folder


def arrays(data: Dataset) -> list[np.ndarray]:
    return [array for split in (data.train, data.valid, data.test) for array in split]


def assert_equal(one: Dataset, other: Dataset) -> None:
    for ours, theirs in zip(arrays(one), arrays(other), strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)


# --- Dataset


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
        r"has inputs of shape \(3, 2, 2\) and labels of shape \(3,\), and they must be \[N, D\] and \[N\]",
    ),
    "empty": (
        {"valid": Examples(np.zeros((0, 4), np.uint8), np.zeros(0, int))},
        r"the valid split of toy is empty: its inputs have the shape \(0, 4\)",
    ),
    "no inputs": (
        {"train": Examples(np.zeros((3, 0), np.uint8), np.zeros(3, int))},
        r"the train split of toy is empty",
    ),
    "whole numbers that are no bytes": (
        {"train": Examples(np.zeros((3, 4), np.int64), np.zeros(3, int))},
        r"has inputs of type int64, and they must be uint8 or floating point",
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


# --- Splits


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


# --- load_data


def test_digits_are_those_of_scikit_learn() -> None:
    data = load_data()
    x, y = load_digits(return_X_y=True)
    np.testing.assert_array_equal(np.concatenate([data.train.x, data.valid.x, data.test.x]), x)
    np.testing.assert_array_equal(np.concatenate([data.train.y, data.valid.y, data.test.y]), y)
    assert [len(split.y) for split in (data.train, data.valid, data.test)] == [1150, 288, 359]
    assert (data.name, data.classes, data.scale, data.inputs) == ("digits", 10, 16.0, 64)
    assert {array.dtype.name for array in arrays(data)} == {"uint8", "int32"}
    assert x.max() == data.scale


def test_digits_are_not_cached(cache_dir: Path) -> None:
    load_data("digits")
    assert not cache_dir.exists()


def test_the_last_part_of_the_training_set_validates(tmp_path: Path) -> None:
    write_idx(tmp_path)
    data = load_data("mnist", tmp_path)
    assert (data.train.y.tolist(), data.valid.y.tolist()) == ([0, 1, 2, 3, 4, 5, 6, 7], [8, 9])
    data = load_data("mnist", str(tmp_path), valid_fraction=0.5)
    assert (data.train.y.tolist(), data.valid.y.tolist()) == ([0, 1, 2, 3, 4], [5, 6, 7, 8, 9])


def test_a_seeded_split_shuffles_the_training_set_only(tmp_path: Path) -> None:
    write_idx(tmp_path)
    plain, shuffled = load_data("mnist", tmp_path), load_data("mnist", tmp_path, split_seed=1)
    labels = np.concatenate([shuffled.train.y, shuffled.valid.y])
    assert labels.tolist() != list(range(10))
    assert sorted(labels) == list(range(10))
    np.testing.assert_array_equal(shuffled.train.x[:, 0], shuffled.train.y)
    np.testing.assert_array_equal(shuffled.test.x, plain.test.x)


def test_auto_takes_idx_before_csv_and_a_source_takes_its_own(tmp_path: Path) -> None:
    write_csv(tmp_path, label=7)
    assert set(load_data("mnist", tmp_path).train.y) == {7}
    write_idx(tmp_path)
    assert set(load_data("mnist", tmp_path).train.y) == set(range(8))
    assert set(load_data("mnist", tmp_path, source="csv").train.y) == {7}


def test_auto_passes_over_a_stray_file_of_another_kind(tmp_path: Path) -> None:
    write_csv(tmp_path, label=7)
    (tmp_path / "train-images-idx3-ubyte").touch()
    assert set(load_data("mnist", tmp_path).train.y) == {7}


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_idx(tmp_path / "digits")
    assert load_data("mnist", "~/digits").inputs == 4


IDX_NAMES = (
    "train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz], "
    "t10k-images-idx3-ubyte[.gz], t10k-labels-idx1-ubyte[.gz]"
)
RAW_NAMES = IDX_NAMES.replace("[.gz]", ".gz")
MISSING: dict[str, tuple[dict[str, Any], str]] = {
    "unknown name": (
        {"name": "mnits"},
        "data.name is 'mnits', and must be one of digits, mnist, fashion_mnist, kmnist; did you mean 'mnist'?",
    ),
    "unknown source": (
        {"source": "cvs"},
        "data.source is 'cvs', and must be one of auto, idx, csv, tfds; did you mean 'csv'?",
    ),
    "fraction": ({"valid_fraction": 1.0}, "data.valid_fraction is 1.0, and must be more than 0 and less than 1"),
    "seed": ({"split_seed": -1}, "data.split_seed is -1, and must be at least 0"),
    "no folder": ({"dir": None}, "data.dir is not set, and mnist is read from a folder that holds its files"),
    "missing folder": ({"dir": "nowhere"}, "data.dir is 'nowhere', and there is no such folder"),
    "file for a folder": ({"dir": "a-file"}, "data.dir is 'a-file', and there is no such folder"),
    "unknown home": ({"dir": "~nobody-of-this-name/x"}, "data.dir is '~nobody-of-this-name/x', and there is no"),
    "empty folder": (
        {"dir": "empty"},
        f"empty doesn't hold mnist: it lacks {IDX_NAMES} (idx) or mnist_train.csv, mnist_test.csv (csv) "
        f"or mnist/*/dataset_info.json or {RAW_NAMES} (tfds)",
    ),
    "one file missing": ({"dir": "part"}, "part doesn't hold mnist: it lacks t10k-labels-idx1-ubyte[.gz] (idx)"),
    "one CSV file missing": ({"dir": "csv"}, "csv doesn't hold mnist: it lacks mnist_test.csv (csv)"),
    "other source": (
        {"dir": "part", "source": "csv"},
        "part doesn't hold mnist: it lacks mnist_train.csv, mnist_test.csv (csv)",
    ),
    "other set": (
        {"dir": "csv", "name": "kmnist", "source": "csv"},
        "csv doesn't hold kmnist: it lacks kmnist_train.csv, kmnist_test.csv (csv)",
    ),
    "too few to split": (
        {"dir": "whole", "valid_fraction": 0.01},
        "data.valid_fraction is 0.01, which splits 10 training examples into 10 that train and 0 that validate",
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_bad_arguments_get_one_sentence(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("a-file").touch()
    write_idx(Path("whole"))
    write_idx(Path("part"))
    Path("part/t10k-labels-idx1-ubyte").unlink()
    write_csv(Path("csv"), label=1)
    Path("csv/mnist_test.csv").unlink()
    changes, sentence = MISSING[case]
    asked: dict[str, Any] = {"name": "mnist", "dir": "whole", **changes}
    with pytest.raises(ValueError, match=r"^") as caught:
        load_data(asked.pop("name"), asked.pop("dir"), **asked)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_entered_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    # Tests may run as root, whom no permission stops.
    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(ValueError, match=r"can't be read: Permission denied$"):
        load_data("mnist", tmp_path)


def test_splits_of_different_image_sizes_are_refused_and_not_cached(tmp_path: Path, cache_dir: Path) -> None:
    write_idx(tmp_path)
    images = tmp_path / "t10k-images-idx3-ubyte"
    images.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1]) + bytes(4))
    with pytest.raises(ValueError, match="the test split of mnist has 1 inputs, and the train split has 4"):
        load_data("mnist", tmp_path)
    assert not cache_dir.exists()


# --- The cache


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sets that were read from IDX files and not from the cache."""
    names: list[str] = []

    def read(name: str, files: Sequence[Path]) -> tuple[Examples, Examples]:
        names.append(name)
        return idx.read(name, files)

    monkeypatch.setitem(load.ROUTES, "idx", load.ROUTES["idx"]._replace(read=read))
    return names


def cached(cache_dir: Path) -> Path:
    (path,) = cache_dir.iterdir()
    return path


def test_the_second_read_is_from_the_cache(tmp_path: Path, cache_dir: Path, reads: list[str]) -> None:
    folder = write_idx(tmp_path / "mnist")
    first = load_data("mnist", folder)
    second = load_data("mnist", folder)
    assert reads == ["mnist"]
    assert_equal(first, second)
    # Through a link it is the same files; the split is made after the cache.
    (tmp_path / "link").symlink_to(folder)
    assert len(load_data("mnist", tmp_path / "link", valid_fraction=0.5).valid.y) == 5
    assert reads == ["mnist"]
    with np.load(cached(cache_dir)) as content:
        assert content["train_x"].shape == (10, 4)


def test_other_sets_and_folders_have_their_own_copies(tmp_path: Path, cache_dir: Path, reads: list[str]) -> None:
    one, other = write_idx(tmp_path / "one"), write_idx(tmp_path / "other", first=5)
    for _ in range(2):
        assert load_data("mnist", one).test.y.tolist() == [0, 1, 2, 3]
        assert load_data("mnist", other).test.y.tolist() == [5, 6, 7, 8]
        assert load_data("kmnist", one).name == "kmnist"
    assert sorted(reads) == ["kmnist", "mnist", "mnist"]
    assert len(list(cache_dir.iterdir())) == 3


@pytest.mark.parametrize("change", ["contents", "time", "format"])
def test_changed_files_are_read_again(
    change: str, tmp_path: Path, cache_dir: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_idx(tmp_path / "mnist")
    load_data("mnist", folder)
    path = folder / "t10k-labels-idx1-ubyte"
    if change == "contents":
        path.write_bytes(path.read_bytes()[:-1] + b"\x09")
    elif change == "time":
        os.utime(path, ns=(0, 0))
    else:
        monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    again = load_data("mnist", folder)
    assert again.test.y[-1] == (9 if change == "contents" else 3)
    assert reads == ["mnist", "mnist"]
    assert cached(cache_dir).exists()  # one copy, replaced
    load_data("mnist", folder)
    assert len(reads) == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "no arrays"])
def test_a_damaged_cache_is_read_again_and_replaced(
    damage: str, tmp_path: Path, cache_dir: Path, reads: list[str]
) -> None:
    folder = write_idx(tmp_path / "mnist")
    first = load_data("mnist", folder)
    path = cached(cache_dir)
    content = path.read_bytes()
    place = content.index(bytes(first.test.x.ravel().tolist()))
    damaged = {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "flipped": content[:place] + b"\x09" + content[place + 1 :],
        "text": b"What is this?",
        "no arrays": b"PK\x05\x06" + bytes(18),
    }
    path.write_bytes(damaged[damage])
    assert_equal(load_data("mnist", folder), first)
    assert_equal(load_data("mnist", folder), first)
    assert reads == ["mnist", "mnist"]


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_idx(tmp_path / "mnist")
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("NNJAX_CACHE_DIR", str(tmp_path / "a-file"))
    assert load_data("mnist", folder).inputs == 4
    monkeypatch.setenv("NNJAX_CACHE_DIR", "~nobody-of-this-name/cache")
    assert load_data("mnist", folder).inputs == 4
    assert reads == ["mnist", "mnist"]


def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    assert load_data("mnist", write_idx(tmp_path / "mnist")).inputs == 4
    assert list(cache_dir.iterdir()) == []


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("NNJAX_CACHE_DIR", "~/own")
    assert cache.folder() == Path("/home/somebody/own")
    monkeypatch.delenv("NNJAX_CACHE_DIR")
    assert cache.folder() == Path("/xdg/nnjax")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache.folder() == Path("/home/somebody/.cache/nnjax")


# --- What an import costs


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[1],
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


def test_loading_starts_no_jax_backend(tmp_path: Path) -> None:
    write_idx(tmp_path)
    code = f"from nnjax.data import load_data; load_data(); print(load_data('mnist', {str(tmp_path)!r}).inputs)"
    # With such a platform any use of a device fails.
    assert run(code, JAX_PLATFORMS="no-such-platform").strip() == "4"
