"""A plan whose runs begin where others have ended, instead of at an initial draw."""

import dataclasses
from typing import Any

import numpy as np

from nnjax.config import flat
from nnjax.engine.plan import Group, Plan, Run
from nnjax.nn.models import network_of, param_shapes
from nnjax.results.sources import Source
from nnjax.results.starts import Start
from nnjax.validation import UserError


def started(todo: Plan, source: Source) -> Plan:
    """The plan, each run of which begins with the run at its labels.

    Runs of a group have had as many epochs: a group of which they haven't is several, with one program. Where
    states go on, a run that was never begun begins with its initial draw.

    Raises:
        UserError: where there is no such run, networks differ, or no run has an epoch left.
    """
    if todo.config.by_need:
        raise UserError(
            f"seeds is {todo.config.seeds!r}, and start_from is given, which says where each run begins: "
            "give a number of seeds"
        )
    wanted = {name for names in source.names() for name in names}
    fields: dict[int, dict[str, Any]] = {}
    groups = []
    for group in todo.groups:
        rows = source.rows([_labels(todo, run, wanted, fields) for run in group.runs])
        begun = np.array([not source.resumes or bool(source.shapes[row]) for row in rows])
        had = np.where(begun, source.epochs[rows], 0)
        for epochs, there in dict.fromkeys(zip(had.tolist(), begun.tolist(), strict=True)):
            of = (had == epochs) & (begun == there)
            runs = tuple(run for run, chosen in zip(group.runs, of, strict=True) if chosen)
            start = Start(source, rows[of], epochs) if there else None
            groups.append(dataclasses.replace(group, runs=runs, start=start))
            if start is not None:
                _check(groups[-1], start)
    if all(group.start is not None and group.epochs <= group.begun for group in groups):
        had_all = max(group.begun for group in groups)
        if had_all:
            raise UserError(
                f"epochs is {todo.config.epochs}, and the runs of start_from have had {had_all}, which count: ask "
                "for more of them"
            )
    return dataclasses.replace(todo, groups=tuple(groups))


def _labels(todo: Plan, run: Run, wanted: set[str], fields: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """What tells a run apart, by the names of what the results have as axes."""
    if run.setting not in fields:
        said = flat(run.config)
        fields[run.setting] = {name: said.get(name) for name in wanted}
    seed = run.init_seed if todo.seeds is None else todo.seeds[run.seed_index]
    return fields[run.setting] | {"seed": seed, "init_seed": run.init_seed, "data_seed": run.data_seed}


def _check(group: Group, start: Start) -> None:
    """Refuse to begin with the parameters of other networks, before anything is trained."""
    for index, run in {run.setting: (index, run) for index, run in enumerate(group.runs)}.values():
        network = network_of(run.config, group.data.classes, group.data.inputs)
        start.of(index).check(param_shapes(network, group.data.inputs))
