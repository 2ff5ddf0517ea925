"""Shape strings, and the other sizes that a check tries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.gradcheck.arguments import Argument, other_sizes, parse_shapes, resize, sizes_of


def test_strings_and_mappings_mean_the_same():
    expected = {
        "z": Argument((5,)),
        "w": Argument((3, 4)),
        "b": Argument(()),
        "y": Argument((5,), "onehot"),
        "t": Argument((8,), "labels", 10),
    }
    assert parse_shapes(["z=5", "w=3,4", "b=", "y=5:onehot", "t=8:labels10"]) == expected
    assert parse_shapes({"z": 5, "w": (3, 4), "b": (), "y": "5:onehot", "t": "8:labels10"}) == expected
    assert parse_shapes("z=5") == {"z": Argument((5,))}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("z", "the shape 'z' must be a name and sizes"),
        ("=5", "the shape '=5' must be a name"),
        ("3z=5", "the shape '3z=5' must be a name"),
        ("z=a", "the shape z=a must list whole numbers"),
        ("z=-1", "the shape z=-1 must list whole numbers"),
        ("z=3x4", "the shape z=3x4 must list whole numbers"),
        ("z=2.5", "must list whole numbers"),
        ("z=0", "has a size of 0"),
        ("z=5:odd", "says odd, and may say real, positive"),
        ("z=5:labels", "says labels, and may say"),
        ("z=5:real3", "says real3, and may say"),
        ("z=:onehot", "is a scalar, and a onehot needs a last axis"),
    ],
)
def test_malformed_shapes_are_refused(text, sentence):
    with pytest.raises(ValueError, match=r"^the shape") as caught:
        parse_shapes([text])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_given_twice_is_refused():
    with pytest.raises(ValueError, match="z is given twice"):
        parse_shapes(["z=5", "z=6"])


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(st.integers(1, 6), max_size=3), min_size=1))
def test_other_sizes_tell_every_size_from_every_other(shapes):
    arguments = parse_shapes(shapes)
    given_sizes = sizes_of(arguments)
    for sizes in other_sizes(arguments):
        assert sorted(sizes) == given_sizes
        resized = resize(arguments, sizes)
        for name, argument in arguments.items():
            assert resized[name].sizes == tuple(sizes[size] for size in argument.sizes)
    if given_sizes:
        different = other_sizes(arguments)[0]
        assert len(set(different.values())) == len(given_sizes)
        assert all(size != new for size, new in different.items())


def test_size_one_is_tried_unless_it_is_given():
    assert other_sizes(parse_shapes("z=5")) == [{5: 2}, {5: 1}]
    assert other_sizes(parse_shapes("z=1")) == [{1: 2}]
    assert other_sizes(parse_shapes("z=")) == []
