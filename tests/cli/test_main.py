import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

from nnjax import cli
from nnjax.axes import parse_axes
from nnjax.cli.options import Options, read_options
from nnjax.config import Config, of_task
from nnjax.engine import estimate
from nnjax.engine.speed import Speed
from nnjax.reporting import page
from nnjax.reporting.folder import FILES
from nnjax.results import files
from nnjax.search import sweep as sweeps


@pytest.fixture
def untrained(monkeypatch):
    """No test with this may come as far as training."""
    monkeypatch.setattr(sweeps, "run_plan", lambda *args, **options: pytest.fail("it trains"))


def failing(error):
    def fail(*args, **options):
        raise error

    return fail


TINY = ("--epochs", "1", "--seeds", "2", "--hidden", "4")


def loaded_by(*argv):
    code = "import sys; from nnjax import cli; code = cli.main(sys.argv[1:]); print(*sys.modules); sys.exit(code)"
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True)
    return done, {name.split(".")[0] for name in done.stdout.strip().rpartition("\n")[2].split()}


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["train", "--help"],
        ["--version"],
        ["check", "--help"],
        ["search", "--help"],
        ["train", "--learnin_rate=1"],
    ],
)
def test_help_and_mistakes_come_before_what_is_slow_to_import(argv):
    done, modules = loaded_by(*argv)
    assert done.returncode == (2 if "learnin" in argv[-1] else 0)
    assert "nnjax" in modules
    assert not modules & {
        "jax",
        "flax",
        "optax",
        "numpy",
        "xarray",
        "pandas",
        "scipy",
        "sklearn",
        "matplotlib",
        "tqdm",
    }


def test_help_lists_the_commands(command):
    code, out, err = command("--help")
    assert (code, err) == (0, "")
    assert "train  " in out
    assert "sweep  " in out
    assert "check  " in out


def test_version(command):
    code, out, err = command("--version")
    assert (code, err) == (0, "")
    assert out.startswith("nnjax ")


MISTAKES = {
    "flag": (["train", "--learnin_rate", "1"], "there is no flag --learnin_rate; did you mean '--learning_rate'?"),
    "value of axis": (
        ["sweep", "--axes.momentum", "[0, 2]"],
        "momentum is 2, and must be at least 0 and less than 1",
    ),
    "file": (["train", "--config", "nope.yml"], "there is no configuration file nope.yml"),
    "no command": ([], "a command is missing: give train, sweep, search, report, merge, predict or check"),
    "command": (
        ["trian"],
        "'trian' is no command: give train, sweep, search, report, merge, predict or check; did you mean 'train'?",
    ),
    "batch": (
        ["train", "--batch_size", "2000"],
        "batch_size is 2000, and must be at most 1150, the examples that digits trains on",
    ),
    "no folder of data": (
        ["train", "--data.name", "mnist"],
        "data.dir is not set, and mnist is read from a folder that holds its files",
    ),
    "missing folder of data": (
        ["train", "--data.name", "mnist", "--data.dir", "nowhere"],
        "data.dir is 'nowhere', and there is no such folder",
    ),
}


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence(command, case):
    argv, sentence = MISTAKES[case]
    assert command(*argv) == (2, "", f"nnjax: {sentence}\n")


@pytest.mark.usefixtures("untrained")
def test_a_dry_run_prints_the_plan_and_its_time_and_stops(command, tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "calibrate", lambda plan: Speed(2, 1e9, 1e-5, 0.1, 2))
    (tmp_path / "there").mkdir()
    for folder in ("a/b", "there"):
        code, out, err = command(
            "sweep", "--axes.learning_rate", "[1, 0.1]", "--output", folder, "--dry-run", *TINY
        )
        assert (code, err) == (0, "")
        assert out.startswith("2 settings × 2 seeds = 4 runs")
        assert "\nIt takes about 3 s: 3 s of compilation, and less than 1 s of training" in out
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_train_prints_plan_table_and_answer_and_writes_nothing(command, tmp_path):
    code, out, err = command("train", *TINY)
    assert (code, err) == (0, "")
    assert "= 2 runs" in out
    assert re.search("training +validation +test", out)
    assert "The test accuracy is" in out
    assert [path for path in tmp_path.iterdir() if path.name != "cache"] == []


def test_sweep_writes_the_folder_of_its_results(command, tmp_path):
    axes = ("--axes.learning_rate", "[1, 1e-3]", "--axes.init", "[zeros, normal(0.1)]")
    code, out, err = command("sweep", *TINY, *axes, "--batch_size=500", "--output", "a/b")
    assert (code, err) == (0, "")
    assert out.endswith("Results, figure and page are in a/b: open a/b/report.html\n")
    assert {path.name for path in (tmp_path / "a/b").iterdir()} == FILES
    trained = files.load("a/b/results.nc")
    assert dict(trained.test_accuracy.sizes) == {"learning_rate": 2, "init": 2, "seed": 2}
    assert list(trained.learning_rate.values) == [1, 0.001]
    assert "mlp on digits: learning_rate, init" in (tmp_path / "a/b/report.html").read_text()
    # What was trained can be trained again.
    again = read_options(["--config", "a/b/config.yml"], Options(Config()), program="", description="")
    assert again == Options(
        of_task(Config(epochs=1, seeds=2, hidden=4, batch_size=500), "classification"),
        parse_axes({"learning_rate": [1, 0.001], "init": ["zeros", "normal(0.1)"]}),
    )


def test_training_goes_on_from_a_file_of_results(command):
    assert command("train", *TINY, "--keep_state", "--output", "first")[0] == 0
    code, _, err = command("train", *TINY, "--start_from", "first/results.nc", "--dry-run")
    assert code == 2
    assert "the runs of start_from have had 1, which count" in err
    onward = ("--epochs", "2", "--start_from", "first/results.nc", "--output", "further")
    assert command("train", *TINY, *onward)[0] == 0
    first, further = (files.load(f"{folder}/results.nc") for folder in ("first", "further"))
    assert further.train_loss.shape == (2, 2)
    np.testing.assert_array_equal(first.train_loss[:, 0], further.train_loss[:, 0])


@pytest.fixture(scope="module")
def trained():
    """The results of a tiny training."""
    return sweeps.sweep(Config(epochs=1, seeds=2, hidden=4))


@pytest.fixture
def instant(trained, monkeypatch):
    """Training takes no time."""
    monkeypatch.setattr(sweeps, "run_plan", lambda *args, **options: trained)


@pytest.mark.usefixtures("untrained")
def test_a_folder_that_exists_is_refused_before_training(command, tmp_path):
    (tmp_path / "out").mkdir()
    assert command("train", "--output", "out") == (
        2,
        "",
        "nnjax: out exists already: write elsewhere with --output, or replace it with --overwrite\n",
    )
    (tmp_path / "file").write_text("")
    code, out, err = command("train", "--output", "file/out")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "file/out can't be made" in err


@pytest.mark.usefixtures("instant")
def test_overwrite_replaces_the_folder(command, tmp_path):
    for _ in range(2):
        code, _, err = command("train", *TINY, "--output", "out", "--overwrite")
        assert (code, err) == (0, "")
        assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    (tmp_path / "out" / "config.yml").write_text("old")
    assert command("train", *TINY, "--output", "out", "--overwrite")[0] == 0
    assert (tmp_path / "out" / "config.yml").read_text() != "old"
    assert {path.name for path in tmp_path.iterdir()} - {"cache"} == {"out"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_what_was_to_be_replaced_stays_if_the_training_fails(command, tmp_path, monkeypatch, error):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.nc").write_text("old")
    monkeypatch.setattr(sweeps, "run_plan", failing(error))
    assert command("train", "--output", "out", "--overwrite")[0] > 0
    assert {path.name for path in tmp_path.iterdir()} - {"cache"} == {"out"}
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["old"]


@pytest.mark.usefixtures("untrained")
def test_overwrite_removes_nothing_else(command, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    code, out, err = command("train", "--output", "out", "--overwrite")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "out holds 'notes.txt'" in err
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


@pytest.mark.usefixtures("instant")
def test_the_table_is_out_before_the_disk_is_full(command, tmp_path, monkeypatch):
    monkeypatch.setattr(xr.Dataset, "to_netcdf", failing(OSError(errno.ENOSPC, "No space left on device")))
    code, out, err = command("train", *TINY, "--output", "a/out")
    assert (code, err.count("\n")) == (2, 1)
    assert err.endswith("No space left on device\n")
    assert "The test accuracy is" in out
    assert [path for path in tmp_path.iterdir() if path.name != "cache"] == []


@pytest.mark.usefixtures("instant")
def test_the_folder_is_written_though_nobody_reads_the_table(command, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "table", failing(KeyboardInterrupt()))
    assert command("train", *TINY, "--output", "out")[0] == 130
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


@pytest.mark.usefixtures("instant")
def test_results_that_are_left_in_a_hidden_folder_are_named(command, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "page", failing(KeyboardInterrupt()))
    code, _, err = command("train", *TINY, "--output", "out")
    (left,) = (path for path in tmp_path.iterdir() if path.name != "cache")
    assert (code, err) == (130, f"nnjax: stopped by Ctrl-C. The results are in {left}.\n")
    assert files.load(left / "results.nc").sizes["seed"] == 2


def test_ctrl_c_is_one_sentence(command, tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "run_plan", failing(KeyboardInterrupt()))
    code, _, err = command("train", "--output", "a/out")
    assert (code, err) == (130, "nnjax: stopped by Ctrl-C\n")
    assert [path for path in tmp_path.iterdir() if path.name != "cache"] == []


@pytest.mark.parametrize(
    "error",
    [
        jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 512 bytes."),
        jax.errors.JaxRuntimeError("INTERNAL: Error dispatching computation: Out of memory allocating 512 bytes."),
        MemoryError("Out of memory allocating 512 bytes."),
    ],
)
def test_too_little_memory_is_one_sentence(command, monkeypatch, error):
    monkeypatch.setattr(sweeps, "run_plan", failing(error))
    code, _, err = command("train")
    assert (code, err) == (
        2,
        f"nnjax: out of memory: give it fewer runs at a time, or smaller ones ({error})\n",
    )


@pytest.mark.parametrize(
    "bug",
    [
        lambda *args, **options: np.zeros(3).reshape(2),
        failing(ValueError("no")),
        failing(RuntimeError("no")),
        failing(OSError(errno.ENOENT, "no such file")),
        failing(KeyError("no")),
    ],
)
def test_a_mistake_of_ours_shows_where_it_was_made(command, monkeypatch, bug):
    monkeypatch.setattr(sweeps, "train", bug)
    with pytest.raises((ValueError, RuntimeError, OSError, KeyError)):
        command("train", *TINY)


@pytest.mark.usefixtures("instant")
def test_an_error_that_python_raises_in_our_code_is_a_mistake_of_ours(command, monkeypatch):
    monkeypatch.setattr(page, "table", [].remove)
    with pytest.raises(ValueError, match=r"list\.remove"):
        command("train", *TINY)


def start(*argv, **options):
    """Runs the command as a process of its own, which keeps its output back until its end, as programs do."""
    code = "import sys; from nnjax.cli.main import main; sys.exit(main(sys.argv[1:]))"
    env = {**os.environ, "PYTHONUNBUFFERED": "", **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-c", code, *argv], stderr=subprocess.PIPE, text=True, env=env, **options
    )


def test_a_closed_pipe_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    done = start("--help", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk to write to")
def test_a_full_disk_behind_stdout_is_one_sentence():
    with Path("/dev/full").open("w") as full:
        done = start("--help", stdout=full)
    assert (done.returncode, done.stderr) == (2, "nnjax: the output can't be written: No space left on device\n")


def test_a_terminal_without_the_letters_is_no_error():
    done = start("train", "--help", stdout=subprocess.PIPE, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")


def test_a_study_gets_its_results(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["study.py"])
    options = cli.parse("A study.", config=Config(epochs=1, seeds=2, hidden=4), argv=["--batch_size", "500"])
    trained = cli.run(options, title="Title", question="Question?")
    assert dict(trained.test_accuracy.sizes) == {"seed": 2}
    assert "The test accuracy is" in capsys.readouterr().out
