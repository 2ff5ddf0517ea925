"""Does a small convolutional network beat the perceptron on images?

Question: with about as many parameters, or fewer, does a layer of 3 × 3 filters help? The network is a Flax
module of this file, and its attribute ``filters`` an axis: a convolution, a ReLU, the mean over 2 × 2, and a dense
layer on what is left. Beside it stand perceptrons with one hidden layer of ReLUs. The same seed means the same
order of the examples, so that all are compared in pairs.

    python experiments/convolution.py

On MNIST, where images are 28 × 28, fewer epochs do:

    python experiments/convolution.py --data.name mnist --data.dir DIR --epochs 3 --seeds 4 --output results/mnist
"""

import math

import flax.linen as nn
from jaxtyping import Array, Float

from nnjax import Config, cli


class Convolution(nn.Module):
    """Images of one channel through a layer of 3 × 3 filters, f(x * W + b), pooled, to C logits."""

    filters: int = 8
    classes: int = 10

    @nn.compact
    def __call__(self, x: Float[Array, "*B D"]) -> Float[Array, "*B C"]:
        """The logits of square images, flattened row by row."""
        side = math.isqrt(x.shape[-1])
        features = nn.relu(nn.Conv(self.filters, (3, 3))(x.reshape(*x.shape[:-1], side, side, 1)))
        pooled = nn.avg_pool(features, (2, 2), (2, 2))
        return nn.Dense(self.classes)(pooled.reshape(*x.shape[:-1], -1))


def perceptron(width: int) -> dict[str, object]:
    """A setting of one hidden layer."""
    return {"model": "mlp", "hidden": width}


def convolution(filters: int) -> dict[str, object]:
    """A setting of the network above."""
    return {"model": Convolution, "model.filters": filters}


CONFIG = Config(
    activation="relu", init="he_normal", learning_rate=0.1, momentum=0.9, weight_decay=1e-4, epochs=20, seeds=16
)
AXES = [perceptron(32), perceptron(128), convolution(4), convolution(16)]

if __name__ == "__main__":
    options = cli.parse(__doc__, config=CONFIG, axes=AXES, output="results/convolution")
    cli.run(options, title="Convolution", question="Does a small convolutional network beat the perceptron?")
