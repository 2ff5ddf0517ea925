"""Compiled programs, on several devices and on disk."""

import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import nnjax
from nnjax.engine import compilation, devices, programs

Start = Callable[..., tuple[int, str]]

CHILD = """
import sys, time
from pathlib import Path
import jax
from nnjax.engine.compilation import keep_programs
if sys.argv[2:]:
    jax.config.update("jax_compilation_cache_dir", sys.argv[2])
keep_programs(Path(sys.argv[1]))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.extend([name] * name.endswith("cache_hits")))
jax.jit(lambda x: x * 2 + 1)(jax.numpy.ones(3))
print(len(hits), jax.config.jax_compilation_cache_dir)
"""


@pytest.fixture
def start(in_a_process: Callable[..., str]) -> Start:
    """Compiles in a process of its own: programs found on disk, and the folder that jax looks in."""

    def run(*arguments: object) -> tuple[int, str]:
        hits, folder = in_a_process(CHILD, *arguments).split(maxsplit=1)
        return int(hits), folder

    return run


@pytest.mark.skipif(compilation._refuses_its_own(), reason="XLA doesn't load what it compiled for this processor")
def test_the_second_start_finds_what_the_first_compiled(tmp_path: Path, start: Start) -> None:
    hits, folder = start(tmp_path / "programs")
    assert hits == 0
    assert Path(folder).parent == tmp_path / "programs"
    hits, again = start(tmp_path / "programs")
    assert hits > 0
    assert again == folder


def flip(whole: bytes) -> bytes:
    middle = len(whole) // 2
    return whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :]


@pytest.mark.skipif(compilation._refuses_its_own(), reason="XLA doesn't load what it compiled for this processor")
@pytest.mark.parametrize("damage", [lambda whole: whole[:100], flip, lambda whole: b"", lambda whole: whole[:-1]])
def test_a_damaged_program_is_compiled_again_once_without_a_word(
    tmp_path: Path, start: Start, damage: Callable[[bytes], bytes]
) -> None:
    _, folder = start(tmp_path)
    (kept,) = Path(folder).glob("jit__lambda*-cache")
    others = {path: path.read_bytes() for path in Path(folder).iterdir() if path != kept}
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    start(tmp_path)
    assert zlib.decompress(kept.read_bytes())
    assert {path: path.read_bytes() for path in others} == others
    hits, _ = start(tmp_path)
    assert hits > 0


def test_a_program_that_is_half_written_is_not_left(tmp_path: Path, in_a_process: Callable[..., str]) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))\n"
    ignored = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    _, folder = in_a_process(limited + ignored + CHILD, tmp_path).split(maxsplit=1)
    assert [path for path in Path(folder).iterdir() if path.name.endswith("-cache")] == []


def test_other_warnings_are_shown_as_before(tmp_path: Path) -> None:
    code = """
import sys, warnings
from pathlib import Path
from nnjax.engine.compilation import keep_programs
keep_programs(Path(sys.argv[1]))
warnings.warn("something else")
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "something else" in done.stderr


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.skipif(not hasattr(os, "getuid"), reason="a system without owners of files")
def test_a_folder_that_others_write_to_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compilation._is_trusted(tmp_path)
    tmp_path.chmod(0o777)
    assert not compilation._is_trusted(tmp_path)
    tmp_path.chmod(0o700)
    mine = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert compilation._is_trusted(tmp_path) == (mine == 0)
    monkeypatch.setattr(compilation, "_is_trusted", lambda folder: False)
    compilation.keep_programs(tmp_path / "programs")
    assert jax.config.jax_compilation_cache_dir is None


@pytest.mark.usefixtures("nothing_kept")
def test_another_processor_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {}
    monkeypatch.setattr(jax.config, "update", told.__setitem__)
    folders = []
    for flags in ("avx2", "avx2 avx512f", "avx2"):
        monkeypatch.setattr(compilation, "_processor", lambda field="flags", flags=flags: flags)
        compilation.keep_programs(tmp_path)
        folders.append(told["jax_compilation_cache_dir"])
    assert folders[0] == folders[2] != folders[1]


@pytest.mark.usefixtures("nothing_kept")
def test_a_processor_whose_programs_are_refused_keeps_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        compilation, "_processor", lambda field="flags": "spectre_v1 gds" if field == "bugs" else "avx2"
    )
    compilation.keep_programs(tmp_path / "programs")
    assert not (tmp_path / "programs").exists()
    assert jax.config.jax_compilation_cache_dir is None


def test_a_folder_that_was_set_stays(tmp_path: Path, start: Start) -> None:
    assert start(tmp_path / "programs", tmp_path / "mine")[1] == str(tmp_path / "mine")
    assert not (tmp_path / "programs").exists()


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path, start: Start) -> None:
    (tmp_path / "file").write_text("")
    assert start(tmp_path / "file" / "programs")[1] == "None"


SEVERAL_DEVICES = """
import sys
from pathlib import Path
import jax, numpy as np
from nnjax.engine import devices
from nnjax.engine.compilation import Program, keep_programs
keep_programs(Path(sys.argv[1]))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.extend([name] * name.endswith("cache_hits")))
program = Program(lambda x: jax.numpy.sort(jax.numpy.sin(x)) @ x)
x = np.arange(9, dtype=np.float32)
expected = np.sort(np.sin(x)) @ x
for device in devices.take(3):
    np.testing.assert_allclose(program(jax.device_put(x, device)), expected, rtol=1e-5)
print(len(hits))
"""


@pytest.mark.skipif(compilation._refuses_its_own(), reason="XLA doesn't load what it compiled for this processor")
def test_other_devices_and_later_starts_find_a_program_on_disk(
    tmp_path: Path, in_a_process: Callable[..., str]
) -> None:
    found = []
    for _ in range(2):
        found.append(int(in_a_process(SEVERAL_DEVICES, tmp_path)))
    assert found == [2, 3]


def scaled_program() -> compilation.Program:
    def scale(x: jax.Array, by: jax.Array) -> dict[str, jax.Array]:
        return {"product": x * by, "sum": jnp.sum(x)}

    return compilation.Program(scale)


def test_a_program_is_compiled_once_for_all_devices(compilations: list[str]) -> None:
    program = scaled_program()
    here = [jax.device_put(np.arange(3.0, dtype=np.float32), device) for device in devices.take(3)]
    compilations.clear()
    for _ in range(2):
        for x in here:
            found = program(x, np.float32(3))
            assert found["product"].device == x.device
            np.testing.assert_array_equal(found["product"], [0, 3, 6])
            assert found["sum"] == 3
    assert compilations.count("jit(scale)") == 1
    program(jax.device_put(np.ones((2, 2), np.float32), devices.take(1)[0]), np.float32(3))
    program(jax.device_put(np.ones(3, np.int32), devices.take(1)[0]), np.int32(3))
    assert compilations.count("jit(scale)") == 3


@pytest.mark.usefixtures("nothing_kept")
def test_the_options_of_a_platform_reach_its_compiler() -> None:
    def program(platform: str) -> compilation.Program:
        options = {platform: {"xla_backend_optimization_level": "no number"}}
        return compilation.Program(lambda x: x + 1, options=options)

    assert program("another")(jnp.ones(3)).sum() == 6
    with pytest.raises(jax.errors.JaxRuntimeError, match="no number"):
        program(jax.default_backend())(jnp.ones(3))


@pytest.mark.usefixtures("nothing_kept")
def test_an_option_that_another_xla_has_is_left_out() -> None:
    def program(name: str) -> compilation.Program:
        options = {name: True, "xla_backend_optimization_level": "no number"}
        return compilation.Program(lambda x: x + 1, options={jax.default_backend(): options})

    with pytest.raises(jax.errors.JaxRuntimeError, match="no number"):  # the other one still holds
        program("xla_of_another_version")(jnp.ones(3))
    assert (
        compilation.Program(lambda x: x + 1, options={jax.default_backend(): {"xla_of_another_version": True}})(
            jnp.ones(3)
        ).sum()
        == 6
    )


@pytest.mark.usefixtures("nothing_kept")
def test_a_program_eats_what_it_may_on_every_device() -> None:
    program = compilation.Program(lambda x, y: x + y, donate=0)
    for device in devices.take(2):
        x, y = (jax.device_put(np.ones(1000, np.float32), device) for _ in range(2))
        program(x, y)
        assert x.is_deleted()
        assert not y.is_deleted()


def test_where_a_program_cannot_be_written_down_it_is_compiled_again(
    monkeypatch: pytest.MonkeyPatch, compilations: list[str]
) -> None:
    def refuse(compiled: object) -> None:
        raise ValueError("Compilation does not support serialization")

    monkeypatch.setattr(compilation.serialize_executable, "serialize", refuse)
    program = scaled_program()
    here = [jax.device_put(np.ones(3, np.float32), device) for device in devices.take(2)]
    compilations.clear()
    assert [program(x, np.float32(2))["product"].device for x in here] == [x.device for x in here]
    assert compilations.count("jit(scale)") == 2


def test_threads_that_ask_at_once_compile_a_program_once(compilations: list[str]) -> None:
    program = scaled_program()
    x = jax.device_put(np.arange(3.0, dtype=np.float32), devices.take(1)[0])
    barrier = threading.Barrier(4, timeout=60)

    def call(by: int) -> float:
        barrier.wait()
        return float(program(x, np.float32(by))["product"][2])

    compilations.clear()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call, range(4))) == [0, 2, 4, 6]
    assert compilations.count("jit(scale)") == 1


SETTINGS = {
    "disable_jit": lambda: jax.disable_jit(),
    "debug_infs": lambda: jax.debug_infs(True),
    "debug_nans": lambda: jax.debug_nans(True),
    "transfer_guard": lambda: jax.transfer_guard("disallow"),
    "default_prng_impl": lambda: jax.default_prng_impl("rbg"),
    "threefry_partitionable": lambda: jax.threefry_partitionable(False),
    "enable_x64": lambda: jax.enable_x64(True),
    "default_device": lambda: jax.default_device(jax.devices()[-1]),
    "enable_checks": lambda: jax.enable_checks(True),
}


def train() -> xr.Dataset:
    """Two learning rates, one of which diverges, by programs that are made for them."""
    programs.start_program.cache_clear()
    programs.epoch_program.cache_clear()
    config = nnjax.Config(hidden=(3,), epochs=2, dropout=0.1, init="he_normal")
    return nnjax.sweep(config, axes={"learning_rate": [0.1, 1e30]}, seeds=2).drop_attrs()


@pytest.fixture(scope="module")
def trained() -> xr.Dataset:
    """With jax as it is."""
    return train()


@pytest.mark.parametrize("name", SETTINGS)
def test_what_jax_is_set_to_for_other_code_changes_no_sweep(name: str, trained: xr.Dataset) -> None:
    assert (trained["status"] == "diverged").any()
    with SETTINGS[name]():
        found = train()
    xr.testing.assert_identical(found, trained)
