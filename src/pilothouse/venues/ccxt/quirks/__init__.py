"""What is particular about each exchange: one file for each, on top of what ccxt's common words say of all."""
