"""Data sets by name: which files are read, how the sets are split, and what is said of bad arguments."""

import gzip
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnjax.data import Examples, load, load_data


def named(name: str) -> load.Named:
    found = load.DATASETS[name]
    assert isinstance(found, load.Named)
    return found


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
        "data.name is 'mnits', and must be one of digits, mnist, fashion_mnist, kmnist, table, text, arrays, "
        "imdb_reviews, glue/sst2, wine, breast_cancer, iris, diabetes, or module:function or "
        "file.py:function; did you mean 'mnist'?",
    ),
    "name far from all": (
        {"name": "my_results"},
        "data.name is 'my_results', and must be one of digits, mnist, fashion_mnist, kmnist, table, text, arrays, "
        "imdb_reviews, glue/sst2, wine, breast_cancer, iris, diabetes, or module:function "
        "or file.py:function",
    ),
    "no name": (
        {"name": None},
        "data.name is None, and must be one of digits, mnist, fashion_mnist, kmnist, table, text, arrays, "
        "imdb_reviews, glue/sst2, wine, breast_cancer, iris, diabetes, or a fu",
    ),
    "arrays for a name": (
        {"name": np.zeros((2, 2))},
        "data.name is an ndarray of shape (2, 2), and must be one of digits, mnist, fashion_mnist, kmnist, table, "
        "text, arrays, imdb_reviews, glue/sst2, wine, breast_cancer, iris, diabetes, or a "
        "function; a nnjax.Dataset is loaded already",
    ),
    "data set for a name": ({"name": load_data()}, "data.name is a Dataset, and must be one of digits, mnist, "),
    "number for a folder": ({"dir": 3}, "data.dir is an int, and must be a text or a path"),
    "bytes for a folder": ({"dir": b"whole"}, "data.dir is a bytes, and must be a text or a path"),
    "named folder of a parent": ({"dir": "parent"}, "parent/mnist doesn't hold mnist: it lacks train-images"),
    "named folder that lacks one": (
        {"dir": "parent", "name": "kmnist"},
        "parent/kmnist doesn't hold kmnist: it lacks t10k-labels-idx1-ubyte[.gz] (idx)",
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
    Path("parent/mnist").mkdir(parents=True)
    write_idx(Path("parent/kmnist"))
    Path("parent/kmnist/t10k-labels-idx1-ubyte").unlink()
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


def test_a_folder_may_hold_folders_by_the_names_of_the_sets(tmp_path: Path) -> None:
    write_idx(tmp_path / "mnist")
    write_csv(tmp_path / "fashion-mnist", label=3)
    for split in ("train", "test"):
        path = tmp_path / "fashion-mnist" / f"mnist_{split}.csv"
        path.rename(path.with_name(f"fashion-mnist_{split}.csv"))
    assert load_data("mnist", tmp_path).inputs == 4
    assert load_data("fashion_mnist", tmp_path).inputs == 784
    # The folder of the name goes before files that lie beside it, and files before an empty folder.
    write_csv(tmp_path, label=7)
    assert set(load_data("mnist", tmp_path, source="csv").train.y) == {7}
    write_csv(tmp_path / "mnist", label=8)
    assert set(load_data("mnist", tmp_path, source="csv").train.y) == {8}


def known_as_kmnist(monkeypatch: pytest.MonkeyPatch, *contents: bytes) -> None:
    sums = tuple(hashlib.sha256(content).hexdigest() for content in contents)
    monkeypatch.setitem(load.DATASETS, "kmnist", named("kmnist")._replace(originals=sums))


@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_files_that_are_known_to_be_another_sets_are_refused(
    file: str, tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(tmp_path)
    packed = gzip.compress((tmp_path / file).read_bytes())
    (tmp_path / f"{file}.gz").write_bytes(packed)
    known_as_kmnist(monkeypatch, packed)
    with pytest.raises(
        ValueError, match=r"ubyte\.gz is that of kmnist, and data\.name is 'mnist': give the folder"
    ):
        load_data("mnist", tmp_path)
    assert not cache_dir.exists()
    assert load_data("kmnist", tmp_path).name == "kmnist"
    with pytest.raises(ValueError, match=r"is that of kmnist, and data\.name is 'mnist'"):
        load_data("mnist", tmp_path)


@pytest.mark.parametrize("split", ["train", "test"])
def test_pixels_that_are_known_to_be_another_sets_are_refused(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(tmp_path, label=7)
    (tmp_path / f"mnist_{split}.csv").write_text(f"1{',2' * 784}\n" * 5)
    known_as_kmnist(monkeypatch, bytes([2] * 784 * 5))
    with pytest.raises(
        ValueError, match=r"^the (training|test) set in .* is that of kmnist, and data\.name is 'mni"
    ):
        load_data("mnist", tmp_path)


def test_files_that_are_known_of_no_set_may_have_any_name(tmp_path: Path) -> None:
    write_idx(tmp_path)
    for name in ("mnist", "fashion_mnist", "kmnist"):
        assert load_data(name, tmp_path).name == name
    prints = {load_data(name, tmp_path).fingerprint for name in ("mnist", "kmnist")}
    assert len(prints) == 1  # which is how whoever ranks data sets can tell


def test_no_sum_is_of_two_sets() -> None:
    sums = [
        total for named in load.DATASETS.values() if isinstance(named, load.Named) for total in named.originals
    ]
    assert len(set(sums)) == len(sums)
    assert all(len(total) == 64 for total in sums)


def test_the_real_sets_are_told_apart_and_found_by_name_in_their_folder(data_dir: Path, tmp_path: Path) -> None:
    mnist, fashion = (load_data(name, data_dir) for name in ("mnist", "fashion_mnist"))
    assert mnist.fingerprint != fashion.fingerprint
    assert mnist.notes == fashion.notes == ()
    for name, other in (("fashion_mnist", "mnist"), ("mnist", "fashion_mnist"), ("kmnist", "mnist")):
        with pytest.raises(ValueError, match=rf"is that of {other}, and data\.name is '{name}'"):
            load_data(name, data_dir / other)
    for path in (data_dir / "mnist").iterdir():
        (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    with pytest.raises(ValueError, match=r"^the training set in .* is that of mnist"):
        load_data("fashion_mnist", tmp_path)


def test_the_sums_are_those_of_tensorflow_datasets() -> None:
    pytest.importorskip("importlib_resources", reason="the extra tfds is not installed")
    tfds = pytest.importorskip("tensorflow_datasets", reason="the extra tfds is not installed")
    for name in ("mnist", "fashion_mnist", "kmnist"):
        builder = tfds.builder_cls(name)
        sums = {info.checksum for info in builder.url_infos.values()}
        assert sums == set(named(name).originals[:4])


def read_mine(name: str, folder: str | None, source: str) -> tuple[Examples, Examples]:
    x, y = np.random.default_rng(0).normal(size=(84, 3)), np.arange(84) % 7
    return Examples(x[:70], y[:70]), Examples(x[70:], y[70:])


def test_a_data_set_is_one_entry_of_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(load.DATASETS, "mine", load.Named(read_mine, classes=7, scale=1.0))
    data = load_data("mine")
    assert (data.name, data.classes, data.scale, data.inputs) == ("mine", 7, 1.0, 3)
    assert [len(split.y) for split in (data.train, data.valid, data.test)] == [56, 14, 14]
    # In files of the form of MNIST, with classes of its own.
    monkeypatch.setitem(load.DATASETS, "letters", load.Named(load.read_files, classes=26, scale=255.0))
    write_idx(tmp_path / "letters")
    labels = tmp_path / "letters" / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + bytes([25]))
    assert load_data("letters", tmp_path).valid.y.tolist() == [8, 25]
    labels.write_bytes(labels.read_bytes()[:-1] + bytes([26]))
    with pytest.raises(ValueError, match=r"holds the label 26 at example 9 .* labels must be 0 to 25$"):
        load_data("letters", tmp_path)


def test_the_examples_of_the_documentation_run() -> None:
    text = (Path(load.__file__).parent / "README.md").read_text()
    (code,) = (part.partition("```")[0] for part in text.split("```python\n") if "\nmine = " in part)
    scope: dict[str, Any] = {}
    exec(code, scope)
    assert str(scope["mine"]) == "mine: 300, 100, 100 examples for training, validation, test; 4 inputs, 3 classes"
    assert scope["mine"].notes == ()
    for name in load.DATASETS:
        assert f"`{name}`" in text
    for source in load.SOURCES:
        assert f"| `{source}` |" in text
    for path in Path(load.__file__).parent.glob("[a-z]*.py"):
        assert f"`{path.name}`" in text
