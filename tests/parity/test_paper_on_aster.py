"""Paper money on the public prices of an exchange: our adapter without any key, and fills at the prices it tells."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.accounts import hooks, trading_accounts
from pilothouse.accounts.trading_accounts import Mode, TradingAccount
from pilothouse.bots.alert import read
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderTerms, OrderType
from pilothouse.core.quote import Quote
from pilothouse.execution import store as orders
from pilothouse.fleet import inbox
from pilothouse.fleet.inbox import Door
from pilothouse.jobs.embedded import Embedded
from pilothouse.jobs.schedule import reconcile_all
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.db import Tx
from pilothouse.kit.settings import Settings
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.ledger import positions
from pilothouse.observability import health
from pilothouse.venues import catalogue
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.opening import Accounts, Opening
from pilothouse.venues.paper_real import RealPaper
from pilothouse.venues.port import (
    Accepted,
    AccountEvent,
    OrderReport,
    OrderRequest,
    Rejected,
    VenueAccount,
    VenueStatus,
)
from pilothouse.wiring import first_steps
from pilothouse.wiring.build import build, open_paper_account
from pilothouse.wiring.house import House
from pilothouse.wiring.paper_accounts import start_over
from tests.slices.simexchange.sim_house import RunningExchange

ACCOUNT = VenueAccount("acc_1", "usr_1")
BTC = "BTCUSDT"


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    """Yield a simulated exchange that listens."""
    with RunningExchange(profile="aster") as running:
        yield running


@pytest.fixture
def venue(exchange: RunningExchange, tmp_path: Path) -> Iterator[RealPaper]:
    """Yield paper money on it, opened by its key."""
    nobody = Accounts(lambda _: {}, list)
    opening = Opening(SystemClock(), tmp_path, Throttle(OwnBooks(), SystemClock()), nobody)
    opened = catalogue.open_venue(VenueKey.parse(f"paper-aster@{exchange.base}"), opening)
    assert isinstance(opened, RealPaper)
    try:
        opened.instruments()
        opened.open_account(ACCOUNT, Decimal(10_000))
        yield opened
    finally:
        opened.close()


def place(venue: RealPaper, side: Side, quantity: str, kind: OrderType = OrderType.MARKET, **terms: Any) -> OrderReport:
    """Place an order until it is taken: the venue says itself when it is to be sent again."""
    asked = OrderTerms(BTC, side, kind, Decimal(quantity), **terms)
    name, deadline = f"p{time.monotonic_ns()}", time.monotonic() + 60
    while True:
        (outcome,) = venue.place(ACCOUNT, [OrderRequest(name, asked, SystemClock().now())])
        if not isinstance(outcome, Rejected) or not outcome.may_be_repeated or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert isinstance(outcome, Accepted), outcome
    return outcome.report


def test_a_key_is_not_needed_and_an_order_fills_at_the_exchanges_best_price(
    venue: RealPaper, exchange: RunningExchange
) -> None:
    """What the exchange shows is what paper pays; nothing is ever sent there but public questions."""
    quotes: list[Any] = []
    venue.watch(quotes.extend)

    report = place(venue, Side.BUY, "0.010")

    (fill,) = report.fills
    assert fill.price in {quote.ask for quote in quotes}
    asked = exchange.control("GET", "requests")
    assert asked
    assert not any("order" in str(each).lower() or "signature" in str(each).lower() for each in asked)


def test_a_move_of_the_exchanges_price_triggers_the_stop(venue: RealPaper, exchange: RunningExchange) -> None:
    """By its mark price, over its stream; the fill is at the exchange's bid then, also where that is told after it."""
    exchange.control("POST", "price", symbol=BTC, price="65000.0")
    _until(lambda: any(abs(quote.mark - 65_000) < 100 for quote in venue.quotes([BTC])))
    told: list[OrderReport] = []
    heard = threading.Event()

    def listen(event: AccountEvent) -> None:
        if event.report is not None and event.report.status is VenueStatus.FILLED:
            told.append(event.report)
            heard.set()

    venue.listen(ACCOUNT, listen)
    place(venue, Side.BUY, "0.010")
    stop = place(venue, Side.SELL, "0.010", OrderType.STOP_MARKET, stop_price=Decimal("63000.0"), reduce_only=True)
    assert stop.status is VenueStatus.NEW

    exchange.control("POST", "price", symbol=BTC, price="62000.0")

    assert heard.wait(20), "the stop was not triggered"
    assert [report.client_order_id for report in told] == [stop.client_order_id]
    price = told[0].fills[0].price
    assert Decimal(61_900) < price < Decimal(62_100)
    assert venue.positions(ACCOUNT) == []
    balance = venue.balance(ACCOUNT)
    assert balance.wallet == balance.margin_balance < Decimal(10_000)


@pytest.fixture
def dead_books(exchange: RunningExchange) -> Iterator[Callable[[RealPaper], None]]:
    """Yield what kills the stream of books of the exchange, at 65,000, and lets it go on to 62,000 for the others."""

    def kill(venue: RealPaper) -> None:
        exchange.control("POST", "price", symbol=BTC, price="65000.0")
        told: list[Quote] = []
        stop = venue.watch(told.extend)
        venue.follow([BTC])
        _until(lambda: any(quote.book_at is not None and abs(quote.mark - 65_000) < 100 for quote in told))
        exchange.control("POST", "faults", kind="mute", stream=True, event="bookTicker", times=-1)
        exchange.control("POST", "price", symbol=BTC, price="62000.0")
        _until(lambda: told[-1].mark < 62_100)
        assert told[-1].bid > 64_900, "the mark comes with the book of before"
        stop()

    yield kill
    exchange.control("DELETE", "faults")


def test_while_the_stream_of_books_is_dead_an_order_fills_at_the_book_that_is_asked_for(
    venue: RealPaper, dead_books: Callable[[RealPaper], None]
) -> None:
    """The connection lives, and the mark goes on: the book it told last is of another market."""
    dead_books(venue)

    for side in (Side.BUY, Side.SELL):
        for fill in place(venue, side, "0.010").fills:
            assert Decimal(61_900) < fill.price < Decimal(62_100)


def test_its_funding_and_sizes_are_those_of_the_exchange(venue: RealPaper) -> None:
    """The rate and the hour it announces, and what stands at its best prices."""
    (quote,) = venue.quotes([BTC])

    assert quote.funding_rate is not None
    assert quote.funding_at is not None
    assert quote.funding_at > SystemClock().now()
    assert quote.bid_quantity is not None
    assert quote.bid_quantity > 0


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)  # the journal is a file of its own on both
def test_an_alert_becomes_a_fill_at_the_exchanges_price_and_its_stop_guards_it(
    tables_url: str, tmp_path: Path, exchange: RunningExchange
) -> None:
    """The whole house on paper money and real prices: hook, books and venue agree, and the account starts over."""
    exchange.control("POST", "price", symbol=BTC, price="65000.0")
    variables = {"PILOTHOUSE_DATA": str(tmp_path / "data"), "PILOTHOUSE_DATABASE_URL": tables_url}
    house = build(Settings.from_environment(variables))
    first_steps.take(house)
    account, token = _account_with_a_hook(house, f"paper-aster@{exchange.base}")
    open_paper_account(house, account.id, Decimal(500))
    jobs = Embedded(house)
    jobs.start()
    try:
        _until(lambda: BTC in house.quotes.all(account.venue) or not house.venues[account.venue].quotes([BTC]))
        _alert(house, token, {"symbol": BTC, "action": "buy", "quantity": "0.01", "stop_loss": "63000"})
        _until(lambda: _held(house, account.id) == Decimal("0.01"))
        venue = house.venues[account.venue]
        mine = VenueAccount(account.id, account.owner_id)
        (fill,) = venue.fills_after(mine, BTC, None)
        assert Decimal(64_990) < fill.price < Decimal(65_010)
        _until(lambda: any(report.terms.stop_price == 63_000 for report in venue.open_orders(mine)))

        exchange.control("POST", "price", symbol=BTC, price="62000.0")

        _until(lambda: venue.positions(mine) == [])
        reconcile_all(house)
        assert _held(house, account.id) == 0
        assert house.database.read(lambda tx: positions.drift(tx, account.id)) == []
        start_over(house, house.operator_id, account.id, by="test")
        assert venue.balance(mine).wallet == 500
        assert health.report(house)["markets"][account.venue] == "paper money on real prices of AsterDEX perpetuals"
    finally:
        jobs.stop()
        house.close()


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)  # the journal is a file of its own on both
def test_an_alert_whose_order_finds_no_book_waits_and_says_why_until_the_venue_tells_one(
    tables_url: str, tmp_path: Path, exchange: RunningExchange, dead_books: Callable[[RealPaper], None]
) -> None:
    """Neither rejected for good nor filled by what was: it is put off, shown so, and sent again by itself."""
    variables = {"PILOTHOUSE_DATA": str(tmp_path / "data"), "PILOTHOUSE_DATABASE_URL": tables_url}
    house = build(Settings.from_environment(variables))
    first_steps.take(house)
    account, token = _account_with_a_hook(house, f"paper-aster@{exchange.base}")
    open_paper_account(house, account.id, Decimal(5_000))
    jobs = Embedded(house)
    jobs.start()
    try:
        venue = house.venues[account.venue]
        assert isinstance(venue, RealPaper)
        dead_books(venue)
        exchange.control("POST", "faults", kind="unavailable", path="ticker/bookTicker", times=-1)
        _alert(house, token, {"symbol": BTC, "action": "buy", "quantity": "0.01"})
        _until(lambda: [order.state for order in _orders(house, account.id)] == [OrderState.INTENDED])
        (waits,) = _orders(house, account.id)
        assert (waits.outcome or "").startswith("no_fresh_book: the best prices of BTCUSDT are ")
        assert venue.fills_after(VenueAccount(account.id, account.owner_id), BTC, None) == []

        exchange.control("DELETE", "faults")

        _until(lambda: _held(house, account.id) == Decimal("0.01"))
        (order,) = _orders(house, account.id)
        assert order.state is OrderState.FILLED
        assert Decimal(61_900) < order.filled_notional / order.filled_quantity < Decimal(62_100)
        assert house.database.read(lambda tx: positions.drift(tx, account.id)) == []
    finally:
        jobs.stop()
        house.close()


def _orders(house: House, account_id: str) -> list[orders.OrderRecord]:
    narrow = orders.OrderFilter(account_id=account_id)
    return house.database.read(lambda tx: orders.page(tx, house.operator_id, narrow, before=None, limit=10))


def _account_with_a_hook(house: House, venue: str) -> tuple[TradingAccount, str]:
    def work(tx: Tx) -> tuple[TradingAccount, str]:
        owner, now = house.operator_id, house.clock.now()
        account = trading_accounts.open_account(
            tx, owner_id=owner, name="real prices", venue=venue, mode=Mode.PAPER, currency="USDT", now=now
        )
        _, token, _ = hooks.create(tx, owner_id=owner, account_id=account.id, name="real prices", now=now)
        return account, token.reveal()

    return house.database.write(work, name="account")


def _alert(house: House, token: str, fields: dict[str, str]) -> None:
    body = json.dumps(fields).encode()

    def work(tx: Tx) -> None:
        hook = inbox.hook_by_token(tx, token)
        shape, print_ = Door.HOOK, hashlib.sha256(body).hexdigest()
        inbox.take(
            tx, house.desk, hook, shape, read(body, shape.shape), fingerprint=print_, received_at=house.clock.now()
        )

    house.database.write(work, name="alert")


def _held(house: House, account_id: str) -> Decimal:
    return house.database.read(lambda tx: positions.position(tx, account_id, BTC)).quantity


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not check():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
