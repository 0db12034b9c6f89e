"""Where a position lives: one slot for an instrument, or one for each side where an account is hedged."""

BOTH, LONG, SHORT = "BOTH", "LONG", "SHORT"
SIDES = (BOTH, LONG, SHORT)


def slot(symbol: str, side: str) -> str:
    """Return the name of the slot; that of a one-way position is the symbol itself."""
    return symbol if side == BOTH else f"{symbol}|{side}"


def symbol_of(key: str) -> str:
    """Return the instrument of a slot."""
    return key.partition("|")[0]


def side_of(key: str) -> str:
    """Return the side of a slot: BOTH, LONG or SHORT."""
    return key.partition("|")[2] or BOTH
