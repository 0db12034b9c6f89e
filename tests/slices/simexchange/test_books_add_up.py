"""Whatever is done to the exchange, its books add up; the same doings give the same exchange."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.simexchange.soundness import complaints
from tests.slices.simexchange.raw_asking import Desk

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


def test_a_day_passes_in_a_moment() -> None:
    """Time is a number here: three fundings, 1,440 minutes, and the books add up."""
    desk = Desk()
    desk.market("BUY", "1")
    desk.exchange.clock.move(86_400 * 1_000_000)
    desk.exchange.run()
    kinds = [each.kind for each in desk.exchange.files["binance-K"].income]
    assert kinds.count("FUNDING_FEE") == 3
    assert complaints(desk.exchange) == []
