"""WHEN to be in the market. Pure: candles in, signals out."""
