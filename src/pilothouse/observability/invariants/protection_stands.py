"""A position that was to have a stop has it at the venue, within the seconds that its account allows.

For some seconds more it is only told: the house may have been down, or its venue may not answer, and the stop is placed
as soon as it can be. What lasts a minute halts new exposure.
"""

from datetime import timedelta

from pilothouse.core.instrument import Side
from pilothouse.execution import store
from pilothouse.fleet import protections
from pilothouse.fleet.protections import ProtectionRecord
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions
from pilothouse.observability.invariants.rule import FINDINGS_MAX, Finding, Gravity, Invariant, Looking

NAME = "protection_stands"
HALTS_AFTER = timedelta(seconds=60)


def check(tx: Tx, looking: Looking) -> list[Finding]:
    """Return positions that have been without the protection they should have for too long."""
    found = []
    for record in (*protections.every(tx), *protections.every_awaited(tx)):
        naked = _naked_for(tx, record, looking)
        policy = protections.policy_of(tx, record.account_id)
        most = timedelta(seconds=policy.within_s) if policy else looking.protect_within
        if naked > most:
            found.append(_finding(record, naked))
    return found[:FINDINGS_MAX]


def _naked_for(tx: Tx, record: ProtectionRecord, looking: Looking) -> timedelta:
    """Return for how long a position is without its protection, also where nobody ever looked; zero if it is not.

    While the entry that a protection came with is on its way, the protection belongs to no position yet: it may turn
    out to be another one than what is held now. Who decided that entry looked at what is held, and noted what it lacks.
    """
    if record.unprotected_since is not None or record.position_opened is not None:
        return record.naked_for(looking.now, looking.tick)
    on_their_way = store.on_their_way(tx, record.account_id, record.symbol)
    if record.signal_id and any(one.signal_id == record.signal_id and not one.terms.rests for one in on_their_way):
        return timedelta(0)
    held = positions.position(tx, record.account_id, record.symbol).quantity
    opened = positions.opened(tx, record.account_id, record.symbol)
    if held == 0 or opened is None or Side.of(held) is not record.protection.side:
        return timedelta(0)
    return record.wanted_for(opened, looking.now, looking.tick)


def _finding(record: ProtectionRecord, naked: timedelta) -> Finding:
    seconds, signal_id = f"{naked.total_seconds():.0f}", record.signal_id or ""
    whose = f"alert {signal_id}" if signal_id else f"asked for by {record.asked_by}"
    return Finding(
        NAME,
        Gravity.BREACH if naked > HALTS_AFTER else Gravity.LATE,
        f"the position in {record.symbol} has been without its protection for {seconds} s ({whose})",
        record.account_id,
        record.owner_id,
        {"symbol": record.symbol, "signal_id": signal_id, "seconds": seconds},
    )


PROTECTION_STANDS = Invariant(NAME, "Is every position protected as it should be, within its account's seconds?", check)
