"""Compiled loops over whole numbers: int64 ticks, lots and quote units in; trades, fills and equity out."""
