"""Post a fill, a funding payment or a transfer as entries that sum to zero per unit, once per venue id.

`entries` draws the books. All of a posting commits with the fill, or none of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from pilothouse.core.clock import Tick, iso
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.fill import Fill
from pilothouse.core.position import ZERO, Applied, Position, apply
from pilothouse.core.rounding import EXACT, QUOTE_UNIT, plain
from pilothouse.kit.db import Tx
from pilothouse.ledger import high_water
from pilothouse.ledger.entries import Book, EntryKind, Leg, write_legs
from pilothouse.ledger.store import (
    INSERT_FILL,
    INSERT_PAYMENT,
    Change,
    Place,
    add_to_other_currency,
    books_lock,
    day_of,
    read_for_fill,
    read_for_payment,
    write_position,
    write_wallet,
)

SETTLEMENT = "USDT"
"""The settlement currency of every instrument the house trades so far."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What a fill did to the books.

    realised      as booked, settlement currency, before commission
    wallet        settlement currency, after commission
    discrepancy   our realised result less the venue's, if they differ by more than one quote unit; else None
    """

    fill_id: str
    position: Position
    realised: Decimal
    wallet: Decimal
    discrepancy: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """What a payment did to the books; `wallet` is of the payment's currency."""

    payment_id: str
    wallet: Decimal


def post_fill(
    tx: Tx,
    fill: Fill,
    *,
    account_id: str,
    owner_id: str,
    order_id: str | None,
    hook_id: str | None,
    now: datetime,
    tick: Tick,
    settlement: str = SETTLEMENT,
    base: str = "",
    about: str | None = None,
) -> Posted | None:
    """Book one execution; return what it did, or None if this venue trade id is booked already.

    tick         `now` as the machine counts
    settlement   currency in which the instrument's results are paid
    base         of an instrument whose position is coins: a commission in it was taken from what was bought; empty
                 where positions are contracts
    about        under what the record tells of it; None: the fill itself

    The venue's realised result is what is booked, because it is what the account really holds; if it differs from
    ours by more than one unit, INVARIANT_BROKEN is announced and the caller decides what to halt.
    Takes the lock of the account's books.
    """
    tx.lock(books_lock(account_id))
    place = Place(owner_id, account_id, fill.symbol, settlement, day_of(now))
    books = read_for_fill(tx, place, fill.venue_trade_id)
    if books is None:
        return None
    applied = apply(books.position, fill.side, fill.quantity, fill.price)
    realised = applied.realised if fill.realised is None else fill.realised
    in_settlement = fill.commission_currency == settlement
    in_base = bool(base) and fill.commission_currency == base and not in_settlement
    position = applied.position
    if in_base:
        # What is held costs what was paid for all of it: the coins that went for the fee are in its price.
        position = replace(position, quantity=EXACT.subtract(position.quantity, fill.commission))
    change = Change(realised=realised, commission=fill.commission if in_settlement else ZERO)
    fill_id = tx.ids.fresh("fil")

    row = _fill_row(fill, realised, now)
    whose = {"owner_id": owner_id, "account_id": account_id, "hook_id": hook_id}
    tx.execute(INSERT_FILL, {**row, **whose, "id": fill_id, "order_id": order_id})
    legs = [*_fill_legs(fill, applied, realised, settlement), *_fee_legs(fill, in_base=in_base)]
    write_legs(tx, legs, whose, fill_id, fill.symbol, fill.at, about, order_id)
    write_position(tx, books, position, change, now, tick)
    wallet = write_wallet(tx, books, change, now)
    if not in_settlement and not in_base and fill.commission:
        other = Place(owner_id, account_id, fill.symbol, fill.commission_currency, place.day)
        add_to_other_currency(tx, other, EXACT.minus(fill.commission), now)

    _tell_fill(tx, row, whose, fill_id, order_id, now)
    _tell_position(tx, position, fill.symbol, owner_id, account_id, wallet, now)
    off = EXACT.subtract(applied.realised, realised)
    if EXACT.abs(off) <= QUOTE_UNIT:
        return Posted(fill_id, position, realised, wallet)
    _tell_discrepancy(tx, fill, fill_id, applied.realised, realised, owner_id, account_id, now)
    return Posted(fill_id, position, realised, wallet, off)


def post_funding(
    tx: Tx,
    *,
    venue_id: str,
    symbol: str,
    amount: Decimal,
    currency: str,
    at: datetime,
    account_id: str,
    owner_id: str,
    now: datetime,
    settlement: str = SETTLEMENT,
) -> Paid | None:
    """Book one funding payment (`amount` above zero was received); None if this venue id is booked already."""
    place = Place(owner_id, account_id, symbol, currency, day_of(now))
    paid = _post_payment(tx, EntryKind.FUNDING, Book.FUNDING, place, venue_id, amount, at, now, settlement)
    if paid:
        payload = {
            "payment_id": paid.payment_id,
            "symbol": symbol,
            "amount": plain(amount),
            "currency": currency,
            "wallet": plain(paid.wallet),
            "at": iso(at),
        }
        tx.announce(Fact(FactKind.FUNDING_BOOKED, owner_id, now, account_id, payload))
    return paid


def post_transfer(
    tx: Tx,
    *,
    venue_id: str,
    amount: Decimal,
    currency: str,
    at: datetime,
    account_id: str,
    owner_id: str,
    now: datetime,
    settlement: str = SETTLEMENT,
) -> Paid | None:
    """Book one deposit (`amount` above zero) or withdrawal; None if this venue id is booked already."""
    place = Place(owner_id, account_id, "", currency, day_of(now))
    return _post_payment(tx, EntryKind.TRANSFER, Book.OUTSIDE, place, venue_id, amount, at, now, settlement)


def post_adjustment(
    tx: Tx,
    *,
    venue_id: str,
    amount: Decimal,
    currency: str,
    at: datetime,
    account_id: str,
    owner_id: str,
    now: datetime,
    settlement: str = SETTLEMENT,
) -> Paid | None:
    """Book what makes a wallet agree with the venue's; `venue_id` names the reason and counts once."""
    place = Place(owner_id, account_id, "", currency, day_of(now))
    return _post_payment(tx, EntryKind.ADJUSTMENT, Book.ADJUSTMENTS, place, venue_id, amount, at, now, settlement)


def _post_payment(
    tx: Tx,
    kind: EntryKind,
    against: Book,
    place: Place,
    venue_id: str,
    amount: Decimal,
    at: datetime,
    now: datetime,
    settlement: str,
) -> Paid | None:
    tx.lock(books_lock(place.account_id))
    books = read_for_payment(tx, place, kind, venue_id)
    if books is None:
        return None
    payment_id = tx.ids.fresh("pay")
    whose: dict[str, str | None] = {"owner_id": place.owner_id, "account_id": place.account_id}
    symbol = place.symbol or None
    tx.execute(
        INSERT_PAYMENT,
        {
            **whose,
            "id": payment_id,
            "kind": kind,
            "venue_id": venue_id,
            "symbol": symbol,
            "amount": amount,
            "currency": place.currency,
            "at": at,
            "booked_at": now,
        },
    )
    legs = [
        Leg(kind, Book.WALLET, place.currency, amount),
        Leg(kind, against, place.currency, EXACT.minus(amount)),
    ]
    write_legs(tx, legs, {**whose, "hook_id": None}, payment_id, symbol, at)
    if place.currency != settlement:
        return Paid(payment_id, add_to_other_currency(tx, place, amount, now))
    if kind is not EntryKind.FUNDING:
        high_water.move(tx, place.account_id, amount)
    change = Change(funding=amount) if kind is EntryKind.FUNDING else Change(transfers=amount)
    if symbol:
        write_position(tx, books, books.position, change, now)
    return Paid(payment_id, write_wallet(tx, books, change, now))


def _fill_legs(fill: Fill, applied: Applied, realised: Decimal, settlement: str) -> Iterator[Leg]:
    """Yield the legs of a fill without its fee, those of zero too."""
    signed = EXACT.multiply(fill.quantity, Decimal(fill.side.sign))
    kind = EntryKind.FILL
    yield Leg(kind, Book.POSITION, fill.symbol, signed)
    yield Leg(kind, Book.MARKET, fill.symbol, EXACT.minus(signed))
    yield Leg(kind, Book.MARKET, settlement, EXACT.multiply(signed, fill.price))
    yield Leg(kind, Book.COST, settlement, EXACT.minus(applied.cost_change))
    yield Leg(kind, Book.WALLET, settlement, realised)
    yield Leg(kind, Book.ROUNDING, settlement, EXACT.subtract(applied.realised, realised))


def _fee_legs(fill: Fill, *, in_base: bool) -> Iterator[Leg]:
    """Yield the legs of a commission: out of the wallet, or out of the coins that were traded."""
    book, unit = (Book.POSITION, fill.symbol) if in_base else (Book.WALLET, fill.commission_currency)
    yield Leg(EntryKind.COMMISSION, book, unit, EXACT.minus(fill.commission))
    yield Leg(EntryKind.COMMISSION, Book.FEES, unit, fill.commission)


def _fill_row(fill: Fill, realised: Decimal, now: datetime) -> dict[str, object]:
    return {
        "symbol": fill.symbol,
        "venue_trade_id": fill.venue_trade_id,
        "venue_order_id": fill.venue_order_id,
        "client_order_id": fill.client_order_id,
        "side": fill.side.value,
        "price": fill.price,
        "quantity": fill.quantity,
        "notional": EXACT.multiply(fill.price, fill.quantity),
        "commission": fill.commission,
        "commission_currency": fill.commission_currency,
        "realised": realised,
        "maker": fill.maker,
        "at": fill.at,
        "booked_at": now,
    }


def _tell_fill(
    tx: Tx, row: dict[str, object], whose: dict[str, str | None], fill_id: str, order_id: str | None, now: datetime
) -> None:
    payload: dict[str, object] = {"fill_id": fill_id, "order_id": order_id, "hook_id": whose["hook_id"]}
    for name, value in row.items():
        if isinstance(value, Decimal):
            payload[name] = plain(value)
        elif isinstance(value, datetime):
            payload[name] = iso(value)
        else:
            payload[name] = value
    owner_id = whose["owner_id"]
    assert owner_id is not None, "every fill has an owner"
    tx.announce(Fact(FactKind.FILL_BOOKED, owner_id, now, whose["account_id"], payload))


def _tell_position(
    tx: Tx, position: Position, symbol: str, owner_id: str, account_id: str, wallet: Decimal, now: datetime
) -> None:
    entry = position.entry_price()
    payload = {
        "symbol": symbol,
        "quantity": plain(position.quantity),
        "entry_price": None if entry is None else plain(entry),
        "cost": plain(position.cost),
        "wallet": plain(wallet),
    }
    tx.announce(Fact(FactKind.POSITION_CHANGED, owner_id, now, account_id, payload))


def _tell_discrepancy(
    tx: Tx, fill: Fill, fill_id: str, ours: Decimal, theirs: Decimal, owner_id: str, account_id: str, now: datetime
) -> None:
    payload = {
        "invariant": "realised_agrees_with_venue",
        "fill_id": fill_id,
        "symbol": fill.symbol,
        "ours": plain(ours),
        "venue": plain(theirs),
    }
    tx.announce(Fact(FactKind.INVARIANT_BROKEN, owner_id, now, account_id, payload))
