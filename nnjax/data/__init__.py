"""Data sets, their splits, and the order in which an epoch visits the examples."""

from nnjax.data.dataset import Dataset, split_train
from nnjax.data.load import load_data
from nnjax.data.order import epoch_order, num_batches
from nnjax.data.preprocess import Preprocessing
from nnjax.data.stored import Stored
from nnjax.data.table import load_table
from nnjax.data.text import load_text
from nnjax.data.tfds import prepare
from nnjax.data.weights import class_weighted
from nnjax.data.words import Words
from nnjax.types import Examples, Weighted

__all__ = [
    "Dataset",
    "Examples",
    "Preprocessing",
    "Stored",
    "Weighted",
    "Words",
    "class_weighted",
    "epoch_order",
    "load_data",
    "load_table",
    "load_text",
    "num_batches",
    "prepare",
    "split_train",
]
