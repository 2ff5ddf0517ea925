"""Compiled programs, on several devices and in several threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import nnjax
from nnjax.engine import compilation, devices, programs


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
