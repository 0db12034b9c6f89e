"""An exchange before any account of it: its wire, its limits, its names, and what everybody may ask.

What holds for all that ccxt knows, and may be put differently for each: `plain.py` has the rest, and says how.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final

from pilothouse.core.candle import Candle
from pilothouse.core.clock import from_micros, millis
from pilothouse.core.errors import NotFound, Refused
from pilothouse.core.funding_rate import FundingRate
from pilothouse.core.quote import Quote
from pilothouse.kit.sealed import digest
from pilothouse.kit.throttle import Budget
from pilothouse.venues.bounds import Rules
from pilothouse.venues.ccxt import words
from pilothouse.venues.ccxt.codes import Fault, Outcome, plain_outcome
from pilothouse.venues.ccxt.exchange import Failed, Outgoing, Session
from pilothouse.venues.ccxt.library import ccxt
from pilothouse.venues.ccxt.words import Traded

_HUNDREDTHS: Final = 100


class PlainMarket:
    """One exchange, before any account. Keeps nothing of its own but in `Session.shared`; one serves all threads.

    exchange     ccxt's name
    kind         what is traded: "swap" (linear, against `settlement`) or "spot"
    settlement   the currency that accounts are kept in
    options      of ccxt
    trails       whether its own trailing orders are used
    """

    exchange: ClassVar[str] = ""
    title: ClassVar[str] = ""
    kind: ClassVar[str] = "swap"
    settlement: ClassVar[str] = "USDT"
    options: ClassVar[Mapping[str, Any]] = {}
    trails: ClassVar[bool] = False

    # ── The wire ──────────────────────────────────────────────────────────────────────────────────

    def prepare(self, x: Any) -> None:
        """Set what ccxt is to leave out or to do, once, on a new object: no fee for anybody but the exchange."""
        # Orders of all instruments are asked for at once; what that costs is counted, so no warning has to stop it.
        x.options["warnOnFetchOpenOrdersWithoutSymbol"] = False

    def testnet(self, x: Any) -> None:
        """Turn a new object to the exchange's testnet. Raises Refused if there is none."""
        if "test" not in x.urls:
            raise Refused(f"ccxt knows no testnet of {self.exchange}")
        x.set_sandbox_mode(True)

    def changes(self, out: Outgoing) -> bool:
        """Say whether a request may change something: if its answer is lost, nobody can say what was done."""
        return out.method != "GET"

    def fault_of(self, session: Session, status: int, text: str, value: Any, out: Outgoing) -> Fault | None:
        """Return the error in an answer, or None if it is none: here, what ccxt raises at it says which it is."""
        kind = ""
        try:
            session.x.handle_errors(
                status, "", out.url, out.method, {}, text, value, dict(out.headers), out.body or None
            )
        except ccxt.BaseError as error:
            kind = type(error).__name__
        except (TypeError, ValueError, LookupError, AttributeError):  # it did not expect such an answer
            kind = "BadResponse"
        if not kind and 200 <= status < 300:
            return None
        return Fault(status, self.code_of(value), self.text_of(value) or text, kind)

    def code_of(self, value: Any) -> str:
        """Return the exchange's own code in an error; empty if there is none."""
        told = value.get("code", value.get("retCode", "")) if isinstance(value, Mapping) else ""
        return str(told) if isinstance(told, str | int) and not isinstance(told, bool) else ""

    def text_of(self, value: Any) -> str:
        """Return the exchange's own words in an error; empty if there are none."""
        names = ("msg", "message", "retMsg", "error")
        told = next((value[name] for name in names if value.get(name)), "") if isinstance(value, Mapping) else ""
        return told if isinstance(told, str) else ""

    def outcome(self, fault: Fault) -> Outcome:
        """Return what an error means."""
        return plain_outcome(fault)

    def would_trigger(self, failed: Failed) -> bool:
        """Say whether an order was refused because its trigger was passed already."""
        return False

    # ── Limits ────────────────────────────────────────────────────────────────────────────────────

    def costs(self, venue: str, address: str, session: Session, out: Outgoing) -> Mapping[Budget, int]:
        """Return what a request takes from which budgets: here by ccxt's table, in hundredths of its measure."""
        pace = Decimal(str(session.x.rateLimit or 100))
        limit = max(1, int(Decimal(60_000 * _HUNDREDTHS) / pace))
        weight = int(Decimal(str(out.cost)) * _HUNDREDTHS)
        return {Budget(f"{venue}:{address}:weight", limit, kept=limit // 4): weight}

    def used(self, costs: Mapping[Budget, int], headers: Mapping[str, str]) -> Mapping[Budget, int]:
        """Return what the exchange says was used of which budget in this window."""
        return {}

    def blocked(self, costs: Mapping[Budget, int], fault: Fault) -> Iterable[Budget]:
        """Return the budgets of which nobody may spend when an answer says that it is too much."""
        return costs

    @staticmethod
    def owner(session: Session) -> str:
        """Return a name for whose limits an account's are: the same for the same key, and not the key."""
        return digest(session.keys.get("apiKey") or session.keys.get("walletAddress"))[:16]

    # ── Names ─────────────────────────────────────────────────────────────────────────────────────

    def client_id(self, client_order_id: str) -> str:
        """Return our client id as the exchange takes it; the same for the same, for ever."""
        return client_order_id

    def our_id(self, told: str) -> str:
        """Return the client id that `client_id` made `told` of; what it did not make, as it is."""
        return told

    def symbol_of(self, market: words.Row) -> str:
        """Return what an instrument is called here: the exchange's own id."""
        return words.text(market, "id")

    def offers(self, market: words.Row) -> bool:
        """Say whether a market is one of those that are traded here."""
        if market.get("active") is False or market.get("quote") != self.settlement:
            return False
        if self.kind == "spot":
            return market.get("spot") is True
        return market.get("swap") is True and market.get("linear") is True and market.get("settle") == self.settlement

    def markets(self, session: Session, *, fresh: bool = False) -> Mapping[str, Traded]:
        """Return what is traded, by our symbols; the markets are read once for all sessions of a venue."""
        known: Any = session.shared.get("x")
        if known is None or fresh:
            session.x.load_markets(fresh)
            session.shared["x"] = known = session.x
            session.shared["traded"] = {
                (symbol := self.symbol_of(market)): words.traded_of(symbol, market)
                for market in known.markets.values()
                if self.offers(market)
            }
        if session.x.markets is not known.markets:
            session.x.set_markets_from_exchange(known)
        traded: Mapping[str, Traded] = session.shared["traded"]
        return traded

    def traded(self, session: Session, symbol: str) -> Traded:
        """Return both names of an instrument. Raises NotFound."""
        found = self.markets(session).get(symbol)
        if found is None:
            raise NotFound(f"{self.title} trades no {symbol[:40]!r}")
        return found

    def named(self, session: Session, told: words.Row) -> Traded | None:
        """Return the names of what ccxt tells something of; None if it is not traded here."""
        unified = told.get("symbol")
        return next((each for each in self.markets(session).values() if each.unified == unified), None)

    # ── What can be traded ────────────────────────────────────────────────────────────────────────

    def server_time(self, session: Session) -> datetime | None:
        """Ask for the exchange's time; None if it does not tell it."""
        if not session.x.has.get("fetchTime"):
            return None
        return from_micros(int(session.x.fetch_time()) * 1_000)

    def instruments(self, session: Session) -> dict[str, Rules]:
        """Ask for everything that can be traded, by symbol."""
        found = {}
        for symbol, traded in self.markets(session, fresh=True).items():
            market = session.x.markets[traded.unified]
            limits = words.row((market.get("limits") or {}).get("leverage") or {})
            most = int(words.number_or_zero(limits, "max")) if self.kind == "swap" else 1
            instrument = words.instrument_of(symbol, market, session.x.precisionMode, most or 1)
            if instrument is not None:
                found[symbol] = Rules(instrument)
        return found

    def quotes(self, session: Session, symbols: Sequence[str], venue: str) -> list[Quote]:
        """Ask for the present prices of `symbols`."""
        quotes = []
        for symbol in symbols:
            traded = self.traded(session, symbol)
            ticker = words.row(session.x.fetch_ticker(traded.unified))
            bid, ask = words.number_or_zero(ticker, "bid"), words.number_or_zero(ticker, "ask")
            last = words.number_or_zero(ticker, "last") or bid
            mark = words.number_or_zero(ticker, "markPrice") or last
            if 0 < bid < ask:
                at = words.instant(ticker, "timestamp") if ticker.get("timestamp") else session.now()
                quotes.append(Quote(symbol, bid, ask, mark, last, at, venue))
        return quotes

    def timeframes(self, session: Session) -> tuple[str, ...]:
        """Return how long candles may be; asks nothing."""
        return tuple(session.x.timeframes or ()) if session.x.has.get("fetchOHLCV") else ()

    def candles(self, session: Session, symbol: str, timeframe: str, start: datetime, end: datetime) -> list[Candle]:
        """Ask for candles that open from `start` to `end`, oldest first."""
        span = timedelta(seconds=int(session.x.parse_timeframe(timeframe)))
        told = session.x.fetch_ohlcv(self.traded(session, symbol).unified, timeframe, millis(start), 500)
        candles = []
        for row in told:
            named = dict(zip(("at", "open", "high", "low", "close", "volume"), row, strict=False))
            at = words.instant(named, "at")
            if start <= at <= end:
                prices = [words.number(named, name) for name in ("open", "high", "low", "close", "volume")]
                first, high, low, last, volume = prices
                candles.append(Candle(at, first, high, low, last, volume, closed=at + span <= session.now()))
        return candles

    tells_funding: ClassVar[bool] = False
    without_funding: ClassVar[str] = "give backtests a file of it"
    """What somebody who asked for funding is told where none can be asked for."""

    def funding_rates(self, session: Session, symbol: str, start: datetime, end: datetime) -> list[FundingRate]:
        """Ask for funding rates from `start` to `end`, oldest first; only where `tells_funding`."""
        raise NotImplementedError
