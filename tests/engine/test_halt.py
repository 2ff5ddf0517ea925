import os
import signal
import threading

import numpy as np
import pytest

import nnjax
from nnjax.config import Config
from nnjax.engine.halt import Halt
from nnjax.search.halving import Halving
from nnjax.validation import UserError

CONFIG = Config(hidden=(4,), init="xavier_uniform", epochs=5, seeds=2)
AXES = {"hidden": [(4,), (5,)], "optimizer": ["sgd", "adam"]}


@pytest.fixture(autouse=True)
def handlers():
    """The signals are heard afterwards as they were before."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in ("SIGINT", "SIGTERM")}
    yield
    after = {name: signal.getsignal(getattr(signal, name)) for name in before}
    assert after == before


def killed_at(epoch, number=signal.SIGINT):
    def on_epoch(end):
        if end.epoch == epoch:
            os.kill(os.getpid(), number)

    return on_epoch


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_a_sweep_at_the_next_epoch(number, name, digits, capsys):
    with np.errstate(all="ignore"):
        results = nnjax.sweep(
            CONFIG,
            digits,
            {"hidden": AXES["hidden"], "loss": ["mse", "cross_entropy"]},
            on_epoch=killed_at(2, number),
            progress=False,
        )
    status = results.status.values.reshape(-1, 2)
    begun = status[:, 0] == "stopped"
    assert begun.any()
    assert set(status[~begun].ravel()) == {"missing"}
    assert (results.stopped_epoch.values.reshape(-1, 2)[begun] == 2).all()
    assert np.isfinite(results.test_accuracy.values.reshape(-1, 2)[begun]).all()
    assert np.isnan(results.test_accuracy.values.reshape(-1, 2)[~begun]).all()
    assert results.attrs["ended"].startswith(f"{name} ended the training: of 8 runs 0 have finished")
    assert "once more leaves at once" in capsys.readouterr().err


def test_what_was_trained_before_is_whole(digits):
    whole = nnjax.sweep(CONFIG, digits, progress=False)
    ended = nnjax.sweep(CONFIG, digits, on_epoch=killed_at(3), progress=False)
    np.testing.assert_array_equal(ended.train_loss.values[:, :3], whole.train_loss.values[:, :3])
    assert (ended.status == "stopped").all()
    assert "ended" not in whole.attrs


def test_a_signal_at_the_last_epoch_ends_nothing(digits):
    results = nnjax.sweep(CONFIG, digits, on_epoch=killed_at(5), progress=False)
    assert (results.status == "finished").all()
    assert "ended" not in results.attrs


def test_a_second_signal_leaves_at_once(digits):
    def twice(end):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        nnjax.sweep(CONFIG, digits, on_epoch=twice, progress=False)


def test_the_clock_ends_a_sweep_and_a_search(digits):
    results = nnjax.sweep(CONFIG, digits, progress=False, time_limit=1e-9)
    assert (results.stopped_epoch <= 2).all()
    assert results.attrs["ended"].startswith("the time limit ended the training")
    space = {"learning_rate": "log_uniform(0.01, 1)"}
    for halving in (None, Halving(2)):
        found = nnjax.search(
            CONFIG, digits, space, samples=3, batch=1, halving=halving, progress=False, time_limit=1e-9
        )
        assert found.sizes["setting"] == 1
        assert "fresh_test_accuracy" not in found
        assert "ended" in found.attrs


def test_in_a_thread_of_its_own_nothing_is_heard():
    heard = []

    def listen():
        with Halt() as halt:
            heard.append(halt.asked())

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert heard == [""]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Halt() as halt:
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
            assert halt.asked() == ""
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("seconds", [0, -1, "2h", True])
def test_a_limit_that_can_not_be_is_refused(seconds):
    with pytest.raises(UserError, match=r"the time limit is .* and must be a number of seconds above 0"):
        Halt(seconds)
