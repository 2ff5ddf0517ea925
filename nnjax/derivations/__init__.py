"""Formulas worked out by hand, and the checker that holds them against autodiff and says which term is wrong.

The formulas are in `activations`, `softmax`, `losses`, `matrices`, `backprop`, `threshold` and `xor`, each with
its derivation in the docstring; `catalogue` and `networks` set each beside the function that it describes.
"""

from nnjax.derivations.checker import Report, check
from nnjax.derivations.graphs import Graph, graph_of, svg, table

__all__ = ["Graph", "Report", "check", "graph_of", "svg", "table"]
