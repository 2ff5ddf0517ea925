"""What the columns of a table are taken for, and their values."""

import datetime
import decimal
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nnjax.data.columns import columns_of, listed, numbers_of, truths_of, words_of

N = 60
KINDS: dict[str, tuple[Any, str, str]] = {
    "floats": (np.linspace(0, 1, N), "number", ""),
    "whole numbers": (np.arange(N) % 3, "number", ""),
    "nullable": (pd.array([1, None] * (N // 2), dtype="Int64"), "number", ""),
    "numbers as texts": (["1.5", None, "2"] * (N // 3), "number", ""),
    "decimals": ([decimal.Decimal("1.5"), decimal.Decimal(2)] * (N // 2), "number", ""),
    "booleans": ([True, False] * (N // 2), "boolean", ""),
    "booleans, one missing": ([True, None, False] * (N // 3), "boolean", ""),
    "yes and no": (["Yes", "no"] * (N // 2), "boolean", ""),
    "0 and 1": ([0, 1] * (N // 2), "number", ""),
    "words": (["a", "b", None] * (N // 3), "category", ""),
    "pandas' own": (pd.Categorical([1, 2] * (N // 2)), "category", ""),
    "numbers and words": ([1, "b"] * (N // 2), "category", ""),
    "dates": (pd.date_range("2024-01-01", periods=N), "left_out", "dates"),
    "dates as texts": (pd.date_range("2024-01-01", periods=N).astype(str), "left_out", "dates"),
    "dates of Python": ([datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)] * (N // 2), "left_out", "dates"),
    "dates as written in Europe": (["31.12.2024 10:30", "1.2.2024 9:00"] * (N // 2), "left_out", "dates"),
    "durations": (pd.to_timedelta(np.arange(N), "s"), "left_out", "dates"),
    "names": ([f"n{number}" for number in range(N)], "left_out", f"{N} different texts in {N} rows"),
    "constant": ([7] * N, "left_out", "always 7"),
    "constant where there": ([7, None] * (N // 2), "number", ""),
    "nothing": ([None] * N, "left_out", "without any value"),
    "lists": ([[1], [2]] * (N // 2), "left_out", "neither numbers nor words"),
    "complex": (np.arange(N) * 1j, "left_out", "complex numbers"),
}


@pytest.mark.parametrize("case", KINDS)
def test_a_column_is_what_its_values_look_like(case: str) -> None:
    values, kind, why = KINDS[case]
    (column,) = columns_of(pd.DataFrame({"x": values}), {})
    assert column == ("x", kind, why)


def test_a_column_is_what_it_is_said_to_be() -> None:
    frame = pd.DataFrame({"zip": [1, 2, 1], "id": [3, 1, 2], "word": ["a", "a", "a"]})
    columns = columns_of(frame, {"zip": "category", "id": "left_out", "word": "category"})
    assert [column.kind for column in columns] == ["category", "left_out", "category"]
    assert listed(columns) == "2 categories (zip, word); left out: id (as data.columns says)"
    with pytest.raises(ValueError, match=r"data.columns names 'words', .* did you mean 'word'\?"):
        columns_of(frame, {"words": "number"})


def test_running_numbers_without_a_name_are_no_input() -> None:
    frame = pd.DataFrame({"unnamed 0": [0, 1, 2], "unnamed 1": [0, 1, 2]})
    assert [column.kind for column in columns_of(frame, {})] == ["left_out", "number"]


def test_values_are_read_alike_from_numbers_and_from_texts() -> None:
    assert words_of(pd.Series([3, 4])).tolist() == ["3", "4"]
    assert words_of(pd.Series([3.0, np.nan, 0.5])).tolist() == ["3", None, "0.5"]
    assert words_of(pd.Series(["3", None])).tolist() == ["3", None]
    np.testing.assert_array_equal(numbers_of(pd.Series(["1.5", None, 2])), [1.5, np.nan, 2])
    np.testing.assert_array_equal(truths_of(pd.Series(["Yes", "no", None])), [1, 0, np.nan])
    np.testing.assert_array_equal(truths_of(pd.Series([True, False])), [1, 0])
    np.testing.assert_array_equal(truths_of(pd.Series([1, 0, np.nan])), [1, 0, np.nan])


@pytest.mark.parametrize(
    ("read", "values", "sentence"),
    [
        (numbers_of, ["1", "x"], "the column c holds 'x' in row 2, and must hold a number"),
        (numbers_of, [1.0, np.inf], "the column c holds 'inf' in row 2, and must hold a finite number"),
        (truths_of, ["yes", "perhaps"], "the column c holds 'perhaps' in row 2, and must hold true or false"),
    ],
)
def test_a_value_of_another_kind_is_named_with_its_row(read: Any, values: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read(pd.Series(values, name="c"))
