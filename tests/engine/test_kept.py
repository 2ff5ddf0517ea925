"""Compiled programs on disk."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.engine import compilation, devices, kept
from nnjax.engine.compilation import Program

pytestmark = pytest.mark.skipif(
    kept._refuses_its_own(), reason="XLA doesn't load what it compiled for this processor"
)


@pytest.fixture(autouse=True)
def keep_all(monkeypatch: pytest.MonkeyPatch, nothing_kept: None) -> Iterator[None]:
    monkeypatch.setattr(compilation, "WORTH_KEEPING", 0.0)
    kept._make_room.cache_clear()
    yield
    kept._make_room.cache_clear()


def tripled() -> Program:
    """A program anew, as in a later start."""
    return Program(lambda x: {"y": 3 * x + 1})


X = np.arange(5, dtype=np.float32)


def the_file(cache_dir: Path) -> Path:
    (path,) = (cache_dir / "programs").glob(f"*/*{kept.ENDING}")
    return path


def test_a_later_start_compiles_nothing(cache_dir: Path, compilations: list[str]) -> None:
    first, second = devices.take(2)
    for device in (first, first, second):
        found = tripled()(jax.device_put(X, device))["y"]
        np.testing.assert_array_equal(found, 3 * X + 1)
        assert found.device == device
        assert len(compilations) == 1
    assert the_file(cache_dir).exists()


def test_what_a_program_follows_from_is_in_its_name(
    compilations: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tripled()(X)
    tripled()(X[:4])
    Program(lambda x: {"y": 3 * x + 2})(X)
    Program(lambda x: {"y": 3 * x + 1}, options={"cpu": {"xla_backend_optimization_level": 1}})(X)
    Program(lambda x: {"y": 3 * x + 1}, donate=0)(jnp.asarray(X))
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    tripled()(X)
    monkeypatch.setattr(jax, "__version__", "another")
    tripled()(X)
    assert len([name for name in compilations if "lambda" in name]) == 7


def test_what_is_not_used_of_the_arguments_counts_too() -> None:
    def program() -> Program:
        return Program(lambda x, unused: 3 * x)

    np.testing.assert_array_equal(program()(X, X), 3 * X)
    np.testing.assert_array_equal(program()(X, X.astype(np.int32)), 3 * X)


def said(traced: list[int], by: float = 3) -> Program:
    """A program of which can be said what it follows from; notes when it is traced."""

    def function(x: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        traced.append(1)
        return x * by, {"shape": jnp.array(x.shape)}

    return Program(function, of=("said", by))


def test_a_program_is_found_without_being_traced(compilations: list[str]) -> None:
    traced: list[int] = []
    for _ in range(2):
        tripled, rest = said(traced)(X)
        np.testing.assert_array_equal(tripled, 3 * X)
        np.testing.assert_array_equal(rest["shape"], [5])
    assert len(traced) == len([name for name in compilations if "function" in name]) == 1


def test_whatever_a_said_program_follows_from_makes_another(compilations: list[str]) -> None:
    traced: list[int] = []
    x = jnp.asarray(X)
    for _ in range(2):
        for arguments in (x, x[:4], x.astype(jnp.int32)):
            said(traced)(arguments)
        said(traced, 4)(x)
        said(traced)(jnp.asarray(2.0))
        said(traced)(jnp.float32(2))
        with jax.default_matmul_precision("bfloat16"):
            said(traced)(x)
    assert len(traced) == 7


def test_an_unreadable_said_program_is_compiled_again(cache_dir: Path) -> None:
    traced: list[int] = []
    said(traced)(X)
    for damaged in (b"no pickle", the_file(cache_dir).read_bytes()[40:60]):
        kept.write(the_file(cache_dir).name.removesuffix(kept.ENDING), damaged)
        np.testing.assert_array_equal(said(traced)(X)[0], 3 * X)
    assert len(traced) == 3


def flipped(whole: bytes) -> bytes:
    middle = len(whole) // 2
    return whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:100], flipped, lambda whole: b"", lambda whole: whole[:-1]]
)
def test_a_damaged_program_is_compiled_and_kept_again(
    cache_dir: Path, compilations: list[str], damage: Callable[[bytes], bytes]
) -> None:
    tripled()(X)
    path = the_file(cache_dir)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    for times in (2, 2):
        np.testing.assert_array_equal(tripled()(X)["y"], 3 * X + 1)
        assert len(compilations) == times
    assert the_file(cache_dir) == path


def test_what_xla_does_not_load_is_compiled_again(cache_dir: Path, compilations: list[str]) -> None:
    tripled()(X)
    name = the_file(cache_dir).name.removesuffix(kept.ENDING)
    kept.write(name, b"whole, but no program")
    for times in (2, 2):
        np.testing.assert_array_equal(tripled()(X)["y"], 3 * X + 1)
        assert len(compilations) == times


def test_a_program_is_written_whole_or_not_at_all(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    np.testing.assert_array_equal(tripled()(X)["y"], 3 * X + 1)
    assert [path for path in cache_dir.rglob("*") if path.is_file()] == []


def test_threads_may_write_the_same_program(cache_dir: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: tripled()(X), range(4)))
    assert kept.read(the_file(cache_dir).name.removesuffix(kept.ENDING))


def test_programs_unused_for_longest_make_room(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcd":
        kept.write(name, b"0" * 100)
    for age, name in enumerate("dbac"):
        path = next(cache_dir.rglob(name + kept.ENDING))
        os.utime(path, (1e9 + age, 1e9 + age))
    assert kept.read("b")  # used last
    monkeypatch.setattr(kept, "MOST_BYTES", 300)
    kept._make_room.cache_clear()
    kept.write("e", b"0")
    assert {path.name[0] for path in cache_dir.rglob(f"*{kept.ENDING}")} == {"c", "b", "e"}


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="a system without owners of files")
def test_a_folder_that_others_write_to_is_not_trusted(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = kept.folder()
    assert own is not None
    own.chmod(0o777)
    assert kept.folder() is None
    own.chmod(0o700)
    mine = own.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert (kept.folder() is None) == (mine != 0)


def test_another_processor_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    for flags in ("avx2", "avx2 avx512f", "avx2"):
        monkeypatch.setattr(kept, "_processor", lambda field="flags", flags=flags: flags)
        folders.append(kept.folder())
    assert folders[0] == folders[2] != folders[1]


def test_a_processor_whose_programs_are_refused_keeps_none(
    cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_processor", lambda field="flags": "spectre_v1 gds" if field == "bugs" else "avx2")
    tripled()(X)
    assert not cache_dir.exists()


def test_nothing_is_kept_where_jax_keeps_or_is_told_not_to(
    cache_dir: Path, tmp_path: Path, compilations: list[str]
) -> None:
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "jax"))
    tripled()(X)
    jax.config.update("jax_compilation_cache_dir", None)
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        tripled()(X)
    finally:
        jax.config.update("jax_enable_compilation_cache", True)
    assert not cache_dir.exists()


def test_a_folder_that_cannot_be_made_is_no_error(cache_dir: Path) -> None:
    cache_dir.write_text("in the way")
    np.testing.assert_array_equal(tripled()(X)["y"], 3 * X + 1)


SEARCH = """
import jax, nnjax
names = []
def listen(event, duration, **details):
    if event.endswith("backend_compile_duration") and duration > 0.1:
        names.append(details["fun_name"])
jax.monitoring.register_event_duration_secs_listener(listen)
config = nnjax.Config(init="xavier_uniform", epochs=2, seeds=2)
results = nnjax.sweep(config, axes={"hidden": [(5,), (9,)], "batch_size": [32, 60]}, progress=False)
print(len(names), results.train_loss.values.tobytes().hex())
"""


def test_the_second_start_of_a_sweep_compiles_nothing_and_trains_the_same(
    in_a_process: Callable[..., str],
) -> None:
    first, second = (in_a_process(SEARCH).split() for _ in range(2))
    assert int(first[0]) > 0
    assert second == ["0", first[1]]
