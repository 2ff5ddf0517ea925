"""Whether somebody wants a training to end: by Ctrl-C, by a signal of the system, or by the clock.

It ends at the next epoch, so that what has been trained is labelled. Who asks a second time is heard at once.
"""

import contextlib
import math
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

from nnjax.validation import UserError, short

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""What asks a program to end, by name, as not every system has all of them."""


class Halt:
    """Listens, while it is open, for what ends a training::

        with Halt(seconds=3600) as halt:
            while not halt.asked(): ...

    Args:
        seconds: until the time is up; None gives all the time.
    """

    def __init__(self, seconds: float | None = None) -> None:
        if seconds is not None and not (
            isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
        ):
            raise UserError(f"the time limit is {short(seconds)}, and must be a number of seconds above 0")
        self._until = math.inf if seconds is None else time.monotonic() + seconds
        self._reason = ""
        self._former: dict[int, Any] = {}

    def asked(self) -> str:
        """What ends the training; empty for nothing."""
        if not self._reason and time.monotonic() >= self._until:
            self._reason = "the time limit"
        return self._reason

    def __enter__(self) -> Self:
        # Only the main thread hears signals, and one that is ignored, as by nohup, stays so.
        if threading.current_thread() is threading.main_thread():
            for name in SIGNALS:
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) not in (None, signal.SIG_IGN):
                    self._former[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former.clear()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._reason = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        self.__exit__(None, None, None)  # the next one is for who listened before
        words = f"{self._reason}: ends at the next epoch and keeps what there is; once more leaves at once"
        with contextlib.suppress(Exception):  # a stderr that is closed must not keep the training from ending
            print(f"\n{words}", file=sys.stderr, flush=True)
