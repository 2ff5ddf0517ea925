import numpy as np
import pytest

import nnjax
from nnjax.config import Config
from nnjax.validation import UserError

CONFIG = Config(hidden=(6,), init="xavier_uniform", learning_rate=0.5, epochs=25, seeds=3)


def by_hand(curve, patience):
    """The epoch at which a run is stopped, 0 for none, from the curve that it has without patience."""
    best, at = -np.inf, 0
    for epoch, value in enumerate(curve, 1):
        if value > best:
            best, at = value, epoch
        if epoch - at >= patience:
            return epoch if epoch < len(curve) else 0
    return 0


@pytest.mark.parametrize(
    "axes", [{"patience": [1, 2, 4, None]}, {"hidden": [(6,), (5, 4)], "patience": [2, None]}]
)
def test_runs_out_of_patience_are_stopped(axes, digits):
    whole = nnjax.sweep(CONFIG, digits, {"hidden": axes.get("hidden", [(6,)])}, progress=False)
    results = nnjax.sweep(CONFIG, digits, {"hidden": [(6,)], **axes}, progress=False)
    stopped = 0
    for number, hidden in enumerate(results.hidden.values):
        for patience in axes["patience"]:
            runs = results.sel(hidden=hidden).isel(patience=axes["patience"].index(patience))
            for seed in range(3):
                curve = whole.valid_accuracy.isel(hidden=number, seed=seed).values
                expected = 0 if patience is None else by_hand(curve, patience)
                run = runs.isel(seed=seed)
                assert int(run.stopped_epoch) == expected
                assert run.status == ("stopped" if expected else "finished")
                last = expected or 25
                np.testing.assert_allclose(run.valid_accuracy.values[:last], curve[:last], atol=1e-6)
                assert np.isnan(run.valid_accuracy.values[last:]).all()
                assert int(run.best_epoch) == int(np.argmax(curve[:last])) + 1
                stopped += expected > 0
    assert stopped > 3


@pytest.mark.parametrize("patience", [0, -1, 1.5])
def test_a_patience_that_can_not_be_is_refused(patience):
    with pytest.raises(UserError, match="patience is"):
        Config(patience=patience)
