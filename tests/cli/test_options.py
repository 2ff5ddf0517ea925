import dataclasses
import itertools
import re

import pytest

from nnjax.axes import parse_axes
from nnjax.cli.main import TAKES
from nnjax.cli.options import Options, read_options
from nnjax.config import Config, DataConfig, field_names
from nnjax.validation import UserError


def read(*argv, defaults=None, takes="axes"):
    return read_options(argv, defaults or Options(Config()), program="nnjax sweep", description="", takes=takes)


@pytest.mark.parametrize(
    ("argv", "fields"),
    [
        ([], {}),
        (["--learning_rate", "0.5"], {"learning_rate": 0.5}),
        (["--learning_rate=1e-3"], {"learning_rate": 0.001}),
        (["--learning_rate=1E+1", "--weight_decay", "2.e-5"], {"learning_rate": 10, "weight_decay": 2e-5}),
        (["--activation_slope=-1e-3"], {"activation_slope": -0.001}),
        (["--hidden", "64"], {"hidden": (64,)}),
        (["--hidden", "[64, 32]"], {"hidden": (64, 32)}),
        (["--hidden=[32, 32]"], {"hidden": (32, 32)}),
        (["--hidden", "[]"], {"hidden": ()}),
        (["--layer_rates", "[1, 1e-1]"], {"layer_rates": (1, 0.1)}),
        (["--seeds", "32"], {"seeds": 32}),
        (["--seeds", "[3, 5]"], {"seeds": (3, 5)}),
        (["--init", "normal(0.01)"], {"init": "normal(0.01)"}),
        (["--init=uniform(-0.1, 0.1)"], {"init": "uniform(-0.1, 0.1)"}),
        (["--init_seed=None"], {}),
        (["--init_seed", "null", "--data_seed", "3"], {"data_seed": 3}),
        (["--nesterov=True"], {"nesterov": True}),
        (["--nesterov"], {"nesterov": True}),
        (["--nesterov", "--residual", "false", "--epochs", "3"], {"nesterov": True, "epochs": 3}),
        (["--data.name", "mnist", "--data.dir", "2024"], {"data": DataConfig("mnist", "2024")}),
        (["--data.dir=None"], {}),
        (["--data={'name': 'mnist', 'dir': None, 'split_seed': 3}"], {"data": DataConfig("mnist", split_seed=3)}),
        (["--data", "{name: kmnist}", "--data.dir", "a: b"], {"data": DataConfig("kmnist", "a: b")}),
        (["--epochs", "1", "--epochs", "2"], {"epochs": 2}),
    ],
)
def test_flags_set_fields(argv, fields):
    assert read(*argv) == Options(Config(**fields))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1h30m", 5400), ("1h0m5s", 3605)]
)
def test_a_time_is_read(text, seconds):
    assert read("--time", text).time_limit == seconds


@pytest.mark.parametrize("text", ["", "0", "two hours", "1d", "-5", "30m1h", "nan"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UserError, match=r"--time is .* and must be a time such as 90s, 30m or 1h30m"):
        read(f"--time={text}")


@pytest.mark.parametrize(
    ("argv", "runs_per_call"), [([], None), (["--runs_per_call", "3"], 3), (["--runs_per_call=None"], None)]
)
def test_runs_at_a_time_are_no_field(argv, runs_per_call):
    assert read(*argv) == Options(Config(), runs_per_call=runs_per_call)


@pytest.fixture
def file(tmp_path):
    """Writes a YAML file and gives its path."""
    names = iter(range(99))

    def write(text):
        path = tmp_path / f"{next(names)}.yml"
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.parametrize("first", ["file", "flag"])
def test_a_flag_wins_over_a_file_wherever_it_stands(file, first):
    path = file("learning_rate: 1e-3\nhidden: [7]\ndata: {name: mnist, dir: here}\ndata.valid_fraction: 5e-1")
    argv = [["--config", path], ["--hidden", "9", "--data.name", "kmnist"]]
    read_back = read(*itertools.chain(*(argv if first == "file" else argv[::-1])))
    expected = Config(learning_rate=0.001, hidden=(9,), data=DataConfig("kmnist", "here", valid_fraction=0.5))
    assert read_back == Options(expected)


def test_a_file_wins_over_defaults_and_a_later_file_over_an_earlier(file):
    first, second = file("epochs: 2\nhidden: 5"), file("epochs: 3")
    defaults = Options(Config(hidden=(3,), batch_size=9))
    assert read("--config", first, defaults=defaults) == Options(Config(hidden=5, batch_size=9, epochs=2))
    assert read("--config", first, "--config", second) == Options(Config(hidden=5, epochs=3))


@pytest.mark.parametrize(
    ("argv", "axes"),
    [
        (["--axes", "{learning_rate: [1, 1e-3]}"], {"learning_rate": [1, 0.001]}),
        (
            ['--axes={"learning_rate": [1], "hidden": [[3], [4, 4]]}'],
            {"learning_rate": [1], "hidden": [[3], [4, 4]]},
        ),
        (["--axes", "[{learning_rate: 1}, {momentum: .9e0}]"], [{"learning_rate": 1}, {"momentum": 0.9}]),
        (["--axes.learning_rate", "[1, 1e-3]"], {"learning_rate": [1, 0.001]}),
        (["--axes.data.split_seed=[None, 1]"], {"data.split_seed": [None, 1]}),
        (
            ["--axes.learning_rate,momentum", "[[1, 0], [1e-2, 0.9]]"],
            {"learning_rate,momentum": [[1, 0], [0.01, 0.9]]},
        ),
        (["--axes.init", "[zeros, normal(1e-2)]"], {"init": ["zeros", "normal(1e-2)"]}),
        (["--axes.epochs", "[1]", "--seeds", "3", "--axes.momentum=[0.5]"], {"epochs": [1], "momentum": [0.5]}),
        (["--axes", "{epochs: [1], hidden: [2]}", "--axes.epochs", "[3]"], {"epochs": [3], "hidden": [2]}),
    ],
)
def test_axes(argv, axes):
    assert read(*argv).axes == parse_axes(axes)


def test_axes_of_a_file_replace_the_defaults_and_flags_add_to_them(file):
    defaults = Options(Config(), parse_axes({"learning_rate": [1, 0.1]}))
    path = file("epochs: 3\naxes:\n  momentum: [0, 9e-1]")
    assert read("--config", path, defaults=defaults) == Options(
        Config(epochs=3), parse_axes({"momentum": [0, 0.9]})
    )
    added = read("--axes.hidden", "[4, 5]", defaults=defaults)
    assert added.axes == parse_axes({"learning_rate": [1, 0.1], "hidden": [4, 5]})
    joined = read("--axes.learning_rate", "[2]", "--config", path, defaults=defaults)
    assert joined.axes == parse_axes({"momentum": [0, 0.9], "learning_rate": [2]})
    assert read("--axes", "{}", defaults=defaults).axes == ()


# The first word of each is the command.
MISTAKES = {
    "flag": (["train", "--learnin_rate", "1"], "there is no flag --learnin_rate; did you mean '--learning_rate'?"),
    "hyphen": (
        ["train", "--learning-rate=1"],
        "there is no flag --learning-rate; did you mean '--learning_rate'?",
    ),
    "underscore": (["train", "--dry_run"], "there is no flag --dry_run; did you mean '--dry-run'?"),
    "no abbreviation": (["train", "--learn", "1"], "there is no flag --learn; did you mean '--learning_rate'?"),
    "flag of axes": (
        ["sweep", "--axis.momentum", "[1]"],
        "there is no flag --axis.momentum; did you mean '--axes.momentum'?",
    ),
    "no value": (
        ["train", "--seeds"],
        "--seeds needs a value; one that begins with a hyphen is given with =, as in --seeds=-1",
    ),
    "no list": (["sweep", "--axes.momentum", "--seeds", "3"], "--axes.momentum needs a list of values"),
    "spaces": (["train", "--hidden=[32,", "32]"], "'32]' belongs to no flag: quote a value that has spaces in it"),
    "brackets": (
        ["train", "--hidden", "[32, 32"],
        "--hidden [32, 32 is no YAML that can be read: while parsing a flow sequence, "
        "expected ',' or ']', but got '<stream end>'",
    ),
    "count": (["train", "--runs_per_call", "many"], "--runs_per_call is 'many', and must be a whole number"),
    "count of none": (["train", "--runs_per_call=0"], "--runs_per_call is 0, and must be at least 1"),
    "switch": (["train", "--dry-run=maybe"], "--dry-run is 'maybe', and must be true or false"),
    "type": (["train", "--learning_rate", "fast"], "learning_rate is 'fast', and must be a number"),
    "data": (
        ["train", "--data", "mnist"],
        "data is 'mnist', and must be a mapping that may hold "
        + ", ".join(item.name for item in dataclasses.fields(DataConfig)),
    ),
    "choice": (
        ["train", "--activation", "rely"],
        "activation is 'rely', and must be one of identity, sigmoid, scaled_sigmoid, tanh, relu, leaky_relu, "
        "gelu, or module:function or file.py:function; did you mean 'relu'?",
    ),
    "word": (
        ["train", "--schedule", "off"],
        "schedule is 'off', and must be one of constant, linear, cosine, exponential, step, "
        "or module:function or file.py:function",
    ),
    "range": (["train", "--seeds", "0"], "seeds is 0, and must be at least 1 and at most 1000000"),
    "axes of train": (
        ["train", "--axes.momentum", "[0]"],
        "--axes.momentum is for nnjax sweep, and nnjax train trains one setting",
    ),
    "field of axis": (
        ["sweep", "--axes.momentun", "[0]"],
        "'momentun' is not a field of the configuration; did you mean 'momentum'?",
    ),
    "values of axis": (
        ["sweep", "--axes.momentum", "0.9"],
        "the axis momentum is 0.9, and must be a list of values",
    ),
    "axes": (
        ["sweep", "--axes", "momentum"],
        "axes is 'momentum', and must be a mapping of fields to lists, or a list of settings",
    ),
    "axis and settings": (
        ["sweep", "--axes", "[{epochs: 1}]", "--axes.momentum", "[0]"],
        "--axes.momentum can't be added to a list of settings: give --axes as well",
    ),
    "axis and field": (
        ["sweep", "--axes.momentum", "[0, 0.9]", "--momentum", "0.5"],
        "momentum is set to 0.5, and is an axis of the sweep as well: leave out --momentum, or give the axis its "
        "values with --axes.momentum",
    ),
    "no file": (["train", "--config", "nope.yml"], "there is no configuration file nope.yml"),
    "folder for file": (["train", "--config", "."], ". can't be read: Is a directory"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence(case):
    (command, *argv), sentence = MISTAKES[case]
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        read_options(argv, Options(Config()), program=f"nnjax {command}", description="", takes=TAKES.get(command))


def test_a_file_with_axes_is_for_a_sweep(file):
    with pytest.raises(
        ValueError, match=r"^the configuration file has axes, which are for nnjax sweep, and nnjax"
    ):
        read("--config", file("axes: {epochs: [1]}"), takes=None)


def test_help_says_what_every_field_is_and_its_default(capsys):
    with pytest.raises(SystemExit):
        read("--help", defaults=Options(Config(epochs=77, hidden=(3, 4))))
    words = " ".join(capsys.readouterr().out.split())
    for name in field_names():
        assert f"--{name} " in words
    assert "--learning_rate NUMBER η, the peak of the schedule. (default: 0.1)" in words
    assert "--hidden LIST Widths of the hidden layers of an mlp or a dan. (default: [3, 4])" in words
    assert "Passes over the training examples, E. (default: 77)" in words
    assert "--data.split_seed N|None Shuffle the training set with this seed" in words
    assert "--axes.FIELD LIST" in words
    with pytest.raises(SystemExit):
        read("--help", takes=None)
    assert "--axes" not in capsys.readouterr().out


def test_a_folder_without_the_name_of_what_it_holds_is_refused():
    with pytest.raises(ValueError, match=r"say with data\.name what the folder holds"):
        read("--data.dir", "DIR")
    assert read("--data.dir", "DIR", "--data.name", "mnist").config.data.dir == "DIR"
    assert read("--data.dir", "DIR", "--axes.data.name", "[digits, mnist]").config.data.dir == "DIR"


# What people write for a flag or a value, and the sentence; the first word is the command.
SPELLINGS = {
    "colons": (["train", "--seeds", "1:10"], "seeds is '1:10', and a list is written in brackets: [0, 1, 2]"),
    "range": (
        ["train", "--seeds", "range(3)"],
        "seeds is 'range(3)', and a list is written in brackets: [0, 1, 2]",
    ),
    "commas": (["train", "--hidden", "64,32"], "hidden is '64,32', and a list is written in brackets: [64, 32]"),
    "crosses": (["train", "--hidden=64x32"], "hidden is '64x32', and a list is written in brackets: [64, 32]"),
    "several values": (
        ["train", "--hidden", "64", "32"],
        "'32' belongs to no flag: quote a value that has spaces in it, and a list is written in brackets, as in "
        '"[64, 32]"',
    ),
    "yes": (["train", "--nesterov", "yes"], "nesterov is 'yes', and must be true or false"),
    "one hyphen": (["train", "-lr", "1"], "there is no flag -lr; did you mean '--learning_rate'?"),
    "no hyphens": (
        ["train", "learning_rate=1"],
        "'learning_rate' belongs to no flag; did you mean '--learning_rate'?",
    ),
    "no hyphens, with a slip": (
        ["train", "learnin_rate=1"],
        "'learnin_rate' belongs to no flag; did you mean '--learning_rate'?",
    ),
    "dash": (
        ["train", "\u2014learning_rate", "1"],
        "'\u2014learning_rate' begins with a dash that is no hyphen; did you mean '--learning_rate'?",
    ),
    "minus": (
        ["train", "\u2212seeds=1"],
        "'\u2212seeds' begins with a dash that is no hyphen; did you mean '--seeds'?",
    ),
    "nothing meant": (["train", "--list"], "there is no flag --list"),
    "axes in a sweep": (
        ["sweep", "--axes_learning_rate", "[1]"],
        "there is no flag --axes_learning_rate; did you mean '--axes.learning_rate'?",
    ),
    "axis by its alias": (
        ["sweep", "--axes-lr", "[1]"],
        "there is no flag --axes-lr; did you mean '--axes.learning_rate'?",
    ),
    "long flag": (["train", f"--{'x' * 200}"], f"there is no flag --{'x' * 55}…"),
    "long word": (["train", "x" * 200], f"'{'x' * 56}… belongs to no flag: quote a value that has spaces in it"),
    "long value": (
        ["train", f"--hidden={'[' * 200}"],
        f"--hidden {'[' * 48}… is no YAML that can be read: brackets or indented lines stand more than 100 deep",
    ),
    "recursive": (
        ["train", "--hidden=&a [*a]"],
        "--hidden &a [*a] is no YAML that can be read: an alias stands inside of what it stands for",
    ),
}


@pytest.mark.parametrize("case", SPELLINGS)
def test_what_people_write_is_understood_or_one_sentence(case):
    (command, *argv), sentence = SPELLINGS[case]
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        read_options(argv, Options(Config()), program=f"nnjax {command}", description="", takes=TAKES.get(command))


def test_a_whole_number_with_zeros_before_it_is_decimal():
    assert read("--epochs", "010", "--seeds", "[01, 08]").config == Config(epochs=10, seeds=(1, 8))
