"""CSV files against the csv module's writer and numpy.genfromtxt, and the real MNIST against its IDX files."""

import csv
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from nnjax.data import load_data
from nnjax.data.csv import read_csv

Table = list[list[object]]


def table(rows: int = 5) -> Table:
    draw = np.random.default_rng(0)
    labels, pixels = draw.integers(0, 10, (rows, 1)), draw.integers(0, 256, (rows, 784))
    found: Table = np.hstack([labels, pixels]).tolist()
    return found


def write(path: Path, rows: Table, line_end: str = "\n") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator=line_end).writerows(rows)
    return path


@settings(max_examples=30)
@given(
    x=nps.arrays(np.uint8, st.tuples(st.integers(1, 5), st.just(784))),
    labels=st.lists(st.integers(0, 9), min_size=5, max_size=5),
    header=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n"]),
    gaps=st.booleans(),
    cut=st.booleans(),
    mark=st.booleans(),
)
def test_reads_what_another_writer_wrote(
    x: np.ndarray, labels: list[int], header: bool, line_end: str, gaps: bool, cut: bool, mark: bool
) -> None:
    y = np.array(labels[: len(x)], np.int32)
    rows: Table = [["label", *range(784)]] if header else []
    for label, pixels in zip(y.tolist(), x.tolist(), strict=True):
        rows += [[label, *pixels], *([[]] if gaps else [])]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "some.csv", rows, line_end)
        text = path.read_bytes()
        text = text.rstrip() if cut else text
        path.write_bytes(b"\xef\xbb\xbf" + text if mark else text)
        found = read_csv(path)
    np.testing.assert_array_equal(found.x, x, strict=True)
    np.testing.assert_array_equal(found.y, y, strict=True)
    assert found.x.flags.c_contiguous


def test_agrees_with_genfromtxt(tmp_path: Path) -> None:
    path = write(tmp_path / "some.csv", table(50))
    expected = np.genfromtxt(path, delimiter=",")
    found = read_csv(path)
    np.testing.assert_array_equal(np.hstack([found.y[:, None], found.x]), expected)


def test_whole_numbers_may_be_written_as_decimals(tmp_path: Path) -> None:
    rows = table(3)
    path = write(tmp_path / "some.csv", [[f"{number}.0" for number in row] for row in rows])
    found = read_csv(path)
    assert np.hstack([found.y[:, None], found.x]).tolist() == rows


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("mnist", "mnist"),
        ("kmnist", "kmnist"),
        ("fashion_mnist", "fashion_mnist"),
        ("fashion_mnist", "fashion-mnist"),
    ],
)
def test_the_files_are_found_by_name(name: str, prefix: str, tmp_path: Path) -> None:
    train, test = table(10), table(4)
    write(tmp_path / f"{prefix}_train.csv", train)
    write(tmp_path / f"{prefix}_test.csv", test)
    data = load_data(name, tmp_path)
    assert np.concatenate([data.train.y, data.valid.y]).tolist() == [row[0] for row in train]
    assert data.test.x.tolist() == [row[1:] for row in test]
    assert (data.scale, data.classes) == (255.0, 10)


BAD_CELLS = {
    "a pixel too few": (3, "drop", "line 3: there are 783 pixels after the label, and there must be 784"),
    "a word": (2, "x7", "line 2: pixel 4 is 'x7', and must be a whole number from 0 to 255"),
    "nothing": (2, "", "line 2: pixel 4 is '', and must be a whole number from 0 to 255"),
    "too bright": (4, 256, "line 4: pixel 4 is '256', and must be a whole number from 0 to 255"),
    "too dark": (4, -1, "line 4: pixel 4 is '-1', and must be a whole number from 0 to 255"),
    "a fraction": (1, 2.7, "line 1: pixel 4 is '2.7', and must be a whole number from 0 to 255"),
    "not a number": (5, "NaN", "line 5: pixel 4 is 'NaN', and must be a whole number from 0 to 255"),
    "infinite": (5, "inf", "line 5: pixel 4 is 'inf', and must be a whole number from 0 to 255"),
    "not text": (5, "\x00\udcff", "line 5: pixel 4 is "),
}


@pytest.mark.parametrize("case", BAD_CELLS)
@pytest.mark.parametrize("header", [False, True])
def test_a_bad_row_gets_one_sentence_and_no_cache(
    case: str, header: bool, tmp_path: Path, cache_dir: Path
) -> None:
    line, cell, sentence = BAD_CELLS[case]
    rows = table()
    if cell == "drop":
        rows[line - 1].pop()
    else:
        rows[line - 1][4] = cell
    if header:
        rows = [["label", *(f"{row}x{column}" for row in range(28) for column in range(28))], *rows]
        sentence = re.sub("line (.)", lambda found: f"line {int(found[1]) + 1}", sentence)
    path = tmp_path / "mnist_train.csv"
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    write(tmp_path / "mnist_test.csv", table())
    with pytest.raises(ValueError, match=r"mnist_train\.csv") as caught:
        load_data("mnist", tmp_path)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not cache_dir.exists()


@pytest.mark.parametrize("label", [10, -1, "nan", "1.5", ""])
def test_a_label_out_of_range_is_named(label: object, tmp_path: Path) -> None:
    rows = table()
    rows[2][0] = label
    path = write(tmp_path / "some.csv", [[], *rows])
    with pytest.raises(
        ValueError, match=f"line 4: the label is '{label}', and must be a whole number from 0 to 9"
    ):
        read_csv(path)


def test_a_first_label_that_is_nan_makes_no_header(tmp_path: Path) -> None:
    rows = table()
    rows[0][0] = "nan"
    with pytest.raises(ValueError, match="line 1: the label is 'nan'"):
        read_csv(write(tmp_path / "some.csv", rows))


def test_rows_of_equal_but_wrong_length_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "some.csv", [row[:-1] for row in table()])
    with pytest.raises(ValueError, match="line 1: there are 783 pixels after the label, and there must be 784"):
        read_csv(path)


@pytest.mark.parametrize("rows", [[], [[], []], [["label", "pixel0"]], [["label", "pixel0"], []]])
def test_a_file_without_examples_is_refused(rows: Table, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"some\.csv holds no examples"):
        read_csv(write(tmp_path / "some.csv", rows))


def test_an_unreadable_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be read: Is a directory"):
        read_csv(tmp_path)


def test_the_real_mnist_is_the_same_from_csv_and_idx(data_dir: Path, tmp_path: Path) -> None:
    from_idx = load_data("mnist", data_dir / "mnist", source="idx")
    texts = np.array([str(number) for number in range(256)], object)
    for name, splits in (("train", (from_idx.train, from_idx.valid)), ("test", (from_idx.test,))):
        with (tmp_path / f"mnist_{name}.csv").open("w") as file:
            for split in splits:
                for label, pixels in zip(split.y, texts[split.x], strict=True):
                    file.write(f"{label},{','.join(pixels)}\n")
    from_csv = load_data("mnist", tmp_path, source="csv")
    for name in ("train", "valid", "test"):
        for ours, theirs in zip(getattr(from_csv, name), getattr(from_idx, name), strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)


def rewritten(path: Path, *changes: tuple[str, str], encoding: str = "utf-8") -> Path:
    """The table, written, with some parts of its text changed."""
    text = write(path, table()).read_text()
    for old, new in changes:
        text = text.replace(old, new)
    path.write_text(text, encoding=encoding, newline="")
    return path


SPELLINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "semicolons": ((",", ";"),),
    "tabs": ((",", "\t"),),
    "spaces after commas": ((",", ", "),),
    "quoted": ((",", '","'), ("\n", '"\n"')),
    "comma at the end": (("\n", ",\n"),),
    "semicolon at the end": ((",", ";"), ("\n", ";\n")),
    "Windows": (("\n", "\r\n"),),
    "old Macintosh": (("\n", "\r"),),
    "blank lines of blanks": (("\n", "\n  \n"),),
}


@pytest.mark.parametrize("case", SPELLINGS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_other_programs_write_is_read(case: str, encoding: str, tmp_path: Path) -> None:
    path = rewritten(tmp_path / "some.csv", *SPELLINGS[case], encoding=encoding)
    if case == "quoted":  # the quotes at both ends
        path.write_text(f'"{path.read_text(encoding)[:-1]}', encoding=encoding, newline="")
    found = read_csv(path)
    assert np.hstack([found.y[:, None], found.x]).tolist() == table()


HEADERS: dict[str, list[object]] = {
    "names with digits": ["label_1", *(f"pix-{number}" for number in range(784))],
    "label5": ["label5", *(f"{number}x" for number in range(784))],
    "quoted": ['"target"', *(f'"{number}"' for number in range(784))],
    "numbers from 0": list(range(785)),
    "numbers from 1": list(range(1, 786)),
    "a name and numbers": ["5th", *range(784)],
    "a hash": ["# label", *(f"pixel{number}" for number in range(784))],
}


@pytest.mark.parametrize("case", HEADERS)
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("before", ["", "\n"])
def test_headers_of_other_words_are_headers(case: str, separator: str, before: str, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    lines = [separator.join(map(str, row)) for row in (HEADERS[case], *table())]
    path.write_text(before + "\n".join(lines))
    found = read_csv(path)
    assert np.hstack([found.y[:, None], found.x]).tolist() == table()


def test_a_slip_in_the_first_label_loses_no_example(tmp_path: Path) -> None:
    rows = table()
    rows[0][0] = "x5"
    with pytest.raises(ValueError, match="line 1: the label is 'x5', and must be a whole number from 0 to 9"):
        read_csv(write(tmp_path / "some.csv", rows))


def test_an_index_before_the_labels_is_refused(tmp_path: Path) -> None:
    rows: Table = [["", "label", *range(784)], *([place, *row] for place, row in enumerate(table()))]
    with pytest.raises(ValueError, match="line 1: there are 785 pixels after the label, and there must be 784"):
        read_csv(write(tmp_path / "some.csv", rows))


def test_a_longer_line_is_no_comma_at_the_end(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "some.csv", ("\n", ",7\n"))
    with pytest.raises(ValueError, match="line 1: there are 785 pixels after the label"):
        read_csv(path)
    rewritten(path, ("\n", ",,\n"))
    with pytest.raises(ValueError, match="line 1: there are 785 pixels after the label"):
        read_csv(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x1f\x8b\x08\0", "a gzip file"),
        (b"PK\x03\x04", "a zip file"),
        (b"\x005\0,\x000", "no text in UTF-8"),
        (b"5\0,\x000\0", "no text in UTF-8"),
    ],
)
def test_what_is_no_text_is_a_sentence(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"some\.csv is {what}, and must be text"):
        read_csv(path)


def test_half_a_character_of_utf_16_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes("5,1".encode("utf-16") + b"0")
    with pytest.raises(ValueError, match=r"some\.csv is no text in UTF-16, as which it is marked$"):
        read_csv(path)


def test_labels_are_classes_of_the_set(tmp_path: Path) -> None:
    rows = table()
    rows[1][0] = 11
    path = write(tmp_path / "some.csv", rows)
    assert read_csv(path, classes=12).y[1] == 11
    with pytest.raises(ValueError, match="line 2: the label is '11', and must be a whole number from 0 to 9"):
        read_csv(path, classes=10)
