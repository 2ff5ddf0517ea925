"""Parts of a sweep, joined again."""

import json

import numpy as np
import pytest
import xarray as xr
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import nnjax
from made_results import KINDS, make_results
from nnjax.axes import parse_axes
from nnjax.config import Config
from nnjax.results import files, stats
from nnjax.results.merge import merge
from nnjax.validation import UserError

SMALL = Config(hidden=(3,), epochs=2, init="he_normal")

SWEEPS = {
    "product": {"axes": {"hidden": [(3,), (4, 5)], "learning_rate": [1, 0.1, 0.05]}, "seeds": 4},
    "zipped": {
        "axes": {"learning_rate,init": [(1, "zeros"), (0.1, "he_normal"), (0.1, "zeros")]},
        "seeds": (7, 3),
    },
    "settings": {"axes": [{"learning_rate": 1}, {"momentum": 0.9, "init": "zeros"}, {"warmup_epochs": 1}]},
    "crossed": {"axes": {"init_seed": [4, 2], "data_seed": [1, 0, 5], "epochs": [1, 3]}, "seeds": None},
}


@pytest.fixture(scope="module")
def trained():
    """Small sweeps, with the parameters."""
    deep = Config(hidden=(3,), epochs=2, init="he_normal", seeds=2)
    flat = Config(model="softmax_regression", epochs=2, seeds=2)  # which compiles in half the time
    return {
        name: nnjax.sweep(deep if name == "product" else flat, keep_parameters=True, **sweep)
        for name, sweep in SWEEPS.items()
    }


def cut(results, places_of_parts, dim):
    """Parts with these places of an axis, each without what only others need."""
    parts = []
    for places in places_of_parts:
        part = results.isel({dim: places})
        # As they would be trained apart: no longer than their longest run, no larger than their largest network.
        parts.append(part.dropna("epoch", how="all", subset=["train_loss"]))
    return parts


@settings(max_examples=40)
@given(data=st.data())
def test_a_sweep_cut_to_pieces_is_whole_again(trained, data):
    results = trained[data.draw(st.sampled_from(list(trained)))]
    dim = data.draw(st.sampled_from(list(results["status"].dims)))
    count = data.draw(st.integers(1, results.sizes[dim]))
    owners = data.draw(
        st.lists(st.integers(0, count - 1), min_size=results.sizes[dim], max_size=results.sizes[dim])
    )
    pieces = [[place for place, owner in enumerate(owners) if owner == each] for each in range(count)]
    parts = cut(results, [piece for piece in pieces if piece], dim)
    parts = data.draw(st.permutations(parts))
    joined = merge(parts)
    xr.testing.assert_identical(joined, results)
    assert {name: array.dtype for name, array in joined.items()} == {n: a.dtype for n, a in results.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_made_results_are_whole_again(kind):
    results = make_results(**KINDS[kind])
    for dim in results["status"].dims:
        half = (results.sizes[dim] + 1) // 2
        parts = [results.isel({dim: slice(None, half)}), results.isel({dim: slice(half, None)})]
        joined = merge([part for part in parts if part.sizes[dim]])
        xr.testing.assert_identical(joined.drop_attrs(deep=False), results.drop_attrs(deep=False))


def test_parts_trained_apart_are_the_sweep_trained_together(tmp_path):
    whole = nnjax.sweep(
        SMALL, axes={"hidden": [(3,), (4, 5)], "epochs": [1, 3]}, seeds=4, runs_per_call=1, keep_parameters=True
    )
    parts = []
    for place, (hidden, seeds) in enumerate([((3,), (0, 1)), ((3,), (2, 3)), ((4, 5), (0, 1, 2, 3))]):
        part = nnjax.sweep(
            SMALL, axes={"hidden": [hidden], "epochs": [1, 3]}, seeds=seeds, runs_per_call=1, keep_parameters=True
        )
        files.save(part, tmp_path / f"{place}.nc")
        parts.append(tmp_path / f"{place}.nc" if place else part)
    joined = merge(parts)
    xr.testing.assert_identical(joined.drop_attrs(deep=False), whole.drop_attrs(deep=False))
    assert joined.attrs["config"] == whole.attrs["config"]
    assert joined.attrs["data"] == whole.attrs["data"]
    pieces = json.loads(joined.attrs["merged_from"])
    assert len(pieces) == 3
    assert joined.attrs["wall_time"] == pytest.approx(sum(piece["wall_time"] for piece in pieces))
    tree = nnjax.parameters(joined, hidden=(4, 5), epochs=3, seed=2)
    assert tree["Dense_2"]["kernel"].shape == (5, 10)
    # Merged again, and with itself, it stays as it is; the provenance is that of the pieces.
    again = merge([joined, *parts])
    xr.testing.assert_identical(again.drop_attrs(deep=False), joined.drop_attrs(deep=False))
    files.save(joined, tmp_path / "joined.nc")
    xr.testing.assert_identical(files.load(tmp_path / "joined.nc"), joined)


@pytest.mark.usefixtures("as_users_have_it")  # whose last bits don't hang on the number of runs
def test_the_configuration_does_the_joint_sweep_again():
    parts = [
        nnjax.sweep(SMALL, axes={"learning_rate": [rate], "hidden": [(2,)]}, seeds=seeds)
        for rate in (1, 0.1)
        for seeds in ((5,), (3,))
    ]
    joined = merge(parts)
    words = yaml.safe_load(joined.attrs["config"])
    axes = words.pop("axes")
    assert axes == {"learning_rate": [1, 0.1], "hidden": [[2]]}
    assert words["seeds"] == [3, 5]
    assert [axis.name for axis in parse_axes(axes)] == ["learning_rate", "hidden"]
    again = nnjax.sweep(Config(**words | {"data": nnjax.DataConfig(**words["data"])}), axes=axes)
    xr.testing.assert_identical(again.drop_attrs(deep=False), joined.drop_attrs(deep=False))
    assert again.attrs["config"] == joined.attrs["config"]


def test_statistics_take_what_was_merged():
    results = make_results({"learning_rate": [1, 0.1]}, seeds=6)
    joined = merge([results.isel(seed=slice(3)), results.isel(seed=slice(3, 6))])
    ranked = [
        [(setting.place, setting.label, setting.total) for setting in nnjax.stats.rank(r)]
        for r in (joined, results)
    ]
    assert ranked[0] == ranked[1]
    means = [nnjax.stats.at_best(r).mean("seed") for r in (joined, results)]
    xr.testing.assert_allclose(*means)


RESULTS = make_results({"learning_rate": [1, 0.1], "momentum": [0, 0.5]}, seeds=3)


def changed(results, name, value):
    words = yaml.safe_load(results.attrs["config"]) | {name: value}
    return results.assign_attrs(config=yaml.safe_dump(words))


def other_run():
    other = RESULTS.isel(learning_rate=[1]).copy(deep=True)
    other["test_loss"][0, 1, 2] += 1
    return other


REFUSED = {
    "gap": (
        lambda: [RESULTS.isel(learning_rate=[0]), RESULTS.isel(learning_rate=[1], seed=[0, 2])],
        r"2 of 12 runs of the joint sweep are in no part: learning_rate 0\.1, momentum 0\.0, seed 1; ",
    ),
    "overlap that differs": (
        lambda: [RESULTS, other_run()],
        r"the run at learning_rate 0\.1, momentum 0\.5, seed 2 is in part 1 and in part 2, which differ in test_",
    ),
    "axes": (
        lambda: [RESULTS, RESULTS.isel(momentum=0, drop=True)],
        "part 2 has the axes learning_rate, seed, and part 1 has learning_rate, momentum, seed",
    ),
    "settings": (
        lambda: [RESULTS.isel(seed=[0]), changed(RESULTS.isel(seed=[1]), "batch_size", 32)],
        "batch_size is 32 in part 2 and 64 in part 1, and is no axis of them",
    ),
    "monitor": (
        lambda: [RESULTS.isel(seed=[0]), changed(RESULTS.isel(seed=[1]), "monitor", "valid_loss")],
        "monitor is 'valid_loss' in part 2 and 'valid_accuracy' in part 1, and is no axis of them",
    ),
    "data": (
        lambda: [RESULTS.assign_attrs(data="digits: 9"), RESULTS.assign_attrs(data="digits: 8")],
        "part 2 was trained on other data than part 1: on digits: 8, and not on digits: 9",
    ),
    "variables": (lambda: [RESULTS, RESULTS.drop_vars("grad_norm")], "part 2 has no variable 'grad_norm'"),
    "one": (lambda: RESULTS, "one result was given, and merge takes a list"),
    "none": (list, "there are no results to merge"),
    "no result": (lambda: [RESULTS, 3], "part 2 is a int, and must be a result"),
    "no result of ours": (lambda: [xr.Dataset()], "part 1 is not a result of nnjax"),
    "no file": (lambda: ["nowhere.nc"], "there is no results file nowhere.nc"),
    "twice": (lambda: [RESULTS.isel(seed=[0, 0])], "part 1 has a place of the axis seed twice"),
    "no YAML": (lambda: [RESULTS.assign_attrs(config="a: [")], "part 1 has a configuration that is no YAML"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_sweep_together_is_one_sentence(case):
    parts, words = REFUSED[case]
    with pytest.raises(UserError, match=words) as caught:
        merge(parts())
    assert "\n" not in str(caught.value)


def test_a_file_from_before_there_was_a_field_has_its_default():
    old, new = RESULTS.isel(seed=[0, 1]), changed(RESULTS.isel(seed=[2]), "monitor", "valid_accuracy")
    new["best_epoch"].attrs |= {"monitor": "valid_accuracy", "better": "higher"}
    for parts in ([old, new], [new, old]):
        joined = merge(parts)
        xr.testing.assert_equal(joined, RESULTS)
        assert stats.monitor_of(joined) == stats.Monitor("valid_accuracy", "higher")
    assert stats.monitor_of(new.drop_attrs()) == stats.monitor_of(new)


def test_equal_runs_may_be_in_several_parts():
    first, second = RESULTS.isel(seed=[0, 1]), RESULTS.isel(seed=[1, 2])
    xr.testing.assert_equal(merge([first, second]), RESULTS)
    xr.testing.assert_equal(merge([RESULTS, first.transpose(*reversed(list(first.sizes))), RESULTS]), RESULTS)


def test_parts_with_and_without_parameters_are_refused(trained):
    results = trained["product"]
    bare = results.drop_vars([name for name in results if str(name).startswith("param")])
    with pytest.raises(UserError, match="part 2 has no parameters, and part 1 has"):
        merge([results, bare])


def test_new_settings_may_set_other_fields():
    first = nnjax.sweep(SMALL, axes=[{"learning_rate": 1}], seeds=1)
    second = nnjax.sweep(SMALL, axes=[{"momentum": 0.5}], seeds=1)
    both = nnjax.sweep(SMALL, axes=[{"learning_rate": 1}, {"momentum": 0.5}], seeds=1)
    joined = merge([first, second])
    for name in ("test_loss", "valid_accuracy", "learning_rate", "momentum"):
        np.testing.assert_allclose(joined[name], both[name], rtol=1e-5)
    assert yaml.safe_load(joined.attrs["config"])["axes"] == [{"learning_rate": 1}, {"momentum": 0.5}]
