"""Arrays in NumPy's files: which splits they make, what stays in its file, and what is said of damaged ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnjax import cli
from nnjax.data import load_data
from nnjax.validation import UserError

X = np.random.default_rng(0).integers(0, 256, (120, 3, 4), dtype=np.uint8)
Y = np.array(["cat", "dog", "owl"] * 40)


def written(folder: Path, **arrays: np.ndarray) -> Path:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def test_arrays_are_split_as_tables_are(tmp_path: Path) -> None:
    written(tmp_path, x=X, y=Y, weight=np.arange(120.0))
    for window in (None, 20):
        data = load_data("arrays", file=str(tmp_path), window=window)
        assert str(data).endswith("77, 19, 24 examples for training, validation, test; 12 inputs, 3 classes")
        assert (data.class_names, data.scale, data.is_stored) == (("cat", "dog", "owl"), 255.0, window is not None)
        places = np.concatenate([split.weight for split in (data.train, data.valid, data.test)]).astype(int)
        np.testing.assert_array_equal(np.sort(places), np.arange(120))
        rows = np.concatenate([np.asarray(split.x) for split in (data.train, data.valid, data.test)])
        np.testing.assert_array_equal(rows, X.reshape(120, 12)[places])
        np.testing.assert_array_equal(np.bincount(data.test.y), [8, 8, 8])


def test_arrays_of_parts_are_those_parts(tmp_path: Path) -> None:
    rows = X.reshape(120, 12) / 300
    parts = {"train_x": rows[:80], "train_y": np.arange(80.0), "test_x": rows[80:], "test_y": np.arange(40) / 3}
    np.savez(tmp_path / "mine.npz", **parts)
    for file in (tmp_path / "mine.npz", written(tmp_path, **parts)):
        data = load_data("arrays", file=str(file), valid_fraction=0.1)
        np.testing.assert_array_equal(data.train.y, np.arange(72))
        np.testing.assert_array_equal(data.valid.y, np.arange(72, 80))
        np.testing.assert_array_equal(data.test.x, rows[80:])
        assert (data.task, data.scale) == ("regression", 1.0)
    written(tmp_path, valid_x=rows[:7], valid_y=np.arange(7.0))
    assert len(load_data("arrays", file=str(tmp_path)).valid.y) == 7


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "holds no x, and must hold x and y, or train_x, train_y, test_x and test_y; it holds none of"),
    "no labels": (
        {"x": X},
        "holds no y, and must hold x and y, or train_x, train_y, test_x and test_y; it holds x",
    ),
    "too few": ({"x": X, "y": Y[:99]}, r"x of .* has 120 examples, and y the shape \(99,\)"),
    "no test": ({"train_x": X, "train_y": Y}, "holds train_x and no test_x"),
    "both": ({"x": X, "y": Y, "test_x": X, "test_y": Y}, "holds both x and test_x: leave out one of them"),
    "objects": ({"x": X, "y": np.array([None] * 120)}, "y.npy can't be read as an .npy file: "),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arrays_get_one_sentence(case: str, tmp_path: Path) -> None:
    arrays, sentence = BAD[case]
    with pytest.raises(UserError, match=sentence):
        load_data("arrays", file=str(written(tmp_path, **arrays)))


def test_bad_files_get_one_sentence(tmp_path: Path) -> None:
    written(tmp_path, x=X, y=Y)
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content)
    for file, sentence in (
        ("cut.npz", "cut.npz can't be read as an .npz file: it is none"),
        ("x.npy", "x.npy', and must be the folder that holds it, and y.npy beside it"),
        ("cot.npz", "there is no file or folder .*cot.npz; did you mean 'cut.npz'"),
    ):
        with pytest.raises(UserError, match=sentence):
            load_data("arrays", file=str(tmp_path / file))
    (tmp_path / "x.npy").write_bytes(content[:-50])
    with pytest.raises(UserError, match=r"x.npy can't be read as an .npy file: mmap length is greater than file"):
        load_data("arrays", file=str(tmp_path))


def test_arrays_are_one_line_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, x=X, y=Y)
    named = ["train", "--data.name", "arrays", "--dry-run"]
    assert cli.main([*named, "--data.file", str(tmp_path), "--data.window", "32", "--batch_size", "8"]) == 0
    assert "the 77 training inputs stay in their file: an epoch reads 3 windows of 32 examples" in " ".join(
        capsys.readouterr().out.split()
    )
    for argv, sentence in (
        (named, "data.file is not set, and data.name arrays is read from a folder with x.npy and y.npy"),
        (
            [*named, "--data.scaling", "none"],
            "data.scaling is 'none', which is for tables, and data.name is 'arra",
        ),
        (["train", "--data.window", "9"], "data.window is 9, which is for arrays, and data.name is 'digits'"),
    ):
        assert cli.main(argv) == 2
        assert sentence in capsys.readouterr().err
