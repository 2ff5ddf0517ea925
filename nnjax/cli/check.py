"""``nnjax check``: formulas worked out by hand, held against autodiff."""

import argparse
from collections.abc import Sequence

from nnjax.spelling import nearest
from nnjax.validation import UserError


def run_check_command(flags: Sequence[str]) -> int:
    """``nnjax check``: the exit code, 1 for a wrong formula."""
    parser = _check_parser()
    try:
        parsed, rest = parser.parse_known_args(flags)
    except argparse.ArgumentError as error:
        raise UserError(f"{error.argument_name} needs a value") from None
    for word in rest:
        if not word.startswith("-"):
            raise UserError(f"{word!r} is one word more than the formula's name")
        flag = word.partition("=")[0]
        raise UserError(f"there is no flag {flag}{nearest(flag, [f'--{name}' for name in vars(parsed)])}")
    given = {name: value for name, value in vars(parsed).items() if value is not None}
    for once in [name for name in ("of", "wrt", "form") if name in given]:
        first, *others = given[once]
        if others:
            raise UserError(f"--{once} is given {1 + len(others)} times, and must be given once")
        if not first:
            raise UserError(f"--{once} needs a value")
        given[once] = first
    if not given:
        from nnjax.gradcheck.command import run_all

        return run_all()
    for name, words in (
        ("formula", "name the formula to check first, as in my_formulas:jacobian"),
        ("of", "name the function that it is the derivative of, as in --of my_formulas:f"),
        ("shape", "give the shape of each argument, as in --shape z=5 --shape w=3,4"),
    ):
        if name not in given:
            raise UserError(f"{name if name == 'formula' else f'--{name}'} is missing: {words}")
    from nnjax.gradcheck.command import run_check

    wrt = given["wrt"].split(",") if "wrt" in given else None
    return run_check(given["formula"], given["of"], given["shape"], wrt, given.get("form", "jacobian"))


def _check_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nnjax check",
        usage="nnjax check [FORMULA --of FUNCTION --shape NAME=SIZES … [--wrt NAME] [--form FORM]]",
        description="Compare a derivative worked out by hand with autodiff, in float64, at random points and hard "
        "ones; where it is wrong, say which term. Without a formula, all of nnjax's own are checked.",
        epilog="Functions are named module:function or file.py:function; modules of this folder are found. "
        "Exit code: 0 where the formula is right, 1 where it is wrong, 2 for a mistake in the call.",
        allow_abbrev=False,
        exit_on_error=False,
    )
    parser.add_argument("formula", nargs="?", metavar="FORMULA", help="the derivative worked out by hand")
    parser.add_argument(
        "--of", action="append", metavar="FUNCTION", help="what it is the derivative of, written for JAX"
    )
    parser.add_argument(
        "--shape",
        action="append",
        metavar="NAME=SIZES",
        help="of each argument: z=5, w=3,4, b= for a scalar; after a colon what it holds, if not any (real) "
        "numbers: y=5:onehot, positive, probability, distribution, binary, labels10 for whole numbers below 10",
    )
    parser.add_argument(
        "--wrt", action="append", metavar="NAME", help="the argument that the derivative is in, if not the first"
    )
    parser.add_argument(
        "--form",
        action="append",
        metavar="FORM",
        help="what the formula returns: jacobian (the default), shaped output × input; jvp or vjp, a product with "
        "a vector, its last argument; rows or columns, one matrix with entries strung in that order",
    )
    return parser
