"""What the client library would do of its own accord is not done: each of its traps is closed."""

import hashlib
import hmac
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import ccxt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilothouse.core.clock import millis
from pilothouse.core.errors import Unavailable
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.kit.clocks import FrozenClock, SystemClock
from pilothouse.kit.throttle import Use
from pilothouse.venues.ccxt.adapter import CcxtVenue
from pilothouse.venues.ccxt.card import exchange_ids
from pilothouse.venues.ccxt.exchange import Endpoint, ForeignAddress, Keys, NotPrivate, Outgoing, Session, opened
from pilothouse.venues.ccxt.known import quirks_of
from pilothouse.venues.ccxt.names import OrderNames
from pilothouse.venues.ccxt.quirks.binance import Binance
from pilothouse.venues.port import Accepted, OrderRequest, Rejected, Unknown
from tests.slices.simexchange.sim_house import RunningExchange
from tests.slices.venues.aster.recorder import Heard, Recorder, Say
from tests.slices.venues.ccxt import ccxt_house
from tests.slices.venues.ccxt.ccxt_house import ACCOUNT, KEYS, order, placed

BASE = "http://127.0.0.1:9/at"
FUTURES_ORDER, SPOT_ORDER = "/fapi/v1/order", "/api/v3/order"


def _session(exchange: str, base: str = BASE, *, testnet: bool = False, keys: Keys | None = None) -> Session:
    """Return an object of the library as the adapter uses it, and nothing behind it."""
    endpoint = Endpoint.at(exchange, exchange, base, testnet=testnet)
    quirks = quirks_of(exchange)
    session = Session("", keys or Keys(), OrderNames(), {}, lambda: 1_760_000_000_000, lambda _, out: [out])

    def prepare(x: Any) -> None:
        quirks.prepare(x)
        if endpoint.testnet:
            quirks.testnet(x)

    return opened(session, endpoint, quirks.options, prepare)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Yield a server that records what comes."""
    running = Recorder()
    running.on("GET", "/fapi/v1/time", lambda _: Say({"serverTime": millis(SystemClock().now())}))
    running.on("GET", "/api/v3/time", lambda _: Say({"serverTime": millis(SystemClock().now())}))
    running.on("POST", FUTURES_ORDER, _taken)
    running.on("POST", SPOT_ORDER, _taken)
    yield running
    running.close()


@pytest.fixture(params=["binanceusdm", "binance"])
def venue(request: pytest.FixtureRequest, recorder: Recorder) -> Iterator[CcxtVenue]:
    """Yield the adapter, pointed at the recorder."""
    made = ccxt_house.opened(request.param, recorder.url)
    yield made
    made.close()


def _taken(heard: Heard) -> Say:
    """Answer an order as Binance does."""
    sent = heard.params
    return Say(
        {
            "orderId": 1, "symbol": sent["symbol"], "status": "NEW", "clientOrderId": sent["newClientOrderId"],
            "price": sent.get("price", "0"), "origQty": sent["quantity"], "executedQty": "0", "type": sent["type"],
            "side": sent["side"], "timeInForce": sent.get("timeInForce", "GTC"), "updateTime": 1_760_000_000_000,
            "transactTime": 1_760_000_000_000,
        }
    )  # fmt: skip


def _orders(recorder: Recorder) -> list[Heard]:
    return recorder.of("POST", FUTURES_ORDER) + recorder.of("POST", SPOT_ORDER)


# ── Where requests go ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("part", range(4))
def test_no_exchange_keeps_an_address_of_its_own(part: int) -> None:
    """One family of addresses that is forgotten would receive real, signed requests."""
    for exchange in sorted(exchange_ids())[part::4]:
        x = _session(exchange).x
        for name in ("api", "test", "demo"):
            for url in _leaves(x.urls.get(name, {})):
                if isinstance(url, str):
                    assert urlsplit(url).netloc == "127.0.0.1:9", (exchange, name, url)
                    assert urlsplit(url).path.startswith("/at"), (exchange, name, url)


@pytest.mark.parametrize("family", sorted(ccxt.binance().urls["api"]))
def test_each_family_of_binance_is_asked_at_the_address_that_was_given(family: str) -> None:
    """Also those that nothing here asks: the library may ask them on its own."""
    session = _session("binanceusdm", keys=KEYS)
    (out,) = session.x.request("order", [family, "private"], "GET", {"symbol": "BTCUSDT"})

    assert out.url.startswith(f"{BASE}/")


@pytest.mark.parametrize(
    "url",
    [
        "https://fapi.binance.com/fapi/v1/order",
        "http://127.0.0.1:9/elsewhere",
        "http://127.0.0.1:9/attic/order",
        "http://127.0.0.1:99/at/order",
        "http://127.0.0.1:9@example.com/at/order",
    ],
)
def test_what_would_leave_for_another_address_is_refused(url: str) -> None:
    """Before it is sent: what is signed for a simulated exchange would be good at the real one."""
    with pytest.raises(ForeignAddress):
        _session("binanceusdm").x.fetch(url, "POST", {}, "quantity=1")


def test_nothing_travels_in_the_open() -> None:
    """Not to an address that was given, and not to one that the library has."""
    with pytest.raises(NotPrivate):
        Endpoint.at("binance", "binance", "http://exchange.example")
    with pytest.raises(NotPrivate):
        Endpoint.at("binance", "binance", "https://exchange.example", "ws://exchange.example")
    with pytest.raises(NotPrivate):
        _session("binance", "").x.fetch("http://exchange.example/order", "GET")


def test_a_testnet_does_not_undo_an_address() -> None:
    """The library's switch replaces every address, also one that was given on purpose."""
    here, away = _session("binanceusdm", testnet=True), _session("binanceusdm", "", testnet=True)

    assert not here.x.isSandboxModeEnabled
    assert here.x.urls["api"]["fapiPrivate"] == f"{BASE}/fapi/v1"
    assert away.x.urls["api"]["fapiPrivate"] == "https://demo-fapi.binance.com/fapi/v1"
    assert "https://fapi.binance.com/fapi/v1" not in set(_leaves(away.x.urls["api"]))


def test_a_house_on_paper_does_not_load_the_library() -> None:
    """It takes two seconds and a hundred megabytes, for nothing."""
    code = (
        "import sys, pilothouse.cli.main, pilothouse.api.app, pilothouse.wiring.build, pilothouse.jobs.embedded\n"
        "from pilothouse.venues import catalogue\n"
        "assert catalogue.card_of('kraken') and catalogue.credential_fields('binanceusdm')\n"
        "assert 'ccxt' not in sys.modules, 'loaded'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_a_house_at_an_exchange_loads_that_exchange_alone() -> None:
    """A hundred others are loaded with it otherwise, just when a house that was killed is to trade again."""
    code = (
        "import sys\n"
        "from pilothouse.venues.ccxt import opened\n"
        "from pilothouse.venues.ccxt.exchange import _tamed\n"
        "tamed = _tamed('binanceusdm')\n"
        "found = {name for name in ('kraken', 'okx', 'bybit') if f'ccxt.{name}' in sys.modules}\n"
        "assert not found, found\n"
        "import ccxt, ccxt.pro\n"  # whoever else uses the library finds all of it, and the same of each
        "assert issubclass(tamed, ccxt.binanceusdm) and issubclass(ccxt.binanceusdm, ccxt.binance)\n"
        "assert 'kraken' in ccxt.exchanges and ccxt.kraken.__name__ == 'kraken' and ccxt.Precise\n"
        "assert issubclass(ccxt.NetworkError, ccxt.BaseError) and ccxt.pro.binance.__name__ == 'binance'\n"
        "assert not hasattr(ccxt, 'nothing_of_the_kind')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


# ── Numbers ───────────────────────────────────────────────────────────────────────────────────────


def test_no_float_comes_out_of_the_library() -> None:
    """Prices, amounts, fees, limits: whatever it reads of an exchange stays the text that it was."""
    with RunningExchange(profile="binance") as exchange:
        venue = ccxt_house.opened("binanceusdm", exchange.base)
        placed(venue, order(Side.BUY, "0.010"))
        placed(venue, order(Side.BUY, "0.010", OrderType.LIMIT, price=Decimal(60_000)))
        pair = "BTC/USDT:USDT"

        def everything(session: Session) -> list[Any]:
            x = session.x
            return [
                x.load_markets(), x.fetch_balance(), x.fetch_positions(), x.fetch_orders(pair),
                x.fetch_my_trades(pair), x.fetch_ticker(pair), x.fetch_ohlcv(pair, "1h", None, 5),
                x.fetch_order_book(pair, 5)["symbol"], x.fetch_open_orders(pair), x.fetch_funding_rate(pair),
            ]  # fmt: skip

        told = venue._rest.read(everything, ACCOUNT.id, KEYS)
        venue.close()
    floats = [each for each in _leaves(told) if isinstance(each, float)]
    assert floats == []


def test_a_number_is_the_text_that_it_was() -> None:
    """A float in between would have lost the last digits without a word."""
    told = _session("binance").x.on_json_response('{"a": 0.1000000000000000055511, "b": 1e-8, "c": 12345678901234567}')

    assert told == {"a": "0.1000000000000000055511", "b": "1e-8", "c": 12345678901234567}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.decimals("0.00000001", "99999999", places=8), st.decimals("0.00000001", "99999999", places=8))
def test_an_order_is_sent_as_it_was_decided(
    venue: CcxtVenue, recorder: Recorder, size: Decimal, price: Decimal
) -> None:
    """To the last digit, also where a float has none left: 0.1 + 0.2, or a hundred millionth."""
    name = f"n{len(recorder.heard)}"
    terms = OrderTerms("BTCUSDT", Side.BUY, OrderType.LIMIT, size, price=price)
    (outcome,) = venue.place(ACCOUNT, [OrderRequest(name, terms, SystemClock().now())])

    assert isinstance(outcome, Accepted), outcome
    sent = _orders(recorder)[-1].params
    assert (Decimal(sent["quantity"]), Decimal(sent["price"])) == (size, price)
    assert "e" not in (sent["quantity"] + sent["price"]).lower()


def test_common_words_send_what_was_decided_too(recorder: Recorder) -> None:
    """An exchange without quirks is asked through the library's own order call, with text for every number."""
    session = _session("binance", recorder.url, keys=KEYS)
    quirks = type("Plain", (type(quirks_of("kraken")),), {"exchange": "binance", "title": "x", "kind": "spot"})()
    market = {
        "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
        "isSpotTradingAllowed": True, "orderTypes": ["LIMIT", "MARKET", "STOP_LOSS_LIMIT"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.00000001", "maxPrice": "1000000", "tickSize": "0.00000001"},
            {"filterType": "LOT_SIZE", "minQty": "0.00000001", "maxQty": "9000", "stepSize": "0.00000001"},
        ],
    }  # fmt: skip
    seen: list[Any] = []

    def carry(_: Session, out: Any) -> Any:
        seen.append(out)
        if "exchangeInfo" in out.url:
            return {"symbols": [market]}
        return {"orderId": 1, "symbol": "BTCUSDT", "transactTime": 1_760_000_000_000}

    session.carry = carry
    session.x.options["fetchMarkets"] = {"types": ["spot"]}
    terms = OrderTerms("BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal("0.30000001"), price=Decimal("0.00000003"))
    report = quirks.place(session, OrderRequest("mine1", terms, SystemClock().now()))

    assert report.client_order_id == "mine1"
    assert "quantity=0.30000001" in seen[-1].body
    assert "price=0.00000003" in seen[-1].body
    assert "newClientOrderId=mine1&" in seen[-1].body
    assert sum("exchangeInfo" in out.url for out in seen) == 1
    assert not any("capital/config" in out.url for out in seen), "currencies are not asked for"


# ── Identity ──────────────────────────────────────────────────────────────────────────────────────


def test_a_client_id_is_ours_to_the_letter(venue: CcxtVenue, recorder: Recorder) -> None:
    """No broker's mark stands before it: that would earn somebody a fee and make our id unfindable."""
    request = order(Side.BUY, "0.001")
    assert isinstance(placed(venue, request), Accepted)
    (heard,) = _orders(recorder)

    assert heard.params["newClientOrderId"] == request.client_order_id
    assert "x-" not in heard.text
    assert "builder" not in heard.text.lower()


@pytest.mark.parametrize("exchange", ["binanceusdm", "binance"])
def test_an_order_is_signed_and_says_how_long_it_is_good(exchange: str, recorder: Recorder) -> None:
    """Five seconds from its stamp: after that it can no longer be accepted, and may be sent again."""
    request = order(Side.BUY, "0.001")
    for path in ("/fapi/v1/time", "/api/v3/time"):
        recorder.on("GET", path, Say({"serverTime": millis(request.stamped_at) + 2_000}))
    venue = ccxt_house.opened(exchange, recorder.url, clock=FrozenClock(request.stamped_at))
    placed(venue, request)
    venue.close()
    (heard,) = _orders(recorder)
    text, _, signature = heard.text.rpartition("&signature=")

    assert signature == hmac.new(b"S", text.encode(), hashlib.sha256).hexdigest()
    assert heard.headers["x-mbx-apikey"] == "K"
    assert heard.params["recvWindow"] == "5000"
    assert 0 <= int(heard.params["timestamp"]) - millis(request.stamped_at) - 2_000 <= 1, "in the exchange's time"


# ── Once ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "say",
    [
        Say({"code": -1000, "msg": "Unknown error, please check your request or try again later."}, 503),
        Say({"code": -1007, "msg": "Timeout waiting for response."}, 408),
        Say({"code": -7777, "msg": "never heard of"}, 400),
        Say(b"<html>502 Bad Gateway</html>", 502),
        Say(b"not json", 200),
        Say({"orderId": 1}, 200),
        Say(drop=True),
    ],
)
def test_what_may_have_arrived_is_unknown_and_sent_once(venue: CcxtVenue, recorder: Recorder, say: Say) -> None:
    """The library would send some of these again by itself, and call others a failure."""
    for path in (FUTURES_ORDER, SPOT_ORDER):
        recorder.on("POST", path, say)

    assert isinstance(placed(venue, order(Side.BUY, "0.001")), Unknown)
    assert len(_orders(recorder)) == 1


def test_a_refused_time_is_tried_once_more_and_not_for_ever(venue: CcxtVenue, recorder: Recorder) -> None:
    """To the library it is an error of the network like any other, good for endless repetition."""
    stale = Say({"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}, 400)
    for path in (FUTURES_ORDER, SPOT_ORDER):
        recorder.on("POST", path, stale)

    outcome = placed(venue, order(Side.BUY, "0.001"))

    assert isinstance(outcome, Rejected)
    assert outcome.may_be_repeated
    assert len(_orders(recorder)) == 2
    assert len(recorder.of("GET", "/fapi/v1/time") + recorder.of("GET", "/api/v3/time")) >= 2, (
        "the clock is read between"
    )


def test_no_connection_is_a_refusal_that_may_be_repeated(recorder: Recorder) -> None:
    """Not one byte has left: the order certainly does not exist."""
    url = recorder.url
    recorder.close()
    venue = ccxt_house.opened("binanceusdm", url)
    outcome = placed(venue, order(Side.BUY, "0.001"))
    venue.close()

    assert isinstance(outcome, Rejected)
    assert outcome.may_be_repeated


# ── Threads and limits ────────────────────────────────────────────────────────────────────────────


def test_many_threads_do_not_mix_their_orders(venue: CcxtVenue, recorder: Recorder) -> None:
    """An object of the library is for one thread at a time: each has its own, and each order its own signature."""
    barrier = threading.Barrier(6)

    def send(number: int) -> list[Any]:
        barrier.wait()
        requests = [order(Side.BUY, f"0.{number}{each}1") for each in range(1, 6)]
        return [(request, outcome) for request, outcome in zip(requests, venue.place(ACCOUNT, requests), strict=True)]

    with ThreadPoolExecutor(6) as pool:
        done = [pair for pairs in pool.map(send, range(1, 7)) for pair in pairs]

    assert all(isinstance(outcome, Accepted) for _, outcome in done)
    sent = {heard.params["newClientOrderId"]: heard for heard in _orders(recorder)}
    assert len(sent) == 30
    for request, outcome in done:
        assert outcome.report.client_order_id == request.client_order_id
        assert Decimal(sent[request.client_order_id].params["quantity"]) == request.terms.quantity
    for start in range(0, 30, 5):  # those of one call keep their order
        names = [request.client_order_id for request, _ in done[start : start + 5]]
        assert names == sorted(names, key=list(sent).index)


def test_connections_are_kept(venue: CcxtVenue, recorder: Recorder) -> None:
    """A new one for each order would cost three round trips of the price's time."""
    connections: list[Any] = []
    take = recorder._server.get_request

    def counted() -> Any:
        connections.append(1)
        return take()

    recorder._server.get_request = counted  # type: ignore[method-assign]  # each new connection comes through it

    for _ in range(5):
        assert isinstance(placed(venue, order(Side.BUY, "0.001")), Accepted)
    assert len(connections) <= 1


def test_after_a_429_nothing_is_sent_until_it_is_over(venue: CcxtVenue, recorder: Recorder) -> None:
    """Who goes on asking is banned, for minutes and then for days."""
    for path in (FUTURES_ORDER, SPOT_ORDER):
        recorder.on("POST", path, Say({"code": -1003, "msg": "Too many requests."}, 429, {"Retry-After": "30"}))

    first, second = placed(venue, order(Side.BUY, "0.001")), placed(venue, order(Side.BUY, "0.001"))

    assert isinstance(first, Rejected)
    assert isinstance(second, Rejected)
    assert first.may_be_repeated
    assert (second.code, second.may_be_repeated) == ("budget", True)
    assert len(_orders(recorder)) == 1


@pytest.mark.parametrize(
    ("exchange", "path", "told", "counted"),
    [
        ("binanceusdm", FUTURES_ORDER, {"weight": 24_000, "MINUTE": 12_000}, [(24_000, 60), (300, 10), (12_000, 60)]),
        ("binance", SPOT_ORDER, {"weight": 60_000, "SECOND": 1_000}, [(60_000, 60), (1_000, 10), (200_000, 86_400)]),
    ],
)
def test_limits_are_those_that_the_exchange_tells(
    exchange: str, path: str, told: dict[str, int], counted: list[tuple[int, int]]
) -> None:
    """They are raised for who trades much; what is not told is as the exchange's pages have it."""
    quirks, session = quirks_of(exchange), _session(exchange)
    assert isinstance(quirks, Binance)
    every = {"weight": ("REQUEST_WEIGHT", "MINUTE", 1), "MINUTE": ("ORDERS", "MINUTE", 1)}
    every["SECOND"] = ("ORDERS", "SECOND", 10)
    limits = [
        {"rateLimitType": every[name][0], "interval": every[name][1], "intervalNum": every[name][2], "limit": limit}
        for name, limit in told.items()
    ]

    quirks.keep_limits(session, {"rateLimits": limits})

    budgets = quirks.costs("a venue", "an address", session, Outgoing("POST", f"https://x{path}", {}, ""))
    assert [(budget.limit, budget.window_s) for budget in budgets] == counted


@pytest.mark.parametrize("exchange", ["binanceusdm", "binance"])
def test_the_limits_are_asked_for_even_if_the_usual_ones_are_spent(exchange: str) -> None:
    """Who has larger ones and starts again has spent more than the usual ones allow, and would wait out the minute."""
    quirks, session = quirks_of(exchange), _session(exchange)
    assert isinstance(quirks, Binance)
    uses = []

    def ask() -> dict[str, Any]:
        uses.append(session.use)
        return {"rateLimits": []}

    for _ in range(2):
        quirks.exchange_info(session, ask)
        uses.append(session.use)
    assert uses == [Use.FIRST, Use.READ, Use.READ, Use.READ]


@pytest.mark.parametrize(("exchange", "weight"), [("binanceusdm", "2399"), ("binance", "5999")])
def test_reads_give_way_to_orders(exchange: str, weight: str, recorder: Recorder) -> None:
    """The exchange's own count is gone by: a part of it is for orders, and no read may touch that."""
    clock = FrozenClock(SystemClock().now())  # the minute in which it counts does not end
    venue = ccxt_house.opened(exchange, recorder.url, clock=clock)
    used = {"X-MBX-USED-WEIGHT-1M": weight}
    for path in ("/fapi/v1/klines", "/api/v3/klines"):
        recorder.on("GET", path, Say([], 200, used))
    now = clock.now()
    venue.candles("BTCUSDT", "1m", now, now)

    with pytest.raises(Unavailable, match="budget"):
        venue.candles("BTCUSDT", "1m", now, now)
    assert isinstance(placed(venue, order(Side.BUY, "0.001")), Accepted)
    venue.close()


def test_too_many_orders_of_an_account_do_not_stop_its_reads(venue: CcxtVenue, recorder: Recorder) -> None:
    """The limit of orders is the account's; that of requests is the address's."""
    for path in (FUTURES_ORDER, SPOT_ORDER):
        recorder.on("POST", path, Say({"code": -1015, "msg": "Too many new orders."}, 429, {"Retry-After": "30"}))
    for path in ("/fapi/v1/klines", "/api/v3/klines"):
        recorder.on("GET", path, Say([]))
    now = SystemClock().now()

    assert isinstance(placed(venue, order(Side.BUY, "0.001")), Rejected)
    assert isinstance(placed(venue, order(Side.BUY, "0.001")), Rejected)
    assert len(_orders(recorder)) == 1
    assert venue.candles("BTCUSDT", "1m", now, now) == []
