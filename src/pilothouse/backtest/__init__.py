"""Runs over history: exact kernels and their oracle, what they measure, and how far a result can be trusted."""
