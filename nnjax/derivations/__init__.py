"""Formulas worked out by hand, computation graphs, and what threshold neurons can and can't compute.

The formulas are in `activations`, `softmax`, `losses`, `matrices`, `backprop`, `threshold` and `xor`, each with
its derivation in the docstring; `nnjax.gradcheck` holds them against autodiff.
"""

from nnjax.derivations.graphs import Graph, graph_of, svg, table

__all__ = ["Graph", "graph_of", "svg", "table"]
