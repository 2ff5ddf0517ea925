"""Data sets by name: which files are read, how the sets are split, and what is said of bad arguments."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnjax.data import load_data


def write_idx(folder: Path) -> Path:
    """The four IDX files of a set of 10 + 4 images of 2 × 2, each filled with its label."""
    folder.mkdir(exist_ok=True)
    for split, count in (("train", 10), ("t10k", 4)):
        labels = list(range(count))
        images = [label for label in labels for _ in range(4)]
        head = bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2])
        (folder / f"{split}-images-idx3-ubyte").write_bytes(head + bytes(images))
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, count, *labels]))
    return folder


def write_csv(folder: Path, label: int) -> Path:
    """Two CSV files of ten images, all of one label."""
    folder.mkdir(exist_ok=True)
    for split in ("train", "test"):
        (folder / f"mnist_{split}.csv").write_text(f"{label}{',1' * 784}\n" * 10)
    return folder


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
        f"or mnist/*/dataset_info.json or the four original .gz files (tfds)",
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
