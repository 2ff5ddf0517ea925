"""Which term is wrong: a list of hypotheses, each of which changes the wrong answer and asks if it is right then.

They are tried from the simple to the involved, and the first that makes the answer right at every point and size
gives the diagnosis: first where the answer is wrong, then what was done to the whole of it (a factor, a sign,
indices in another order), then to one term of it.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nnjax.gradcheck.autodiff import Array
from nnjax.gradcheck.cases import Case, spread, string, worst_index
from nnjax.gradcheck.factors import Factor, common_factor, factor_sentence

KINDS = {
    "kink": "wrong only at kinks",
    "unstable": "right in the limit but unstable",
    "hard": "wrong only at special points",
    "shape": "wrong shape but right entries",
    "sign": "sign",
    "transposed": "transposed",
    "index": "index swapped",
    "order": "row-major for column-major",
    "batch": "missing batch mean, or sum instead of mean",
    "factor": "constant factor",
    "term": "missing additive term",
    "unknown": "no named cause",
}


class Diagnosis(NamedTuple):
    """What is wrong: a word of `KINDS`, and a sentence."""

    kind: str
    sentence: str

    def __str__(self) -> str:
        return f"{KINDS[self.kind]}: {self.sentence}"


Rearranged = tuple[str, str, Callable[[Case], tuple[Array, Array] | None]]
"""A kind, a clause for the sentence, and the changed answer beside what it should equal, if it can be made."""


def whole_answer_diagnosis(cases: Sequence[Case]) -> Diagnosis | None:
    """The first hypothesis about the whole answer that holds; None where it takes a look at single terms."""
    tried = (only_at_special_points, whole_answer, scalar_argument, collapsed_axis)
    return next((found for hypothesis in tried if (found := hypothesis(cases))), None)


def only_at_special_points(cases: Sequence[Case]) -> Diagnosis | None:
    """Right at every random point, wrong at kinks, where numbers are large, or at single points."""
    wrong = [case for case in cases if case.wrong]
    if any(not case.point.hard for case in wrong):
        return None
    labels = ", ".join(dict.fromkeys(case.point.label for case in wrong))
    if all(case.kink for case in wrong):
        case = wrong[0]
        return Diagnosis(
            "kink",
            f"the derivative jumps there, and the formula takes another value than autodiff ({labels}): "
            f"{example(case)}",
        )
    if all(case.limit or not np.all(np.isfinite(case.got)) for case in wrong):
        return Diagnosis("unstable", f"it breaks down at {labels}: {example(wrong[0])}")
    return Diagnosis("hard", f"it is right at random points and wrong at {labels}: {example(wrong[0])}")


def whole_answer(cases: Sequence[Case]) -> Diagnosis | None:
    """The right answer with its indices in another order, in another shape, or times a factor."""
    cases = [case for case in cases if not case.point.hard]
    for kind, clause, rearrange in rearrangements(cases):
        pairs = [rearrange(case) for case in cases]
        if any(pair is None or pair[0].shape != pair[1].shape for pair in pairs):
            continue
        factor = common_factor(cases, [pair for pair in pairs if pair is not None])
        if factor is None:
            continue
        if not clause:
            return Diagnosis(factor.kind, factor_sentence(factor, "the whole answer"))
        if factor != Factor(1):
            clause += f", and besides it must be multiplied by {factor}"
        return Diagnosis(kind, clause)
    return None


def rearrangements(cases: Sequence[Case]) -> Iterator[Rearranged]:
    """The answer as it is, then with its axes exchanged, its entries strung in another order, or reshaped."""
    yield "factor", "", lambda case: (case.got, case.want)
    first = cases[0]
    ndim = first.got.ndim
    if first.form in ("jvp", "vjp"):
        yield (
            "transposed",
            f"it multiplies the vector from the other side: it is {'v·J' if first.form == 'jvp' else 'J·v'}",
            _other_side,
        )
    if first.form in ("rows", "columns"):
        yield from _strung_otherwise(first.form)
    elif ndim <= 5:
        # The exchange of outputs and inputs first: with symmetries, several orders may be right.
        inputs = ndim - first.outputs
        turned = (*range(inputs, ndim), *range(inputs))
        for axes in sorted(itertools.permutations(range(ndim)), key=lambda axes: axes != turned):
            if axes != tuple(range(ndim)):
                kind, clause = _name_permutation(first, axes)
                yield kind, clause, _permuted_by(axes)
    yield (
        "shape",
        f"it has the shape {first.got.shape} and must have {first.want.shape}",
        _reshaped,
    )
    yield (
        "order",
        "the entries are strung by columns where they are read by rows",
        _reread,
    )


def _other_side(case: Case) -> tuple[Array, Array] | None:
    outputs, jacobian, vector = case.outputs, case.jacobian, case.vector
    inputs = jacobian.ndim - outputs
    if vector is None:
        return None
    if case.form == "jvp" and vector.shape == jacobian.shape[:outputs]:
        return case.got, np.tensordot(vector, jacobian, outputs)
    if case.form == "vjp" and vector.shape == jacobian.shape[outputs:]:
        return case.got, np.tensordot(jacobian, vector, inputs)
    return None


def _strung_otherwise(form: str) -> Iterator[Rearranged]:
    other = "columns" if form == "rows" else "rows"
    for what, output_order, input_order in (
        ("outputs and inputs are", other, other),
        ("the outputs (down the matrix) are", other, form),
        ("the inputs (along the matrix) are", form, other),
    ):
        for transposed in (False, True):

            def rearrange(
                case: Case, orders: tuple[str, str] = (output_order, input_order), transposed: bool = transposed
            ) -> tuple[Array, Array]:
                strung = string(case.jacobian, case.outputs, *orders)
                return case.got, strung.T if transposed else strung

            clause = f"{what} strung by {other}, and must be by {form}" + ", and it is transposed" * transposed
            yield "order", clause, rearrange
    yield "transposed", "it is input × output, and must be output × input", lambda case: (case.got.T, case.want)


def _name_permutation(case: Case, axes: tuple[int, ...]) -> tuple[str, str]:
    """``axes`` of the answer are the right one's axes 0, 1, …"""
    ndim, inputs = len(axes), len(axes) - case.outputs
    if case.outputs and axes == tuple(range(inputs, ndim)) + tuple(range(inputs)):
        return "transposed", "it is input × output, and must be output × input"
    letters = "ijklm"[:ndim]
    given = "".join(letters[axes.index(axis)] for axis in range(ndim))
    clause = f"what it has at [{','.join(given)}] belongs at [{','.join(letters)}]"
    return ("transposed" if ndim == 2 else "index"), clause


def _permuted_by(axes: tuple[int, ...]) -> Callable[[Case], tuple[Array, Array] | None]:
    return lambda case: (case.got.transpose(axes), case.want) if case.got.ndim == len(axes) else None


def _reshaped(case: Case) -> tuple[Array, Array] | None:
    if case.got.size == case.want.size:
        return case.got.reshape(case.want.shape), case.want
    inputs = case.want.shape[case.outputs :]
    if case.form == "jacobian" and case.got.size == math.prod(inputs):
        return spread(case.got.reshape(inputs), case.want, case.outputs), case.want
    return None


def _reread(case: Case) -> tuple[Array, Array] | None:
    if case.got.size != case.want.size:
        return None
    return case.got.ravel().reshape(case.want.shape, order="F"), case.want


def scalar_argument(cases: Sequence[Case]) -> Diagnosis | None:
    """A factor that is one of the scalar arguments, missing or too much."""
    cases = [case for case in cases if not case.point.hard]
    for name, value in cases[0].point.values.items():
        if np.shape(value) == () and np.issubdtype(value.dtype, np.floating):
            for word, power in (("multiplied", 1), ("divided", -1)):
                pairs = [(case.got * float(case.point.values[name]) ** power, case.want) for case in cases]
                if all(a.shape == b.shape for a, b in pairs) and (factor := common_factor(cases, pairs)):
                    number = "" if factor == Factor(1) else f" and multiplied by {factor}"
                    return Diagnosis("factor", f"the whole answer must be {word} by {name}{number}")
    return None


def collapsed_axis(cases: Sequence[Case]) -> Diagnosis | None:
    """One axis too many, over which it must be summed or averaged; or one too few."""
    cases = [case for case in cases if not case.point.hard]
    for axis in range(max(case.got.ndim for case in cases)):
        for word, reduce in (("summed", np.sum), ("averaged", np.mean)):
            if all(
                case.got.ndim > axis
                and case.got.ndim == case.want.ndim + 1
                and case.agrees(np.asarray(reduce(case.got, axis=axis)))
                for case in cases
            ):
                return Diagnosis(
                    "batch", f"it must be {word} over its axis {axis}, of size {cases[0].got.shape[axis]}"
                )
    return None


def example(case: Case) -> str:
    """The largest error in words."""
    if case.got.shape != case.want.shape:
        return f"shape {case.got.shape} instead of {case.want.shape}"
    at = worst_index(case)
    return f"{case.got[at]:.6g} instead of {case.want[at]:.6g}"
