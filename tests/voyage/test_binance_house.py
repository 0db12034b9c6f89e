"""A whole house on its own threads at Binance USD-M, as it is simulated: what holds at AsterDEX holds there too."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.accounts import trading_accounts, venue_keys
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderType, Purpose, TimeInForce
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.trader import Trader
from pilothouse.fleet import manual
from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.manual import Ticket
from pilothouse.fleet.store import SignalState
from pilothouse.kit.db import Tx
from pilothouse.kit.sealed import Secret
from pilothouse.observability.watch import survey
from pilothouse.venues.catalogue import checked_credential
from pilothouse.venues.keys import VenueKey
from tests.living import Living, within
from tests.slices.simexchange.sim_house import RunningExchange

ACCOUNT = "binance-K"


class OnBinance(Living):
    """A house whose account is at Binance."""

    secret = "api_secret"

    @property
    def key(self) -> str:
        """Return what the exchange is called here."""
        return str(VenueKey("binanceusdm", self.base))

    def new_account(self, *, wallet: str = "K", private_key: str = "S", name: str = "sim") -> TradingAccount:
        """Open an account at the exchange, with its key sealed."""
        house, now = self.house, self.house.clock.now()
        given = {"api_key": Secret(wallet), self.secret: Secret(private_key)}
        parts, label = checked_credential(VenueKey.parse(self.key), given)
        sealer = house.ring.sealer

        def work(tx: Tx) -> TradingAccount:
            account = trading_accounts.open_account(
                tx, owner_id=house.operator_id, name=name, venue=self.key, mode=self.mode, currency="USDT", now=now
            )
            venue_keys.keep(tx, sealer, house.operator_id, account.id, parts, label=label, now=now)
            return account

        return house.database.write(work, name="account")


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    """Yield an exchange of its own."""
    with RunningExchange(profile="binance") as running:
        yield running


@pytest.fixture(scope="module")
def living(exchange: RunningExchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """Yield a running house whose account is heard."""
    data: Path = tmp_path_factory.mktemp("house")
    with OnBinance(data, f"sqlite:///{data}/pilothouse.db", exchange.base) as house:
        assert within(20, house.is_heard)
        house.house.venues[house.key].follow(["BTCUSDT"])
        assert within(10, lambda: house.house.quotes.all(house.key))
        yield house


@pytest.fixture(autouse=True)
def _flat(living: Living, exchange: RunningExchange) -> Iterator[None]:
    """Leave nothing to the next test."""
    yield
    exchange.control("DELETE", "faults")
    closed = living.alert(action="close", symbol="BTCUSDT")
    assert within(20, lambda: _agrees(living, exchange)), (closed, exchange.truth(ACCOUNT), living.wallet())


def _agrees(living: Living, exchange: RunningExchange) -> bool:
    truth = exchange.truth(ACCOUNT)
    held = {each["symbol"]: Decimal(each["quantity"]) for each in truth["positions"]}
    position = living.position("BTCUSDT")
    return living.wallet() == Decimal(truth["wallet"]) and position == held.get("BTCUSDT", Decimal(0))


def _standing(exchange: RunningExchange) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = exchange.control("GET", f"orders?account={ACCOUNT}")
    return [each for each in found if (each.get("status") or each.get("algoStatus")) == "NEW"]


def test_an_alert_becomes_a_filled_order_and_the_stop_stands_there(living: Living, exchange: RunningExchange) -> None:
    """Position and wallet to the last digit, as the exchange itself tells; the stop goes with the position."""
    outcome = living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010", stop_loss="2%")

    assert outcome.state is AnswerState.FILLED, outcome.message
    assert within(10, lambda: _agrees(living, exchange))
    assert within(10, lambda: [one for one in living.orders() if one.purpose is Purpose.STOP_LOSS])
    assert within(10, lambda: _standing(exchange)), "at the exchange, as a conditional order"

    assert living.alert(action="close", symbol="BTCUSDT").state is AnswerState.FILLED
    assert within(10, lambda: _agrees(living, exchange))
    assert within(10, lambda: not _standing(exchange))
    assert within(10, lambda: survey(living.house) == []), survey(living.house)


def test_a_stop_that_triggers_closes_the_books_too(living: Living, exchange: RunningExchange) -> None:
    """The exchange makes another order of it; here it is the stop that was placed, and nothing is foreign."""
    exchange.control("POST", "price", symbol="BTCUSDT", price="65000")
    before = _foreign(living)
    outcome = living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010", stop_loss="1%")
    assert outcome.state is AnswerState.FILLED, outcome.message
    assert within(10, lambda: _standing(exchange))

    exchange.control("POST", "price", symbol="BTCUSDT", price="64000")

    assert within(10, lambda: living.position("BTCUSDT") == 0)
    assert within(10, lambda: _agrees(living, exchange))
    assert _foreign(living) == before
    exchange.control("POST", "price", symbol="BTCUSDT", price="65000")


def test_an_unknown_outcome_is_asked_about_and_sent_once(living: Living, exchange: RunningExchange) -> None:
    """503 after the exchange had taken it: the order is found by its id."""
    before = len(_sent(exchange))
    exchange.control("POST", "faults", kind="unknown", method="POST", path="order", times=1)

    outcome = living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010")

    assert outcome.state is AnswerState.FILLED, outcome.message
    assert len(_sent(exchange)) - before == 1
    assert within(10, lambda: _agrees(living, exchange))


def test_a_fill_while_nobody_listened_is_booked_before_the_next_alert(
    living: Living, exchange: RunningExchange
) -> None:
    """The alert says 0.030 in all; decided on the old position it would have bought too much."""
    assert living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010").state is AnswerState.FILLED
    exchange.control("POST", "faults", kind="unavailable", method="POST", path="listenKey", times=100_000)
    exchange.control("POST", "streams", do="drop", account=ACCOUNT)
    assert within(10, lambda: not living.is_heard())
    exchange.binance().create_order("BTC/USDT:USDT", "market", "buy", 0.01)

    taken = living.send(symbol="BTCUSDT", position_size="0.030")

    assert taken.signal.state is SignalState.PENDING
    exchange.control("DELETE", "faults")
    assert within(20, lambda: living.outcome(taken).settled), living.outcome(taken)
    assert within(10, lambda: living.position("BTCUSDT") == Decimal("0.030")), living.outcome(taken)
    assert within(10, lambda: _agrees(living, exchange))


def _foreign(living: Living) -> int:
    return sum(one.purpose is Purpose.FOREIGN for one in living.orders())


def _sent(exchange: RunningExchange) -> list[Any]:
    asked = exchange.control("GET", "requests")
    return [each for each in asked if each["method"] == "POST" and each["path"].endswith("/order")]


def test_a_resting_order_is_changed_in_place_and_a_lost_answer_is_asked_about(
    living: Living, exchange: RunningExchange
) -> None:
    """One order stands there at every instant, as it was wanted last; raised and filled at once, the books follow."""
    house, trader = living.house, Trader.of(living.account)
    away = living.house.quotes.get(living.key, "BTCUSDT").bid * Decimal("0.97")
    price = house.instruments.get(living.key, "BTCUSDT").price(away.quantize(Decimal(1)))
    ticket = Ticket("BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal("0.010"), price, None, TimeInForce.GTC, False)
    made = house.database.write(lambda tx: manual.place(tx, house.desk, trader, ticket, by="test"), name="manual")
    assert within(10, lambda: _resting(living, made.id))

    def change(**wanted: Decimal) -> None:
        asked = {"price": None, "quantity": None, **wanted}
        house.database.write(
            lambda tx: manual.change(tx, house.desk, trader, made, **asked, by="test"),
            name="change",
        )
        assert within(20, lambda: _known(living, made.id).amend_quantity is None)

    change(price=price - 100)
    exchange.control("POST", "faults", kind="unknown", method="PUT", path="order", times=1)
    change(quantity=Decimal("0.020"))

    standing = _standing(exchange)
    assert [(Decimal(each["origQty"]), Decimal(each["price"])) for each in standing] == [
        (Decimal("0.020"), price - 100)
    ]
    assert _known(living, made.id).terms.quantity == Decimal("0.020")

    change(price=house.quotes.get(living.key, "BTCUSDT").ask + 200, quantity=Decimal("0.030"))
    assert within(10, lambda: _known(living, made.id).state is OrderState.FILLED)
    assert living.position("BTCUSDT") == Decimal("0.030")
    assert within(10, lambda: _agrees(living, exchange))
    assert within(10, lambda: survey(living.house) == []), survey(living.house)


def _known(living: Living, order_id: str) -> OrderRecord:
    return next(order for order in living.orders() if order.id == order_id)


def _resting(living: Living, order_id: str) -> bool:
    return _known(living, order_id).state.is_resting
