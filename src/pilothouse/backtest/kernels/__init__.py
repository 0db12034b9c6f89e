"""Compiled loops over whole numbers: ticks, lots and units. Each has an oracle that it must equal to the unit."""
