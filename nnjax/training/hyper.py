"""The numbers of a setting, which go into the compiled program as arrays."""

from typing import NamedTuple

from jaxtyping import Array, Float, Int


class Hyperparameters(NamedTuple):
    """The numbers of a setting, as arrays of the parameters' dtype: changing them never compiles again."""

    learning_rate: Float[Array, ""]
    layer_rates: Float[Array, " L"]
    weight_decay: Float[Array, ""]
    momentum: Float[Array, ""]
    beta_1: Float[Array, ""]
    beta_2: Float[Array, ""]
    epsilon: Float[Array, ""]
    schedule_end: Float[Array, ""]
    schedule_steps: Float[Array, ""]
    warmup: Float[Array, ""]  # training steps
    horizon: Float[Array, ""]  # training steps, E · T
    epochs: Int[Array, ""]
    monitor: Int[Array, ""]  # index into what can be monitored, see `nnjax.training.monitor`
    dropout: Float[Array, ""]
    activation_slope: Float[Array, ""]
