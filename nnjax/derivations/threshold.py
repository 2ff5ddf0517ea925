"""Linear threshold neurons: which Boolean functions one neuron computes, with a proof either way.

A Boolean function of n inputs is a truth table of 2ⁿ values, row by row as one counts in binary: x1 is the
first digit, so the rows of two inputs are 00, 01, 10, 11.
"""

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import lcm
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray
from scipy.optimize import linprog

from nnjax.types import Scalar
from nnjax.validation import UserError

Table: TypeAlias = Sequence[int] | NDArray[Any]
Integers = NDArray[np.int64]

AND: Table = (0, 0, 0, 1)
OR: Table = (0, 1, 1, 1)
XOR: Table = (0, 1, 1, 0)


class Weights(NamedTuple):
    """A neuron that computes the function: it fires where ``wᵀx + b > 0``."""

    w: tuple[int, ...]
    b: int


class Certificate(NamedTuple):
    """A proof that no neuron does: how often each row's inequality is taken so that they contradict each other."""

    multipliers: tuple[int, ...]


Decision = Weights | Certificate


def threshold_neuron(x: Float[Array, " D"], w: Float[Array, " D"], b: Scalar) -> Bool[Array, ""]:
    """``y = [wᵀx + b > 0]``: the neuron fires on one side of a hyperplane, and not on it.

    Source: McCulloch and Pitts (1943), A logical calculus of the ideas immanent in nervous activity, Bulletin
    of Mathematical Biophysics 5.
    """
    return jnp.dot(w, x) + b > 0


def truth_table(f: Callable[..., object], n: int) -> tuple[int, ...]:
    """The truth table of ``f(x1, …, xn)``, whose inputs are 0 or 1.

    Raises:
        UserError: for a negative n.
    """
    return tuple(int(bool(f(*row))) for row in inputs(n).tolist())


def inputs(n: int) -> Integers:
    """All inputs of a Boolean function, ``[2ⁿ, n]``, in the order of the truth table.

    Raises:
        UserError: for a negative n.
    """
    if n < 0:
        raise UserError(f"n is {n}, and a function can't have fewer than 0 inputs")
    rows = list(itertools.product((0, 1), repeat=n))
    return np.array(rows, np.int64).reshape(2**n, n)


def separate(table: Table) -> Decision:
    """Integer weights of a neuron that computes the function, or a certificate that there is none.

    Weights must fulfil, for every row x, ``wᵀx + b > 0`` where the table says 1 and ``wᵀx + b ≤ 0`` where it
    says 0. There are finitely many rows, so weights can be scaled until "> 0" means "≥ 1", and the conditions
    are linear inequalities. By Farkas' lemma they have no solution if and only if there are multipliers λ ≥ 0,
    not all 0, with

    ``Σ_{x: 1} λ_x (x, 1) = Σ_{x: 0} λ_x (x, 1)``.

    One direction is plain: multiplied by λ and added up, the rows with 1 say that a sum is > 0, the rows with 0
    that the same sum is ≤ 0. So the convex hulls of the two sets of points meet. A linear program (HiGHS' dual
    simplex method) looks for λ with Σ_{x: 1} λ_x = 1, another for weights with the least Σ|w_i|. Solutions are
    made integers and verified exactly; which of both came out is therefore proved and not a matter of rounding.

    Args:
        table: 0 or 1 (or truth values) for each of the 2ⁿ rows.

    Raises:
        UserError: for a table whose length isn't a power of two, or with other entries.
        ArithmeticError: where rounding kept both programs from an answer that can be verified.

    Source: Farkas (1902), Theorie der einfachen Ungleichungen, Journal für die reine und angewandte Mathematik
    124; Minsky and Papert (1969), Perceptrons, MIT Press.
    """
    values = _check_table(table)
    rows = _rows(values)
    multipliers = _certify(values, rows)
    if multipliers is not None:
        return Certificate(multipliers)
    weights = _weigh(values, rows)
    if weights is None:
        raise ArithmeticError("the linear programs gave neither weights nor a certificate that can be verified")
    return weights


def holds(decision: Decision, table: Table) -> bool:
    """Whether the weights compute the function, or the certificate proves that none do, in exact integers.

    Raises:
        UserError: for a table that isn't one.
    """
    values = _check_table(table)
    rows = _rows(values)
    if isinstance(decision, Weights):
        return _computes([*decision.w, decision.b], values, rows)
    return _contradicts(decision.multipliers, values, rows)


def explain(decision: Decision, table: Table) -> str:
    """The decision in words: the neuron with what it computes row by row, or the inequalities that clash.

    Raises:
        UserError: for a decision that isn't right for this table.
    """
    if not holds(decision, table):
        raise UserError(f"{decision} is not right for the table {list(_check_table(table))}")
    values = _check_table(table)
    if isinstance(decision, Weights):
        return _neuron_in_words(decision, values, _rows(values))
    return _proof_in_words(decision, values, _rows(values))


def decide_all(n: int) -> list[Decision]:
    """The decision on each of the 2^(2ⁿ) Boolean functions of n inputs, every one verified.

    The place of a function in the list is its table read as a binary number, the first row as the first digit.
    2, 4, 14, 104 and 1882 of them are linearly separable for n = 0, 1, … 4 (OEIS A000609).

    Permuting inputs, negating inputs and negating the output turn separable functions into separable ones, and
    weights and certificates with them: `separate` decides one function of each class, of which there are 222
    for four inputs, and the decision is carried over to the others. With negated input i,
    ``w_i x_i = w_i − w_i (1 − x_i)``: w_i changes its sign and is added to b. With negated output,
    ``wᵀx + b ≤ 0`` becomes ``−wᵀx − b + 1 > 0`` in integers. Multipliers move along with their rows, since
    these maps are affine.

    Raises:
        UserError: for n above 4 (there are 2³² functions of 5 inputs) or below 0.
    """
    if not 0 <= n <= 4:
        raise UserError(f"n is {n}, and must be at least 0 and at most 4: there are 2^(2^n) functions")
    points = inputs(n)
    count = len(points)
    digits = 2 ** np.arange(count)[::-1]
    found: dict[int, Decision] = {}
    moves = [(p, mask) for p in itertools.permutations(range(n)) for mask in inputs(n)]
    # Row x of the new function is row sources[x] of the old one: its inputs permuted, then flipped by the mask.
    sources = [(points[:, list(p)] ^ mask) @ 2 ** np.arange(n)[::-1] for p, mask in moves]
    for code in range(2**count):
        if code in found:
            continue
        table = np.array([code >> place & 1 for place in range(count)][::-1])
        decision = separate(table)
        for (p, mask), source in zip(moves, sources, strict=True):
            for negated in (False, True):
                member = table[source] ^ negated
                number = int(member @ digits)
                if number not in found:
                    found[number] = _moved(decision, p, mask, source, negated)
                    if not holds(found[number], member):
                        raise ArithmeticError(f"{found[number]} is not right for the table {member.tolist()}")
    return [found[code] for code in range(2**count)]


def _moved(decision: Decision, p: Sequence[int], mask: Integers, source: Integers, negated: bool) -> Decision:
    if isinstance(decision, Certificate):
        return Certificate(tuple(decision.multipliers[row] for row in source))
    w, b = [0] * len(p), decision.b
    for old, new in enumerate(p):  # the old input is the new one, or its negation
        w[new] = -decision.w[old] if mask[old] else decision.w[old]
        b += decision.w[old] if mask[old] else 0
    return Weights(tuple(-v for v in w), 1 - b) if negated else Weights(tuple(w), b)


def _check_table(table: Table) -> Integers:
    values = np.asarray(table)
    if values.ndim != 1 or len(values).bit_count() != 1:
        raise UserError(f"the table has shape {values.shape}, and must be a list of 1, 2, 4, 8, … values")
    if values.dtype.kind not in "biuf" or not np.all((values == 0) | (values == 1)):
        raise UserError(f"the table is {values.tolist()}, and must hold nothing but 0 and 1")
    return values.astype(np.int64)


def _rows(values: Integers) -> Integers:
    """(x, 1) for every row, ``[2ⁿ, n + 1]``, so that wᵀx + b is one product."""
    points = inputs(len(values).bit_length() - 1)
    return np.concatenate([points, np.ones((len(points), 1), np.int64)], axis=1)


def _certify(values: Integers, rows: Integers) -> tuple[int, ...] | None:
    """Multipliers that prove that there are no weights, or None."""
    if values.min() == values.max():
        return None  # constant: b alone computes it
    signed = np.where(values[:, None] == 1, rows, -rows)
    result = linprog(
        np.ones(len(rows)),
        A_eq=np.vstack([signed.T, values]),
        b_eq=[0] * rows.shape[1] + [1],
        method="highs-ds",
    )
    if result.x is None:
        return None
    return _exact(result.x.tolist(), lambda numbers: _contradicts(numbers, values, rows))


def _weigh(values: Integers, rows: Integers) -> Weights | None:
    """Weights with the least Σ|w_i|, split as w = u − v with u, v ≥ 0, or None."""
    n = rows.shape[1] - 1
    signed = np.where(values[:, None] == 1, -rows, rows)  # −(wᵀx + b) ≤ −1, or wᵀx + b ≤ 0
    result = linprog(
        [1] * (2 * n) + [0],
        A_ub=np.hstack([signed[:, :n], -signed[:, :n], signed[:, n:]]),
        b_ub=-values,
        bounds=[(0, None)] * (2 * n) + [(None, None)],
        method="highs-ds",
    )
    if result.x is None:
        return None
    numbers = [*(result.x[:n] - result.x[n : 2 * n]), result.x[2 * n]]
    exact = _exact(numbers, lambda candidate: _computes(candidate, values, rows))
    return Weights(exact[:-1], exact[-1]) if exact else None


def _exact(numbers: Sequence[float], proves: Callable[[Sequence[int]], bool]) -> tuple[int, ...] | None:
    """The numbers as integers, up to a common factor, that prove what they should; None where they don't.

    The corners at which the simplex method ends are rational with small denominators here.
    """
    for limit in (1, 10, 100, 10_000, 1_000_000):
        fractions = [Fraction(float(number)).limit_denominator(limit) for number in numbers]
        factor = lcm(*(fraction.denominator for fraction in fractions))
        candidate = tuple(int(fraction * factor) for fraction in fractions)
        if proves(candidate):
            return candidate
    return None


def _computes(weights: Sequence[int], values: Integers, rows: Integers) -> bool:
    # dtype object: Python's integers, which don't overflow.
    return rows.shape[1] == len(weights) and bool(np.all((rows @ np.array(weights, object) > 0) == values))


def _contradicts(multipliers: Sequence[int], values: Integers, rows: Integers) -> bool:
    if len(multipliers) != len(rows) or min(multipliers) < 0 or max(multipliers) == 0:
        return False
    signed = np.where(values[:, None] == 1, rows, -rows)
    return not np.any(np.array(multipliers, object) @ signed)


def _neuron_in_words(weights: Weights, values: Integers, rows: Integers) -> str:
    numbers = [*weights.w, weights.b]
    formula = _sum(numbers, [f"x{i}" for i in range(1, len(numbers))] + [""])
    lines = [f"One neuron computes it: it fires where {formula} > 0."]
    for row, value in zip(rows, values, strict=True):
        total = _sum([int(row @ np.array(numbers, object))], [""])
        lines.append(f"  x = {_point(row)}: {total} {'> 0, so 1' if value else '≤ 0, so 0'}")
    return "\n".join(lines)


def _proof_in_words(certificate: Certificate, values: Integers, rows: Integers) -> str:
    weights = [f"w{i}" for i in range(1, rows.shape[1])]
    formula = " + ".join([f"{w}·x{w[1:]}" for w in weights] + ["b"])
    multipliers = np.array(certificate.multipliers, object)
    lines, totals = [], []
    for value, sign in ((1, "> 0"), (0, "≤ 0")):
        used = (multipliers > 0) & (values == value)
        for row, multiplier in zip(rows[used], multipliers[used], strict=True):
            times = f", taken {multiplier} times" if multiplier > 1 else ""
            lines.append((f"  x = {_point(row)}:  ", _sum(row.tolist(), [*weights, "b"]), f" {sign}{times}"))
        totals.append(_sum((multipliers[used] @ rows[used]).tolist(), [*weights, "b"]) + f" {sign}")
    width = max(len(middle) for _, middle, _ in lines)
    return "\n".join(
        [f"No neuron computes it. One that fires where {formula} > 0 needs"]
        + [start + middle.rjust(width) + end for start, middle, end in lines]
        + ["Added up, those with > 0 and those with ≤ 0 say of the same sum"]
        + [f"  {totals[0]}  and  {totals[1]},", "which can't both be."]
    )


def _sum(factors: Sequence[int], names: Sequence[str]) -> str:
    """ "w1 + 2·w2 − b": what has no factor is left out; a name "" stands for the number alone."""
    text = ""
    for factor, name in zip(factors, names, strict=True):
        if factor:
            sign = "−" if factor < 0 else "+"
            number = str(abs(factor)) if not name else name if abs(factor) == 1 else f"{abs(factor)}·{name}"
            text += f" {sign} {number}" if text else f"{'−' if factor < 0 else ''}{number}"
    return text or "0"


def _point(row: Integers) -> str:
    return "".join(str(digit) for digit in row[:-1]) or "()"
