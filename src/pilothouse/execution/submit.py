"""An intent becomes an order, or a denial with every reason, in the caller's one transaction.

What is committed with the decision is enough to go on after a crash: the order with its client id, SENDING and held
by this process if it will send at once, and the message that somebody else takes over when the hold has passed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Self

from pilothouse.accounts.trading_accounts import Mode, TradingAccount
from pilothouse.core.clock import Tick
from pilothouse.core.errors import Refused
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.halts import HaltKind
from pilothouse.core.ids import client_order_id
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.intent import OrderIntent
from pilothouse.core.order import OrderEvent, OrderState, Purpose, after
from pilothouse.core.quote import Quote
from pilothouse.core.risk import Allowed, Denial, Denied, Exposure, Together, check
from pilothouse.core.rounding import plain
from pilothouse.execution import account_store, halt_store, limit_sets, store
from pilothouse.execution.activity import lately
from pilothouse.execution.desk import Desk
from pilothouse.execution.lanes import Outgoing
from pilothouse.execution.limit_sets import Level
from pilothouse.execution.tell import told
from pilothouse.execution.together import opposing, together
from pilothouse.kit import outbox
from pilothouse.kit.chain import judgement
from pilothouse.kit.db import Tx
from pilothouse.venues.port import OrderRequest, VenueAccount

ORDER_TOPIC = "order"
"""Messages under this topic say: this order is not finished being sent, cancelled or asked about."""


class DeniedByRisk(Refused):
    """The risk gate said no; `reasons` has every code with its number and limit."""

    code = "risk_denied"

    def __init__(self, denied: Denied) -> None:
        """Keep the reasons."""
        super().__init__(str(denied))
        self.reasons = denied.reasons


class AccountDisarmed(Refused):
    """A live account that nobody has armed sends nothing."""

    code = "account_disarmed"


@dataclass(frozen=True, slots=True)
class Trader:
    """On whose behalf an order is made: owner, trading account and its venue.

    may_send   False: everything is decided and shown, nothing is sent
    is_live    whether it is real money, so that it is looked at once more right before the wire
    currency   in which results are settled
    """

    owner_id: str
    account_id: str
    venue: str
    may_send: bool = True
    is_live: bool = False
    currency: str = "USDT"

    @classmethod
    def of(cls, account: TradingAccount) -> Self:
        """Return on whose behalf orders of this account are made."""
        is_live = account.mode is Mode.LIVE
        return cls(account.owner_id, account.id, account.venue, account.may_send, is_live, account.currency)


@dataclass(frozen=True, slots=True)
class Basis:
    """What the gate is shown: prices and what the account holds, read in the same transaction.

    orders       live orders of the instrument
    equity       quote currency, open result in
    equity_at_midnight   from which the loss of the day counts, with what was paid in or out since
    high_water   from which the drawdown counts; None: nobody has looked yet
    held         (base signed, mark) of each instrument in which the account holds something
    """

    instrument: Instrument
    quote: Quote
    position: Decimal
    equity: Decimal
    equity_at_midnight: Decimal
    orders: tuple[store.OrderRecord, ...]
    high_water: Decimal | None = None
    held: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)


def submit(
    tx: Tx,
    desk: Desk,
    trader: Trader,
    intent: OrderIntent,
    basis: Basis,
    *,
    alert_at: datetime | None = None,
    waits: bool = False,
) -> store.OrderRecord:
    """Return the order made of `intent`; an order with the same key is returned as it is, never made again.

    waits   it sells coins that a stop locks: it is stored unsent, and leaves when the stop has let go

    Takes the caller's transaction, in which the account is locked; after its commit the order leaves.
    Raises AccountDisarmed, DeniedByRisk.
    """
    now = desk.clock.now()
    client_id = client_order_id(desk.house_key, trader.account_id, intent.key)
    standing = store.by_client_id(tx, trader.account_id, client_id)
    if standing is not None:
        return standing
    if not trader.may_send:
        raise AccountDisarmed("the account is not armed: nothing is sent until somebody arms it")
    warnings = ask_the_gate(tx, desk, trader, intent, basis, now)
    order = _new_order(desk, trader, intent, client_id, now)
    if waits:
        return _keep_unsent(tx, trader, intent, order, now, "waits until a stop lets go of the coins", warnings)
    doubted = _doubted(basis, now)
    if doubted is not None and not intent.purpose.protects and not intent.terms.reduce_only:
        why = f"waits until it is known what became of {doubted.id}"
        return _keep_unsent(tx, trader, intent, order, now, why, warnings)
    if not desk.writers.may_send(trader.venue, trader.account_id):
        why = "waits for the process that sends for this account"
        return _keep_unsent(tx, trader, intent, order, now, why, warnings)
    message_id, sendable_until = _keep_held(tx, desk, trader, intent, order, now, warnings)
    outgoing = Outgoing(
        order_id=order.id,
        signal_id=order.signal_id,
        message_id=message_id,
        venue=trader.venue,
        account=VenueAccount(trader.account_id, trader.owner_id),
        request=OrderRequest(client_id, intent.terms, now),
        sendable_until=sendable_until,
        until_tick=_tick_of(order),
        alert_at=alert_at,
        is_live=trader.is_live,
        protects=intent.purpose.protects,
    )
    if doubted is not None:  # what reduces is handed on all the same: whoever sends it looks whether it must wait
        tx.after_commit(lambda: desk.lanes.doubt((trader.account_id, intent.terms.symbol), is_so=True))
    tx.after_commit(lambda: desk.lanes.push(outgoing))
    return order


def submit_pair(
    tx: Tx, desk: Desk, trader: Trader, stop: OrderIntent, target: OrderIntent
) -> tuple[store.OrderRecord, store.OrderRecord]:
    """Return the orders made of a stop-loss and a take-profit that wait for the same coins: one request, or none.

    Takes the caller's transaction, in which the account is locked. Protection always passes the gate.
    Raises AccountDisarmed.
    """
    now = desk.clock.now()
    ids = [client_order_id(desk.house_key, trader.account_id, each.key) for each in (stop, target)]
    known = [store.by_client_id(tx, trader.account_id, each) for each in ids]
    if known[0] is not None and known[1] is not None:
        return known[0], known[1]
    assert known == [None, None], "both halves are made in one transaction"
    if not trader.may_send:
        raise AccountDisarmed("the account is not armed: nothing is sent until somebody arms it")
    halves = [
        replace(_new_order(desk, trader, each, mine, now), beside=other)
        for each, mine, other in ((stop, ids[0], ids[1]), (target, ids[1], ids[0]))
    ]
    if not desk.writers.may_send(trader.venue, trader.account_id):
        why = "waits for the process that sends for this account"
        first, second = (
            _keep_unsent(tx, trader, each, order, now, why, ())
            for each, order in zip((stop, target), halves, strict=True)
        )
        return first, second
    (message_id, until), (other_message, _) = (
        _keep_held(tx, desk, trader, each, order, now, ()) for each, order in zip((stop, target), halves, strict=True)
    )
    outgoing = Outgoing(
        order_id=halves[0].id,
        signal_id=halves[0].signal_id,
        message_id=message_id,
        venue=trader.venue,
        account=VenueAccount(trader.account_id, trader.owner_id),
        request=OrderRequest(ids[0], stop.terms, now, beside=OrderRequest(ids[1], target.terms, now)),
        sendable_until=until,
        until_tick=_tick_of(halves[0]),
        alert_at=None,
        is_live=trader.is_live,
        protects=True,
        beside=(halves[1].id, other_message),
    )
    tx.after_commit(lambda: desk.lanes.push(outgoing))
    return halves[0], halves[1]


def _tick_of(order: store.OrderRecord) -> Tick:
    assert order.until_tick is not None, "a new order is held by this process"
    return order.until_tick


def _keep_held(
    tx: Tx,
    desk: Desk,
    trader: Trader,
    intent: OrderIntent,
    order: store.OrderRecord,
    now: datetime,
    warnings: tuple[Denial, ...],
) -> tuple[str, datetime]:
    """Store an order that this process sends after the commit; return its message, and until when it holds it."""
    sendable_until = now + desk.patience.hand_off
    epoch = desk.writers.in_words(trader.venue, trader.account_id)
    store.add(tx, order)
    tx.record(trader.account_id, order.about, "ordered", _made(order, intent))
    store.note(
        tx,
        order,
        now,
        ("decide", OrderState.INTENDED, f"{intent.reason}; mark {plain(intent.decided_price)}"),
        *_warned(warnings),
        (OrderEvent.SEND, OrderState.SENDING, f"held by {desk.process}{epoch}"),
    )
    account_store.count_order(tx, trader.account_id, trader.owner_id, now)
    message_id = outbox.put(
        tx,
        ORDER_TOPIC,
        key=trader.account_id,
        payload={"order_id": order.id},
        lease=outbox.Lease(owner=desk.process, until=sendable_until),
        now=now,
    )
    assert message_id is not None, "a new order has no message yet"
    told(tx, order, now)
    return message_id, sendable_until


def _warned(warnings: tuple[Denial, ...]) -> list[tuple[str, OrderState, str]]:
    """Return lines for the timeline of an order that a person wanted to be warned of."""
    return [("warned", OrderState.INTENDED, f"{one.code}: {one.message}") for one in warnings]


def _doubted(basis: Basis, now: datetime) -> store.OrderRecord | None:
    """Return an order of the instrument of which nobody knows whether it arrived; what only protects is left out."""
    return next((one for one in basis.orders if not one.purpose.protects and one.is_doubted(now)), None)


def _keep_unsent(
    tx: Tx,
    trader: Trader,
    intent: OrderIntent,
    order: store.OrderRecord,
    now: datetime,
    why: str,
    warnings: tuple[Denial, ...],
) -> store.OrderRecord:
    """Store an order that leaves later, with the message that brings it there."""
    order = replace(order, state=OrderState.INTENDED, sent_at=None, sendable_until=None, until_tick=None)
    store.add(tx, order)
    tx.record(trader.account_id, order.about, "ordered", _made(order, intent))
    detail = f"{intent.reason}; mark {plain(intent.decided_price)}; {why}"
    store.note(tx, order, now, ("decide", order.state, detail), *_warned(warnings))
    account_store.count_order(tx, trader.account_id, trader.owner_id, now)
    outbox.put(tx, ORDER_TOPIC, key=trader.account_id, payload={"order_id": order.id}, now=now)
    told(tx, order, now)
    return order


def _made(order: store.OrderRecord, intent: OrderIntent) -> dict[str, object]:
    """Return what the record holds of a new order."""
    return {"order": order.id, "client_order_id": order.client_order_id, "at": order.created_at, "intent": intent}


def _new_order(desk: Desk, trader: Trader, intent: OrderIntent, client_id: str, now: datetime) -> store.OrderRecord:
    """Return the order as it is stored first: SENDING, held by this process."""
    return store.OrderRecord(
        id=desk.ids.fresh("ord"),
        owner_id=trader.owner_id,
        account_id=trader.account_id,
        hook_id=intent.hook_id,
        signal_id=intent.signal_id,
        client_order_id=client_id,
        venue_order_id=None,
        terms=intent.terms,
        purpose=intent.purpose,
        reason=intent.reason,
        state=after(OrderState.INTENDED, OrderEvent.SEND),
        filled_quantity=Decimal(0),
        filled_notional=Decimal(0),
        commission=Decimal(0),
        decided_price=intent.decided_price,
        outcome=None,
        cancel_asked_at=None,
        created_at=now,
        sent_at=now,
        sendable_until=now + desk.patience.hand_off,
        asked=0,
        updated_at=now,
        until_tick=desk.clock.tick().later(desk.patience.hand_off),
    )


def ask_the_gate(
    tx: Tx, desk: Desk, trader: Trader, intent: OrderIntent, basis: Basis, now: datetime, *, without: str | None = None
) -> tuple[Denial, ...]:
    """Return what a person wanted to be warned of; protection of a position always passes.

    without   id of an order that the intent changes: it does not count beside it
    Raises DeniedByRisk if a halt or a limit stands against the order.
    """
    terms = intent.terms
    if intent.purpose.protects:
        return ()
    if not _closes(intent):
        halt = halt_store.halted(tx, trader.account_id, trader.owner_id, intent.hook_id)
        if halt is not None and halt.kind.stops(terms, intent.purpose):
            whose = "the house" if halt.level is Level.HOUSE else f"the {halt.level}"
            kind = "" if halt.kind is HaltKind.NO_NEW_EXPOSURE else f" ({halt.kind.replace('_', ' ')})"
            reason = f"{whose} is halted{kind} since {halt.at:%Y-%m-%d %H:%M:%S} UTC by {halt.by}: {halt.reason}"
            raise DeniedByRisk(Denied((Denial(f"{halt.level}_halted", halt.id, "no halt", reason),)))
    limits = limit_sets.standing(tx, trader.owner_id, trader.account_id, intent.hook_id, now)
    seen = lately(
        tx,
        desk.day_sums,
        limits,
        terms,
        basis.held,
        owner_id=trader.owner_id,
        account_id=trader.account_id,
        hook_id=intent.hook_id,
        currency=trader.currency,
        now=now,
        without=without,
    )
    pending_buy, pending_sell = _pending(basis.orders)
    exposure = Exposure(
        position=basis.position,
        pending_buy=pending_buy,
        pending_sell=pending_sell,
        equity=basis.equity,
        equity_at_midnight=basis.equity_at_midnight,
        high_water=basis.high_water,
        elsewhere=seen.elsewhere,
        opposing=opposing(basis.orders, terms.side),
        done=seen.done,
        bot=seen.bot,
    )
    everybody: tuple[Together, ...] = ()
    if limits.together and not _closes(intent):
        everybody = together(
            tx, desk, limits, terms, exposure, closed=seen.closed, account_id=trader.account_id, now=now
        )
    verdict = check(
        terms,
        exposure,
        limits.stop,
        basis.instrument,
        basis.quote,
        now,
        warn=limits.warn,
        bot=limits.bot,
        bot_warn=limits.bot_warn,
        closes=_closes(intent),
        together=everybody,
    )
    _keep_judgement(tx, trader, intent, basis, exposure, limits, everybody, now, verdict)
    if isinstance(verdict, Denied):
        raise DeniedByRisk(verdict)
    for one in verdict.warnings:
        payload = {"code": "limit_warning", "about": one.code, "message": one.message, "symbol": terms.symbol}
        payload |= {"number": one.number, "limit": one.limit}
        tx.announce(Fact(FactKind.ALARM_RAISED, trader.owner_id, now, trader.account_id, payload))
    return verdict.warnings


def _keep_judgement(
    tx: Tx,
    trader: Trader,
    intent: OrderIntent,
    basis: Basis,
    exposure: Exposure,
    limits: limit_sets.Standing,
    everybody: tuple[Together, ...],
    now: datetime,
    verdict: Allowed | Denied,
) -> None:
    """Put into the record what the gate was asked and what it said, so that it can be asked again."""
    given: dict[str, object] = {
        "terms": intent.terms,
        "exposure": exposure,
        "limits": limits.stop.named(),
        "instrument": basis.instrument,
        "quote": basis.quote,
        "now": now,
        "closes": _closes(intent),
    }
    for name in ("warn", "bot", "bot_warn"):
        named = getattr(limits, name).named()
        given |= {name: named} if named else {}
    if everybody:
        given["together"] = [
            {"whose": one.whose, "exposure": one.exposure, "limits": one.limits.named(), "warn": one.warn.named()}
            for one in everybody
        ]
    judged = judgement("risk.check", intent.key, given, verdict)
    tx.record(trader.account_id, intent.signal_id or intent.key, "judged", judged)


def _closes(intent: OrderIntent) -> bool:
    return intent.purpose is Purpose.EXIT and intent.terms.reduce_only


def _pending(orders: tuple[store.OrderRecord, ...]) -> tuple[Decimal, Decimal]:
    """Return what is under way, bought and sold, that could open something; base."""
    bought = sold = Decimal(0)
    for order in orders:
        terms = order.terms
        if terms.reduce_only or order.purpose.protects:
            continue
        if terms.side is Side.BUY:
            bought += order.remaining_at_most
        else:
            sold += order.remaining_at_most
    return bought, sold
