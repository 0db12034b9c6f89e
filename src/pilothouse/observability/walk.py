"""A walk along the chains of the record: rows in, in the order in which they were added; what does not fit out.

Knows no database: rows come from a live one, from a copy, or from a test that spoiled them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pilothouse.core.clock import micros
from pilothouse.kit.chain import BEGUN, RecordRow, StoredHead, before_the_first, link

FAULTS_MAX = 20
"""So many faults of one chain are told; a person needs the first ones and their number."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not fit; `number`: the row it was seen at, None for the end of the chain."""

    chain: str
    number: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a chain once ended, as somebody outside of the database remembers it; `source`: who, in words."""

    chain: str
    number: int
    hash: str
    source: str


@dataclass(slots=True)
class ChainSeen:
    """One chain as it was walked: how many rows, where it ends, and what its first row says is missing in it."""

    chain: str
    rows: int = 0
    number: int = 0
    hash: str = ""
    note: str = ""
    began: datetime | None = None
    faults: list[Fault] = field(default_factory=list)
    faults_in_all: int = 0

    def fault(self, number: int | None, words: str) -> None:
        """Keep a fault; beyond the first ones, only their number."""
        self.faults_in_all += 1
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(Fault(self.chain, number, words))


class Walk:
    """Goes along all chains at once; `take` each row, then `end`."""

    def __init__(self, anchors: Sequence[Anchor] = ()) -> None:
        """Begin before the first row.

        anchors   what is remembered elsewhere: each is compared with the row of its number
        """
        self.chains: dict[str, ChainSeen] = {}
        self._anchors: dict[tuple[str, int], list[Anchor]] = {}
        for one in anchors:
            self._anchors.setdefault((one.chain, one.number), []).append(one)

    def take(self, row: RecordRow) -> None:
        """Look at one row."""
        seen = self._seen(row.chain)
        if row.number != seen.number + 1:
            seen.fault(row.number, f"row {row.number} comes where row {seen.number + 1} should be")
        elif row.hash != link(seen.hash, row.chain, row.number, micros(row.at), row.about, row.body):
            seen.fault(row.number, f"row {row.number} does not fit its hash and the row before it: one was changed")
        if row.number == 1:
            first = row.events()[:1]
            if not first or first[0][0] != BEGUN or not isinstance(first[0][1], dict):
                seen.fault(1, "the first row does not say that the record begins")
            else:
                seen.note, seen.began = str(first[0][1].get("note") or ""), row.at
        for anchor in self._anchors.pop((row.chain, row.number), ()):
            if anchor.hash != row.hash:
                seen.fault(row.number, f"row {row.number} is another one than {anchor.source} remembers")
        # From here on with what the row says of itself, so that one fault is told once.
        seen.rows, seen.number, seen.hash = seen.rows + 1, row.number, row.hash

    def wrong_ends(self, heads: Sequence[StoredHead]) -> list[Fault]:
        """Return which chains do not end where it is kept that they end."""
        found = []
        for head in heads:
            seen = self.chains.get(head.chain)
            number, end = (seen.number, seen.hash) if seen else (0, before_the_first(head.chain))
            if (number, end) != (head.number, head.hash):
                words = f"the rows end with {number} ({end[:12]})"
                words += f", the head that is kept says {head.number} ({head.hash[:12]})"
                found.append(Fault(head.chain, None, words))
        kept = {head.chain for head in heads}
        alone = [chain for chain in self.chains if chain not in kept]
        return found + [Fault(chain, None, "there are rows, and no head that is kept of them") for chain in alone]

    def _seen(self, chain: str) -> ChainSeen:
        seen = self.chains.get(chain)
        if seen is None:
            seen = self.chains[chain] = ChainSeen(chain, hash=before_the_first(chain))
        return seen

    def end(self, heads: Sequence[StoredHead]) -> dict[str, ChainSeen]:
        """Compare the ends with what is kept of them, and return every chain."""
        for fault in self.wrong_ends(heads):
            self._seen(fault.chain).fault(None, fault.words)
        for head in heads:
            self._seen(head.chain)
        for (chain, number), anchors in sorted(self._anchors.items()):
            source = anchors[0].source
            self._seen(chain).fault(
                None, f"{source} remembers row {number} ({anchors[0].hash[:12]}), which is not there"
            )
        return self.chains
