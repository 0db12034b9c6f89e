"""The rows of the record fit their hashes, and end where it is kept that they end.

Read twice over, as the books are. Who can change the record can change the books: until a person has looked, nothing
adds on the account whose record it is; a record of no account concerns its user, or the house. What was spoiled stays
spoiled, so a person who resumes is not halted for the same rows again, also not after a restart.
"""

from dataclasses import dataclass, field

from pilothouse.kit.chain import rows_behind, stored_heads
from pilothouse.kit.db import Tx
from pilothouse.observability.invariants.rule import FINDINGS_MAX, Finding, Gravity, Invariant, Looking
from pilothouse.observability.invariants.whose import accounts
from pilothouse.observability.walk import Fault, Walk

NAME = "record_is_whole"

_AT_ONCE = 1_000
_PATROL_SHARE = 10


@dataclass(slots=True)
class _Reading:
    """One way along all chains."""

    last_id: int = 0
    walk: Walk = field(default_factory=Walk)

    def go_on(self, tx: Tx, rows_most: int) -> bool:
        """Read a slice; returns whether the end was reached."""
        while rows_most > 0:
            most = min(rows_most, _AT_ONCE)
            rows = rows_behind(tx, self.last_id, most)
            for row in rows:
                self.walk.take(row)
                self.last_id = row.id
            if len(rows) < most:
                return True
            rows_most -= most
        return False

    def found(self, tx: Tx, *, at_end: bool) -> list[Fault]:
        """Return what does not fit so far, and at the end of the rows also whether they end where they should."""
        faults = [fault for seen in self.walk.chains.values() for fault in seen.faults]
        return [*faults, *(self.walk.wrong_ends(stored_heads(tx)) if at_end else ())]


@dataclass(slots=True)
class _Readings:
    head: _Reading = field(default_factory=_Reading)
    patrol: _Reading = field(default_factory=_Reading)
    found: dict[str, list[Fault]] = field(default_factory=dict)


def check(tx: Tx, looking: Looking) -> list[Finding]:
    """Return rows that were changed, taken away, swapped or added."""
    kept = looking.memory.keep(NAME, _Readings)
    at_end = kept.head.go_on(tx, looking.rows_most)
    kept.found["head"] = kept.head.found(tx, at_end=at_end)
    if kept.patrol.go_on(tx, looking.rows_most // _PATROL_SHARE + 1):
        kept.found["patrol"] = kept.patrol.found(tx, at_end=True)
        kept.patrol = _Reading()
    by_id = accounts(tx, looking)
    owners = {one.owner_id for one in by_id.values()}
    faults = dict.fromkeys(fault for faults in kept.found.values() for fault in faults)
    return [
        Finding(
            NAME,
            Gravity.BREACH,
            fault.words,
            fault.chain if fault.chain in by_id else None,
            by_id[fault.chain].owner_id if fault.chain in by_id else fault.chain if fault.chain in owners else None,
            {"chain": fault.chain, "row": str(fault.number)},
        )
        for fault in list(faults)[:FINDINGS_MAX]
    ]


RECORD_IS_WHOLE = Invariant(NAME, "Was nothing in the record changed or taken away?", check)
