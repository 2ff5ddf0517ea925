"""What the command does: a user's file, sentences for mistakes, and the list of all formulas."""

import re
import sys

import pytest

from nnjax import cli
from nnjax.gradcheck.arguments import KINDS
from nnjax.gradcheck.cases import FORMS
from nnjax.gradcheck.catalogue import formulas
from nnjax.gradcheck.command import EXAMPLE, run_all
from nnjax.parts import load

SOURCE = """
import jax, jax.numpy as jnp

number = 3

def f(z):
    return jax.nn.softmax(z)

def single(z):
    return f(z).astype(jnp.float32)

def raises(z):
    return [][1]

def ends(z):
    raise SystemExit(0)

def needs(z, q):
    return z

def right(z):
    s = f(z)
    return jnp.diag(s) - jnp.outer(s, s)

def wrong(z):
    s = f(z)
    return jnp.diag(s) + jnp.outer(s, s)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "my_formulas.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("import nothing_like_this\n")
    (tmp_path / "worse.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
    yield
    for name in ("my_formulas", "broken", "worse"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("module", ["my_formulas", "my_formulas.py"])
@pytest.mark.parametrize(("hand", "code", "word"), [("right", 0, "PASS"), ("wrong", 1, "FAIL")])
def test_a_users_formula_is_checked_from_its_file(mine, module, hand, code, word, capsys):
    assert cli.main(["check", f"{module}:{hand}", "--of", f"{module}:f", "--shape", "z=5"]) == code
    printed = capsys.readouterr().out
    assert printed.startswith(word)
    if code:
        assert "the second term of the + in line 27, `return jnp.diag(s) + jnp.outer(s, s)`" in printed
        assert "smallest counterexample  z = [0.]" in printed


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("my_formulas", "'my_formulas' must be module:function, such as my_formulas:softmax_jacobian"),
        (":f", "':f' must be module:function"),
        (
            "my_formulaz:f",
            "there is no module 'my_formulaz', in this folder or installed; did you mean 'my_formulas'?",
        ),
        ("mine.py:f", "there is no file mine.py"),
        ("mine_formulas.py:f", "there is no file mine_formulas.py; did you mean 'my_formulas.py'?"),
        ("my_formulas:g", "my_formulas has no function 'g'; it has ends, f, needs, raises, right, single, wrong"),
        ("my_formulas:wrng", "my_formulas has no function 'wrng'; did you mean 'wrong'?"),
        ("my_formulas:number", "my_formulas:number is a value of type int, and must be a function"),
        ("broken:f", "importing broken raises ModuleNotFoundError: No module named 'nothing_like_this'"),
        ("worse:f", "importing worse raises ZeroDivisionError: division by zero"),
        ("worse.py:f", "importing worse.py raises ZeroDivisionError: division by zero"),
    ],
)
def test_a_function_that_is_not_found_gets_one_clear_sentence(mine, name, sentence):
    with pytest.raises(ValueError, match=r".") as caught:
        load(name, EXAMPLE)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


CHECK = ["check", "my_formulas:right", "--of", "my_formulas:f", "--shape", "z=5"]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([*CHECK, "--wrt", "y"], "f has no argument 'y' to differentiate in; it has z"),
        (
            [*CHECK, "--form", "matrix"],
            "the form is 'matrix', and must be one of jacobian, jvp, vjp, rows, columns",
        ),
        ([*CHECK, "--shape", "w=3"], "neither function has the argument 'w' of the shapes; f has z"),
        ([*CHECK[:-1], "z=five"], "the shape z=five must list whole numbers, such as z=5 or z=3,4"),
        (["check", "my_formulas:raises", *CHECK[2:]], "raises raises IndexError: list index out of range"),
        ([*CHECK[:3], "my_formulas:raises", *CHECK[4:]], "raises raises IndexError: list index out of range"),
        (["check", "my_formulas:ends", *CHECK[2:]], "ends raises SystemExit: 0"),
        ([*CHECK[:3], "my_formulas:ends", *CHECK[4:]], "ends raises SystemExit: 0"),
        (
            ["check", "my_formulas:single", *CHECK[2:]],
            "single returns float32 for float64 arguments, and must return float64",
        ),
        (
            ["check", "my_formulas:needs", *CHECK[2:]],
            "needs needs the argument 'q', which has no shape: give one, such as q=5, or call it as f does (z)",
        ),
        (
            ["check", "my_formulas:rihgt", *CHECK[2:]],
            "my_formulas has no function 'rihgt'; did you mean 'right'?",
        ),
        (["check", "right", *CHECK[2:]], "'right' must be module:function, such as my_formulas:softmax_jacobian"),
        (CHECK[:-2], "--shape is missing: give the shape of each argument, as in --shape z=5 --shape w=3,4"),
        (CHECK[:2], "--of is missing: name the function that it is the derivative of, as in --of my_formulas:f"),
        (
            ["check", *CHECK[2:]],
            "formula is missing: name the formula to check first, as in my_formulas:jacobian",
        ),
        ([*CHECK, "--wrt"], "--wrt needs a value"),
        ([*CHECK, "--shap", "w=3"], "there is no flag --shap; did you mean '--shape'?"),
        ([*CHECK, "more"], "'more' is one word more than the formula's name"),
        (
            ["chek"],
            "'chek' is no command: give train, sweep, search, report, merge, predict or check; did you mean "
            "'check'?",
        ),
    ],
)
def test_a_mistake_in_the_command_is_one_sentence(mine, argv, sentence, capsys):
    code = cli.main(argv)
    assert (code, *capsys.readouterr()) == (2, "", f"nnjax: {sentence}\n")


def test_the_help_says_what_arguments_may_hold_and_what_formulas_may_return(capsys):
    assert cli.main(["check", "--help"]) == 0
    help = capsys.readouterr().out
    assert all(word in help for word in (*KINDS, *FORMS))


def short_formulas():
    """All but those of whole networks, of which a few stand for the others."""
    every = formulas()
    networks = [f for f in every if "→" in f.name or "layers" in f.name]
    return [f for f in every if f not in networks] + [networks[3], *networks[-2:]]


@pytest.mark.parametrize("choose", [short_formulas, pytest.param(formulas, marks=pytest.mark.slow)])
def test_every_formula_of_nnjax_is_right(choose, capsys, monkeypatch):
    chosen = choose()
    assert len(chosen) >= 46
    monkeypatch.setattr("nnjax.gradcheck.command.formulas", lambda: chosen)
    assert cli.main(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    number = r"(\d\.\de[+-]\d\d)"
    found = [match for line in lines if (match := re.search(rf" {number} +{number}  PASS", line))]
    assert len(found) == len(chosen)
    assert max(float(match[1]) for match in found) <= 1e-12
    assert max(float(match[2]) for match in found) <= 1e-9
    assert lines[-2].startswith(f"{len(chosen)} of {len(chosen)} formulas agree")


def test_a_wrong_one_among_them_is_shown_with_its_report(capsys):
    right = next(f for f in formulas() if f.name == "‖w‖²")
    wrong = right._replace(name="‖w‖² without the 2", hand=lambda w: w)
    assert run_all([right, wrong]) == 1
    printed = capsys.readouterr().out
    assert "FAIL" in printed
    assert "the whole answer must be multiplied by 2" in printed
    assert "1 of 2 formulas agree" in printed


def test_names_are_different():
    names = [formula.name for formula in formulas()]
    assert len(set(names)) == len(names)


def test_a_file_may_import_its_neighbours_and_hold_dataclasses(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "neighbour_of_mine.py").write_text("import jax\nsoft = jax.nn.softmax\n")
    source = """
from __future__ import annotations
import dataclasses
import jax.numpy as jnp
from neighbour_of_mine import soft

@dataclasses.dataclass
class Setting:
    scale: float = 1.0

def f(z):
    return soft(z)

def hand(z):
    s = f(z)
    return Setting().scale * (jnp.diag(s) - jnp.outer(s, s))
"""
    (tmp_path / "mine.py").write_text(source)
    file = tmp_path / "mine.py"
    assert cli.main(["check", f"{file}:hand", "--of", f"{file}:f", "--shape", "z=3"]) == 0
    assert "PASS" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--wrt", ""], "--wrt needs a value"),
        (["--form="], "--form needs a value"),
        (["--wrt", "z", "--wrt=x"], "--wrt is given 2 times, and must be given once"),
    ],
)
def test_a_flag_has_one_value(flags, words, mine, capsys):
    arguments = ["check", "my_formulas:jacobian", "--of", "my_formulas:softmax", "--shape", "z=3", *flags]
    assert cli.main(arguments) == 2
    assert words in capsys.readouterr().err
