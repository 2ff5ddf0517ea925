"""Processes that hold one framework each and sleep while others are timed, and the peers that live in them."""

import importlib
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from peers import Task, Trained

SINGLE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""The environment of a process that has a core of its own."""

KEPT_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(1 << 28),
}
"""The environment of a process that makes arrays anew at every step, which is read when the process starts. By
default glibc gives their memory back to the system, which hands it out again page by page and cleared: NumPy then
trains at half its speed."""

SHARED_MACHINE = {"OMP_WAIT_POLICY": "PASSIVE", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
"""Where the user's environment doesn't say otherwise: OpenMP's idle threads sleep instead of spinning, which also
lets PyTorch get on while others use the cores; and jax takes no more of a GPU's memory than it needs."""


class Host:
    """A process of its own, with an environment of its own, that makes an object and calls its methods."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**SHARED_MACHINE, **os.environ, **(environment or {})},
        )

    def send(self, method: str, *arguments: Any) -> None:
        """Ask for a method's answer; the first one asked for is ``make``, with module, class and arguments."""
        assert self.process.stdin is not None
        pickle.dump((method, arguments), self.process.stdin, pickle.HIGHEST_PROTOCOL)
        self.process.stdin.flush()

    def receive(self) -> Any:
        """Wait for the answer."""
        assert self.process.stdout is not None
        try:
            return pickle.load(self.process.stdout)
        except EOFError:
            raise SystemExit(
                "a process of the benchmark ended before its time; what it said stands above"
            ) from None

    def call(self, method: str, *arguments: Any) -> Any:
        """Ask and wait."""
        self.send(method, *arguments)
        return self.receive()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Kind(NamedTuple):
    """A way to train: what it is called, and where its trainer is."""

    title: str
    module: str
    trainer: str
    one_a_core: bool = False  # whether each core has a process of its own, with a share of the runs
    together: bool = False  # whether all runs are trained by one call, so that a round can't take fewer
    whole_epochs: bool = False  # whether it takes no part of an epoch
    with_decay: bool = False  # whether the loss that it reports is J, with the decay term
    keeps_memory: bool = False  # whether the C library keeps what is freed, where that makes it faster

    @property
    def environment(self) -> dict[str, str]:
        """What its processes are given beside the environment of the user."""
        return (SINGLE_THREAD if self.one_a_core else {}) | (KEPT_MEMORY if self.keeps_memory else {})

    @property
    def given(self) -> str:
        """The same in words."""
        threads = "a process a core, of one thread" if self.one_a_core else "one process, threads as it likes"
        return f"{threads}; memory {'kept' if self.keeps_memory else 'as the C library does'}"


NNJAX = Kind("nnjax, with validation", "peers_jax", "NnJax", together=True, whole_epochs=True)


class Peer:
    """One way to train a task, in processes of its own."""

    def __init__(self, kind: Kind, runs: int, cores: int) -> None:
        self.kind, self.runs, self.steps = kind, runs, 0
        processes = min(cores, runs) if kind.one_a_core else 1
        self.hosts = [Host(kind.environment) for _ in range(processes)]

    def make(self, task: Task) -> None:
        """Give each process its share of the runs, the first one run 0; they get ready while others do."""
        count = len(self.hosts)
        for first, host in enumerate(self.hosts):
            share = task._replace(
                seeds=task.seeds[first::count],
                weights=[leaf[first::count] for leaf in task.weights],
                orders=task.orders[first::count],
            )
            host.send("make", self.kind.module, self.kind.trainer, share)

    def wait(self) -> None:
        """Wait until all processes are ready."""
        for host in self.hosts:
            host.receive()

    def train(self) -> Trained:
        """Train once; the seconds are those of the slowest process, the rest is of run 0."""
        for first, host in enumerate(self.hosts):
            host.send("train", len(range(first, self.runs, len(self.hosts))), self.steps)
        answers = [host.receive() for host in self.hosts]
        return answers[0]._replace(seconds=max(answer.seconds for answer in answers))

    def calibrate(self, task: Task, seconds: float) -> None:
        """Choose steps, and runs where they aren't together, that take about so many seconds; warm up for them."""
        most_runs, most_steps = task.orders.shape[:2]
        if self.kind.whole_epochs:
            self.steps = most_steps
            self.train()
            return
        least = most_runs if self.kind.together else len(self.hosts)
        self.runs, self.steps = least, min(4, most_steps)
        while True:
            self.train()  # may compile
            took = self.train().seconds
            if took > seconds / 10 or self.steps == most_steps:
                break
            self.steps = min(most_steps, self.steps * max(2, min(16, int(seconds / 5 / took))))
        work = seconds / took * self.steps  # steps of so many runs
        self.steps = max(1, min(most_steps, int(work)))
        self.runs = least * max(1, min(most_runs // least, int(work / self.steps)))
        self.train()

    def close(self) -> None:
        """End the processes."""
        for host in self.hosts:
            host.close()


def serve() -> None:
    """Answer what comes in until there is no more; what is printed goes where errors go."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    made: Any = None
    while True:
        try:
            method, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer = None
        if method == "make":
            module, name, *rest = arguments
            made = getattr(importlib.import_module(module), name)(*rest)
        else:
            answer = getattr(made, method)(*arguments)
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    serve()
