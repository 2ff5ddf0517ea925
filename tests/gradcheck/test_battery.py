"""Planted mistakes are flagged without exception and mostly named; right formulas raise no alarm."""

from collections import Counter

import jax
import numpy as np
import pytest

import battery
import mutations
from nnjax.gradcheck.arguments import parse_shapes, resize, sizes_of
from nnjax.gradcheck.autodiff import double_precision
from nnjax.gradcheck.catalogue import formulas
from nnjax.gradcheck.check import Check

MUTANTS = mutations.mutants()
SAMPLE = MUTANTS[::90]
RIGHT = 0.9


def named(outcome):
    """The classes that are right for a planted mistake that was flagged; none for one that has no name.

    The operator's class, and what the answer plainly is: dropping the first term of s − y is a dropped term, and
    dropping a minus sign may be a factor of −1 on the whole answer.
    """
    return {outcome.mutant.kind, outcome.effect} - {None} if outcome.status == "flagged" else set()


def test_mutation_list_is_broad():
    kinds = Counter(mutant.kind for mutant in MUTANTS)
    assert len(MUTANTS) >= 500
    named_classes = {
        "sign",
        "factor",
        "batch",
        "term",
        "transposed",
        "index",
        "order",
        "kink",
        "unstable",
        "shape",
    }
    assert set(kinds) == named_classes | {None}
    mutated = {(mutant.module.__name__, mutant.function) for mutant in MUTANTS}
    plain = {(f.hand.__module__, f.hand.__name__) for f in formulas() if "<locals>" not in f.hand.__qualname__}
    assert plain <= mutated, "every formula is in the battery"


def test_planted_mistakes_of_a_sample_are_flagged():
    outcomes = [battery.run(mutant) for mutant in SAMPLE]
    assert [outcome.mutant.name for outcome in outcomes if outcome.status == "missed"] == []
    judged = [(outcome, named(outcome)) for outcome in outcomes if named(outcome)]
    wrong = [f"{o.mutant.name}: {o.diagnosis}" for o, kinds in judged if o.diagnosis.kind not in kinds]
    assert len(wrong) <= len(judged) * 0.2, wrong  # few are judged here; the whole battery is slow


@pytest.mark.slow
def test_planted_mistakes_are_flagged_without_exception_and_named_rightly():
    outcomes = []
    for number, mutant in enumerate(MUTANTS):
        outcomes.append(battery.run(mutant))
        if number % 50 == 0:
            forget_programs()
    status = Counter(outcome.status for outcome in outcomes)
    assert status["missed"] == 0, [outcome.mutant.name for outcome in outcomes if outcome.status == "missed"]
    assert status["flagged"] >= 60
    judged = [(outcome, named(outcome)) for outcome in outcomes if named(outcome)]
    right = sum(outcome.diagnosis.kind in kinds for outcome, kinds in judged)
    print(status, f"{right} of {len(judged)} named rightly")
    assert right >= RIGHT * len(judged)


def test_an_unharmed_formula_is_not_flagged():
    """The battery's own machinery plants nothing where nothing is changed."""
    mutant = next(mutant for mutant in MUTANTS if mutant.function == "softmax_jacobian")
    source = "def softmax_jacobian(z):\n    s = softmax(z)\n    return jnp.diag(s) - jnp.outer(s, s)\n"
    assert battery.run(mutant._replace(source=source)).status == "equivalent"
    assert battery.run(mutant._replace(source=source.replace("-", "+"))).status == "flagged"
    assert battery.run(mutant._replace(source=source.replace("softmax(z)", "nothing(z)"))).status == "stillborn"


def forget_programs():
    """Each compiled program keeps memory mapped; some thousands of them, and XLA crashes."""
    battery.truth_of.cache_clear()
    jax.clear_caches()


@pytest.mark.parametrize("seed", [16, 19, 25])
def test_rounding_at_huge_numbers_raises_no_alarm(seed):
    """At these points the derivative is the rounding of terms of 1e8 that cancel, by hand and in autodiff."""
    shapes = ["x=3,2", "w1=2,5", "b1=5", "w2=5,4", "b2=4", "targets=3,4"]
    with double_precision():
        formula, truth = battery.truth_of("gelu → softmax → mse")
        assert Check(formula.hand, truth, parse_shapes(shapes), formula.form, seed).report().passed


NAMES = [formula.name for formula in formulas()]


@pytest.mark.parametrize("name", NAMES[::9])
def test_random_shapes_raise_no_alarm(name):
    check_random_shapes(name, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_random_shapes_raise_no_alarm(name):
    """The thousand are shared by the formulas."""
    check_random_shapes(name, -(-1000 // len(NAMES)))
    forget_programs()


def check_random_shapes(name, count):
    """No alarm at drawn sizes and points."""
    rng = np.random.default_rng(list(name.encode()))
    with double_precision():
        formula, truth = battery.truth_of(name)
        given = parse_shapes(formula.shapes)
        for _ in range(count):
            drawn = rng.permutation(np.arange(1, 9))
            sizes = {size: int(new) for size, new in zip(sizes_of(given), drawn, strict=False)}
            arguments = resize(given, sizes)
            report = Check(formula.hand, truth, arguments, formula.form, int(rng.integers(2**32))).report()
            shapes = ", ".join(f"{argument}={sizes}" for argument, sizes in arguments.items())
            assert report.passed, f"at {shapes}\n{report}"
            assert report.error <= 1e-12, f"at {shapes}"
