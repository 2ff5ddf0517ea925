"""Runs the planted mistakes of `mutations` through the checker."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np

from mutations import Mutant
from nnjax.gradcheck.arguments import parse_shapes, resize, sizes_of
from nnjax.gradcheck.autodiff import Truth, double_precision
from nnjax.gradcheck.catalogue import formulas
from nnjax.gradcheck.check import Check
from nnjax.gradcheck.formula import Formula
from nnjax.gradcheck.hypotheses import Diagnosis
from nnjax.gradcheck.points import points


class Outcome(NamedTuple):
    """What became of a mutant."""

    mutant: Mutant
    status: str  # flagged, missed, equivalent, or stillborn: it doesn't run at all
    diagnosis: Diagnosis | None = None
    effect: str | None = None  # the class by what the answer is, where that is plain; see _effect


@cache
def truth_of(name: str) -> tuple[Formula, Truth]:
    """A formula and its `Truth`, which its mutants share, with the programs that it has compiled."""
    formula = next(formula for formula in formulas() if formula.name == name)
    return formula, formula.truth()


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    original = getattr(mutant.module, mutant.function)
    setattr(mutant.module, mutant.function, mutant.build())
    try:
        yield
    finally:
        setattr(mutant.module, mutant.function, original)


def run(mutant: Mutant, example: bool = False) -> Outcome:
    with double_precision():
        formula, truth = truth_of(mutant.formula.name)
        arguments = parse_shapes(formula.shapes)
        hand = formula.hand
        with planted(mutant):
            if hand.__name__ == mutant.function and "<locals>" not in hand.__qualname__:
                hand = getattr(mutant.module, mutant.function)
            try:
                checker = Check(hand, truth, arguments, formula.form)
                report = checker.report(example=example)
            except ValueError as error:
                if "raises" not in str(error) and "returns" not in str(error):
                    raise
                return Outcome(mutant, "stillborn")
            if not report.passed:
                return Outcome(mutant, "flagged", report.diagnosis, _effect(checker))
            mutated = _answers(hand, formula, truth, arguments)
        original = _answers(formula.hand, formula, truth, arguments)
        pairs = zip(mutated, original, strict=True)
        same = all(np.allclose(a, b, rtol=1e-12, atol=1e-13, equal_nan=True) for a, b in pairs)
        return Outcome(mutant, "equivalent" if same else "missed")


def _answers(hand, formula, truth, arguments) -> list[np.ndarray]:
    """The answers at 100 fresh random points at each of three sizes and at all finite hard ones."""
    checker = Check(hand, truth, arguments, formula.form)
    found = []
    for n in (0, 1, 2):
        sizes = {size: size + n for size in sizes_of(arguments)}
        drawn = points(np.random.default_rng(100 + n), resize(arguments, sizes), truth.wrt, 100)
        for point in drawn:
            vector = checker.vector_at(point, truth.output(point.values).shape)
            answers: Mapping[str, np.ndarray] = checker.hand.answers(point.values, vector)
            found += list(answers.values())
    return found


def _effect(checker: Check) -> str | None:
    """The class of a mutant whose answer is the right one transposed or times a number, whatever was done."""
    arguments = checker.arguments
    found: list[float | str] = []
    for n in (0, 1):
        ratios: list[float] = []
        turned = True
        sizes = {size: size + n for size in sizes_of(arguments)}
        for point in points(np.random.default_rng(n), resize(arguments, sizes), checker.wrt, 3):
            if point.hard:
                break
            for case in checker.case(point, sizes) or []:
                axes = (*range(case.outputs, case.want.ndim), *range(case.outputs))
                if case.form in ("rows", "columns"):
                    axes = (1, 0)
                block = case.want.transpose(axes) if case.want.ndim == len(axes) else case.want
                turned &= case.got.shape == block.shape and np.allclose(case.got, block, rtol=1e-9, atol=1e-12)
                turned &= case.want.ndim > 1 and case.form not in ("jvp", "vjp")
                if turned:
                    continue
                if case.got.shape != case.want.shape:
                    return None
                with np.errstate(divide="ignore", invalid="ignore"):
                    entries = (case.got / case.want)[case.want != 0]
                if not entries.size or not np.allclose(entries, entries[0], rtol=1e-9):
                    return None
                if np.any((case.want == 0) & (np.abs(case.got) > 1e-12)):
                    return None
                ratios.append(entries[0])
        if turned:
            found.append("transposed")
            continue
        if not ratios or not np.allclose(ratios, ratios[0], rtol=1e-9):
            return None
        found.append(ratios[0])
    if "transposed" in found:
        return "transposed" if found == ["transposed"] * 2 else None
    if np.isclose(*found, rtol=1e-9):
        return "sign" if np.isclose(found[0], -1) else "factor"
    return "batch"
