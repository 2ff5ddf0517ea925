"""nnjax trains many small neural networks side by side.

Every seed, initialisation and hyperparameter setting of a study runs in one compiled JAX program, so that an
answer is a mean with an interval. Names are imported when they are first used: ``import nnjax`` costs nothing.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnjax.config import Config as Config
    from nnjax.config import DataConfig as DataConfig
    from nnjax.data import Dataset as Dataset
    from nnjax.data import load_data as load_data
    from nnjax.data import load_table as load_table
    from nnjax.data import load_text as load_text
    from nnjax.engine.driver import EpochEnd as EpochEnd
    from nnjax.engine.estimate import estimate as estimate
    from nnjax.engine.plan import plan as plan
    from nnjax.results import stats as stats
    from nnjax.results.ensemble import Ensemble as Ensemble
    from nnjax.results.files import load as load_results
    from nnjax.results.files import save as save_results
    from nnjax.results.kept import ensemble as ensemble
    from nnjax.results.kept import network as network
    from nnjax.results.kept import parameters as parameters
    from nnjax.results.merge import merge as merge
    from nnjax.results.network import Network as Network
    from nnjax.saved.network import load as load_network
    from nnjax.search.halving import Halving as Halving
    from nnjax.search.search import search as search
    from nnjax.search.sweep import sweep as sweep
    from nnjax.training.metrics import Metric as Metric
    from nnjax.validation import UserError as UserError

_HOME = {
    "Config": ("config", "Config"),
    "DataConfig": ("config", "DataConfig"),
    "Dataset": ("data", "Dataset"),
    "Ensemble": ("results.ensemble", "Ensemble"),
    "EpochEnd": ("engine.driver", "EpochEnd"),
    "Halving": ("search.halving", "Halving"),
    "Metric": ("training.metrics", "Metric"),
    "Network": ("results.network", "Network"),
    "UserError": ("validation", "UserError"),
    "ensemble": ("results.kept", "ensemble"),
    "estimate": ("engine.estimate", "estimate"),
    "load_data": ("data", "load_data"),
    "load_network": ("saved.network", "load"),
    "load_table": ("data", "load_table"),
    "load_text": ("data", "load_text"),
    "load_results": ("results.files", "load"),
    "merge": ("results.merge", "merge"),
    "network": ("results.kept", "network"),
    "parameters": ("results.kept", "parameters"),
    "plan": ("engine.plan", "plan"),
    "save_results": ("results.files", "save"),
    "sweep": ("search.sweep", "sweep"),
}

__all__ = [
    "Config",
    "DataConfig",
    "Dataset",
    "Ensemble",
    "EpochEnd",
    "Halving",
    "Metric",
    "Network",
    "UserError",
    "ensemble",
    "estimate",
    "load_data",
    "load_network",
    "load_results",
    "load_table",
    "load_text",
    "merge",
    "network",
    "parameters",
    "plan",
    "save_results",
    "search",
    "stats",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name == "stats":
        return importlib.import_module("nnjax.results.stats")
    if name in _HOME:
        module, attribute = _HOME[name]
        return getattr(importlib.import_module(f"nnjax.{module}"), attribute)
    if not name.startswith("_") and importlib.util.find_spec(f"nnjax.{name}"):
        return importlib.import_module(f"nnjax.{name}")
    raise AttributeError(f"module 'nnjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
