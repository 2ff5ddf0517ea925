"""Where there is to compute: accelerators as jax has them, or the cores of a CPU, each a device of its own.

jax sees a CPU as one device, whose threads share every matrix product. Products of small networks are too short
for that: the threads wait for each other more than they compute. Here a core has a client of its own, with one
thread, so that it computes without waiting, beside others.
"""

import functools
import os

import jax
from jaxlib import xla_client

THREADS = "NPROC"
"""The environment variable in which XLA looks for the number of a client's threads."""


def count() -> int:
    """How many devices there are.

    On a CPU these are the cores that the process may use, or `jax_num_cpu_devices` of them, if that was set.
    """
    if jax.default_backend() != "cpu":
        return jax.local_device_count()
    asked = getattr(jax.config, "jax_num_cpu_devices", -1)
    return asked if asked > 0 else cores()


def cores() -> int:
    """The cores that the process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def kind() -> str:
    """What the devices are: cpu, or the name of an accelerator."""
    return jax.local_devices()[0].device_kind


def description() -> str:
    """How many devices of which platform and kind."""
    return f"{count()} × {jax.default_backend()} ({kind()})"


def take(number: int, threads: int = 1) -> tuple[jax.Device, ...]:
    """So many of the devices; each of a CPU has ``threads`` threads, which the system may run on any core."""
    if jax.default_backend() != "cpu":
        return tuple(jax.local_devices()[:number])
    return tuple(_client(place, threads).devices()[0] for place in range(number))


@functools.cache
def _client(place: int, threads: int) -> xla_client.Client:
    """A client of XLA with a pool of so many threads; ``place`` tells it from its likes."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = str(threads)
    try:
        return xla_client.make_cpu_client(asynchronous=True, num_devices=1)
    finally:
        os.environ.pop(THREADS)
        if before is not None:
            os.environ[THREADS] = before
