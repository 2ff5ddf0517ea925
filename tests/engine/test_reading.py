"""What a shared program reads, against plain loops over batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnjax.engine.reading import layout, means, reading
from nnjax.training.epoch import norm_spacing
from nnjax.training.shared import ADDS, MEASURES, UPDATES

SIZES = {"rows": st.sampled_from([8, 16, 64]), "batch_size": st.integers(1, 200), "trained": st.integers(1, 300)}


def made(rows, batch_size, trained, evaluated):
    """The layout in a program with just enough room."""
    steps = -(-trained // batch_size)
    most = steps * -(-batch_size // rows) + -(-evaluated // rows)
    return layout(rows, most, min(batch_size, trained), trained, evaluated)


@given(**SIZES, evaluated=st.integers(1, 100))
def test_an_epoch_is_its_batches(rows, batch_size, trained, evaluated):
    found = made(rows, batch_size, trained, evaluated)
    read = reading(found, trained, None, 0, trained, trained + evaluated)  # an order would be compiled for each
    source = found.source[: found.parts]
    part = 0
    steps = -(-trained // batch_size)
    for step in range(steps):
        batch = np.arange(trained)[step * batch_size : (step + 1) * batch_size]
        seen = []
        while not seen or not found.does[part - 1] & UPDATES:
            here = source[part][source[part] < trained]
            assert found.does[part] & ADDS
            assert found.share[part] == np.float32(1 / len(batch))
            assert bool(found.does[part] & MEASURES) == (
                bool(found.does[part] & UPDATES) and step % norm_spacing(steps) == 0
            )
            seen += here.tolist()
            part += 1
        assert seen == batch.tolist()
    assert (found.does[part:] == 0).all()
    rest = source[part:].ravel()
    assert rest[rest < trained + evaluated].tolist() == list(range(trained, trained + evaluated))
    assert found.measured == -(-steps // norm_spacing(steps))
    flat = read.rows.ravel()
    assert sorted(flat[found.trained].tolist()) == list(range(trained))  # each once
    assert flat[found.evaluated].tolist() == list(range(trained, trained + evaluated))
    values = np.random.default_rng(1).normal(size=(*found.source.shape, 2)).astype(np.float32)
    weights = np.random.default_rng(2).integers(0, 2, found.source.shape).astype(np.float32)
    got = means({"plain": values, "weighted": (values[..., 0], weights)}, found.trained)
    chosen = values.reshape(-1, 2)[found.trained].astype(np.float64)
    of_each = weights.ravel()[found.trained].astype(np.float64)
    np.testing.assert_allclose(got["plain"], chosen.mean(0), rtol=1e-6, atol=1e-7)
    if of_each.any():
        np.testing.assert_allclose(
            got["weighted"], np.average(chosen[:, 0], weights=of_each), rtol=1e-6, atol=1e-7
        )
    else:
        assert np.isnan(got["weighted"])


def test_places_without_an_example_hold_none():
    found = layout(16, 9, 20, 50, 5)
    rows = reading(found, 50, 3, 2, 60, 99).rows
    assert (rows == 99).sum() == rows.size - 55
    assert rows[found.does == 0].min() >= 60
