"""What a sweep will do: settings × seeds, split into groups of one compiled training program each."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from nnjax.axes import Axes, Axis, expand, parse_axes
from nnjax.config import SEED_FIELDS, Config, parse_init
from nnjax.data import Dataset, load_data
from nnjax.engine import devices, layout
from nnjax.engine.cost import StepCost, step_cost
from nnjax.engine.layout import Grid
from nnjax.nn.models import param_shapes
from nnjax.training.structure import Structure
from nnjax.types import Params
from nnjax.validation import UserError, check_count


class Run(NamedTuple):
    """One network, trained once."""

    setting: int  # its place among the settings
    place: int  # its place among the seeds
    init_seed: int
    data_seed: int
    config: Config


@dataclass(frozen=True)
class Group:
    """The runs that share one compiled training program."""

    structure: Structure
    batch_size: int
    data: Dataset
    runs: tuple[Run, ...]

    @property
    def epochs(self) -> int:
        """The most epochs that a run of the group has."""
        return max(run.config.epochs for run in self.runs)

    @property
    def init_kinds(self) -> tuple[str, ...]:
        """The kinds of initialisation in the group."""
        return tuple(sorted({parse_init(run.config.init)[0] for run in self.runs}))

    @property
    def shapes(self) -> Params:
        """The shapes of the parameter tree."""
        return param_shapes(self.structure.network, self.data.inputs)

    @property
    def parameters(self) -> int:
        """How many parameters a run has."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.shapes))

    @property
    def cost(self) -> StepCost:
        """What a step of one run costs."""
        return step_cost(self.structure, self.data.inputs, self.batch_size, self.data.train.x.itemsize)

    @property
    def state_bytes(self) -> int:
        """Bytes of the runs' states."""
        return self.cost.state * len(self.runs)

    def arrange(self, runs_per_call: int | None = None) -> Grid:
        """Where the runs execute; ``runs_per_call`` of them at a time on a device."""
        return layout.arrange([run.data_seed for run in self.runs], self.cost, runs_per_call)

    @property
    def data_bytes(self) -> int:
        """Bytes of the data set, of which an accelerator has a copy, and the cores of a CPU one together."""
        splits = (self.data.train, self.data.valid, self.data.test)
        return sum(array.nbytes for split in splits for array in split)


@dataclass(frozen=True)
class Plan:
    """What a sweep will do."""

    config: Config
    axes: tuple[Axis, ...]
    settings: tuple[Config, ...]
    seeds: tuple[int, ...] | None
    """The seeds of the runs; None where the settings fix both init_seed and data_seed."""
    groups: tuple[Group, ...]
    runs_per_call: int | None = None
    """Runs that a device trains at a time; None leaves it to `nnjax.engine.layout.arrange`."""

    @property
    def runs(self) -> int:
        """R over all groups."""
        return sum(len(group.runs) for group in self.groups)

    def __str__(self) -> str:
        of_seeds = [len(axis.changes) for axis in self.axes if set(axis.name.split(",")) <= set(SEED_FIELDS)]
        seeds = math.prod([*of_seeds, len(self.seeds or (0,))])
        lines = [
            f"{_count(self.runs // seeds, 'setting')} × {_count(seeds, 'seed')} = {_count(self.runs, 'run')} in "
            f"{_count(len(self.groups), 'group')}, so {_count(len(self.groups), 'compilation')} of a training "
            f"program, on {_count(devices.count(), f'{devices.kind()} device')}"
        ]
        for number, group in enumerate(self.groups, 1):
            structure, data = group.structure, group.data
            widths = "-".join(map(str, (data.inputs, *structure.hidden, data.classes)))
            _, rows, runs = group.arrange(self.runs_per_call).runs.shape
            lines.append(
                f"  group {number}: {_count(len(group.runs), 'run')} of {structure.model} {widths} "
                f"({structure.activation}, {structure.loss}, {structure.optimizer}, batch {group.batch_size}) "
                f"on {data.name}, {_count(group.epochs, 'epoch')} of {len(data.train.y)} examples, "
                f"{group.parameters:,} parameters a run, {_size(group.state_bytes)} of state, "
                f"{_size(group.data_bytes)} of data, {rows * runs} at a time on each"
            )
        return "\n".join(lines)


def plan(
    config: Config,
    data: Dataset | None = None,
    axes: Axes | None = None,
    *,
    seeds: int | Iterable[int] | None = None,
    runs_per_call: int | None = None,
) -> Plan:
    """The settings, runs and groups of a sweep, without running any; takes what `sweep` takes.

    Raises:
        UserError: for axes or values that can't be, or a batch larger than the training data.
    """
    if not isinstance(config, Config):
        raise UserError(f"the configuration is {_kind(config)}, and must be a nnjax.Config")
    if runs_per_call is not None:
        check_count("runs_per_call", runs_per_call)
    if data is not None and not isinstance(data, Dataset):
        raise UserError(f"data is {_kind(data)}, and must be a nnjax.Dataset, as nnjax.load_data returns it")
    if seeds is not None:
        seeds = tuple(seeds) if isinstance(seeds, Iterable) else seeds
        config = dataclasses.replace(config, seeds=seeds)
    parsed = parse_axes(axes)
    if data is not None and any(field.startswith("data.") for axis in parsed for field in axis.fields):
        raise UserError("data.… is an axis of the sweep, and data is given as well: leave out one of them")
    if data is not None and data.config is not None:
        config = dataclasses.replace(config, data=data.config)
    settings = expand(config, parsed)
    crossed = {None not in (setting.init_seed, setting.data_seed) for setting in settings}
    if len(crossed) > 1:
        raise UserError(
            "some settings fix both init_seed and data_seed, so that their runs would all be the same, and others "
            "don't: fix both in all settings or in none"
        )
    places = None if crossed == {True} else config.seed_values()
    runs = [
        Run(
            number,
            place,
            seed if setting.init_seed is None else setting.init_seed,
            seed if setting.data_seed is None else setting.data_seed,
            setting,
        )
        for number, setting in enumerate(settings)
        for place, seed in enumerate(places or (0,))
    ]
    groups = _group(runs, data)
    return Plan(config, tuple(parsed), tuple(settings), places, tuple(groups), runs_per_call)


def _group(runs: Sequence[Run], data: Dataset | None) -> list[Group]:
    """Split the runs by structure, batch size and data, in the order in which these first appear."""
    loaded: dict[Any, Dataset] = {}
    parts: dict[Any, list[Run]] = {}
    structures: dict[Any, Structure] = {}
    for run in runs:
        source = run.config.data
        if data is None and source not in loaded:
            loaded[source] = load_data(**dataclasses.asdict(source))
        dataset = data or loaded[source]
        if run.config.batch_size > len(dataset.train.y):
            raise UserError(
                f"batch_size is {run.config.batch_size}, and must be at most {len(dataset.train.y)}, "
                f"the examples that {dataset.name} trains on"
            )
        structure = Structure.of(run.config, dataset.classes)
        # A run without momentum or dropout can share the program of those that have it, with 0 in their place.
        key = (structure.without_options(), run.config.batch_size, None if data else source)
        parts.setdefault(key, []).append(run)
        structures[key] = structures.get(key, structure).with_options_of(structure)
    return [Group(structures[key], key[1], data or loaded[key[2]], tuple(part)) for key, part in parts.items()]


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} GB" if count < 1000 else f"{count:,.0f} GB"
