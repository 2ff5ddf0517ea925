import pytest

from nnjax.config import Config
from nnjax.seeds import ByNeed, parse_need
from nnjax.validation import UserError


def test_what_is_written_is_asked_for():
    assert parse_need("auto") == parse_need(" auto( ) ") == ByNeed(zone=0.005)
    assert parse_need("auto(half_width=0.01, most=32)") == ByNeed(half_width=0.01, most=32)
    for need in (ByNeed(), ByNeed(zone=0.1, half_width=1e-3, confidence=0.9, first=2, most=7)):
        assert parse_need(str(need)) == need


def test_a_configuration_has_all_the_seeds_that_there_may_be():
    config = Config(seeds="auto(most=5, first=3)")
    assert config.by_need == ByNeed(first=3, most=5)
    assert config.seed_values() == (0, 1, 2, 3, 4)
    assert Config(seeds=(3, 1)).seed_values() == (3, 1)
    assert Config(seeds=3).by_need is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("atuo", "seeds is 'atuo', and must be a number, a list of seeds, or auto.*did you mean 'auto'"),
        ("auto(zone 1)", "'zone 1' is none of zone, half_width"),
        ("auto(zome=1)", "'zome' is none of .*did you mean 'zone'"),
        ("auto(zone=x)", "zone must be a number"),
        ("auto(first=4.5)", "first must be a whole number"),
        ("auto(zone=0)", "zone of seeds is 0"),
        ("auto(half_width=nan)", "half_width of seeds is nan"),
        ("auto(confidence=1)", "confidence of seeds is 1"),
        ("auto(first=1)", "first of seeds is 1"),
        ("auto(first=9, most=8)", "first of seeds is 9"),
    ],
)
def test_what_can_not_be_is_said(text, sentence):
    with pytest.raises(UserError, match=sentence):
        Config(seeds=text)
