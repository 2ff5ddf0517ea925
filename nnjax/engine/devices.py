"""Where there is to compute: accelerators as jax has them, or the cores of a CPU, each a device of its own.

jax sees a CPU as one device, whose threads share every matrix product. Products of small networks are too short
for that: the threads wait for each other more than they compute. Here a core has a client of its own, with one
thread, so that it computes without waiting, beside others.
"""

import os
import sys
import threading

import jax
from jaxlib import xla_client

from nnjax.validation import UserError

THREADS = "NPROC"
"""The environment variable in which XLA looks for the number of a client's threads."""

_clients: dict[tuple[int, int], xla_client.Client] = {}
"""By place and threads."""

_making = threading.Lock()
"""Held while a client is made, as its number of threads stands in the environment of the whole process."""

_started_in: int | None = None
"""The process in which jax was started, as far as it is known here."""


def count() -> int:
    """How many devices there are.

    On a CPU these are the cores that the process may use, or `jax_num_cpu_devices` of them, if that was set.
    """
    if platform() != "cpu":
        return jax.local_device_count()
    asked = getattr(jax.config, "jax_num_cpu_devices", -1)
    return asked if asked > 0 else cores()


def cores() -> int:
    """The cores that the process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def platform() -> str:
    """cpu, gpu or tpu; starts jax where nothing has yet.

    Raises:
        UserError: where jax can't start, or this process was forked from one in which it had: the threads that
            would do its work are only there.
    """
    global _started_in
    if _started_in not in (None, os.getpid()):
        raise UserError(
            "this process was forked after jax had been started: use the start method spawn, as in "
            "multiprocessing.get_context('spawn')"
        )
    try:
        found = jax.default_backend()
    except RuntimeError as error:
        asked = getattr(jax.config, "jax_platforms", None)
        wish = f", and JAX_PLATFORMS or jax_platforms asks for {asked!r}" if asked else ""
        raise UserError(f"jax finds no device to compute on{wish}: {' '.join(str(error).split())}") from error
    _started_in = os.getpid()
    return found


def kind() -> str:
    """What the devices are: cpu, or the name of an accelerator."""
    platform()
    return jax.local_devices()[0].device_kind


def description() -> str:
    """How many devices of which platform and kind."""
    return f"{count()} × {platform()} ({kind()})"


def take(number: int, threads: int = 1) -> tuple[jax.Device, ...]:
    """So many of the devices; each of a CPU has ``threads`` threads, which the system may run on any core."""
    if platform() != "cpu":
        return tuple(jax.local_devices()[:number])
    return tuple(_client(place, threads).devices()[0] for place in range(number))


def _client(place: int, threads: int) -> xla_client.Client:
    """A client of XLA with a pool of so many threads; ``place`` tells it from its likes."""
    with _making:
        if (place, threads) not in _clients:
            _clients[place, threads] = _make_client(threads)
        return _clients[place, threads]


def _make_client(threads: int) -> xla_client.Client:
    before = os.environ.get(THREADS)
    os.environ[THREADS] = str(threads)
    try:
        return xla_client.make_cpu_client(asynchronous=True, num_devices=1)
    finally:
        if before is None:
            os.environ.pop(THREADS, None)
        else:
            os.environ[THREADS] = before


def _before_a_fork() -> None:
    """Remember that jax runs in this process, also where others have started it."""
    global _started_in
    bridge = sys.modules.get("jax._src.xla_bridge")
    started = getattr(bridge, "backends_are_initialized", None)  # not public: where it is missing, do without
    if _started_in is None and started is not None and started():
        _started_in = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_a_fork)
