"""Every test runs strictly: shapes are checked, nothing is promoted in silence, and there are two devices."""

import importlib.util
import os
import subprocess
import sys
import tempfile
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
                "nn.networks",
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


PROGRAMS = "NNJAX_TEST_PROGRAMS"
"""The environment's name for the folder with the session's compiled programs, which all its processes share."""


def pytest_configure(config: pytest.Config) -> None:
    """Compile a program once a session: files forget what they have compiled, and workers don't see each other's.

    What a test runs is lowered all the same, and compiled anew where that gives another program.
    """
    from nnjax.engine.kept import _refuses_its_own

    if PROGRAMS not in os.environ and not _refuses_its_own():
        folder = tempfile.TemporaryDirectory()
        os.environ[PROGRAMS] = folder.name
        config.add_cleanup(folder.cleanup)
        config.add_cleanup(lambda: os.environ.pop(PROGRAMS))
    # Of a program that another worker is just writing: this one then compiles it too.
    config.addinivalue_line("filterwarnings", "ignore:Error reading persistent compilation cache entry")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    keep_programs_in(os.environ.get(PROGRAMS))


def keep_programs_in(folder: str | None) -> None:
    """Let jax look for compiled programs there from now on, or nowhere."""
    if jax.config.jax_compilation_cache_dir != folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        compilation_cache.reset_cache()


@pytest.fixture
def nothing_kept() -> Iterator[None]:
    """jax keeps no programs for the time of a test, so that the engine does, in the user's cache."""
    keep_programs_in(None)
    yield
    keep_programs_in(os.environ.get(PROGRAMS))


SOONER = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}
"""What the engine's programs are compiled with in tests."""

OF_USERS: dict[str, dict[str, Any]] = {}
"""What they are compiled with otherwise."""


def whether_optimized(optimized: bool) -> None:
    """Let XLA compile as it does for users, or soon, from now on."""
    from nnjax.engine import compilation, programs, shared

    jax.config.update("jax_disable_most_optimizations", not optimized)
    for options, name in ((compilation.LONG_VECTORS, "LONG_VECTORS"), (compilation.QUICK, "QUICK")):
        of_users = OF_USERS.setdefault(name, options["cpu"])
        options["cpu"] = of_users if optimized else SOONER
    of_structures = [made for made in vars(programs).values() if hasattr(made, "cache_clear")]
    for made in (*of_structures, shared.epoch_program):
        made.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def lightly_compiled() -> Iterator[None]:
    """Tests compile more than they compute, and XLA takes less than half as long where it optimizes nothing."""
    whether_optimized(False)
    yield
    whether_optimized(True)


@pytest.fixture
def as_users_have_it() -> Iterator[None]:
    """All of XLA's optimizations, for a test of what they may change."""
    whether_optimized(True)
    yield
    whether_optimized(False)


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
    keep_programs_in(os.environ.get(PROGRAMS))


@pytest.fixture
def compilations(nothing_kept: None) -> Iterator[list[str]]:
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
