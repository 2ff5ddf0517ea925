"""Who says which runs are trained: a fixed sweep."""
