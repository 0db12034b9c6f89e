"""AsterDEX perpetual futures, version 3: its wire and nobody else's."""
