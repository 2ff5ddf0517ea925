"""A figure as an SVG element that can stand in a page."""

import hashlib
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from nnjax.reporting.style import INK, PAPER, STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def svg(figure: "Figure") -> str:
    """The figure as an ``<svg>`` element that can stand in a page: its text is text, in the page's colour,
    and what hides others is of the page's background.

    The same figure gives the same text: no date, and ids that are derived from the drawing, so that the figures
    of a page don't share any.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # A style sheet inside the element would hold for the whole page.
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = text.replace("<svg", '<svg font-family="sans-serif" stroke-linejoin="round"', 1)
    text = _in_tags(_shorter, text)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    prefix = f"f{hashlib.sha256(text.encode()).hexdigest()[:8]}-"

    def own(tag: str) -> str:
        tag = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", tag)
        return re.sub(r' id="([^"]+)"', lambda name: f' id="{prefix}{name[1]}"' if name[1] in used else "", tag)

    return re.sub(r"\n\s*", "\n", _in_tags(own, text)).strip()


def _in_tags(change: Callable[[str], str], text: str) -> str:
    """Labels stand between the tags, and stay as they are."""
    return re.sub(r"<[^>]*>", lambda tag: change(tag[0]), text)


def _shorter(tag: str) -> str:
    tag = tag.replace(INK, "currentColor").replace(PAPER, "var(--paper, #fff)")
    tag = re.sub(r"font-family: [^;\"]*(; )?", "", tag)  # the page's
    tag = re.sub(r' transform="rotate\(-0 [^"]*"', "", tag)
    # Most of the file is digits, and a hundredth of a point is finer than any screen.
    return re.sub(r'(?<= d=")[^"]*|(?<= [xy]=")[^"]*', lambda match: _rounded(match[0]), tag)


def _rounded(numbers: str) -> str:
    numbers = re.sub(r"-?\d+\.\d+", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), numbers)
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", numbers).strip()
