"""Which term is wrong: a line of the formula, a part of the matrix, or what was left out.

JAX writes a function down as a list of simple operations, and `knobs` puts a factor and a transposition on each.
If turning one knob of the hand-made formula makes it right everywhere, that line is what is wrong. If turning one
knob of autodiff's own program gives the hand-made answer, that is the mistake that was made: with the factor 0, a
term was left out. A line that runs once for every layer has a knob for each time, and one that turns them all.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nnjax.gradcheck.autodiff import Array
from nnjax.gradcheck.cases import Case, numbers, shown, spread
from nnjax.gradcheck.factors import Factor, common_factor, factor_sentence, fit_factor
from nnjax.gradcheck.hypotheses import Diagnosis, example
from nnjax.gradcheck.knobs import ADDING, TRANSPOSE, Knob, KnobbedProgram, Program

Read = Callable[[Case, Array], tuple[Array, Array]]
"""A case and what the program gives there to two arrays that should be equal."""
MOST_KNOBS = 600  # a program with more is not looked into


class Turned(NamedTuple):
    """A knob (one for all that a line has, if it runs several times), and what it must be turned to."""

    knob: Knob
    change: Factor | str

    @property
    def kind(self) -> str:
        """The diagnosis that it is, a word of `nnjax.gradcheck.hypotheses.KINDS`."""
        if isinstance(self.change, str):
            return "index"
        return "term" if self.change.number == 0 else self.change.kind


def repair(hand: Program, cases: Sequence[Sequence[Case]]) -> Diagnosis | None:
    """The one change in the hand-made formula that makes it right at all points; None when there is none.

    Args:
        hand: values to the answers, by argument.
        cases: for each point, the case of every argument.
    """

    def read(case: Case, answer: Array) -> tuple[Array, Array]:
        return (spread(answer, case.want, case.outputs) if case.form == "jacobian" else answer), case.want

    found = _search(hand, cases, read)
    if not found:
        return None
    first = min(found, key=lambda turned: ("sign", "index", "term", "factor", "batch").index(turned.kind))
    if first.kind == "index":
        return Diagnosis("index", f"{first.knob} must have its two indices swapped")
    if first.kind == "term":
        return Diagnosis("term", f"{first.knob} must be left out")
    assert isinstance(first.change, Factor)
    return Diagnosis(first.kind, factor_sentence(first.change, str(first.knob)))


def mistake(truth: Program, cases: Sequence[Sequence[Case]]) -> Diagnosis | None:
    """The one change in autodiff's program that gives the hand-made answer; arguments as in `repair`."""

    def read(case: Case, answer: Array) -> tuple[Array, Array]:
        return shown(answer, case.outputs, case.form, case.vector), case.got

    found = _search(truth, cases, read)
    if not found:
        return None
    first = min(found, key=lambda turned: ("term", "sign", "index", "factor", "batch").index(turned.kind))
    if first.knob.operation == "argument":
        what = f"the term with the argument {first.knob.file}"
    else:
        what = f"a term from {first.knob.source} of the function" if first.knob.file else "a term"
    done = {"term": "is missing", "sign": "has the opposite sign", "index": "has its two indices swapped"}
    return Diagnosis(first.kind, f"{what} {done.get(first.kind, f'has a factor {first.change} too much')}")


def _search(program: Program, cases: Sequence[Sequence[Case]], read: Read) -> list[Turned]:
    """Every way to turn one knob after which the program's answers are as they should be, at all points.

    Where the answer is a straight line in the factor, the factor is solved for; else a few are tried.
    """
    alive: dict[int, list[float]] = {}  # a group of knobs, and the factor that each point asks for
    tried: list[tuple[int, Factor | str]] = []
    compared: list[Case] = []
    groups: list[list[int]] = []
    knobs: list[Knob] = []
    by_sizes: dict[tuple[tuple[int, int], ...], list[Sequence[Case]]] = {}
    for point in cases:
        by_sizes.setdefault(tuple(sorted(point[0].sizes.items())), []).append(point)
    for points in by_sizes.values():
        try:
            with_knobs = KnobbedProgram(program, points[0][0].point.values)
        except Exception:
            # NumPy code can't be traced; a formula that can't be looked into still has the other diagnoses.
            return []
        if not groups:
            knobs = with_knobs.knobs
            if len(knobs) > MOST_KNOBS:
                return []
            groups = _groups(knobs)
            alive = {g: [] for g in range(len(groups))}
            tried = [(g, factor) for g in alive for factor in _likely(points[0][0])]
            tried += [(g, TRANSPOSE) for g, group in enumerate(groups) if any(knobs[k].square for k in group)]
        elif [knob.place for knob in with_knobs.knobs] != [knob.place for knob in knobs]:
            # A loop over a size: which knob is which can't be told. The sizes before have to do.
            continue
        compared += [point[0] for point in points]
        for point in points:
            settings: list[tuple[list[int], float | str]] = [([], 1.0)]
            for g in alive:
                settings += [(groups[g], 0.0), (groups[g], 2.0)]
            settings += [(groups[g], c if isinstance(c, str) else c.at(point[0])) for g, c in tried]
            answers = iter(with_knobs.evaluate(point[0].point.values, settings))
            one = next(answers)
            for g in list(alive):
                factor = _solve(point, read, next(answers), one, next(answers))
                if factor is None:
                    del alive[g]
                else:
                    alive[g].append(factor)
            tried = [change for change, answer in zip(tried, answers, strict=True) if _holds(point, read, answer)]
            if not (alive or tried):
                return []
    found = [Turned(knobs[groups[g][0]], change) for g, change in tried]
    for g, factors in alive.items():
        solved = Factor(0) if np.allclose(factors, 0, atol=1e-8) else fit_factor(compared, factors)
        if solved is not None and solved != Factor(1):
            found.append(Turned(knobs[groups[g][0]], solved))
    # A term of a sum is named before other results, and the user's line before one inside a library.
    return sorted(found, key=lambda turned: (turned.knob.operation not in ADDING, turned.knob.operand is None))


def _likely(case: Case) -> list[Factor]:
    """Factors to try where they can't be solved for."""
    sizes = [*(Factor(1, (), (size,)) for size in case.sizes), *(Factor(1, (size,), ()) for size in case.sizes)]
    return [Factor(-1), Factor(0), Factor(2), Factor(0.5), *sizes]


def _groups(knobs: Sequence[Knob]) -> list[list[int]]:
    """Each knob alone, then those of one operation in one line together."""
    alone = [[k] for k in range(len(knobs))]
    together: dict[tuple[object, ...], list[int]] = {}
    for k, knob in enumerate(knobs):
        if knob.file:
            together.setdefault(knob.place, []).append(k)
    return alone + [group for group in together.values() if len(group) > 1]


def _solve(
    point: Sequence[Case],
    read: Read,
    zero: Mapping[str, Array],
    one: Mapping[str, Array],
    two: Mapping[str, Array],
) -> float | None:
    """The factor at which the answers are right, if they are a straight line in it."""
    above = below = 0.0
    for case in point:
        at_0, want = read(case, zero[case.name])
        at_1, at_2 = read(case, one[case.name])[0], read(case, two[case.name])[0]
        if at_0.shape != want.shape or not np.all(np.isfinite(at_0)) or not np.all(np.isfinite(at_2)):
            return None
        slope = at_1 - at_0
        if not case.agrees(at_2 - at_1, slope):
            return None
        above += float(np.vdot(slope, want - at_0)) / case.scale**2
        below += float(np.vdot(slope, slope)) / case.scale**2
    if below < 1e-16:
        return None
    factor = above / below
    for case in point:
        at_0, want = read(case, zero[case.name])
        at_1 = read(case, one[case.name])[0]
        if not case.agrees(at_0 + factor * (at_1 - at_0), want):
            return None
    return factor


def _holds(point: Sequence[Case], read: Read, answer: Mapping[str, Array]) -> bool:
    return all(case.agrees(*read(case, answer[case.name])) for case in point)


def index_pattern(cases: Sequence[Case]) -> Diagnosis | None:
    """Right everywhere except where two indices are equal, or except where they are not."""
    cases = [case for case in cases if not case.point.hard and case.got.shape == case.want.shape]
    wrong = [case for case in cases if case.wrong]
    if not wrong:
        return None
    first = wrong[0]
    if first.form != "jacobian" or all(case.elementwise and _is_diagonal(case.want) for case in wrong):
        return None
    for out, into in itertools.product(range(first.outputs), range(first.outputs, first.want.ndim)):
        if any(case.want.shape[out] != case.want.shape[into] for case in cases):
            continue
        letters = "ijklm"
        for where, sign in (("on the diagonal", "="), ("off the diagonal", "≠")):
            masks = [_equal_indices(case.want.shape, out, into) == (sign == "=") for case in wrong]
            if any(np.all(mask) for mask in masks):
                masks_and_cases = [(m, c) for m, c in zip(masks, wrong, strict=True) if not np.all(m)]
            else:
                masks_and_cases = list(zip(masks, wrong, strict=True))
            if not masks_and_cases or not all(
                case.agrees(np.where(mask, case.want, case.got)) for mask, case in masks_and_cases
            ):
                continue
            place = f"{where} ({letters[out]} {sign} {letters[into]})"
            return _name_pattern(place, masks_and_cases)
    return None


def _name_pattern(place: str, masks_and_cases: Sequence[tuple[Array, Case]]) -> Diagnosis:
    got = np.concatenate([case.got[mask] for mask, case in masks_and_cases])
    scale = max(case.scale for _, case in masks_and_cases)
    if np.max(np.abs(got)) <= 1e-12 * scale:
        return Diagnosis("term", f"the term {place} is missing: the answer is 0 there, and right elsewhere")
    used = [case for mask, case in masks_and_cases if np.any(mask)]
    pairs = [(case.got[mask], case.want[mask]) for mask, case in masks_and_cases if np.any(mask)]
    factor = common_factor(used, pairs)
    if factor is not None:
        return Diagnosis(
            factor.kind, f"{factor_sentence(factor, f'the term {place}')}; the answer is right elsewhere"
        )
    return Diagnosis("term", f"a term {place} is missing or wrong; the answer is right elsewhere")


def additive_term(cases: Sequence[Case]) -> Diagnosis:
    """Nothing simpler explains it: what must be added, and where."""
    cases = [case for case in cases if case.wrong]
    case = next((case for case in cases if case.got.shape != case.want.shape), cases[0])
    if case.got.shape != case.want.shape:
        return Diagnosis("unknown", f"its shape is {case.got.shape}, and must be {case.want.shape}")
    if not np.all(np.isfinite(case.got)):
        return Diagnosis("unknown", f"it isn't finite where autodiff is: {example(case)}")
    rest = case.want - case.got
    rest = np.where(np.abs(rest) > 1e-12 * case.scale, rest, 0)
    return Diagnosis(
        "unknown",
        "no factor, no other order of the indices and no change of one term mends it; what must be added"
        f"{where_missing(cases)}: {numbers(rest)}",
    )


def where_missing(cases: Sequence[Case]) -> str:
    """Where the missing part of a square Jacobian lives: ", on the diagonal", or "" where that is no question."""
    cases = [case for case in cases if case.wrong and not case.point.hard]
    if any(case.form != "jacobian" or case.outputs != 1 or case.want.ndim != 2 for case in cases):
        return ""
    square = [case for case in cases if case.want.shape[0] == case.want.shape[1] > 1]
    if not square or len({case.want.shape[0] == case.want.shape[1] for case in cases}) > 1:
        return ""
    on = any(np.max(np.abs(np.diag(case.want - case.got))) > 1e-10 * case.scale for case in square)
    off = not all(_is_diagonal(case.want - case.got, 1e-10 * case.scale) for case in square)
    zero = all(_is_diagonal(case.got) for case in square) and off
    if on and off:
        return ", on and off the diagonal" + ", where the answer is 0 off it" * zero
    return ", on the diagonal" if on else ", off the diagonal" + ", where the answer is 0" * zero


def _is_diagonal(matrix: Array, tolerance: float = 0.0) -> bool:
    if matrix.ndim % 2 or matrix.shape[: matrix.ndim // 2] != matrix.shape[matrix.ndim // 2 :]:
        return False
    flat = matrix.reshape(math.prod(matrix.shape[: matrix.ndim // 2]), -1)
    return bool(np.all(np.abs(flat - np.diag(np.diag(flat))) <= tolerance))


def _equal_indices(shape: tuple[int, ...], a: int, b: int) -> Array:
    grid = np.indices(shape)
    return np.asarray(grid[a] == grid[b])
