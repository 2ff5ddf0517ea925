"""Every test runs strictly: shapes are checked, nothing is promoted in silence, and there are two devices."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

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
                "activations",
                "data.order",
                "initializers",
                "losses",
                "models",
                "optim",
                "placement",
                "products",
                "train",
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
def data_dir() -> Path:
    """The folder with the real data sets."""
    folder = os.environ.get("NNJAX_DATA_DIR")
    if not folder:
        pytest.skip("NNJAX_DATA_DIR is not set, and names the folder with the real data sets")
    return Path(folder)


@pytest.fixture
def x64() -> Iterator[None]:
    """Float64 in jax for the time of a test."""
    with jax.enable_x64(True):
        yield
