"""The target of a table as labels, as scikit-learn's LabelEncoder has them; what can't be classes is refused."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import LabelEncoder

from nnjax.data.columns import FEW
from nnjax.data.target_column import read_target


@given(
    # As few classes as are taken for classes whatever the number of rows.
    st.sampled_from([st.integers(-5, 5), st.text("abcÄ ", max_size=3)])
    .flatmap(lambda label: st.lists(label, min_size=2, max_size=FEW, unique=True))
    .flatmap(lambda labels: st.lists(st.sampled_from(labels), min_size=2, max_size=40))
    .filter(lambda labels: len(set(labels)) > 1)
)
def test_labels_are_those_of_scikit_learn(labels: list[Any]) -> None:
    encoder = LabelEncoder().fit(labels)
    target = read_target(pd.Series(labels, name="t"))
    np.testing.assert_array_equal(target.y, encoder.transform(labels))
    assert list(target.labels) == encoder.classes_.tolist()
    assert target.names == tuple(map(str, encoder.classes_))
    assert target.y.dtype == np.int32


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([True, False, True], (False, True)),
        ([2.0, 1.0, 2.0], (1, 2)),
        (pd.Categorical(["low", "high"], categories=["low", "middle", "high"]), ("low", "high")),
        (pd.array([3, 1], dtype="Int64"), (1, 3)),
    ],
)
def test_labels_keep_their_type_and_order(values: Any, labels: tuple[Any, ...]) -> None:
    target = read_target(pd.Series(values, name="t"))
    assert target.labels == labels
    assert [type(label) for label in target.labels] == [type(label) for label in labels]
    assert [target.labels[number] for number in target.y] == list(values)


BAD: dict[str, tuple[Any, str]] = {
    "all missing": ([None, None], "the target t has no value in any row"),
    "one missing": (
        ["a", None, "b"],
        "the target t has no value in row 2, and in 1 of 3 rows: a row without a label",
    ),
    "one class": (["a", "a"], "the target t is 'a' in all 2 rows, and must have two classes or more"),
    "two types": (
        [1, "a", 1],
        "the target t has labels of two types, numbers such as 1 and texts such as 'a': make them of one",
    ),
    "fractions": ([0.5, 1.0], "the target t holds numbers that aren't whole, such as 0.5, and must hold classes"),
    "a quantity": (
        range(50),
        "the target t holds 50 different numbers in 50 rows, and must hold classes: data.task regression",
    ),
    "names": (map(str, range(50)), "the target t holds 50 different texts in 50 rows, and must hold classes"),
    "dates": (
        pd.date_range("2024-01-01", periods=3),
        "the target t holds dates, such as 2024-01-01 00:00:00, and",
    ),
    "lists": ([[1], [2]], "the target t holds values of type list, such as [1], and must hold classes"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_class_is_refused(case: str) -> None:
    values, sentence = BAD[case]
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read_target(pd.Series(list(values), name="t"), "classification")


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=2).filter(lambda values: any(not v.is_integer() for v in values))
    | st.lists(st.integers(), min_size=31, unique=True)
)
def test_a_quantity_is_itself(values: list[float]) -> None:
    target = read_target(pd.Series(values, name="t", dtype=object))
    np.testing.assert_array_equal(target.y, np.array(values, np.float64))
    assert (target.task, target.labels, target.names) == ("regression", (), ())
    assert len(target.strata) == len(values)


def test_a_few_whole_numbers_are_classes_unless_it_is_said() -> None:
    column = pd.Series([3, 1, 3, 2], name="t")
    assert read_target(column).task == "classification"
    target = read_target(column, "regression")
    assert target.task == "regression"
    np.testing.assert_array_equal(target.y, [3.0, 1.0, 3.0, 2.0])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["a", "b"], "the target t holds texts, such as a, and a regression needs numbers"),
        ([1.5, np.inf], "the target t holds inf, and must hold finite numbers"),
        ([1.5, None], "the target t has no value in row 2"),
    ],
)
def test_what_is_no_quantity_is_refused(values: list[Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read_target(pd.Series(values, name="t"), "regression")
