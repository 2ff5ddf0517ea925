"""What a sweep will do: settings × seeds, split into groups of one compiled training program each."""

import dataclasses
import functools
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from nnjax.axes import Axes, Axis, expand, parse_axes
from nnjax.config import SEED_FIELDS, Config, DataConfig, of_task
from nnjax.data import Dataset
from nnjax.engine import devices, layout
from nnjax.engine.cost import StepCost, step_cost
from nnjax.engine.layout import Grid
from nnjax.engine.loaded import loaded_for, one_task
from nnjax.engine.sharing import Known
from nnjax.engine.sharing import share as share_programs
from nnjax.engine.work import Work
from nnjax.fields import FIXES_PROGRAM
from nnjax.nn.initializers import initializer_of
from nnjax.nn.models import network_of, param_shapes
from nnjax.parts import Part
from nnjax.results.starts import Start
from nnjax.training.shared import Shared
from nnjax.training.structure import Structure
from nnjax.validation import UserError, check_count

WIDTH = 100
"""Columns of a terminal."""

MOST_GROUPS = 20
"""Groups that a printed plan lists."""


class Run(NamedTuple):
    """One network, trained once."""

    setting: int  # the index of its setting
    seed_index: int  # the index of its seed
    init_seed: int
    data_seed: int
    config: Config


@dataclass(frozen=True, eq=False)
class Group:
    """The runs that share one compiled training program; equal to itself alone."""

    structure: Structure
    """Where several share the program, that of the widest network that it trains."""
    batch_size: int
    data: Dataset
    runs: tuple[Run, ...]
    runs_per_call: int | None = None
    """Runs that a device trains at a time; None leaves it to `nnjax.engine.layout.arrange`."""
    shared: Shared | None = None
    """The program that several structures share; None for the structure's own."""
    start: Start | None = None
    """Where the runs begin; None for their initial draws."""

    @property
    def begun(self) -> int:
        """The epochs that all the runs have had before, which count."""
        return self.start.epochs if self.start else 0

    @property
    def left(self) -> int:
        """The epochs that all the runs together have left, at most."""
        return len(self.runs) * max(self.epochs - self.begun, 0)

    @property
    def epochs(self) -> int:
        """The most epochs that a run of the group has."""
        return max(run.config.epochs for run in self.runs)

    @property
    def init_kinds(self) -> tuple[str | Part, ...]:
        """The kinds of initialisation in the group."""
        return tuple(sorted({run.config.initialization[0] for run in self.runs}, key=str))

    @property
    def parameters(self) -> int:
        """How many parameters a run has, at most."""
        structures = {run.config.hidden: run.config for run in self.runs} if self.shared else {}
        networks = [network_of(config, self.data.classes, self.data.inputs) for config in structures.values()]
        return max(
            sum(leaf.size for leaf in jax.tree.leaves(param_shapes(network, self.data.inputs)))
            for network in networks or [self.structure.network]
        )

    @functools.cached_property
    def cost(self) -> StepCost:
        """What a step of one run costs."""
        data = self.data
        return step_cost(self.structure, data.inputs, self.batch_size, data.train.x.itemsize, data.places)

    @property
    def state_bytes(self) -> int:
        """Bytes of the runs' states."""
        return self.cost.state * len(self.runs)

    @functools.cached_property
    def grid(self) -> Grid:
        """Where the runs execute."""
        return layout.arrange([run.data_seed for run in self.runs], self.cost, self.runs_per_call)

    @property
    def data_bytes(self) -> int:
        """Bytes of the data set, of which an accelerator has a copy, and the cores of a CPU one together; of what
        stays in its file, those that are in memory at a time."""
        splits = (self.data.train, self.data.valid, self.data.test)
        return sum(array.nbytes for split in splits for array in split)

    def __str__(self) -> str:
        config, data = self.runs[0].config, self.data
        if self.shared is not None:
            structures = {(run.config.hidden, run.config.activation, run.config.batch_size) for run in self.runs}
            widths = "-".join(map(str, (data.inputs, *self.structure.network.hidden, data.classes)))
            network = f"mlp up to {widths} ({_count(len(structures), 'structure')}, "
        elif config.model == "mlp":
            network = (
                f"mlp {'-'.join(map(str, (data.inputs, *config.hidden, data.classes)))} ({config.activation}, "
            )
        elif config.model == "dan":
            of_dan = (data.inputs, self.structure.network.embedding, *config.hidden, data.classes)
            network = f"dan {'-'.join(map(str, of_dan))} ({config.activation}, "
        else:
            attributes = ", ".join(f"{name}={value}" for name, value in config.model_attributes.items())
            sizes = f"{data.inputs}-{data.classes} (" if isinstance(config.model, str) else f"({attributes}) ("
            network = f"{config.model}{' ' if isinstance(config.model, str) else ''}{sizes}"
        _, rows, runs = self.grid.runs.shape
        return (
            f"{_count(len(self.runs), 'run')} of {network}{config.loss}, {config.optimizer}, batch "
            f"{'up to ' if self.shared else ''}{self.batch_size}) on {data.name}, "
            f"{_count(self.epochs, 'epoch')} of {len(data.train.y)} examples, "
            f"{'up to ' if self.shared else ''}{self.parameters:,} parameters a run, "
            f"{_size(self.state_bytes)} of state, "
            f"{_size(self.data_bytes)} of data, {rows * runs} at a time on each"
        )


@dataclass(frozen=True)
class Plan:
    """What a sweep will do."""

    config: Config
    axes: tuple[Axis, ...]
    settings: tuple[Config, ...]
    seeds: tuple[int, ...] | None
    """The seeds of the runs; None where the settings fix both init_seed and data_seed."""
    groups: tuple[Group, ...]

    @property
    def runs(self) -> int:
        """R over all groups."""
        return sum(len(group.runs) for group in self.groups)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the data, in sentences."""
        return tuple(dict.fromkeys(note for group in self.groups for note in group.data.notes))

    def __str__(self) -> str:
        of_seeds = [len(axis.changes) for axis in self.axes if set(axis.name.split(",")) <= set(SEED_FIELDS)]
        seeds = math.prod([*of_seeds, len(self.seeds or (0,))])
        folds = math.prod(len(axis.changes) for axis in self.axes if axis.name == "data.fold")
        need = self.config.by_need
        up_to, at_most = (f"{need.first} to ", "at most ") if need else ("", "")
        lines = [
            f"{_count(self.runs // (seeds * folds), 'setting')} × {f'{folds} folds × ' if folds > 1 else ''}"
            f"{up_to}{_count(seeds, 'seed')} = "
            f"{at_most}{_count(self.runs, 'run')} in "
            f"{_count(len(self.groups), 'group')}, so {_count(len(self.groups), 'compilation')} of a training "
            f"program, on {_count(devices.count(), f'{devices.kind()} device')}"
        ]
        lines += [f"  group {number}: {group}" for number, group in enumerate(self.groups[:MOST_GROUPS], 1)]
        if len(self.groups) > MOST_GROUPS:
            lines.append(f"  and {len(self.groups) - MOST_GROUPS} groups more")
        return "\n".join([*lines, *(textwrap.fill(f"Note: {note}", WIDTH) for note in self.notes)])


def plan(
    config: Config,
    data: Dataset | None = None,
    axes: Axes | Sequence[Axis] | None = None,
    *,
    seeds: int | str | Iterable[int] | None = None,
    runs_per_call: int | None = None,
    share: bool | None = None,
    known: Known | None = None,
) -> Plan:
    """The settings, runs and groups of a sweep, without running any; takes what `sweep` takes.

    With ``share`` False each structure has a program of its own; ``known`` are those that a search has already.

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
        given = tuple(seeds) if isinstance(seeds, Iterable) and not isinstance(seeds, str) else seeds
        config = dataclasses.replace(config, seeds=given)
    parsed = parse_axes(axes)
    if data is not None and any(field.startswith("data.") for axis in parsed for field in axis.fields):
        raise UserError("data.… is an axis of the sweep, and data is given as well: leave out one of them")
    if data is not None and data.config is not None:
        config = dataclasses.replace(config, data=data.config)
    settings = expand(config, parsed)
    loaded = {config.data: data} if data is not None else loaded_for(settings)
    task = one_task(loaded.values())
    config, settings = of_task(config, task), [of_task(setting, task) for setting in settings]
    crossed = {None not in (setting.init_seed, setting.data_seed) for setting in settings}
    if len(crossed) > 1:
        raise UserError(
            "some settings fix both init_seed and data_seed, so that their runs would all be the same, and others "
            "don't: fix both in all settings or in none"
        )
    of_runs = None if crossed == {True} else config.seed_values()
    need = config.by_need
    if need and of_runs is None:
        raise UserError(
            f"seeds is {config.seeds!r}, and the settings fix both init_seed and data_seed, so that there are "
            "none to add: leave out one of the two"
        )
    groups = _group(settings, of_runs or (0,), loaded, runs_per_call)
    if share is not False and runs_per_call is None and devices.platform() == "cpu":
        # By need most settings have few seeds.
        groups = _shared(groups, known, min(1, 2 * need.first / need.most) if need else 1)
    return Plan(config, parsed, tuple(settings), of_runs, tuple(groups))


def groups_of(
    settings: Sequence[Config], loaded: Mapping[DataConfig, Dataset], known: Known | None = None
) -> tuple[Group, ...]:
    """The groups of settings that fix their seeds and name their loss and what they monitor, each on its data.

    Args:
        settings: a run each, whose ``setting`` is the index here.
        loaded: the data of their ``data``.
        known: the programs that a search has already.

    Raises:
        UserError: for a batch larger than the training data.
    """
    groups = _group(settings, (0,), loaded, None)
    return tuple(_shared(groups, known, 1) if devices.platform() == "cpu" else groups)


def _group(
    settings: Sequence[Config],
    seeds: Sequence[int],
    loaded: Mapping[DataConfig, Dataset],
    runs_per_call: int | None,
) -> list[Group]:
    """The runs by structure, batch size and data, in the order in which these first appear."""
    runs: dict[Any, list[Run]] = {}
    structures: dict[Any, Structure] = {}
    keys: dict[Any, Any] = {}
    for number, config in enumerate(settings):
        dataset = loaded[config.data]
        if config.batch_size > len(dataset.train.y):
            raise UserError(
                f"batch_size is {config.batch_size}, and must be at most {len(dataset.train.y)}, "
                f"the examples that {dataset.name} trains on"
            )
        options = (config.momentum > 0, config.dropout > 0, len(config.layer_rates), config.initialization[0])
        fixed = (config.data, *options, *(getattr(config, name) for name in FIXES_PROGRAM))
        if fixed not in keys:
            structure = Structure.of(config, dataset.classes, dataset.inputs, dataset.task)
            initializer_of(config.initialization[0])
            # A run without momentum or dropout can share the program of those that have it, with 0 in their place.
            key = (structure.without_options(), config.batch_size, config.data)
            structures[key] = structures.get(key, structure).with_options_of(structure)
            keys[fixed] = key
            runs.setdefault(key, [])
        key = keys[fixed]
        runs[key].extend(
            Run(
                number,
                index,
                seed if config.init_seed is None else config.init_seed,
                seed if config.data_seed is None else config.data_seed,
                config,
            )
            for index, seed in enumerate(seeds)
        )
    return [
        Group(structures[key], key[1], loaded[key[2]], tuple(of_key), runs_per_call)
        for key, of_key in runs.items()
    ]


def _shared(groups: Sequence[Group], known: Known | None, share: float) -> list[Group]:
    """The groups, of which some are joined to share a program, in the place of the first of them.

    ``share`` is how many of their runs will be trained.
    """
    works = [
        Work(
            group.runs[0].config,
            group.structure,
            group.data.inputs,
            group.data.classes,
            len(group.data.train.y),
            max(len(group.data.valid.y), len(group.data.test.y)),
            math.ceil(share * len(group.runs)),
            group.epochs,
        )
        for group in groups
    ]
    joined: dict[Any, list[Group]] = {}
    # A shared program has no sparse inputs, nor any that stay in their file.
    able = [group.data.places is None and not group.data.is_stored for group in groups]
    programs = iter(share_programs([work for work, plain in zip(works, able, strict=True) if plain], known))
    for number, (group, plain) in enumerate(zip(groups, able, strict=True)):
        shared = next(programs) if plain else None
        joined.setdefault(number if shared is None else (shared, id(group.data)), []).append(group)
    found = []
    for key, of_key in joined.items():
        if not isinstance(key, tuple):
            found += of_key
            continue
        runs = tuple(run for group in of_key for run in group.runs)
        batch_size = max(group.batch_size for group in of_key)
        found.append(Group(key[0].structure, batch_size, of_key[0].data, runs, 1, key[0]))
    return found


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
