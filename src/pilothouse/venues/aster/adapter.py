"""AsterDEX perpetual futures as a venue of the house: the port on one side, the wire on the other."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from pilothouse.core.candle import Candle
from pilothouse.core.errors import NotFound, Refused, Unavailable, Unknown
from pilothouse.core.fill import Fill
from pilothouse.core.funding_rate import FundingRate
from pilothouse.core.instrument import Instrument
from pilothouse.core.quote import Quote
from pilothouse.kit.http_client import HttpClient, HttpLimits
from pilothouse.kit.throttle import Use
from pilothouse.venues.aster import market, wire
from pilothouse.venues.aster.accounts import Accounts
from pilothouse.venues.aster.card import card_of
from pilothouse.venues.aster.codes import Outcome
from pilothouse.venues.aster.endpoint import Endpoint
from pilothouse.venues.aster.history import OPEN_ORDERS, POSITIONS, History, OrderNames
from pilothouse.venues.aster.instruments import Instruments
from pilothouse.venues.aster.listening import Listening
from pilothouse.venues.aster.orders import Orders
from pilothouse.venues.aster.rest import Call, Failed, Rest, Said, Tools
from pilothouse.venues.aster.sign import AsterKeys, Signer
from pilothouse.venues.aster.stream import PriceSpeech
from pilothouse.venues.bounds import LeverageOutOfRange, Market
from pilothouse.venues.card import Card
from pilothouse.venues.held_streams import Patience, Streams
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
from pilothouse.venues.price_feeds import PriceFeeds
from pilothouse.venues.standing_orders import StandingOrders

ACCOUNT: Final = "/fapi/v3/accountWithJoinMargin"
POSITION_MODE: Final = "/fapi/v3/positionSide/dual"
AGENTS: Final = "/fapi/v3/agent"

_MARK_FOR: Final = timedelta(seconds=10)
_LIMITS: Final = HttpLimits(read_s=5.0)  # an order that is not answered by then is asked about


class HedgeMode(Refused):
    """The account keeps long and short apart; the house trades one-way."""

    code = "hedge_mode"


class NotTaken(Refused):
    """The venue does not take the credential: the signer is no agent of the account, or has expired."""

    code = "credential_not_taken"


class AsterVenue:
    """AsterDEX at one endpoint; safe for many threads. `close()` it."""

    def __init__(
        self,
        endpoint: Endpoint,
        accounts: Accounts,
        tools: Tools,
        *,
        http: HttpClient | None = None,
        followed: Sequence[str] = (),
        settlement: str = "USDT",
        patience: Patience | None = None,
    ) -> None:
        """Speak to `endpoint`; nothing is sent before the first question.

        http        closed with this; by default one with its usual limits
        followed    the symbols whose prices are followed from the beginning; more come with `follow`
        """
        self._endpoint = endpoint
        self._accounts = accounts
        self._tools = tools
        self._settlement = settlement
        self._patience = patience if patience is not None else Patience()
        self._rest = Rest(endpoint, http if http is not None else HttpClient(endpoint.rest_url, limits=_LIMITS), tools)
        names = OrderNames()
        self._history = History(self._rest, accounts.keys_of, names, tools.clock)
        self._orders = Orders(self._rest, accounts.keys_of, names, self._history, self._market)
        self._names = names
        self._streams = Streams("aster-streams")
        self._standing = StandingOrders()
        self._listening = Listening(
            self._rest, accounts.keys_of, self._streams, self._patience, tools.clock,
            history=self._history, names=names, standing=self._standing, find=self._orders.find,
        )  # fmt: skip
        self._feeds = PriceFeeds(
            self._streams,
            self._patience,
            speech=lambda: PriceSpeech(endpoint.stream_url, endpoint.venue),
            ask=partial(market.quotes_of, self._rest),
            in_our_time=self._rest.in_our_time,
            followed=followed,
        )
        self._instruments = Instruments(self._rest, accounts, tools.clock, settlement)

    def close(self) -> None:
        """End the streams and let go of every connection."""
        self._streams.close()
        self._rest.close()

    def warm(self) -> None:
        """Read clock, limits and instruments before the first order needs them. Raises Unavailable."""
        self._rest.learn()
        self._rest.read_clock()
        self.instruments()

    # ── What can be traded ────────────────────────────────────────────────────────────────────────

    @property
    def card(self) -> Card:
        """Return what this venue can do."""
        return card_of(self._endpoint)

    def instruments(self) -> Sequence[Instrument]:
        """Return everything that can be traded here, as of an hour ago at most. Raises Unavailable.

        When the venue does not answer, what it said last still holds.
        """
        return self._instruments.all()

    def _market(self, symbol: str) -> Market:
        """Return what is known of a symbol right now, without asking."""
        rules, quote = self._instruments.rules(symbol), self._feeds.latest(symbol)
        fresh = quote is not None and abs(self._tools.clock.now() - quote.at) < _MARK_FOR
        return Market(rules, quote.mark if quote is not None and fresh else None)

    def quotes(self, symbols: Collection[str] = ()) -> list[Quote]:
        """Ask for the present prices of `symbols`; none named: of what is followed. Raises Unavailable."""
        return self._feeds.quotes(symbols)

    def timeframes(self) -> tuple[str, ...]:
        """Return how long candles may be here."""
        return market.TIMEFRAMES

    def candles(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> list[Candle]:
        """Ask for candles that open from `start` to `end`, oldest first, up to 1,500. Raises NotFound, Unavailable."""
        if timeframe not in market.TIMEFRAMES:
            known = ", ".join(market.TIMEFRAMES)
            raise NotFound(f"{self._endpoint.title} has no candles of {timeframe[:20]!r}; it has {known}")
        their_now = self._rest.in_their_time(self._tools.clock.now())
        return market.candles_of(self._rest, symbol, timeframe, start, end, their_now)

    def tells_funding(self) -> bool:
        """Say that past funding rates can be asked for."""
        return True

    def funding_rates(self, symbol: str, start: datetime, end: datetime) -> list[FundingRate]:
        """Ask for funding rates from `start` to `end`, oldest first, up to 1,000. Raises Unavailable."""
        return market.funding_of(self._rest, symbol, start, end)

    def depth(self, symbol: str, levels: int = 100) -> market.Depth:
        """Ask for the best levels of a book. Raises Unavailable."""
        return market.depth_of(self._rest, symbol, levels)

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, account: VenueAccount, orders: Sequence[OrderRequest]) -> list[PlaceOutcome]:
        """Place orders in their order; one outcome each. Never raises for an order's own fault."""
        self._standing.touched(account.id, [request.terms.symbol for request in orders])
        outcomes = self._orders.place(account, orders)
        for outcome in outcomes:
            if isinstance(outcome, Accepted):
                self._standing.note(account.id, outcome.report)
        return outcomes

    def cancel(
        self, account: VenueAccount, symbol: str, client_order_id: str, stamped_at: datetime | None = None
    ) -> CancelOutcome:
        """Cancel one order."""
        return self._orders.cancel(account, symbol, client_order_id, stamped_at)

    def amend(self, account: VenueAccount, client_order_id: str, wanted: OrderRequest) -> AmendOutcome:
        """Change a resting order: a limit order in place, any other by another that takes its place."""
        return self._orders.amend(account, client_order_id, wanted)

    def changes_in_place(self, wanted: OrderRequest) -> bool:
        """Say whether `amend` changes an order of this kind in place."""
        return self._orders.changes_in_place(wanted)

    def find(self, account: VenueAccount, symbol: str, client_order_id: str) -> FindOutcome:
        """Ask for one order by our id, open or not, with all of its fills."""
        return self._orders.find(account, symbol, client_order_id)

    def open_orders(self, account: VenueAccount) -> list[OrderReport]:
        """Return every order that stands, ours or not. Raises Unavailable."""
        told = wire.rows(self._read(account, Call("GET", OPEN_ORDERS, weight=40)))
        reports = [wire.report_of(row) for row in told]
        for report in reports:
            self._names.learn(account.id, report.venue_order_id, report.client_order_id)
        return reports

    # ── History ───────────────────────────────────────────────────────────────────────────────────

    def fills_after(self, account: VenueAccount, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Return the fills behind `venue_trade_id`, oldest first; without it, of seven days. Raises Unavailable."""
        return self._history.fills_after(account, symbol, venue_trade_id)

    def funding_after(self, account: VenueAccount, venue_id: str | None) -> list[FundingPayment]:
        """Return funding behind `venue_id`, oldest first; without it, that of seven days. Raises Unavailable."""
        return self._history.funding_after(account, venue_id)

    def transfers_after(self, account: VenueAccount, venue_id: str | None) -> list[Transfer]:
        """Return what came in or left behind `venue_id`, oldest first; without it, that of seven days.

        Raises Unavailable.
        """
        return self._history.transfers_after(account, venue_id)

    def traded_since(self, account: VenueAccount, since: datetime) -> Collection[str]:
        """Return the symbols in which an account traded since then, seven days back at most. Raises Unavailable."""
        return self._history.traded_since(account, since)

    # ── The account now ───────────────────────────────────────────────────────────────────────────

    def positions(self, account: VenueAccount) -> list[VenuePosition]:
        """Return every position that is not flat. Raises Unavailable, also for an account in hedge mode."""
        held = []
        for row in wire.rows(self._read(account, Call("GET", POSITIONS, weight=5))):
            if wire.number(row, "positionAmt") == 0:
                continue
            if row.get("positionSide", "BOTH") != "BOTH":
                raise Unavailable("the account keeps long and short apart (hedge mode); the house trades one-way")
            held.append(wire.position_of(row))
        return held

    def balance(self, account: VenueAccount) -> VenueBalance:
        """Return what the account holds of its settlement currency. Raises Unavailable."""
        return wire.balance_of(wire.row(self._read(account, Call("GET", ACCOUNT, weight=5))), self._settlement)

    def settings(self, account: VenueAccount, symbol: str) -> tuple[int, MarginType]:
        """Return leverage and margin type in one instrument. Raises Unavailable or NotFound."""
        for row in wire.rows(self._read(account, Call("GET", POSITIONS, (("symbol", symbol),), weight=5))):
            if row.get("symbol") == symbol:
                position = wire.position_of(row)
                return position.leverage, position.margin_type
        raise NotFound(f"the venue knows no instrument {symbol[:40]!r}")

    def clock_ahead(self) -> timedelta | None:
        """Return how far the venue's clock is ahead of ours, as it was read last; None: not yet."""
        return self._rest.ahead

    def set_leverage(
        self, account: VenueAccount, symbol: str, leverage: int, stamped_at: datetime | None = None
    ) -> int:
        """Set the leverage and return it. Raises Refused, Unavailable or Unknown."""
        rules = self._instruments.rules(symbol)
        if leverage < 1 or (rules is not None and leverage > rules.instrument.leverage_max):
            most = rules.instrument.leverage_max if rules is not None else 125
            raise LeverageOutOfRange(f"{symbol} has a leverage from 1 to {most}, not {leverage}")
        params = (("symbol", symbol), ("leverage", str(leverage)))
        value = self._set(account, "/fapi/v3/leverage", params, stamped_at)
        return leverage if value is None else int(wire.number(wire.row(value), "leverage"))

    def set_margin_type(
        self, account: VenueAccount, symbol: str, margin_type: MarginType, stamped_at: datetime | None = None
    ) -> MarginType:
        """Set the margin type and return it; no change is success. Raises Refused, Unavailable or Unknown."""
        params = (("symbol", symbol), ("marginType", margin_type.value))
        self._set(account, "/fapi/v3/marginType", params, stamped_at)
        return margin_type

    def cancel_after(self, account: VenueAccount, symbol: str, seconds: int) -> None:
        """Have every order of the instrument cancelled in so many seconds, stops too; 0: not at all.

        Raises Refused, Unavailable or Unknown.
        """
        params = (("symbol", symbol), ("countdownTime", str(seconds * 1_000)))
        self._set(account, "/fapi/v3/countdownCancelAll", params)

    def hedge_mode(self, account: VenueAccount) -> bool:
        """Say whether the account keeps long and short apart. Raises Unavailable."""
        return wire.truth(wire.row(self._read(account, Call("GET", POSITION_MODE, weight=30))), "dualSidePosition")

    def set_one_way(self, account: VenueAccount) -> None:
        """Let the account have one position for each instrument. Raises Refused, Unavailable or Unknown."""
        self._set(account, POSITION_MODE, (("dualSidePosition", "false"),))

    def examine(self, account: VenueAccount) -> Examined:
        """Try an account without changing anything. Raises Refused (its key does not fit) or Unavailable."""
        keys = self._accounts.keys_of(account)
        signer = Signer.of(keys, self._endpoint.chain_id)
        ahead = self._rest.read_clock()
        heard = self._rest.ask(Call("GET", ACCOUNT, weight=5), keys)
        if isinstance(heard, Failed) and heard.outcome is Outcome.REJECTED:
            raise NotTaken(f"{self._endpoint.title} does not take this credential: {heard.message} ({heard.code})")
        if isinstance(heard, Failed):
            raise Unavailable(f"{self._endpoint.title} did not answer {ACCOUNT} ({heard})")
        told = wire.row(heard.value)
        hedge = self.hedge_mode(account)
        return Examined(
            label=signer.address,
            clock_ahead=ahead,
            balance=wire.balance_of(told, self._settlement),
            hedge_mode=hedge,
            may_trade=wire.truth(told, "canTrade") if "canTrade" in told else None,
            may_withdraw=self._may_withdraw(account, keys, signer.address),
            positions=() if hedge else tuple(self.positions(account)),
        )

    def _may_withdraw(self, account: VenueAccount, keys: AsterKeys, signer: str) -> bool | None:
        """Say whether the key may withdraw; None: the venue does not say.

        A wallet's own key moves everything. Of an agent the venue tells; `canWithdraw` of an account is not about keys.
        """
        if keys.user.strip().lower() == signer:
            return True
        try:
            agents = wire.rows(self._read(account, Call("GET", AGENTS)))
        except (Refused, Unavailable):  # it has answered everything else: this it does not tell
            return None
        mine = next((row for row in agents if str(row.get("agentAddress", "")).lower() == signer), None)
        return wire.truth(mine, "canWithdraw") if mine is not None and "canWithdraw" in mine else None

    def _set(
        self,
        account: VenueAccount,
        path: str,
        params: tuple[tuple[str, str], ...],
        stamped_at: datetime | None = None,
    ) -> object:
        """Set something; return the answer, or None if it was so already."""
        call = Call("POST", path, params, use=Use.ORDER, stamped_at=stamped_at)
        heard = self._rest.ask(call, self._accounts.keys_of(account))
        if isinstance(heard, Said):
            return heard.value
        match heard.outcome:
            case Outcome.NO_CHANGE:
                return None
            case Outcome.REJECTED:
                raise Refused(f"{heard.message} ({heard.code})")
            case Outcome.NOT_NOW | Outcome.STALE:
                raise Unavailable(f"{self._endpoint.title} did not set it ({heard})")
            case _:
                raise Unknown(f"{self._endpoint.title} may have set it, or not ({heard})")

    def _read(self, account: VenueAccount, call: Call) -> object:
        return self._rest.read(call, self._accounts.keys_of(account))

    # ── Listeners ─────────────────────────────────────────────────────────────────────────────────

    def listen(self, account: VenueAccount, sink: Callable[[AccountEvent], None]) -> Callable[[], None]:
        """Hand every event of one account to `sink`, on the streams' thread; return what stops it.

        `sink` must not block. After each reconnect it is first told what was missed.
        """
        return self._listening.listen(account, sink)

    def watch(self, sink: Callable[[Sequence[Quote]], None]) -> Callable[[], None]:
        """Hand quotes of what is followed to `sink` as they change; return what stops it. `sink` must not block."""
        return self._feeds.watch(sink)

    def follow(self, symbols: Collection[str]) -> None:
        """Follow the prices of these symbols too, as soon as somebody watches; does not wait."""
        self._feeds.follow(symbols)
