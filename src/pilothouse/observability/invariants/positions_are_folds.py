"""Stored positions and wallets equal the fold of their entries: what is shown is what was booked."""

from pilothouse.kit.db import Tx
from pilothouse.observability.invariants.read_books import books
from pilothouse.observability.invariants.rule import FINDINGS_MAX, Finding, Gravity, Invariant, Looking

NAME = "positions_are_folds"


def check(tx: Tx, looking: Looking) -> list[Finding]:
    """Return every stored number that its entries do not explain."""
    return [
        Finding(NAME, Gravity.BREACH, words, whose.account_id, whose.owner_id, {"differences": str(len(found.drift))})
        for whose, found in books(tx, looking)
        for words in found.drift[:FINDINGS_MAX]
    ]


POSITIONS_ARE_FOLDS = Invariant(NAME, "Do stored positions and wallets equal the fold of their entries?", check)
