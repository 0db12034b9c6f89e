"""What the sender of an alert is told: its state, the order it made, and the position as it is now."""

from dataclasses import dataclass
from enum import StrEnum

from pilothouse.core.order import OrderState
from pilothouse.execution import store as orders_store
from pilothouse.execution.store import OrderRecord
from pilothouse.fleet import store
from pilothouse.fleet.store import SignalRecord, SignalState
from pilothouse.kit.db import Tx


class AnswerState(StrEnum):
    """What became of an alert, in one word."""

    FILLED = "filled"
    WORKING = "working"
    REJECTED = "rejected"
    NOOP = "noop"
    PENDING = "pending"
    REFUSED = "refused"


_OF_ORDER = {
    OrderState.INTENDED: AnswerState.PENDING,
    OrderState.SENDING: AnswerState.PENDING,
    OrderState.UNKNOWN: AnswerState.PENDING,
    OrderState.WORKING: AnswerState.WORKING,
    OrderState.PARTLY_FILLED: AnswerState.WORKING,
    OrderState.FILLED: AnswerState.FILLED,
    OrderState.CANCELED: AnswerState.REJECTED,
    OrderState.EXPIRED: AnswerState.REJECTED,
    OrderState.REJECTED: AnswerState.REJECTED,
}
_LEAST_FINISHED = (AnswerState.PENDING, AnswerState.WORKING, AnswerState.REJECTED, AnswerState.FILLED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """An alert with what it made.

    state    of several orders, that of the least finished one; protective orders belong to the position, not to it
    orders   oldest first, without protective ones
    protective   stop-losses and take-profits made for it, oldest first
    """

    signal: SignalRecord
    state: AnswerState
    message: str
    orders: tuple[OrderRecord, ...]
    protective: tuple[OrderRecord, ...]

    @property
    def success(self) -> bool:
        """Say whether it went as asked, so far as is known."""
        return self.state not in {AnswerState.REJECTED, AnswerState.REFUSED}

    @property
    def settled(self) -> bool:
        """Say whether waiting longer would change the answer soon.

        A venue may acknowledge an order that does not rest before it tells what it traded.
        """
        if self.state is AnswerState.WORKING:
            return all(order.terms.rests for order in self.orders if order_state(order) is AnswerState.WORKING)
        return self.state is not AnswerState.PENDING


def outcome_of(signal: SignalRecord, orders: list[OrderRecord]) -> Outcome:
    """Return what an alert has come to, given all the orders that carry its id."""
    made = tuple(order for order in orders if not order.purpose.protects)
    protective = tuple(order for order in orders if order.purpose.protects)
    state = _state(signal, made)
    return Outcome(signal, state, _message(signal, made, state), made, protective)


def read_outcome(tx: Tx, signal_id: str) -> Outcome:
    """Return what a stored alert has come to by now."""
    signal = store.get(tx, signal_id)
    assert signal is not None, "signals are never deleted"
    return outcome_of(signal, orders_store.of_signal(tx, signal_id))


def order_state(order: OrderRecord) -> AnswerState:
    """Return the state of one order, in the words of answers: what filled in part before it ended counts as filled."""
    state = _OF_ORDER[order.state]
    if state is AnswerState.REJECTED and order.filled_quantity > 0:
        return AnswerState.FILLED
    return state


def _state(signal: SignalRecord, made: tuple[OrderRecord, ...]) -> AnswerState:
    if signal.state is SignalState.REFUSED and not made:
        return AnswerState.REFUSED
    if signal.state in {SignalState.NOOP, SignalState.SUPERSEDED} and not made:
        return AnswerState.NOOP
    if signal.state in {SignalState.PENDING, SignalState.ACTIVE} or not made:
        return AnswerState.PENDING if signal.state is not SignalState.DECIDED else AnswerState.NOOP
    states = {order_state(order) for order in made}
    return next(state for state in _LEAST_FINISHED if state in states)


def _message(signal: SignalRecord, made: tuple[OrderRecord, ...], state: AnswerState) -> str:
    """Return one sentence that is true in this state."""
    symbol = signal.symbol or "the order"
    match state:
        case AnswerState.FILLED | AnswerState.NOOP | AnswerState.REFUSED:
            if state is AnswerState.FILLED and len(made) > 1:
                return f"Position flipped successfully for {symbol}"
            return signal.message
        case AnswerState.WORKING:
            return f"Order is working for {symbol}"
        case AnswerState.PENDING:
            return f"Alert is stored and being carried out for {symbol}: {signal.message}"
        case AnswerState.REJECTED:
            ended = next(order for order in made if order_state(order) is AnswerState.REJECTED)
            return f"Order {ended.state} for {symbol}: {ended.outcome or 'no reason was given'}"
