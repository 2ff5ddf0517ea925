"""Tables on the command line: one line trains, and a bad file is one sentence and exit code 2."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nnjax import cli
from nnjax.results import files

TINY = ("--epochs", "1", "--seeds", "2", "--hidden", "4", "--batch_size", "8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table of two kinds of animals, and files that are no tables."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    animals = pd.DataFrame({"weight": random.normal(0, 1, 60), "kind": ["cat", "dog"] * 30, "day": "2024-01-01"})
    animals.to_csv("animals.csv", index=False, sep=";", decimal=",")
    animals.assign(kind="cat").to_csv("one.csv", index=False)
    animals.assign(kind=None).to_csv("none.csv", index=False)
    Path("ragged.csv").write_text("a,b\n1,2\n1,2,3\n")
    Path("latin.csv").write_bytes("a,größe\n1,2\n".encode("latin-1"))
    Path("short.parquet").write_bytes(b"PAR1 and no more")
    Path("animals.yml").write_text(
        "data: {name: table, file: animals.csv, target: kind, columns: {day: category}, folds: 3}\n"
        "axes: {data.fold: [0, 1, 2]}\n"
    )
    return tmp_path


def test_a_table_trains_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--data.name", "table", "--data.file", "animals.csv", "--data.target", "kind", "--output", "out"]
    assert cli.main(["train", *argv, *TINY]) == 0
    printed = capsys.readouterr().out
    assert "Note: the columns are 1 number (weight); left out: day (dates); data.columns" in " ".join(
        printed.split()
    )
    assert "on animals, 1 epoch of 38 examples" in printed
    results = files.load(folder / "out" / "results.nc")
    assert results.table.size == 1
    # The configuration that was written does it again.
    assert cli.main(["train", "--config", "out/config.yml", "--output", "again"]) == 0
    again = files.load(folder / "again" / "results.nc")
    np.testing.assert_array_equal(again.valid_loss, results.valid_loss)


def test_folds_are_an_axis_in_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sweep", "--config", "animals.yml", *TINY]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("1 setting × 3 folds × 2 seeds = 6 runs")
    assert "as configured" in printed
    assert "over 6 runs" in printed


BAD = {
    "ragged": ("ragged.csv", "ragged.csv, line 3 has 3 values, and must have 2, as the header: a, b"),
    "encoding": ("latin.csv", "latin.csv is no text in UTF-8: its byte 4 is f6; if it is in another encoding"),
    "Parquet cut short": ("short.parquet", "short.parquet is a Parquet file that is damaged or cut short: "),
    "one class": ("one.csv", "the target kind is 'cat' in all 60 rows, and must have two classes or more"),
    "all missing": ("none.csv", "the target kind has no value in any row"),
    "no file": ("animal.csv", "there is no file animal.csv; did you mean 'animals.csv'?"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_sentence(case: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if case == "Parquet cut short":
        pytest.importorskip("pyarrow")
    file, sentence = BAD[case]
    assert cli.main(["train", "--data.name", "table", "--data.file", file, "--data.target", "kind", *TINY]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert sentence in said.err


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (
            ["--data.file", "animals.csv"],
            "data.file is 'animals.csv', which is for tables, and data.name is 'digits'",
        ),
        (["--data.name", "table"], "data.file is not set, and data.name table is read from a file"),
        (
            ["--data.name", "table", "--data.file", "animals.csv"],
            "data.target is not set, and must say which column",
        ),
        (
            ["--data.name", "table", "--data.file", "animals.csv", "--data.target", "kin"],
            "has no column 'kin'; did you mean 'kind'?",
        ),
        (
            ["--data.name", "wine", "--data.fold", "1"],
            "data.fold is 1, and data.folds, how many folds there are, is",
        ),
        (
            ["--data.name", "wine", "--data.taget", "x"],
            "there is no flag --data.taget; did you mean '--data.target'?",
        ),
    ],
)
def test_a_mistake_is_one_sentence(
    argv: list[str], sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", *argv]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert sentence in said.err
