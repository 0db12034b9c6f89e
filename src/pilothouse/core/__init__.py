"""THE LAW: money, orders, positions, risk. Pure: no I/O, no clock, no log."""
