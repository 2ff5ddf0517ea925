"""The page that a check prints, and its findings as data."""

from dataclasses import dataclass, field

from nnjax.gradcheck.arguments import Arguments
from nnjax.gradcheck.cases import Case, numbers, shape_words, worst_index
from nnjax.gradcheck.counterexample import Counterexample
from nnjax.gradcheck.hypotheses import Diagnosis
from nnjax.gradcheck.points import Values


@dataclass(frozen=True)
class Report:
    """What a check found; printed, it is the page that a user reads."""

    hand: str
    of: str
    passed: bool
    shapes: dict[str, tuple[int, ...]]
    """The shape of the derivative in each argument, at the given sizes."""
    error: float
    """The largest error at random points, relative to the largest entry of the derivative; at the given sizes, if
    the formula is wrong there."""
    hard_error: float
    """The largest error at the hard points."""
    modes: dict[str, float]
    """The largest error against jacfwd, jacrev, JVP, VJP and central differences, at random points."""
    points: int
    sizes: list[dict[str, tuple[int, ...]]]
    """The shapes of the arguments at which it was checked."""
    where: str = ""
    diagnosis: Diagnosis | None = None
    counterexample: Counterexample | None = None
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        verdict = "PASS" if self.passed else "FAIL"
        lines = [f"{verdict}  {self.hand} as the derivative of {self.of}"]
        lines += [f"  shape    in {name}: {shape_words(shape)}" for name, shape in self.shapes.items()]
        lines.append(
            f"  error    {self.error:.1e} at random points, {self.hard_error:.1e} at the hard ones (relative)"
        )
        lines.append("  against  " + ", ".join(f"{mode} {error:.1e}" for mode, error in self.modes.items()))
        sizes = "; ".join(
            " ".join(f"{name}={shape_words(shape)}" for name, shape in tried.items()) for tried in self.sizes
        )
        lines.append(f"  tried    {self.points} points at {sizes}")
        if self.where:
            lines.append(f"  where    {self.where}")
        if self.diagnosis:
            lines.append(f"  wrong    {self.diagnosis}")
        if self.counterexample:
            lines += [f"  {line}" for line in str(self.counterexample).splitlines()]
        return "\n".join([*lines, *(f"  note     {note}" for note in self.notes)])


def describe_place(case: Case) -> str:
    """The index and the point of the largest error."""
    sizes = _describe_values(case.point.values)
    if case.got.shape != case.want.shape:
        return f"in {case.name}: shape {shape_words(case.got.shape)}, and must be {shape_words(case.want.shape)}"
    index = worst_index(case)
    at = f"[{','.join(map(str, index))}]" if index else "the value"
    found = f"{case.got[index]:.8g}, and must be {case.want[index]:.8g}"
    return f"in {case.name}, {at}: {found} ({case.point.label}; {sizes})"


def _describe_values(values: Values) -> str:
    return ", ".join(
        f"{name} = {numbers(value)}" if value.size <= 8 else f"{name} of shape {shape_words(value.shape)}"
        for name, value in values.items()
    )


def describe_sizes(arguments: Arguments) -> str:
    """The shapes in one line."""
    return " ".join(f"{name}={shape_words(argument.sizes)}" for name, argument in arguments.items())
