"""Any exchange that ccxt knows as a venue of the house: the port on one side, one exchange's quirks on the other."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog

from pilothouse.core.candle import Candle
from pilothouse.core.errors import NotFound, Refused, Unavailable, Unknown
from pilothouse.core.fill import Fill
from pilothouse.core.funding_rate import FundingRate
from pilothouse.core.instrument import Instrument
from pilothouse.core.quote import Quote
from pilothouse.kit.throttle import Use
from pilothouse.venues.bounds import LeverageOutOfRange, Market, Rules
from pilothouse.venues.card import Card
from pilothouse.venues.ccxt.codes import Outcome
from pilothouse.venues.ccxt.exchange import Endpoint, Failed, Keys, Session
from pilothouse.venues.ccxt.listening import Listening
from pilothouse.venues.ccxt.names import OrderNames
from pilothouse.venues.ccxt.orders import Orders
from pilothouse.venues.ccxt.plain import Quirks
from pilothouse.venues.ccxt.rest import Rest, Said, Tools
from pilothouse.venues.held_streams import Patience
from pilothouse.venues.port import (
    Accepted,
    AccountEvent,
    AmendOutcome,
    CancelOutcome,
    Examined,
    FindOutcome,
    FundingPayment,
    MarginType,
    OrderReport,
    OrderRequest,
    PlaceOutcome,
    Transfer,
    VenueAccount,
    VenueBalance,
    VenuePosition,
)

T = TypeVar("T")

_RULES_FOR: Final = timedelta(hours=1)
_MARK_FOR: Final = timedelta(seconds=10)
_log = structlog.get_logger("pilothouse.venues.ccxt")


@dataclass(frozen=True, slots=True)
class Accounts:
    """Whose orders these are.

    keys_of   returns what signs for an account; raises Refused if there is nothing
    all       returns every account here that can sign
    """

    keys_of: Callable[[VenueAccount], Keys]
    all: Callable[[], Sequence[VenueAccount]]


class CcxtVenue:
    """One exchange at one endpoint; safe for many threads. `close()` it."""

    def __init__(
        self,
        endpoint: Endpoint,
        quirks: Quirks,
        card: Card,
        accounts: Accounts,
        tools: Tools,
        *,
        patience: Patience | None = None,
    ) -> None:
        """Speak to `endpoint` as `quirks` say; nothing is sent before the first question."""
        self._endpoint = endpoint
        self._quirks = quirks
        self._card = card
        self._accounts = accounts
        self._tools = tools
        self._rest = Rest(endpoint, quirks, tools, OrderNames())
        self._orders = Orders(self._rest, accounts.keys_of, self._market)
        self._listening = Listening(self._rest, accounts.keys_of, self._orders, tools.clock, patience or Patience())
        self._lock = threading.Lock()
        self._rules: Mapping[str, Rules] = {}
        self._rules_at: datetime | None = None

    def close(self) -> None:
        """End the streams and let go of every connection. Safe to call twice."""
        self._listening.close()
        self._rest.close()

    # ── What can be traded ────────────────────────────────────────────────────────────────────────

    @property
    def card(self) -> Card:
        """Return what this venue can do."""
        return self._card

    def instruments(self) -> Sequence[Instrument]:
        """Return everything that can be traded here, as of an hour ago at most. Raises Unavailable.

        When the exchange does not answer, what it said last still holds.
        """
        now = self._tools.clock.now()
        with self._lock:
            fresh = self._rules_at is not None and now - self._rules_at < _RULES_FOR
        if not fresh:
            try:
                rules = self._rest.read(self._quirks.instruments, *self._any_account())
            except Unavailable:
                if not self._rules:
                    raise
                _log.warning("instruments_not_refreshed", venue=self._endpoint.venue)
            else:
                with self._lock:
                    self._rules, self._rules_at = rules, now
        return [rules.instrument for rules in self._rules.values()]

    def _any_account(self) -> tuple[str, Keys]:
        """Return an account that can sign, if there is one: some exchanges tell the most leverage to accounts only."""
        for account in self._accounts.all():
            try:
                return account.id, self._accounts.keys_of(account)
            except Refused as refused:
                _log.warning("account_cannot_sign", account_id=account.id, why=str(refused))
        return "", Keys()

    def _market(self, symbol: str) -> Market:
        """Return what is known of a symbol right now, without asking."""
        rules, quote = self._rules.get(symbol), self._listening.prices.latest(symbol)
        fresh = quote is not None and abs(self._tools.clock.now() - quote.at) < _MARK_FOR
        return Market(rules, quote.mark if quote is not None and fresh else None)

    def quotes(self, symbols: Collection[str] = ()) -> list[Quote]:
        """Ask for the present prices of `symbols`; none named: of what is followed. Raises Unavailable."""
        return self._listening.prices.quotes(symbols)

    def timeframes(self) -> tuple[str, ...]:
        """Return how long candles may be here."""
        return self._rest.read(self._quirks.timeframes)

    def candles(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> list[Candle]:
        """Ask for candles that open from `start` to `end`, oldest first. Raises NotFound, Unavailable."""
        known = self.timeframes()
        if timeframe not in known:
            raise NotFound(f"{self._quirks.title} has no candles of {timeframe[:20]!r}; it has {', '.join(known)}")
        return self._rest.read(lambda session: self._quirks.candles(session, symbol, timeframe, start, end))

    def tells_funding(self) -> bool:
        """Say whether past funding rates can be asked for."""
        return self._quirks.tells_funding

    def funding_rates(self, symbol: str, start: datetime, end: datetime) -> list[FundingRate]:
        """Ask for funding rates from `start` to `end`, oldest first. Raises NotFound, Unavailable."""
        if not self._quirks.tells_funding:
            raise NotFound(f"no history of funding is asked of {self._quirks.title}: {self._quirks.without_funding}")
        return self._rest.read(lambda session: self._quirks.funding_rates(session, symbol, start, end))

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, account: VenueAccount, orders: Sequence[OrderRequest]) -> list[PlaceOutcome]:
        """Place orders in their order; one outcome each. Never raises for an order's own fault."""
        outcomes = self._orders.place(account, orders)
        self._listening.orders.touched(account.id, [request.terms.symbol for request in orders])
        for outcome in outcomes:
            if isinstance(outcome, Accepted):
                self._listening.orders.note(account.id, outcome.report)
        return outcomes

    def cancel(
        self, account: VenueAccount, symbol: str, client_order_id: str, stamped_at: datetime | None = None
    ) -> CancelOutcome:
        """Cancel one order."""
        return self._orders.cancel(account, symbol, client_order_id, stamped_at)

    def amend(self, account: VenueAccount, client_order_id: str, wanted: OrderRequest) -> AmendOutcome:
        """Change a resting order, in place where the exchange can; else another takes its place."""
        return self._orders.amend(account, client_order_id, wanted)

    def changes_in_place(self, wanted: OrderRequest) -> bool:
        """Say whether `amend` changes an order of this kind in place."""
        return self._orders.changes_in_place(wanted)

    def find(self, account: VenueAccount, symbol: str, client_order_id: str) -> FindOutcome:
        """Ask for one order by our id, open or not, with all of its fills."""
        return self._orders.find(account, symbol, client_order_id)

    def open_orders(self, account: VenueAccount) -> list[OrderReport]:
        """Return every order that stands, ours or not. Raises Unavailable."""
        return self._read(account, self._quirks.open_orders)

    # ── History ───────────────────────────────────────────────────────────────────────────────────

    def fills_after(self, account: VenueAccount, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Return the fills behind `venue_trade_id`, oldest first; without it, of seven days. Raises Unavailable."""
        return self._read(account, lambda session: self._quirks.fills_after(session, symbol, venue_trade_id))

    def funding_after(self, account: VenueAccount, venue_id: str | None) -> list[FundingPayment]:
        """Return funding behind `venue_id`, oldest first; without it, that of seven days. Raises Unavailable."""
        return self._read(account, lambda session: self._quirks.funding_after(session, venue_id))

    def transfers_after(self, account: VenueAccount, venue_id: str | None) -> list[Transfer]:
        """Return what came in or left behind `venue_id`, oldest first; without it, that of seven days.

        Raises Unavailable.
        """
        return self._read(account, lambda session: self._quirks.transfers_after(session, venue_id))

    # ── The account now ───────────────────────────────────────────────────────────────────────────

    def positions(self, account: VenueAccount) -> list[VenuePosition]:
        """Return every position that is not flat; on spot, every coin that is held. Raises Unavailable."""
        return self._read(account, self._quirks.positions)

    def balance(self, account: VenueAccount) -> VenueBalance:
        """Return what the account holds of its settlement currency. Raises Unavailable."""
        return self._read(account, self._quirks.balance)

    def settings(self, account: VenueAccount, symbol: str) -> tuple[int, MarginType]:
        """Return leverage and margin type in one instrument. Raises Unavailable or NotFound."""
        return self._read(account, lambda session: self._quirks.settings(session, symbol))

    def clock_ahead(self) -> timedelta | None:
        """Return how far the venue's clock is ahead of ours, as it was read last; None: not yet."""
        return self._rest.ahead

    def set_leverage(
        self, account: VenueAccount, symbol: str, leverage: int, stamped_at: datetime | None = None
    ) -> int:
        """Set the leverage and return it. Raises Refused, Unavailable or Unknown."""
        rules = self._rules.get(symbol)
        most = rules.instrument.leverage_max if rules is not None else None
        if leverage < 1 or (most is not None and leverage > most):
            raise LeverageOutOfRange(f"{symbol} has a leverage from 1 to {most or 'what is told'}, not {leverage}")
        told = self._set(account, lambda session: self._quirks.set_leverage(session, symbol, leverage), stamped_at)
        return leverage if told is None else told

    def cancel_after(self, account: VenueAccount, symbol: str, seconds: int) -> None:
        """Have the orders of the instrument cancelled in so many seconds; 0: not at all.

        Raises Refused (the exchange has no countdown, or says no), Unavailable or Unknown.
        """
        self._set(account, lambda session: self._quirks.cancel_after(session, symbol, seconds))

    def set_margin_type(
        self, account: VenueAccount, symbol: str, margin_type: MarginType, stamped_at: datetime | None = None
    ) -> MarginType:
        """Set the margin type and return it; no change is success. Raises Refused, Unavailable or Unknown."""
        self._set(account, lambda session: self._quirks.set_margin_type(session, symbol, margin_type), stamped_at)
        return margin_type

    def examine(self, account: VenueAccount) -> Examined:
        """Try an account without changing anything. Raises Refused (its key is not taken) or Unavailable."""
        keys = self._accounts.keys_of(account)
        ahead = self._rest.read_clock()
        heard = self._rest.ask(self._quirks.examine, account.id, keys)
        if isinstance(heard, Failed):
            if heard.outcome is Outcome.REJECTED:
                raise Refused(f"{self._quirks.title} does not take this key: {heard.message} ({heard.code})")
            raise Unavailable(f"{self._quirks.title} did not answer ({heard})")
        found = heard.value
        return Examined(
            label=found.label,
            clock_ahead=ahead,
            balance=self.balance(account),
            hedge_mode=found.hedge_mode,
            may_trade=found.may_trade,
            may_withdraw=found.may_withdraw,
            positions=() if found.hedge_mode else tuple(self.positions(account)),
        )

    def _set(self, account: VenueAccount, work: Callable[[Session], T], stamped_at: datetime | None = None) -> T | None:
        """Set something; return what was answered, or None if it was so already."""
        keys = self._accounts.keys_of(account)
        heard: Said[T] | Failed = self._rest.ask(work, account.id, keys, use=Use.ORDER, stamped_at=stamped_at)
        if isinstance(heard, Said):
            return heard.value
        match heard.outcome:
            case Outcome.NO_CHANGE:
                return None
            case Outcome.REJECTED:
                raise Refused(f"{heard.message} ({heard.code})")
            case Outcome.NOT_NOW | Outcome.STALE:
                raise Unavailable(f"{self._quirks.title} did not set it ({heard})")
            case _:
                raise Unknown(f"{self._quirks.title} may have set it, or not ({heard})")

    def _read(self, account: VenueAccount, work: Callable[[Session], T]) -> T:
        return self._rest.read(work, account.id, self._accounts.keys_of(account))

    # ── Listeners ─────────────────────────────────────────────────────────────────────────────────

    def listen(self, account: VenueAccount, sink: Callable[[AccountEvent], None]) -> Callable[[], None]:
        """Hand every event of one account to `sink`, on the streams' thread; return what stops it.

        `sink` must not block. After each reconnect it is first told what was missed.
        """
        return self._listening.listen(account, sink)

    def watch(self, sink: Callable[[Sequence[Quote]], None]) -> Callable[[], None]:
        """Hand quotes of what is followed to `sink` as they change; return what stops it. `sink` must not block."""
        return self._listening.prices.watch(sink)

    def follow(self, symbols: Collection[str]) -> None:
        """Follow the prices of these symbols too, as soon as somebody watches; does not wait."""
        self._listening.prices.follow(symbols)

    def spoken(self, work: Callable[[Any], T]) -> T:
        """Do a piece of work on an object of ccxt without an account and return its value. Raises Unavailable."""
        return self._rest.read(lambda session: work(session.x))
