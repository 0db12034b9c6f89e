"""Strategies that come with the product, one in each file; `strategies/registry.py` lists them."""
