"""Who may come in, how often and with what; and what older clients read."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from tests.house_process import ORDER, STRATEGY, HouseProcess, fresh
from tests.journeys.wire import (
    BALANCE_FIELDS,
    BUY,
    DECIMAL,
    ERROR,
    ORDER_FIELDS,
    POSITION_FIELDS,
    WRONG,
    named_in,
    new_hook,
)

pytestmark = pytest.mark.timeout(400)


# ── Too large, too often, unknown ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("door", [ORDER, STRATEGY, "hook"])
def test_a_body_above_64_kib_is_not_read(door: str, house: HouseProcess) -> None:
    """Up to the bound it is an alert like any other; above it is 413, however its length is told."""
    path = house.hook_path if door == "hook" else door
    fields = {"order_action": "buy", "contracts": 1, "position_size": "0.01"} if door == STRATEGY else BUY
    bare = json.dumps({**fields, "symbol": "BTCUSDT", "webhook_secret": house.secret, "n": fresh(), "pad": ""})
    body = bare.replace('"pad": ""', f'"pad": "{"x" * (65_536 - len(bare))}"').encode()
    assert len(body) == 65_536

    assert house.carried_out(body, path).json()["state"] == "filled"
    for too_large in (body + b" ", body + b" " * 1_000_000):
        told = house.send(too_large, path)
        assert told.status_code == 413
        assert set(told.json()) >= ERROR
    pieces = iter([body, b" " * 10_000])
    assert house.client.post(path, content=pieces).status_code == 413


def test_above_the_hooks_rate_nothing_is_stored(house: HouseProcess) -> None:
    """429 with the time to wait; what was taken is an order, what was not is none."""
    hook = new_hook(house, rate_per_s=1)

    def send(number: int) -> httpx.Response:
        return house.send({**BUY, "quantity": "0.001", "n": number}, hook["path"], wait_ms=0)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(send, range(40)))

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["code"] == "RATELIMITERROR"
    stored = [one for one in house.signals() if one["hook_id"] == hook["id"]]
    assert len(stored) == statuses.count(200)
    by_secret = [house.send({**BUY, "n": fresh()}, headers={"X-Webhook-Secret": hook["secret"]}) for _ in range(10)]
    assert 429 in {answer.status_code for answer in by_secret}, "the rate is the hook's, whichever way it is found"


@pytest.mark.parametrize("token", ["x", "a" * 32, "a" * 5_000, "%00", "..%2f..%2fetc", "%F0%9F%92%A3"])
def test_an_address_that_nobody_was_given_is_404(token: str, house: HouseProcess) -> None:
    """With a right body or a wrong one, the answer is the same: nothing is told to who guesses."""
    answers = [
        house.send({**BUY, "webhook_secret": house.secret}, f"/hooks/{token}"),
        house.send(b"{", f"/hooks/{token}"),
    ]

    for answer in answers:
        assert answer.status_code == 404, answer.text
        assert answer.json()["code"] in {"HOOK_NOT_FOUND", "NOT_FOUND"}
        assert token not in answer.text
    assert house.position() == 0


def test_the_doors_take_nothing_but_posts(house: HouseProcess) -> None:
    """405, and no page that asks for anything."""
    for path in (ORDER, STRATEGY, house.hook_path):
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            answer = house.client.request(method, path)
            assert answer.status_code == 405, f"{method} {path}"
            assert house.facts["hook_url"].rpartition("/")[2] not in answer.text


# ── Hooks ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_hook_trades_only_what_it_may(house: HouseProcess) -> None:
    """A leaked address of a Bitcoin strategy cannot buy anything else."""
    hook = new_hook(house, symbols=["BTCUSDT"])

    assert house.carried_out({**BUY, "symbol": "BTCUSDT.P"}, hook["path"]).json()["state"] == "filled"
    answer = house.send({**BUY, "symbol": "ETHUSDT", "quantity": "0.1"}, hook["path"])

    assert named_in(answer) == {"symbol"}
    assert "ETHUSDT" in answer.text
    assert "BTCUSDT" in answer.text


def test_a_default_size_is_for_alerts_that_name_none(house: HouseProcess) -> None:
    """An alert that says how much decides; one that does not gets the hook's default, or is refused."""
    sized = new_hook(house, default_size={"kind": "quantity", "value": "0.03"})
    bare = {name: value for name, value in BUY.items() if name != "quantity"}

    assert house.carried_out(bare, sized["path"]).json()["order"]["origQty"] == "0.03"
    assert house.carried_out(BUY, sized["path"]).json()["order"]["origQty"] == "0.01"
    assert named_in(house.send(bare, house.hook_path)) == {"quantity"}
    house.ask("PATCH", f"/api/v1/hooks/{sized['id']}", body={"default_size": {"kind": "quote_amount", "value": "700"}})
    assert house.carried_out({**bare, "n": 1}, sized["path"]).json()["order"]["origQty"] == "0.01"


def test_a_stale_alert_is_refused_where_the_hook_says_so(house: HouseProcess) -> None:
    """A queue that was stuck for an hour must not open what the market has left behind."""
    hook = new_hook(house, max_age_s=30)
    now = datetime.now(UTC)
    old, new = (f"{now - timedelta(seconds=age):%Y-%m-%dT%H:%M:%SZ}" for age in (90, 1))

    stale = house.carried_out({**BUY, "timenow": old}, hook["path"]).json()
    timeless = house.carried_out({**BUY, "timenow": "just now"}, hook["path"]).json()
    recent = house.carried_out({**BUY, "timenow": new}, hook["path"]).json()
    in_unix = house.carried_out({**BUY, "timestamp": int(now.timestamp() * 1000)}, hook["path"]).json()

    assert [one["state"] for one in (stale, timeless, recent, in_unix)] == ["refused", "refused", "filled", "filled"]
    assert stale["code"] == timeless["code"] == "stale_alert"
    assert "30 s" in stale["message"]
    assert house.position() == Decimal("0.02")


def test_a_dry_hook_shows_everything_and_sends_nothing(house: HouseProcess) -> None:
    """A strategy is tried out with real alerts and no order."""
    hook = new_hook(house, dry=True)
    before = len(house.orders())

    told = house.carried_out(BUY, hook["path"]).json()

    assert (told["state"], told["order"], told["position"]) == ("noop", None, None)
    would = told["dry"]["would"]
    assert (would["symbol"], would["side"], would["quantity"]) == ("BTCUSDT", "BUY", "0.01")
    assert len(house.orders()) == before
    assert house.position() == 0


@pytest.mark.parametrize("which", ["token", "secret", "both"])
def test_a_rotated_hook_forgets_what_it_had(which: str, house: HouseProcess) -> None:
    """A leaked address or secret is worthless at once; what was not rotated goes on."""
    hook = new_hook(house)

    new = house.post(f"/api/v1/hooks/{hook['id']}/rotate", {"which": which})

    by_token = house.send({**BUY, "n": 1}, hook["path"]).status_code
    by_secret = house.send({**BUY, "n": 2, "webhook_secret": hook["secret"]}).status_code
    assert by_token == (200 if which == "secret" else 404)
    assert by_secret == (200 if which == "token" else 401)
    if new["token"]:
        assert house.send({**BUY, "n": 3}, f"/hooks/{new['token']}").status_code == 200
    if new["secret"]:
        assert house.send({**BUY, "n": 4, "webhook_secret": new["secret"]}).status_code == 200
    assert (new["token"] is None, new["secret"] is None) == (which == "secret", which == "token")


def test_a_revoked_hook_is_as_if_it_had_never_been(house: HouseProcess) -> None:
    """For good, for both ways in; others are not touched, and its past stays on record."""
    hook = new_hook(house)
    told = house.carried_out(BUY, hook["path"]).json()

    house.post(f"/api/v1/hooks/{hook['id']}/revoke")

    assert house.send({**BUY, "n": 1}, hook["path"]).status_code == 404
    assert house.send({**BUY, "webhook_secret": hook["secret"]}).json()["detail"] == WRONG
    assert house.signal(told["signal_id"])["hook_id"] == hook["id"]
    assert house.alert(**BUY)["state"] == "filled"


def test_secrets_are_shown_once(house: HouseProcess) -> None:
    """No list and no single look shows again what opens a hook."""
    hook = new_hook(house)

    for path in ("/api/v1/hooks", f"/api/v1/hooks/{hook['id']}"):
        text = json.dumps(house.get(path))
        assert hook["secret"] not in text
        assert hook["token"] not in text


# ── What older clients read ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/positions"), ("GET", "/positions/BTCUSDT"), ("POST", "/positions/BTCUSDT/leverage"),
     ("POST", "/positions/BTCUSDT/margin-type"), ("GET", "/account/balance"), ("GET", "/account/info"),
     ("GET", "/orders"), ("GET", "/orders/open"), ("GET", "/api/v1/signals"), ("GET", "/api/v1/orders"),
     ("POST", "/api/v1/orders"), ("GET", "/api/v1/hooks"), ("GET", "/api/v1/events")],
)  # fmt: skip
def test_nothing_is_shown_or_done_without_a_token(method: str, path: str, house: HouseProcess) -> None:
    """These routes stood open in what these clients knew; here they ask who is there, before all else."""
    for headers in ({}, {"Authorization": "Bearer ph_op_guessed"}, {"Authorization": f"Basic {house.secret}"}):
        answer = house.client.request(method, path, headers=headers, content=b"{nonsense")
        assert answer.status_code == 401, f"{answer.status_code} {answer.text}"
        assert "Bearer" in answer.headers["WWW-Authenticate"]


def test_positions_have_the_fields_that_clients_know(house: HouseProcess) -> None:
    """A list of what is not flat; one by its symbol; 404 for a flat one."""
    assert house.get("/positions") == []
    assert house.ask("GET", "/positions/BTCUSDT").status_code == 404
    house.alert(**BUY)
    house.alert(action="sell", symbol="ETHUSDT", quantity="0.5")

    shown = {one["symbol"]: one for one in house.get("/positions")}

    assert set(shown) == {"BTCUSDT", "ETHUSDT"}
    assert set(shown["BTCUSDT"]) >= POSITION_FIELDS
    assert (shown["BTCUSDT"]["positionAmt"], shown["ETHUSDT"]["position_amt"]) == ("0.01", "-0.5")
    one = house.get("/positions/BTCUSDT")
    assert set(one) == set(shown["BTCUSDT"])
    for name in ("positionAmt", "entryPrice", "markPrice", "unRealizedProfit", "liquidationPrice", "notional"):
        assert isinstance(one[name], str), name
        assert DECIMAL.fullmatch(one[name]), name
    assert isinstance(one["leverage"], int)


def test_leverage_and_margin_type_are_set_where_clients_set_them(house: HouseProcess) -> None:
    """In any case, idempotently, with what is allowed when it is wrong."""
    told = house.post("/positions/SOLUSDT/leverage", {"leverage": 7})
    assert (told["success"], told["symbol"], told["leverage"]) == (True, "SOLUSDT", 7)
    house.alert(action="buy", symbol="SOLUSDT", quantity="1")
    assert house.get("/positions/SOLUSDT")["leverage"] == 7
    house.flatten()

    for word in ("isolated", "ISOLATED", "Crossed"):
        told = house.post("/positions/SOLUSDT/margin-type", {"margin_type": word})
        assert (told["success"], told["margin_type"]) == (True, word.upper())
    for path, body, name in (
        ("leverage", {"leverage": 0}, "leverage"),
        ("leverage", {"leverage": 126}, "leverage"),
        ("leverage", {"leverage": "many"}, "leverage"),
        ("leverage", {}, "leverage"),
        ("margin-type", {"margin_type": "SHARED"}, "margin_type"),
        ("margin-type", {}, "margin_type"),
    ):
        answer = house.ask("POST", f"/positions/SOLUSDT/{path}", body=body)
        assert answer.status_code == 400, answer.text
        assert [one["field"] for one in answer.json()["validation_errors"]] == [name]
    assert house.ask("POST", "/positions/DOGEUSDT/leverage", body={"leverage": 5}).status_code in {400, 404}


def test_the_balance_has_the_fields_that_clients_know(house: HouseProcess) -> None:
    """A list of one currency, exact decimals as text."""
    (told,) = house.get("/account/balance")

    assert set(told) >= BALANCE_FIELDS
    assert told["asset"] == "USDT"
    for name in BALANCE_FIELDS - {"asset"}:
        assert DECIMAL.fullmatch(told[name]), name
    assert isinstance(house.get("/account/info"), dict)


def test_orders_are_listed_as_clients_ask_for_them(house: HouseProcess) -> None:
    """The symbol is required, times go by either spelling, the limit has its bounds."""
    begun = int(time.time() * 1000)
    told = [house.alert(**BUY)["order"]["clientOrderId"] for _ in range(3)]

    def listed(**query: object) -> list[str]:
        return [one["clientOrderId"] for one in house.get("/orders", **{"symbol": "BTCUSDT", **query})]

    assert set(listed(limit=3)) == set(told)
    assert set(house.get("/orders", symbol="BTCUSDT", limit=1)[0]) >= ORDER_FIELDS
    assert len(listed(limit=1)) == 1
    assert set(listed(start_time=begun - 5_000)) >= set(told)
    assert set(listed(startTime=begun - 5_000)) >= set(told)
    for later in ({"start_time": begun + 600_000}, {"startTime": begun + 600_000}):
        assert listed(**later) == []
    for earlier in ({"end_time": begun - 600_000}, {"endTime": begun - 600_000}):
        assert listed(**earlier) == []
    assert listed(symbol="SOLUSDT", startTime=begun) == []
    for query, name in (
        ({}, "symbol"),
        ({"symbol": "BTCUSDT", "limit": 0}, "limit"),
        ({"symbol": "BTCUSDT", "limit": 1001}, "limit"),
        ({"symbol": "BTCUSDT", "limit": "all"}, "limit"),
        ({"symbol": "BTCUSDT", "start_time": "yesterday"}, "start_time"),
    ):
        answer = house.ask("GET", "/orders", **query)
        assert answer.status_code == 400, answer.text
        assert [one["field"] for one in answer.json()["validation_errors"]] == [name]


def test_health_says_what_monitors_look_for_and_no_secret(house: HouseProcess) -> None:
    """Open to all, so it tells nothing that is not for all."""
    for path, status in (("/health", "healthy"), ("/health/ready", "ready"), ("/health/live", None)):
        answer = house.client.get(path)
        assert answer.status_code == 200
        if status:
            assert answer.json()["status"] == status
        assert house.secret not in answer.text
        assert house.facts["operator_token"] not in answer.text
    told = house.client.get("/health").json()
    assert set(told) >= {"status", "timestamp", "version"}
    assert abs(told["timestamp"] - time.time() * 1000) < 60_000
