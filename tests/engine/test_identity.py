"""What a program follows from, as text."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnjax
from nnjax.engine import identity as identities
from nnjax.engine.identity import identity
from nnjax.training.structure import Structure

DIFFERENT: list[dict[str, Any]] = [
    {},
    {"hidden": (8, 3)},
    {"hidden": (83,)},
    {"activation": "relu"},
    {"loss": "mse"},
    {"optimizer": "adam"},
    {"optimizer": "adamw"},
    {"momentum": 0.9},
    {"dropout": 0.1},
    {"schedule": "cosine"},
    {"metrics": ["class_accuracy"]},
    {"model": "softmax_regression"},
    {"model": "dan"},
    {"residual": True},
]


def structures() -> list[Structure]:
    of_classes = [Structure.of(nnjax.Config(**fields), 5, 7) for fields in DIFFERENT]
    losses = ("mse", "mae", "huber")
    return of_classes + [Structure.of(nnjax.Config(loss=loss), 1, 7, "regression") for loss in losses]


def test_structures_that_differ_are_said_apart_and_equal_ones_alike() -> None:
    said, again = ([identity("epoch", structure) for structure in structures()] for _ in range(2))
    assert None not in said
    assert len({*said}) == len(said)
    assert said == again


SAID = """
import sys
sys.path.insert(0, sys.argv[1])
import test_identity
print(*(test_identity.identity(structure) for structure in test_identity.structures()), sep="\\n")
"""


def test_another_process_says_the_same(
    in_a_process: Callable[..., str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    assert in_a_process(SAID, request.path.parent).splitlines() == [identity(each) for each in structures()]


def own(x: Any, slope: Any) -> Any:
    return x


OWN: dict[str, Any] = {"function": own, "lambda": lambda x: x, "object": object(), "array": np.ones(2), "set": {1}}


@pytest.mark.parametrize("name", OWN)
def test_what_is_not_known_is_not_said(name: str) -> None:
    assert identity("epoch", OWN[name]) is None
    assert identity({"deep": (1, [OWN[name]])}) is None


def test_a_part_of_ones_own_is_not_said() -> None:
    assert identity(Structure.of(nnjax.Config(activation=own), 5, 7)) is None


def test_source_that_has_changed_since_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    identities._code.cache_clear()
    monkeypatch.setattr(identities, "BEGAN", 0.0)
    assert identity(1) is None
    monkeypatch.undo()
    assert identity(1) is not None


def test_kinds_of_numbers_are_said_apart() -> None:
    values = [1, 1.0, True, "1", b"1", np.float32(1), np.int32(1), None, (1,), [1]]
    assert len({identity(value) for value in values}) == len(values)
