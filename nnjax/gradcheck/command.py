"""What `nnjax check` does: all formulas of nnjax, or a user's own by the names of its functions.

Nothing here reads a command line. Each function prints and returns the exit code, 0 when all is right and 1 for a
wrong formula; what a user did wrong is a UserError with one sentence.
"""

import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from nnjax.gradcheck.arguments import Shapes
from nnjax.gradcheck.cases import shape_words
from nnjax.gradcheck.catalogue import formulas
from nnjax.gradcheck.check import check
from nnjax.gradcheck.formula import Formula
from nnjax.parts import load

Print = Callable[[str], object]
SHAPE_WIDTH = 22
EXAMPLE = "my_formulas:softmax_jacobian"


def run_check(
    hand: str,
    of: str,
    shapes: Shapes,
    wrt: str | Sequence[str] | None = None,
    form: str = "jacobian",
    show: Print = print,
) -> int:
    """Check a user's formula and print the report; arguments as in `nnjax.gradcheck.check`, functions by name.

    Raises:
        UserError: see `nnjax.parts.load` and `nnjax.gradcheck.check`.
    """
    report = check(load(hand, EXAMPLE), of=load(of, EXAMPLE), shapes=shapes, wrt=wrt, form=form)
    show(str(report))
    return 0 if report.passed else 1


def run_all(chosen: Iterable[Formula] | None = None, show: Print = print) -> int:
    """Check every formula of nnjax and print a line for each as it is known: shape, errors, status and formula."""
    chosen = list(formulas() if chosen is None else chosen)
    width = max(len(formula.name) for formula in chosen)
    show(f"{'derivative':{width}}  {'shape':{SHAPE_WIDTH}}  {'autodiff':>8}  {'differences':>11}  status  formula")
    failed = []
    # Most of a check is compilation, which runs beside other threads.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for formula, report in zip(chosen, pool.map(Formula.check, chosen), strict=True):
            # A gradient in all parameters has many shapes: the first few tell which convention it is.
            shapes = " ".join(shape_words(shape) for shape in report.shapes.values())
            shapes = shapes if len(shapes) <= SHAPE_WIDTH else shapes[: SHAPE_WIDTH - 1] + "…"
            differences = report.modes.get("differences", math.nan)
            errors = f"{report.error:8.1e}  {differences:11.1e}"
            status = "PASS" if report.passed else "FAIL"
            show(f"{formula.name:{width}}  {shapes:{SHAPE_WIDTH}}  {errors}  {status}    {formula.formula}")
            if not report.passed:
                failed.append(report)
    for report in failed:
        show(f"\n{report}")
    right = len(chosen) - len(failed)
    show(
        f"\n{right} of {len(chosen)} formulas agree with autodiff and central differences in float64;\n"
        "errors are the largest at random points, relative to the derivative's largest entry"
    )
    return 1 if failed else 0
