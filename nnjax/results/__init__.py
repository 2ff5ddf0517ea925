"""Labelled results, their files, statistics over the runs, and a network back from its results."""
