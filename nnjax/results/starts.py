"""Where the runs of a group begin: their parameters, or their whole states, by rows of a source."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from nnjax.results.sources import Source, shapes_of
from nnjax.results.trees import leaves, path_name
from nnjax.training.metrics import Variable
from nnjax.types import Params
from nnjax.validation import UserError


class State(NamedTuple):
    """What training goes on from beside the parameters; leaves are host arrays ``[R, …]``."""

    optimizer: Any  # its state, as optax has it
    step: Any  # steps that it has had
    epoch: Any  # epochs that it has had
    best_score: Any  # see `nnjax.training.start.RunState`
    best_loss: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """Where the runs of a group begin, which have all had as many epochs."""

    source: Source
    index: np.ndarray
    """Of each run's row, ``[R]``; of one run alone, ``[]``."""
    epochs: int
    """That they have had and that count on."""

    def of(self, run: int) -> "Start":
        """That of one run, whose leaves have no leading axis."""
        return dataclasses.replace(self, index=self.index[run])

    def params(self, shapes: Params, which: str = "last") -> Params:
        """Parameters ``[R, …]``, of the best epoch or the last; where no state goes on, those that were chosen.

        Raises:
            UserError: where the network is another one.
        """
        which = which if self.source.resumes else self.source.which
        self.check(shapes)
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: self._leaf(f"{which}/{path_name(path)}", leaf), shapes
        )

    def check(self, shapes: Params) -> None:
        """Refuse to begin with other networks' parameters."""
        wanted = {name: list(leaf.shape) for name, leaf in leaves(shapes)}
        for row in np.unique(self.index):
            _check_shapes(shapes_of(self.source.shapes[row]), wanted)

    def state(self, like: State) -> State:
        """The states ``[R, …]`` with leaves of these shapes.

        Raises:
            UserError: where the optimizer is another one.
        """
        wanted = {name: list(leaf.shape) for name, leaf in leaves(like)}
        for row in np.unique(self.index):
            there = shapes_of(self.source.state_shapes[row])
            lacks = next((name for name, shape in wanted.items() if there.get(name) != shape), None)
            if lacks is not None:
                raise UserError(
                    f"the state of start_from has no {lacks} of this optimizer: go on with the optimizer that it "
                    'was trained with, or begin with its parameters alone, start_from=(results, "last")'
                )
        found: State = jax.tree_util.tree_map_with_path(lambda path, leaf: self._leaf(path_name(path), leaf), like)
        return found

    def of_runs(self, name: str) -> np.ndarray:
        """A variable of the results, such as best_epoch, of each run ``[R]``."""
        assert self.source.results is not None
        return self.source.results[name].values.ravel()[self.index]

    def history(self, said: Mapping[str, Variable], labels: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
        """The metrics ``[R, …]`` of each epoch that was, NaN where they weren't recorded.

        Args:
            said: what is recorded of an epoch.
            labels: of the layers, classes and outputs.
        """
        results = self.source.results
        if results is None or not self.epochs:
            return []
        dims = [str(dim) for dim in results["status"].dims]
        runs = tuple(int(size) for size in results["status"].sizes.values())
        epochs: list[dict[str, Any]] = [{} for _ in range(self.epochs)]
        for name, (_, own, _) in said.items():
            if "epoch" not in own:
                continue
            rest = [dim for dim in own if dim != "epoch"]
            values = np.full(
                (len(self.index), self.epochs, *(len(labels[dim]) for dim in rest)), np.nan, np.float32
            )
            if name in results and set(rest) <= set(results.dims):
                found = (
                    results[name]
                    .reindex({dim: list(labels[dim]) for dim in rest})
                    .transpose(*dims, "epoch", *rest)
                )
                flat = found.values.reshape(math.prod(runs), *found.shape[len(dims) :])
                values = flat[self.index, : self.epochs]
            for epoch in range(self.epochs):
                epochs[epoch][name] = values[:, epoch]
        return epochs

    def _leaf(self, name: str, leaf: Any) -> np.ndarray:
        values = self.source.arrays[name][self.index]
        extra = values.ndim - np.ndim(self.index) - len(leaf.shape)
        corner: Any = (..., *map(slice, leaf.shape), *[0] * extra)
        return (
            np.ascontiguousarray(values[corner]).astype(leaf.dtype).reshape((*np.shape(self.index), *leaf.shape))
        )


def _check_shapes(there: Mapping[str, list[int]], wanted: Mapping[str, list[int]]) -> None:
    if there == wanted:
        return
    if not there:
        raise UserError("start_from has runs that were never begun, so that they have no parameters")
    name = next(name for name in (*wanted, *there) if there.get(name) != wanted.get(name))
    have, want = (
        "no such parameters" if shape is None else f"the shape {shape}"
        for shape in (there.get(name), wanted.get(name))
    )
    raise UserError(f"start_from has another network: its {name} has {have}, and that of this training has {want}")
