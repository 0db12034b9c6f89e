"""Whether the record is whole: every row of every chain is read and summed again, and compared with what is kept of it.

In: a snapshot of the database, and heads that are remembered elsewhere. Out: each chain with its end and its faults.
Besides the hashes, the record is compared with the books: no order of an account is missing in it, and each stands as
its last note says. So a record that was cut together with its heads is found too, unless the books were cut alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from pilothouse.execution.tables import orders
from pilothouse.kit.chain import RecordRow, rows_behind, stored_heads
from pilothouse.kit.db import Tx
from pilothouse.observability.walk import Anchor, ChainSeen, Fault, Walk

_AT_ONCE = 2_000
_ORDERS = select(orders.c.id, orders.c.account_id, orders.c.state, orders.c.created_at).order_by(orders.c.id)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at the whole record found.

    chains    by account
    anchors   how many heads from elsewhere it was compared with
    orders    how many orders were compared with what the record says of them
    """

    chains: tuple[ChainSeen, ...]
    rows: int
    anchors: int
    orders: int

    @property
    def faults(self) -> list[Fault]:
        """Return what does not fit, chain by chain."""
        return [fault for chain in self.chains for fault in chain.faults]

    @property
    def ok(self) -> bool:
        """Say whether nothing was changed, taken away, swapped or added."""
        return not any(chain.faults_in_all for chain in self.chains)


def every_row(tx: Tx) -> Iterator[RecordRow]:
    """Yield every row of the record, as it was added."""
    last_id = 0
    while rows := rows_behind(tx, last_id, _AT_ONCE):
        yield from rows
        last_id = rows[-1].id


def verify(tx: Tx, anchors: Sequence[Anchor] = ()) -> Verified:
    """Read the whole record in one snapshot; takes about twenty seconds for a million rows."""
    walk = Walk(anchors)
    states: dict[str, tuple[str, str]] = {}
    for row in every_row(tx):
        walk.take(row)
        for event, said in row.events():
            _follow(states, row.chain, event, said)
    chains = walk.end(stored_heads(tx))
    compared = _compare(tx, chains, states)
    ordered = tuple(chains[name] for name in sorted(chains))
    return Verified(ordered, sum(one.rows for one in ordered), len(anchors), compared)


def _follow(states: dict[str, tuple[str, str]], chain: str, event: str, said: Any) -> None:
    """Keep where each order stands, as its notes say."""
    if event == "noted" and isinstance(said, dict):
        lines = said.get("lines")
        if isinstance(lines, list) and lines and isinstance(lines[-1], list) and len(lines[-1]) == 4:
            states[str(said.get("order"))] = (chain, str(lines[-1][2]))


def _compare(tx: Tx, chains: dict[str, ChainSeen], states: dict[str, tuple[str, str]]) -> int:
    """Compare orders with their notes; returns how many."""
    compared = 0
    for order in tx.execute(_ORDERS):
        seen = chains.get(order.account_id)
        noted = states.pop(order.id, None)
        if noted is None:
            if seen is None:
                seen = chains[order.account_id] = ChainSeen(order.account_id)
            # Of an older account the first row says that older orders are not in it.
            if not seen.note or (seen.began is not None and order.created_at > seen.began):
                seen.fault(None, f"order {order.id} is in the books, and the record does not know it")
            continue
        compared += 1
        if seen is not None and noted[1] != order.state:
            seen.fault(None, f"order {order.id} is {order.state} in the books, the record left it {noted[1]}")
    for order_id, (chain, _) in states.items():
        chains[chain].fault(None, f"order {order_id} is in the record, and the books do not know it")
    return compared
