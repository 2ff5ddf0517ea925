import dataclasses
import json
import math
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.cli.search_options import read_search
from nnjax.cli.yaml_files import SECTIONS, read_file, read_yaml
from nnjax.config import Config, DataConfig, of_task, replace
from nnjax.search.ends import check_space
from nnjax.search.space import parse_space
from nnjax.validation import UserError

CONFIGS = Path(__file__).parents[2] / "experiments" / "configs"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-1E3", -1000),
        ("+2.e1", 20),
        (".5e+1", 5),
        ("1.5e-3", 0.0015),
        # Of the types of YAML 1.1, what YAML 1.2 reads otherwise.
        ("010", 10),
        ("-007", -7),
        ("+08", 8),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b101", "0b101"),
        ("!!int 010", 10),
        ("!!float 010", 10.0),
        ("1_000", 1000),
        ("1_000.5_5", 1000.55),
        ("_1", "_1"),
        ("1__0", "1__0"),
        ("1_", "1_"),
        ("1:10", "1:10"),
        ("190:20:30", "190:20:30"),
        ("1:10.5", "1:10.5"),
        ("2024-12-31", "2024-12-31"),
        ("2024-12-31 23:59:59", "2024-12-31 23:59:59"),
        ("2024-13-01", "2024-13-01"),
        ("[yes, no, on, off, y, n, Yes, OFF]", ["yes", "no", "on", "off", "y", "n", "Yes", "OFF"]),
        ("[true, True, TRUE, false, False, FALSE]", [True, True, True, False, False, False]),
        ("[tRue, t, f]", ["tRue", "t", "f"]),
        ("[~, null, Null, NULL, None]", [None] * 5),
        ("{a: }", {"a": None}),
        ("=", "="),
        ("<", "<"),
        ("[.5, 5., 1e5, 1E+5, -.5e-1]", [0.5, 5, 1e5, 1e5, -0.05]),
        ("[-.inf, +.Inf, .INF]", [-math.inf, math.inf, math.inf]),
        ("[inf, nan, 1e, e5, +, -, .]", ["inf", "nan", "1e", "e5", "+", "-", "."]),
        ("\u0661", "\u0661"),  # a digit, and none of ours
        ("!!str 010", "010"),
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
    "yes": ("nesterov: yes", "nesterov is 'yes', and must be true or false"),
    "off": ("residual: off", "residual is 'off', and must be true or false"),
    "sexagesimal": ("seeds: 1:10", "seeds is '1:10', and a list is written in brackets: [0, 1, 2]"),
    "range": ("seeds: range(10)", "seeds is 'range(10)', and a list is written in brackets: [0, 1, 2]"),
    "span": ("seeds: 0-9", "seeds is '0-9', and a list is written in brackets: [0, 1, 2]"),
    "no brackets": ("hidden: 64, 32", "hidden is '64, 32', and a list is written in brackets: [64, 32]"),
    "round brackets": (
        "layer_rates: (1, 0.5)",
        "layer_rates is '(1, 0.5)', and a list is written in brackets: [1, 0.5]",
    ),
    "binary": ("epochs: 0b11", "epochs is '0b11', and must be a whole number"),
    "binary number": (
        "epochs: !!binary 0b11",
        "FILE, line 1, is no YAML that can be read: could not determine a "
        "constructor for the tag 'tag:yaml.org,2002:binary'",
    ),
    "set": (
        "hidden: !!set {a, b}",
        "FILE, line 1, is no YAML that can be read: could not determine a constructor for "
        "the tag 'tag:yaml.org,2002:set'",
    ),
    "python": (
        "hidden: !!python/tuple [1]",
        "FILE, line 1, is no YAML that can be read: could not determine a "
        "constructor for the tag 'tag:yaml.org,2002:python/tuple'",
    ),
    "long number": (
        "epochs: " + "1" * 5000,
        "FILE, line 1, is no YAML that can be read: a whole number has 5000 digits",
    ),
    "recursive list": (
        "epochs: 1\nmomentum: &a [*a]",
        "FILE, line 2, is no YAML that can be read: an alias stands inside of what it stands for",
    ),
    "recursive mapping": (
        "axes: &a {momentum: *a}",
        "FILE, line 1, is no YAML that can be read: an alias stands inside of what it stands for",
    ),
    "recursive merge": (
        "axes: &a {<<: *a}",
        "FILE, line 1, is no YAML that can be read: an alias stands inside of what it stands for",
    ),
    "deep": (
        "hidden: " + "[" * 10_000,
        "FILE, line 1, is no YAML that can be read: brackets or indented lines stand more than 100 deep",
    ),
    "deep mappings": (
        "hidden: " + "{a: " * 10_000,
        "FILE, line 1, is no YAML that can be read: brackets or indented lines stand more than 100 deep",
    ),
    "many": (
        "hidden: [" + "1," * 100_000 + "]",
        "FILE, line 1, is no YAML that can be read: it holds more than 100000 values and names",
    ),
    "long name": ("x" * 1000 + ": 1", f"FILE: '{'x' * 56}… is not a field of the configuration"),
    "long name twice": (
        ("x" * 100 + ": 1\n") * 2,
        f"FILE, line 2, is no YAML that can be read: '{'x' * 56}… is set twice",
    ),
    "long text": (
        "'" + "x" * 10**5 + "'",
        f"FILE holds '{'x' * 56}…, and must hold names with values, such as learning_rate: 0.1",
    ),
    "long alias": (
        "epochs: *" + "x" * 10**5,
        f"FILE, line 1, is no YAML that can be read: found undefined alias '{'x' * 174}…",
    ),
    "list for a word": ("{? [1] : 2}", "FILE, line 1, is no YAML that can be read: a name must be a word"),
    "alias": ("epochs: *e", "FILE, line 1, is no YAML that can be read: found undefined alias 'e'"),
    "tag": (
        "nesterov: !!bool maybe",
        "FILE, line 1, is no YAML that can be read: 'maybe' is neither true nor false",
    ),
    "data": (
        "data: mnist",
        "data is 'mnist', and must be a mapping that may hold "
        + ", ".join(item.name for item in dataclasses.fields(DataConfig)),
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_a_file_is_one_sentence(tmp_path, case):
    text, sentence = MISTAKES[case]
    path = tmp_path / "a.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(sentence.replace('FILE', str(path)))}$"):
        # What a file may say in its own words, the configuration refuses.
        replace(Config(), read_file(str(path)))


def laughs(depth):
    """A billion laughs: each line holds the one before ten times."""
    lines = ["a0: &a0 [0]"]
    for number in range(1, depth):
        lines.append(f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]")
    return "\n".join(lines)


def merges(depth):
    """The same of mappings that are merged."""
    lines = ["a0: &a0 {x: 0}"]
    for number in range(1, depth):
        lines.append(f"a{number}: &a{number} {{<<: [{', '.join([f'*a{number - 1}'] * 10)}]}}")
    return "\n".join(lines)


@pytest.mark.parametrize("text", [laughs(10), laughs(80), merges(10), merges(80)], ids=len)
def test_aliases_that_stand_for_too_much_are_refused(text):
    with pytest.raises(
        UserError,
        match=r"^text is no YAML that can be read: with its aliases written out it holds more than 100000",
    ):
        read_yaml(text, "text")


def test_aliases_that_stand_for_little_are_read():
    assert read_yaml(laughs(4), "text")["a3"] == [[[[0]] * 10] * 10] * 10
    assert read_yaml(merges(4), "text")["a3"] == {"x": 0}


def test_the_message_of_a_long_flag_is_short():
    with pytest.raises(UserError) as caught:
        read_yaml("[" * 10**5, "--hidden " + "[" * 10**5)
    assert len(str(caught.value)) < 200


def test_a_file_that_has_no_end_is_not_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero"):
        with pytest.raises(
            UserError, match=rf"^{path} is a pipe or a device, and a configuration is read from a fi"
        ):
            read_file(str(path))
    large = tmp_path / "large.yml"
    with large.open("wb") as file:  # a file with a hole
        file.truncate(2**30)
    with pytest.raises(UserError, match=r"large\.yml has more than 10 MB, and a configuration has less$"):
        read_file(str(large))
    with pytest.raises(UserError, match=r"^'a\\x00b' can't be read: embedded null byte$"):
        read_file("a\0b")


@pytest.mark.parametrize("b", ["b: &b {<<: *a, x: 2}", "p: {b: &b {<<: *a, x: 2}}"])
def test_a_mapping_is_merged_that_merges_another(b):
    # Deeper in the text than what merges it, it is constructed after it.
    values = read_yaml(f"a: &a {{x: 1}}\n{b}\nc: {{<<: *b, y: 3}}", "text")
    assert values.get("p", values)["b"] == {"x": 2}
    assert values["c"] == {"x": 2, "y": 3}


def test_what_is_merged_first_wins_and_what_is_said_wins_over_it():
    text = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {z: 3, <<: [*a, *b]}"
    assert read_yaml(text, "text")["c"] == {"x": 1, "y": 1, "z": 3}
    with pytest.raises(UserError, match=r"<< merges a mapping or a list of mappings, and nothing else$"):
        read_yaml("a: {<<: 3}", "text")


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
    assert files.keys() >= {"softmax_regression", "two_layer", "tuned", "search"}
    for path in files.values():
        values = read_file(str(path))
        sections = {name: values.pop(name) for name in SECTIONS if name in values}
        assert values, f"{path} sets nothing"
        config = replace(Config(), values)
        if "space" in sections:
            check_space(parse_space(sections["space"]), config)
            read_search(sections.get("search", {}))


def test_the_two_layer_file_says_the_defaults():
    config = replace(Config(), read_file(str(CONFIGS / "two_layer.yml")))
    assert config.initialization == Config().initialization
    plain = replace(config, {"init": None})
    assert of_task(plain, "classification") == of_task(Config(), "classification")


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=9)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)))
def test_json_is_read_as_what_it_says(value):
    assert read_yaml(json.dumps(value), "text") == value


@given(
    st.lists(st.sampled_from([*"[]{}:,-?#'\"&*!|>%~ \n1e0", "&a ", "*a ", "<<: ", "!!int ", "- "]), max_size=25)
)
def test_any_text_is_a_value_or_gets_one_sentence(parts):
    sentence = ""
    try:
        read_yaml("".join(parts), "text")
    except UserError as error:
        sentence = str(error)
    assert "\n" not in sentence
    assert len(sentence) < 300
