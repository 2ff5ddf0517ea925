"""What is said of tables: what columns are, what gives the target away, classes of one row, sorted rows."""

import numpy as np
import pandas as pd
import pytest

from nnjax.data import Dataset, Examples, load_data, load_table


def table(**columns: object) -> pd.DataFrame:
    random = np.random.default_rng(0)
    kind = np.array(["a", "b"])[np.arange(100) % 2]
    return pd.DataFrame({"x": random.normal(0, 1, 100), "kind": kind, **columns})


def test_of_scaled_numbers_nothing_is_said() -> None:
    assert load_table(table(), "kind").notes == ()
    assert load_data("wine").notes == load_data("breast_cancer").notes == load_data("iris").notes == ()


def test_columns_that_are_no_numbers_are_listed() -> None:
    frame = table(word=["u", "v", "w", "u"] * 25, same=3, day=pd.date_range("2024-01-01", periods=100))
    (note,) = load_table(frame, "kind").notes
    assert note == (
        "the columns are 1 number (x); 1 category (word); left out: same (always 3), day (dates); data.columns "
        "says otherwise where that is wrong"
    )


@pytest.mark.parametrize("giving", ["number", "category", "boolean", "missing"])
def test_an_input_that_gives_the_target_away_is_named(giving: str) -> None:
    is_a = table()["kind"] == "a"
    value: object = {
        "number": np.where(is_a, 1, 2) + np.linspace(0, 0.5, 100),
        "category": np.where(is_a, "u", "v"),
        "boolean": is_a,
        "missing": np.where(is_a, np.nan, np.linspace(0, 0.5, 100)),
    }[giving]
    notes = load_table(table(outcome=value), "kind").notes
    assert notes[-1].startswith("outcome alone predicts the target on validation: if that isn't known before")
    assert load_table(table(outcome=value), "kind", columns={"outcome": "left_out"}).notes[1:] == ()


def test_the_commonest_class_gives_nothing_away() -> None:
    frame = table(word=["u", "v"] * 50).assign(kind=["a"] * 97 + ["b"] * 3)
    assert not any("alone" in note for note in load_table(frame, "kind").notes)


def test_a_class_of_one_row_is_named_and_trains() -> None:
    frame = table()
    frame.loc[99, "kind"] = "rare"
    data = load_table(frame, "kind")
    assert data.notes == ("only one row is of the class rare: nothing can be said of how well it is learnt",)
    assert 2 in data.train.y


def test_rows_that_lie_sorted_by_class_are_told_where_that_matters() -> None:
    frame = table().sort_values("kind", ignore_index=True)
    assert load_table(frame, "kind").notes == ()
    notes = load_table(frame, "kind", split="time").notes
    assert notes[0].startswith("the rows lie sorted by class, and data.split 'time' tests on the last of them")
    assert "all examples of test are of the class b" in notes


def test_a_class_with_fewer_rows_than_folds_is_named() -> None:
    frame = table()
    frame.loc[[0, 1], "kind"] = "rare"
    assert load_table(frame, "kind", folds=3).notes == (
        "not every fold tests the class rare, which has fewer rows than there are folds",
    )


def test_inputs_that_are_not_scaled_are_named() -> None:
    assert load_data("wine", scaling="none").notes == (
        "inputs aren't scaled: the standard deviation of proline is 316, and 1 other is above 10; data.scaling "
        "standard scales them",
    )
    wine = load_data("wine", scaling="none")
    own = Dataset("own", wine.train, wine.valid, wine.test, classes=3, scale=1.0)
    assert own.notes == (
        "inputs aren't scaled: the standard deviation of input 12 (counted from 0) is 316, and 1 other is above "
        "10; nnjax.load_table scales them, or scikit-learn",
    )
    image = Examples(np.tile(np.arange(256, dtype=np.uint8), (4, 1)), np.array([0, 1, 0, 1]))
    assert Dataset("own", image, image, image, classes=2, scale=255.0).notes == ()
