"""Statistics of a labelled result, under one name: ``nnjax.stats``."""

from nnjax.results.configs import best
from nnjax.results.intervals import Estimate, interquartile_mean, interval, paired_difference, summary, t_interval
from nnjax.results.runs import METRICS, SEEDS, Monitor, at_best, counted, measure_of, monitor_of, scores, seed_dims
from nnjax.results.settings import Overview, Setting, overview, rank, settings

__all__ = [
    "METRICS",
    "SEEDS",
    "Estimate",
    "Monitor",
    "Overview",
    "Setting",
    "at_best",
    "best",
    "counted",
    "interquartile_mean",
    "interval",
    "measure_of",
    "monitor_of",
    "overview",
    "paired_difference",
    "rank",
    "scores",
    "seed_dims",
    "settings",
    "summary",
    "t_interval",
]
