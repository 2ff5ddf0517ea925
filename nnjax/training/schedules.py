"""How the learning rate goes over training: a factor on η at each step.

With warm-up of W steps the factor is (t + 1) / (W + 1) for t < W; the schedules say what it is from there on, with
u = (t − W) / (E·T − W) the share of the rest that is done and e = ``schedule_end``. One of a user's own is a
function of u that gives the factor.

optax's schedules branch on their lengths in Python and so can't take them from arrays; the tests hold these
formulas against them.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nnjax.parts import Part, tried
from nnjax.training.hyper import Hyperparameters
from nnjax.validation import UserError


class Moment(NamedTuple):
    """How far training is, after the warm-up."""

    done: Float[Array, ""]  # u, from 0 to 1
    since: Float[Array, ""]  # steps since the warm-up
    rest: Float[Array, ""]  # steps from the warm-up to the end


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A schedule."""

    factor: Callable[[Moment, Hyperparameters], Float[Array, ""]]
    by_factors: bool = False
    """Whether it goes to its end by factors, so that the end can't be 0."""


def constant(at: Moment, hyper: Hyperparameters) -> Float[Array, ""]:
    """1."""
    return jnp.ones_like(hyper.schedule_end)


def linear(at: Moment, hyper: Hyperparameters) -> Float[Array, ""]:
    """1 + (e − 1) u, rising for e > 1."""
    return 1 + (hyper.schedule_end - 1) * at.done


def cosine(at: Moment, hyper: Hyperparameters) -> Float[Array, ""]:
    """e + (1 − e) (1 + cos πu) / 2."""
    end = hyper.schedule_end
    return end + (1 - end) * (1 + jnp.cos(jnp.pi * at.done)) / 2


def exponential(at: Moment, hyper: Hyperparameters) -> Float[Array, ""]:
    """e^u."""
    return hyper.schedule_end**at.done


def step(at: Moment, hyper: Hyperparameters) -> Float[Array, ""]:
    """e^(⌊u (n + 1)⌋ / n), n = ``schedule_steps`` equal drops at equal distances."""
    # Multiplied before it is divided, so that no drop is late by rounding.
    drops = jnp.clip(jnp.floor(at.since * (hyper.schedule_steps + 1) / at.rest), 0, hyper.schedule_steps)
    return hyper.schedule_end ** (drops / hyper.schedule_steps)


SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule(constant),
    "linear": Schedule(linear),
    "cosine": Schedule(cosine),
    "exponential": Schedule(exponential, by_factors=True),
    "step": Schedule(step, by_factors=True),
}


def schedule_factor(schedule: Schedule, hyper: Hyperparameters, step: Int[Array, ""]) -> Float[Array, ""]:
    """The factor on the learning rate at a step t = 0, 1, …"""
    now = step.astype(hyper.schedule_end.dtype)
    since, rest = now - hyper.warmup, jnp.maximum(hyper.horizon - hyper.warmup, 1)
    moment = Moment(jnp.clip(since / rest, 0, 1), since, rest)
    return jnp.where(now < hyper.warmup, (now + 1) / (hyper.warmup + 1), schedule.factor(moment, hyper))


@functools.cache
def schedule_of(part: str | Part) -> Schedule:
    """The schedule of a name, or of a part of the user's own.

    Raises:
        UserError: where it isn't a function of a number that gives a number and that JAX can trace.
    """
    if isinstance(part, str):
        return SCHEDULES[part]
    must = "a function of u, the share of training that is done, that gives the factor on the learning rate"
    u = jax.ShapeDtypeStruct((), jnp.float32)
    factor = tried(
        "schedule", part, lambda: jax.eval_shape(lambda u: jnp.asarray(part.function(u), u.dtype), u), must
    )
    if factor.shape != ():
        raise UserError(
            f"the schedule {part} doesn't fit: it gives {list(factor.shape)} numbers; it must be {must}"
        )
    return Schedule(lambda at, hyper: jnp.asarray(part.function(at.done), at.done.dtype))
