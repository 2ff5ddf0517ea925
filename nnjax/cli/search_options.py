"""What `nnjax search` is told beside the configuration and the space, by flags or a file's section ``search``."""

import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from nnjax.spelling import nearest
from nnjax.validation import UserError, check_count, check_range, check_seed, check_type, short

HALVING = ("factor", "least", "brackets")
"""What a mapping for ``halving`` may hold, as `nnjax.search.halving.Halving` does."""


@dataclass(frozen=True)
class SearchOptions:
    """How the space is searched, in flags or as `search` of a file."""

    samples: int = 64
    """How many settings; a grid ends with its last."""
    sampler: Literal["random", "sobol", "grid", "optuna"] = "random"
    """Who says which settings come next."""
    sampler_seed: int = 0
    """The seed of the sampler."""
    batch: int | None = None
    """Settings asked for at a time; None: all, and 8 of optuna, which learns from their scores."""
    halving: int | Mapping[str, int] | None = None
    """Stop the worse settings early: one in so many goes on from each rung; a mapping may hold factor, least (the
    epochs up to the first rung) and brackets (as hyperband has)."""
    fresh: int | None = None
    """Seeds with which the best is trained anew; None: as many as the search has, 0: none."""
    zone: float = 0.005
    """The difference of validation accuracies, or of what else is monitored, that is taken for none."""
    confidence: float = 0.95
    """With which the settings that may be the best are told apart from the others."""

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(SearchOptions)
        for item in fields(self):
            if item.name != "halving":
                check_type(item.name, getattr(self, item.name), hints[item.name])
        check_count("samples", self.samples)
        check_seed("sampler_seed", self.sampler_seed)
        if self.batch is not None:
            check_count("batch", self.batch)
        if self.fresh is not None:
            check_range("fresh", self.fresh, least=0)
        check_range("zone", self.zone, above=0)
        check_range("confidence", self.confidence, above=0, below=1)
        for name in self.race:
            if name not in HALVING:
                raise UserError(
                    f"halving has {short(name)}, and takes {', '.join(HALVING)}{nearest(name, HALVING)}"
                )

    @property
    def race(self) -> dict[str, Any]:
        """The arguments of the halving; empty where nothing is stopped early."""
        if self.halving is None:
            return {}
        if isinstance(self.halving, Mapping):
            return dict(self.halving) or {"factor": 3}
        return {"factor": self.halving}


def read_search(values: Any) -> SearchOptions:
    """The options that a section ``search`` with the flags over it says.

    Raises:
        UserError: for a name that is no option, or a value that can't be.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"search is {short(values)}, and must be a mapping of options, such as samples: 64")
    known = [item.name for item in fields(SearchOptions)]
    for name in values:
        if name not in known:
            raise UserError(
                f"{short(name)} is no option of a search, which are {', '.join(known)}{nearest(name, known)}"
            )
    return SearchOptions(**values)
