"""Instruments and quotes: what may be traded, and at which price it stands now."""
