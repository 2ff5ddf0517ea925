"""What is worth saying of a data set's splits, and what tells one data set from another."""

import dataclasses

import numpy as np
import pytest

from nnjax.config import DataConfig
from nnjax.data import Dataset, Examples, load_data, split_train


def split(*labels: int) -> Examples:
    return Examples(np.zeros((len(labels), 2), np.uint8), np.array(labels))


def made(train: Examples, valid: Examples, test: Examples, classes: int, *, loaded: bool = False) -> Dataset:
    config = DataConfig("mnist", "DIR") if loaded else None
    return Dataset("toy", train, valid, test, classes=classes, scale=255.0, config=config)


FULL = split(0, 1, 2, 0, 1, 2)


def test_sorted_files_are_told_from_the_classes_that_only_validate() -> None:
    labels = np.repeat(np.arange(10), 10)
    examples = Examples(np.zeros((100, 2), np.uint8), labels)
    test = split(*range(10))
    train, valid = split_train(examples, 0.2, None)
    data = Dataset("toy", train, valid, test, classes=10, scale=255.0, config=DataConfig("mnist", "DIR"))
    assert data.notes == (
        "training has no example of the classes 8 and 9, of which validation has 20 and test 2: the training set "
        "lies sorted by class, and data.split_seed=0 shuffles it before its last part is taken to validate",
    )
    shuffled = dataclasses.replace(
        data, **dict(zip(("train", "valid"), split_train(examples, 0.2, 0), strict=True))
    )
    assert shuffled.notes == ()
    own = dataclasses.replace(data, config=None)
    assert own.notes == (
        "training has no example of the classes 8 and 9, of which validation has 20 and test 2: the training set "
        "lies sorted by class, and is shuffled before the split by nnjax.data.split_train(…, seed=0)",
    )
    # Of one's own as well, though it has a configuration.
    assert dataclasses.replace(own, config=DataConfig(lambda: own)).notes == own.notes


NOTES: dict[str, tuple[Dataset, tuple[str, ...]]] = {
    "nothing": (made(FULL, FULL, FULL, 3), ()),
    "one class": (made(split(0), split(0), split(0), 1), ()),
    "unseen in training": (
        made(split(0, 1, 0, 1), FULL, split(0, 1), 3),
        ("training has no example of the class 2, of which validation has 2",),
    ),
    "unseen in training, shuffled": (
        made(split(1, 0, 0, 1), FULL, FULL, 3, loaded=True),
        ("training has no example of the class 2, of which validation has 2 and test 2",),
    ),
    "only in test": (
        made(split(0, 1), split(0, 1), split(0, 2, 2), 3),
        ("training has no example of the class 2, of which test has 2",),
    ),
    "nowhere": (
        made(split(0, 2), split(0, 2), split(0, 2), 4),
        ("no split has an example of the classes 1 and 3, and classes is 4",),
    ),
    "one class to train on": (
        made(split(1, 1), FULL, FULL, 3),
        (
            "training has no example of the classes 0 and 2, of which validation has 4 and test 4",
            "all examples of training are of the class 1",
        ),
    ),
    "one class to validate on": (
        made(FULL, split(2, 2), FULL, 3, loaded=True),
        ("all examples of validation are of the class 2",),
    ),
    "sorted, and one class to validate on": (
        made(split(0, 0, 1, 1, 2), split(2, 2), FULL, 3, loaded=True),
        (
            "all examples of validation are of the class 2: the training set lies sorted by class, and "
            "data.split_seed=0 shuffles it before its last part is taken to validate",
        ),
    ),
    "one class to test on": (made(FULL, FULL, split(1), 3), ("all examples of test are of the class 1",)),
    "many": (
        made(split(0), split(*range(40)), split(0), 50),
        (
            "training has no example of the classes 1, 2, 3, 4, 5, 6, 7 and 32 others, of which validation has "
            "39: the training set lies sorted by class, and is shuffled before the split by "
            "nnjax.data.split_train(…, seed=0)",
            "no split has an example of the classes 40, 41, 42, 43, 44, 45, 46 and 3 others, and classes is 50",
            "all examples of training are of the class 0",
            "all examples of test are of the class 0",
        ),
    ),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_is_said_of_the_splits(case: str) -> None:
    data, notes = NOTES[case]
    assert data.notes == notes


def test_nothing_is_said_of_the_digits() -> None:
    assert load_data().notes == ()
    assert load_data(split_seed=3, valid_fraction=0.5).notes == ()


def test_equal_examples_have_one_fingerprint_whatever_they_are_called() -> None:
    one, other = made(FULL, FULL, FULL, 3), dataclasses.replace(made(FULL, FULL, FULL, 3), name="other")
    assert one.fingerprint == other.fingerprint
    assert len(one.fingerprint) == 64
    assert one.fingerprint is one.fingerprint  # hashed once


@pytest.mark.parametrize(
    "change",
    [
        {"train": Examples(np.ones((6, 2), np.uint8), FULL.y)},
        {"train": Examples(np.zeros((6, 2), np.float32), FULL.y)},
        {"train": split(0, 1, 2, 0, 1, 1)},
        {"valid": split(0, 1, 2)},
        {"test": split(0, 1, 2, 0, 1, 0)},
        {"scale": 16.0},
        {"classes": 4},
    ],
    ids=str,
)
def test_any_other_example_has_another_fingerprint(change: dict[str, object]) -> None:
    data = made(FULL, FULL, FULL, 3)
    assert dataclasses.replace(data, **change).fingerprint != data.fingerprint  # type: ignore[arg-type]


def test_a_fingerprint_does_not_depend_on_how_the_arrays_lie() -> None:
    x = np.arange(12, dtype=np.uint8).reshape(6, 2)
    plain = made(Examples(x, FULL.y), FULL, FULL, 3)
    turned = made(Examples(np.asfortranarray(x), FULL.y), FULL, FULL, 3)
    assert plain.fingerprint == turned.fingerprint
