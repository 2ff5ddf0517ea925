"""Tables as text: files of any dialect are read as pandas, told how, reads them; bad ones get one sentence."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data.separated import read_text

FRAME = pd.DataFrame(
    {
        "age": [39.5, np.nan, 7.25],
        "job": ["sales; retail", "a, b", None],
        "class": ["no", "yes", "no"],
        "n": [1, 2, 3],
    }
)
DIALECTS: dict[str, dict[str, Any]] = {
    "commas": {},
    "semicolons": {"sep": ";"},
    "decimal commas": {"sep": ";", "decimal": ","},
    "tabs": {"sep": "\t"},
    "bars": {"sep": "|"},
    "all in quotes": {"quoting": 1},
    "question marks": {"na_rep": "?"},
    "NA": {"na_rep": "NA"},
    "Windows": {"lineterminator": "\r\n"},
    "mark of UTF-8": {"encoding": "utf-8-sig"},
    "UTF-16": {"encoding": "utf-16"},
}


def read(content: bytes | str) -> pd.DataFrame:
    return read_text(Path("t.csv"), content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_table_is_read_whatever_its_dialect(dialect: str, tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False, **DIALECTS[dialect])
    pd.testing.assert_frame_equal(read((tmp_path / "t.csv").read_bytes()), FRAME)


@given(st.sampled_from([",", ";", "\t", "|"]), st.data())
def test_what_pandas_writes_comes_back(separator: str, data: st.DataObject) -> None:
    words = st.text("abc ,;|\"'é", min_size=1, max_size=6).filter(lambda word: word.strip() == word)
    rows = data.draw(st.integers(3, 8))
    columns = {
        name: data.draw(st.lists(values, min_size=rows, max_size=rows))
        for name, values in (("a", st.floats(-1e9, 1e9)), ("b", words), ("c", st.integers(-9, 9)), ("d", words))
    }
    frame = pd.DataFrame(columns)
    # As many of each other separator in all rows would be another table as well.
    text = frame.to_csv(index=False, sep=separator)
    found = read(text)
    if list(found.columns) == list(frame.columns):
        pd.testing.assert_frame_equal(found, frame)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,virginica\n", ["0", "1", "2"]),  # as the files of the UCI repository
        ("0,1,2\n5,3,setosa\n4,3,virginica\n", ["0", "1", "2"]),  # as pandas writes frames without names
        ("a,b,\n5,3,\n4,3,\n", ["a", "b", "unnamed 2"]),
        ("a,b\n5,3,\n4,3,\n", ["a", "b", "unnamed 2"]),
        ("a b\nx 5 3\ny 4 3\n", ["unnamed 0", "a", "b"]),  # as R writes them
        ("a   b\n 5   3\n12  33\n", ["a", "b"]),
        ("\n\na,b\n5,3\n", ["a", "b"]),
    ],
)
def test_names_are_those_of_a_header_or_running_numbers(text: str, names: list[str]) -> None:
    assert list(read(text).columns) == names


def test_a_decimal_comma_is_no_separator() -> None:
    found = read("1,5;2,25;no\n3,5;4,75;yes\n")
    assert found.to_numpy().tolist() == [[1.5, 2.25, "no"], [3.5, 4.75, "yes"]]


def test_a_line_within_quotes_is_no_row() -> None:
    assert read('a,b\n"two\nlines",1\nx,2\n')["a"].tolist() == ["two\nlines", "x"]


BAD: dict[str, tuple[bytes, str]] = {
    "too many": (b"a,b\n1,2\n1,2,3\n", "t.csv, line 3 has 3 values, and must have 2, as the header: a, b"),
    "too few": (b"a,b,c\n1,2,3\n1,2\n4,5,6", "t.csv, line 3 has 2 values, and must have 3, as the header"),
    "ragged without header": (b"5,2\n1,2\n1\n", "t.csv, line 3 has 1 value, and must have 2, as the first line"),
    "encoding": ("größe,b\n1,2\n".encode("cp1252"), "t.csv is no text in UTF-8: its byte 2 is f6; if it is in"),
    "half of UTF-16": (b"\xff\xfea", "t.csv is no text in UTF-16: its byte 2 is 61"),
    "binary": (b"a,b\n1,\0\n", "t.csv is no text: it holds a zero byte at character 6"),
    "empty": (b"\n \n", "t.csv is empty"),
    "header alone": (b"a,b\n", "t.csv has a header and no rows below it"),
    "name twice": (b"a,a\n1,2\n", "t.csv has two columns that are called 'a': give one another name"),
    "open quote": (b'a,b\n1,"x\n2,y\n', "t.csv can't be read as a table: "),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gets_one_sentence(case: str) -> None:
    content, sentence = BAD[case]
    with pytest.raises(ValueError, match=re.escape(sentence)) as error:
        read(content)
    assert "\n" not in str(error.value)
