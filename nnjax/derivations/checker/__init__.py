"""The checker: a hand-made derivative against autodiff, a diagnosis where it is wrong, and a counterexample.

`hand` and `autodiff` give both answers at the `points`, `cases` sets them side by side, `diagnose` asks what was
done wrong, with `hypotheses` on the whole answer and `terms` on single terms and lines, and `check` leads through.
"""

from nnjax.derivations.checker.check import check
from nnjax.derivations.checker.report import Report

__all__ = ["Report", "check"]
