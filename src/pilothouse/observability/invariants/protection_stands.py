"""A position that was to have a stop has it at the venue, within seconds.

For some seconds more it is only told: the house may have been down, or its venue may not answer, and the stop is placed
as soon as it can be. What lasts a minute halts new exposure.
"""

from datetime import timedelta

from sqlalchemy import bindparam, select

from pilothouse.fleet.tables import protections
from pilothouse.kit.db import Tx
from pilothouse.observability.invariants.rule import FINDINGS_MAX, Finding, Gravity, Invariant, Looking

NAME = "protection_stands"
UNPROTECTED_AT_MOST = timedelta(seconds=5)
HALTS_AFTER = timedelta(seconds=60)

_NAKED = (
    select(
        protections.c.account_id,
        protections.c.owner_id,
        protections.c.symbol,
        protections.c.signal_id,
        protections.c.unprotected_since,
    )
    .where(protections.c.unprotected_since < bindparam("before"))
    .order_by(protections.c.unprotected_since)
    .limit(FINDINGS_MAX)
)


def check(tx: Tx, looking: Looking) -> list[Finding]:
    """Return positions that have been without the protection they should have for too long."""
    return [
        Finding(
            NAME,
            Gravity.BREACH if looking.now - row.unprotected_since > HALTS_AFTER else Gravity.LATE,
            f"the position in {row.symbol} has been without its protection for {seconds} s (alert {row.signal_id})",
            row.account_id,
            row.owner_id,
            {"symbol": row.symbol, "signal_id": row.signal_id, "seconds": seconds},
        )
        for row in tx.execute(_NAKED, {"before": looking.now - UNPROTECTED_AT_MOST})
        for seconds in [f"{(looking.now - row.unprotected_since).total_seconds():.0f}"]
    ]


PROTECTION_STANDS = Invariant(NAME, "Is every position protected as it should be, within five seconds?", check)
