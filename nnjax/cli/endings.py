"""How a command ends: in what a user can mend as one sentence, and never with half a line to a closed pipe."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

from nnjax.validation import UserError

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
"""What the system answers where nothing can be written."""


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Say what the user can mend in one sentence, and end the program; an error of ours keeps its traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without ± or η
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has gone: `nnjax … | head`
        _drop_output()
        raise SystemExit(128 + 13) from None
    except KeyboardInterrupt as error:
        _end(130, "stopped by Ctrl-C", error)
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        _end(2, sentence, error)


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


def _drop_output() -> None:
    """Give up what can't be written: Python tries again when it ends, and complains."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(code: int, sentence: str, error: BaseException) -> None:
    notes = [] if isinstance(error, UserError) else getattr(error, "__notes__", [])  # where the results are left
    print(f"nnjax: {' '.join('. '.join([sentence, *notes]).split())}", file=sys.stderr)
    _drop_output()
    raise SystemExit(code)
