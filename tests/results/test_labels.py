import itertools
import json

import numpy as np
import pytest
import xarray as xr
import yaml

import nnjax
from nnjax.config import Config, DataConfig

SMALL = Config(hidden=(3,), epochs=2, init="he_normal")


@pytest.fixture(scope="module")
def kept():
    return nnjax.sweep(
        SMALL, axes={"hidden": [(3,), (4, 5)], "learning_rate": [0.1, 1]}, seeds=2, keep_parameters=True
    )


def test_what_is_saved_loads_back_equal(kept, tmp_path):
    nnjax.save_results(kept, tmp_path / "results.nc")
    back = nnjax.load_results(tmp_path / "results.nc")
    xr.testing.assert_identical(kept, back)
    for name, variable in kept.data_vars.items():
        assert back[name].dtype == variable.dtype, name
    assert [path.name for path in tmp_path.iterdir()] == ["results.nc"]


def test_zipped_axes_and_one_run_save_and_load_too(tmp_path):
    zipped = nnjax.sweep(SMALL, axes={"learning_rate,activation": [(1, "relu"), (0.1, "tanh")]}, seeds=1)
    nnjax.save_results(zipped, tmp_path / "results.nc")
    xr.testing.assert_identical(zipped, nnjax.load_results(tmp_path / "results.nc"))


def test_parameters_come_back_as_a_flax_tree_of_the_network_of_that_run(kept):
    for hidden, sizes in (("(3,)", (64, 3, 10)), ("(4, 5)", (64, 4, 5, 10))):
        tree = nnjax.parameters(kept, "last", hidden=hidden, learning_rate=0.1, seed=1)
        assert [tree[f"Dense_{i}"]["kernel"].shape for i in range(len(sizes) - 1)] == list(
            itertools.pairwise(sizes)
        )
        assert [tree[f"Dense_{i}"]["bias"].shape for i in range(len(sizes) - 1)] == [(size,) for size in sizes[1:]]
        assert all(np.isfinite(leaf).all() for layer in tree.values() for leaf in layer.values())


def test_parameters_give_the_recorded_accuracy(kept):
    data = nnjax.load_data("digits")
    labels = {"hidden": "(4, 5)", "learning_rate": 1, "seed": 0}
    for which, recorded in (("best", kept.test_accuracy), ("last", kept.test_accuracy_last)):
        tree = nnjax.parameters(kept, which, **labels)
        h = data.test.x / 16
        for i in range(3):
            h = h @ tree[f"Dense_{i}"]["kernel"] + tree[f"Dense_{i}"]["bias"]
            h = 1 / (1 + np.exp(-h)) if i < 2 else h
        accuracy = np.mean(h.argmax(-1) == data.test.y)
        np.testing.assert_allclose(accuracy, recorded.sel(labels), atol=1e-6)


def test_provenance_is_written_down(kept):
    assert json.loads(kept.attrs["versions"])["jax"]
    assert "cpu" in kept.attrs["device"] or "gpu" in kept.attrs["device"].lower()
    assert kept.attrs["wall_time"] > 0


def test_the_configuration_in_the_results_is_that_of_the_sweep(kept):
    words = yaml.safe_load(kept.attrs["config"])
    assert words.pop("axes") == {"hidden": [[3], [4, 5]], "learning_rate": [0.1, 1]}
    expected = nnjax.config.of_task(nnjax.config.replace(SMALL, {"seeds": 2}), "classification")
    assert Config(**words | {"data": DataConfig(**words["data"])}) == expected


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"learning_rate": 0.1, "hidden": "(3,)"}, "more than one run is at .*: give seed too"),
        ({"learning_rat": 0.1}, "'learning_rat' is no axis of these results; did you mean 'learning_rate'"),
        ({"learning_rate": 0.5, "hidden": "(3,)", "seed": 0}, "learning_rate is 0.5, and must be one of 0.1, 1.0"),
        ({"which": "bset"}, "did you mean 'best'"),
    ],
)
def test_labels_that_name_no_run_get_a_sentence(kept, labels, words):
    with pytest.raises(ValueError, match=words):
        nnjax.parameters(kept, **labels)


def test_results_without_parameters_say_how_to_keep_them(kept):
    without = kept.drop_vars([name for name in kept if str(name).startswith("params.")])
    with pytest.raises(ValueError, match="keep_parameters=True"):
        nnjax.parameters(without, seed=0)


def test_files_that_are_no_results_get_a_sentence(kept, tmp_path):
    with pytest.raises(ValueError, match="there is no results file"):
        nnjax.load_results(tmp_path / "results.nc")
    (tmp_path / "text.nc").write_text("learning_rate: 1")
    with pytest.raises(ValueError, match="is not a results file"):
        nnjax.load_results(tmp_path / "text.nc")
    kept[["seed"]].to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="not of nnjax"):
        nnjax.load_results(tmp_path / "other.nc")
    nnjax.save_results(kept, tmp_path / "cut.nc")
    whole = (tmp_path / "cut.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged"):
        nnjax.load_results(tmp_path / "cut.nc")


def test_runs_are_found_by_values_that_are_no_numbers_and_by_zipped_fields():
    axes = {("learning_rate", "hidden"): [(0.1, (3,)), (1, (4, 5))]}
    got = nnjax.sweep(SMALL, axes=axes, seeds=2, keep_parameters=True)
    for labels in ({"hidden": (4, 5)}, {"hidden": [4, 5]}, {"hidden": "(4, 5)"}, {"learning_rate": 1}):
        assert nnjax.parameters(got, seed=1, **labels)["Dense_1"]["kernel"].shape == (4, 5)
    with pytest.raises(ValueError, match=r"hidden is .*, and must be one of"):
        nnjax.parameters(got, seed=1, hidden=(6,))


def test_a_missing_folder_and_the_home_folder(kept, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="there is no folder"):
        nnjax.save_results(kept, tmp_path / "no" / "results.nc")
    monkeypatch.setenv("HOME", str(tmp_path))
    nnjax.save_results(kept, "~/results.nc")
    assert (tmp_path / "results.nc").is_file()
    xr.testing.assert_identical(nnjax.load_results("~/results.nc"), kept)


def test_a_layer_of_one_feature_comes_back_with_its_axes():
    got = nnjax.sweep(Config(hidden=(1,), epochs=1), seeds=2, keep_parameters=True)
    assert nnjax.parameters(got, seed=1)["Dense_0"]["kernel"].shape == (64, 1)


def test_the_data_that_was_trained_on_is_recorded_not_the_one_that_the_configuration_names():
    digits = nnjax.load_data("digits", valid_fraction=0.4)
    got = nnjax.sweep(Config(hidden=(2,), epochs=1), digits, seeds=1)
    assert yaml.safe_load(got.attrs["config"])["data"]["valid_fraction"] == 0.4
    assert got.attrs["data"].startswith("digits: 863, 575, 359 examples")

    mine = nnjax.Dataset("mine", digits.train, digits.valid, digits.test, classes=10, scale=16.0)
    got = nnjax.sweep(Config(hidden=(2,), epochs=1), mine, seeds=1)
    assert yaml.safe_load(got.attrs["config"])["data"] == {"name": "mine, given in Python"}
    assert got.attrs["data"].startswith("mine: 863")


def test_losses_of_several_kinds_share_no_unit():
    assert "units" not in nnjax.sweep(SMALL, axes={"loss": ["mse", "cross_entropy"]}, seeds=1).valid_loss.attrs
    assert nnjax.sweep(SMALL, seeds=1).valid_loss.attrs["units"] == "nat"
