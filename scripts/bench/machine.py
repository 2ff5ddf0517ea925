"""What the machine can do: rates of products and copies, and what it is made of."""

import importlib.metadata
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from nnjax.engine import devices

SIDE = 2048
"""Of the large matrices."""

COPIED = 128 * 2**20
"""Bytes of a device's array that is read and written, more than caches hold."""


class Rates(NamedTuple):
    """What can be reached."""

    flops: float  # operations a second of float32 matrix products, in jax's default precision
    bandwidth: float  # bytes a second, read and written


class Machine:
    """Measures the rates of all devices together, again whenever it is asked."""

    def __init__(self) -> None:
        matrix = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)
        self.matrix = jax.device_put(matrix)  # with all threads of a CPU
        everywhere = devices.take(devices.count())
        self.matrices = [jax.device_put(matrix, device) for device in everywhere]
        self.arrays = [jax.device_put(np.zeros(COPIED // 4, np.float32), device) for device in everywhere]
        self.product = jax.jit(lambda matrix: matrix @ matrix)
        # Written where it is read, so that no new memory has to be fetched from the system.
        self.copy = jax.jit(lambda array: array + 1, donate_argnums=0)

    def rates(self) -> Rates:
        """The rates now: of products, the better of one on each device and one with all threads."""

        def copy() -> Any:
            self.arrays = [self.copy(array) for array in self.arrays]
            return self.arrays

        work, count = 2 * SIDE**3, len(self.matrices)
        each = _median_seconds(lambda: [self.product(matrix) for matrix in self.matrices])
        alone = _median_seconds(lambda: self.product(self.matrix))
        copied = _median_seconds(copy)
        return Rates(max(count * work / each, work / alone), 2 * count * COPIED / copied)


def _median_seconds(work: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        jax.block_until_ready(work())
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])  # the first one may have compiled


def peak_memory() -> int:
    """The most bytes that this process has held so far, or, on an accelerator, that jax has held there."""
    if jax.default_backend() != "cpu":
        return sum((device.memory_stats() or {}).get("peak_bytes_in_use", 0) for device in jax.local_devices())
    status = Path("/proc/self/status")  # Linux has it; ru_maxrss starts there from the peak of the parent
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def description() -> dict[str, Any]:
    """The processor, its cores, and the versions of what is timed."""
    names = ("nnjax", "jax", "jaxlib", "flax", "optax", "numpy", "scikit-learn", "torch")
    versions = {"python": platform.python_version()}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": devices.cores(),
        "device": jax.devices()[0].device_kind,
        "system": platform.platform(),
        "versions": versions,
    }
