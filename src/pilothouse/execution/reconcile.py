"""Our orders, fills and positions against the venue's: what was missed is fetched, what disagrees stops trading.

A failed query is never "flat": a venue that does not answer leaves everything as it is. A position that our entries
cannot explain, asked twice, halts new exposure on the account and names both numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from pilothouse.core.clock import EPOCH
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.fill import Fill
from pilothouse.core.order import OrderEvent, OrderState, OrderTerms, OrderType, Purpose
from pilothouse.core.rounding import plain
from pilothouse.execution import account_store, amended, halts, hearing, opening, settle, store, wallet, where
from pilothouse.execution.desk import Desk
from pilothouse.execution.tell import pursue_later
from pilothouse.execution.trader import Trader
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions as held
from pilothouse.ledger.statement import booked_among
from pilothouse.venues.port import AccountEvent, OrderReport, VenueAccount, VenueStatus

BY: Final = "reconcile"
"""Who halts an account whose position the entries cannot explain."""

WALLET: Final = "wallet"
_WALLET_MOST: Final = Decimal("0.01")
"""So much of the settlement currency may a wallet differ before anybody is told."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as the venue says: a position by its symbol, base, or the wallet, settlement currency."""

    symbol: str
    ours: Decimal
    theirs: Decimal

    def __str__(self) -> str:
        """Say both numbers."""
        return f"{self.symbol}: the venue says {plain(self.theirs)}, our entries say {plain(self.ours)}"


@dataclass(slots=True)
class Reconciled:
    """What one pass found and did.

    differences   positions that disagree
    wallet        the wallet, if it disagrees
    moving        whether something was under way, so that positions could not be compared
    """

    fills_booked: int = 0
    orders_asked: int = 0
    foreign_orders: int = 0
    differences: list[Difference] = field(default_factory=list)
    wallet: Difference | None = None
    moving: bool = False

    @property
    def mismatches(self) -> list[str]:
        """Return what disagrees, in words."""
        return [str(one) for one in (*self.differences, *((self.wallet,) if self.wallet else ()))]


def reconcile(desk: Desk, trader: Trader) -> Reconciled:
    """Bring one account's books up to what its venue says; raises Unavailable if the venue does not answer."""
    found = Reconciled()
    account = VenueAccount(trader.account_id, trader.owner_id)
    begun = opening.begun(desk, trader, account)
    marks = desk.database.read(lambda tx: account_store.reconciled_up_to(tx, trader.account_id))
    paid_in = _fetch_payments(desk, trader, account, marks, begun)
    symbols = where.to_ask(desk, trader, account, paid_in)
    found.fills_booked = _fetch_fills(desk, trader, account, marks, symbols, begun)
    _compare_orders(desk, trader, account, found)
    _compare_positions(desk, trader, account, begun, found)
    if not found.moving and not found.differences:
        _compare_wallet(desk, trader, account, found)
    if begun > EPOCH:
        desk.database.write(lambda tx: hearing.compared(tx, trader.account_id, desk.clock.now()), name="compared")
    desk.writers.compared(trader.account_id)
    return found


def on_event(desk: Desk, owner_id: str | None, event: AccountEvent) -> None:
    """Take in what a venue's stream told; returns when it is queued, in the order it was told.

    owner_id   whose the account is; None: not ours, and nothing happens
    """
    if owner_id is None:
        return
    now = desk.clock.now()
    if event.funding is not None:
        payment = event.funding

        def fund(tx: Tx) -> None:
            if opening.counts(tx, event.account_id, payment.at):
                settle.funded(tx, event.account_id, owner_id, [payment], now)

        desk.database.submit(
            fund,
            name="funding",
            urgent=True,
            lane=f"account:{event.account_id}",
        )
    if event.report is not None:
        report = event.report

        def settled(tx: Tx) -> None:
            # A stream also tells of the minutes before the account was added: those are in the first page of its books.
            if opening.counts(tx, event.account_id, report.at):
                take_in(tx, desk, event.account_id, owner_id, report)

        desk.database.submit(
            settled,
            name="settle",
            urgent=True,
            lane=f"account:{event.account_id}",
        )


def take_in(tx: Tx, desk: Desk, account_id: str, owner_id: str, report: OrderReport) -> store.OrderRecord:
    """Take in a report of an order, ours or not: one that we did not make is adopted and shown as foreign."""
    # The stream and a pass of reconcile may tell of the same stranger at once: only one of them adopts it.
    tx.lock(f"account:{account_id}")
    order = store.by_client_id(tx, account_id, report.client_order_id)
    if order is None:
        successor = amended.taking_the_place(tx, desk, account_id, report)
        order = successor or _adopted(tx, desk, account_id, owner_id, report)
    return settle.reported(tx, desk, order.id, report, told_by="stream")


def _adopted(tx: Tx, desk: Desk, account_id: str, owner_id: str, report: OrderReport) -> store.OrderRecord:
    """Store an order that stands at the venue and was not made here, such as a liquidation."""
    now = desk.clock.now()
    purpose, reason = _whose(report.client_order_id)
    order = store.OrderRecord(
        id=desk.ids.fresh("ord"),
        owner_id=owner_id,
        account_id=account_id,
        hook_id=None,
        signal_id=None,
        client_order_id=report.client_order_id,
        venue_order_id=report.venue_order_id,
        terms=report.terms,
        purpose=purpose,
        reason=reason,
        state=OrderState.WORKING,
        filled_quantity=Decimal(0),
        filled_notional=Decimal(0),
        commission=Decimal(0),
        decided_price=report.terms.price or report.terms.stop_price or Decimal(0),
        outcome=None,
        cancel_asked_at=None,
        created_at=report.at,
        sent_at=None,
        sendable_until=None,
        asked=0,
        updated_at=now,
    )
    store.add(tx, order)
    store.note(tx, order, now, (OrderEvent.ACCEPT, order.state, order.reason))
    if purpose is Purpose.MANUAL:
        return order
    message = f"{order.purpose} order {report.client_order_id}: {report.terms.side} {plain(report.terms.quantity)} "
    tx.announce(
        Fact(
            FactKind.ALARM_RAISED,
            owner_id,
            now,
            account_id,
            {"code": f"{order.purpose}_order", "message": message + report.terms.symbol, "order_id": order.id},
        )
    )
    return order


def _whose(client_order_id: str) -> tuple[Purpose, str]:
    """Return why an order exists that was not made here, judged by the ids that venues give to their own."""
    if client_order_id.startswith(("autoclose-", "adl_autoclose")):
        return Purpose.LIQUIDATION, "liquidated by the venue"
    if client_order_id.startswith("reset-"):
        return Purpose.MANUAL, "the paper account started over"
    return Purpose.FOREIGN, "found at the venue, not made here"


def _fetch_payments(
    desk: Desk, trader: Trader, account: VenueAccount, marks: dict[tuple[str, str], str], begun: datetime
) -> set[str]:
    """Book deposits, withdrawals and funding that were missed; return in which instruments there was any."""
    venue = desk.venue(trader.venue)
    transfers = [one for one in venue.transfers_after(account, marks.get(("transfers", ""))) if one.at >= begun]
    payments = [one for one in venue.funding_after(account, marks.get(("funding", ""))) if one.at >= begun]
    now = desk.clock.now()

    def work(tx: Tx) -> None:
        if transfers:
            settle.transferred(tx, account.id, account.owner_id, transfers, now)
            account_store.set_reconciled(tx, account.id, account.owner_id, "transfers", "", transfers[-1].venue_id, now)
        if payments:
            settle.funded(tx, account.id, account.owner_id, payments, now)
            account_store.set_reconciled(tx, account.id, account.owner_id, "funding", "", payments[-1].venue_id, now)

    if transfers or payments:
        desk.database.write(work, name="payments", urgent=True)
    return {payment.symbol for payment in payments}


def _fetch_fills(
    desk: Desk,
    trader: Trader,
    account: VenueAccount,
    marks: dict[tuple[str, str], str],
    symbols: Sequence[str],
    begun: datetime,
) -> int:
    """Book fills that were missed, in their order; returns how many were new."""
    booked = 0
    for symbol in symbols:
        told = desk.venue(trader.venue).fills_after(account, symbol, marks.get(("fills", symbol)))
        fills = [fill for fill in told if fill.at >= begun]
        if fills:
            work = partial(_book_all, desk=desk, account=account, symbol=symbol, fills=fills)
            booked += desk.database.write(work, name="fills", urgent=True)
    return booked


def _book_all(tx: Tx, desk: Desk, account: VenueAccount, symbol: str, fills: Sequence[Fill]) -> int:
    """Book fills of one instrument that are not booked yet, each through its order."""
    tx.lock(f"account:{account.id}")
    known = booked_among(tx, account.id, symbol, [fill.venue_trade_id for fill in fills])
    missing = [fill for fill in fills if fill.venue_trade_id not in known]
    by_order: dict[str, list[Fill]] = {}
    for fill in missing:
        by_order.setdefault(fill.client_order_id or f"foreign-{fill.venue_order_id}", []).append(fill)
    for client_order_id, group in by_order.items():
        take_in(tx, desk, account.id, account.owner_id, _report_of(client_order_id, symbol, group))
    account_store.set_reconciled(
        tx, account.id, account.owner_id, "fills", symbol, fills[-1].venue_trade_id, desk.clock.now()
    )
    return len(missing)


def _report_of(client_order_id: str, symbol: str, fills: Sequence[Fill]) -> OrderReport:
    """Return what the fills alone tell of their order; the terms count only for an order we do not know."""
    quantity = sum((fill.quantity for fill in fills), Decimal(0))
    last = fills[-1]
    return OrderReport(
        client_order_id=client_order_id,
        venue_order_id=last.venue_order_id,
        terms=OrderTerms(symbol=symbol, side=last.side, type=OrderType.MARKET, quantity=quantity),
        status=VenueStatus.PARTIALLY_FILLED,
        filled_quantity=quantity,
        at=last.at,
        fills=tuple(fills),
    )


def _compare_orders(desk: Desk, trader: Trader, account: VenueAccount, found: Reconciled) -> None:
    """Ask about resting orders of ours that do not stand at the venue; adopt those that stand there without us."""
    # Ours first: an order accepted between the two questions then looks foreign for a moment, and is known by id.
    ours = desk.database.read(lambda tx: store.live_of(tx, trader.account_id))
    standing = {report.client_order_id: report for report in desk.venue(trader.venue).open_orders(account)}
    missing = [order for order in ours if order.state.is_resting and order.client_order_id not in standing]
    now = desk.clock.now()

    def work(tx: Tx) -> None:
        for order in missing:
            pursue_later(tx, order, "ask", now, now)
        for client_order_id, report in standing.items():
            if store.by_client_id(tx, account.id, client_order_id) is None:
                take_in(tx, desk, account.id, account.owner_id, report)
                found.foreign_orders += 1

    known = {order.client_order_id for order in ours}
    if missing or not standing.keys() <= known:
        desk.database.write(work, name="compare orders")
    found.orders_asked = len(missing)


def _compare_positions(desk: Desk, trader: Trader, account: VenueAccount, begun: datetime, found: Reconciled) -> None:
    """Compare positions; a difference that is still there when asked again halts the account."""
    differing = _differences(desk, trader, account)
    if differing:
        marks = desk.database.read(lambda tx: account_store.reconciled_up_to(tx, trader.account_id))
        _fetch_fills(desk, trader, account, marks, sorted(differing), begun)
        differing = _differences(desk, trader, account)
    found.moving = differing is None
    if not differing:
        return
    found.differences = [Difference(symbol, *pair) for symbol, pair in sorted(differing.items())]
    reason = "positions disagree: " + "; ".join(map(str, found.differences))
    desk.database.write(
        lambda tx: halts.halt(tx, desk, account.id, account.owner_id, reason=reason, by=BY), name="halt"
    )


def _compare_wallet(desk: Desk, trader: Trader, account: VenueAccount, found: Reconciled) -> None:
    """Compare the wallet, where the venue keeps money and positions apart; a difference is told, and halts nothing.

    It may be a fee in another coin, or a payment that the venue tells of later; a person decides what to do. What the
    comparison says is kept: `observability/standing.py` tells a difference that stays.
    """
    venue = desk.venue(trader.venue)
    if where.holds_more_than_ours(venue.card):
        return
    now = desk.clock.now()
    before = desk.database.read(lambda tx: settle.wallet_of(tx, account.id, trader.currency, now))
    theirs = venue.balance(account).wallet
    ours = desk.database.read(lambda tx: settle.wallet_of(tx, account.id, trader.currency, now))
    if before != ours:
        return
    if abs(theirs - ours) > _WALLET_MOST:
        found.wallet = Difference(WALLET, ours, theirs)
        work = partial(wallet.differs, account_id=account.id, owner_id=account.owner_id, ours=ours, theirs=theirs)
        desk.database.write(lambda tx: work(tx, now=now), name="wallet")
    elif desk.database.read(lambda tx: wallet.of(tx, account.id)) is not None:
        desk.database.write(lambda tx: wallet.agrees(tx, account.id), name="wallet")


def _differences(desk: Desk, trader: Trader, account: VenueAccount) -> dict[str, tuple[Decimal, Decimal]] | None:
    """Return (ours, theirs) by symbol where they differ; None while something is under way that could explain it.

    Read before and after the venue was asked: only what stood still meanwhile can be compared.
    """
    before = desk.database.read(lambda tx: _ours(tx, trader.account_id))
    theirs = {position.symbol: position.quantity for position in desk.venue(trader.venue).positions(account)}
    after = desk.database.read(lambda tx: _ours(tx, trader.account_id))
    if before is None or before != after:
        return None
    zero = Decimal(0)
    pairs = {symbol: (before.get(symbol, zero), theirs.get(symbol, zero)) for symbol in before.keys() | theirs.keys()}
    if where.holds_more_than_ours(desk.venue(trader.venue).card):
        # Coins that were there before, or came in from elsewhere, are no position of ours; coins that lack are.
        return {symbol: pair for symbol, pair in pairs.items() if pair[1] < pair[0]}
    return {symbol: pair for symbol, pair in pairs.items() if pair[0] != pair[1]}


def _ours(tx: Tx, account_id: str) -> dict[str, Decimal] | None:
    """Return our positions by symbol, or None while an order is under way or unknown."""
    if any(not order.state.is_resting for order in store.live_of(tx, account_id)):
        return None
    return {row.position.symbol: row.position.quantity for row in held.all_positions(tx, account_id, flat_too=False)}
