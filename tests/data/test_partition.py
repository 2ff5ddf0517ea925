"""Which rows train, validate and test: each once, as scikit-learn cuts folds, and never as the rules forbid."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

from nnjax.config import DataConfig
from nnjax.data.partition import partition, stratified

Y = np.repeat([0, 1, 2], [60, 30, 10]).astype(np.int32)
GROUPS = pd.Series(np.arange(100) // 7, name="who")


def cut(column: Any = None, y: np.ndarray = Y, **fields: Any) -> tuple[np.ndarray, ...]:
    if column is not None:
        column = pd.Series(column, name="by")
        fields = {"split_column": "by", **fields}
    return partition(y, DataConfig("table", **fields), column)


@given(
    st.lists(st.integers(0, 4), min_size=12, max_size=80),
    st.floats(0.1, 0.5),
    st.floats(0.1, 0.5),
    st.integers(0, 99),
    st.sampled_from(["stratified", "random", "time"]),
)
def test_each_row_has_one_part_of_its_size(
    labels: list[int], test_fraction: float, valid_fraction: float, seed: int, split: str
) -> None:
    fields = {"test_fraction": test_fraction, "valid_fraction": valid_fraction, "split_seed": seed, "split": split}
    parts = cut(y=np.array(labels), **fields)
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    assert len(parts[2]) == round(test_fraction * len(labels))
    assert len(parts[1]) == round(valid_fraction * (len(labels) - len(parts[2])))
    for one, other in zip(parts, cut(y=np.array(labels), **fields), strict=True):
        np.testing.assert_array_equal(one, other)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.data(), st.integers(0, 99))
def test_each_class_has_its_share_to_within_one(labels: list[int], data: st.DataObject, seed: int) -> None:
    y = np.array(labels)
    count = data.draw(st.integers(0, len(y)))
    taken = stratified(y, count, seed)
    assert len(set(taken)) == len(taken) == count
    sizes = np.bincount(y)
    several = sizes > 1 if sizes[sizes > 1].sum() >= count else sizes > 0
    share = count * sizes * several / max(sizes[several].sum(), 1)
    assert (np.abs(np.bincount(y[taken], minlength=len(sizes)) - share) < 1).all()


def test_the_seed_draws_the_parts_and_none_is_0() -> None:
    assert [part.tolist() for part in cut()] == [part.tolist() for part in cut(split_seed=0)]
    assert cut()[2].tolist() != cut(split_seed=1)[2].tolist()


@pytest.mark.parametrize("split", ["stratified", "random", "group", "time"])
@pytest.mark.parametrize("seed", [None, 3])
def test_folds_are_those_of_scikit_learn(split: str, seed: int | None) -> None:
    theirs: Any = {
        "stratified": StratifiedKFold(4, shuffle=True, random_state=seed or 0).split(Y, Y),
        "random": KFold(4, shuffle=True, random_state=seed or 0).split(Y),
        "group": GroupKFold(4, shuffle=True, random_state=seed or 0).split(Y, groups=GROUPS),
        "time": TimeSeriesSplit(4).split(Y),
    }[split]
    for fold, (others, test) in enumerate(theirs):
        parts = cut(GROUPS if split == "group" else None, split=split, folds=4, fold=fold, split_seed=seed)
        np.testing.assert_array_equal(parts[2], test)
        np.testing.assert_array_equal(np.sort(np.concatenate(parts[:2])), others)


@pytest.mark.parametrize("folds", [None, 3])
def test_a_group_is_in_one_part_alone(folds: int | None) -> None:
    parts = cut([f"g{number}" for number in GROUPS], split="group", folds=folds)
    of_parts = [set(GROUPS[part]) for part in parts]
    assert sum(map(len, of_parts)) == len(set(GROUPS)) == len(set.union(*of_parts))
    assert all(of_parts)


@pytest.mark.parametrize("as_text", [False, True])
def test_what_is_later_tests(as_text: bool) -> None:
    days = pd.date_range("2024-01-01", periods=100)[np.random.default_rng(0).permutation(100)]
    train, valid, test = cut(days.astype(str) if as_text else days, split="time")
    assert days[train].max() < days[valid].min() <= days[valid].max() < days[test].min()


def test_a_column_says_the_parts() -> None:
    words = ["train", "Test", "val", "training", "dev"] * 20
    assert [part.tolist()[:2] for part in cut(words, split="given")] == [[0, 3], [2, 4], [1, 6]]
    train, valid, test = cut(["train"] * 80 + ["test"] * 20, split="given", valid_fraction=0.25)
    assert (len(train), len(valid), test.tolist()) == (60, 20, list(range(80, 100)))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no column": (
        {"split": "group"},
        "data.split is 'group', and data.split_column must say which column has the",
    ),
    "column for nothing": (
        {"column": Y},
        "data.split_column is 'by', and data.split is 'stratified', which needs",
    ),
    "one group": ({"column": ["a"] * 100, "split": "group"}, "data.split_column 'by' has too few groups"),
    "no group": (
        {"column": [None] * 100, "split": "group"},
        "the column by, by which rows are split, has no value in",
    ),
    "few groups": (
        {"column": GROUPS, "split": "group", "folds": 50},
        "data.folds is 50, and there are too few groups",
    ),
    "few rows": ({"folds": 90}, "data.folds is 90, and there are too few rows of a class for so many"),
    "no time": (
        {"column": ["x"] * 100, "split": "time"},
        "the column by, which says the time of each row, holds 'x'",
    ),
    "other word": (
        {"column": ["train", "tets"] * 50, "split": "given"},
        "has 'tets' in row 2, and must say train, val",
    ),
    "no word": (
        {"column": ["train", None] * 50, "split": "given"},
        "has no value in row 2, and must say train, valid",
    ),
    "no test": ({"column": ["train"] * 100, "split": "given"}, "no row tests, of 100"),
    "folds that are given": (
        {"column": ["train"] * 100, "split": "given", "folds": 2},
        "data.folds is set, and data",
    ),
    "nothing validates": (
        {"valid_fraction": 0.001},
        "no row validates, of 100: data.test_fraction is 0.2, data.valid",
    ),
    "fold too high": ({"folds": 3, "fold": 3}, "data.fold is 3, and must be at least 0 and less than 3"),
    "fold of none": ({"fold": 1}, "data.fold is 1, and data.folds, how many folds there are, is not set"),
    "one fold": ({"folds": 1}, "data.folds is 1, and must be at least 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_can_not_be_split_gets_one_sentence(case: str) -> None:
    fields, sentence = BAD[case]
    with pytest.raises(ValueError, match=re.escape(sentence)):
        cut(**fields)
