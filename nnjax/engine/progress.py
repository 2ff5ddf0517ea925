"""How far a training has come: a bar on a terminal, and elsewhere a line now and then.

Nothing that happens to stderr stops a training: there may be none, as under pythonw, it may be closed, or an
object of somebody's that only takes text.
"""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

FIRST = 10.0
"""Seconds before the first line: a short training prints none."""

LONGEST = 600.0
"""Seconds between two lines at the most; until then each takes twice as long to come as the one before."""


class Progress:
    """Shows how many epochs of all runs are done, while it is open::

        with Progress(total=runs * epochs, title="128 runs") as progress:
            progress.update(128, "best 0.91")

    Args:
        total: epochs of all runs, which may turn out to be more or fewer.
        title: what trains.
        shown: True for a bar, False for nothing; None for a bar on a terminal, and lines elsewhere.
        clock: seconds since some time.
    """

    def __init__(
        self, total: int, title: str, shown: bool | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total = total
        self.title = title
        self.done = 0
        self._clock = clock
        self._lines = shown is None and not _is_terminal(sys.stderr)
        self._bar: Any = None  # tqdm's
        self._wanted = shown is not False and not self._lines
        self._began = self._next = clock()

    def __enter__(self) -> Self:
        self._began = self._clock()
        self._next = self._began + FIRST
        if self._wanted:
            self._guarded(self._open_bar)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._guarded(self._bar.close)

    def update(self, runs: int, words: str = "", total: int | None = None) -> None:
        """So many runs have done one more epoch, of a ``total`` that may be new; ``words`` say what else is."""
        self.done += runs
        self.total = self.total if total is None else total
        if self._bar is not None:
            self._guarded(lambda: self._advance(runs, words))
        elif self._lines and self.done != self.total and self._clock() >= self._next:
            self._guarded(lambda: self._print(words))

    def _open_bar(self) -> None:
        self._bar = tqdm(total=self.total, unit="epoch", desc=self.title, smoothing=0.1, file=sys.stderr)

    def _advance(self, runs: int, words: str) -> None:
        if words:
            self._bar.set_postfix_str(words, refresh=False)
        self._bar.total = self.total
        self._bar.update(runs)

    def _print(self, words: str) -> None:
        now = self._clock()
        elapsed = now - self._began
        self._next = now + min(elapsed, LONGEST)
        parts = [f"{self.title}: {self.done:,} of {max(self.total, self.done):,} epochs", _duration(elapsed)]
        if 0 < self.done <= self.total:
            parts[0] = f"{self.title}: {100 * self.done // self.total}%, {self.done:,} of {self.total:,} epochs"
            parts.append(f"about {_duration(elapsed * (self.total - self.done) / self.done)} left")
        print(", ".join([*parts, words] if words else parts), file=sys.stderr, flush=True)

    def _guarded(self, show: Callable[[], object]) -> None:
        """Show something; where that fails, show nothing more."""
        try:
            show()
        except Exception:  # a stream of somebody's may raise what it likes
            bar, self._bar, self._lines = self._bar, None, False
            if bar is not None:
                bar.disable = True  # or tqdm would try once more when it is forgotten


def _is_terminal(stream: Any) -> bool:
    """Whether a stream, of whatever kind, is a terminal."""
    try:
        return bool(stream.isatty())
    except Exception:  # None, without such a method, or closed
        return False


def _duration(seconds: float) -> str:
    """Seconds in words: 42 s, 3:07 min, 2:05:00 h."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02} h"
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"
