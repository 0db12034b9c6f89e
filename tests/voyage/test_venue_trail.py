"""A whole house on its own threads where the exchange trails by itself, and where it takes stops in several forms."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.core.order import OrderState, OrderType, Purpose
from pilothouse.fleet import protect
from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.protect import Standing
from pilothouse.observability.record.story import story
from pilothouse.observability.watch import survey
from pilothouse.wiring.subscriptions import trader_of
from tests.living import Living, within
from tests.slices.simexchange.sim_house import WALLET, RunningExchange
from tests.voyage.test_binance_house import OnBinance

pytestmark = pytest.mark.timeout(400)


@dataclass
class At:
    """A house and its exchange; `path`: where that takes what waits for a price."""

    house: Living
    exchange: RunningExchange
    account: str
    path: str

    def standing(self) -> list[dict[str, Any]]:
        """Return what stands at the exchange, as it tells itself."""
        found: list[dict[str, Any]] = self.exchange.control("GET", f"orders?account={self.account}")
        return [each for each in found if (each.get("algoStatus") or each.get("status")) == "NEW"]

    def kinds(self) -> list[str]:
        """Return the kinds of what stands at the exchange, in order."""
        return sorted(each.get("orderType") or each["origType"] for each in self.standing())

    def trailing(self) -> list[dict[str, Any]]:
        """Return what trails at the exchange."""
        return [one for one in self.standing() if (one.get("orderType") or one["origType"]) == "TRAILING_STOP_MARKET"]

    def price(self, price: int) -> None:
        """Move the market, and wait until the house has heard of it."""
        self.exchange.control("POST", "price", symbol="BTCUSDT", price=str(price))
        assert within(10, lambda: abs(self.house.house.quotes.get(self.house.key, "BTCUSDT").mark - price) < 60)

    def fault(self, times: int = -1, code: int = -4045, **where: str) -> None:
        """Let the exchange refuse orders with these parameters."""
        self.exchange.control(
            "POST", "faults", kind="reject", method="POST", path=self.path, where=where, times=times, code=code
        )

    def protection(self) -> Standing:
        """Return how the position is protected, as the house sees it."""
        desk, trader = self.house.house.desk, trader_of(self.house.account)
        return self.house.house.database.read(lambda tx: protect.standing(tx, desk, trader, "BTCUSDT"))

    def agrees(self) -> bool:
        """Say whether books and exchange hold the same, to the last digit."""
        truth = self.exchange.truth(self.account)
        held = {each["symbol"]: Decimal(each["quantity"]) for each in truth["positions"]}
        return self.house.wallet() == Decimal(truth["wallet"]) and self.house.position("BTCUSDT") == held.get(
            "BTCUSDT", Decimal(0)
        )

    def opens(self, **fields: object) -> None:
        """Buy 0.010 at the market, with what is to protect it."""
        taken = self.house.send(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010", **fields)
        assert within(10, lambda: self.house.outcome(taken).state is AnswerState.FILLED), self.house.outcome(taken)


@pytest.fixture(scope="module", params=["binance", "aster"])
def at(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[At]:
    """Yield a running house whose account is heard, at each exchange that trails by itself."""
    data: Path = tmp_path_factory.mktemp("house")
    binance = request.param == "binance"
    kind = OnBinance if binance else Living
    with RunningExchange(profile=request.param) as exchange:
        if not binance:
            exchange.control("POST", "accounts", wallet=WALLET)
        with kind(data, f"sqlite:///{data}/pilothouse.db", exchange.base) as house:
            assert within(20, house.is_heard)
            house.house.venues[house.key].follow(["BTCUSDT"])
            assert within(10, lambda: house.house.quotes.all(house.key))
            yield At(
                house, exchange, "binance-K" if binance else f"aster-{WALLET}", "algoOrder" if binance else "order"
            )


@pytest.fixture(autouse=True)
def _flat(at: At) -> Iterator[None]:
    """Begin at one price; leave nothing to the next test."""
    at.price(65_000)
    yield
    at.exchange.control("DELETE", "faults")
    at.house.alert(action="close", symbol="BTCUSDT")
    assert within(20, at.agrees), (at.exchange.truth(at.account), at.house.wallet())
    assert within(10, lambda: not at.standing()), at.standing()
    assert within(10, lambda: survey(at.house.house) == []), survey(at.house.house)


def test_the_exchange_trails_and_closes_by_itself_and_the_fixed_stop_beside_it_goes(at: At) -> None:
    """Nobody moves a stop while the price rises; what fires is the order that was placed, and nothing is foreign."""
    at.opens(stop_loss="5%", trailing_stop="1%")
    assert within(10, lambda: at.kinds() == ["STOP_MARKET", "TRAILING_STOP_MARKET"]), at.standing()
    trail = at.trailing()[0]
    assert Decimal(trail.get("callbackRate") or trail["priceRate"]) == 1
    assert trail["reduceOnly"]
    assert within(10, lambda: at.protection().stands)
    assert (at.protection().trails_here, at.protection().kept) == ("", ())
    made = len(at.house.orders())

    at.price(66_000)
    at.price(66_500)
    assert len(at.house.orders()) == made, "no stop was moved"
    at.price(65_600)

    assert within(10, lambda: at.house.position("BTCUSDT") == 0)
    assert within(10, lambda: not at.standing()), "the stop goes with the position"
    fired = [one for one in at.house.orders() if one.terms.type is OrderType.TRAILING_STOP_MARKET][-1]
    assert fired.state is OrderState.FILLED
    assert "the venue's own trailing order" in fired.reason
    assert not [one for one in at.house.orders() if one.purpose is Purpose.FOREIGN]
    told = at.house.house.database.read(lambda tx: story(tx, fired.id))
    assert "1 % behind the best price" in str(told)


@pytest.mark.soak
def test_what_the_exchange_cannot_trail_exactly_is_trailed_by_the_house(at: At) -> None:
    """A stop that stands there is moved, and it is said why."""
    at.opens(trailing_stop={"distance": "650"})
    assert within(10, lambda: at.kinds() == ["STOP_MARKET"]), at.standing()
    assert within(10, lambda: at.protection().stands)
    assert "by a distance" in (at.protection().trails_here or "")
    at.price(66_000)
    assert within(
        10, lambda: [one for one in at.standing() if Decimal(one.get("triggerPrice") or one["stopPrice"]) > 65_000]
    )
    at.house.alert(action="close", symbol="BTCUSDT")


def test_a_larger_position_gets_a_larger_trailing_order_and_keeps_what_had_been_gained(at: At) -> None:
    """The new one begins at the price of now: a stop stands where the old one had come."""
    at.opens(trailing_stop="2%")
    assert within(10, at.trailing)
    at.price(66_500)
    assert within(10, lambda: _best(at) > 66_000)
    at.price(65_900)
    at.house.alert(action="increase", symbol="BTCUSDT", quantity="0.005")

    def resized() -> bool:
        return [Decimal(one.get("quantity") or one["origQty"]) for one in at.trailing()] == [Decimal("0.015")]

    assert within(10, resized), at.standing()
    assert within(10, lambda: at.kinds() == ["STOP_MARKET", "TRAILING_STOP_MARKET"]), at.standing()
    stop = next(one for one in at.standing() if one not in at.trailing())
    assert abs(Decimal(stop.get("triggerPrice") or stop["stopPrice"]) - 66_500 * Decimal("0.98")) < 140
    assert within(10, lambda: at.protection().stands)


def _best(at: At) -> Decimal:
    record = at.protection().record
    return (record.best_price if record else None) or Decimal(0)


def test_a_trailing_order_that_somebody_cancels_is_placed_again(at: At) -> None:
    """As with every stop: what lacks is seen and repaired."""
    at.opens(trailing_stop="3%")
    assert within(10, at.trailing)
    first = at.trailing()[0]
    if at.path == "algoOrder":
        at.exchange.binance().fapiPrivateDeleteAlgoOrder({"clientAlgoId": first["clientAlgoId"]})
    else:
        at.exchange.aster().cancel_order(str(first["orderId"]), "BTC/USDT:USDT")
    assert within(10, lambda: [one for one in at.trailing() if one != first]), at.standing()
    assert within(10, lambda: at.protection().stands)


def test_a_trailing_order_whose_answer_was_lost_is_found_by_its_id_and_sent_once(at: At) -> None:
    """It stands there, nobody said so: a second one would close what the first has closed already."""
    where = {"type": "TRAILING_STOP_MARKET"}
    at.exchange.control("POST", "faults", kind="unknown", method="POST", path=at.path, where=where, times=1)
    at.opens(trailing_stop="3%")
    assert within(20, lambda: at.protection().stands), at.house.orders()[-1]
    assert len(at.trailing()) == 1
    made = [
        one for one in at.house.orders() if one.terms.type is OrderType.TRAILING_STOP_MARKET and not one.state.is_final
    ]
    assert [one.state for one in made] == [OrderState.WORKING]


def test_where_the_exchange_refuses_to_trail_the_house_moves_a_stop(at: At) -> None:
    """Three refusals, one alarm, and the position is protected all the same."""
    at.fault(type="TRAILING_STOP_MARKET", code=-2007)
    at.opens(trailing_stop="1%")
    assert within(20, lambda: at.kinds() == ["STOP_MARKET"]), at.standing()
    assert within(10, lambda: at.protection().stands)
    assert at.protection().trails_here == "the venue did not take its own trailing order"
    at.price(66_000)
    assert within(
        10, lambda: [one for one in at.standing() if Decimal(one.get("triggerPrice") or one["stopPrice"]) > 65_200]
    )


def test_an_activation_that_was_passed_on_the_way_trails_from_now_on(at: At) -> None:
    """The exchange refuses it as one that would trigger at once; that is no reason to close the position."""
    at.fault(times=1, code=-2021, type="TRAILING_STOP_MARKET")
    at.opens(trailing_stop={"percent": "2", "activation": "1%"})
    assert within(20, at.trailing), at.house.orders()
    assert at.house.position("BTCUSDT") == Decimal("0.010")
    assert within(10, lambda: at.protection().stands)
    made = [one for one in at.house.orders() if one.terms.type is OrderType.TRAILING_STOP_MARKET][-2:]
    assert [(one.state, one.terms.stop_price is None) for one in made] == [
        (OrderState.REJECTED, False),
        (OrderState.WORKING, True),
    ]


def test_a_stop_refused_for_so_much_is_taken_for_the_whole_position(at: At) -> None:
    """The second form of three. It closes what is held when it fires, and the books follow."""
    at.fault(type="STOP_MARKET", reduceOnly="true")
    at.opens(stop_loss="64400")
    assert within(20, lambda: [one for one in at.standing() if one["closePosition"]]), at.house.orders()
    assert within(10, lambda: at.protection().stands)
    first = at.standing()
    at.house.alert(action="increase", symbol="BTCUSDT", quantity="0.005")
    assert within(10, lambda: at.house.position("BTCUSDT") == Decimal("0.015"))
    assert within(10, lambda: at.protection().stands)
    assert at.standing() == first, "it has every size, so it is not placed anew"

    at.price(64_000)

    assert within(10, lambda: at.house.position("BTCUSDT") == 0)
    assert within(10, at.agrees)
    fired = [one for one in at.house.orders() if one.terms.whole_position][-1]
    assert (fired.state, fired.filled_quantity, fired.terms.quantity) == (
        OrderState.FILLED, Decimal("0.015"), Decimal("0.015"),
    )  # fmt: skip


@pytest.mark.soak
def test_a_stop_refused_at_the_market_is_taken_with_a_limit(at: At) -> None:
    """The last form: three refusals of each before it."""
    at.fault(type="STOP_MARKET")
    at.opens(stop_loss="1%")
    assert within(20, lambda: at.kinds() == ["STOP"]), at.house.orders()
    refused = [one for one in at.house.orders() if one.state is OrderState.REJECTED][-6:]
    assert [one.terms.whole_position for one in refused] == [False, False, False, True, True, True]
    assert within(10, lambda: at.protection().stands)


def test_a_stop_refused_in_every_form_closes_the_position(at: At) -> None:
    """As the account's policy says: nothing is left without a stop."""
    at.fault(triggerPrice="") if at.path == "algoOrder" else at.fault(type="STOP")
    taken = at.house.send(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010", stop_loss="1%")
    assert within(10, lambda: at.house.outcome(taken).state is AnswerState.FILLED)
    assert within(20, lambda: at.house.position("BTCUSDT") == 0), at.house.orders()
    forms = {
        (one.terms.type, one.terms.whole_position) for one in at.house.orders() if one.state is OrderState.REJECTED
    }
    assert {(OrderType.STOP_MARKET, False), (OrderType.STOP_MARKET, True), (OrderType.STOP, False)} <= forms
