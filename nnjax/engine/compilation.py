"""Compiled programs: one for all devices, and kept on disk.

Programs on disk spare the next start of a command or a study their compilation. It is a setting of the whole
process, which is why only `nnjax.cli.main` uses it: who imports nnjax decides for himself.
"""

import contextlib
import hashlib
import os
import pickle
import platform
import re
import stat
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
from jax.experimental import serialize_executable
from jax.stages import Compiled, Lowered

WORTH_KEEPING = 0.1
"""Seconds of compilation from which a program is kept."""

LONG_VECTORS: dict[str, dict[str, Any]] = {"cpu": {"xla_cpu_prefer_vector_width": 512}}
"""Options, by platform, with which a program takes longer to compile and less long to run. By default XLA uses 256
of a vector's 512 bits, as some processors slow down for all of them; but its matrix products use them anyway."""

QUICK: dict[str, dict[str, Any]] = {
    "cpu": {
        "xla_cpu_use_fusion_emitters": False,
        "xla_backend_optimization_level": 1,
        "xla_cpu_parallel_codegen_split_count": 1,
    }
}
"""Options with which a program takes half as long to compile: XLA makes its kernels in the older of its two ways
(jax 0.11 has only the newer), and in one piece. What is no matrix product then runs as fast, or a tenth slower."""

NO_OPTION = re.compile(r"No such compile option: '(?P<name>\w+)'")
"""What XLA says of an option that another version of it has."""

FAULT = re.compile(r"Error (?P<doing>reading|writing) persistent compilation cache entry for '(?P<name>[^']*)'")
"""What jax warns of when it can't use a program on disk; the file's name begins with the program's."""


class Program:
    """A jitted function that is compiled once for all devices on which it is called.

    jax would compile for every device anew. Here what was compiled for the first one is loaded on the others,
    where XLA can write it down. That is done before it runs, since XLA then refuses some, as those that sort.
    Where jax keeps programs on disk, the other devices find them there. Threads may share it.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        donate: int | None = None,
        options: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        self._options = options or {}
        self._jitted = jax.jit(function, donate_argnums=() if donate is None else donate)
        self._written: dict[Any, tuple[Any, ...] | None] = {}
        self._compiled: dict[Any, Compiled] = {}
        self._lock = threading.RLock()

    def __call__(self, *arguments: Any) -> Any:
        """Call it where the first argument lies; the others lie there too, or on the host."""
        with _calling():
            return self.compiled(*arguments)(*arguments)

    def compiled(self, *arguments: Any) -> Compiled:
        """The program for arguments of these shapes, on their device, or for those of the host on jax's own."""
        leaves, tree = jax.tree.flatten(arguments)
        shapes = (tree, *((leaf.shape, leaf.dtype) for leaf in leaves))
        device = leaves[0].device if isinstance(leaves[0], jax.Array) else jax.local_devices()[0]
        with self._lock:
            if (shapes, device) not in self._compiled:
                self._compiled[shapes, device] = self._compile(shapes, device, arguments)
            return self._compiled[shapes, device]

    def _compile(self, shapes: Any, device: jax.Device, arguments: tuple[Any, ...]) -> Compiled:
        written = self._written.get(shapes)
        if written:
            return _read(written, device)
        with _compiling():
            program = _compile(self._jitted.lower(*arguments), self._options.get(device.platform, {}))
        if shapes not in self._written:
            self._written[shapes] = _write(program)
        return program


_missing: set[str] = set()
"""Options that the installed XLA has been found not to have."""


def _compile(lowered: Lowered, options: Mapping[str, Any]) -> Compiled:
    """Compile with those of the options that the installed XLA has."""
    while True:
        try:
            return lowered.compile({name: value for name, value in options.items() if name not in _missing})
        except jax.errors.JaxRuntimeError as error:
            missing = NO_OPTION.search(str(error))
            if missing is None or missing["name"] not in options:
                raise
            _missing.add(missing["name"])


def settings_of_this_thread() -> Callable[[], contextlib.ExitStack]:
    """What makes another thread compile as this one does, in which somebody may have set jax to something."""
    names = ("numpy_dtype_promotion", "numpy_rank_promotion", "default_matmul_precision", "enable_x64")
    held = {name: getattr(jax.config, f"jax_{name}") for name in names}

    def there() -> contextlib.ExitStack:
        stack = contextlib.ExitStack()
        for name, value in held.items():
            stack.enter_context(getattr(jax, name)(value))
        return stack

    return there


@contextlib.contextmanager
def _compiling() -> Iterator[None]:
    """What somebody has set jax to, for code of his own, doesn't hold for the engine's programs in this thread.

    Without jit there is no program, and a seed means the same numbers in every process.
    """
    with jax.disable_jit(False), jax.default_prng_impl("threefry2x32"), jax.threefry_partitionable(True):
        yield


@contextlib.contextmanager
def _calling() -> Iterator[None]:
    """Likewise for a call: infinities and NaN are values to these programs, and a few numbers come from the host.

    The best accuracy so far begins at −∞, and a run that diverges ends with NaN, which is found by the epoch.
    """
    with jax.disable_jit(False), jax.debug_nans(False), jax.debug_infs(False), jax.transfer_guard("allow"):
        yield


def _write(program: Compiled) -> tuple[Any, ...] | None:
    """The program as bytes, with the trees of its arguments and results; None where XLA can't write it down."""
    if getattr(jax.config, "jax_compilation_cache_dir", None) is not None:
        return None  # it may come from there, and then XLA writes it down without its functions
    # One that calls back into Python, from a part of the user's own, can't be pickled.
    refused = (AttributeError, TypeError, pickle.PicklingError)
    with contextlib.suppress(ValueError, NotImplementedError, jax.errors.JaxRuntimeError, *refused):
        return serialize_executable.serialize(program)
    return None


def _read(written: tuple[Any, ...], device: jax.Device) -> Compiled:
    code, arguments, results = written
    return serialize_executable.deserialize_and_load(
        code, arguments, results, backend=device.client, execution_devices=[device]
    )


def keep_programs(folder: Path) -> None:
    """Let jax keep compiled programs below a folder, unless it has been told another or it can't be written to.

    Each kind of processor has a folder of its own in it: jax doesn't tell them apart, and a home folder may be
    shared by a cluster of several. Where XLA refuses what it has compiled itself, nothing is kept, and neither is
    in a folder that others can write to: a program found there would be run.
    """
    if getattr(jax.config, "jax_compilation_cache_dir", None) is not None or _refuses_its_own():
        return
    own = folder / hashlib.sha256(_processor().encode()).hexdigest()[:16]
    with contextlib.suppress(OSError):
        own.mkdir(parents=True, exist_ok=True)
        if not _is_trusted(own):
            return
        _mend_entries(own)
        jax.config.update("jax_compilation_cache_dir", str(own))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", WORTH_KEEPING)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def _is_trusted(folder: Path) -> bool:
    """Whether nobody else can have put programs there for this process to run."""
    if not hasattr(os, "getuid"):
        return True
    found = folder.stat()
    return found.st_uid in (os.getuid(), 0) and not found.st_mode & stat.S_IWOTH


def _mend_entries(folder: Path) -> None:
    """Remove a program that can't be read or has been half written, say onto a full disk, before it is compiled.

    jax warns of such a file, compiles, and writes only where there is none: it would do so at every start. What it
    warns of is done away with here, without a word.
    """
    shown = warnings.showwarning

    def show(message: Warning | str, *about: Any, **more: Any) -> None:
        entry = FAULT.match(str(message))
        if entry is None:
            shown(message, *about, **more)
        else:
            _remove_damaged(folder, entry["name"], was_read=entry["doing"] == "reading")

    warnings.filterwarnings("always", FAULT.pattern)
    warnings.showwarning = show


def _remove_damaged(folder: Path, name: str, was_read: bool) -> None:
    kept = [path for path in folder.glob("*-cache") if path.name.startswith(f"{name}-")]
    damaged = [path for path in kept if not _is_whole(path)]
    for path in damaged or (kept if was_read else []):
        with contextlib.suppress(OSError):
            path.unlink()


def _is_whole(path: Path) -> bool:
    """Whether a program can be unpacked and its checksum is right; with another packer than zlib, never."""
    try:
        zlib.decompress(path.read_bytes())
    except (OSError, zlib.error):
        return False
    return True


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
