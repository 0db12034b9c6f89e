"""A whole house on its own threads at an exchange across the wire: AsterDEX as it is simulated, with its faults on."""

import urllib.parse
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from pilothouse.accounts import hooks, trading_accounts
from pilothouse.accounts.trading_accounts import Mode
from pilothouse.core.errors import Unavailable
from pilothouse.core.facts import FactKind
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderType, Purpose, TimeInForce
from pilothouse.execution.desk import Patience
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.tables import hearing
from pilothouse.execution.trader import AccountDisarmed, Trader
from pilothouse.fleet import manual
from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.manual import AccountNotHeard, Ticket
from pilothouse.fleet.store import SignalState
from pilothouse.jobs.schedule import reconcile_all
from pilothouse.kit import told_facts
from pilothouse.kit.db import Tx
from pilothouse.marketdata.quotes import QuoteMissing
from pilothouse.observability import health
from pilothouse.observability.gauges import set_gauges
from pilothouse.observability.record.story import story
from pilothouse.observability.watch import survey
from tests.living import Living, within
from tests.slices.simexchange.sim_house import WALLET, RunningExchange

ACCOUNT = f"aster-{WALLET}"
_SHORT = timedelta(seconds=1)


@pytest.fixture
def exchange() -> Iterator[RunningExchange]:
    """Yield an exchange of its own."""
    with RunningExchange(profile="aster") as running:
        running.control("POST", "accounts", wallet=WALLET)
        yield running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the data folder of one house."""
    return tmp_path


def _house(exchange: RunningExchange, data: Path, **parts: Any) -> Living:
    return Living(data, f"sqlite:///{data}/pilothouse.db", exchange.base, **parts)


@pytest.fixture
def living(exchange: RunningExchange, data: Path) -> Iterator[Living]:
    """Yield a running house whose account is heard."""
    with _house(exchange, data) as house:
        assert within(10, house.is_heard)
        house.house.venues[house.key].follow(["BTCUSDT"])
        assert within(10, lambda: house.house.quotes.all(house.key))
        yield house


def _truth(exchange: RunningExchange) -> tuple[Decimal, dict[str, Decimal]]:
    told = exchange.truth(ACCOUNT)
    return Decimal(told["wallet"]), {each["symbol"]: Decimal(each["quantity"]) for each in told["positions"]}


def _agrees(living: Living, exchange: RunningExchange) -> bool:
    wallet, held = _truth(exchange)
    return living.wallet() == wallet and living.position("BTCUSDT") == held.get("BTCUSDT", Decimal(0))


def _placed(exchange: RunningExchange) -> list[dict[str, Any]]:
    """Return every order the exchange was asked for."""
    asked = exchange.control("GET", "requests")
    return [each for each in asked if each["method"] == "POST" and each["path"].endswith(("/order", "/batchOrders"))]


def _bought_there(exchange: RunningExchange, quantity: str) -> None:
    """Buy with another client of the same account."""
    client = exchange.aster()
    client.create_order("BTC/USDT:USDT", "market", "buy", float(quantity))
    client.session.close()


def test_an_alert_becomes_a_filled_order_there_and_the_books_agree(living: Living, exchange: RunningExchange) -> None:
    """Position and wallet to the last digit, as the exchange itself tells; the stop stands there, too."""
    outcome = living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010", stop_loss="2%")

    assert outcome.state is AnswerState.FILLED, outcome.message
    assert living.position("BTCUSDT") == Decimal("0.010")
    assert within(10, lambda: _agrees(living, exchange))
    stop = within(10, lambda: [one for one in living.orders() if one.purpose is Purpose.STOP_LOSS])
    assert within(10, lambda: [each for each in _orders(exchange) if each["type"] == "STOP_MARKET"])
    assert len(stop) == 1

    _is_told_with_its_wire(living, outcome.orders[0].id)

    assert living.alert(action="close", symbol="BTCUSDT").state is AnswerState.FILLED
    assert within(10, lambda: _agrees(living, exchange))
    assert living.position("BTCUSDT") == 0
    assert within(10, lambda: not [one for one in living.orders() if not one.state.is_final])
    assert within(10, lambda: survey(living.house) == []), survey(living.house)


def _is_told_with_its_wire(living: Living, order_id: str) -> None:
    """What went over the wire for an order stands in its story, without what would sign another one."""
    told = living.house.database.read(lambda tx: story(tx, order_id))
    assert told is not None, "it was made"
    words = next(one.words for one in told.told if one.event == "sent")
    assert "Over the wire: POST /fapi/v3/order " in words
    assert "symbol=BTCUSDT" in words
    assert "signature=•••" in words
    assert '-> 200 {"' in words


def _orders(exchange: RunningExchange) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = exchange.control("GET", f"orders?account={ACCOUNT}")
    return [each for each in found if each.get("status") == "NEW"]


def test_a_fill_while_nobody_listened_is_booked_before_the_next_alert_is_decided(
    living: Living, exchange: RunningExchange
) -> None:
    """The alert says 0.030 in all; decided on the old position it would have bought too much."""
    assert living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010").state is AnswerState.FILLED
    # Whatever asks for a stream gets none until the alert is there.
    exchange.control("POST", "faults", kind="unavailable", method="POST", path="listenKey", times=100_000)
    exchange.control("POST", "streams", do="drop", account=ACCOUNT)
    assert within(10, lambda: not living.is_heard())
    _bought_there(exchange, "0.010")

    taken = living.send(symbol="BTCUSDT", position_size="0.030")
    assert taken.signal.state is SignalState.PENDING
    assert "heard" in taken.signal.message
    exchange.control("DELETE", "faults")

    assert within(20, lambda: living.outcome(taken).settled), living.outcome(taken)
    assert living.position("BTCUSDT") == Decimal("0.030")
    assert within(10, lambda: _agrees(living, exchange))


def test_an_unknown_outcome_is_asked_about_and_sent_once(living: Living, exchange: RunningExchange) -> None:
    """503 after the exchange had taken it: the order is found by its id."""
    exchange.control("POST", "faults", kind="unknown", method="POST", path="order", times=1)

    outcome = living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010")

    assert outcome.state is AnswerState.FILLED, outcome.message
    assert len(_placed(exchange)) == 1
    assert within(10, lambda: _agrees(living, exchange))


def test_a_throttled_order_waits_a_moment_and_is_then_sent_once(living: Living, exchange: RunningExchange) -> None:
    """-1008 says that it was not done; repeated at once it makes the crowd larger, dropped it is a lost alert."""
    exchange.control("POST", "faults", kind="throttled", method="POST", path="order", times=1)

    outcome = living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010")

    assert outcome.state is AnswerState.FILLED, outcome.message
    first, second = _placed(exchange)
    assert second["at"] - first["at"] >= 900_000, "microseconds"
    assert living.position("BTCUSDT") == Decimal("0.010")
    assert within(10, lambda: _agrees(living, exchange))


def test_one_pass_asks_only_where_something_happened(living: Living, exchange: RunningExchange) -> None:
    """The exchange has hundreds of instruments; asking in each of them would spend the minute's budget."""
    assert living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010").state is AnswerState.FILLED
    assert living.jobs is not None
    living.jobs.stop(patience_s=60)  # it compares now and then, too
    before = exchange.control("GET", "requests")[-1]["number"]
    living.house.database.write(_never_compared, name="forget")

    reconcile_all(living.house)

    asked = exchange.control("GET", f"requests?after={before}")
    paths = Counter(each["path"].rpartition("/")[2] for each in asked if each["path"].startswith("/fapi/v3"))
    symbols = {
        urllib.parse.parse_qs(each["query"]).get("symbol", [""])[0] for each in asked if "userTrades" in each["path"]
    }
    assert symbols == {"BTCUSDT"}
    assert paths["userTrades"] == 1
    assert paths["openOrders"] == 1
    assert sum(paths.values()) <= 11, paths  # the balances are compared too


def _never_compared(tx: Tx) -> None:
    tx.execute(update(hearing).values(compared_at=None))


def test_a_live_account_shows_and_sends_nothing_until_it_is_armed(exchange: RunningExchange, data: Path) -> None:
    """The same alert, first shown, then sent; and a person's order is refused with the reason."""
    with _house(exchange, data, mode=Mode.LIVE) as living:
        assert within(10, living.is_heard)
        assert within(10, lambda: _priced(living))
        shown = living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010", stop_loss="2%")
        assert shown.signal.state is SignalState.NOOP
        assert shown.message.startswith("disarmed: would buy 0.01 BTCUSDT")
        house, account = living.house, living.account
        ticket = Ticket("BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.01"), None, None, TimeInForce.GTC, False)
        trader = Trader.of(account)
        with pytest.raises(AccountDisarmed):
            house.database.write(lambda tx: manual.place(tx, house.desk, trader, ticket, by="test"), name="manual")
        assert _placed(exchange) == []

        now = house.clock.now()
        house.database.write(
            lambda tx: trading_accounts.arm(tx, account.owner_id, account.id, now=now, who="test"), name="arm"
        )
        assert living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010").state is AnswerState.FILLED
        assert len(_placed(exchange)) == 1


def _priced(living: Living) -> bool:
    """Say whether there is a price; asking for one that is missing lets it be followed."""
    try:
        living.house.quotes.get(living.key, "BTCUSDT")
    except Unavailable:
        return False
    return True


def test_what_was_held_before_is_taken_over_as_it_stands(exchange: RunningExchange, data: Path) -> None:
    """Books that begin at nothing would disagree with the exchange from the first minute on."""
    _bought_there(exchange, "0.020")

    with _house(exchange, data) as living:
        assert within(10, living.is_heard)
        assert living.position("BTCUSDT") == Decimal("0.020")
        assert _agrees(living, exchange)
        assert within(10, lambda: survey(living.house) == []), survey(living.house)


def test_a_venue_that_does_not_answer_stops_neither_the_start_nor_the_others(
    exchange: RunningExchange, data: Path
) -> None:
    """What it trades is known from before; it is heard, and decided for, once it answers again."""
    with _house(exchange, data) as living:
        assert within(10, living.is_heard)
    exchange.control("POST", "faults", kind="unavailable", times=100_000)

    with _house(exchange, data) as living:
        assert living.house.instruments.all(living.key)
        assert not living.is_heard()
        assert health.ready(living.house).ok
        told = health.report(living.house)
        assert told["status"] == "degraded"
        assert not told["checks"]["streams"]["ok"]
        set_gauges(living.house)
        assert f'account_heard{{account="{living.account.id}"}} 2.0' not in living.house.meters.text().decode()
        exchange.control("DELETE", "faults")
        assert within(40, living.is_heard)


def test_an_account_that_stays_deaf_still_reduces(exchange: RunningExchange, data: Path) -> None:
    """Nobody is kept in a position because a stream is away; what adds to it waits."""
    with _house(exchange, data, patience=Patience(deaf=_SHORT)) as living:
        assert within(10, living.is_heard)
        assert within(10, lambda: _priced(living))
        assert living.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010").state is AnswerState.FILLED
        exchange.control("POST", "faults", kind="unavailable", method="POST", path="listenKey", times=100_000)
        exchange.control("POST", "streams", do="drop", account=ACCOUNT)
        assert within(10, lambda: not living.is_heard())
        assert within(10, lambda: _alarmed(living))

        more = living.send(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010")
        assert more.signal.state is SignalState.PENDING
        with pytest.raises(AccountNotHeard):
            _by_hand(living)
        assert living.alert(action="close", symbol="BTCUSDT").state is AnswerState.FILLED
        assert living.position("BTCUSDT") == 0


def _alarmed(living: Living) -> bool:
    facts = living.house.database.read(lambda tx: told_facts.facts_after(tx, 0, owner_id=None, limit=10_000))
    told = [each.fact.payload["code"] for each in facts if each.fact.kind is FactKind.ALARM_RAISED]
    return "account_not_heard" in told


def _by_hand(living: Living) -> None:
    house, trader = living.house, Trader.of(living.account)
    ticket = Ticket("BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.01"), None, None, TimeInForce.GTC, False)
    house.database.write(lambda tx: manual.place(tx, house.desk, trader, ticket, by="test"), name="manual")


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

    standing = _orders(exchange)
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


def test_prices_of_what_a_hook_may_trade_are_there_before_its_first_alert(
    exchange: RunningExchange, data: Path
) -> None:
    """Otherwise its first alert is answered 503, since nobody has followed the price yet."""
    with _house(exchange, data) as living:
        house, owner = living.house, living.account.owner_id
        hook = house.database.read(lambda tx: hooks.by_token(tx, living.token))
        assert hook is not None
        assert house.quotes.all(living.key) == {}, "nobody follows anything"

        named = {"symbols": ["ETHUSDT", "NOSUCHUSDT"]}
        house.database.write(lambda tx: hooks.change(tx, owner, hook.id, named, now=house.clock.now()), name="hook")
        house.follow_soon(living.account.id)
        assert within(10, lambda: set(house.quotes.all(living.key)) == {"ETHUSDT"})
    with _house(exchange, data, process="after") as living:
        assert within(10, lambda: set(living.house.quotes.all(living.key)) == {"ETHUSDT"}), "followed from the start"


def test_what_only_another_process_was_told_of_is_followed_when_its_price_is_missed(
    exchange: RunningExchange, data: Path
) -> None:
    """A new listing, or a venue that was silent when this process asked: else its orders wait for hours."""
    with _house(exchange, data) as living:
        assert within(10, living.is_heard)
        house = living.house
        house.instruments.put(living.key, {})  # the books know them: another process was told
        with pytest.raises(QuoteMissing):
            house.quotes.get(living.key, "ETHUSDT")
        assert within(10, lambda: set(house.quotes.all(living.key)) == {"ETHUSDT"})
