"""The checker: a hand-made derivative against autodiff, a diagnosis where it is wrong, and a counterexample.

`hand` and `autodiff` give both answers at the `points`, `cases` sets them side by side, `diagnose` asks what was
done wrong, with `hypotheses` on the whole answer and `terms` on single terms and lines, and `check` leads through.
`catalogue` and `networks` set each formula of `nnjax.derivations` beside the function that it describes; `command`
is what `nnjax check` does.
"""

from nnjax.gradcheck.check import check
from nnjax.gradcheck.report import Report

__all__ = ["Report", "check"]
