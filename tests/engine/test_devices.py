"""The cores of a CPU as devices."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest

from nnjax.engine import devices


def test_there_are_as_many_as_jax_was_told_to_have():
    assert devices.count() == 2  # tests/conftest.py asks for them


def test_else_there_is_one_for_each_core_of_the_process(in_a_process):
    print_count = "from nnjax.engine import devices; print(devices.count())"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert in_a_process(print_count) == str(cores)
    if hasattr(os, "sched_getaffinity"):
        (core, *_) = os.sched_getaffinity(0)
        assert in_a_process(f"import os; os.sched_setaffinity(0, {{{core}}}); {print_count}") == "1"


def test_each_is_a_device_of_its_own_and_the_same_one_again():
    taken = devices.take(3)
    assert len(set(taken)) == 3
    assert devices.take(2) == taken[:2]
    assert {device.platform for device in taken} == {"cpu"}
    assert not set(taken) & set(jax.devices())


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted where Linux lists them")
@pytest.mark.parametrize("threads", [1, 3])
def test_a_device_has_as_many_threads_as_it_is_asked_for(threads, in_a_process):
    count_threads = f"""
from pathlib import Path
from nnjax.engine import devices
def count():
    return sum("XLAEigen" in (task / "comm").read_text() for task in Path("/proc/self/task").iterdir())
devices.count()  # starts jax, which has threads of its own
before = count()
devices.take(2, {threads})
print(count() - before)
"""
    assert in_a_process(count_threads) == str(2 * threads)


def test_the_environment_stays_as_it_was(monkeypatch):
    monkeypatch.setenv(devices.THREADS, "7")
    devices._make_client(1)
    assert os.environ[devices.THREADS] == "7"
    monkeypatch.delenv(devices.THREADS)
    devices._make_client(1)
    assert devices.THREADS not in os.environ


def test_threads_that_ask_at_once_get_the_same_devices_and_leave_the_environment(monkeypatch):
    monkeypatch.delenv(devices.THREADS, raising=False)
    monkeypatch.setattr(devices, "_clients", {})
    made = []
    make = devices._make_client

    def count(threads):
        made.append(threads)
        return make(threads)

    monkeypatch.setattr(devices, "_make_client", count)
    barrier = threading.Barrier(8, timeout=60)

    def take(_):
        barrier.wait()
        return devices.take(3, 2)

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(take, range(8)))
    assert taken == [taken[0]] * 8
    assert made == [2, 2, 2]
    assert devices.THREADS not in os.environ


IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
import threading, nnjax
def train(number):
    config = nnjax.Config(hidden=(4 + number % 3,), epochs=2, learning_rate=1.0)
    return nnjax.sweep(config, axes={"momentum": [0, 0.5]}, seeds=2, keep_parameters=True, progress=False)
def train_at_once(number):
    barrier.wait()
    return train(number)
barrier = threading.Barrier(6, timeout=100)
with ThreadPoolExecutor(6) as pool:
    found = list(pool.map(train_at_once, range(6)))
for number, results in enumerate(found):
    assert results.drop_attrs().identical(train(number).drop_attrs()), number
"""


def test_sweeps_in_threads_get_what_they_get_alone(in_a_process):
    in_a_process(IN_THREADS)


FORKED = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")
import jax, nnjax, nnjax.engine.devices
config = nnjax.Config(hidden=(2,), epochs=1)
if sys.argv[1] == "nnjax":
    nnjax.sweep(config, seeds=1)
elif sys.argv[1] == "jax":
    jax.numpy.ones(3).sum()
child = os.fork()
if child == 0:
    signal.alarm(60)  # ends it where it waits
    try:
        nnjax.sweep(config, seeds=1)
        print("trained", flush=True)
    except nnjax.validation.UserError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.parametrize(("started", "said"), [("nnjax", "spawn"), ("jax", "spawn"), ("nothing", "trained")])
def test_a_forked_process_gets_a_sentence_instead_of_waiting_for_ever(started, said):
    done = subprocess.run([sys.executable, "-c", FORKED, started], capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert said in done.stdout


@pytest.mark.parametrize("platforms", ["nonsense", "tpu"])
def test_a_platform_that_is_not_there_is_one_sentence(platforms):
    code = "import nnjax; nnjax.sweep(nnjax.Config(epochs=1))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": platforms},
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("nnjax.validation.UserError: jax finds no device to compute on, and JAX_PLATFORMS")
    assert platforms in last


def test_they_compute_what_jax_computes_elsewhere():
    x = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    product = jax.jit(lambda x: x @ x.T)
    expected = x.astype(np.float64) @ x.T
    for device in devices.take(2):
        found = product(jax.device_put(x, device))
        assert found.device == device
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_they_compute_at_the_same_time():
    # Each waits for the other: one after the other would never end.
    barrier = threading.Barrier(2, timeout=60)

    def wait(x: np.ndarray) -> np.ndarray:
        barrier.wait()
        return x

    waits = jax.jit(lambda x: jax.pure_callback(wait, jax.ShapeDtypeStruct(x.shape, x.dtype), x))
    with ThreadPoolExecutor(2) as pool:
        called = [
            pool.submit(waits, jax.device_put(np.float32(at), device)) for at, device in enumerate(devices.take(2))
        ]
        assert [float(call.result()) for call in called] == [0, 1]
