"""Take in what came of a request for an order: one of three answers in; its state and a line of the record out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pilothouse.execution import settle, store
from pilothouse.execution.desk import Desk
from pilothouse.kit.db import Tx
from pilothouse.kit.wire_tape import Exchange
from pilothouse.venues.port import Accepted, OrderRequest, PlaceOutcome, Rejected, Unknown


@dataclass(frozen=True, slots=True)
class Sent:
    """What the record holds of one request: what was asked of the venue, when, and which of three answers came.

    handed_at   right before the wire was touched
    answer      Accepted, Rejected or Unknown; what it says in particular stands beside it
    wire        what went over the wire for it, where the venue is one over a wire; orders sent together share it
    """

    order: str
    request: OrderRequest
    handed_at: datetime
    answered_at: datetime
    answer: str
    wire: Sequence[Exchange] = ()


def take_in(tx: Tx, desk: Desk, order_id: str, outcome: PlaceOutcome, ended: settle.Ended) -> store.OrderRecord:
    """Settle which of the three answers came; returns the order as it is then."""
    match outcome:
        case Accepted(report):
            return settle.reported(tx, desk, order_id, report)
        case Rejected(code, message, may_be_repeated=True):
            return settle.put_off(tx, desk, order_id, f"{code}: {message}", held_until=ended.held_until)
        case Rejected():
            return settle.rejected(tx, desk, order_id, outcome)
        case Unknown(reason):
            return settle.lost(tx, desk, order_id, reason, ended=ended)


def record_other_half(tx: Tx, account_id: str, signal_id: str | None, order_id: str, sent: Sent) -> None:
    """Tell the record that the other half of a pair went by the same request."""
    assert sent.request.beside is not None, "only a pair has another half"
    its = replace(sent, order=order_id, request=sent.request.beside)
    tx.record(account_id, signal_id or order_id, "sent", its)


def of_other_half(outcome: PlaceOutcome) -> PlaceOutcome:
    """Return what a request for a pair says of its other half: the same, or that it is to be asked for."""
    if not isinstance(outcome, Accepted):
        return outcome
    return Accepted(outcome.beside) if outcome.beside is not None else Unknown("the venue told of its other half only")
