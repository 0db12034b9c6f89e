"""Who hears what: each message of the outbox, what handles it, and how. All that happens later is listed here.

    topic               written by                      handled by
    order               execution/submit, settle        execution/pursue.pursue     asks or sends; touches the wire
    cancel              execution/cancel                execution/cancel.carry_out  touches the wire
    amend               execution/amend                 execution/amend_at_venue    touches the wire
    instrument.moved    execution/settle, give_up       fleet/drive.advance         one transaction
    alarm.raised        whoever sees something wrong    notifications/raising.take  one transaction
    invariant.broken    observability/watch             notifications/raising.take  one transaction
    account.halted      execution/limits                notifications/raising.take  one transaction
    account.resumed     execution/limits                notifications/raising.take  one transaction
    alarm.again         notifications/raising           notifications/raising.again one transaction
    alarm.tell          notifications/raising           notifications/deliver.turn  touches the network
    compute.backtest    backtest/asking                 wiring/compute.compute      asks a process beside the house

Alarms have threads of their own: a slow or dead address holds up no order. So has what computes.

The event stream hears every fact without being listed: it reads the record.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import AccountState, TradingAccount
from pilothouse.backtest.asking import BACKTEST_TOPIC
from pilothouse.backtest.pieces import PIECE_TOPIC, WHOLE_TOPIC
from pilothouse.core.facts import FactKind
from pilothouse.execution import amend_at_venue, cancel, pursue
from pilothouse.execution.amend import AMEND_TOPIC
from pilothouse.execution.cancel import CANCEL_TOPIC
from pilothouse.execution.tell import MOVED_TOPIC, ORDER_TOPIC
from pilothouse.execution.trader import Trader
from pilothouse.fleet import drive
from pilothouse.kit.db import Tx
from pilothouse.kit.outbox import Message, fact_in
from pilothouse.notifications import deliver, raising
from pilothouse.notifications.raising import AGAIN_TOPIC, TELL_TOPIC
from pilothouse.wiring.compute import compute, compute_piece, compute_whole
from pilothouse.wiring.house import House


@dataclass(frozen=True, slots=True)
class Wire:
    """A handler that speaks to a venue: it commits what it must by itself, and says when to come back (None: done)."""

    handle: Callable[[House, Message], timedelta | None]
    lease_for: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Record:
    """A handler that only touches the record: it is done in the transaction that forgets the message."""

    handle: Callable[[Tx, House, Message], None]
    lease_for: timedelta = timedelta(seconds=30)


Handler = Wire | Record


def trader_of(account: TradingAccount) -> Trader:
    """Return on whose behalf orders of this account are made."""
    return Trader.of(account)


def _venue_of(house: House, message: Message) -> str | None:
    """Return the venue that a message speaks to; None for an account that was removed: nobody can sign for it."""
    account = house.database.read(lambda tx: trading_accounts.by_id(tx, message.key))
    return account.venue if account.state is AccountState.ACTIVE else None


def _pursue(house: House, message: Message) -> timedelta | None:
    venue = _venue_of(house, message)
    return None if venue is None else pursue.pursue(house.desk, venue, message.payload["order_id"])


def _cancel(house: House, message: Message) -> timedelta | None:
    venue = _venue_of(house, message)
    return None if venue is None else cancel.carry_out(house.desk, venue, message.payload["order_id"])


def _amend(house: House, message: Message) -> timedelta | None:
    venue = _venue_of(house, message)
    return None if venue is None else amend_at_venue.carry_out(house.desk, venue, message.payload["order_id"])


def _advance(tx: Tx, house: House, message: Message) -> None:
    account = trading_accounts.by_id(tx, message.payload["account_id"])
    if account.state is AccountState.ACTIVE:
        drive.advance(tx, house.desk, trader_of(account), message.payload["symbol"], drive.HookBook())


def _alarmed(tx: Tx, house: House, message: Message) -> None:
    raising.take(tx, fact_in(message), message.id, house.post.addresses, house.clock.now())


def _again(tx: Tx, house: House, message: Message) -> None:
    raising.again(tx, message.payload["alarm_id"], house.post.addresses, house.clock.now())


def _tell(house: House, message: Message) -> timedelta | None:
    deliver.turn(house.database, house.clock, house.post, message.payload["address"], house.process)
    return None


_ALARMING = (FactKind.ALARM_RAISED, FactKind.INVARIANT_BROKEN, FactKind.ACCOUNT_HALTED, FactKind.ACCOUNT_RESUMED)

SUBSCRIPTIONS: Mapping[str, Handler] = MappingProxyType(
    {
        ORDER_TOPIC: Wire(_pursue),
        CANCEL_TOPIC: Wire(_cancel),
        AMEND_TOPIC: Wire(_amend),
        MOVED_TOPIC: Record(_advance),
        **{kind.value: Record(_alarmed) for kind in _ALARMING},
        AGAIN_TOPIC: Record(_again),
        TELL_TOPIC: Wire(_tell),
        BACKTEST_TOPIC: Wire(compute),
        PIECE_TOPIC: Wire(compute_piece),
        WHOLE_TOPIC: Wire(compute_whole),
    }
)

SENDING_TOPICS = (ORDER_TOPIC, CANCEL_TOPIC, AMEND_TOPIC)
"""What only the process that may send for the account can bring to its venue."""

TRADING_TOPICS = (*SENDING_TOPICS, MOVED_TOPIC)
ALARM_TOPICS = (*(kind.value for kind in _ALARMING), AGAIN_TOPIC)
"""What is written down of alarms; sending them out is TELL_TOPIC."""

COMPUTE_TOPICS = (BACKTEST_TOPIC, PIECE_TOPIC, WHOLE_TOPIC)
"""What may take minutes, beside the house."""

HEARD = frozenset(kind.value for kind in FactKind if kind.value in SUBSCRIPTIONS)
"""Facts for which a message is written with the change that made them true."""
