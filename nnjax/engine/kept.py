"""Compiled programs on disk: a later start of a command, or of Python, compiles nothing again.

They lie in ``programs`` of the cache folder. Who sets jax's own ``jax_compilation_cache_dir`` has them there
instead, and nobody has any where ``jax_enable_compilation_cache`` is off.
"""

import contextlib
import functools
import hashlib
import os
import platform
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from jaxlib import version as jaxlib

from nnjax.data import cache

ENDING = ".program"

MOST_BYTES = 2**30
"""Of all programs together, which a process sees to when it first writes one: those longest unused go."""

CHECKSUM = 32
"""Bytes before a program, by which a damaged one is known."""


def jax_keeps() -> bool:
    """Whether jax has been told to keep programs itself."""
    return getattr(jax.config, "jax_compilation_cache_dir", None) is not None


def folder() -> Path | None:
    """Where programs for this processor lie; None where none are kept.

    Each kind of processor has a folder of its own: a home folder may be shared by a cluster of several. Where XLA
    refuses what it has compiled itself nothing is kept, and neither is in a folder that others can write to: a
    program found there would be run.
    """
    if jax_keeps() or not getattr(jax.config, "jax_enable_compilation_cache", True) or _refuses_its_own():
        return None
    with contextlib.suppress(OSError, RuntimeError):  # no home, a file in the way, a disk that is only read
        own = cache.folder() / "programs" / hashlib.sha256(_processor().encode()).hexdigest()[:16]
        own.mkdir(parents=True, exist_ok=True)
        if _is_trusted(own):
            return own
    return None


def name_of(follows_from: tuple[Any, ...], options: Mapping[str, Any], device: jax.Device) -> str:
    """The name of a program: a hash of all that it follows from, the compiler among it."""
    client = device.client
    parts = (
        *map(str, follows_from),
        sorted(options.items()),
        (jax.__version__, jaxlib.__version__, client.platform, client.platform_version, device.device_kind),
        os.environ.get("XLA_FLAGS", ""),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def circumstances(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a program follows from beside its function: the shapes of its arguments, and how jax is set."""
    leaves, tree = jax.tree.flatten(arguments)
    return tree, [str(jax.typeof(leaf)) for leaf in leaves], sorted(jax.config.values.items())


def read(name: str) -> bytes | None:
    """A program; None where there is none that is whole."""
    own = folder()
    if own is None:
        return None
    path = own / (name + ENDING)
    with contextlib.suppress(OSError):
        whole = path.read_bytes()
        if hashlib.sha256(whole[CHECKSUM:]).digest() == whole[:CHECKSUM]:
            os.utime(path)  # so that it stays
            return whole[CHECKSUM:]
    return None


def write(name: str, code: bytes) -> None:
    """Keep a program, whole or not at all."""
    own = folder()
    if own is None:
        return
    with contextlib.suppress(OSError):
        _make_room(own)
        with cache.whole(own / (name + ENDING)) as file:
            file.write(hashlib.sha256(code).digest() + code)


@functools.cache
def _make_room(own: Path) -> None:
    """Remove the programs that have been unused for longest, once in a process."""
    found = [(path.stat(), path) for path in own.glob(f"*{ENDING}")]
    size = sum(about.st_size for about, _ in found)
    for about, path in sorted(found, key=lambda pair: pair[0].st_mtime):
        if size <= MOST_BYTES:
            return
        path.unlink(missing_ok=True)
        size -= about.st_size


def _is_trusted(folder: Path) -> bool:
    """Whether nobody else can have put programs there for this process to run."""
    if not hasattr(os, "getuid"):
        return True
    found = folder.stat()
    return found.st_uid in (os.getuid(), 0) and not found.st_mode & stat.S_IWOTH


@functools.cache
def _processor(field: str = "flags") -> str:
    """What the processor can do, or with "bugs" what it is to be spared, in the words of Linux."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == field:
                return value.strip()
    return f"{platform.system()} {platform.machine()} {platform.processor()}"


def _refuses_its_own() -> bool:
    """Whether XLA compiles for this processor what it then won't load, with lines of errors at each start.

    So it is where gather instructions are avoided: https://github.com/openxla/xla/issues/44565
    """
    return "gds" in _processor("bugs").split()
