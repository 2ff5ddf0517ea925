"""How a command ends: a user's mistake is one sentence on stderr, and whatever ends it, an exit code says so.

Exit codes: 2 for a mistake or a full disk, 130 for Ctrl-C, 143 for SIGTERM, 129 for a terminal that was closed,
141 where nobody reads the output any more. An error of ours keeps its traceback.
"""

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn, TextIO

from nnjax.cli import lookalikes
from nnjax.engine.halt import SIGNALS
from nnjax.validation import UserError

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}
"""What the system answers where nothing can be written."""


class Stopped(KeyboardInterrupt):
    """A signal has asked the program to end; like Ctrl-C it passes through everything, which cleans up."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"stopped by {'Ctrl-C' if self.number == signal.SIGINT else signal.Signals(self.number).name}"


def end_early(sentence: str) -> None:
    """Say that a training was ended before its end; by a signal, that ends the program too.

    Raises:
        SystemExit: with the exit code that the signal has, once its results are written.
    """
    print(f"nnjax: {sentence}", file=sys.stderr)
    by = sentence.partition(" ")[0]
    number = signal.SIGINT if by == "Ctrl-C" else getattr(signal, by, None)
    if number is not None:
        raise SystemExit(128 + number)


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Say what the user can mend in one sentence, and end the program; an error of ours keeps its traceback.

    Raises:
        SystemExit: with the exit code.
    """
    _prepare_streams()
    with _signals():
        try:
            try:
                yield
            finally:
                _flush(sys.stdout)
        except BrokenPipeError:  # whoever read the output has gone: `nnjax … | head`
            _drop_output()
            raise SystemExit(128 + 13) from None
        except KeyboardInterrupt as error:
            stopped = error if isinstance(error, Stopped) else Stopped(signal.SIGINT)
            _end(128 + stopped.number, str(stopped), error)
        except Exception as error:
            sentence = _sentence(error)
            if sentence is None:
                raise
            _end(2, sentence, error)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn signals that ask for an end into `Stopped`, but for those that somebody takes care of or ignores.

    After the first, another SIGTERM changes nothing while all is tidied up, and another Ctrl-C ends it at once.
    """
    if threading.current_thread() is not threading.main_thread():  # others can't, and get none
        yield
        return
    former: dict[int, Any] = {}

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for taken in former:
            signal.signal(taken, signal.SIG_DFL if taken == signal.SIGINT else signal.SIG_IGN)
        raise Stopped(number)

    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            former[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _prepare_streams() -> None:
    """Streams that print what they can, and no file that is opened later in the place of a closed one."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            with contextlib.suppress(Exception):
                stream.reconfigure(errors=lookalikes.NAME)
    for standard in (0, 1, 2):
        try:
            os.fstat(standard)
        except OSError:
            # XLA's words to a closed stderr would go into the results, had their file taken its number.
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def _sentence(error: Exception) -> str | None:
    """What to tell the user of an error that isn't ours."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return f"{error.filename or 'the output'} can't be written: {error.strerror}"
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "out of memory" in str(error).lower()
    ):
        return f"out of memory: give it fewer runs at a time, or smaller ones{f' ({error})' if str(error) else ''}"
    return None


def _flush(stream: TextIO | None) -> None:
    """Write what has been kept back, where there is somewhere to write it."""
    if stream is not None and not getattr(stream, "closed", False):
        stream.flush()


def _drop_output() -> None:
    """Give up what can't be written: Python tries again when it ends, complains, and has an exit code for it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            _flush(stream)
        except OSError:
            with contextlib.suppress(OSError, ValueError):  # a stream without a file
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _end(code: int, sentence: str, error: BaseException) -> NoReturn:
    notes = [] if isinstance(error, UserError) else getattr(error, "__notes__", [])  # where the results are left
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # nobody is there to read it
            print(f"nnjax: {' '.join('. '.join([sentence, *notes]).split())}", file=sys.stderr, flush=True)
    _drop_output()
    raise SystemExit(code)
