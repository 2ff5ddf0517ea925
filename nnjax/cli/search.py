"""``nnjax search``: settings of a space, the best of them, and what it is worth."""

import textwrap
from typing import TYPE_CHECKING

from nnjax.axes import SETTING, Axis
from nnjax.cli.options import Options
from nnjax.cli.study import conclude, folder

if TYPE_CHECKING:
    from nnjax.engine.plan import Plan
    from nnjax.search.halving import Halving
    from nnjax.search.space import Space

MOST_SETTINGS = 20
"""Settings that a printed plan lists."""


def search(options: Options, *, title: str, question: str) -> None:
    """Search the space, print table and answer, and write the folder of the results if there is to be one.

    With ``--dry-run`` the settings that would be asked for first are planned, and that is all.
    """
    space, config, told = options.space, options.config, options.search
    assert space is not None
    with folder(options.output, overwrite=options.overwrite, dry_run=options.dry_run) as place:
        from nnjax.search.ends import check_space
        from nnjax.search.halving import Halving

        halving = Halving(**told.race) if told.race else None
        check_space(space, config)
        print(_words(options, space), flush=True)
        if options.dry_run:
            todo = _first(options, space)
            print(_planned(todo, halving))
            return
        from nnjax.search.search import search as searched

        results = searched(
            config,
            None,
            space,
            samples=told.samples,
            sampler=told.sampler,
            seed=told.sampler_seed,
            batch=told.batch,
            halving=halving,
            fresh=told.fresh,
            zone=told.zone,
            confidence=told.confidence,
            keep_parameters=options.keep_parameters,
            progress=False if options.quiet else None,
            time_limit=options.time_limit,
        )
        conclude(results, place, options, title=title, question=question)


def _words(options: Options, space: "Space") -> str:
    """What is searched, and how, in a line, and the space below."""
    told, seeds = options.search, len(options.config.seed_values())
    words = f"search of {'at most ' if told.sampler == 'grid' else ''}{told.samples:,} "
    words += f"setting{'' if told.samples == 1 else 's'} × {seeds:,} seed{'' if seeds == 1 else 's'}, "
    words += f"sampler {told.sampler}" + ("" if told.sampler == "grid" else f" with seed {told.sampler_seed}")
    return "\n".join([words, *(f"  {parameter}" for parameter in space.parameters)])


def _first(options: Options, space: "Space") -> "Plan":
    """The plan of the settings that the sampler asks for first."""
    from nnjax.engine.plan import plan
    from nnjax.search.batches import distinct
    from nnjax.search.samplers import SAMPLERS, batch_of

    told = options.search
    sampler = SAMPLERS[told.sampler](space, told.sampler_seed)
    asked = sampler.ask(min(told.batch or batch_of(sampler, told.samples), told.samples))
    return plan(options.config, axes=(Axis(SETTING, tuple(distinct(options.config, asked))),))


def _planned(todo: "Plan", halving: "Halving | None") -> str:
    """The plan, the settings, when which of them stop, and how long it takes."""
    from nnjax.engine.estimate import estimate
    from nnjax.engine.plan import WIDTH

    lines = [f"asked for first: {todo}"]
    settings = todo.axes[0].changes
    for number, values in enumerate(settings[:MOST_SETTINGS]):
        lines.append(
            f"  setting {number}: {', '.join(f'{name} {_text(value)}' for name, value in values.items())}"
        )
    if len(settings) > MOST_SETTINGS:
        lines.append(f"  and {len(settings) - MOST_SETTINGS} settings more")
    if halving is not None:
        epochs = max(group.epochs for group in todo.groups)
        halving.shares(len(settings), epochs)  # refuses more brackets than rungs
        *rungs, _ = halving.rungs(epochs)
        after = (
            f"after {', '.join(map(str, rungs))} of {epochs} epochs"
            if rungs
            else "at no time: there are too few epochs"
        )
        lines.append(f"one setting in {halving.factor} goes on {after}")
    seconds = estimate(todo, at_most=halving is not None)
    lines.append(
        textwrap.fill(f"{seconds} Settings asked for later, and fresh runs of the best, aren't counted.", WIDTH)
    )
    return "\n".join(lines)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
