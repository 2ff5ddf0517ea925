"""How many seeds: as many as a decision or a width takes, written ``auto`` or ``auto(half_width=0.002)``."""

import dataclasses
import re
from dataclasses import dataclass

from nnjax.spelling import nearest
from nnjax.validation import UserError, check_count, check_range

ZONE = 0.005
"""The difference of validation accuracies that is taken for none where nothing is said."""


@dataclass(frozen=True)
class ByNeed:
    """Seeds are added in rounds, where they are needed, until what is asked for is reached.

    `nnjax.search.needed` has the rule, which stays valid however often one looks.
    """

    zone: float | None = None
    """A decision to reach: no other setting is better than the best by more, in validation accuracy or whatever is
    monitored."""
    half_width: float | None = None
    """To be reached by the intervals of the best's mean and of its leads over the others."""
    confidence: float = 0.95
    """Of all that is said in all rounds together."""
    first: int = 4
    """Seeds in the first round; the next ones have twice as many each."""
    most: int = 64
    """The most seeds that a setting may have."""

    def __post_init__(self) -> None:
        if self.zone is None and self.half_width is None:
            object.__setattr__(self, "zone", ZONE)
        for name in ("zone", "half_width"):
            if (value := getattr(self, name)) is not None:
                check_range(f"{name} of seeds", value, above=0)
        check_range("confidence of seeds", self.confidence, above=0, below=1)
        check_count("most of seeds", self.most)
        check_range("first of seeds", self.first, least=2, most=self.most)

    def __str__(self) -> str:
        said = [
            f"{item.name}={getattr(self, item.name):g}"
            for item in dataclasses.fields(self)
            if getattr(self, item.name) != item.default
        ]
        return f"auto({', '.join(said)})"


def parse_need(text: str) -> ByNeed:
    """What ``auto``, or ``auto`` with numbers by name in brackets, asks for.

    Raises:
        UserError: for another word, an unknown name, or numbers that can't be.
    """
    known = [item.name for item in dataclasses.fields(ByNeed)]
    form = re.fullmatch(r"\s*auto\s*(?:\(([^()]*)\))?\s*", text)
    if not form:
        raise UserError(
            f"seeds is {text!r}, and must be a number, a list of seeds, or auto, such as 'auto(zone=0.005)'"
            f"{nearest(text.partition('(')[0].strip(), ['auto'])}"
        )
    values: dict[str, float] = {}
    for word in filter(str.strip, (form[1] or "").split(",")):
        name, _, number = (part.strip() for part in word.partition("="))
        if name not in known:
            raise UserError(f"seeds is {text!r}, and {name!r} is none of {', '.join(known)}{nearest(name, known)}")
        try:
            values[name] = int(number) if name in ("first", "most") else float(number)
        except ValueError:
            whole = "a whole number" if name in ("first", "most") else "a number"
            raise UserError(f"seeds is {text!r}, and {name} must be {whole}, such as {name}=8") from None
    return ByNeed(**values)  # type: ignore[arg-type]  # those of whole numbers are
