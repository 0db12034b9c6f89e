"""What has happened on an account at AsterDEX: fills, funding, transfers, and what was missed while nobody listened.

The venue lists fills by instrument and income by time, seven days at once, and tells of neither whose order it was. It
is asked in the time of its own clock.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from pilothouse.core.clock import Clock, from_micros, millis
from pilothouse.core.errors import Unavailable
from pilothouse.core.fill import Fill
from pilothouse.core.rounding import EXACT
from pilothouse.venues.aster import wire
from pilothouse.venues.aster.codes import Outcome
from pilothouse.venues.aster.rest import Call, Failed, Rest
from pilothouse.venues.aster.sign import AsterKeys
from pilothouse.venues.port import AccountEvent, FundingPayment, OrderReport, Transfer, VenueAccount

TRADES: Final = "/fapi/v3/userTrades"
INCOME: Final = "/fapi/v3/income"
ORDER: Final = "/fapi/v3/order"
ALL_ORDERS: Final = "/fapi/v3/allOrders"
OPEN_ORDERS: Final = "/fapi/v3/openOrders"
POSITIONS: Final = "/fapi/v3/positionRisk"

TOLD_FOR: Final = timedelta(days=7)
"""The venue lists no more than this at once, and without a beginning only what is younger."""

_PAGE: Final = 1_000
_NAMES_MOST: Final = 20_000
_SLACK: Final = timedelta(seconds=10)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SIBLINGS_FOR: Final = timedelta(minutes=10)
_TRADED: Final = frozenset({"COMMISSION", "REALIZED_PNL"})
_FUNDING: Final = "FUNDING_FEE"


class OrderNames:
    """Which client id an order of the venue has: fills are told without it. Bounded; forgets the oldest."""

    def __init__(self) -> None:
        """Know none."""
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._lock = threading.Lock()

    def learn(self, account_id: str, venue_order_id: str, client_order_id: str) -> None:
        """Remember the names of one order."""
        with self._lock:
            self._known[account_id, venue_order_id] = client_order_id
            while len(self._known) > _NAMES_MOST:
                self._known.popitem(last=False)

    def of(self, account_id: str, venue_order_id: str) -> str | None:
        """Return the client id, if it is known."""
        with self._lock:
            return self._known.get((account_id, venue_order_id))


class History:
    """What has happened on the accounts of one endpoint. Every call may raise Unavailable."""

    def __init__(
        self, rest: Rest, keys_of: Callable[[VenueAccount], AsterKeys], names: OrderNames, clock: Clock
    ) -> None:
        """Ask `rest`, signed with what `keys_of` finds."""
        self._rest = rest
        self._keys_of = keys_of
        self._names = names
        self._clock = clock
        self._maker_rates: dict[tuple[str, str], Decimal] = {}

    # ── Fills ─────────────────────────────────────────────────────────────────────────────────────

    def fills_after(self, account: VenueAccount, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Return the fills behind `venue_trade_id`, oldest first; without it, those of the last seven days."""
        keys = self._keys_of(account)
        if venue_trade_id is None:
            now = self._their_now()
            told: Iterable[wire.Row] = self._trades_between(keys, symbol, now - TOLD_FOR + _SLACK, now + _SLACK)
        else:
            told = self._trades_from(keys, symbol, int(venue_trade_id) + 1)
        after = int(venue_trade_id or -1)
        trades = {int(wire.text(row, "id")): row for row in told}
        return [self._fill(account, keys, trades[number]) for number in sorted(trades) if number > after]

    def fills_of(self, account: VenueAccount, order: wire.Row, report: OrderReport) -> tuple[Fill, ...]:
        """Return the fills of one order, oldest first.

        order   as the venue tells it; when it began and last changed is read from it
        """
        keys = self._keys_of(account)
        began, changed = wire.instant(order, "time", "updateTime"), wire.instant(order, "updateTime", "time")
        found: dict[int, Fill] = {}
        for row in self._trades_between(keys, report.terms.symbol, began - _SLACK, changed + _SLACK):
            if wire.text(row, "orderId") == report.venue_order_id:
                found[int(wire.text(row, "id"))] = self._fill(account, keys, row, report.client_order_id)
                if sum((fill.quantity for fill in found.values()), Decimal(0)) >= report.filled_quantity:
                    break
        return tuple(found[number] for number in sorted(found))

    def _trades_between(self, keys: AsterKeys, symbol: str, start: datetime, end: datetime) -> Iterator[wire.Row]:
        """Yield trades of an instrument, in spans of at most seven days."""
        while start < end:
            stop = min(start + TOLD_FOR - _MILLISECOND, end)
            span = (("startTime", str(millis(start))), ("endTime", str(millis(stop))))
            page = self._trades(keys, symbol, *span)
            yield from page
            if len(page) == _PAGE:
                for row in self._trades_from(keys, symbol, int(wire.text(page[-1], "id")) + 1):
                    if wire.instant(row, "time") > stop:
                        break
                    yield row
            start = stop + _MILLISECOND

    def _trades_from(self, keys: AsterKeys, symbol: str, number: int) -> Iterator[wire.Row]:
        """Yield trades of an instrument from one trade id on."""
        page: list[wire.Row] = []
        while not page or len(page) == _PAGE:
            page = self._trades(keys, symbol, ("fromId", str(number)))
            if not page:
                return
            yield from page
            number = int(wire.text(page[-1], "id")) + 1

    def _trades(self, keys: AsterKeys, symbol: str, *params: tuple[str, str]) -> list[wire.Row]:
        asked = (("symbol", symbol), *params, ("limit", str(_PAGE)))
        return wire.rows(self._rest.read(Call("GET", TRADES, asked, weight=5), keys))

    def _fill(self, account: VenueAccount, keys: AsterKeys, row: wire.Row, client_order_id: str | None = None) -> Fill:
        named = client_order_id or self._client_id(account, keys, wire.text(row, "symbol"), wire.text(row, "orderId"))
        fill = wire.fill_of(row, named)
        if fill.maker and fill.commission < 0 and self._maker_rate(keys, fill.symbol) >= 0:
            return replace(fill, commission=EXACT.abs(fill.commission))  # who gets no rebate has paid it
        return fill

    def _client_id(self, account: VenueAccount, keys: AsterKeys, symbol: str, venue_order_id: str) -> str | None:
        """Return the client id of an order; None if the venue no longer knows the order."""
        known = self._names.of(account.id, venue_order_id)
        if known is not None:
            return known
        heard = self._rest.ask(Call("GET", ORDER, (("symbol", symbol), ("orderId", venue_order_id))), keys)
        if isinstance(heard, Failed):
            if heard.outcome is Outcome.ABSENT:
                return None
            raise Unavailable(f"the venue does not say whose order {venue_order_id} is ({heard})")
        client_order_id = wire.text(wire.row(heard.value), "clientOrderId")
        self._names.learn(account.id, venue_order_id, client_order_id)
        return client_order_id

    def _maker_rate(self, keys: AsterKeys, symbol: str) -> Decimal:
        known = self._maker_rates.get((keys.user, symbol))
        if known is None:
            call = Call("GET", "/fapi/v3/commissionRate", (("symbol", symbol),), weight=20)
            known = wire.number(wire.row(self._rest.read(call, keys)), "makerCommissionRate")
            self._maker_rates[keys.user, symbol] = known
        return known

    # ── Income ────────────────────────────────────────────────────────────────────────────────────

    def funding_after(self, account: VenueAccount, venue_id: str | None) -> list[FundingPayment]:
        """Return the funding payments behind `venue_id`, oldest first; without it, those of the last seven days."""
        return [
            FundingPayment(name, wire.text(row, "symbol"), amount, currency, at)
            for row, name, amount, currency, at in self._income_after(account, venue_id, _FUNDING)
        ]

    def transfers_after(self, account: VenueAccount, venue_id: str | None) -> list[Transfer]:
        """Return what came in or left behind `venue_id`, oldest first; without it, that of the last seven days.

        Whatever changes the wallet and is neither a trade nor funding is among it, so that the books add up.
        """
        return [
            Transfer(name, amount, currency, at)
            for row, name, amount, currency, at in self._income_after(account, venue_id, None)
            if row.get("incomeType") not in _TRADED and row.get("incomeType") != _FUNDING
        ]

    def _income_after(
        self, account: VenueAccount, venue_id: str | None, kind: str | None
    ) -> list[tuple[wire.Row, str, Decimal, str, datetime]]:
        """Return income behind one of its ids, oldest first.

        Payments of one instant, as funding is, may become visible one after the other: for ten minutes those that
        share the instant of `venue_id` are told again. Who books them knows them by their ids.
        """
        now = self._their_now()
        after = _place_of(venue_id) if venue_id is not None else None
        start = from_micros(after[0] * 1_000) if after is not None else now - TOLD_FOR + _SLACK
        strict = after is not None and now - start > _SIBLINGS_FOR
        found = {}
        for row in self._income_from(self._keys_of(account), start, kind):
            at = wire.instant(row, "time")
            name = f"{millis(at)}.{wire.text(row, 'tranId')}.{row.get('symbol') or ''}.{wire.text(row, 'incomeType')}"
            place = _place_of(name)
            if after is not None and (name == venue_id or place[0] < after[0] or (strict and place <= after)):
                continue
            found[name] = (place, (row, name, wire.number(row, "income"), wire.text(row, "asset"), at))
        return [told for _, told in sorted(found.values(), key=lambda each: each[0])]

    def _income_from(self, keys: AsterKeys, start: datetime, kind: str | None) -> Iterator[wire.Row]:
        """Yield income from an instant on; spans of seven days, pages by time."""
        now = self._their_now() + _SLACK
        chosen = (("incomeType", kind),) if kind is not None else ()
        while start < now:
            stop = min(start + TOLD_FOR - _MILLISECOND, now)
            span = (("startTime", str(millis(start))), ("endTime", str(millis(stop))), ("limit", str(_PAGE)))
            page = wire.rows(self._rest.read(Call("GET", INCOME, (*chosen, *span), weight=30), keys))
            yield from page
            last = wire.instant(page[-1], "time") if len(page) == _PAGE else stop + _MILLISECOND
            # A full page ends inside of an instant, perhaps: begin there again. A whole page of one instant is passed.
            start = last if last > start else start + _MILLISECOND

    def traded_since(self, account: VenueAccount, when: datetime) -> set[str]:
        """Return the symbols in which income tells of trades since an instant, seven days back at most."""
        begun = max(when, self._clock.now() - TOLD_FOR + _SLACK)
        told = self._income_from(self._keys_of(account), begun, None)
        return {wire.text(row, "symbol") for row in told if row.get("incomeType") in _TRADED and row.get("symbol")}

    # ── What was missed ───────────────────────────────────────────────────────────────────────────

    def since(self, account: VenueAccount, when: datetime, symbols: Iterable[str]) -> list[AccountEvent]:
        """Return what happened on an account since an instant, as its stream would have told it.

        symbols   in which something may have happened; those that the account itself shows are added: of its
                  positions, its open orders and its income
        """
        keys = self._keys_of(account)
        begun = self._rest.in_their_time(when) - _SLACK
        touched = set(symbols)
        touched |= {wire.text(row, "symbol") for row in wire.rows(self._rest.read(_open_orders(), keys))}
        for row in wire.rows(self._rest.read(Call("GET", POSITIONS, weight=5), keys)):
            if wire.number(row, "positionAmt") != 0:
                touched.add(wire.text(row, "symbol"))
        events: list[AccountEvent] = []
        for row in self._income_from(keys, begun, None):
            if row.get("incomeType") in _TRADED and row.get("symbol"):
                touched.add(wire.text(row, "symbol"))
        for symbol in sorted(touched):
            events += [
                AccountEvent(account.id, report=report) for report in self._orders_since(account, keys, symbol, begun)
            ]
        return events + self._funding_from(account, begun)

    def funding_since(self, account: VenueAccount, when: datetime) -> list[AccountEvent]:
        """Return the funding payments since an instant, as a stream would tell them."""
        return self._funding_from(account, self._rest.in_their_time(when))

    def _their_now(self) -> datetime:
        return self._rest.in_their_time(self._clock.now())

    def _funding_from(self, account: VenueAccount, begun: datetime) -> list[AccountEvent]:
        place = f"{millis(begun)}.0.."
        return [AccountEvent(account.id, funding=each) for each in self.funding_after(account, place)]

    def _orders_since(
        self, account: VenueAccount, keys: AsterKeys, symbol: str, begun: datetime
    ) -> Iterator[OrderReport]:
        """Yield every order of an instrument that changed since an instant, with what it filled since then."""
        fills: dict[str, list[Fill]] = {}
        now = self._their_now() + _SLACK
        for row in self._trades_between(keys, symbol, begun, now):
            fill = self._fill(account, keys, row)
            fills.setdefault(fill.venue_order_id, []).append(fill)
        asked = (("symbol", symbol), ("startTime", str(millis(begun))), ("limit", str(_PAGE)))
        orders = {wire.text(row, "orderId"): row for row in wire.rows(self._rest.read(_all_orders(asked), keys))}
        for row in wire.rows(self._rest.read(_open_orders(symbol), keys)):
            orders.setdefault(wire.text(row, "orderId"), row)
        for number in fills.keys() - orders.keys():  # older than the instant, and filled since
            params = (("symbol", symbol), ("orderId", number))
            orders[number] = wire.row(self._rest.read(Call("GET", ORDER, params), keys))
        for number, row in sorted(orders.items(), key=lambda item: int(item[0])):
            yield wire.report_of(row, fills.get(number, ()))


def _open_orders(symbol: str | None = None) -> Call:
    params = (("symbol", symbol),) if symbol is not None else ()
    return Call("GET", OPEN_ORDERS, params, weight=1 if symbol is not None else 40)


def _all_orders(params: tuple[tuple[str, str], ...]) -> Call:
    return Call("GET", ALL_ORDERS, params, weight=5)


def _place_of(name: str) -> tuple[int, int, str]:
    """Return where a payment stands in time: milliseconds, the venue's number, and the rest of its id."""
    at, _, rest = name.partition(".")
    number, _, rest = rest.partition(".")
    return int(at), int(number) if number.isdigit() else 0, rest
