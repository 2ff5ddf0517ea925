"""What all figures share: colours that colour-blind readers tell apart, markers, and matplotlib's settings."""

from typing import Any

INK = "#20242b"
"""Text and axes; a page gives them its own colour, see `svg`."""
PAPER = "#fefefe"
"""What is hidden behind: a page gives it its own background, see `svg`."""
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK, "#7F3C2D")
"""Okabe and Ito's colours, told apart by colour-blind readers; brown for their yellow, which paper swallows."""
MARKERS = "os^DvPX*"
"""One for each colour, so that settings are told apart without colours."""
STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "text.usetex": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#8C8C8C",
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.1,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "nnjax",
}
