"""Records as /api/v1 shows them: a record goes in, plain data comes out. The shapes are told in `shapes.py`."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pilothouse.accounts import setups, trading_accounts, venue_keys
from pilothouse.accounts.hooks import Expects, Hook
from pilothouse.accounts.tokens import Token
from pilothouse.accounts.trading_accounts import AccountState, Mode, TradingAccount
from pilothouse.api.wire import average_price
from pilothouse.core.instrument import Instrument
from pilothouse.core.order import OrderState
from pilothouse.core.quote import Quote
from pilothouse.execution import halt_store, hearing
from pilothouse.execution.halt_store import Halt
from pilothouse.execution.hearing import Hearing
from pilothouse.execution.portfolio import BalanceView, PositionView
from pilothouse.execution.store import OrderEventRecord, OrderRecord
from pilothouse.fleet.answer import outcome_of
from pilothouse.fleet.protect import Standing
from pilothouse.fleet.store import SignalRecord, signal_data
from pilothouse.kit.db import Tx
from pilothouse.wiring import venue_cards

Timelines = Mapping[str, Sequence[OrderEventRecord]]


def order(record: OrderRecord, timeline: Sequence[OrderEventRecord] | None = None) -> dict[str, Any]:
    """Return one order, with its timeline if there is one."""
    terms = record.terms
    content: dict[str, Any] = {
        "id": record.id,
        "account_id": record.account_id,
        "hook_id": record.hook_id,
        "signal_id": record.signal_id,
        "client_order_id": record.client_order_id,
        "venue_order_id": record.venue_order_id,
        "symbol": terms.symbol,
        "side": terms.side,
        "type": terms.type,
        "time_in_force": terms.time_in_force,
        "quantity": terms.quantity,
        "price": terms.price,
        "stop_price": terms.stop_price,
        "reduce_only": terms.reduce_only,
        "purpose": record.purpose,
        "reason": record.reason,
        "state": record.state,
        "filled_quantity": record.filled_quantity,
        "average_price": average_price(record),
        "commission": record.commission,
        "decided_price": record.decided_price,
        "outcome": record.outcome,
        "cancel_asked_at": record.cancel_asked_at,
        "changing": record.amend_quantity is not None,
        "replaced_by": record.replaced_by,
        "created_at": record.created_at,
        "sent_at": record.sent_at,
        "updated_at": record.updated_at,
    }
    if timeline is not None:
        content["timeline"] = [
            {"id": line.id, "at": line.at, "event": line.event, "state": line.state, "detail": line.detail}
            for line in timeline
        ]
    return content


def signal(record: SignalRecord, orders: list[OrderRecord], timelines: Timelines | None = None) -> dict[str, Any]:
    """Return one alert with its orders; with `timelines`, all there is to know of it."""
    outcome = outcome_of(record, orders)

    def shown(each: OrderRecord) -> dict[str, Any]:
        return order(each, None if timelines is None else timelines[each.id])

    content = {
        "id": record.id,
        "account_id": record.account_id,
        "hook_id": record.hook_id,
        "door": record.shape,
        "kind": record.signal.kind if record.signal else None,
        "symbol": record.symbol,
        "signal": signal_data(record.signal) if record.signal else None,
        "received_at": record.received_at,
        "changed_at": record.changed_at,
        "state": record.state,
        "outcome": outcome.state,
        "outcome_message": outcome.message,
        "code": record.code,
        "message": record.message,
        "detail": record.detail,
        "deliveries": record.deliveries,
        "latency": _latency(record, outcome.orders),
        "orders": [shown(each) for each in outcome.orders],
        "protective": [shown(each) for each in outcome.protective],
    }
    if timelines is not None:
        content["body"] = record.body
    return content


def _latency(record: SignalRecord, made: Sequence[OrderRecord]) -> dict[str, int | None]:
    sent = [each.sent_at for each in made if each.sent_at is not None]
    filled = made and all(each.state is OrderState.FILLED for each in made)
    return {
        "to_send_ms": _ms(record, min(sent)) if sent else None,
        "to_fill_ms": _ms(record, max(each.updated_at for each in made)) if filled else None,
    }


def _ms(record: SignalRecord, at: datetime) -> int:
    return max(0, (at - record.received_at) // timedelta(milliseconds=1))


def seconds(span: timedelta) -> Decimal:
    """Return a span in seconds, to the millisecond."""
    return Decimal(span // timedelta(milliseconds=1)).scaleb(-3)


def position(
    account_id: str, view: PositionView, *, simulated: bool, guarded: Standing | None = None
) -> dict[str, Any]:
    """Return one position, with how it is guarded if that was asked."""
    margin = view.margin
    demanded = guarded is not None and guarded.record is not None
    return {
        "account_id": account_id,
        "symbol": view.symbol,
        "quantity": view.quantity,
        "cost": view.cost,
        "entry_price": view.entry_price,
        "mark_price": view.mark_price,
        "unrealised": view.unrealised,
        "notional": view.notional,
        "leverage": margin.leverage if margin else None,
        "margin_type": margin.margin_type if margin else None,
        "liquidation_price": margin.liquidation_price if margin else None,
        "isolated_margin": margin.isolated_margin if margin else None,
        "opened_at": view.opened_at,
        "protection_stands": guarded.stands if guarded is not None and demanded else None,
        "unprotected_s": seconds(guarded.unprotected) if guarded is not None and demanded else None,
        "unprotected_total_s": seconds(guarded.unprotected_total) if guarded is not None and demanded else None,
        "simulated": simulated,
    }


def balance(account_id: str, view: BalanceView, *, simulated: bool) -> dict[str, Any]:
    """Return what an account has of its currency."""
    venue = view.venue
    return {
        "account_id": account_id,
        "asset": venue.asset,
        "wallet": venue.wallet,
        "booked_wallet": view.booked_wallet,
        "available": venue.available,
        "cross_wallet": venue.cross_wallet,
        "unrealised": venue.unrealised,
        "equity": venue.margin_balance,
        "initial_margin": venue.initial_margin,
        "maintenance_margin": venue.maintenance_margin,
        "simulated": simulated,
    }


def instrument(venue: str, found: Instrument, *, simulated: bool) -> dict[str, Any]:
    """Return what may be traded, and in what steps."""
    names = Instrument.__dataclass_fields__
    return {"venue": venue, **{name: getattr(found, name) for name in names}, "simulated": simulated}


def quote(venue: str, found: Quote, *, simulated: bool) -> dict[str, Any]:
    """Return the best prices of one instrument."""
    names = Quote.__dataclass_fields__
    return {"venue": venue, **{name: getattr(found, name) for name in names}, "simulated": simulated}


def expects(found: Expects | None) -> dict[str, Any] | None:
    """Return what a hook expects."""
    if found is None:
        return None
    return {
        "every_s": found.every_s,
        "counter": found.counter,
        "position": found.position,
        "within_s": found.within_s,
        "since": found.since,
    }


def hook(found: Hook) -> dict[str, Any]:
    """Return one hook without what opens it."""
    size = found.default_size
    return {
        "id": found.id,
        "account_id": found.account_id,
        "name": found.name,
        "default_size": {"kind": size.kind, "value": size.value} if size else None,
        "symbols": found.symbols,
        "window_s": found.window_s,
        "max_age_s": found.max_age_s,
        "rate_per_s": found.rate_per_s,
        "dry": found.dry,
        "expects": expects(found.expects),
        "state": found.state,
        "created_at": found.created_at,
        "rotated_at": found.rotated_at,
    }


def account_now(tx: Tx, owner_id: str, account_id: str, now: datetime) -> dict[str, Any]:
    """Return one trading account as it stands. Raises AccountNotFound."""
    found = trading_accounts.get(tx, owner_id, account_id)
    return account(tx, found, now)


def account(tx: Tx, found: TradingAccount, now: datetime) -> dict[str, Any]:
    """Return one trading account: where, with which key (never the key), whether it may send, and how it was found."""
    heard = hearing.of(tx, found.id)
    halt = halt_store.halted(tx, found.id, found.owner_id)
    key = venue_keys.shown(tx, found.owner_id, found.id)
    setup = setups.of_account(tx, found.id)
    is_tested = setup is not None and setup.tested_at is not None
    return {
        "id": found.id,
        "name": found.name,
        "venue": found.venue,
        "market": venue_cards.market_of(found.venue),
        "mode": found.mode,
        "currency": found.currency,
        "state": found.state,
        "generation": found.generation,
        "simulated": found.mode is Mode.PAPER,
        "may_send": found.may_send and found.state is AccountState.ACTIVE,
        "armed_at": found.armed_at,
        "endpoint": found.endpoint,
        "stream": _stream(heard, now) if heard is not None and found.state is AccountState.ACTIVE else None,
        "key": {"label": key.label, "parts": key.parts, "since": key.created_at} if key else None,
        "test": {"at": setup.tested_at, "passed": setup.passed, "message": setup.message, "found": setup.found}
        if setup is not None and is_tested
        else None,
        "created_at": found.created_at,
        "halt": halted(halt) if halt else None,
    }


def halted(found: Halt) -> dict[str, Any]:
    """Return one halt: where, how much it stops, since when, by whom and why."""
    shown = {name: getattr(found, name) for name in ("id", "at", "by", "reason", "level", "kind", "hook_id")}
    return shown | {"account_id": found.account_id or None}


def _stream(heard: Hearing, now: datetime) -> dict[str, Any]:
    """Return how well an account is heard at its venue; `since` is when it began to be heard, or ceased to be."""
    since = heard.deaf_since(now) or heard.since
    return {"state": heard.shown(now), "since": since, "compared_at": heard.compared_at}


def token(found: Token) -> dict[str, Any]:
    """Return what is known of a token."""
    return {
        "id": found.id,
        "label": found.label,
        "scopes": found.scopes,
        "created_at": found.created_at,
        "revoked_at": found.revoked_at,
    }
