"""What is wrong with a formula, over all points, sizes and arguments: the hypotheses in their order.

First what was done to the whole answer (`hypotheses`), then one line of the formula that mends everything, then
one part of the matrix, then one term that was left out of what autodiff computes (`terms`); and where nothing
explains it, what must be added.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nnjax.gradcheck import terms
from nnjax.gradcheck.autodiff import Truth
from nnjax.gradcheck.cases import Case
from nnjax.gradcheck.hand import Hand
from nnjax.gradcheck.hypotheses import Diagnosis, whole_answer_diagnosis


def diagnose(cases: Sequence[Sequence[Case]], hand: Hand, truth: Truth) -> Diagnosis:
    """The first diagnosis for each argument; a line of the formula that mends all of them goes before those.

    Args:
        cases: for each point, the case of every argument.
        hand: the formula, of which single lines are tried where JAX can trace it.
        truth: autodiff's derivatives, in whose programs the mistake is looked for.
    """
    wrt = truth.wrt
    by_name = {name: [case for point in cases for case in point if case.name == name] for name in wrt}
    bad = {name: found for name, found in by_name.items() if any(case.wrong for case in found)}
    whole = {name: whole_answer_diagnosis(found) for name, found in bad.items()}
    if all(whole.values()) and len({found.kind for found in whole.values() if found}) == 1:
        return _join({name: found for name, found in whole.items() if found}, len(wrt) > 1)

    random = [point for point in cases if not point[0].point.hard]
    # Sizes of one hide what belongs to which index.
    random = [point for point in random if all(size > 1 for size in point[0].sizes.values())] or random
    random = [[_with_vector(_broadcast(case), hand.vector) for case in point] for point in random]
    same_shape = bool(random) and all(case.got.shape == case.want.shape for point in random for case in point)
    if same_shape and hand.traceable and (found := terms.repair(hand.program, random)):
        return found

    rest = {
        name: whole[name] or terms.index_pattern([_broadcast(case) for case in found])
        for name, found in bad.items()
    }
    if same_shape and not any(rest.values()):
        for program in (truth.jacobians_of, truth.forward_jacobians_of):
            if found := terms.mistake(program, random):
                place = terms.where_missing(next(iter(bad.values())))
                return found._replace(sentence=found.sentence + place)
    return _join({name: found or terms.additive_term(bad[name]) for name, found in rest.items()}, len(wrt) > 1)


def _with_vector(case: Case, name: str) -> Case:
    """The vector of a product among the values: the formula's program takes it as one more argument."""
    if case.vector is None:
        return case
    return case._replace(point=case.point._replace(values={**case.point.values, name: case.vector}))


def _broadcast(case: Case) -> Case:
    """The answer repeated along axes that it lacks, as it would be where it is added to something."""
    try:
        return case._replace(got=np.broadcast_to(case.got, case.want.shape))
    except ValueError:
        return case


def _join(found: Mapping[str, Diagnosis], prefix: bool) -> Diagnosis:
    """One diagnosis for all arguments; each sentence once, and of those without a cause the shortest."""
    kind = next(iter(found.values())).kind
    by_sentence: dict[str, list[str]] = {}
    for name, diagnosis in found.items():
        by_sentence.setdefault(diagnosis.sentence, []).append(name)
    if all(diagnosis.kind == "unknown" for diagnosis in found.values()):
        by_sentence = {min(by_sentence, key=len): list(found)}
    if not prefix:
        return Diagnosis(kind, next(iter(by_sentence)))
    parts = (f"in the derivative in {', '.join(names)}: {sentence}" for sentence, names in by_sentence.items())
    return Diagnosis(kind, "; ".join(parts))
