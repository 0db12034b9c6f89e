"""Alerts at their doors: what is stored, what is answered, and what is done once."""

import hashlib
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilothouse.api.hooks import WAIT_MS_DEFAULT, WAIT_MS_MAX, wait_ms
from pilothouse.bots import follow
from pilothouse.fleet import drive
from tests.plain_http import NO_TLS
from tests.slices.api.conftest import PATIENCE_S, Served, until

OPEN: dict[str, Any] = {"action": "open", "side": "BUY", "quantity": "0.01"}


def test_an_alert_becomes_a_filled_order_and_a_position(running: Served) -> None:
    """The main promise, with the names that older clients read in both spellings."""
    answer = running.alert(**OPEN)

    assert answer.status_code == 200
    told = answer.json()
    assert (told["success"], told["state"], told["duplicate"]) == (True, "filled", False)
    assert told["message"] == "Position opened successfully for BTCUSDT"
    order, position = told["order"], told["position"]
    assert order["status"] == "FILLED"
    assert order["origQty"] == order["orig_qty"] == order["quantity"] == order["executedQty"] == "0.01"
    assert isinstance(order["orderId"], int)
    assert order["clientOrderId"].isalnum()
    assert position["positionAmt"] == position["position_amt"] == "0.01"
    assert position["leverage"] == 10
    assert answer.headers["X-Request-Id"].startswith("req_")
    assert "X-Process-Time" in answer.headers


def test_ten_deliveries_at_once_make_one_order(running: Served) -> None:
    """TradingView sends again, and some senders send in parallel."""
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: running.alert(**OPEN, alert_id="one"), range(10)))

    told = [answer.json() for answer in answers]
    assert {answer.status_code for answer in answers} == {200}
    assert {each["signal_id"] for each in told} == {told[0]["signal_id"]}
    assert sorted(each["duplicate"] for each in told) == [False] + [True] * 9
    assert {each["state"] for each in told} == {"filled"}
    assert len(running.orders()) == 1


def test_two_honest_alerts_that_differ_in_time_are_two(running: Served) -> None:
    """The second an alert fired in tells a new alert from a repeat."""
    first, second = (running.alert(**OPEN, timenow=f"2026-11-21T09:30:0{n}Z").json() for n in (1, 2))

    assert first["signal_id"] != second["signal_id"]
    assert second["position"]["positionAmt"] == "0.02"


def test_an_alert_id_with_another_body_is_a_conflict(running: Served) -> None:
    """An id that means two things means nothing."""
    running.alert(**OPEN, alert_id="one")
    answer = running.alert(**{**OPEN, "quantity": "0.02"}, alert_id="one")

    assert answer.status_code == 409
    assert answer.json()["code"] == "ALERT_ID_TAKEN"
    assert len(running.orders()) == 1


def test_the_secret_of_the_body_decides_even_when_it_is_wrong(served: Served) -> None:
    """A wrong secret is not put right by a header; without one in the body the header counts."""
    send = served.client({"X-Webhook-Secret": served.secret}).post
    alert = {"symbol": "BTCUSDT", **OPEN}

    wrong = send("/webhook/tradingview", json={**alert, "webhook_secret": "wrong"})
    right = send("/webhook/tradingview?wait_ms=0", json=alert)
    none = served.client().post("/webhook/tradingview", json=alert)

    assert (wrong.status_code, wrong.json()["detail"]) == (401, "Invalid webhook secret")
    assert (none.status_code, none.json()["detail"]) == (401, "Webhook secret required but not provided")
    assert right.status_code == 200
    assert len(served.signals()) == 1


def test_what_is_wrong_is_said_only_to_who_knows_the_secret(served: Served) -> None:
    """Every wrong field is named at once, but a stranger learns nothing about forms."""
    answer = served.alert(action="opn", symbol="", quantity=-1, order_type="STOP")
    stranger = served.alert(action="opn", webhook_secret="wrong")

    told = answer.json()
    assert answer.status_code == 400
    assert (told["code"], told["success"], told["state"]) == ("VALIDATION_ERROR", False, "refused")
    assert {each["field"] for each in told["validation_errors"]} >= {"action", "symbol", "order_type"}
    assert isinstance(told["timestamp"], int)
    assert answer.headers["content-type"] == "application/json"
    assert stranger.status_code == 401


def test_closing_while_flat_is_404_at_the_first_door_and_nothing_at_the_others(running: Served) -> None:
    """Strategies close what is closed already; that is no fault of theirs."""
    first = running.alert(action="close")
    strategy = running.alert("/webhook/tradingview-strategy", order_action="sell", contracts="1", position_size="0")
    own = running.alert(f"/hooks/{running.url_token}", action="close")

    assert (first.status_code, first.json()["code"]) == (404, "POSITIONNOTFOUND")
    assert (strategy.status_code, strategy.json()["state"]) == (200, "noop")
    assert (own.status_code, own.json()["state"]) == (200, "noop")
    assert running.orders() == []


def test_a_flip_is_answered_with_its_opening_order(running: Served) -> None:
    """A flip closes and then opens; the sender is told of what holds at the end."""
    running.alert("/webhook/tradingview-strategy", order_action="buy", contracts="1", position_size="0.02")
    flipped = running.alert(
        "/webhook/tradingview-strategy", order_action="sell", contracts="1", position_size="-0.01"
    ).json()

    assert flipped["message"] == "Position flipped successfully for BTCUSDT"
    assert (flipped["order"]["side"], flipped["order"]["origQty"]) == ("SELL", "0.01")
    assert flipped["position"]["positionAmt"] == "-0.01"


def test_an_alert_nobody_waits_for_is_pending_and_stored(served: Served) -> None:
    """What is under way is said to be so; the outcome is found under the alert's id."""
    told = served.alert(**OPEN, wait_ms=0).json()

    assert (told["state"], told["order"]["status"]) == ("pending", "PENDING_NEW")
    assert told["order"]["orderId"] is None
    served.jobs.start()
    done = until(lambda: [each for each in served.signals() if each["outcome"] == "filled"])
    assert done[0]["id"] == told["signal_id"]


def test_any_content_type_and_any_spelling_is_understood(running: Served) -> None:
    """TradingView sends text/plain, curl sends a form, and symbols are spelled in many ways."""
    client = running.client()
    for number, (content_type, symbol) in enumerate(
        [("text/plain", "BINANCE:BTCUSDT.P"), ("application/x-www-form-urlencoded", "btc/usdt:usdt")], start=1
    ):
        body = {"ACTION": "Buy", "Symbol": symbol, "quantity": 0.01, "timenow": number}
        answer = client.post(
            f"/hooks/{running.url_token}?wait_ms=2500", content=json.dumps(body), headers={"Content-Type": content_type}
        )
        assert answer.json()["position"]["positionAmt"] == f"0.0{number}"


def test_an_unknown_address_is_not_found_whatever_it_is_sent(served: Served) -> None:
    """Who guesses addresses learns nothing."""
    answers = [served.alert("/hooks/nothing", **body) for body in (OPEN, {"action": "nonsense"})]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert len({answer.json()["detail"] for answer in answers}) == 1


def test_nothing_is_stored_without_a_price(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 says: send it again. So nothing may have come of it."""
    monkeypatch.setattr("pilothouse.api.hooks.PRICE_SECONDS_MAX", 0.1)
    served.house.quotes.forget("paper")
    answer = served.alert(**OPEN)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert served.signals() == []


def test_above_its_rate_a_hook_stores_nothing(served: Served) -> None:
    """A sender that runs wild is told so and costs nothing."""
    hook = served.api.get("/api/v1/hooks").json()["items"][0]["id"]
    served.api.patch(f"/api/v1/hooks/{hook}", json={"rate_per_s": 1})
    answers: list[httpx.Response] = []

    def one_too_many() -> bool:
        answers.append(served.alert(**OPEN, wait_ms=0, timenow=len(answers)))
        return answers[-1].status_code == 429

    until(one_too_many)
    limited = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) > len(limited) > 0, "as many as fit are taken"
    assert {answer.headers["Retry-After"] for answer in limited} == {"1"}
    assert len(served.signals()) == len(answers) - len(limited)


def test_nobody_is_remembered_who_was_answered(running: Served) -> None:
    """A door that forgets no request fills the memory in a month."""
    running.alert(**OPEN)
    running.alert(**OPEN)
    running.alert(action="nonsense")
    running.alert(action="close", symbol="ETHUSDT")
    running.alert(action="open", webhook_secret="wrong")

    assert len(running.app.state.intake.outcomes) == 0


def test_a_dry_hook_says_what_it_would_do_and_sends_nothing(running: Served) -> None:
    """To try a strategy's alerts without an order."""
    made = running.api.post("/api/v1/hooks", json={"name": "try", "dry": True}).json()
    told = running.alert(f"/hooks/{made['token']}", **OPEN).json()

    assert told["state"] == "noop"
    assert told["dry"]["would"]["quantity"] == "0.01"
    assert running.orders() == []


def test_a_denial_names_the_number_and_the_limit(running: Served) -> None:
    """A person who is refused wants to know by how much."""
    running.api.put("/api/v1/limits", json={"order_notional_max": "100"})
    told = running.alert(**OPEN)

    assert told.status_code == 200
    assert (told.json()["success"], told.json()["state"]) == (False, "refused")
    assert told.json()["reasons"][0]["limit"] == "100"


def _raw(served: Served, head: str, body: bytes) -> bytes:
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as wire:
        wire.sendall(f"POST /webhook/tradingview HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode() + body)
        return wire.recv(1000)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Content-Length: 99999999999", b"{"),
        ("Content-Length: 65537", b"{"),
        ("Transfer-Encoding: chunked", b"10001\r\n" + b" " * 0x10001 + b"\r\n0\r\n\r\n"),
    ],
)
def test_a_body_that_is_too_large_is_not_read(served: Served, head: str, body: bytes) -> None:
    """Nobody fills the memory, whatever length was announced."""
    assert _raw(served, head, body).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_64_kib_is_read(served: Served) -> None:
    """The bound is a bound, not one byte less."""
    text = json.dumps({"symbol": "BTCUSDT", **OPEN, "comment": ""})
    body = text[:-2] + "x" * (65_536 - len(text)) + text[-2:]
    answer = served.client().post(f"/hooks/{served.url_token}?wait_ms=0", content=body)

    assert len(body) == 65_536
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("query", "waits"),
    [
        (b"", WAIT_MS_DEFAULT),
        (b"wait_ms=", WAIT_MS_DEFAULT),
        (b"wait_ms=soon", WAIT_MS_DEFAULT),
        (b"wait_ms=1e3", WAIT_MS_DEFAULT),
        (b"wait_ms=0", 0),
        (b"wait_ms=-5", 0),
        (b"a=1&wait_ms=2499", 2499),
        (b"wait_ms=2501", WAIT_MS_MAX),
        (b"wait_ms=" + b"9" * 9999, WAIT_MS_MAX),
        (b"wait_ms=000000000000000000020", 20),
    ],
)
def test_the_time_to_wait_is_clamped_and_never_refused(query: bytes, waits: int) -> None:
    """An alert is not lost over a parameter."""
    assert wait_ms(query) == waits


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "action",
        "side",
        "quantity",
        "price",
        "order_type",
        "stop_loss",
        "alert_id",
        "timenow",
        "position_size",
        "contracts",
    ]
)
NONSENSE: list[Any] = [
    b"",
    b"null",
    b"[1]",
    b'"open"',
    b"{" * 5_000,
    b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
    b'{"action":"open","side":"BUY","symbol":"BTCUSDT","quantity":NaN}',
    b'{"action":"open","side":"BUY","symbol":"BTCUSDT","quantity":1e999999}',
    b'{"action":"open","side":"BUY","symbol":"BTCUSDT","quantity":"{{strategy.order.contracts}}"}',
    b'{"action":"open","side":"BUY","symbol":"BTCUSDT","quantity":{{strategy.order.contracts}}}',
    b'{"action":"open","side":"BUY","symbol":"BTCUSDT","quantity":"\xff"}',
    '{"action":"open","side":"BUY","symbol":"BTCUSDT","quantity":"\u0661"}'.encode(),
    b'{"action":"open","side":"BUY","symbol":"\\ud800","quantity":"1"}',
    b'{"action":"open","side":"BUY","symbol":"BTCUSDT\\u0000","quantity":"1"}',
]


def test_nonsense_is_refused_with_a_reason_and_never_an_order(served: Served) -> None:
    """Whatever comes, it is a 4xx that says why."""
    client = served.client()
    for body in NONSENSE:
        answer = client.post(f"/hooks/{served.url_token}?wait_ms=0", content=body)
        assert answer.status_code == 400, body[:80]
        assert answer.json()["validation_errors"], body[:80]
    assert served.orders() == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | st.dictionaries(NAMES, JSON, max_size=6).map(lambda d: json.dumps(d).encode()))
def test_random_bodies_are_4xx_and_never_an_order(served: Served, body: bytes) -> None:
    """Nobody can make an order, or a fault of ours, by accident."""
    with httpx.Client(base_url=served.url, timeout=PATIENCE_S, verify=NO_TLS) as client:
        for door in (f"/hooks/{served.url_token}", "/webhook/tradingview"):
            answer = client.post(f"{door}?wait_ms=0", content=body)
            assert 400 <= answer.status_code < 500
            assert answer.json()["detail"]
    assert served.house.database.waiting == 0


class _Short:
    """A rule that runs out of memory so many times, and then decides as always."""

    def __init__(self, times: int, decide: Any) -> None:
        self.left, self._decide = times, decide

    def __call__(self, *args: Any, **more: Any) -> Any:
        if self.left > 0:
            self.left -= 1
            raise MemoryError
        return self._decide(*args, **more)


def test_an_alert_for_which_there_is_no_memory_to_decide_is_kept_and_decided_once(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To keep it takes less than to decide it: it is answered as waiting, and carried out in its turn."""
    short = _Short(3, follow.decide)
    monkeypatch.setattr(follow, "decide", short)

    answer = served.alert(**OPEN, alert_id="short-1", wait_ms=0)

    assert answer.status_code == 200
    assert answer.json()["state"] == "pending"
    served.jobs.start()
    until(lambda: [order for order in served.orders() if order["state"] == "filled"])
    again = served.alert(**OPEN, alert_id="short-1")
    assert (again.json()["duplicate"], again.json()["state"]) == (True, "filled")
    assert short.left == 0
    assert [order["filled_quantity"] for order in served.orders()] == ["0.01"]


def test_an_alert_that_cannot_even_be_kept_is_refused_and_may_come_again(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender hears that nothing was done, and sends it again."""
    monkeypatch.setattr(drive, "hold", _Short(1, drive.hold))
    monkeypatch.setattr(follow, "decide", _Short(1, follow.decide))

    refused = running.alert(**OPEN, alert_id="short-2")
    assert refused.status_code == 503
    assert refused.json()["success"] is False
    assert running.signals() == []

    assert running.alert(**OPEN, alert_id="short-2").json()["state"] == "filled"
    assert [order["filled_quantity"] for order in running.orders()] == ["0.01"]


def test_an_alert_whose_turn_does_not_come_in_time_is_refused_and_stored_when_it_comes_again(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TradingView hangs up after three seconds and never sends that alert again; after a 503 it does."""
    monkeypatch.setattr("pilothouse.api.hooks.STORED_SECONDS_MAX", 0.3)
    come, lane = threading.Event(), hashlib.sha256(running.secret.encode()).hexdigest()
    before = running.house.database.submit(lambda _: come.wait(PATIENCE_S), name="slow", lane=lane)

    refused = running.alert(**OPEN, alert_id="late")
    monkeypatch.setattr("pilothouse.api.hooks.STORED_SECONDS_MAX", PATIENCE_S)
    come.set()
    before.result()

    assert (refused.status_code, refused.json()["code"]) == (503, "TOO_BUSY")
    assert refused.headers["retry-after"] == "1"
    assert running.signals() == []
    assert running.alert(**OPEN, alert_id="late").json()["state"] == "filled"
    assert [order["filled_quantity"] for order in running.orders()] == ["0.01"]
