"""Which epoch of a run is the best: one notion, on the device and on the host.

An epoch has a score, the monitored metric of the validation set such that higher is better: minus the value of one
of which less is better, as of a loss. Of epochs with one score the one with the lower validation loss is the best,
since small validation sets are soon classified perfectly by networks that go on learning; of those that are equal
in both, the earlier one. A number that isn't one is never better.
"""

from collections.abc import Mapping
from typing import Any

from nnjax.training.metrics import BETTER, Named
from nnjax.validation import UserError

VALID = "valid_"
"""How the names of what can be monitored begin."""


def signs(metrics: Named) -> dict[str, int]:
    """What makes a score of each metric that can be monitored: one number of the examples, with a direction."""
    return {
        name: BETTER[metric.better]
        for name, metric in metrics
        if metric.of == "example" and not metric.dims and metric.better
    }


def index_of(metrics: Named, monitor: str) -> int:
    """The index of a field ``monitor`` among what can be monitored: a number, which compiles nothing.

    Raises:
        UserError: where that isn't recorded.
    """
    known = [VALID + name for name in signs(metrics)]
    if monitor not in known:
        raise UserError(f"monitor is {monitor!r}, and what is recorded has {', '.join(known)}: list it in metrics")
    return known.index(monitor)


def scores(metrics: Named, valid: Mapping[str, Any]) -> list[Any]:
    """The scores of an epoch by each of what can be monitored, from the metrics of the validation set."""
    return [sign * valid[name] for name, sign in signs(metrics).items()]


def better(score: Any, loss: Any, best_score: Any, best_loss: Any) -> Any:
    """Whether an epoch is better than the best before it, ``[…]``, of jax's arrays or NumPy's.

    Args:
        score, loss: of the epoch; with a NaN it is not better.
        best_score, best_loss: of the best before; −∞ and ∞ where there is none.
    """
    return (loss == loss) & ((score > best_score) | ((score == best_score) & (loss < best_loss)))
