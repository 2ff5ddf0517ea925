import math
import re
from pathlib import Path

import pytest

from nnjax.cli.yaml_files import read_file, read_yaml
from nnjax.config import Config, replace

CONFIGS = Path(__file__).parents[2] / "experiments" / "configs"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-1E3", -1000),
        ("+2.e1", 20),
        (".5e+1", 5),
        ("1.5e-3", 0.0015),
        ("1_000", 1000),
        (".inf", math.inf),
        ("[1, 1e-1, 1.0]", [1, 0.1, 1]),
        ("{a: 1e-3}", {"a": 0.001}),
        ("'1e-3'", "1e-3"),
        ("1e", "1e"),
        ("1e-3 x", "1e-3 x"),
        ("None", None),
        ("null", None),
        ("Nones", "Nones"),
        ("{'a': None, 'b': True}", {"a": None, "b": True}),
        ('{"a": [1, null, false]}', {"a": [1, None, False]}),
        ("base: &b {x: 1, y: 2}\nover: {<<: *b, x: 3}", {"base": {"x": 1, "y": 2}, "over": {"x": 3, "y": 2}}),
    ],
)
def test_yaml(text, value):
    assert read_yaml(text, "text") == value


MISTAKES = {
    "key": (
        "learnin_rate: 1",
        "FILE: 'learnin_rate' is not a field of the configuration; did you mean 'learning_rate'?",
    ),
    "nested key": (
        "data: {nam: mnist}",
        "FILE: 'data.nam' is not a field of the configuration; did you mean 'data.name'?",
    ),
    "axes": ("axis: {epochs: [1]}", "FILE: 'axis' is not a field of the configuration; did you mean 'axes'?"),
    "no YAML": (
        "epochs: 1\nhidden: [1\n",
        "FILE, line 3, is no YAML that can be read: while parsing a flow sequence, "
        "expected ',' or ']', but got '<stream end>'",
    ),
    "control": (
        "epochs: \0",
        "FILE is no YAML that can be read: it has the character 0x0",
    ),
    "no mapping": (
        "- epochs",
        "FILE holds ['epochs'], and must hold names with values, such as learning_rate: 0.1",
    ),
    "twice": ("epochs: 1\nepochs: 2", "FILE, line 2, is no YAML that can be read: 'epochs' is set twice"),
    "no word": ("1: 2", "FILE, line 1, is no YAML that can be read: a name must be a word"),
    "date": ("data: {dir: 2024-13-01}", "FILE is no YAML that can be read: month must be in 1..12"),
    "list for a word": ("{? [1] : 2}", "FILE, line 1, is no YAML that can be read: a name must be a word"),
    "alias": ("epochs: *e", "FILE, line 1, is no YAML that can be read: found undefined alias 'e'"),
    "tag": ("nesterov: !!bool maybe", "FILE is no YAML that can be read: 'maybe'"),
    "data": (
        "data: mnist",
        "data is 'mnist', and must be a mapping that may hold name, dir, source, valid_fraction, split_seed",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_a_file_is_one_sentence(tmp_path, case):
    text, sentence = MISTAKES[case]
    path = tmp_path / "a.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(sentence.replace('FILE', str(path)))}$"):
        read_file(str(path))


def test_a_file_that_is_not_there_or_no_text_is_one_sentence(tmp_path):
    path = tmp_path / "a.yml"
    with pytest.raises(ValueError, match=r"^there is no configuration file .*a\.yml$"):
        read_file(str(path))
    path.write_bytes(b"epochs: \xff")
    with pytest.raises(ValueError, match=r"a\.yml is no text in UTF-8: byte 8 can't be read$"):
        read_file(str(path))
    with pytest.raises(ValueError, match=r"can't be read: Is a directory$"):
        read_file(str(tmp_path))


def test_a_file_of_comments_sets_nothing(tmp_path):
    path = tmp_path / "a.yml"
    path.write_text("# nothing")
    assert read_file(str(path)) == {}


def test_every_configuration_file_loads_and_has_the_names_of_the_fields():
    files = {path.stem: path for path in CONFIGS.glob("*.y*ml")}
    assert files.keys() >= {"softmax_regression", "two_layer", "tuned"}
    for path in files.values():
        values = read_file(str(path))
        values.pop("axes", None)
        assert values, f"{path} sets nothing"
        replace(Config(), values)


def test_the_two_layer_file_says_the_defaults():
    assert replace(Config(), read_file(str(CONFIGS / "two_layer.yml"))) == Config()
