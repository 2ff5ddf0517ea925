"""Letters for terminals that have fewer."""

from pathlib import Path

import pytest

from nnjax.cli import lookalikes

PACKAGE = Path(__file__).parent.parent.parent / "nnjax"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("−3.00 ± 0.50", "-3.00 +- 0.50"),
        ("2 × 3", "2 x 3"),
        ("θ, η, Δ, λ, σ, Σ", "theta, eta, Delta, lambda, sigma, Sigma"),
        ("f′ = x² + ½ sᵀ₂", "f' = x^2 + 1/2 s^T2"),
        ("‖Δθ‖ / ‖θ‖", "||Deltatheta|| / ||theta||"),
        ("x ≤ y → ∞", "x <= y -> inf"),
        ("ŷ é ü ß", "y e u ss"),
        ("10⁻⁷ µs", "10-^7 us"),
        ("日", "?"),
        ("\udc80", "?"),
    ],
)
def test_each_letter_has_its_likeness(text, plain):
    assert text.encode("ascii", lookalikes.NAME).decode() == plain


def test_what_a_terminal_has_stays():
    assert "± − é".encode("latin-1", lookalikes.NAME).decode("latin-1") == "± - é"


def test_every_letter_that_the_package_writes_has_one():
    letters = {letter for path in PACKAGE.rglob("*.py") for letter in path.read_text() if ord(letter) > 127}
    assert len(letters) > 30
    assert not [letter for letter in letters - {"日"} if "?" in lookalikes.lookalike(letter)]


def test_only_writing_is_mended():
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", lookalikes.NAME)
