"""Entries sum to zero, per posting and unit: no money appears from nowhere or goes there."""

from pilothouse.kit.db import Tx
from pilothouse.observability.invariants.read_books import books
from pilothouse.observability.invariants.rule import FINDINGS_MAX, Finding, Gravity, Invariant, Looking

NAME = "ledger_balances"


def check(tx: Tx, looking: Looking) -> list[Finding]:
    """Return the postings whose entries do not sum to zero."""
    return [
        Finding(
            NAME,
            Gravity.BREACH,
            f"the entries of {posting_id} do not sum to zero",
            whose.account_id,
            whose.owner_id,
            {"posting_id": posting_id, "postings": str(len(found.unbalanced))},
        )
        for whose, found in books(tx, looking)
        for posting_id in found.unbalanced[:FINDINGS_MAX]
    ]


LEDGER_BALANCES = Invariant(NAME, "Do the entries of every posting sum to zero, in each unit?", check)
