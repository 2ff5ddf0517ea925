"""One loop under everything: it trains what a driver asks for, epoch by epoch, until that asks for no more."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from nnjax.engine.compilation import settings_of_this_thread
from nnjax.engine.driver import Driver
from nnjax.engine.epochs import Training
from nnjax.engine.plan import Group
from nnjax.engine.progress import Progress

COMPILERS, AHEAD = 2, 4
"""Threads that compile beside the training, and groups that may be ready before their turn: their states wait."""


def train(
    driver: Driver,
    *,
    keep_parameters: bool = False,
    keep_state: bool = False,
    states: bool = False,
    progress: Progress | None = None,
    ends: Callable[[], object] = lambda: False,
) -> None:
    """Train what a driver asks for, and tell it what becomes of that; what comes next is compiled meanwhile.

    Args:
        driver: asks for runs, and may stop them.
        keep_parameters: give the best and the last parameters back.
        keep_state: give these back, and what else training can go on from.
        states: whether the driver is given the states too at each end of an epoch.
        progress: shows how far it has come.
        ends: whether all of it is to end with this epoch. Something is begun in any case.
    """
    under_way: dict[Group, Training] = {}
    best, begun = -np.inf, False
    keep = keep_parameters or keep_state, keep_state
    while not (begun and ends()) and (asked := driver.ask()):
        for stretch, training in zip(
            asked, prepared([stretch.group for stretch in asked], under_way), strict=True
        ):
            if begun and ends():
                break
            begun = True
            under_way[stretch.group] = training
            training.stop(stretch.stops)
            wait = driver.waits or training.has_patience
            for end in training.epochs(stretch.until - training.epoch, wait=wait, states=states):
                training.stop(driver.on_epoch(end))
                if ends():
                    training.stop_all()
                best = max(best, training.best)
                if progress is not None:
                    words = f"best {training.sign * best:.4g}" if np.isfinite(best) else ""
                    progress.update(int(end.trained.sum()), words, driver.total)
            driver.on_standing(training.standing)
            if not training.trains:
                driver.on_outcome(stretch.group, under_way.pop(stretch.group).outcome(*keep))
    for group, training in under_way.items():
        training.stop_all()
        driver.on_outcome(group, training.outcome(*keep))


def prepared(groups: Sequence[Group], under_way: Mapping[Group, Training]) -> Iterator[Training]:
    """The groups ready for their next epoch, those to come being made ready while one trains."""
    if all(group in under_way for group in groups):
        yield from (under_way[group] for group in groups)
        return
    alike = settings_of_this_thread()

    def ready(group: Group) -> Training:
        if group in under_way:
            return under_way[group]
        with alike():
            training = Training(group)
            training.compile()
        return training

    if len(groups) == 1:
        yield Training(groups[0])
        return
    with ThreadPoolExecutor(COMPILERS, "nnjax-compile") as beside:
        ahead = deque(beside.submit(ready, group) for group in groups[:AHEAD])
        for following in (*groups[AHEAD:], *[None] * len(ahead)):
            training = ahead.popleft().result()
            if following is not None:
                ahead.append(beside.submit(ready, following))
            yield training
