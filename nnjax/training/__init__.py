"""ONE run: its start, a step, an epoch, its evaluation. Nothing here knows that there are other runs.

Every function is pure and can stand in somebody's own `jax.jit`, `lax.scan` or `jax.vmap`. What fixes the
compiled program is a `Structure`, closed over; what may differ between runs of one program is an array, in
`Hyperparameters`. `nnjax.training.structure` makes both from a configuration.
"""
