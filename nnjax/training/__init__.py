"""ONE run: its start, a step, an epoch, its evaluation. Nothing here knows that there are other runs.

Every function is pure and can stand in somebody's own `jax.jit`, `lax.scan` or `jax.vmap`. What fixes the
compiled program is a `Structure`, closed over; what may differ between runs of one program is an array, in
`Hyperparameters`. `begin` makes both from a configuration.
"""

from nnjax.training.epoch import run_epoch, train_epoch
from nnjax.training.evaluation import evaluate
from nnjax.training.hyper import Hyperparameters
from nnjax.training.start import Run, begin
from nnjax.training.step import train_step
from nnjax.training.structure import Structure, hyperparameters

__all__ = [
    "Hyperparameters",
    "Run",
    "Structure",
    "begin",
    "evaluate",
    "hyperparameters",
    "run_epoch",
    "train_epoch",
    "train_step",
]
