"""One turn of the protection of one position: what it works with, and how an order of it is made, kept and told.

In: a record and what is there. Out: orders under keys that no other has, parts that the house keeps, alarms.
"""

from dataclasses import dataclass
from datetime import datetime

from pilothouse.bots.follow import Planned
from pilothouse.bots.ladder import Progress
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.intent import OrderIntent
from pilothouse.core.order import OrderState, OrderTerms, OrderType
from pilothouse.execution.desk import Desk
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.submit import submit
from pilothouse.execution.trader import Trader
from pilothouse.fleet import protections
from pilothouse.fleet.protections import Made, Policy, ProtectionRecord, Then
from pilothouse.fleet.scene import Scene
from pilothouse.kit.db import Tx

REFUSALS_MAX = 3
"""So many refused orders in one place in a row, and another way is taken."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the protection of one position works with."""

    tx: Tx
    desk: Desk
    trader: Trader
    record: ProtectionRecord
    made: Made
    progress: Progress
    now: datetime


def keep_here(turn: Turn, place: str) -> None:
    """Let the house watch and trigger one part of the protection, because the venue does not take it."""
    current = protections.of(turn.tx, turn.record.account_id, turn.record.symbol)
    kept = (current.kept_here if current else turn.record.kept_here) | {place}
    protections.change(turn.tx, turn.record, turn.now, kept_here=kept)


def make(turn: Turn, scene: Scene, place: str, planned: Planned, *, waits: bool = False) -> Scene:
    """Make one order of the protection, under a key that no other has."""
    record, number = turn.record, number_of_next(turn)
    intent = intent_of(turn, scene, place, planned, number)
    order = submit(turn.tx, turn.desk, turn.trader, intent, scene.basis(), waits=waits)
    protections.change(turn.tx, record, turn.now, placed=number + 1)
    protections.note_order(turn.tx, record, order, place)
    return scene.with_order(order, place)


def number_of_next(turn: Turn) -> int:
    """Return how many orders were made for the protection: the number of the next one."""
    current = protections.of(turn.tx, turn.record.account_id, turn.record.symbol)
    return current.placed if current else turn.record.placed


def intent_of(turn: Turn, scene: Scene, place: str, planned: Planned, number: int) -> OrderIntent:
    """Return what an order of a protection is made of; `number`: how many were made for it before."""
    record = turn.record
    return OrderIntent(
        key=f"{record.id}:{place}:{number}",
        terms=planned.terms,
        purpose=planned.purpose,
        decided_price=scene.view.quote.mark,
        reason=planned.reason,
        signal_id=record.signal_id,
        hook_id=record.hook_id,
    )


def refused_in_a_row(orders: list[OrderRecord], terms: OrderTerms) -> list[OrderRecord]:
    """Return the latest orders of one place and form that the venue refused, up to one that it took, oldest first."""
    refused: list[OrderRecord] = []
    for order in reversed([one for one in orders if _form(one.terms) == _form(terms)]):
        if order.state is not OrderState.REJECTED:
            break
        refused.append(order)
    return refused[::-1]


def _form(terms: OrderTerms) -> tuple[OrderType, bool, bool]:
    """Return in which form an order is asked for: a refusal of one says nothing of another."""
    begins_later = terms.trail_percent is not None and terms.stop_price is not None
    return terms.type, terms.whole_position, begins_later


def policy_of(tx: Tx, desk: Desk, account_id: str) -> Policy:
    """Return what an account wants done with a position that cannot be protected."""
    return protections.policy_of(tx, account_id) or Policy(desk.protect_within_s, Then(desk.when_unprotected))


def whose(record: ProtectionRecord) -> dict[str, str]:
    """Return which alert a protection came with, for facts; nothing where a person asked for it."""
    return {"signal_id": record.signal_id} if record.signal_id else {}


def alarm(tx: Tx, trader: Trader, now: datetime, code: str, message: str, detail: dict[str, str] | None = None) -> None:
    """Tell that a person should look."""
    payload = {"code": code, "message": message, **(detail or {})}
    tx.announce(Fact(FactKind.ALARM_RAISED, trader.owner_id, now, trader.account_id, payload))
