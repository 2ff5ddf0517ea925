import runpy
import sys
from pathlib import Path

import pytest

from nnjax.reporting.folder import FILES
from nnjax.search import sweep as sweeps
from tests.texts import BLAME, PRAISE

LEARNING_RATE = str(Path(__file__).parent.parent / "experiments" / "learning_rate.py")
TINY = ("--epochs", "1", "--seeds", "2", "--hidden", "4")


@pytest.fixture
def untrained(monkeypatch):
    """No test with this may come as far as training."""
    monkeypatch.setattr(sweeps, "run_plan", lambda *args, **options: pytest.fail("it trains"))


@pytest.fixture
def study(capsys, tmp_path, monkeypatch):
    """Runs the learning-rate study in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        monkeypatch.setattr(sys, "argv", [LEARNING_RATE, *argv])
        code = 0
        try:
            runpy.run_path(LEARNING_RATE, run_name="__main__")
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


@pytest.mark.usefixtures("untrained")
def test_the_study_trains_four_rates_with_32_seeds(study):
    code, out, err = study("--dry-run")
    assert (code, err) == (0, "")
    assert out.startswith("4 settings × 32 seeds = 128 runs in 1 group,")
    assert "mlp 64-128-10" in out
    assert "100 epochs" in out


def test_the_study_takes_every_option_and_answers(study, tmp_path):
    code, out, err = study(*TINY, "--axes.learning_rate", "[1, 0.1]")
    assert (code, err) == (0, "")
    assert "is the best of 2 settings" in out
    assert {path.name for path in (tmp_path / "results" / "learning_rate").iterdir()} == FILES
    code, out, err = study(*TINY)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "results/learning_rate exists already" in err


@pytest.mark.usefixtures("untrained")
def test_mistakes_and_help_of_the_study(study):
    code, out, err = study("--learning_rate", "0.5")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "learning_rate is set to 0.5, and is an axis of the sweep as well" in err
    code, out, err = study("--help")
    assert (code, err) == (0, "")
    words = " ".join(out.split())
    assert "Which learning rate suits a two-layer network?" in words
    assert "(default: results/learning_rate)" in words
    assert '(default: {"learning_rate": [1, 0.1, 0.05, 0.01]})' in words
    assert "Passes over the training examples, E. (default: 100)" in words


def test_the_study_of_sentiment_compares_bags_with_averages(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = str(Path(LEARNING_RATE).parent / "sentiment.py")
    folder = tmp_path / "reviews"
    folder.mkdir()
    for name, texts in (("pos", PRAISE), ("neg", BLAME)):
        (folder / f"reviews.{name}").write_text("\n".join(texts * 2))
    of_files = (
        "--data.name",
        "text",
        "--data.file",
        str(folder),
        "--data.folds",
        "4",
        "--axes.data.fold",
        "[0, 3]",
    )
    for more, runs, words in (
        ((), "8 settings × 4 seeds = 32 runs in 8 groups", "dan 35-300-512-512-512-2 (relu, cross_entropy, adam"),
        ((*of_files, "--batch_size", "8"), "8 settings × 2 folds × 4 seeds = 64 runs in 16 groups", "on reviews"),
    ):
        monkeypatch.setattr(sys, "argv", [script, "--dry-run", *more])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(script, run_name="__main__")
        out, err = capsys.readouterr()
        assert (end.value.code, err) == (0, "")
        assert out.startswith(runs)
        assert words in out
