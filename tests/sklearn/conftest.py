"""Estimators as people have them: promotion as jax has it by itself, and no word of what hasn't converged."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def as_people_have_jax() -> Iterator[None]:
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/sklearn/" in str(item.path):
            item.add_marker(pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"))
