"""Computation graphs: a scalar JAX function as simple operations with values and adjoints, in a table or drawn."""

from nnjax.derivations.graphs.drawing import svg
from nnjax.derivations.graphs.graph import EXAMPLES, Edge, Graph, Node, graph_of, table

__all__ = ["EXAMPLES", "Edge", "Graph", "Node", "graph_of", "svg", "table"]
