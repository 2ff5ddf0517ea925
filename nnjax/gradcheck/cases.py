"""A case: the hand-made answer beside the right one, at one point and for one argument of the Jacobian."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nnjax.gradcheck.autodiff import Array, FiveWays
from nnjax.gradcheck.points import Point

FORMS = {
    "jacobian": "∂of/∂a, of shape (shape of output) × (shape of a); or f′ alone, shaped as a, of an elementwise f",
    "jvp": "the product J·v with a vector of the argument's shape, which the formula takes as one more argument",
    "vjp": "the product v·J with a vector of the output's shape, which the formula takes as one more argument",
    "rows": "the matrix ∂vec(of)/∂vec(a) with entries strung by rows",
    "columns": "the matrix ∂vec(of)/∂vec(a) with entries strung by columns",
}

RANDOM_TOLERANCE = 1e-10
HARD_TOLERANCE = 1e-7  # sums of large terms that cancel are rounded by more than their result is worth


class Case(NamedTuple):
    """What is compared, and what is known about the place."""

    sizes: Mapping[int, int]  # the sizes given by the user → the sizes of this case
    point: Point
    name: str  # of the argument of the Jacobian
    got: Array  # the hand-made answer; an elementwise derivative is spread on the diagonal
    want: Array  # autodiff's, in the same form
    jacobian: Array  # autodiff's, of shape output × argument
    outputs: int  # how many of its axes are the output's
    form: str
    vector: Array | None
    scale: float  # what an error is relative to
    kink: bool = False  # the derivative jumps here
    limit: bool = False  # right next to here the hand-made answer is right
    elementwise: bool = False  # the answer was spread on the diagonal

    @property
    def tolerance(self) -> float:
        """The largest error of a right formula."""
        return HARD_TOLERANCE if self.point.hard else RANDOM_TOLERANCE

    @property
    def error(self) -> float:
        """The largest difference, relative to the scale."""
        return relative_error(self.got, self.want, self.scale)

    @property
    def wrong(self) -> bool:
        """Whether the hand-made answer is wrong here; NaN is."""
        return not self.error <= self.tolerance

    def agrees(self, candidate: Array, want: Array | None = None) -> bool:
        """Whether another answer would be right here."""
        return relative_error(candidate, self.want if want is None else want, self.scale) <= 1e-8


def shown(jacobian: Array, outputs: int, form: str, vector: Array | None) -> Array:
    """A Jacobian in one of the `FORMS`."""
    if form in ("rows", "columns"):
        rows = math.prod(jacobian.shape[:outputs])
        return string(jacobian, outputs, form, form).reshape(rows, -1)
    if form == "jvp" and vector is not None:
        return np.tensordot(jacobian, vector, jacobian.ndim - outputs)
    if form == "vjp" and vector is not None:
        return np.tensordot(vector, jacobian, outputs)
    return jacobian


def string(jacobian: Array, outputs: int, output_order: str, input_order: str) -> Array:
    """∂vec(y)/∂vec(x) from ∂y/∂x, the entries of y and of x strung by rows or by columns."""
    left = list(range(outputs))
    right = list(range(outputs, jacobian.ndim))
    axes = (left if output_order == "rows" else left[::-1]) + (right if input_order == "rows" else right[::-1])
    return jacobian.transpose(axes).reshape(math.prod(jacobian.shape[:outputs]), -1)


def spread(got: Array, want: Array, outputs: int) -> Array:
    """An elementwise derivative as the Jacobian it stands for, zero off the diagonal; anything else as it is."""
    inputs = want.shape[outputs:]
    if got.ndim and got.shape == inputs == want.shape[:outputs]:
        return np.asarray(np.diag(got.ravel())).reshape(want.shape)
    return got


def relative_error(got: Array, want: Array, scale: float) -> float:
    """The largest difference over the scale; infinite for other shapes, and for NaN where a number belongs."""
    if got.shape != want.shape:
        return math.inf
    if not want.size:
        return 0.0
    with np.errstate(invalid="ignore"):
        difference = np.where(got == want, 0.0, np.abs(got - want))
    largest = float(np.max(difference))
    return math.inf if math.isnan(largest) else largest / scale


def worst_index(case: Case) -> tuple[int, ...]:
    """Where the largest difference is."""
    with np.errstate(invalid="ignore"):
        difference = np.where(case.got == case.want, 0.0, np.abs(case.got - case.want))
    index = np.unravel_index(np.argmax(np.where(np.isnan(difference), np.inf, difference)), difference.shape)
    return tuple(int(i) for i in index)


def shape_words(shape: tuple[int, ...]) -> str:
    """A shape for reading: 3×4, or scalar."""
    return "×".join(map(str, shape)) if shape else "scalar"


def numbers(array: Any) -> str:
    """An array in one line, its beginning when it is long."""
    array = np.asarray(array)
    if array.size > 24:
        array = array.ravel()[:6]
        return np.array2string(array, precision=5, separator=", ").replace("\n", "")[:-1] + ", …]"
    text = np.array2string(array, precision=5, separator=", ", suppress_small=False)
    return " ".join(text.split())


def mode_errors(found: Sequence[Case], ways: FiveWays) -> dict[str, float]:
    """The largest relative error of the answers at one point against each way to differentiate."""

    def largest(jacobians: Mapping[str, Array]) -> float:
        return max(
            relative_error(case.got, shown(jacobians[case.name], case.outputs, case.form, case.vector), case.scale)
            for case in found
        )

    errors = {"jacfwd": largest(ways.jacfwd)} if ways.jacfwd is not None else {}
    errors["jacrev"] = largest(ways.jacrev)
    if any(case.got.shape != case.want.shape for case in found):
        products = ("JVP", "VJP") if ways.jvp is not None else ("VJP",)
        return errors | dict.fromkeys((*products, "differences"), math.inf)
    case = found[0]
    if case.form == "jvp":  # for one v only: uᵀ(J v) must be (uᵀJ) v
        product = np.sum(ways.vjp[case.name] * case.vector)
        if ways.jvp is not None:
            errors["JVP"] = relative_error(case.got, ways.jvp, case.scale)
        errors["VJP"] = _apart(np.sum(ways.cotangent * case.got), product, ways.cotangent, case)
    elif case.form == "vjp":
        tangent = ways.tangent[case.name]
        if ways.jvp is not None:
            errors["JVP"] = _apart(np.sum(case.got * tangent), np.sum(case.vector * ways.jvp), tangent, case)
        errors["VJP"] = relative_error(case.got, ways.vjp[case.name], case.scale)
    else:
        full = {case.name: case.got if case.form == "jacobian" else _unstring(case) for case in found}
        if ways.jvp is not None:
            along = [np.tensordot(full[name], t, t.ndim) for name, t in ways.tangent.items()]
            tangents = np.concatenate([t.ravel() for t in ways.tangent.values()])
            errors["JVP"] = _apart(sum(along), ways.jvp, tangents, case)
        errors["VJP"] = max(
            _apart(
                np.tensordot(ways.cotangent, full[case.name], case.outputs),
                ways.vjp[case.name],
                ways.cotangent,
                case,
            )
            for case in found
        )
    return errors | {"differences": min(largest(differences) for differences in ways.differences)}


def _apart(left: Any, right: Any, vector: Array, case: Case) -> float:
    return float(np.max(np.abs(left - right), initial=0)) / (case.scale * max(float(np.sum(np.abs(vector))), 1.0))


def _unstring(case: Case) -> Array:
    """A matrix with strung entries back in the shape of output × argument."""
    places = np.arange(case.jacobian.size, dtype=float).reshape(case.jacobian.shape)
    order = shown(places, case.outputs, case.form, None).ravel().astype(int)
    flat = np.empty(case.jacobian.size)
    flat[order] = case.got.ravel()
    return flat.reshape(case.jacobian.shape)
