"""What is taken for targets, of which task a data set is, and one sentence for the rest."""

from typing import Any

import numpy as np
import pytest
import sklearn.preprocessing

from nnjax.data import Dataset, Weighted, split_train
from nnjax.data.targets import Standard
from nnjax.validation import UserError

X = np.arange(12.0).reshape(6, 2)
REAL = np.array([1.5, 2, 3, 4, 5, 7])
MARKS = np.array([[0, 1], [1, 1], [0, 0], [1, 0], [0, 1], [1, 0]])


def made(y: Any, *weight: Any, **fields: Any) -> Dataset:
    return Dataset("mine", *[(X, y, *weight)] * 3, **fields)


@pytest.mark.parametrize(
    ("y", "fields", "task", "classes", "dtype", "shape"),
    [
        ([0, 1, 2, 0, 1, 2], {}, "classification", 3, np.int32, (6,)),
        ([0, 1, 2, 0, 1, 2], {"classes": 5}, "classification", 5, np.int32, (6,)),
        ([True, False] * 3, {}, "classification", 2, np.int32, (6,)),
        (REAL, {}, "regression", 1, np.float64, (6,)),
        (REAL.astype(np.float32)[:, None], {}, "regression", 1, np.float64, (6,)),
        (np.stack([REAL, -REAL], 1), {}, "regression", 2, np.float64, (6, 2)),
        ([0, 1, 2, 0, 1, 2], {"task": "regression"}, "regression", 1, np.float64, (6,)),
        (MARKS, {"task": "multilabel"}, "multilabel", 2, np.uint8, (6, 2)),
        (MARKS.astype(bool), {"task": "multilabel"}, "multilabel", 2, np.uint8, (6, 2)),
        (MARKS.tolist(), {"task": "multilabel", "classes": 2}, "multilabel", 2, np.uint8, (6, 2)),
    ],
)
def test_the_task_follows_from_the_targets(
    y: Any, fields: Any, task: str, classes: int, dtype: Any, shape: Any
) -> None:
    data = made(y, **fields)
    assert (data.task, data.classes) == (task, classes)
    for split in (data.train, data.valid, data.test):
        assert (split.y.dtype, split.y.shape) == (dtype, shape)
        np.testing.assert_array_equal(split.y, np.reshape(np.asarray(y), shape))


@pytest.mark.parametrize("targets", [1, 3])
def test_targets_are_standardised_as_by_scikit_learn(targets: int) -> None:
    rng = np.random.default_rng(0)
    train, other = rng.normal(5, 100, size=(50, targets)), rng.normal(size=(9, targets))
    standard, scaler = Standard.of(train), sklearn.preprocessing.StandardScaler().fit(train)
    np.testing.assert_allclose(standard.apply(other), scaler.transform(other), rtol=1e-12)
    np.testing.assert_allclose(standard.undo(standard.apply(other)).reshape(other.shape), other, rtol=1e-10)
    assert standard.undo(standard.apply(other)).shape == ((9,) if targets == 1 else (9, targets))


def test_targets_are_learned_as_they_are_where_that_is_said() -> None:
    data, other = made(REAL, standardised=False), made(REAL)
    np.testing.assert_array_equal(data.learned[0].y, REAL[:, None])
    assert data.standard is not None
    np.testing.assert_array_equal(data.standard.undo(REAL[:, None]), REAL)
    assert data.fingerprint != other.fingerprint


def test_a_target_that_never_changes_is_learned_as_zero_and_noted() -> None:
    data = made(np.stack([REAL, np.full(6, 3.0)], 1))
    np.testing.assert_array_equal(data.learned[0].y[:, 1], np.zeros(6))
    assert any("target 1 is the same in all examples of training" in note for note in data.notes)
    assert made(REAL).notes == ()


def test_units_stand_for_each_target() -> None:
    assert made(REAL, units="mg").units == ("mg",)
    assert made(np.stack([REAL, REAL], 1), units="mg").units == ("mg", "mg")
    assert made(np.stack([REAL, REAL], 1), units=["mg", "cm"]).units == ("mg", "cm")


def test_a_split_without_weights_counts_all_alike_beside_one_with_weights() -> None:
    data = Dataset("mine", (X, REAL, np.arange(6)), (X, REAL), (X, REAL))
    assert isinstance(data.train, Weighted)
    assert isinstance(data.test, Weighted)
    np.testing.assert_array_equal(data.train.weight, np.arange(6))
    np.testing.assert_array_equal(data.test.weight, np.ones(6))
    train, valid = split_train(data.train, 0.5, seed=3)
    order = np.argsort(np.concatenate([train.y, valid.y]))
    np.testing.assert_array_equal(np.concatenate([train.weight, valid.weight])[order], np.arange(6))


def with_nan(values: Any) -> np.ndarray:
    array = np.array(values, float)
    array[(2, *[1] * (array.ndim - 1))] = np.nan
    return array


@pytest.mark.parametrize(
    ("arguments", "fields", "sentence"),
    [
        ((with_nan(REAL),), {}, "the train split of mine has no target at example 2 (counted from 0)"),
        ((with_nan(np.stack([REAL, REAL], 1)),), {}, "has no target at example 2, column 1 (counted from 0)"),
        ((np.array([1.5, None, 2, 3, 4, 5]),), {"task": "regression"}, "has no target at example 1"),
        ((np.array([1.5, np.inf, 2, 3, 4, 5]),), {}, "holds the target inf at example 1"),
        ((["a"] * 6,), {"task": "regression"}, "holds 'a' for a target, and it must be a number"),
        ((REAL[:5],), {}, "has 6 inputs and 5 targets, and must have as many of both"),
        ((np.zeros((6, 2, 2)),), {}, "has targets of shape (6, 2, 2), and they must be [N] or [N, C]"),
        ((np.stack([REAL, REAL], 1),), {"task": "regression", "classes": 3}, "has 2 targets an example"),
        ((MARKS[:, 0],), {"task": "multilabel"}, "has labels of shape (6,), and of several labels they must be"),
        ((2 * MARKS,), {"task": "multilabel"}, "holds the label 2 at example 0, column 1 (counted from 0)"),
        ((with_nan(MARKS),), {"task": "multilabel"}, "has no label at example 2, column 1"),
        (
            (REAL,),
            {"task": "regresion"},
            "task is 'regresion', and must be one of classification, regression, mul",
        ),
        ((REAL, np.ones(5)), {}, "has weights of shape (5,), and must have one for each of 6 examples"),
        (
            (REAL, -np.ones(6)),
            {},
            "holds the weight -1 at example 0 (counted from 0), and weights must be 0 or more",
        ),
        ((REAL, np.zeros(6)), {}, "all weights of the train split of mine are 0, and some example must count"),
        ((REAL, with_nan(np.ones(6))), {}, "has no weight at example 2"),
        ((REAL,), {"units": 3}, "the units of mine are 3, and must be a text"),
        ((REAL,), {"units": ["mg", "cm"]}, "mine has 2 units and 1 targets"),
        (([0, 1] * 3,), {"units": "mg"}, "units of mine are given, 'mg', and only real targets have some"),
    ],
)
def test_what_cannot_be_a_target_gets_one_sentence(arguments: Any, fields: Any, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        made(*arguments, **fields)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
