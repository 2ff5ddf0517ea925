"""Networks in files of their own, which predict with NumPy alone: nothing here imports jax, xarray or pandas."""

from nnjax.saved.network import Saved, load

__all__ = ["Saved", "load"]
