"""Every test runs strictly: shapes are checked, nothing is promoted in silence, and there are two devices."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_num_cpu_devices", 2)

if importlib.util.find_spec("beartype"):
    import jaxtyping

    # Where arrays are passed. What people type is checked by the configuration itself, with its own sentences.
    # The tower: where a float is asked for, an int will do, as everywhere in Python.
    jaxtyping.install_import_hook(
        [
            f"nnjax.{module}"
            for module in (
                "data.batches",
                "data.order",
                "engine.layout",
                "engine.programs",
                "nn.activations",
                "nn.initializers",
                "nn.layers",
                "nn.losses",
                "nn.matmul",
                "nn.models",
                "training.epoch",
                "training.evaluation",
                "training.hyper",
                "training.metrics",
                "training.optim",
                "training.schedules",
                "training.start",
                "training.step",
            )
        ],
        "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
    )

hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


@pytest.fixture(scope="module", autouse=True)
def forget_compiled_programs() -> Iterator[None]:
    """After each file: thousands of compiled programs take gigabytes, and in the end all memory maps."""
    yield
    jax.clear_caches()


@pytest.fixture(autouse=True)
def cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that stands for the user's cache in every test; commands keep their compiled programs there."""
    monkeypatch.setenv("NNJAX_CACHE_DIR", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    if jax.config.jax_compilation_cache_dir is not None:
        jax.config.update("jax_compilation_cache_dir", None)
        compilation_cache.reset_cache()


@pytest.fixture
def compilations() -> Iterator[list[str]]:
    """The names of the programs that are compiled while a test runs."""
    names: list[str] = []

    def listen(event: str, duration: float, **details: str) -> None:
        if event.endswith("backend_compile_duration"):
            names.append(details["fun_name"])

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.fixture(scope="session")
def digits() -> Any:
    """scikit-learn's digits."""
    import nnjax

    return nnjax.load_data("digits")


@pytest.fixture
def in_a_process() -> Callable[..., str]:
    """Runs code in a process of its own, with arguments; gives what it prints, and fails where it says more."""

    def run(code: str, *arguments: object) -> str:
        ended = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True
        )
        assert ended.stderr == ""
        return ended.stdout.strip()

    return run


@pytest.fixture
def data_dir() -> Path:
    """The folder with the real data sets."""
    folder = os.environ.get("NNJAX_DATA_DIR")
    if not folder:
        pytest.skip("NNJAX_DATA_DIR is not set, and names the folder with the real data sets")
    return Path(folder)


@pytest.fixture
def on_cpu() -> Iterator[None]:
    """A CPU for the time of a test, also where there is an accelerator."""
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        yield


@pytest.fixture
def x64() -> Iterator[None]:
    """Float64 in jax for the time of a test."""
    with jax.enable_x64(True):
        yield
