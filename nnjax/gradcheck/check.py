"""Is a derivative worked out by hand right, and if not, which term is wrong?

``check(hand, of=f, shapes={"z": 5})`` holds ``hand`` against the Jacobian of ``f`` in the convention (shape of
output) × (shape of input), in float64, at random points and at hard ones, at the given sizes and at others.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import jax
import numpy as np

from nnjax.gradcheck.arguments import (
    Arguments,
    Shapes,
    differentiated,
    other_sizes,
    parse_shapes,
    resize,
    sizes_of,
    vector_argument,
)
from nnjax.gradcheck.autodiff import Array, Truth, double_precision
from nnjax.gradcheck.cases import (
    FORMS,
    HARD_TOLERANCE,
    Case,
    mode_errors,
    relative_error,
    shown,
    spread,
)
from nnjax.gradcheck.counterexample import smallest
from nnjax.gradcheck.diagnose import diagnose
from nnjax.gradcheck.functions import Function, name_of
from nnjax.gradcheck.hand import Hand
from nnjax.gradcheck.hypotheses import Diagnosis
from nnjax.gradcheck.points import Point, Values, points
from nnjax.gradcheck.report import Report, describe_place, describe_sizes
from nnjax.validation import UserError

OWN_RULE = "has a derivative of its own (custom_jvp, custom_vjp), or a stop_gradient"
AUTODIFF_TOLERANCE = 1e-10
DIFFERENCES_TOLERANCE = 1e-6
EPSILON = float(np.finfo(np.float64).eps)


def check(
    hand: Function,
    *,
    of: Function,
    shapes: Shapes,
    wrt: str | Sequence[str] | None = None,
    form: str = "jacobian",
    seed: int = 0,
    points: int = 3,
) -> Report:
    """Whether ``hand`` is the derivative of ``of``, and what is wrong with it.

    Args:
        hand: a function of the arguments of ``of`` (or of some of them, by name) to the Jacobian, of shape (shape
            of output) × (shape of input). For several in ``wrt``, to a mapping by their names, or a tuple.
        of: the function, written for JAX.
        shapes: a shape for each argument, ``{"z": 5, "w": (3, 4)}`` or ``["z=5", "w=3,4"]``; see
            `nnjax.gradcheck.arguments`. Arguments with a default may be left out.
        wrt: the argument that the derivative is in, or several; the first by default.
        form: what ``hand`` returns: jacobian; jvp or vjp, a product with a vector that it takes as one more
            argument; rows or columns, one matrix with the entries strung in that order.
        seed: of the random points.
        points: how many random points at each size.

    Raises:
        UserError: when a function raises, returns another dtype than float64, needs an argument without a shape,
            has none of a given name, or can't be differentiated; when a shape is malformed.
    """
    with double_precision():
        arguments = parse_shapes(shapes)
        names = differentiated(of, arguments, wrt)
        return Check(hand, Truth(of, names), arguments, form, seed, points).report()


class Check:
    """One formula against one function. `check` is the way in; a battery of formulas shares the `Truth`."""

    def __init__(
        self,
        hand: Function,
        truth: Truth,
        arguments: Arguments,
        form: str = "jacobian",
        seed: int = 0,
        points: int = 3,
    ) -> None:
        if form not in FORMS:
            raise UserError(f"the form is {form!r}, and must be one of {', '.join(FORMS)}")
        self.truth, self.arguments, self.form = truth, arguments, form
        self.seed, self.count = seed, points
        self.notes: list[str] = []
        self.wrt = truth.wrt
        self.hand = Hand(hand, self.wrt, vector_argument(hand, truth.of, self.wrt, arguments, form))
        self._typical: dict[tuple[tuple[int, int], ...], dict[str, float]] = {}

    def report(self, example: bool = True) -> Report:
        """The comparison at all points, and what follows from it; ``example`` to look for a counterexample."""
        given = {size: size for size in sizes_of(self.arguments)}
        cases: list[list[Case]] = []
        tried: list[dict[str, tuple[int, ...]]] = []
        for sizes in [given, *other_sizes(self.arguments)]:
            try:
                found = list(self._cases(sizes))
            except ValueError as error:
                if sizes == given:
                    raise
                shown_sizes = describe_sizes(resize(self.arguments, sizes))
                self.notes.append(f"not checked at {shown_sizes}: {error}")
                continue
            cases += found
            tried.append({name: argument.sizes for name, argument in resize(self.arguments, sizes).items()})
        if not cases:
            raise UserError(
                f"the derivative of {name_of(self.truth.of)} is not finite at any of the points tried: say what "
                "its arguments hold, as in x=5:positive"
            )
        flat = [case for point in cases for case in point]
        if not any(not case.point.hard for case in flat):
            self.notes.append("autodiff gives no finite derivative at random points, only at special ones")
        modes, agree = self._five_ways(
            [found for found in cases if found[0].sizes == given and not found[0].point.hard]
        )
        wrong = [case for case in flat if case.wrong]
        report = Report(
            hand=name_of(self.hand.function),
            of=name_of(self.truth.of),
            passed=not wrong and agree,
            shapes={case.name: case.want.shape for case in flat if case.sizes == given},
            error=_largest([case for case in flat if not case.point.hard], given),
            hard_error=_largest([case for case in flat if case.point.hard], given),
            modes=modes,
            points=len(cases),
            sizes=tried,
            notes=self.notes,
        )
        if not wrong:
            return report
        worst = max(wrong, key=lambda case: (not case.point.hard, case.sizes == given, case.error))
        diagnosis = self._diagnosis(cases, modes)
        found_example = smallest(self, wrong, diagnosis.kind) if example else None
        where = describe_place(worst)
        if worst.sizes != given:
            where += f"; right at the given sizes, wrong at {describe_sizes(resize(self.arguments, worst.sizes))}"
        return replace(report, where=where, diagnosis=diagnosis, counterexample=found_example)

    def _diagnosis(self, cases: Sequence[Sequence[Case]], modes: Mapping[str, float]) -> Diagnosis:
        if modes.get("differences", math.inf) <= DIFFERENCES_TOLERANCE < modes["jacrev"]:
            return Diagnosis(
                "unknown",
                "central differences agree with the formula, and autodiff does not: "
                f"{name_of(self.truth.of)} {OWN_RULE}",
            )
        try:
            return diagnose(cases, self.hand, self.truth)
        except (MemoryError, jax.errors.JaxRuntimeError):
            return Diagnosis("unknown", "there is not enough memory to look for the mistake: give smaller shapes")

    def case(self, point: Point, sizes: Mapping[int, int]) -> list[Case] | None:
        """The comparison at one point, for each argument of the derivative; None where autodiff has no answer."""
        output = self.truth.output(point.values)
        jacobians = self.truth.jacobians(point.values)
        if not all(np.all(np.isfinite(jacobian)) for jacobian in jacobians.values()):
            return None
        outputs = len(output.shape)
        vector = self.vector_at(point, output.shape)
        answers = self.hand.answers(point.values, vector)
        typical = self._typical_entries(sizes)
        found = []
        for name, jacobian in jacobians.items():
            want = shown(jacobian, outputs, self.form, vector)
            got = spread(answers[name], want, outputs) if self.form == "jacobian" else answers[name]
            scale = max(float(np.max(np.abs(want), initial=0)), typical[name])
            found.append(
                Case(
                    sizes,
                    point,
                    name,
                    got,
                    want,
                    jacobian,
                    outputs,
                    self.form,
                    vector,
                    scale,
                    elementwise=got is not answers[name],
                )
            )
        return [self._above_noise(case) if point.large and case.wrong else case for case in found]

    def _near(self, values: Values, step: float, rng: np.random.Generator) -> Values:
        """The same place, moved a little in the arguments of the derivative."""
        moved = dict(values)
        for name in self.wrt:
            x = values[name]
            moved[name] = x + step * np.maximum(1, np.abs(x)) * rng.choice([-1.0, 1.0], size=x.shape)
        return moved

    def vector_at(self, point: Point, output: tuple[int, ...]) -> Array | None:
        """The random vector of a product; None where the form is none."""
        if not self.hand.vector:
            return None
        shape = point.values[self.wrt[0]].shape if self.form == "jvp" else output
        rng = np.random.default_rng(self.seed + 1)
        if point.label == "whole numbers":
            return rng.integers(1, 4, size=shape).astype(float)
        return np.asarray(rng.normal(size=shape))

    def _points(self, sizes: Mapping[int, int]) -> Iterator[Point]:
        return points(np.random.default_rng(self.seed), resize(self.arguments, sizes), self.wrt, self.count)

    def _cases(self, sizes: Mapping[int, int]) -> Iterator[list[Case]]:
        for point in self._points(sizes):
            found = self.case(point, sizes)
            if found is None:
                continue
            if point.hard and any(case.wrong for case in found):
                found = [case._replace(kink=self._kink(case), limit=self._limit(case)) for case in found]
            yield found

    def _typical_entries(self, sizes: Mapping[int, int]) -> dict[str, float]:
        """The derivative's largest entry at random points: errors are relative to it where all entries vanish.

        The derivative in an argument without influence is nothing but rounding: it is measured by those in the
        others and by the function's value.
        """
        key = tuple(sizes.items())
        if key in self._typical:
            return self._typical[key]
        largest = dict.fromkeys(self.wrt, 0.0)
        value = 0.0
        for point in itertools.takewhile(lambda point: not point.hard, self._points(sizes)):
            output = self.truth.output(point.values).shape
            vector = self.vector_at(point, output)
            magnitude = self.truth.magnitude(point.values)
            value = max(value, magnitude) if np.isfinite(magnitude) else value
            for name, jacobian in self.truth.jacobians(point.values).items():
                entry = float(np.max(np.abs(shown(jacobian, len(output), self.form, vector)), initial=0))
                if np.isfinite(entry):
                    largest[name] = max(largest[name], entry)
        floor = 1e-4 * max(value, *largest.values())
        self._typical[key] = {name: max(entry, floor) or 1.0 for name, entry in largest.items()}
        return self._typical[key]

    def _above_noise(self, case: Case) -> Case:
        """Errors at large numbers are relative to what the last bit of these numbers does to the derivative, too.

        Where large terms cancel, autodiff's answer is rounding, and another order of the sums rounds otherwise.
        """
        rng = np.random.default_rng(self.seed)
        noise = 0.0
        for _ in range(3):
            values = dict(case.point.values)
            for name, value in values.items():
                if np.issubdtype(value.dtype, np.floating):
                    values[name] = value * (1 + 4 * EPSILON * rng.choice([-1.0, 1.0], size=value.shape))
            there = shown(self.truth.jacobians(values)[case.name], case.outputs, self.form, case.vector)
            noise = max(noise, float(np.max(np.abs(there - case.want), initial=0)))
        return case._replace(scale=max(case.scale, 10 * noise / HARD_TOLERANCE)) if np.isfinite(noise) else case

    def _kink(self, case: Case) -> bool:
        """Whether the derivative jumps at a point: it is different on its sides, however near."""
        rng = np.random.default_rng(self.seed)
        here = case.jacobian
        for _ in range(4):
            there = self.truth.jacobians(self._near(case.point.values, 1e-9, rng))[case.name]
            # A jump has nothing to do with the step; what moves smoothly moves by about the step.
            if relative_error(there, here, max(float(np.max(np.abs(here), initial=0)), case.scale)) > 1e-3:
                return True
        return False

    def _limit(self, case: Case) -> bool:
        """Whether the formula is right next to a point at which it is wrong."""
        point = case.point._replace(values=self._near(case.point.values, 1e-2, np.random.default_rng(self.seed)))
        found = self.case(point, case.sizes)
        return found is not None and all(near.error <= 1e-6 for near in found)

    def _five_ways(self, cases: Sequence[Sequence[Case]]) -> tuple[dict[str, float], bool]:
        """The largest error at these points against each way to differentiate, and whether all are accurate.

        A central difference across a kink is wrong, so it need be right at one of the random points only.
        """
        errors: list[dict[str, float]] = []
        for found in cases:
            rng = np.random.default_rng(self.seed + 2)
            ways = self.truth.five_ways(found[0].point.values, rng, found[0].vector, self.form)
            errors.append(mode_errors(found, ways))
        if not errors:
            return {}, True
        modes = {mode: max(row[mode] for row in errors) for mode in errors[0]}
        if "jacfwd" not in modes:
            self.notes.append(f"{name_of(self.truth.of)} has no forward mode, as jacfwd and JVP need it")
        modes["differences"] = min(row["differences"] for row in errors)
        wrong = [
            mode
            for mode, error in modes.items()
            if not error <= (DIFFERENCES_TOLERANCE if mode == "differences" else AUTODIFF_TOLERANCE)
        ]
        if wrong and modes["jacrev"] <= AUTODIFF_TOLERANCE:
            if wrong == ["differences"]:
                who = f"central differences disagree with autodiff: {name_of(self.truth.of)} {OWN_RULE}"
                self.notes.append(f"{who}, or varies too fast for them")
            else:
                others = ", ".join(wrong)
                self.notes.append(
                    f"autodiff disagrees with itself: the formula agrees with jacrev, but not with {others}"
                )
        return modes, not wrong


def _largest(cases: Sequence[Case], given: Mapping[int, int]) -> float:
    """The largest error at the given sizes, or at all if none is wrong there: at size 1 it may vanish."""
    here = [case for case in cases if case.sizes == given]
    chosen = here if any(case.wrong for case in here) else cases
    return max((case.error for case in chosen), default=0.0)
