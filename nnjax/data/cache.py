"""A copy of what was read, in one file that loads at once.

A cache is never in the way: one that can't be read or written is as good as none.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nnjax.types import Examples

FORMAT = 2
"""Counts up when what a reader makes of the same files changes."""


def folder() -> Path:
    """$NNJAX_CACHE_DIR, else $XDG_CACHE_HOME/nnjax, else ~/.cache/nnjax.

    Raises:
        RuntimeError: when the user has no home folder.
    """
    if own := os.environ.get("NNJAX_CACHE_DIR"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nnjax"


@contextlib.contextmanager
def whole(target: Path) -> Iterator[BinaryIO]:
    """A file that comes to its place when all is written, or not at all."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Entry:
    """Where the copy of a data set lies, and from which files it must have been made to be used."""

    file: str
    """The name of the copy, from the paths of the files: when they change, the copy is replaced."""
    identity: str
    """Format, source, and the path, size and time of change of each file."""

    @classmethod
    def of(cls, name: str, source: str, files: Sequence[Path]) -> "Entry":
        """The entry for files as they are now; make it before they are read, lest they change meanwhile."""
        paths = [str(path.resolve()) for path in files]
        stats = [path.stat() for path in files]
        place = hashlib.sha256(json.dumps(paths).encode()).hexdigest()[:16]
        states = [(path, stat.st_size, stat.st_mtime_ns) for path, stat in zip(paths, stats, strict=True)]
        return cls(f"{name}-{source}-{place}.npz", json.dumps([FORMAT, source, states]))

    def load(self) -> tuple[Examples, Examples] | None:
        """The training and the test set, or None where there is no sound copy of these files."""
        try:
            # NumPy leaves a file open that it opened itself and then can't make sense of.
            with (folder() / self.file).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                if str(arrays["identity"]) != self.identity:
                    return None
                return (
                    Examples(arrays["train_x"], arrays["train_y"]),
                    Examples(arrays["test_x"], arrays["test_y"]),
                )
        except Exception:
            # Damage shows as any of a dozen exceptions of zipfile, zlib and NumPy, and all mean: read the source.
            return None

    def store(self, train: Examples, test: Examples) -> None:
        """Write a copy, whole or not at all."""
        # Whoever can't write (a full disk, a read-only home, no home) reads the source again next time.
        with contextlib.suppress(OSError, RuntimeError):
            target = folder() / self.file
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole(target) as file:
                np.savez(
                    file,
                    identity=np.array(self.identity),
                    train_x=train.x,
                    train_y=train.y,
                    test_x=test.x,
                    test_y=test.y,
                )
