"""Inputs that stay in their file: of which some rows are in memory at a time.

An epoch reads them in windows. A window is made of blocks of rows that follow each other, from all over the file,
so that a disk reads long stretches and a window holds a bit of everything: the blocks are in random order, and the
examples of a window are shuffled once it is in memory.
"""

import math
import mmap
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int, Num

from nnjax.data.arrays import kind_of
from nnjax.types import Examples, Weighted
from nnjax.validation import UserError, check_count

WINDOW_BYTES = 2**26
"""Of a window where nobody says how large it is, and of inputs up to which a memory map is read as a whole."""

BLOCKS = 64
"""Of which a window is made."""

GAP_BYTES = 2**17
"""Bytes between two rows up to which they are read in one go, with what lies between."""


class Stored:
    """Inputs [N, D] that are read from their source some rows at a time.

    Args:
        source: what has a ``shape``, a ``dtype`` and slices of rows: a `numpy.memmap`, as ``numpy.load(file,
            mmap_mode="r")`` gives it, or a dataset of h5py or zarr. What a memory map shows is read from its file,
            so that nothing of it counts as the process's memory.
        rows: the numbers of the rows that are the examples, in their order; None for all.
        window: examples that are in memory at a time, and that are shuffled together; None for 64 MB of them.

    Raises:
        UserError: for a source without shape, dtype and slices.
    """

    def __init__(self, source: Any, rows: Int[np.ndarray, " N"] | None = None, window: int | None = None) -> None:
        shape, dtype = getattr(source, "shape", None), getattr(source, "dtype", None)
        if not isinstance(shape, tuple) or dtype is None or not hasattr(source, "__getitem__"):
            raise UserError(
                f"the source of stored inputs is {kind_of(source)}, and must have a shape, a dtype and slices, as "
                'np.load(file, mmap_mode="r") has them'
            )
        if window is not None:
            check_count("the window of stored inputs", window)
        self.source, self.rows, self._window = source, rows, window
        self.extremes: tuple[float, float] | None = None
        """The least and the largest input, once all have been looked at."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        shape = tuple(map(int, self.source.shape))
        return shape if self.rows is None else (len(self.rows), *shape[1:])

    @property
    def ndim(self) -> int:
        """2."""
        return len(self.shape)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Of the rows that are read: bytes stay bytes, as truth values become, and all else is floating point."""
        stored = np.dtype(self.source.dtype)
        if stored.kind == "b" or stored == np.uint8:
            return np.dtype(np.uint8)
        return np.dtype(np.float16 if stored == np.dtype(np.float16) else np.float32)

    @property
    def itemsize(self) -> int:
        """Bytes of an input."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes that are in memory at a time: one window is learned from while the next is read."""
        return min(2 * self.window, len(self)) * self._row_bytes

    @property
    def window(self) -> int:
        """Examples of a window."""
        return self._window or max(1, WINDOW_BYTES // self._row_bytes)

    @property
    def block(self) -> int:
        """Examples of a block."""
        return max(1, self.window // BLOCKS)

    @property
    def _row_bytes(self) -> int:
        return max(1, math.prod(self.shape[1:]) * self.itemsize)

    def described(self) -> str:
        """How an epoch reads it, in a sentence."""
        number = -(-len(self) // self.window)
        return (
            f"the {len(self):,} training inputs stay in their file: an epoch reads {number:,} windows of "
            f"{self.window:,} examples, each of blocks of {self.block:,} from all over it, in an order that all "
            "runs share, and each run shuffles the examples of a window"
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> "Stored":
        """Some rows, by a slice, indices or truth values; nothing is read."""
        numbers = np.arange(len(self)) if self.rows is None else self.rows
        return Stored(self.source, numbers[rows], self._window)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All rows, in memory."""
        return self.read(np.arange(len(self))).astype(dtype or self.dtype, copy=False)

    def read(self, places: Int[np.ndarray, " n"]) -> Num[np.ndarray, "n D"]:
        """The rows at some places, in the order of these."""
        return self.raw(places).astype(self.dtype, copy=False)

    def raw(self, places: Int[np.ndarray, " n"]) -> Num[np.ndarray, "n D"]:
        """Likewise, as the source has them."""
        wanted = places if self.rows is None else self.rows[places]
        order = np.argsort(wanted, kind="stable")
        ordered = wanted[order]
        stored = np.dtype(self.source.dtype)
        found = np.empty((len(wanted), *self.shape[1:]), stored.newbyteorder("="))
        gap = max(1, GAP_BYTES // max(1, math.prod(self.shape[1:]) * stored.itemsize))
        for part in np.split(np.arange(len(wanted)), np.flatnonzero(np.diff(ordered) > gap) + 1):
            if part.size:
                first, end = int(ordered[part[0]]), int(ordered[part[-1]]) + 1
                found[order[part]] = self._stretch(first, end)[ordered[part] - first]
        return found

    def _stretch(self, first: int, end: int) -> np.ndarray:
        """The rows of the source from one to before another."""
        if self._file is None:
            return np.asarray(self.source[first:end])
        path, offset = self._file
        size = math.prod(self.source.shape[1:])
        where = offset + first * size * self.source.dtype.itemsize
        try:
            flat = np.fromfile(path, self.source.dtype, (end - first) * size, offset=where)
        except OSError as error:
            raise UserError(f"{path} can't be read: {error.strerror or error}") from error
        if flat.size < (end - first) * size:
            raise UserError(f"{path} ends before its row {end:,}: it has been cut short")
        return flat.reshape(end - first, *self.source.shape[1:])

    @cached_property
    def _file(self) -> tuple[str, int] | None:
        """The file of a memory map, and where in it the first row begins; None for what isn't one in one piece."""
        root = self.source
        while isinstance(root, np.memmap) and not isinstance(root.base, mmap.mmap):
            root = root.base
        if not isinstance(root, np.memmap) or not root.filename or root.mode == "c":
            return None  # what is written into a copy of pages isn't in the file
        if not self.source.flags.c_contiguous:
            return None
        # A view has the offset of the whole map, and is told by where it lies.
        shift = self.source.__array_interface__["data"][0] - root.__array_interface__["data"][0]
        return str(root.filename), root.offset + shift


def windows(count: int, window: int, block: int, epoch: int | None = None) -> Iterator[Int[np.ndarray, " n"]]:
    """The places of the examples of each window, the last of which may be a short one.

    Args:
        count: N.
        window: examples of one.
        block: examples that stay together.
        epoch: what the order of the blocks is drawn by; None leaves them in their order, and so does a window that
            holds all.
    """
    firsts = np.arange(0, count, block)
    if epoch is not None and window < count:
        # RandomState, since its stream is frozen (NEP 19): results are the same with every NumPy.
        firsts = np.random.RandomState(epoch).permutation(firsts)
    # Windows are cut from the stream of blocks, so that a short block at the end doesn't make a short window.
    places = np.concatenate([np.arange(first, min(first + block, count)) for first in firsts.tolist()])
    for start in range(0, count, window):
        yield places[start : start + window]


def some_of(split: Examples | Weighted, places: Int[np.ndarray, " n"]) -> Examples | Weighted:
    """The examples of a split at some places, in memory."""
    return type(split)(*(part.read(places) if isinstance(part, Stored) else part[places] for part in split))
