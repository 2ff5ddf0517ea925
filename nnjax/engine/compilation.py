"""Compiled programs: one for all devices, kept for the next start, out of reach of jax's debugging switches."""

import contextlib
import pickle
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
from jax.experimental import serialize_executable
from jax.stages import Compiled, Lowered

from nnjax.engine import kept
from nnjax.engine.identity import identity

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


class Program:
    """A jitted function that is compiled once for all devices on which it is called.

    jax would compile for every device anew. Here what was compiled for the first one is loaded on the others,
    where XLA can write it down, and kept on disk. That is done before it runs, since XLA then refuses some, as
    those that sort. Where jax keeps programs itself, the other devices find them there. Threads may share it.

    Args:
        function: what is compiled.
        donate: the argument that it eats.
        options: of the compiler, by platform.
        of: what the function follows from, its name among it. Where all of that can be said (`identity`), a kept
            program is found by it; otherwise by the text that jax makes of it, which takes longer to make than
            the program to load.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        donate: int | None = None,
        options: Mapping[str, dict[str, Any]] | None = None,
        of: tuple[Any, ...] | None = None,
    ) -> None:
        self._options = options or {}
        self._of = of
        self._jitted = jax.jit(function, donate_argnums=() if donate is None else donate)
        self._written: dict[Any, Written | None] = {}
        self._compiled: dict[Any, Compiled] = {}
        self._lock = threading.RLock()

    def __call__(self, *arguments: Any) -> Any:
        """Call it where the first argument lies; the others lie there too, or on the host."""
        with calling():
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
            return _loaded(written, device)
        with _compiling():
            options = self._options.get(device.platform, {})
            if kept.jax_keeps():  # what comes from there can't be written down with its functions
                return _compile(self._jitted.lower(*arguments), options)
            said = None if self._of is None else identity(*self._of)
            if said is not None:
                lowered = None
                name = kept.name_of((said, *kept.circumstances(arguments)), options, device)
            else:
                lowered = self._jitted.lower(*arguments)
                # In the text what isn't used of the arguments doesn't stand.
                name = kept.name_of((lowered.as_text(), lowered.args_info, lowered.out_tree), options, device)
            program, self._written[shapes] = _kept(name, lowered, device) or _compiled(
                lowered or self._jitted.lower(*arguments), name, options, lowered is None
            )
            return program


class Written(NamedTuple):
    """A program as bytes, with the trees of its arguments and results."""

    code: bytes
    arguments: Any
    results: Any


def _kept(name: str, lowered: Lowered | None, device: jax.Device) -> tuple[Compiled, Written | None] | None:
    """The program that is kept under a name; with its trees where it hasn't been traced."""
    found = kept.read(name)
    # One that has become unreadable is as good as none, whatever XLA says of it.
    with contextlib.suppress(Exception):
        if found is not None:
            written = Written(found, lowered.in_tree, lowered.out_tree) if lowered else pickle.loads(found)
            return _loaded(written, device), written
    return None


def _compiled(
    lowered: Lowered, name: str, options: Mapping[str, Any], with_trees: bool
) -> tuple[Compiled, Written | None]:
    """The program compiled, and what it is in bytes, which is kept; None where XLA can't write it down."""
    began = time.perf_counter()
    program = _compile(lowered, options)
    seconds = time.perf_counter() - began
    code = _code(program)
    if code is None:
        return program, None
    written = Written(code, lowered.in_tree, lowered.out_tree)
    if seconds >= WORTH_KEEPING:
        kept.write(name, pickle.dumps(written) if with_trees else code)
    return program, written


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
def calling() -> Iterator[None]:
    """Likewise for a call: infinities and NaN are values to these programs, and a few numbers come from the host.

    The best accuracy so far begins at −∞, and a run that diverges ends with NaN, which is found by the epoch.
    """
    with jax.disable_jit(False), jax.debug_nans(False), jax.debug_infs(False), jax.transfer_guard("allow"):
        yield


def _code(program: Compiled) -> bytes | None:
    """The program as bytes; None where XLA can't write it down."""
    # One that calls back into Python, from a part of the user's own, can't be pickled.
    refused = (AttributeError, TypeError, pickle.PicklingError)
    with contextlib.suppress(ValueError, NotImplementedError, jax.errors.JaxRuntimeError, *refused):
        return serialize_executable.serialize(program)[0]
    return None


def _loaded(written: Written, device: jax.Device) -> Compiled:
    return serialize_executable.deserialize_and_load(*written, backend=device.client, execution_devices=[device])
