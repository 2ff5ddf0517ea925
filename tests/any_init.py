"""Any initialisation that is possible, for hypothesis."""

from hypothesis import strategies as st

from nnjax.nn.initializers import INITIALIZERS


@st.composite
def inits(draw):
    kind = draw(st.sampled_from(list(INITIALIZERS)))
    numbers = tuple(draw(st.lists(st.floats(0.125, 1e6), max_size=len(INITIALIZERS[kind].numbers))))
    if kind == "uniform":
        numbers = tuple(sorted(numbers))[:2] if len(numbers) == 2 else ()
    if kind == "lsuv":
        numbers = (*numbers[:1], *(number + 1 for number in numbers[1:]))
    return kind, numbers
