"""Training that goes on from results: what it makes of two parts is what one training makes."""

import jax
import numpy as np
import pytest
import xarray as xr

import nnjax
from nnjax.engine.plan import plan
from nnjax.results.sources import read_start
from nnjax.search.sweep import run_plan
from nnjax.validation import UserError

CONFIG = nnjax.Config(
    hidden=(9,), init="he_normal", learning_rate=0.3, momentum=0.9, batch_size=100, metrics=("layer_grad_norm",)
)
AXES = {"learning_rate": [0.3, 0.1]}

MIXED = [
    {"hidden": (9,), "activation": "tanh"},
    {"hidden": (12,), "activation": "relu", "batch_size": 64},
    {"hidden": (7, 5), "activation": "gelu"},
    {"hidden": (6,), "learning_rate": 1e6, "activation": "relu", "init": "he_normal"},
]
"""Of which one diverges."""


def of(epochs, **changes):
    return nnjax.config.replace(CONFIG, {"epochs": epochs, **changes})


def assert_same(one, other):
    """That all variables are equal, to the bit."""
    assert set(one.data_vars) == set(other.data_vars)
    for name in one.data_vars:
        xr.testing.assert_equal(one[name].drop_attrs(), other[name].drop_attrs())


@pytest.fixture(scope="module")
def whole(digits):
    return nnjax.sweep(of(5), digits, AXES, seeds=2, keep_state=True, progress=False)


@pytest.fixture(scope="module")
def first(digits):
    return nnjax.sweep(of(2), digits, AXES, seeds=2, keep_state=True, progress=False)


def test_two_epochs_and_three_are_five_to_the_bit_through_a_file(digits, first, whole, tmp_path):
    nnjax.save_results(first, tmp_path / "first.nc")
    further = nnjax.sweep(
        of(5), digits, AXES, seeds=2, start_from=tmp_path / "first.nc", keep_state=True, progress=False
    )
    assert_same(further, whole)
    assert further.attrs["started_from"].startswith("states of results of ")


def test_dropout_and_the_moments_of_an_optimizer_go_on(digits):
    config = {"optimizer": "adam", "momentum": 0.0, "learning_rate": 0.01, "dropout": 0.3}
    with jax.numpy_dtype_promotion("standard"):  # optax's adam raises a float to a whole number
        found = nnjax.sweep(of(1, **config), digits, seeds=1, keep_state=True, progress=False)
        further = nnjax.sweep(of(3, **config), digits, seeds=1, start_from=found, keep_state=True, progress=False)
        assert_same(further, nnjax.sweep(of(3, **config), digits, seeds=1, keep_state=True, progress=False))


def test_runs_that_were_stopped_or_never_begun_go_on_and_those_out_of_patience_stay(digits):
    patient = of(6, patience=1)
    axes = {"learning_rate": [3.0, 0.1]}
    uninterrupted = nnjax.sweep(patient, digits, axes, seeds=2, progress=False)
    assert set(uninterrupted.stopped_epoch.values.ravel()) > {0}  # for want of patience

    def interrupt(end):
        return {1: [0, 2], 2: [1, 3]}.get(end.epoch)

    cut = nnjax.sweep(patient, digits, axes, seeds=2, on_epoch=interrupt, keep_state=True, progress=False)
    assert set(cut.stopped_epoch.values.ravel()) == {1, 2}
    lost = cut.copy(deep=True)
    for name in ("param_shapes", "state_shapes"):
        lost[name].values[:, 0] = ""  # as of runs that were never begun
    for begun in (cut, lost):
        again = nnjax.sweep(patient, digits, axes, seeds=2, start_from=begun, progress=False)
        for name in ("status", "best_epoch", "stopped_epoch", "diverged_epoch"):
            np.testing.assert_array_equal(again[name], uninterrupted[name])
        np.testing.assert_allclose(again.valid_loss, uninterrupted.valid_loss, rtol=1e-4)


def test_runs_of_shared_programs_go_on(digits):
    todo = {epochs: plan(of(epochs), digits, MIXED, seeds=1) for epochs in (2, 4)}
    if not any(group.shared for group in todo[4].groups):
        pytest.skip("programs are shared on a CPU alone")
    cut = run_plan(todo[2], keep_state=True, progress=False)
    assert (cut.status == "diverged").sum() == 1
    shared = [group.shared for group in todo[4].groups]
    assert [group.shared for group in todo[2].groups] == shared
    assert_same(
        run_plan(todo[4], start_from=cut, keep_state=True, progress=False),
        run_plan(todo[4], keep_state=True, progress=False),
    )
    rested = plan(of(1), digits, [setting | {"learning_rate": 1e-30} for setting in MIXED[:3]], seeds=1)
    others = cut.isel(setting=[0, 1, 2]).drop_vars("learning_rate")  # which tells runs no longer apart
    begun = run_plan(rested, start_from=(others, "last"), keep_parameters=True, progress=False)
    for number in range(3):
        one, other = (nnjax.parameters(found, "last", setting=number) for found in (begun, cut))
        jax.tree.map(np.testing.assert_array_equal, one, other)


def test_each_run_begins_with_the_parameters_at_its_labels(digits, first):
    rested = of(1, learning_rate=1e-30)  # so small that nothing changes
    axes = {"hidden,weight_decay": [((9,), 0.0), ((9,), 1e-3)]}
    of_one = first.sel(learning_rate=[0.1])
    found = nnjax.sweep(
        rested, digits, axes, seeds=[1, 0], start_from=(of_one, "best"), keep_parameters=True, progress=False
    )
    for seed in (0, 1):
        for decay in (0.0, 1e-3):
            one = nnjax.parameters(found, "last", weight_decay=decay, seed=seed)
            jax.tree.map(np.testing.assert_array_equal, one, nnjax.parameters(first, learning_rate=0.1, seed=seed))
    network = nnjax.network(first, "last", learning_rate=0.1, seed=1)
    for given in (network, network.params, (of_one.sel(seed=[1]), "last")):
        for_all = nnjax.sweep(
            rested,
            digits,
            {"weight_decay": [0, 1e-3]},
            seeds=2,
            start_from=given,
            keep_parameters=True,
            progress=False,
        )
        of_one_run = nnjax.parameters(for_all, weight_decay=0, seed=0)
        jax.tree.map(np.testing.assert_array_equal, of_one_run, network.params)
    assert for_all.best_epoch.values.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("given", "changes", "sentence"),
    [
        ("first", {"epochs": 2}, "epochs is 2, and the runs of start_from have had 2, which count: ask for more"),
        (
            "first",
            {"hidden": (8,)},
            r"its Dense_0/bias has the shape \[9\], and that of this training has the shape \[8\]",
        ),
        ("first", {"momentum": 0.0, "optimizer": "adam"}, r"has no optimizer/1/count of this optimizer"),
        ("first", {"learning_rate": 0.2}, "start_from has no run at learning_rate 0.2: there it has 0.3; 0.1"),
        ("first", {"seeds": "auto(zone=8)"}, "give a number of seeds"),
        ({"params": {"Dense_0": {"kernel": 1.0}}}, {}, "must be a parameter tree as nnjax.parameters gives it"),
        (3, {}, "start_from is a int, and must be results of nnjax"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(digits, first, given, changes, sentence):
    given = first if given == "first" else given
    with pytest.raises(UserError, match=sentence):
        nnjax.sweep(of(**{"epochs": 4, "seeds": 2, "learning_rate": 0.3} | changes), digits, start_from=given)
    kept = first.drop_vars("state_shapes")
    with pytest.raises(UserError, match="holds parameters and no states"):
        read_start((kept, "state"))
    with pytest.raises(UserError, match="start_from holds no parameters: keep them"):
        read_start(kept.drop_vars("param_shapes"))
