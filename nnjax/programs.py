"""Compiled programs kept on disk, so that the next start of a command or a study need not compile them again.

It is a setting of the whole process, which is why only `nnjax.cli` uses it: who imports nnjax decides for himself.
"""

import contextlib
import hashlib
import platform
import warnings
from pathlib import Path

import jax

WORTH_KEEPING = 0.1
"""Seconds of compilation from which a program is kept."""


def keep_programs(folder: Path) -> None:
    """Let jax keep compiled programs below a folder, unless it has been told another or it can't be written to.

    Each kind of processor has a folder of its own in it: jax doesn't tell them apart, and a home folder may be
    shared by a cluster of several. Where XLA refuses what it has compiled itself, nothing is kept.
    """
    if getattr(jax.config, "jax_compilation_cache_dir", None) is not None or _refuses_its_own():
        return
    own = folder / hashlib.sha256(_processor().encode()).hexdigest()[:16]
    with contextlib.suppress(OSError):
        own.mkdir(parents=True, exist_ok=True)
        # A program that can't be read or written, on a full disk say, is compiled as if there were no folder.
        warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
        jax.config.update("jax_compilation_cache_dir", str(own))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", WORTH_KEEPING)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


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
