"""How a command ends: its exit code, what it says, and what it leaves."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from nnjax import cli
from nnjax.cli import endings
from nnjax.validation import UserError

COMMAND = "import sys; from nnjax.cli.main import main; sys.exit(main(sys.argv[1:]))"
TINY = ("--epochs", "1", "--seeds", "2", "--hidden", "4")
LONG = ("train", "--epochs", "1000000", "--seeds", "2", "--hidden", "4", "--output", "a/out")


def environment(**more):
    return {**os.environ, "PYTHONUNBUFFERED": "", **more}


@pytest.fixture
def training(tmp_path):
    """A long training in a process of its own, which has reserved its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *LONG],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(),
    )
    assert "2 runs" in process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("SIGTERM", 143, "stopped by SIGTERM"),
        ("SIGHUP", 129, "stopped by SIGHUP"),
        ("SIGINT", 130, "stopped by Ctrl-C"),
    ],
)
def test_a_signal_ends_it_and_leaves_whole_results_or_nothing(training, tmp_path, name, code, sentence):
    training.send_signal(getattr(signal, name))
    _, err = training.communicate(timeout=100)
    assert_ended(training.returncode, err, code, sentence)
    left = [path.name for path in tmp_path.iterdir() if path.name != "cache"]
    assert left == (["a"] if "ended the training" in err else [])
    assert not left or (tmp_path / "a" / "out" / "results.nc").is_file()


def assert_ended(returncode, err, code, sentence):
    """Before the training has begun a signal is one sentence; afterwards it ends with the next epoch."""
    assert returncode == code
    if err != f"nnjax: {sentence}\n":
        by = sentence.removeprefix("stopped by ")
        # On a busy machine it has said how far it has come.
        first, last = (line for line in err.strip().splitlines() if not line.startswith("2 runs: "))
        assert first == f"{by}: ends at the next epoch and keeps what there is; once more leaves at once"
        assert last.startswith(f"nnjax: {by} ended the training: of 2 runs 0 have finished")


def test_a_signal_that_was_ignored_stays_so(tmp_path):
    # As under nohup.
    code = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); {COMMAND}"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *LONG],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(),
    )
    assert "2 runs" in process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=100)
    assert_ended(process.returncode, err, 143, "stopped by SIGTERM")


def handlers():
    return [signal.getsignal(getattr(signal, name)) for name in endings.SIGNALS]


def test_the_handlers_are_those_from_before_afterwards():
    before = handlers()
    with endings.sentences():
        within = handlers()
        with endings.sentences():
            assert handlers() == within
        assert handlers() == within
    assert handlers() == before
    assert within != before
    with pytest.raises(SystemExit), endings.sentences():
        signal.raise_signal(signal.SIGTERM)
    assert handlers() == before


def test_importing_leaves_the_handlers_alone():
    code = """
import signal
before = signal.getsignal(signal.SIGTERM)
import nnjax.cli, nnjax.search.sweep
print(signal.getsignal(signal.SIGTERM) == before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_handler_of_somebody_else_stays(capsys):
    called = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    try:
        with endings.sentences():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert called == [signal.SIGTERM]
    assert capsys.readouterr().err == ""


def test_another_ctrl_c_ends_at_once_and_another_sigterm_changes_nothing():
    code = """
import signal, time
from nnjax.cli.endings import sentences
with sentences():
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.raise_signal(signal.SIGTERM)
        print("tidied up", flush=True)
        signal.raise_signal(signal.SIGINT)
        print("never")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "tidied up\n", "")


def test_other_threads_have_sentences_without_signals(capsys):
    ended = []

    def mistake():
        try:
            with endings.sentences():
                raise UserError("no")
        except SystemExit as end:
            ended.append(end.code)

    thread = threading.Thread(target=mistake)
    thread.start()
    thread.join()
    assert (ended, capsys.readouterr().err) == ([2], "nnjax: no\n")


def shell(line, tmp_path, **env):
    """Runs a line of the shell in which nnjax stands for the command."""
    command = f"{sys.executable} -c '{COMMAND}'"
    return subprocess.run(
        ["bash", "-c", line.replace("nnjax", command, 1)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(**env),
    )


def results_are_whole(folder):
    from nnjax.results import files

    return files.load(folder / "results.nc").sizes["seed"] == 2 and (folder / "report.html").is_file()


TRAIN = f"nnjax train {' '.join(TINY)} --output out"


@pytest.mark.parametrize(
    ("line", "code", "err"),
    [
        (f"{TRAIN} >&-", 0, ""),
        (f"{TRAIN} >/dev/null 2>&-", 0, ""),
        (f"{TRAIN} <&- >&- 2>&-", 0, ""),
        (f"{TRAIN} 2>/dev/full >/dev/null", 0, ""),
    ],
)
def test_results_are_kept_where_nobody_reads_the_words(tmp_path, line, code, err):
    done = shell(line, tmp_path)
    assert (done.returncode, done.stderr) == (code, err)
    assert results_are_whole(tmp_path / "out")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nnjax train --lr 1 >&-", 2),
        ("nnjax train --lr 1 2>&-", 2),
        ("nnjax train --lr 1 2>/dev/full", 2),
        ("nnjax train --lr 1 >/dev/full 2>&1", 2),
        ("nnjax --help >/dev/full 2>/dev/full", 2),
        ("nnjax --help >&-", 0),
    ],
)
def test_the_exit_code_is_right_without_anybody_to_tell(tmp_path, line, code):
    done = shell(line, tmp_path)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr in ("", "nnjax: there is no flag --lr; did you mean '--learning_rate'?\n")


def test_a_stream_that_was_closed_by_the_program_is_no_error(monkeypatch, capsys):
    import io

    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    with endings.sentences():
        pass
    monkeypatch.setattr(sys, "stderr", closed)
    with pytest.raises(SystemExit) as end, endings.sentences():
        raise UserError("no")
    assert end.value.code == 2
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert cli.main(["nonsense"]) == 2


@pytest.mark.parametrize("number", [5, 27, 28])  # EIO, EFBIG, ENOSPC
def test_what_the_system_refuses_to_write_is_one_sentence(number, capsys):
    with pytest.raises(SystemExit) as end, endings.sentences():
        raise OSError(number, os.strerror(number))
    assert end.value.code == 2
    assert capsys.readouterr().err == f"nnjax: the output can't be written: {os.strerror(number)}\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_with_few_letters_gets_likenesses(tmp_path, encoding):
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "train", "--help"],
        capture_output=True,
        env=environment(PYTHONIOENCODING=encoding),
        check=True,
    )
    text = done.stdout.decode(encoding)
    assert "?" not in text
    assert "eta" in text


def test_a_number_below_zero_keeps_its_sign():
    code = "from nnjax.cli.endings import sentences\nwith sentences(): print('−3.00 ± 0.1, 2 × 3, ‖∇L‖, … „a–b“')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(PYTHONIOENCODING="ascii")
    )
    assert done.stdout == '-3.00 +- 0.1, 2 x 3, ||grad L||, ... "a-b"\n'
