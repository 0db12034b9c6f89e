"""A simulated exchange on the wire: what Binance and AsterDEX answer, over the pure simulation."""
