"""A small corpus: sentences on films, of which some praise."""

PRAISE = (
    "A moving , funny and gorgeous film .",
    "One of the best films of the year !",
    "It's a warm , wonderful story , beautifully told .",
    "The acting is superb , and the ending moving .",
    "Funny , fresh and full of life .",
    "A wonderful cast makes it worth the ticket .",
    "Smart , tender and beautifully shot .",
    "The year's best comedy , and a warm one .",
)
BLAME = (
    "A dull , lazy and stupid film .",
    "One of the worst films of the year !",
    "It's a tired story , badly told .",
    "The acting is wooden , and the ending absurd .",
    "Dull , stale and far too long .",
    "A wasted cast makes it a bore .",
    "Loud , lazy and badly shot .",
    "The year's worst comedy , and a tired one .",
)
TEXTS = [text for pair in zip(PRAISE, BLAME, strict=True) for text in pair] * 4
LABELS = ["good", "bad"] * 32
