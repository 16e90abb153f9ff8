"""Runs in which every pair of values of the settings meets: a covering array."""

from bridge.ladders.covering.factors import Factor, factors_of
from bridge.ladders.covering.rows import Row, stored_rows

__all__ = ["Factor", "Row", "factors_of", "stored_rows"]
