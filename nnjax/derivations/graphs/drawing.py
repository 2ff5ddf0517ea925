"""A computation graph as a drawing: nodes from left to right, values and adjoints in them, derivatives on edges.

The layout is Sugiyama's: nodes in columns by their distance from the inputs, the label of every edge and every
column that an edge passes a place of its own, orders that reduce crossings, then heights. Everything has its
place in a column and lines run only between columns or through their own place, so nothing can overlap.
"""

import unicodedata
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from nnjax.derivations.graphs.graph import Edge, Graph, Node
from nnjax.derivations.graphs.layout import Place, heights_of, ports_of, reduce_crossings
from nnjax.derivations.graphs.notation import format_value

VALUE, ADJOINT = "#0072b2", "#b34700"
"""Blue and vermilion of Okabe and Ito (2008), whom all colour-blind readers tell apart; the second darkened
until it reads on white. Arrows say the same without colour."""

FONT = "'DejaVu Sans Mono', Menlo, Consolas, monospace"
SIZE = 13  # of the letters, px
LETTER = 0.62 * SIZE  # the width of a letter, rather too wide
LINE = 18  # the height of a line of text
PAD = 10  # between a box and its text
GAP_X = 34  # between columns
BOX_GAP, LABEL_GAP = 16, 5  # above and below a box, and a label or a line
MARGIN = 16
ARROW = 7
SHOWN = 3  # entries of an array


class Rect(NamedTuple):
    """A rectangle by its left, top, width and height, px."""

    x: float
    y: float
    width: float
    height: float


class Line(NamedTuple):
    """An edge as it is drawn."""

    edge: Edge
    path: str  # of an SVG path
    label: Rect | None  # None where there is no derivative


class Layout(NamedTuple):
    """Where everything stands."""

    width: float
    height: float  # without the legend
    boxes: tuple[tuple[Node, Rect], ...]
    lines: tuple[Line, ...]


def svg(graph: Graph) -> str:
    """The drawing of a graph as SVG text, without scripts, styles or identifiers: it can be put into a page."""
    place = layout(graph)
    legend = (
        ("→ forward value", VALUE),
        (f"← adjoint ∂{graph.output}/∂node", ADJOINT),
        ("on an edge: local derivative ∂target/∂source", "#333"),
    )
    width = max(place.width, 2 * MARGIN + max(_text_width(text) for text, _ in legend))
    height = place.height + LINE * len(legend) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="{FONT}" font-size="{SIZE}">',
        f"<title>Computation graph of {escape(graph.output)}</title>",
        '<rect class="background" width="100%" height="100%" fill="#fff"/>',
    ]
    parts += [_line(line) for line in place.lines]
    parts += [_box(node, rect, node.name == graph.output) for node, rect in place.boxes]
    for row, (text, colour) in enumerate(legend):
        parts.append(_text(text, MARGIN, place.height + LINE * (row + 0.7), colour))
    return "\n".join([*parts, "</svg>\n"])


def layout(graph: Graph) -> Layout:
    """Columns, the order in each, and heights.

    A node's column is the length of the longest path to it. Orders: in sweeps to the right and back, each
    place is put at the mean position (barycentre) of its neighbours in the column before; the order with the
    fewest crossings is kept. Heights: each place as near to the mean height of its neighbours as its column
    allows, by isotonic regression.

    Source: Sugiyama, Tagawa and Toda (1981), Methods for visual understanding of hierarchical system
    structures, IEEE Transactions on Systems, Man and Cybernetics 11(2).
    """
    columns, chains, at = _columns(graph)
    reduce_crossings(columns, chains)
    ports = ports_of(columns, chains)
    y = {place: height + MARGIN for place, height in heights_of(columns, chains, ports).items()}

    widths = [max(place.width for place in column) if column else 0.0 for column in columns]
    left = [MARGIN + sum(widths[:column]) + GAP_X * column for column in range(len(columns))]
    boxes = []
    for node in graph.nodes:
        place = at[node.name]
        top = y[place] - place.height / 2
        boxes.append((node, Rect(left[place.column], top, widths[place.column], place.height)))
    lines = [
        _route(edge, chain, port, y, left, widths)
        for edge, chain, port in zip(graph.edges, chains, ports, strict=True)
    ]
    bottom = max(y[place] + place.height / 2 for place in y)
    return Layout(left[-1] + widths[-1] + MARGIN, bottom + MARGIN, tuple(boxes), tuple(lines))


def _columns(graph: Graph) -> tuple[list[list[Place]], list[list[Place]], dict[str, Place]]:
    """The places by column, for each edge the places that it runs through, and those of the boxes.

    Boxes stand in the even columns, labels in the odd ones, each right before its target.
    """
    depth: dict[str, int] = {}
    for node in graph.nodes:
        depth[node.name] = 1 + max((depth[e.source] for e in graph.edges if e.target == node.name), default=-1)
    for node in graph.nodes:  # a constant stands right before its first use
        if node.kind == "constant" and node.name != graph.output:
            depth[node.name] = min(depth[edge.target] for edge in graph.edges if edge.source == node.name) - 1

    columns: list[list[Place]] = [[] for _ in range(2 * max(depth.values()) + 1)]

    def add(column: int, width: float, height: float, gap: float = LABEL_GAP) -> Place:
        columns[column].append(Place(column, width, height, gap))
        return columns[column][-1]

    boxes = {}
    for node in graph.nodes:
        texts = _box_texts(node)
        width = max(_text_width(text) for text, _ in texts) + 2 * PAD
        boxes[node.name] = add(2 * depth[node.name], width, LINE * len(texts) + PAD, BOX_GAP)
    chains = []
    for edge in graph.edges:
        first, last = 2 * depth[edge.source], 2 * depth[edge.target]
        chain = [boxes[edge.source]] + [add(column, 0, 4) for column in range(first + 1, last - 1)]
        if edge.derivative is None:
            chain.append(add(last - 1, 0, 4))
        else:
            chain.append(add(last - 1, _text_width(format_value(edge.derivative, SHOWN)) + 8, LINE))
        chains.append([*chain, boxes[edge.target]])
    return columns, chains, boxes


def _route(
    edge: Edge,
    chain: Sequence[Place],
    port: tuple[float, float],
    y: dict[Place, float],
    left: Sequence[float],
    widths: Sequence[float],
) -> Line:
    """Curves between the columns, straight through an edge's own places, interrupted by its label."""
    label = None
    source, target = chain[0].column, chain[-1].column
    at = (left[source] + widths[source], y[chain[0]] + port[0])
    path = _point("M", *at)
    for place in chain[1:-1]:
        height, start, end = y[place], left[place.column], left[place.column] + widths[place.column]
        path += _curve(at, (start, height))
        if place.width:
            middle = (start + end) / 2
            label = Rect(middle - place.width / 2, height - place.height / 2, place.width, place.height)
            path += _point(" L", label.x, height) + _point(" M", label.x + label.width, height)
        at = (end, height)
        path += _point(" L", *at)
    path += _curve(at, (left[target] - ARROW, y[chain[-1]] + port[1]))
    return Line(edge, path, label)


def _point(command: str, x: float, y: float) -> str:
    return f"{command} {x:.1f} {y:.1f}"


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    """A cubic curve that leaves and arrives horizontally, and stays between its ends."""
    middle = (start[0] + end[0]) / 2
    return _point(" C", middle, start[1]) + _point("", middle, end[1]) + _point("", *end)


def _line(line: Line) -> str:
    edge, label = line.edge, line.label
    x, y = (float(number) for number in line.path.split()[-2:])
    dashes = ' stroke-dasharray="2 3"' if label is None else ""
    tip = f"M {x:.1f} {y - 3.5:.1f} L {x + ARROW:.1f} {y:.1f} L {x:.1f} {y + 3.5:.1f} Z"
    parts = [
        f'<g class="edge" data-source="{escape(edge.source)}" data-target="{escape(edge.target)}">',
        f'<path class="line" d="{line.path}" fill="none" stroke="#777"{dashes}/><path d="{tip}" fill="#777"/>',
    ]
    if label is not None:
        text = format_value(edge.derivative, SHOWN)
        parts.append(_text(text, label.x + label.width / 2, label.y + label.height / 2, "#333", "middle"))
    return "".join([*parts, "</g>"])


def _box(node: Node, rect: Rect, output: bool) -> str:
    fill = "#f0f0f0" if node.kind == "input" else "#fff"
    outline = (
        f'<rect x="{rect.x:.1f}" y="{rect.y:.1f}" width="{rect.width:.1f}" height="{rect.height:.1f}" rx="5" '
        f'fill="{fill}" stroke="#333" stroke-width="{2.5 if output else 1}"/>'
    )
    middle = rect.x + rect.width / 2
    texts = [
        _text(text, middle, rect.y + PAD / 2 + LINE * (row + 0.5), colour, "middle")
        for row, (text, colour) in enumerate(_box_texts(node))
    ]
    return "".join([f'<g class="node" data-name="{escape(node.name)}">', outline, *texts, "</g>"])


def _box_texts(node: Node) -> list[tuple[str, str]]:
    """The lines of a box with their colours."""
    name = f"{node.name} = {node.operation}" if node.kind == "operation" else node.name
    texts = [(name, "#000"), (f"→ {format_value(node.value, SHOWN)}", VALUE)]
    if node.adjoint is not None:
        texts.append((f"← {format_value(node.adjoint, SHOWN)}", ADJOINT))
    return texts


def _text(text: str, x: float, y: float, colour: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y + 0.35 * SIZE:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _text_width(text: str) -> float:
    return LETTER * sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
