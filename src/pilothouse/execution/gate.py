"""The risk gate: an intent, prices and what the account holds go in; warnings come out, or a denial with every reason.

What it was asked and what it said is put into the record, so that it can be asked again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pilothouse.core.errors import Refused
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.halts import HaltKind
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.intent import OrderIntent
from pilothouse.core.order import OrderTerms, Purpose
from pilothouse.core.quote import Quote
from pilothouse.core.risk import Allowed, Denial, Denied, Exposure, Together, check
from pilothouse.execution import halt_store, limit_sets, store
from pilothouse.execution.activity import Lately, lately
from pilothouse.execution.desk import Desk
from pilothouse.execution.limit_sets import Level
from pilothouse.execution.together import opposing, together
from pilothouse.execution.trader import Trader
from pilothouse.kit.chain import judgement
from pilothouse.kit.db import Tx


class DeniedByRisk(Refused):
    """The risk gate said no; `reasons` has every code with its number and limit."""

    code = "risk_denied"

    def __init__(self, denied: Denied) -> None:
        """Keep the reasons."""
        super().__init__(str(denied))
        self.reasons = denied.reasons


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
    closes = _closes(intent)
    if not closes:
        _refuse_while_halted(tx, trader, intent)
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
    exposure = _exposed(terms, basis, seen)
    everybody: tuple[Together, ...] = ()
    if limits.together and not closes:
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
        closes=closes,
        together=everybody,
    )
    _keep_judgement(tx, trader, intent, basis, exposure, limits, everybody, now, verdict)
    if isinstance(verdict, Denied):
        raise DeniedByRisk(verdict)
    _warn(tx, trader, terms.symbol, verdict.warnings, now)
    return verdict.warnings


def _refuse_while_halted(tx: Tx, trader: Trader, intent: OrderIntent) -> None:
    """Raise DeniedByRisk while a halt stands against the order."""
    halt = halt_store.halted(tx, trader.account_id, trader.owner_id, intent.hook_id)
    if halt is not None and halt.kind.stops(intent.terms, intent.purpose):
        whose = "the house" if halt.level is Level.HOUSE else f"the {halt.level}"
        kind = "" if halt.kind is HaltKind.NO_NEW_EXPOSURE else f" ({halt.kind.replace('_', ' ')})"
        reason = f"{whose} is halted{kind} since {halt.at:%Y-%m-%d %H:%M:%S} UTC by {halt.by}: {halt.reason}"
        raise DeniedByRisk(Denied((Denial(f"{halt.level}_halted", halt.id, "no halt", reason),)))


def _exposed(terms: OrderTerms, basis: Basis, seen: Lately) -> Exposure:
    """Return what the account is exposed to before the order."""
    pending_buy, pending_sell = _pending(basis.orders)
    return Exposure(
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


def _warn(tx: Tx, trader: Trader, symbol: str, warnings: tuple[Denial, ...], now: datetime) -> None:
    """Tell whoever wanted to be warned what an order that was allowed has passed."""
    for one in warnings:
        payload = {"code": "limit_warning", "about": one.code, "message": one.message, "symbol": symbol}
        payload |= {"number": one.number, "limit": one.limit}
        tx.announce(Fact(FactKind.ALARM_RAISED, trader.owner_id, now, trader.account_id, payload))


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
