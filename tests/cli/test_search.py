"""``nnjax search``: its flags and sections, its plan, and one tiny search from the space to the page."""

import json
import re

import pytest

from nnjax.cli.options import Options, read_options
from nnjax.cli.search_options import SearchOptions
from nnjax.config import Config
from nnjax.engine import estimate
from nnjax.engine.speed import Speed
from nnjax.reporting.folder import FILES
from nnjax.results import files
from nnjax.search import search as searches
from nnjax.search.halving import Halving
from nnjax.validation import UserError

SPACE = ("--space.hidden", "[[4], [6], [5, 4]]", "--space.learning_rate", "log_uniform(0.1, 2)")
TINY = ("--epochs", "3", "--seeds", "2", "--samples", "4", "--init", "xavier_uniform")


def read(*argv):
    return read_options(argv, Options(Config()), program="nnjax search", description="", takes="space")


@pytest.fixture
def untrained(monkeypatch):
    """No test with this may come as far as training."""
    monkeypatch.setattr(searches, "train", lambda *args, **options: pytest.fail("it trains"))


@pytest.fixture
def file(tmp_path):
    """Writes a YAML file and gives its path."""

    def write(text):
        path = tmp_path / "search.yml"
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], {}),
        (
            ["--samples", "9", "--sampler=sobol", "--sampler_seed", "3"],
            {"samples": 9, "sampler": "sobol", "sampler_seed": 3},
        ),
        (["--halving", "3", "--fresh", "0"], {"halving": 3, "fresh": 0}),
        (["--halving", "{factor: 2, brackets: 2}"], {"halving": {"factor": 2, "brackets": 2}}),
        (["--halving", "None", "--batch", "4"], {"batch": 4}),
        (["--zone", "1e-2", "--confidence=0.9"], {"zone": 0.01, "confidence": 0.9}),
    ],
)
def test_flags_say_how_it_is_searched(argv, told):
    assert read(*SPACE, *argv).search == SearchOptions(**told)


def test_a_space_stands_in_flags_or_in_a_file_and_flags_win(file):
    path = file(
        "epochs: 5\nspace:\n  learning_rate: {distribution: log_uniform_values, min: 1e-3, max: 1}\n"
        "  activation: [relu, tanh]\nsearch: {samples: 9, sampler: sobol}"
    )
    alone, over = read("--config", path), read("--space.activation", "[relu]", "--samples", "7", "--config", path)
    assert alone.config == Config(epochs=5)
    assert alone.space.described() == {
        "learning_rate": "log_uniform(0.001, 1)",
        "activation": "choice([relu, tanh])",
    }
    assert alone.search == SearchOptions(samples=9, sampler="sobol")
    assert over.space.described() == {"learning_rate": "log_uniform(0.001, 1)", "activation": "choice([relu])"}
    assert over.search == SearchOptions(samples=7, sampler="sobol")
    assert read("--space", "{momentum: 'uniform(0, 0.9)'}", "--config", path).space.described() == {
        "momentum": "uniform(0, 0.9)"
    }


def test_a_field_may_be_set_where_the_space_has_it_under_a_condition():
    argv = ("--space.activation", "[relu, tanh]", "--space.momentum", "when(activation, relu, uniform(0, 0.9))")
    assert read(*argv, "--momentum", "0.5").config.momentum == 0.5


MISTAKES = {
    "field": (
        ["--space.learnin_rate", "uniform(0, 1)"],
        "'learnin_rate' is not a field of the configuration; did you mean 'learning_rate'?",
    ),
    "flag": ([*SPACE, "--halvin", "3"], "there is no flag --halvin; did you mean '--halving'?"),
    "flag of the space": (
        ["--spaces.momentum", "[0]"],
        "there is no flag --spaces.momentum; did you mean '--space.momentum'?",
    ),
    "flag of a field": ([*SPACE, "--dir", "x"], "there is no flag --dir; did you mean '--data.dir'?"),
    "no distribution": (["--space.momentum"], "--space.momentum needs a distribution"),
    "no space": (
        TINY,
        'the space is missing: say what to search, as in --space.learning_rate "log_uniform(0.01, 1)"',
    ),
    "name": (
        ["--space.momentum", "unifrom(0, 1)"],
        "the space of momentum: 'unifrom' is no distribution, which are uniform, log_uniform, integers, "
        "log_integers, normal, log_normal, choice, tuple_of, layers, text, constant, when; did you mean "
        "'uniform'?",
    ),
    "empty": (
        ["--space.momentum", "uniform(0.9, 0)"],
        "the space of momentum: uniform(0.9, 0) is empty: low must be less than high",
    ),
    "out of bounds": (
        ["--space.momentum", "uniform(0, 1)", "--dry-run"],
        "a space with momentum: uniform(0, 1) can't be, since momentum is 1.0, and must be at least 0 and less "
        "than 1",
    ),
    "sampler": (
        [*SPACE, "--sampler", "sobl"],
        "sampler is 'sobl', and must be one of random, sobol, grid, optuna; did you mean 'sobol'?",
    ),
    "samples": ([*SPACE, "--samples", "0"], "samples is 0, and must be at least 1"),
    "fresh": ([*SPACE, "--fresh=-1"], "fresh is -1, and must be at least 0"),
    "zone": ([*SPACE, "--zone", "0"], "zone is 0, and must be more than 0"),
    "seed": (
        [*SPACE, "--sampler_seed=-1"],
        "sampler_seed is -1, and must be at least 0 and less than 4294967296",
    ),
    "halving": (
        [*SPACE, "--halving", "1"],
        "factor of a halving is 1, and must be a whole number from 2 on",
    ),
    "halving by name": (
        [*SPACE, "--halving", "{facter: 3}"],
        "halving has 'facter', and takes factor, least, brackets; did you mean 'factor'?",
    ),
    "brackets": (
        [*SPACE, *TINY, "--halving", "{factor: 3, brackets: 5}", "--dry-run"],
        "brackets of a halving is 5, and must be at most 2, the rungs of 3 epochs",
    ),
    "field and space": (
        [*SPACE, "--learning_rate", "1"],
        "learning_rate is set to 1, and is in the space of the search as well: leave out --learning_rate, or give "
        "it there with --space.learning_rate",
    ),
    "axes": (
        [*SPACE, "--axes.momentum", "[0]"],
        "--axes.momentum is for nnjax sweep, and nnjax search has a space",
    ),
    "seeds": (
        [*SPACE, "--init_seed", "1", "--data_seed", "2"],
        "init_seed and data_seed are both set, so that all runs of a setting would be the same",
    ),
}


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence(command, case):
    argv, sentence = MISTAKES[case]
    assert command("search", *argv)[::2] == (2, f"nnjax: {sentence}\n")


@pytest.mark.usefixtures("untrained")
def test_optuna_is_asked_for_where_it_is_missing(command, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    code, _, err = command("search", *SPACE, "--sampler", "optuna")
    assert (code, err) == (2, "nnjax: the sampler optuna needs Optuna: pip install optuna\n")


FOR = "the configuration file has"
SECTIONS = {
    "axes": (
        "search",
        "axes: {epochs: [1]}",
        f"{FOR} axes, which are for nnjax sweep, and nnjax search has a space",
    ),
    "space": (
        "sweep",
        "space: {epochs: [1]}",
        f"{FOR} the section space, which is for nnjax search, and nnjax sweep has axes",
    ),
    "search": (
        "train",
        "search: {samples: 3}",
        f"{FOR} the section search, which is for nnjax search, and nnjax train trains one setting",
    ),
    "option": (
        "search",
        "space: {epochs: [1]}\nsearch: {fresch: 3}",
        "'fresch' is no option of a search, which are samples, sampler, sampler_seed, batch, halving, fresh, "
        "zone, confidence; did you mean 'fresh'?",
    ),
    "no options": (
        "search",
        "space: {epochs: [1]}\nsearch: 3",
        "search is 3, and must be a mapping of options, such as samples: 64",
    ),
    "no mapping": (
        "search",
        "space: [1]",
        "the space is [1], and must be a mapping of fields to distributions, such as learning_rate: "
        "log_uniform(0.001, 1)",
    ),
    "cut": (
        "search",
        "space: {momentum: uniform(0, 0.9)}",
        "the space of momentum has 'uniform(0': in brackets of YAML a distribution stands in quotes, as in "
        "{momentum: 'uniform(0, 0.9)'}",
    ),
    "cut in a list": (
        "search",
        "space: {activation: [relu, tanh], momentum: [when(activation, relu, 0.9)]}",
        "the space of momentum has 'when(activation': in brackets of YAML a distribution stands in quotes, as in "
        "{momentum: 'uniform(0, 0.9)'}",
    ),
}


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("case", SECTIONS)
def test_a_section_is_for_its_command(command, file, case):
    name, text, sentence = SECTIONS[case]
    assert command(name, "--config", file(text)) == (2, "", f"nnjax: {sentence}\n")


def test_help_lists_all_of_it(command):
    code, out, err = command("search", "--help")
    words = " ".join(out.split())
    assert (code, err) == (0, "")
    for flag in (
        "--space YAML",
        "--space.FIELD DISTRIBUTION",
        "--samples N",
        "--sampler {random,sobol,grid,optuna}",
    ):
        assert flag in words
    for flag in (
        "sampler_seed",
        "batch",
        "halving",
        "fresh",
        "zone",
        "quiet",
        "dry-run",
        "output",
        "learning_rate",
    ):
        assert f"--{flag} " in words
    assert "--axes" not in words
    assert "--runs_per_call" not in words


@pytest.mark.usefixtures("untrained")
def test_a_dry_run_plans_the_settings_that_are_asked_for_first(command, tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "calibrate", lambda plan: Speed(2, 1e9, 1e-5, 0.3, 2))
    argv = (*SPACE, *TINY, "--sampler", "sobol", "--batch", "3", "--halving", "2", "--output", "out", "--dry-run")
    code, out, err = command("search", *argv)
    assert (code, err) == (0, "")
    assert out.startswith("search of 4 settings × 2 seeds, sampler sobol with seed 0\n  hidden: choice(")
    assert "asked for first: 3 settings × 2 seeds = 6 runs" in out
    assert len(re.findall(r"^  setting \d: hidden \(.*\), learning_rate [\d.]+$", out, re.MULTILINE)) == 3
    assert "\none setting in 2 goes on after 1, 2 of 3 epochs\nIt takes at most about " in out
    assert "It is an upper bound" in " ".join(out.split())
    assert " ".join(out.split()).endswith("Settings asked for later, and fresh runs of the best, aren't counted.")
    assert not (tmp_path / "out").exists()
    # The same settings once.
    code, out, _ = command("search", "--space.momentum", "[0, 0.5]", "--samples", "30", "--dry-run")
    assert "asked for first: 2 settings" in out
    assert "\nIt takes about " in out


def test_all_that_was_said_reaches_the_search(command, monkeypatch):
    given = {}

    def search(config, data, space, **options):
        given.update(options, config=config, data=data, space=space.described())
        raise UserError("enough")

    monkeypatch.setattr(searches, "search", search)
    flags = {"samples": 5, "sampler": "sobol", "sampler_seed": 3, "batch": 2, "halving": 2, "fresh": 1}
    flags |= {
        "zone": 0.1,
        "confidence": 0.9,
        "time": "2m",
        "keep_parameters": "true",
        "quiet": "true",
        "epochs": 4,
    }
    argv = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    assert command("search", "--space.momentum", "[0, 0.9]", *argv)[::2] == (2, "nnjax: enough\n")
    assert given == {
        "config": Config(epochs=4),
        "data": None,
        "space": {"momentum": "choice([0, 0.9])"},
        "samples": 5,
        "sampler": "sobol",
        "seed": 3,
        "batch": 2,
        "halving": Halving(2),
        "fresh": 1,
        "zone": 0.1,
        "confidence": 0.9,
        "keep_parameters": True,
        "progress": False,
        "time_limit": 120,
    }


def test_a_search_from_the_space_to_the_page(command, tmp_path):
    argv = (*SPACE, *TINY, "--halving", "2", "--output", "out", "--quiet")
    code, out, err = command("search", *argv)
    assert (code, err) == (0, "")
    answer = " ".join(out.rpartition("\n\nResults,")[0].rpartition("\n\n")[2].split())
    assert re.match(
        r"hidden \(.*\), learning_rate [\d.]+ is the best of 4 settings, chosen on validation accuracy: [\d.]+%, "
        r"of which some [\d.]+ percentage points are the optimism of choosing the highest\. With 2 fresh seeds "
        r"its test accuracy is [\d.]+% ± [\d.]+, its 95% t-interval\. ",
        answer,
    )
    assert re.search(r"may be the best|be the best too", answer)
    assert (
        "None of the 8 runs diverged, and 6 were stopped before the last epoch, which saved 10 of the 24 epochs "
        "(42%)." in answer
    )
    drawn = {f"{name}.{kind}" for name in ("fields", "parallel") for kind in ("png", "svg")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES | drawn
    results = files.load("out/results.nc")
    assert json.loads(results.attrs["search"])["samples"] == 4
    assert dict(results.sizes) | {"setting": 4, "seed": 2, "fresh_seed": 2} == dict(results.sizes)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "With 2 fresh seeds" in page
    assert "Which field mattered can&#x27;t be said from 4 settings." in page
    assert "a search over hidden, learning_rate" in page
    # The same again, from the file alone; and the file of its settings is one for a sweep.
    assert answer in " ".join(command("report", "out/results.nc")[1].split())
    code, out, _ = command("sweep", "--config", "out/config.yml", "--dry-run")
    assert (code, out.startswith("4 settings × 2 seeds")) == (0, True)
