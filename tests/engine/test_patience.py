import dataclasses

import numpy as np
import pytest

import nnjax
from nnjax.config import Config
from nnjax.validation import UserError

CONFIG = Config(hidden=(6,), init="xavier_uniform", learning_rate=0.5, epochs=25, seeds=3)


def by_hand(accuracies, losses, patience, monitor):
    """Best epoch, and that at which a run is stopped, 0 for none, from the curves that it has without patience."""
    best, at = (-np.inf, -np.inf), 0
    for epoch, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True), 1):
        pair = (accuracy, -loss) if monitor == "valid_accuracy" else (-loss, -loss)
        if pair > best:
            best, at = pair, epoch
        if epoch - at >= patience:
            return at, epoch if epoch < len(losses) else 0
    return at, 0


@pytest.mark.parametrize("monitor", ["valid_accuracy", "valid_loss"])
@pytest.mark.parametrize(
    "axes", [{"patience": [1, 2, 4, None]}, {"hidden": [(6,), (5, 4)], "patience": [2, None]}]
)
def test_runs_out_of_patience_are_stopped(axes, monitor, digits):
    rate = {"valid_accuracy": 0.5, "valid_loss": 6.0}[monitor]  # at which it goes up and down
    config = dataclasses.replace(CONFIG, monitor=monitor, learning_rate=rate)
    whole = nnjax.sweep(config, digits, {"hidden": axes.get("hidden", [(6,)])}, progress=False)
    results = nnjax.sweep(config, digits, {"hidden": [(6,)], **axes}, progress=False)
    stopped = 0
    for number, hidden in enumerate(results.hidden.values):
        for patience in axes["patience"]:
            runs = results.sel(hidden=hidden).isel(patience=axes["patience"].index(patience))
            for seed in range(3):
                curve, losses = (
                    whole[name].isel(hidden=number, seed=seed).values for name in ("valid_accuracy", "valid_loss")
                )
                best, expected = by_hand(curve, losses, patience or 99, monitor)
                run = runs.isel(seed=seed)
                assert int(run.stopped_epoch) == expected
                assert run.status == ("stopped" if expected else "finished")
                last = expected or 25
                np.testing.assert_allclose(run.valid_accuracy.values[:last], curve[:last], atol=1e-6)
                assert np.isnan(run.valid_accuracy.values[last:]).all()
                assert int(run.best_epoch) == best
                stopped += expected > 0
    assert stopped > 3


@pytest.mark.parametrize("patience", [0, -1, 1.5])
def test_a_patience_that_can_not_be_is_refused(patience):
    with pytest.raises(UserError, match="patience is"):
        Config(patience=patience)
