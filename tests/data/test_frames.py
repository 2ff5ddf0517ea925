"""Tables from all that holds one."""

import gzip
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from nnjax.data.frames import read_frame

FRAME = pd.DataFrame({"x": [1.5, 2.5], "word": ["a", "b"], "n": [3, 4]})


def structured() -> np.ndarray:
    return np.array([(1.5, "a", 3), (2.5, "b", 4)], dtype=[("x", float), ("word", "U3"), ("n", int)])


def of_polars() -> Any:
    polars = pytest.importorskip("polars")
    return polars.DataFrame(FRAME.to_dict("list"))


def of_arrow() -> Any:
    return pytest.importorskip("pyarrow").table(FRAME.to_dict("list"))


OBJECTS: dict[str, Callable[[], Any]] = {
    "pandas": lambda: FRAME,
    "another index": lambda: FRAME.set_axis([7, 3]),
    "polars": of_polars,
    "lazy": lambda: of_polars().lazy(),
    "Arrow": of_arrow,
    "structured": structured,
    "records": lambda: structured().view(np.recarray),
    "mapping": lambda: {"x": [1.5, 2.5], "word": ["a", "b"], "n": np.array([3, 4])},
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_that_holds_a_table_is_read(kind: str) -> None:
    read = read_frame(OBJECTS[kind]())
    pd.testing.assert_frame_equal(read.frame, FRAME, check_dtype=False)
    assert (read.name, read.target) == ("table", None)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "t.csv": lambda path: FRAME.to_csv(path, index=False),
    "t.csv.gz": lambda path: FRAME.to_csv(path, index=False),
    "t.tsv": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "t.parquet": FRAME.to_parquet,
    "t.arrow": FRAME.to_feather,
    "t.data": FRAME.to_parquet,  # whatever it is called
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_read_by_what_it_holds(name: str, tmp_path: Path) -> None:
    if "csv" not in name:
        pytest.importorskip("pyarrow")
    WRITERS[name](tmp_path / name)
    for path in (tmp_path / name, str(tmp_path / name)):
        read = read_frame(path)
        pd.testing.assert_frame_equal(read.frame, FRAME, check_dtype=False)
        assert read.name == "t"


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for value in (1, 22):
        path.write_text(f"a,b\n{value},2\n")
        assert read_frame(path).frame["a"].tolist() == [value]


def test_a_bunch_says_its_target_and_the_names_of_its_classes() -> None:
    for bunch in (load_iris(), load_iris(as_frame=True)):
        read = read_frame(bunch)
        assert read.target == "target"
        assert read.frame["target"].tolist() == bunch.target_names[bunch.target].tolist()
        np.testing.assert_array_equal(read.frame.drop(columns="target"), bunch.data)
        assert list(read.frame.columns[:4]) == bunch.feature_names


def test_a_function_is_called_for_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def rows(): return {'a': [1, 2]}\ndef bad(): raise KeyError('x')\n")
    assert read_frame("mine.py:rows").frame["a"].tolist() == [1, 2]
    assert read_frame("sklearn.datasets:load_iris").name == "iris"
    with pytest.raises(ValueError, match=r"mine\.py:bad raises KeyError: 'x'"):
        read_frame("mine.py:bad")


BAD: dict[str, tuple[Any, str]] = {
    "no file": ("wime.csv", "there is no file wime.csv; did you mean 'wine.csv'?"),
    "folder": (".", ". is a folder, and must be a table"),
    "address": ("https://example.org/a.csv", "https://example.org/a.csv is an address"),
    "spreadsheet": ("t.xlsx", "t.xlsx is a zip file, as those of spreadsheets are, and must be a table: CSV,"),
    "Parquet cut short": ("cut.parquet", "cut.parquet is a Parquet file that is damaged or cut short: "),
    "no Parquet": ("no.parquet", "no.parquet is called .parquet and begins with the bytes 61 2c 62 0a: it is no"),
    "empty Parquet": ("zero.parquet", "zero.parquet is called .parquet and is empty"),
    "gzip cut short": ("cut.csv.gz", "cut.csv.gz is a gzip file that is damaged or cut short: "),
    "array": (
        np.zeros((3, 2)),
        "the table is an ndarray of shape (3, 2), and must be a file or a frame: of pandas",
    ),
    "number": (3, "the table is an int, and must be a file or a frame"),
    "no rows": (FRAME[:0], "the table has no rows"),
    "names twice": (FRAME.set_axis(["a", "b", "a"], axis=1), "the table has two columns that are called 'a'"),
    "levels": (pd.concat({"p": FRAME}, axis=1), "the table has columns of 2 levels"),
    "uneven": ({"a": [1], "b": [1, 2]}, "the table is a mapping that makes no frame: "),
    "bunch of two targets": (
        {"data": np.zeros((3, 2)), "target": np.zeros((3, 2))},
        "the target of this bunch is an ndarray of shape (3, 2), and must be one column [N]",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_table_gets_one_sentence(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if "cut.parquet" in str(BAD[case][0]):
        pytest.importorskip("pyarrow")
        FRAME.to_parquet("whole.parquet")
        Path("cut.parquet").write_bytes(Path("whole.parquet").read_bytes()[:-9])
        Path("whole.parquet").unlink()
    Path("wine.csv").write_text("a,b\n1,2\n")
    Path("t.xlsx").write_bytes(b"PK\x03\x04more")
    Path("no.parquet").write_text("a,b\n1,2\n")
    Path("zero.parquet").touch()
    Path("cut.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 99)[:-9])
    source, sentence = BAD[case]
    with pytest.raises(ValueError, match=re.escape(sentence)) as error:
        read_frame(source)
    assert "\n" not in str(error.value)


def test_a_missing_pyarrow_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and more")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=re.escape("which pyarrow reads: pip install 'nnjax[table]'")):
        read_frame(tmp_path / "t.parquet")
