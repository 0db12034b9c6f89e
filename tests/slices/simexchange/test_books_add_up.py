"""Whatever is done to the exchange, its books add up; the same doings give the same exchange."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.simexchange.soundness import complaints
from tests.slices.simexchange.raw_asking import Desk
from tests.slices.simexchange.test_signatures import USER, AsterDesk, sign

_SIDES = st.sampled_from(["BUY", "SELL"])
_WHO = st.sampled_from(["K", "K2"])
_DOINGS = st.lists(
    st.one_of(
        st.tuples(st.just("market"), _WHO, _SIDES, st.integers(1, 4_000)),
        st.tuples(st.just("limit"), _WHO, _SIDES, st.integers(1, 4_000), st.integers(-60, 60)),
        st.tuples(st.just("stop"), _WHO, _SIDES, st.integers(1, 500), st.integers(20, 300)),
        st.tuples(st.just("close"), _WHO, _SIDES),
        st.tuples(st.just("cancel"), _WHO),
        st.tuples(st.just("price"), st.integers(-900, 900)),
        st.tuples(st.just("steps"), st.integers(1, 6)),
        st.tuples(st.just("leverage"), _WHO, st.integers(1, 125)),
        st.tuples(st.just("margin"), _WHO, st.sampled_from(["ISOLATED", "CROSSED"])),
        st.tuples(st.just("insurance"), st.integers(0, 5)),
    ),
    max_size=25,
)


def _do(desk: Desk, doing: tuple) -> bytes:  # type: ignore[type-arg]  # one of many shapes, told apart by its name
    """Do one thing, whatever the exchange makes of it; return what it answered."""
    name, *rest = doing
    mark = desk.exchange.floor.desks["BTCUSDT"].prices.mark
    if name == "market":
        who, side, lots = rest
        reply = desk.reply(
            "POST", "order", who, symbol="BTCUSDT", side=side, type="MARKET", quantity=f"{lots / 1000:.3f}"
        )
    elif name == "limit":
        who, side, lots, off = rest
        price = f"{(mark + off) // 10}.{(mark + off) % 10}"
        reply = desk.reply(
            "POST", "order", who, symbol="BTCUSDT", side=side, type="LIMIT", timeInForce="GTC",
            quantity=f"{lots / 1000:.3f}", price=price,
        )  # fmt: skip
    elif name == "stop":
        who, side, lots, off = rest
        stop = mark + off if side == "BUY" else mark - off
        reply = desk.reply(
            "POST", "algoOrder", who, algoType="CONDITIONAL", symbol="BTCUSDT", side=side, type="STOP_MARKET",
            quantity=f"{lots / 1000:.3f}", triggerPrice=f"{stop // 10}.{stop % 10}",
        )  # fmt: skip
    elif name == "close":
        who, side = rest
        stop = mark + 50 if side == "BUY" else mark - 50
        reply = desk.reply(
            "POST", "algoOrder", who, algoType="CONDITIONAL", symbol="BTCUSDT", side=side, type="STOP_MARKET",
            closePosition="true", triggerPrice=f"{stop // 10}.{stop % 10}",
        )  # fmt: skip
    elif name == "cancel":
        reply = desk.reply("DELETE", "allOpenOrders", rest[0], symbol="BTCUSDT")
    elif name == "leverage":
        reply = desk.reply("POST", "leverage", rest[0], symbol="BTCUSDT", leverage=rest[1])
    elif name == "margin":
        reply = desk.reply("POST", "marginType", rest[0], symbol="BTCUSDT", marginType=rest[1])
    else:
        if name == "price":
            desk.exchange.set_price("BTCUSDT", max(1_000, mark + mark * rest[0] // 10_000))
        elif name == "insurance":
            desk.exchange.floor.insurance = rest[0] * 10**8
        else:
            desk.steps(rest[0])
        return b""
    return reply.body


@settings(max_examples=60)
@given(_DOINGS)
def test_the_books_add_up_after_every_step(doings: list[tuple]) -> None:  # type: ignore[type-arg]  # as above
    """Two accounts trade with the crowd and with each other; money is never made or lost by counting."""
    desk = Desk(deposit=3_000)
    for doing in doings:
        _do(desk, doing)
        assert complaints(desk.exchange) == []


@settings(max_examples=15)
@given(_DOINGS)
def test_the_same_doings_give_the_same_exchange(doings: list[tuple]) -> None:  # type: ignore[type-arg]  # as above
    """A failure that was found by a seed is found again by it, byte for byte."""
    told = []
    for _ in range(2):
        desk = Desk(seed=11)
        answers = [_do(desk, doing) for doing in doings]
        told.append(msgspec.json.encode([[each.decode() for each in answers], desk.events]))
    assert told[0] == told[1]


class Play:
    """Seeded random play of three accounts in both dialects: every kind of order, both modes, whatever is answered."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.desk = Desk(deposit=5_000, seed=seed)
        self.aster = AsterDesk(self.desk.sim)
        self.answers: list[bytes] = []

    def step(self) -> None:
        """Do one thing."""
        self.draw.choice(self._doings)(self)

    def _who(self) -> str:
        return self.draw.choice(["K", "K2"])

    def _symbol(self) -> str:
        return self.draw.choice(["BTCUSDT", "BTCUSDT", "SOLUSDT", "BTCUSDT_260327"])

    def _price(self, symbol: str, reach: int) -> str:
        """Return a price that many ten-thousandths around the mark."""
        mark = self.desk.exchange.floor.desks[symbol].prices.mark
        return self.desk.exchange.grids[symbol].price(mark + mark * self.draw.randint(-reach, reach) // 10_000)

    def _lots(self, symbol: str) -> str:
        most = 40 if symbol.startswith("BTC") else 20_000
        return self.desk.exchange.grids[symbol].quantity(self.draw.randint(1, most))

    def _side(self, who: str) -> dict[str, str]:
        """Return side and, in hedge mode, the side of the position."""
        found = {"side": self.draw.choice(["BUY", "SELL"])}
        if self.desk.exchange.account(f"binance-{who}").hedged:
            found["positionSide"] = self.draw.choice(["LONG", "SHORT"])
        elif self.draw.random() < 0.2:
            found["reduceOnly"] = "true"
        return found

    def _ask(self, method: str, path: str, who: str, **params: Any) -> None:
        self.answers.append(self.desk.reply(method, path, who, **params).body)

    def _order(self) -> None:
        who, symbol = self._who(), self._symbol()
        params = {"symbol": symbol, "quantity": self._lots(symbol), **self._side(who)}
        if self.draw.random() < 0.5:
            tif = self.draw.choice(["GTC", "IOC", "FOK", "GTX", "GTD"])
            params |= {"type": "LIMIT", "price": self._price(symbol, 40), "timeInForce": tif}
            if tif == "GTD":
                params["goodTillDate"] = str(self.desk.exchange.clock.now() // 1_000 + 601_000)
        else:
            params["type"] = "MARKET"
        params["selfTradePreventionMode"] = self.draw.choice(["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"])
        self._ask("POST", "order", who, **params)

    def _conditional(self) -> None:
        who, symbol = self._who(), self._symbol()
        kind = self.draw.choice(["STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"])
        params = {"algoType": "CONDITIONAL", "symbol": symbol, "type": kind, **self._side(who)}
        if kind == "TRAILING_STOP_MARKET":
            params["callbackRate"] = "0.5"
        else:
            params["triggerPrice"] = self._price(symbol, 80)
        if kind in {"STOP", "TAKE_PROFIT"}:
            params["price"] = self._price(symbol, 80)
        if kind.endswith("T_MARKET") and self.draw.random() < 0.5:
            params.pop("reduceOnly", None)
            params["closePosition"] = "true"
        else:
            params["quantity"] = self._lots(symbol)
        self._ask("POST", "algoOrder", who, **params)

    def _aster_order(self) -> None:
        kind = self.draw.choice(["MARKET", "STOP_MARKET", "TRAILING_STOP_MARKET", "TAKE_PROFIT"])
        side = self.draw.choice(["BUY", "SELL"])
        text = f"symbol=BTCUSDT&side={side}&type={kind}&quantity={self._lots('BTCUSDT')}"
        if kind == "TRAILING_STOP_MARKET":
            text += "&callbackRate=0.5"
        elif kind != "MARKET":
            text += f"&stopPrice={self._price('BTCUSDT', 80)}"
        if kind == "TAKE_PROFIT":
            text += f"&timeInForce=GTC&price={self._price('BTCUSDT', 80)}"
        self.aster.nonce += 1
        nonce = max(self.aster.nonce, self.desk.exchange.clock.now())
        self.aster.nonce = nonce
        signed = sign(f"{text}&nonce={nonce}&user={USER}&signer={USER}")
        self.answers.append(self.aster.status(signed, "POST", "order")[1])

    def _change(self) -> None:
        who = self._who()
        standing = list(self.desk.exchange.account(f"binance-{who}").orders.values())
        if not standing:
            return
        order = self.draw.choice(standing)
        named = {"symbol": order.symbol, "orderId": order.number}
        if self.draw.random() < 0.5:
            self._ask("DELETE", "order", who, **named)
        else:
            price, lots = self._price(order.symbol, 40), self._lots(order.symbol)
            self._ask("PUT", "order", who, **named, price=price, quantity=lots)

    def _set(self) -> None:
        who, symbol = self._who(), self._symbol()
        choices: list[tuple[str, dict[str, Any]]] = [
            ("leverage", {"symbol": symbol, "leverage": self.draw.randint(1, 125)}),
            ("marginType", {"symbol": symbol, "marginType": self.draw.choice(["ISOLATED", "CROSSED"])}),
            ("positionSide/dual", {"dualSidePosition": self.draw.choice(["true", "false"])}),
            ("positionMargin", {"symbol": symbol, "amount": "7.5", "type": self.draw.choice([1, 2])}),
            ("countdownCancelAll", {"symbol": symbol, "countdownTime": 500}),
        ]
        path, params = self.draw.choice(choices)
        self._ask("POST", path, who, **params)

    def _clear(self) -> None:
        for path in ("allOpenOrders", "algoOpenOrders"):
            self._ask("DELETE", path, self._who(), symbol=self._symbol())

    def _time(self) -> None:
        self.desk.exchange.clock.move(self.draw.choice([250_000, 1_000_000, 3_000_000]))
        self.desk.exchange.run()

    def _jump(self) -> None:
        symbol = self.draw.choice(["BTCUSDT", "SOLUSDT"])
        mark = self.desk.exchange.floor.desks[symbol].prices.mark
        self.desk.exchange.set_price(symbol, max(100, mark + mark * self.draw.randint(-800, 800) // 10_000))

    def _venue(self) -> None:
        self.desk.exchange.floor.insurance = self.draw.choice([None, 0, 10**8])
        self.desk.exchange.set_tier("binance-K", self.draw.randint(0, 6))
        self.desk.exchange.deposit("binance-K2", 10**8)
        if self.draw.random() < 0.2:  # until money is due for holding
            self.desk.exchange.clock.move(8 * 3_600 * 1_000_000)
            self.desk.exchange.run()

    _doings = (_order, _order, _order, _conditional, _conditional, _aster_order, _change, _set, _clear, _time, _time,
               _jump, _venue)  # fmt: skip


def test_the_books_add_up_in_whatever_is_played() -> None:
    """Every kind of order, both modes and dialects, funding, liquidation, deleveraging: asked after every step.

    A game in which nobody is ever liquidated or deleveraged would prove little, so it is asked what was met.
    """
    kinds, reasons = set(), set()
    for seed in range(5):
        play = Play(seed)
        for _ in range(160):
            play.step()
            assert complaints(play.desk.exchange) == []
        for file in play.desk.exchange.files.values():
            kinds |= {each.kind for each in file.income}
            reasons |= {told.order.reason for told in file.orders.values()}
            reasons |= {algo.status for algo in file.algos.values()}
    assert kinds == {"TRANSFER", "COMMISSION", "REALIZED_PNL", "FUNDING_FEE", "INSURANCE_CLEAR"}
    assert reasons >= {"liquidation", "deleveraged", "FINISHED", "EXPIRED", "REJECTED", "CANCELED"}


class Ear:
    """A connection that keeps every frame it is told."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, bytes]] = []

    def tell(self, name: str, text: bytes) -> None:
        """Keep a frame."""
        self.frames.append((name, text))

    def drop(self) -> None:
        """Be cut off."""


_STREAMS = [
    "btcusdt@aggTrade", "btcusdt@trade", "btcusdt@depth@100ms", "btcusdt@depth20", "btcusdt@bookTicker",
    "btcusdt@kline_1m", "btcusdt@markPrice@1s", "btcusdt@ticker", "!miniTicker@arr", "!forceOrder@arr",
    "btcusdt_perpetual@continuousKline_1m", "solusdt@ticker_1h", "btcusdt@avgPrice",
]  # fmt: skip


@pytest.mark.parametrize("seed", [3])
def test_the_same_requests_give_the_same_answers_and_frames(seed: int) -> None:
    """In virtual time, byte for byte: what one run showed, another shows again."""
    told: list[Any] = []
    for _ in range(2):
        play, ear = Play(seed), Ear()
        hub, exchange = play.desk.sim.hub, play.desk.exchange
        exchange.telling.watched = hub._is_watched
        for name in [*_STREAMS, exchange.listen_keys.issue("binance-K"), exchange.listen_keys.issue("binance-K2")]:
            hub.subscribe(ear, name)
        for _ in range(90):
            play.step()
            hub.beat()
        told.append((play.answers, ear.frames))
    assert told[0] == told[1]
    assert len(told[0][0]) > 50
    assert len({name for name, _ in told[0][1]}) >= len(_STREAMS)


def test_a_day_passes_in_a_moment() -> None:
    """Time is a number here: three fundings, 1,440 minutes, and the books add up."""
    desk = Desk()
    desk.market("BUY", "1")
    desk.exchange.clock.move(86_400 * 1_000_000)
    desk.exchange.run()
    kinds = [each.kind for each in desk.exchange.files["binance-K"].income]
    assert kinds.count("FUNDING_FEE") == 3
    assert complaints(desk.exchange) == []
