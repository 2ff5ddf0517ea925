"""Progress, on whatever stderr is."""

import gc
import io
import itertools
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from nnjax.engine.progress import FIRST, LONGEST, Progress


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def train(clock: Clock, epochs: int, seconds: float, **options: Any) -> Progress:
    """An epoch of two runs every so many seconds."""
    with Progress(2 * epochs, "2 runs", clock=clock, **options) as progress:
        for _ in range(epochs):
            clock.now += seconds
            progress.update(2)
    return progress


def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A log that stands for stderr."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_a_short_training_prints_nothing_to_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = log(monkeypatch)
    train(Clock(), 9, FIRST / 10)
    assert stderr.getvalue() == ""


def test_the_end_needs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = log(monkeypatch)
    train(Clock(), 1, 10 * FIRST)  # which was compilation, say
    assert stderr.getvalue() == ""


def test_a_line_says_how_far_it_is_and_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = log(monkeypatch)
    clock = Clock()
    with Progress(1600, "8 runs", clock=clock) as progress:
        clock.now += 95
        progress.update(400)
    assert stderr.getvalue() == "8 runs: 25%, 400 of 1,600 epochs, 1:35 min, about 4:45 min left\n"


def test_words_stand_at_the_end_of_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = log(monkeypatch)
    clock = Clock()
    with Progress(4, "1 run", clock=clock) as progress:
        clock.now += 4000
        progress.update(3, "best accuracy 0.9")
    assert stderr.getvalue() == "1 run: 75%, 3 of 4 epochs, 1:06:40 h, about 22:13 min left, best accuracy 0.9\n"


def test_lines_come_after_growing_times_and_never_more_than_ten_minutes_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    came = []

    class Log(io.StringIO):
        def write(self, text: str) -> int:
            if text.strip():
                came.append(clock.now - 1000)
            return len(text)

    monkeypatch.setattr(sys, "stderr", Log())
    train(clock, 7200, 1)
    assert came[:5] == [10, 20, 40, 80, 160]
    apart = [after - before for before, after in itertools.pairwise(came)]
    assert apart == sorted(apart)
    assert max(apart) == LONGEST
    assert 7200 - came[-1] < LONGEST
    assert len(came) < 20


def test_more_epochs_than_were_foreseen_are_told_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = log(monkeypatch)
    train(Clock(), 1, 20, shown=None)
    clock = Clock()
    with Progress(0, "a search", clock=clock) as progress:
        clock.now += 20
        progress.update(5)
    assert stderr.getvalue().splitlines()[-1] == "a search: 5 of 5 epochs, 20 s"


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(4, "2 runs") as progress:
        progress.update(2)
        progress.update(2, "nearly")
    assert "2 runs: 100%" in stream.getvalue()
    assert "nearly" in stream.getvalue()


def test_a_bar_can_be_had_anywhere_and_nothing_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = log(monkeypatch)
    train(Clock(), 3, 100, shown=True)
    assert "2 runs: 100%" in stderr.getvalue()
    for stream in (io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, "stderr", stream)
        train(Clock(), 3, 100, shown=False)
        assert stream.getvalue() == ""


class Logger:
    """What people put in the place of stderr to have it in their logs."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


class Failing(io.StringIO):
    """A pipe that nobody reads, a full disk, or a mistake of somebody's."""

    def __init__(self, error: Exception, terminal: bool) -> None:
        super().__init__()
        self._error, self._terminal, self.tried = error, terminal, 0

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        self.tried += 1
        raise self._error

    def flush(self) -> None:
        self.tried += 1
        raise self._error


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


def closed_file() -> Any:
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    stream.close()
    return stream


STREAMS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "object": object,
    "logger": Logger,
    "closed": closed,
    "closed file": closed_file,
    "broken pipe": lambda: Failing(BrokenPipeError(32, "Broken pipe"), terminal=False),
    "terminal gone": lambda: Failing(OSError(5, "Input/output error"), terminal=True),
    "no letters": lambda: Failing(UnicodeEncodeError("ascii", "█", 0, 1, "no"), terminal=True),
    "a mistake": lambda: Failing(KeyError("no"), terminal=True),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("shown", [None, True, False])
def test_nothing_that_stderr_does_stops_a_training(
    name: str, shown: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = STREAMS[name]()
    monkeypatch.setattr(sys, "stderr", stream)
    assert train(Clock(), 30, 40, shown=shown).done == 60
    gc.collect()  # what is left undone complains when it is forgotten, which fails a test
    if isinstance(stream, Failing) and shown is not False:
        assert 0 < stream.tried < 6  # then it is left alone


def test_a_logger_gets_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    class Log:
        def write(self, text: str) -> None:
            logging.getLogger("training").info(text)
            lines.append(text)

        def flush(self) -> None:
            pass

    lines: list[str] = []
    monkeypatch.setattr(sys, "stderr", Log())
    train(Clock(), 3, 100)
    assert "2 runs: 33%" in "".join(lines)
    assert "".join(lines).count("left\n") == 2


def test_stderr_that_breaks_in_the_middle_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress(10, "1 run", shown=True) as progress:
        progress.update(1)
        sys.stderr.close()
        progress._bar.mininterval = progress._bar.miniters = 0
        progress.update(1)
        progress.update(8)
    assert progress.done == 10
