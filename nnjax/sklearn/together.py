"""Fits that are asked for one by one, by whatever of scikit-learn's asks, and trained at once."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from nnjax.sklearn.fits import Data, Fit, Trained, add_array, train_fits


class Together:
    """Notes fits that are asked for; then trains them, and whoever asks again is given what came out."""

    def __init__(self) -> None:
        self._asked: dict[str, Fit] = {}
        self._data: dict[str, Data] = {}  # one of many equal ones is kept
        self._trained: dict[str, list[Trained]] | None = None

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """Fits inside are noted, or given what came out of them."""
        token = _NOW.set(self)
        try:
            yield
        finally:
            _NOW.reset(token)

    def train(self) -> None:
        """Train what was noted."""
        found = train_fits(list(self._asked.values()), states=False) if self._asked else []
        self._trained = dict(zip(self._asked, found, strict=True))
        self._asked, self._data = {}, {}

    def of(self, key: str, fit: Callable[[], Fit]) -> list[Trained] | None:
        """The networks of a fit; None where it is noted."""
        if self._trained is None:
            asked = fit()
            data = self._data.setdefault(asked.data.digest, asked.data)
            self._asked[key] = dataclasses.replace(asked, data=data)
            return None
        return self._trained.get(key) or train_fits([fit()])[0]


_NOW: ContextVar[Together | None] = ContextVar("together", default=None)


def trained(estimator: Any, x: Any, y: Any, weight: Any, fit: Callable[[], Fit]) -> list[Trained] | None:
    """The networks of an estimator's fit; None where they come later.

    Args:
        estimator: that is fitted; its parameters tell its fits apart.
        x, y, weight: to which.
        fit: what it asks for.
    """
    now = _NOW.get()
    if now is None:
        return train_fits([fit()], verbose=bool(estimator.verbose))[0]
    params = estimator.get_params()
    if params["random_state"] is not None and not isinstance(params["random_state"], int):
        params["random_state"] = "a stream"  # whose address says nothing
    digest = hashlib.blake2b(f"{type(estimator).__name__} {sorted(params.items())!r}".encode())
    for array in (x, y, *([] if weight is None else [weight])):
        add_array(digest, array)
    return now.of(digest.hexdigest(), fit)
