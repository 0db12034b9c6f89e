"""To look and to act under /api/v1: what is shown is what is stored, and what is done is done once."""

import csv
import io
import re
from typing import Any

import pytest
from sqlalchemy import update

from pilothouse.core.facts import Fact, FactKind
from pilothouse.execution.tables import orders
from pilothouse.kit import outbox
from tests.slices.api.conftest import Served, until

OPEN: dict[str, Any] = {"action": "open", "side": "BUY", "quantity": "0.01"}
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "60000"}


def test_an_alert_is_shown_with_its_orders_their_timelines_and_how_fast_it_was(running: Served) -> None:
    """Whoever asks what became of an alert finds all of it in one place, without its secret."""
    signal_id = running.alert(**OPEN, stop_loss="2%").json()["signal_id"]
    shown = until(lambda: (s := running.api.get(f"/api/v1/signals/{signal_id}").json())["protective"] and s)

    assert (shown["state"], shown["outcome"], shown["deliveries"]) == ("decided", "filled", 1)
    assert shown["signal"]["size"] == {"kind": "quantity", "value": "0.01"}
    assert shown["body"]["webhook_secret"] == "•••"
    assert running.secret not in str(shown)
    events = [line["event"] for line in shown["orders"][0]["timeline"]]
    assert events[:2] == ["decide", "send"]
    assert events[-1] == "fill_rest"
    assert shown["latency"]["to_fill_ms"] >= shown["latency"]["to_send_ms"] >= 0
    assert shown["protective"][0]["purpose"] == "stop_loss"


def test_pages_show_each_row_once_in_order(served: Served) -> None:
    """A cursor is a place in the list: what comes meanwhile moves nothing."""
    for number in range(5):
        served.alert(**OPEN, wait_ms=0, timenow=number)
    seen: list[str] = []
    cursor = None
    while True:
        page = served.api.get("/api/v1/signals", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [row["id"] for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert len(seen) == 5
    assert seen == sorted(set(seen), reverse=True)


def test_lists_are_narrowed_by_what_is_asked(running: Served) -> None:
    """By state, by instrument however it is spelled, by the time of day."""
    running.alert(**OPEN)
    running.alert(action="close", symbol="ETHUSDT")
    get = running.api.get

    assert len(get("/api/v1/signals", params={"symbol": "binance:btcusdt.p"}).json()["items"]) == 1
    assert [row["symbol"] for row in get("/api/v1/signals", params={"state": "refused"}).json()["items"]] == ["ETHUSDT"]
    assert get("/api/v1/signals", params={"since": "2100-01-01T00:00:00Z"}).json()["items"] == []
    assert len(get("/api/v1/orders", params={"state": ["filled", "working"], "live": False}).json()["items"]) == 1
    assert get("/api/v1/orders", params={"until": 1000}).json()["items"] == []


def test_the_same_key_is_done_once_and_answered_the_same(running: Served) -> None:
    """A client that lost the answer asks again and neither trades twice nor wonders."""
    key = {"Idempotency-Key": "b6f2d1c0"}
    first = running.api.post("/api/v1/orders", json=LIMIT, headers=key)
    again = running.api.post("/api/v1/orders", json=LIMIT, headers=key)
    other = running.api.post("/api/v1/orders", json={**LIMIT, "quantity": "0.02"}, headers=key)

    assert first.status_code == 200
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len(running.orders()) == 1


def test_a_change_of_an_order_names_what_is_wrong_with_it(running: Served) -> None:
    """Nothing of it reaches the venue, and each reason has a code of its own."""
    body = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "60000"}
    made = running.api.post("/api/v1/orders", json=body).json()
    address = f"/api/v1/orders/{made['id']}"
    until(lambda: running.api.get(address).json()["state"] == "working")

    for wanted, status, code in (
        ({}, 400, "invalid"),
        ({"price": "0"}, 400, "invalid"),
        ({"price": "60000.01"}, 422, "off_grid"),
        ({"quantity": "100"}, 422, "risk_denied"),
    ):
        answer = running.api.patch(address, json=wanted)
        assert (answer.status_code, answer.json()["code"]) == (status, code), (wanted, answer.text)
    running.api.post(f"{address}/cancel")
    until(lambda: running.api.get(address).json()["state"] == "canceled")
    assert running.api.patch(address, json={"price": "59000"}).json()["code"] == "order_not_resting"


def test_an_order_by_hand_is_made_followed_and_cancelled(running: Served) -> None:
    """The same path as an alert's order, the same timeline."""
    made = running.api.post("/api/v1/orders", json=LIMIT).json()
    address = f"/api/v1/orders/{made['id']}"
    until(lambda: running.api.get(address).json()["state"] == "working")
    running.api.post(f"{address}/cancel")
    gone = until(lambda: (o := running.api.get(address).json())["state"] == "canceled" and o)

    assert (gone["purpose"], gone["reason"]) == ("manual", "by hand: operator")
    assert "cancel_asked" in [line["event"] for line in gone["timeline"]]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"quantity": "0"}, 400),
        ({"quantity": "-1"}, 400),
        ({"quantity": 0.01}, 400),
        ({"quantity": "1e2"}, 400),
        ({"quantity": "123456789012345678901"}, 400),
        ({"price": None}, 400),
        ({"type": "MARKET"}, 400),
        ({"stop_price": "1"}, 400),
        ({"sidee": "BUY"}, 400),
        ({"symbol": "NOPE"}, 404),
        ({"quantity": "0.0005"}, 422),
        ({"price": "60000.05"}, 422),
        ({"price": "100000"}, 422),
    ],
)
def test_an_order_that_cannot_be_is_refused_with_the_reason(served: Served, wrong: dict[str, Any], status: int) -> None:
    """Form, grid and gate each say no in their own way; nothing is stored."""
    answer = served.api.post("/api/v1/orders", json={**LIMIT, **wrong})

    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert served.orders() == []


def test_positions_are_shown_and_closed(running: Served) -> None:
    """One, or all at once; what is flat is not found."""
    running.alert(**OPEN)
    running.alert(action="open", side="SELL", quantity="1", symbol="ETHUSDT")
    shown = {row["symbol"]: row for row in running.api.get("/api/v1/positions").json()["items"]}

    assert (shown["BTCUSDT"]["quantity"], shown["ETHUSDT"]["quantity"]) == ("0.01", "-1")
    assert shown["ETHUSDT"]["margin_type"] == "CROSSED"
    running.api.post("/api/v1/positions/btcusdt.p/close")
    until(lambda: len(running.api.get("/api/v1/positions").json()["items"]) == 1)
    assert running.api.get("/api/v1/positions/BTCUSDT").status_code == 404
    assert running.api.post("/api/v1/positions/BTCUSDT/close").status_code == 404
    assert len(running.api.post("/api/v1/positions/close-all").json()["items"]) == 1
    until(lambda: running.api.get("/api/v1/positions").json()["items"] == [])


def test_fills_come_as_pages_and_as_a_file(running: Served) -> None:
    """A spreadsheet reads every fill, with its fee, in plain decimals."""
    for number in range(3):
        running.alert(**OPEN, timenow=number)
    page = running.api.get("/api/v1/fills", params={"limit": 2}).json()
    file = running.api.get("/api/v1/fills", headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))

    assert len(page["items"]) == 2
    assert page["next_cursor"] == page["items"][-1]["id"]
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(rows) == 3
    assert [row["id"] for row in rows][:2] == [row["id"] for row in page["items"]]
    assert rows[0]["quantity"] == "0.01"


def test_balances_name_the_market_as_simulated(served: Served) -> None:
    """Nobody is to take paper money for money."""
    row = served.api.get("/api/v1/balances").json()["items"][0]

    assert (row["wallet"], row["booked_wallet"], row["equity"], row["simulated"]) == ("10000", "10000", "10000", True)
    assert all(row["simulated"] for row in served.api.get("/api/v1/quotes").json()["items"])
    assert {row["symbol"] for row in served.api.get("/api/v1/instruments").json()["items"]} == {
        "BTCUSDT",
        "ETHUSDT",
        "SOLUSDT",
    }


def test_a_venue_is_asked_for_by_its_whole_key(served: Served) -> None:
    """A venue at another address has quotes and instruments of its own."""
    for what in ("quotes", "instruments"):
        mine = served.api.get(f"/api/v1/{what}", params={"venue": "paper"})
        other = served.api.get(f"/api/v1/{what}", params={"venue": "paper-aster@http://127.0.0.1:18100"})
        assert (other.status_code, other.json()["items"]) == (200, [])
        assert len(mine.json()["items"]) == 3


def test_a_halted_account_takes_nothing_on_until_it_is_resumed(running: Served) -> None:
    """The red button: new exposure stops, closing still works."""
    running.alert(**OPEN)
    halted = running.api.post(f"/api/v1/accounts/{running.account}/halt", json={"reason": "the news"}).json()
    refused = running.alert(**OPEN, timenow=1).json()
    closed = running.alert(action="close").json()
    running.api.post(f"/api/v1/accounts/{running.account}/resume")
    opened = running.alert(**OPEN, timenow=2).json()

    assert halted["halt"]["reason"] == "the news"
    assert (refused["state"], refused["reasons"][0]["code"]) == ("refused", "account_halted")
    assert (closed["state"], opened["state"]) == ("filled", "filled")
    assert served_halt(running) is None


def test_the_kill_switch_halts_every_account_at_once(running: Served) -> None:
    """Whoever needs it has no time to look up an id."""
    halted = running.api.post("/api/v1/halt", json={"reason": "stop"}).json()["items"]
    assert [each["halt"]["reason"] for each in halted] == ["stop"] * len(halted)
    assert running.account in {each["id"] for each in halted}

    resumed = running.api.post("/api/v1/resume").json()["items"]
    assert [each["halt"] for each in resumed] == [None] * len(resumed)


def test_drawdown_is_measured_anew_by_a_person_with_a_reason(running: Served) -> None:
    """An account that was stopped by its drawdown goes on when somebody answers for it."""
    path = f"/api/v1/accounts/{running.account}/high-water"
    made = running.api.post(path, json={"reason": "a new month"}).json()
    assert (made["name"], made["became"], made["why"]) == ("high_water", "10000", "a new month")
    kept = running.api.get("/api/v1/limits/changes").json()["items"]
    assert kept[0] == made


def test_limits_are_shown_by_level_with_what_comes_of_them(running: Served) -> None:
    """What the house says, what a bot says, and what holds; warnings and what is taken away."""
    bot = running.api.get("/api/v1/hooks").json()["items"][0]["id"]
    running.api.put("/api/v1/limits?level=house", json={"order_notional_max": "50", "warnings": {"leverage_max": "1"}})
    mine = running.api.put(f"/api/v1/limits?bot={bot}", json={"open_orders_max": 3, "hours": "mon-fri 08:00-16:30"})
    assert (mine.json()["order_notional_max"], mine.json()["open_orders_max"]) == ("50", 3)
    assert mine.json()["warnings"]["leverage_max"] == "1"
    levels = {each["level"]: each for each in running.api.get("/api/v1/limits/levels").json()["items"]}
    assert levels["bot"]["limits"]["hours"] == "mon-fri 08:00-16:30"
    assert levels["house"]["limits"]["order_notional_max"] == "50"
    assert running.alert(**OPEN).json()["reasons"][0]["code"] == "order_size"
    after = running.api.put("/api/v1/limits?level=house", json={"clear": ["order_notional_max"]}).json()
    assert after["order_notional_max"] == "1000000"
    assert len(running.api.get("/api/v1/limits/rules").json()["items"]) == 25


def test_flatten_closes_everything_and_says_what_stands(running: Served) -> None:
    """One call at three in the morning; what was refused before is refused with the same code."""
    running.alert(**OPEN)
    flattened = running.api.post("/api/v1/flatten", json={"reason": "enough"}).json()["items"]
    assert {(each["halt"]["kind"], each["halt"]["level"]) for each in flattened} == {("flatten", "account")}
    until(lambda: running.api.get("/api/v1/positions").json()["items"] == [])

    stands = running.api.get("/api/v1/halts").json()["items"]
    assert running.account in {each["account_id"] for each in stands}
    running.api.post("/api/v1/resume")
    assert running.api.get("/api/v1/halts").json()["items"] == []


def test_a_bot_is_halted_by_itself(running: Served) -> None:
    """The account trades on; a bot that is nobody's is 404, and the level of a bot needs one."""
    bot = running.api.get("/api/v1/hooks").json()["items"][0]["id"]
    running.api.post("/api/v1/halt", params={"bot": bot}, json={"reason": "it is mad"})
    assert served_halt(running) is None
    refused = running.alert(**OPEN).json()
    assert refused["reasons"][0]["code"] == "bot_halted"
    running.api.post("/api/v1/resume", params={"bot": bot})
    assert running.api.post("/api/v1/halt", params={"bot": "hk_nobody"}).status_code == 404
    assert running.api.post("/api/v1/halt", params={"level": "bot"}).status_code == 400


def test_an_account_is_named_by_id_or_by_name(running: Served) -> None:
    """People remember names; a name that is nobody's is 404, not the first account."""
    by_id = running.api.get(f"/api/v1/balances?account={running.account}").json()
    name = running.api.get(f"/api/v1/accounts/{running.account}").json()["name"]

    assert running.api.get(f"/api/v1/balances?account={name}").json()["items"][0]["account_id"] == running.account
    assert by_id["items"][0]["account_id"] == running.account
    assert running.api.get("/api/v1/balances?account=nobody").status_code == 404


def served_halt(served: Served) -> Any:
    """Return the halt that stands on the account."""
    return served.api.get(f"/api/v1/accounts/{served.account}").json()["halt"]


def test_limits_are_set_one_by_one(served: Served) -> None:
    """What is not named stays; what is out of bounds is refused with the bounds."""
    before = served.api.get("/api/v1/limits").json()
    after = served.api.put("/api/v1/limits", json={"order_notional_max": "5000"}).json()
    refused = served.api.put("/api/v1/limits", json={"daily_loss_percent_max": "101", "order_notional_max": "0"})

    assert after == {**before, "order_notional_max": "5000"}
    assert refused.status_code == 400
    assert {each["field"] for each in refused.json()["errors"]} == {"daily_loss_percent_max", "order_notional_max"}


def test_a_hooks_secrets_are_shown_once_and_worthless_after_rotation(running: Served) -> None:
    """What leaked is made anew; what was revoked is silent for good."""
    made = running.api.post("/api/v1/hooks", json={"name": "second"}).json()
    address = f"/api/v1/hooks/{made['id']}"
    close: dict[str, Any] = {"action": "close"}

    assert re.fullmatch(r"http://127\.0\.0\.1:8000/hooks/[a-z2-7]{32}", made["url"])
    assert running.alert(f"/hooks/{made['token']}", **close).status_code == 200
    fresh = running.api.post(f"{address}/rotate", json={"which": "token"}).json()
    assert fresh["secret"] is None
    assert running.alert(f"/hooks/{made['token']}", **close).status_code == 404
    assert running.alert(f"/hooks/{fresh['token']}", **close).status_code == 200
    listed = running.api.get(address).text + running.api.get("/api/v1/hooks").text
    assert not any(secret in listed for secret in (made["token"], made["secret"], fresh["token"]))
    running.api.post(f"{address}/revoke")
    assert running.alert(f"/hooks/{fresh['token']}", **close).status_code == 404
    assert running.alert(action="close", webhook_secret=made["secret"]).status_code == 401


def test_a_paper_account_starts_over_and_keeps_its_history(running: Served) -> None:
    """To try again from the beginning, without losing what was learnt."""
    running.alert(**OPEN)
    fills = len(running.api.get("/api/v1/fills").json()["items"])
    again = running.api.post(f"/api/v1/accounts/{running.account}/reset").json()

    assert again["generation"] == 2
    until(lambda: running.api.get("/api/v1/balances").json()["items"][0]["booked_wallet"] == "10000")
    assert running.api.get("/api/v1/positions").json()["items"] == []
    assert len(running.api.get("/api/v1/fills").json()["items"]) >= fills
    assert running.alert(**OPEN, timenow=1).json()["state"] == "filled"


def test_parked_work_is_shown_and_let_go_again(served: Served) -> None:
    """What failed too often waits for a person, who can see it."""
    now = served.house.clock.now()

    def park(tx: Any) -> None:
        outbox.put(tx, "order", key="k", payload={"order_id": "ord_1"}, lease=outbox.Lease("me", now), now=now)

    def give_up(tx: Any) -> str:
        message = outbox.claim(tx, owner="me", topics=["order"], limit=1, now=now, lease_for=now - now)[0]
        outbox.park(tx, message.id, message.attempt, "it cannot be")
        return message.id

    served.house.database.write(park, name="put")
    message_id = served.house.database.write(give_up, name="park")
    rows = served.api.get("/api/v1/outbox/parked").json()["items"]
    assert [(row["id"], row["error"]) for row in rows] == [(message_id, "it cannot be")]
    assert served.api.post(f"/api/v1/outbox/parked/{message_id}/unpark").json() == {"done": True}
    assert served.api.post(f"/api/v1/outbox/parked/{message_id}/unpark").status_code == 404


def test_the_laws_hold_when_asked(running: Served) -> None:
    """Anybody with a token may ask whether the books are right."""
    running.alert(**OPEN)
    rows = running.api.get("/api/v1/invariants").json()["items"]

    assert len(rows) >= 8
    assert all(row["ok"] for row in rows), rows


def test_an_unknown_outcome_is_told_as_unknown(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three outcomes reach the client as three: done, not done, and nobody knows."""
    from pilothouse.core.errors import Unavailable, Unknown  # noqa: PLC0415 - two words of one test

    for error, status in ((Unknown("the answer was lost"), 504), (Unavailable("no answer"), 503)):

        def fails(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(type(served.house.paper), "set_leverage", fails)
        answer = served.api.post("/positions/BTCUSDT/leverage", json={"leverage": 5})
        assert answer.status_code == status
        assert answer.json()["detail"].startswith(str(error))


def test_facts_of_others_are_not_heard(served: Served) -> None:
    """The stream is filtered by owner like every list."""
    now = served.house.clock.now()
    for owner in ("usr_other", served.house.operator_id):
        served.house.database.write(
            lambda tx, owner=owner: tx.announce(Fact(FactKind.ALARM_RAISED, owner, now, None, {"whose": owner})),  # type: ignore[misc]  # a default binds the loop variable
            name="alarm",
        )
    with served.api.stream("GET", "/api/v1/events", params={"after": 0}) as response:
        first = next(line for line in response.iter_lines() if line.startswith("data: "))

    assert served.house.operator_id in first


def test_an_order_that_nobody_knows_of_is_shown_as_such(served: Served) -> None:
    """Console data and metrics say so in the same breath; none of them calls it filled, or gone."""
    served.alert(action="open", side="BUY", quantity="0.01", wait_ms=0)
    lost = update(orders).values(state="unknown")
    served.house.database.write(lambda tx: tx.execute(lost).close(), name="plant")

    shown = served.api.get("/api/v1/orders", params={"state": "unknown"}).json()["items"]
    assert [row["state"] for row in shown] == ["unknown"]
    assert "pilothouse_unknown_orders 1.0" in served.api.get("/metrics").text
    assert served.api.get("/orders").json() != [], "an older client sees it as an order that is not over"
