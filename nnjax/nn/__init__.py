"""A network's mathematics, for one example or one layer: activations, initialisers, losses, models, products."""
