"""Inputs of which most are 0, as the counts of words in texts are: of each row those that aren't."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

AT_A_TIME = 16
"""Places of a row that a product reads at a time; rows are filled up to a multiple of them."""


@dataclass(frozen=True, eq=False)
class Sparse:
    """A matrix [N, D] by the places and values of at most K numbers a row; all others are 0.

    The arrays are NumPy's or jax's, and a pytree's leaves, so that rows are taken, put on a device and looped over
    as those of other arrays. A row with fewer numbers is filled up with the value 0 at the place 0. A place that
    stands twice in a row counts twice.
    """

    places: Int[Any, "N K"]
    """From 0 to D − 1."""
    values: Float[Any, "N K"]
    inputs: int
    """D."""

    @classmethod
    def of(cls, matrix: Any) -> "Sparse":
        """A sparse matrix or array of SciPy, in 32 bits.

        Args:
            matrix: [N, D], of any of SciPy's forms.
        """
        rows = matrix.tocsr(copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        counts = np.diff(rows.indptr)
        longest = -(-max(int(counts.max(initial=0)), 1) // AT_A_TIME) * AT_A_TIME
        filled = np.arange(longest) < counts[:, None]
        places, values = np.zeros(filled.shape, np.int32), np.zeros(filled.shape, np.float32)
        places[filled], values[filled] = rows.indices, rows.data
        return cls(places, values, int(rows.shape[1]))

    @property
    def shape(self) -> tuple[int, int]:
        """(N, D)."""
        return int(self.places.shape[0]), self.inputs

    @property
    def ndim(self) -> int:
        """2."""
        return 2

    @property
    def dtype(self) -> Any:
        """Of the values."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of places and values."""
        return int(self.places.nbytes + self.values.nbytes)

    @property
    def itemsize(self) -> int:
        """Bytes of a value."""
        return int(self.values.dtype.itemsize)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> "Sparse":
        """Some rows: a slice, indices or truth values."""
        return Sparse(self.places[rows], self.values[rows], self.inputs)

    def with_values(self, values: Float[Any, "N K"]) -> "Sparse":
        """The matrix with other values at the same places."""
        return Sparse(self.places, values, self.inputs)

    def sums(self) -> Float[Array, " N"]:
        """The sum of each row."""
        return jnp.sum(self.values, axis=1)

    def dense(self) -> Float[Array, "N D"]:
        """All numbers: for a batch, not for a data set."""
        rows = jnp.arange(len(self))[:, None]
        return jnp.zeros(self.shape, self.values.dtype).at[rows, self.places].add(self.values)


jax.tree_util.register_dataclass(Sparse, data_fields=["places", "values"], meta_fields=["inputs"])
