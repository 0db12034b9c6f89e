"""Streams: who listens to what, and what each stream says. Events of the exchange in, texts for connections out."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from pilothouse.simexchange import stream_words
from pilothouse.simexchange.candles import INTERVALS, joined
from pilothouse.simexchange.exchange import Exchange
from pilothouse.simexchange.faults import Faults
from pilothouse.simexchange.records import BINANCE, PublicTrade, Told
from pilothouse.simexchange.trade_rest import aggregate_words
from pilothouse.simexchange.user_events import order_update

_FOR_ALL = frozenset({"ticker", "miniTicker", "bookTicker", "markPrice", "forceOrder", "contractInfo", "assetIndex"})
_CANDLES_TOLD_MAX = 1_500
_WINDOWS = {"1h": 60, "4h": 240, "1d": 1_440}

_encode = msgspec.json.encode


class Listening(Protocol):
    """A connection that listens."""

    def tell(self, name: str, text: bytes) -> None:
        """Send what a stream says, wrapped as this connection wants it."""
        ...

    def drop(self) -> None:
        """Cut the connection."""
        ...


def routes_of(name: str, *, is_key: bool) -> frozenset[str]:
    """Return the parts of the venue's addresses that carry a stream; single trades are looked for in two of them."""
    if is_key or ("@" not in name and not name.startswith("!") and name != "tradingSession"):
        return frozenset({"private"})
    kind = name.partition("@")[2] or name[1:]
    if kind == "trade":
        return frozenset({"public", "market"})
    return frozenset({"public" if kind.startswith(("depth", "bookTicker", "rpiDepth")) else "market"})


class Hub:
    """All subscriptions of one exchange."""

    def __init__(self, exchange: Exchange, faults: Faults, later: Callable[[int, Callable[[], None]], None]) -> None:
        """Listen to the exchange; `later` runs something after so many milliseconds."""
        self.exchange = exchange
        self.faults = faults
        self._later = later
        self._market: dict[str, dict[Listening, str]] = {}
        self._users: dict[str, dict[Listening, tuple[str, frozenset[str]]]] = {}
        self._deaf: dict[Listening, dict[str, None]] = {}
        self._open: dict[str, int] = {}
        self._held: list[tuple[str, str, dict[str, Any]]] = []
        self._second = 0
        exchange.telling.listeners.append(self._hear)
        exchange.telling.watched = self._is_watched

    def subscribe(
        self, connection: Listening, name: str, events: frozenset[str] = frozenset(), route: str = ""
    ) -> bool:
        """Let a connection hear a stream or, by a listen key, a user's events; False if nothing will be heard.

        route   public, market or private: what is not carried there is subscribed to and stays silent, as at the
                venue; empty: an address of old, which carries everything
        """
        if route and route not in routes_of(name, is_key=name in self.exchange.listen_keys.owners):
            self._deaf.setdefault(connection, {})[name] = None
            return False
        owner = self.exchange.listen_keys.owners.get(name)
        if owner is not None:
            self._users.setdefault(owner[0], {})[connection] = (name, events)
            return True
        if self._is_stream(name):
            self._market.setdefault(name, {})[connection] = route
            return True
        return False

    def follow(self, connection: Listening, owner: str) -> None:
        """Let a connection hear the events of a user who has shown who he is."""
        self._users.setdefault(owner, {})[connection] = (owner, frozenset())

    def unsubscribe(self, connection: Listening, name: str) -> None:
        """Let a connection no longer hear a stream."""
        self._market.get(name, {}).pop(connection, None)
        self._deaf.get(connection, {}).pop(name, None)
        for listeners in self._users.values():
            if listeners.get(connection, ("", frozenset()))[0] == name:
                del listeners[connection]

    def leave(self, connection: Listening) -> None:
        """Forget a connection."""
        self._deaf.pop(connection, None)
        for listeners in self._market.values():
            listeners.pop(connection, None)
        for users in self._users.values():
            users.pop(connection, None)

    def follows(self, connection: Listening) -> bool:
        """Say whether a connection hears a user's events."""
        return any(connection in users for users in self._users.values())

    def heard_by(self, connection: Listening) -> list[str]:
        """Return what a connection hears."""
        found = [name for name, listeners in self._market.items() if connection in listeners]
        found += self._deaf.get(connection, {})
        return found + [users[connection][0] for users in self._users.values() if connection in users]

    def drop_all(self, account_id: str = "") -> int:
        """Cut every connection that hears a user's events, of one account or of all; return how many."""
        found = [
            connection
            for owner, users in self._users.items()
            if not account_id or owner == account_id
            for connection in list(users)
        ]
        for connection in found:
            connection.drop()
        return len(found)

    def _is_watched(self, account_id: str) -> bool:
        return bool(self._users.get(account_id))

    def _is_stream(self, name: str) -> bool:
        symbol, _, kind = name.partition("@")
        if name.startswith("!"):
            return symbol[1:] in _FOR_ALL or symbol.startswith(("!ticker_", "!miniTicker"))
        return bool(kind) and self._traded(symbol) in self.exchange.floor.contracts

    def _traded(self, name: str) -> str:
        """Return the instrument of a stream: btcusdt, btcusdt_260327, btcusdt_perpetual or btcusdt_currentQuarter."""
        found = name.upper()
        if found in self.exchange.floor.contracts:
            return found
        pair, _, kind = found.partition("_")
        if kind.replace("_", "") == "CURRENTQUARTER":
            return next((each for each in self.exchange.floor.contracts if each.startswith(f"{pair}_")), "")
        return pair

    # ── what the exchange says ────────────────────────────────────────────────────────────────────

    def _hear(self, account_id: str, kind: str, event: dict[str, Any]) -> None:
        if account_id:
            self._user_event(account_id, kind, event)
        elif kind == "trade" and self._market:
            self._trade(event["trade"])
        elif kind == "depth" and self._market:
            self._depth(event)
        elif kind == "liquidation" and self._market:
            self._liquidation(event["told"])
        elif kind == "silence":
            self._silence(event["owner"], event["listenKey"])

    def _silence(self, owner: str, key: str) -> None:
        """Let nobody hear a user's events any more by a key that has ended."""
        users = self._users.get(owner, {})
        for connection in [each for each, (name, _) in users.items() if name == key]:
            del users[connection]

    def _user_event(self, account_id: str, kind: str, event: dict[str, Any]) -> None:
        if not self._users.get(account_id):
            return
        rule = self.faults.strike_event(kind) if self.faults.stream_rules else None
        if rule is None:
            self._send_user(account_id, kind, event)
            for held in self._held:
                self._send_user(*held)
            self._held.clear()
        elif rule.kind == "duplicate":
            self._send_user(account_id, kind, event)
            self._send_user(account_id, kind, event)
        elif rule.kind == "reorder":
            self._held.append((account_id, kind, event))
        elif rule.kind == "delay":
            self._later(rule.value, lambda: self._send_user(account_id, kind, event))

    def _send_user(self, account_id: str, kind: str, event: dict[str, Any]) -> None:
        text = _encode(event)
        for connection, (name, events) in list(self._users.get(account_id, {}).items()):
            if not events or kind in events:
                connection.tell(name, text)

    def _publish(self, name: str, event: Any, more: Mapping[str, Any] | None = None) -> None:
        """Say something in a stream; `more`: what the spot market adds, at the addresses that carry it too."""
        listeners = self._market.get(name)
        if not listeners or self.faults.mutes(name):
            return
        text = _encode(event)
        on_spot = _encode(event | more) if more is not None and "" in listeners.values() else text
        for connection, route in list(listeners.items()):
            connection.tell(name, text if route else on_spot)

    def _trade(self, trade: PublicTrade) -> None:
        lower, grid = trade.symbol.lower(), self.exchange.grids[trade.symbol]
        price, quantity, now = grid.price(trade.ticks), grid.quantity(trade.lots), self._now_ms()
        words = aggregate_words(trade, price, quantity)
        best = {"M": True}
        self._publish(f"{lower}@aggTrade", {"e": "aggTrade", "E": now, "s": trade.symbol, **words}, best)
        self._publish(
            f"{lower}@trade",
            {
                "e": "trade", "E": now, "T": trade.at, "s": trade.symbol, "t": trade.number, "p": price, "q": quantity,
                "X": "MARKET", "m": not trade.is_buy,
            },
            best,
        )  # fmt: skip

    def _depth(self, event: dict[str, Any]) -> None:
        symbol, view = event["symbol"], event["view"]
        grid, now = self.exchange.grids[symbol], self._now_ms()
        words = {
            "e": "depthUpdate",
            "E": now,
            "T": now,
            "s": symbol,
            "U": event["first"],
            "u": view.last,
            "pu": view.before,
            "b": [[grid.price(ticks), grid.quantity(lots)] for ticks, lots in event["bids"]],
            "a": [[grid.price(ticks), grid.quantity(lots)] for ticks, lots in event["asks"]],
        }
        for speed in ("", "@0ms", "@100ms", "@250ms", "@500ms", "@1000ms"):
            self._publish(f"{symbol.lower()}@depth{speed}", words)
        self._publish(f"{symbol.lower()}@rpiDepth@500ms", words)
        bid, ask = max(view.bids, default=0), min(view.asks, default=0)
        best = {
            "e": "bookTicker",
            "u": view.last,
            "E": now,
            "T": now,
            "s": symbol,
            "b": grid.price(bid),
            "B": grid.quantity(view.bids.get(bid, 0)),
            "a": grid.price(ask),
            "A": grid.quantity(view.asks.get(ask, 0)),
        }
        self._publish(f"{symbol.lower()}@bookTicker", best)
        self._publish("!bookTicker", best)

    def _liquidation(self, told: Told) -> None:
        symbol = told.order.symbol
        grid, contract = self.exchange.grids[symbol], self.exchange.floor.contracts[symbol]
        whole = order_update(told, contract, grid, BINANCE, "NEW", "FILLED", self.exchange.clock.now(), None)["o"]
        kept = {name: whole[name] for name in ("s", "S", "o", "f", "q", "p", "ap", "X", "l", "z", "T")}
        event = {
            "e": "forceOrder",
            "E": self._now_ms(),
            "o": kept | {"f": "IOC", "z": grid.quantity(told.order.filled)},
        }
        self._publish(f"{symbol.lower()}@forceOrder", event)
        self._publish("!forceOrder@arr", event)

    # ── what time says ────────────────────────────────────────────────────────────────────────────

    def beat(self) -> None:
        """Say what streams say by the clock; called after each step of the markets."""
        names = [name for name, listeners in self._market.items() if listeners]
        if not names:
            return
        self._open = {name: opened for name, opened in self._open.items() if name in names}
        second = self._now_ms() // 1_000
        is_new, self._second = second != self._second, second
        for symbol in self.exchange.floor.contracts:
            lower = symbol.lower()
            if any(
                name.startswith((f"{lower}@depth", f"{lower}@rpi", f"{lower}@bookTicker", "!book")) for name in names
            ):
                self._books(symbol, names)
        for name in names:
            symbol, _, kind = name.partition("@")
            if "kline_" in kind.lower():
                self._kline(name, self._traded(symbol), kind)
        if is_new:
            self._by_the_second(names)

    def _books(self, symbol: str, names: list[str]) -> None:
        view = self.exchange.look(symbol)
        grid, now, lower = self.exchange.grids[symbol], self._now_ms(), symbol.lower()
        for name in names:
            if not name.startswith(f"{lower}@depth") or not name[len(lower) + 6 :][:1].isdigit():
                continue
            most = int(name[len(lower) + 6 :].partition("@")[0])
            bids, asks = sorted(view.bids.items(), reverse=True)[:most], sorted(view.asks.items())[:most]
            words = {
                "e": "depthUpdate", "E": now, "T": now, "s": symbol, "U": view.before + 1, "u": view.last,
                "pu": view.before,
                "b": [[grid.price(ticks), grid.quantity(lots)] for ticks, lots in bids],
                "a": [[grid.price(ticks), grid.quantity(lots)] for ticks, lots in asks],
            }  # fmt: skip
            # On the spot market the same stream has other names for the same; addresses do not tell which is meant.
            self._publish(name, words, {"lastUpdateId": view.last, "bids": words["b"], "asks": words["a"]})

    def _kline(self, name: str, symbol: str, kind: str) -> None:
        interval = kind.partition("@")[0].rpartition("_")[2]
        if interval not in INTERVALS or symbol not in self.exchange.candles:
            return
        # Time may have jumped: every candle that closed since the last beat is told, then the open one.
        found = self.exchange.candles[symbol].candles(interval, self._open.get(name), None, _CANDLES_TOLD_MAX)
        if name not in self._open:
            found = found[-1:]
        last = self.exchange.trades[symbol][-1].number
        later = sum(each.trades for each in found)
        for candle in found:
            later -= candle.trades
            words = stream_words.kline(
                self.exchange, symbol, interval, kind, candle, last - later, closed=candle is not found[-1]
            )
            self._publish(name, words)
            self._open[name] = candle.opened

    def _by_the_second(self, names: list[str]) -> None:
        tickers, minis, marks = [], [], []
        wanted = " ".join(names)
        for symbol in self.exchange.floor.contracts:
            lower = symbol.lower()
            mark = stream_words.mark(self.exchange, symbol)
            marks.append(mark)
            for name in (f"{lower}@markPrice@1s", *([f"{lower}@markPrice"] if self._second % 3 == 0 else [])):
                self._publish(name, mark)
            if "icker" in wanted:
                ticker, mini = stream_words.tickers(self.exchange, symbol)
                tickers.append(ticker)
                minis.append(mini)
                self._publish(f"{lower}@ticker", ticker)
                self._publish(f"{lower}@miniTicker", mini)
        self._windows(names)
        self._publish("!ticker@arr", tickers)
        for pace in ("", "@1000ms", "@3000ms") if self._second % 3 == 0 else ("", "@1000ms"):
            self._publish(f"!miniTicker@arr{pace}", minis)
        self._publish("!markPrice@arr@1s", marks)
        self._publish(
            "!assetIndex@arr",
            [{"e": "assetIndexUpdate", "E": self._now_ms(), "s": "USDTUSD", "i": "1.00000000", "b": "0", "a": "0",
              "B": "1.00000000", "A": "1.00000000", "q": "0", "g": "0", "Q": "1.00000000", "G": "1.00000000"}],
        )  # fmt: skip
        if self._second % 3 == 0:
            self._publish("!markPrice@arr", marks)

    def _windows(self, names: list[str]) -> None:
        """Say what hours were like, and the average of five minutes: what only the spot market has."""
        symbols, now = self.exchange.listed(with_quarters=False), self._now_ms()
        for window, minutes in _WINDOWS.items():
            wanted = [name for name in names if f"ticker_{window}" in name]
            told = (
                [stream_words.window(self.exchange, symbol, window, minutes, now) for symbol in symbols]
                if wanted
                else []
            )
            for symbol, words in zip(symbols, told, strict=False):
                self._publish(f"{symbol.lower()}@ticker_{window}", words)
            self._publish(f"!ticker_{window}@arr", told)
        for symbol in symbols:
            name = f"{symbol.lower()}@avgPrice"
            if name in names:
                five, unit = (
                    joined(self.exchange.candles[symbol].minutes[-5:]),
                    self.exchange.floor.contracts[symbol].unit,
                )
                price = self.exchange.grids[symbol].average(five.traded, five.lots, unit)
                self._publish(name, {"e": "avgPrice", "E": now, "s": symbol, "i": "5m", "w": price, "T": now})

    def _now_ms(self) -> int:
        return stream_words.now_ms(self.exchange)
