"""A formula of nnjax beside the function that it claims to describe."""

from typing import NamedTuple

from nnjax.gradcheck.arguments import Shapes, parse_shapes
from nnjax.gradcheck.autodiff import Truth, double_precision
from nnjax.gradcheck.check import Check
from nnjax.gradcheck.functions import Function, parameters
from nnjax.gradcheck.report import Report
from nnjax.parts import load


class Formula(NamedTuple):
    """What is derived, and how to check it; the last five as in `nnjax.gradcheck.check`."""

    name: str
    formula: str
    hand: Function
    of: Function | str  # or "module:function", looked up when it is checked
    shapes: Shapes
    wrt: str | tuple[str, ...] | None = None
    form: str = "jacobian"

    def truth(self) -> Truth:
        """The derivatives of the function, by autodiff."""
        of = load(self.of) if isinstance(self.of, str) else self.of
        wrt = self.wrt or parameters(of)[0][0]
        return Truth(of, [wrt] if isinstance(wrt, str) else wrt)

    def check(self) -> Report:
        """The report on the formula."""
        with double_precision():
            return Check(self.hand, self.truth(), parse_shapes(self.shapes), self.form).report()
