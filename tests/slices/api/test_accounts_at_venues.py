"""Accounts at a venue over the API: tried before they are kept, armed by somebody, removed when nothing is open."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pilothouse.accounts.audit import list_audit
from pilothouse.accounts.tables import venue_keys
from pilothouse.venues.port import VenueAccount
from tests.ports import free_port
from tests.slices.api.conftest import PATIENCE_S, Served, until
from tests.slices.simexchange.sim_house import BTC, WALLET, WALLET_KEY, RunningExchange

# The second of the well-known throw-away keys of every Ethereum test chain: the agent of the first.
AGENT_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
AGENT = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
# The third, another agent of the same wallet, and the fourth, a stranger's.
OTHER_AGENT = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc"
OTHER_KEY = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
STRANGER = "0x90f79bf6eb2c4f870365e785982e1f101e93b906"
STRANGER_KEY = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    """Yield a simulated exchange that listens."""
    with RunningExchange(profile="aster") as running:
        running.control("POST", "accounts", id="main", wallet=WALLET, agents=[AGENT])
        yield running


@pytest.fixture(autouse=True)
def _sound(exchange: RunningExchange) -> Iterator[None]:
    # All tests come from one address: together they would use up its minute.
    exchange.control("POST", "settings", forgetUse=True)
    yield
    exchange.control("POST", "settings", skewMs=0)
    exchange.control("DELETE", "faults")


def asked(exchange: RunningExchange, name: str = "main", **more: Any) -> dict[str, Any]:
    """Return what is sent to add the throw-away account."""
    credentials = {"user": WALLET, "signer": AGENT, "private_key": AGENT_KEY}
    return {"name": name, "venue": "aster", "base_url": exchange.base, "credentials": credentials, **more}


def add(served: Served, exchange: RunningExchange, name: str = "main", **more: Any) -> dict[str, Any]:
    """Add the account; it must succeed."""
    answer = served.api.post("/api/v1/accounts", json=asked(exchange, name, **more))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def nothing_kept(served: Served) -> bool:
    """Say whether there is only the paper account of the beginning, and no credential."""
    names = [row["name"] for row in served.api.get("/api/v1/accounts").json()["items"]]
    keys = served.house.database.read(lambda tx: tx.execute(venue_keys.select()).all())
    return names == ["paper"] and not keys


def told(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.json()["code"]


# ── Adding ────────────────────────────────────────────────────────────────────────────────────────


def test_an_account_is_tried_and_what_was_found_is_told(served: Served, exchange: RunningExchange) -> None:
    """Whoever adds an account sees at once whether it is the right one, and that it may trade."""
    made = add(served, exchange)

    assert (made["venue"], made["mode"], made["may_send"]) == (f"aster@{exchange.base}", "testnet", True)
    found = made["found"]
    assert (found["label"], found["position_mode"], found["asset"]) == (AGENT, "one_way", "USDT")
    assert found["may_trade"] is True
    # Theirs is ours; how far apart the two are found hangs on how long the answer took.
    assert abs(found["clock_ahead_ms"]) < PATIENCE_S * 1_000
    assert made["key"]["parts"] == ["private_key", "signer", "user"]
    assert made["test"]["passed"] is True
    assert served.api.get(f"/api/v1/accounts/{made['id']}").json()["test"]["found"] == found


def test_no_credential_stands_anywhere_it_could_be_read(served: Served, exchange: RunningExchange) -> None:
    """Answers, complaints, the log and the audit are read by more people than may trade."""
    body = asked(exchange)
    made = served.api.post("/api/v1/accounts", json=body)
    canary = AGENT_KEY.removeprefix("0x")
    wrong = WALLET_KEY.removeprefix("0x")
    said = [made.text]
    for changed in (
        {"credentials": {**body["credentials"], "private_key": WALLET_KEY}},
        {"credentials": {**body["credentials"], "private_key": WALLET_KEY + "00"}},
        {"credentials": {**body["credentials"], "private_key": int(wrong, 16)}},
        {"credentials": WALLET_KEY},
        {"private_key": WALLET_KEY},
        {"credentials": {**body["credentials"], "api_secret": WALLET_KEY}},
    ):
        answer = served.api.post("/api/v1/accounts", json={**body, "name": "second", **changed})
        assert 400 <= answer.status_code < 500, answer.text
        said.append(answer.text)
    said += [served.api.get(path).text for path in ("/api/v1/accounts", f"/api/v1/accounts/{made.json()['id']}")]
    said.append(str(served.house.database.read(lambda tx: list_audit(tx, served.house.operator_id))))
    said.append(served.log.getvalue())

    for secret in (canary, wrong, str(int(wrong, 16))):
        assert not any(secret in text for text in said)


def test_a_key_of_another_signer_is_refused_before_anybody_is_asked(served: Served, exchange: RunningExchange) -> None:
    """It would be found out with the first order."""
    before = len(exchange.control("GET", "requests"))
    body = asked(exchange)
    body["credentials"]["private_key"] = WALLET_KEY

    assert told(served.api.post("/api/v1/accounts", json=body)) == (422, "key_not_of_signer")
    assert nothing_kept(served)
    assert len(exchange.control("GET", "requests")) == before


def test_a_clock_that_is_off_is_refused_with_what_to_do(served: Served, exchange: RunningExchange) -> None:
    """Every order would be refused for its stamp."""
    exchange.control("POST", "settings", skewMs=20_000)
    answer = served.api.post("/api/v1/accounts", json=asked(exchange))

    assert told(answer) == (422, "clock_off")
    assert "timedatectl" in answer.json()["detail"]
    assert nothing_kept(served)


def test_an_account_in_hedge_mode_is_refused_with_what_to_do(served: Served, exchange: RunningExchange) -> None:
    """Long and short kept apart would be booked as one position."""
    wallet = asked(exchange)
    client = exchange.aster()
    client.fapiPrivatePostV3PositionSideDual({"dualSidePosition": "true"})
    try:
        answer = served.api.post("/api/v1/accounts", json=wallet)
        assert told(answer) == (422, "hedge_mode")
        assert "one-way" in answer.json()["detail"]
        assert nothing_kept(served)
    finally:
        client.fapiPrivatePostV3PositionSideDual({"dualSidePosition": "false"})


def test_a_key_that_may_withdraw_is_refused_unless_told_otherwise(served: Served, exchange: RunningExchange) -> None:
    """A desk never needs it, and a thief would."""
    credentials = {"user": WALLET, "signer": WALLET, "private_key": WALLET_KEY}

    refused = served.api.post("/api/v1/accounts", json=asked(exchange, credentials=credentials))
    assert told(refused) == (422, "may_withdraw")
    assert nothing_kept(served)

    made = add(served, exchange, credentials=credentials, allow_withdrawals=True)
    assert made["found"]["may_withdraw"] is True
    assert any("withdraw" in each for each in made["warnings"])
    again = served.api.post(f"/api/v1/accounts/{made['id']}/test")
    assert again.status_code == 200, again.text


def test_a_venue_that_does_not_answer_is_503_and_nothing_is_kept(served: Served) -> None:
    """Whether the key is good is not known, so it is asked for again and not kept on trust."""
    body = asked_at(f"http://127.0.0.1:{free_port()}")
    answer = served.api.post("/api/v1/accounts", json=body)

    assert answer.status_code == 503, answer.text
    assert nothing_kept(served)


def asked_at(base_url: str) -> dict[str, Any]:
    """Return what is sent to add the throw-away account at an address."""
    credentials = {"user": WALLET, "signer": WALLET, "private_key": WALLET_KEY}
    return {"name": "main", "venue": "aster", "base_url": base_url, "credentials": credentials}


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"venue": "nowhere"}, 400, "invalid"),
        ({"venue": "as ter"}, 400, "invalid"),
        ({"base_url": "http://example.com"}, 422, "address_not_private"),
        ({"base_url": "ftp://127.0.0.1"}, 400, "invalid"),
        ({"stream_url": "http://127.0.0.1:1"}, 400, "invalid"),
        ({"credentials": {}}, 400, "invalid"),
        ({"credentials": {"user": WALLET}}, 400, "invalid"),
        ({"mode": "paper"}, 400, "invalid"),
        ({"mode": "live"}, 422, "live_not_meant"),
        ({"base_url": None}, 422, "live_not_meant"),
        ({"base_url": None, "mode": "testnet"}, 400, "invalid"),
        ({"venue": "aster-testnet", "base_url": None, "mode": "live", "live": True}, 400, "invalid"),
        ({"deposit": "5"}, 400, "invalid"),
        ({"name": "paper"}, 409, "name_taken"),
        ({"name": ""}, 400, "invalid"),
    ],
)
def test_what_is_not_meant_so_is_refused(
    served: Served, exchange: RunningExchange, changed: dict[str, Any], status: int, code: str
) -> None:
    """Each wrong word is named, nobody is asked, and nothing is kept."""
    body = {name: each for name, each in {**asked(exchange), **changed}.items() if each is not None}

    assert told(served.api.post("/api/v1/accounts", json=body)) == (status, code)
    assert nothing_kept(served)


def test_one_account_at_a_venue_is_one_account_here(served: Served, exchange: RunningExchange) -> None:
    """Two would book the same fills twice, and each would see the other's position as a stranger's."""
    add(served, exchange)

    assert told(served.api.post("/api/v1/accounts", json=asked(exchange, "twice"))) == (409, "credential_in_use")
    assert told(served.api.post("/api/v1/accounts", json=asked(exchange))) == (409, "name_taken")


def test_a_paper_account_has_the_deposit_that_was_asked_for(served: Served) -> None:
    """Who trades 500 wants to practise with 500."""
    answer = served.api.post("/api/v1/accounts", json={"name": "small", "venue": "paper", "deposit": "500.5"})
    assert answer.status_code == 200, answer.text
    made = answer.json()

    assert (made["mode"], made["simulated"], made["found"], made["key"]) == ("paper", True, None, None)
    balance = served.api.get("/api/v1/balances", params={"account": made["id"]}).json()["items"][0]
    assert (balance["wallet"], balance["booked_wallet"]) == ("500.5", "500.5")
    assert told(served.api.post(f"/api/v1/accounts/{made['id']}/test")) == (409, "nothing_to_test")
    assert told(served.api.post(f"/api/v1/accounts/{made['id']}/arm")) == (409, "not_live")


# ── Real money ────────────────────────────────────────────────────────────────────────────────────


def test_real_money_begins_disarmed_and_is_armed_by_somebody(served: Served, exchange: RunningExchange) -> None:
    """What an alert would do is shown before anything is sent; who armed it, and why, stands in the record."""
    made = add(served, exchange, mode="live", live=True)
    path = f"/api/v1/accounts/{made['id']}"
    assert (made["mode"], made["may_send"], made["armed_at"]) == ("live", False, None)
    assert any("REAL MONEY" in each and "account arm" in each for each in made["warnings"])

    armed = served.api.post(f"{path}/arm", json={"reason": "tried long enough"}).json()
    assert armed["may_send"] is True
    assert armed["found"]["position_mode"] == "one_way", "it is tried once more before it is armed"

    served.api.post(f"{path}/disarm", json={"reason": "enough"})
    assert served.api.get(path).json()["may_send"] is False
    lines = served.house.database.read(lambda tx: list_audit(tx, served.house.operator_id))
    said = {line.what: line.detail.get("reason") for line in lines}
    assert (said["account.armed"], said["account.disarmed"]) == ("tried long enough", "enough")


def test_nothing_is_changed_at_the_venue_of_a_disarmed_account(served: Served, exchange: RunningExchange) -> None:
    """Who has not armed real money has not agreed to another leverage for it either."""
    made = add(served, exchange, mode="live", live=True)
    query = {"account": made["id"]}
    before = exchange.control("GET", "requests")[-1]["number"]

    leverage = served.api.post("/positions/BTCUSDT/leverage", json={"leverage": 7}, params=query)
    margin = served.api.post("/positions/BTCUSDT/margin-type", json={"margin_type": "ISOLATED"}, params=query)

    for answer in (leverage, margin):
        assert answer.status_code == 422
        assert "account_disarmed" in answer.text
    asked_there = [each["path"] for each in exchange.control("GET", f"requests?after={before}")]
    assert not [path for path in asked_there if path.endswith(("/leverage", "/marginType"))]


def test_what_does_not_pass_is_not_armed(served: Served, exchange: RunningExchange) -> None:
    """An account that was changed at the venue since it was added is found out before it sends."""
    made = add(served, exchange, mode="live", live=True)
    client = exchange.aster()
    client.fapiPrivatePostV3PositionSideDual({"dualSidePosition": "true"})
    try:
        assert told(served.api.post(f"/api/v1/accounts/{made['id']}/arm")) == (422, "hedge_mode")
    finally:
        client.fapiPrivatePostV3PositionSideDual({"dualSidePosition": "false"})
    assert served.api.get(f"/api/v1/accounts/{made['id']}").json()["may_send"] is False


# ── Another key ──────────────────────────────────────────────────────────────────────────────────


def test_another_key_is_tried_and_takes_the_place_of_the_old_one(served: Served, exchange: RunningExchange) -> None:
    """A key that may have been seen is replaced within a minute, without losing the account and its history."""
    exchange.control("POST", "agents", agent=OTHER_AGENT, wallet=WALLET)
    made = add(served, exchange)
    given = {"user": WALLET, "signer": OTHER_AGENT, "private_key": OTHER_KEY}
    answer = served.api.put(f"/api/v1/accounts/{made['id']}/credentials", json={"credentials": given})

    assert answer.status_code == 200, answer.text
    assert (answer.json()["id"], answer.json()["key"]["label"]) == (made["id"], OTHER_AGENT)
    kept = served.house.ring.parts_of(VenueAccount(made["id"], served.house.operator_id))
    assert kept["private_key"].reveal().removeprefix("0x") == OTHER_KEY.removeprefix("0x")
    assert made["id"] in served.house.changes.take(), "its stream is opened anew"
    lines = served.house.database.read(lambda tx: list_audit(tx, served.house.operator_id))
    assert [line.detail["label"] for line in lines if line.what == "venue_keys.replaced"] == [OTHER_AGENT]
    assert OTHER_KEY.removeprefix("0x") not in f"{lines}{answer.text}{served.log.getvalue()}"


def test_a_key_that_does_not_pass_replaces_nothing(served: Served, exchange: RunningExchange) -> None:
    """A typing error must not take the ears and hands of an account that holds a position."""
    made = add(served, exchange)
    path = f"/api/v1/accounts/{made['id']}/credentials"
    own = {"user": WALLET, "signer": WALLET, "private_key": WALLET_KEY}
    stranger = {"user": WALLET, "signer": STRANGER, "private_key": STRANGER_KEY}
    elsewhere = {"user": STRANGER, "signer": STRANGER, "private_key": STRANGER_KEY}

    assert told(served.api.put(path, json={"credentials": own})) == (422, "may_withdraw")
    assert served.api.put(path, json={"credentials": stranger}).status_code == 422
    assert told(served.api.put(path, json={"credentials": elsewhere})) == (409, "another_account")
    assert told(served.api.put(path, json={"credentials": {**own, "private_key": AGENT_KEY}})) == (
        422,
        "key_not_of_signer",
    )
    assert told(served.api.put(path, json={"credentials": {}})) == (400, "invalid")
    kept = served.house.ring.parts_of(VenueAccount(made["id"], served.house.operator_id))
    assert kept["private_key"].reveal().removeprefix("0x") == AGENT_KEY.removeprefix("0x")
    shown = served.api.get(f"/api/v1/accounts/{made['id']}").json()
    assert (shown["key"]["label"], shown["test"]["passed"]) == (AGENT, True)
    paper = served.api.get("/api/v1/accounts").json()["items"][0]
    assert told(served.api.put(f"/api/v1/accounts/{paper['id']}/credentials", json={"credentials": own})) == (
        409,
        "no_key",
    )


def test_an_account_is_shown_with_its_market_and_how_it_is_heard(running: Served, exchange: RunningExchange) -> None:
    """An account that is not heard decides nothing; whoever looks at the list must see why nothing happens."""
    made = add(running, exchange)

    def listed() -> dict[str, Any]:
        rows = {row["name"]: row for row in running.api.get("/api/v1/accounts").json()["items"]}
        assert rows["paper"]["stream"] is None
        assert "made up" in rows["paper"]["market"]
        shown: dict[str, Any] = rows["main"]
        return shown

    until(lambda: listed()["stream"]["state"] == "live" and listed()["stream"]["compared_at"])
    assert listed()["market"] == "an exchange on this machine"
    exchange.control("POST", "faults", kind="unavailable", method="POST", path="listenKey", times=-1)
    exchange.control("POST", "streams", do="drop")
    until(lambda: listed()["stream"]["state"] != "live")
    exchange.control("DELETE", "faults")
    running.api.delete(f"/api/v1/accounts/{made['id']}", params={"force": "true"})
    assert listed()["stream"] is None


# ── Testing, renaming, removing ───────────────────────────────────────────────────────────────────


def test_an_account_is_tested_again_and_what_is_wrong_is_kept(served: Served, exchange: RunningExchange) -> None:
    """A key loses its rights, a clock drifts: the list shows it without anybody trading."""
    made = add(served, exchange)
    path = f"/api/v1/accounts/{made['id']}"
    client = exchange.aster()
    client.fapiPrivatePostV3PositionSideDual({"dualSidePosition": "true"})
    try:
        assert told(served.api.post(f"{path}/test")) == (422, "hedge_mode")
        assert served.api.get(path).json()["test"]["passed"] is False
    finally:
        client.fapiPrivatePostV3PositionSideDual({"dualSidePosition": "false"})
    assert served.api.post(f"{path}/test").json()["test"]["passed"] is True


def test_an_account_is_renamed_once_for_each_name(served: Served, exchange: RunningExchange) -> None:
    """Names stand in commands; two of the same would be one too many."""
    made = add(served, exchange)
    path = f"/api/v1/accounts/{made['id']}"

    assert served.api.patch(path, json={"name": "swing"}).json()["name"] == "swing"
    assert served.api.patch(path, json={"name": "swing"}).status_code == 200
    assert told(served.api.patch(path, json={"name": "paper"})) == (409, "name_taken")


def test_a_removed_account_has_no_keys_and_no_ears(served: Served, exchange: RunningExchange) -> None:
    """What is removed cannot be traded by an old alert, nor read from a stolen database."""
    made = add(served, exchange)
    hook = served.api.post("/api/v1/hooks", json={"name": "live", "account_id": made["id"]}).json()
    removed = served.api.delete(f"/api/v1/accounts/{made['id']}").json()

    assert (removed["state"], removed["key"], removed["hooks_revoked"]) == ("closed", None, ["live"])
    assert served.alert(f"/hooks/{hook['token']}", action="open", side="BUY", quantity="0.01").status_code == 404
    assert served.house.database.read(lambda tx: tx.execute(venue_keys.select()).all()) == []
    assert f"aster@{exchange.base}" not in served.house.venues
    assert served.api.delete(f"/api/v1/accounts/{made['id']}").json()["hooks_revoked"] == []


def standing(running: Served, state: str = "working") -> list[str]:
    """Return what the orders in a state are for, in order."""
    return sorted(each["purpose"] for each in running.orders() if each["state"] == state)


def with_a_guarded_position(running: Served) -> str:
    """Return the path of a paper account that holds 0.01 BTCUSDT, its stop working, and nothing else under way."""
    made = running.api.post("/api/v1/accounts", json={"name": "small", "venue": "paper"}).json()
    hook = running.api.post("/api/v1/hooks", json={"name": "small", "account_id": made["id"]}).json()
    running.alert(f"/hooks/{hook['token']}", action="open", side="BUY", quantity="0.01", stop_loss="5%")
    until(lambda: (standing(running, "filled"), standing(running)) == (["entry"], ["stop_loss"]))
    return f"/api/v1/accounts/{made['id']}"


def test_an_account_in_use_is_removed_only_by_force(running: Served) -> None:
    """Removing it would leave a position that nobody watches over."""
    path = with_a_guarded_position(running)

    refused = running.api.delete(path)
    assert told(refused) == (409, "account_busy")
    assert "1 position stays open: 0.01 BTCUSDT; 1 order stays at the venue" in refused.json()["detail"]

    removed = running.api.delete(path, params={"force": "true"}).json()
    assert removed["state"] == "closed"
    assert any("0.01 BTCUSDT" in each for each in removed["warnings"])
    assert all(one["ok"] for one in running.api.get("/api/v1/invariants").json()["items"])


def test_a_refusal_to_remove_names_all_that_is_open_at_once(running: Served) -> None:
    """Whoever waited for an order only to read of the position next would have been told half."""
    path = with_a_guarded_position(running)
    running.jobs.stop(PATIENCE_S)  # from here on an order stays on its way
    ticket = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "30000"}

    for number, words in enumerate(("1 order is on its way, or nobody", "2 orders are on their way, or nobody"), 1):
        sent = running.api.post("/api/v1/orders", params={"account": path.rpartition("/")[2]}, json=ticket)
        refused, forced = (running.api.delete(path, params={"force": force}) for force in ("false", "true"))

        assert sent.is_success, sent.text
        assert told(refused) == told(forced) == (409, "account_busy")
        for open_ in (words, "1 position stays open: 0.01 BTCUSDT", "1 order stays at the venue"):
            assert open_ in refused.json()["detail"], number
        assert words in forced.json()["detail"]
    assert running.api.get(path).json()["state"] == "active"


def test_what_an_account_held_before_is_shown_and_taken_over(running: Served, exchange: RunningExchange) -> None:
    """Hardly any account is empty: it must neither be halted for what it holds nor trade as if it held nothing."""
    client = exchange.aster()
    client.create_order(BTC, "market", "buy", 0.02)
    resting = client.create_order(BTC, "limit", "buy", 0.01, 30_000)
    try:
        made = add(running, exchange)
        path = f"/api/v1/accounts/{made['id']}"
        assert made["found"]["positions"] == [{"symbol": "BTCUSDT", "quantity": "0.02"}]
        assert any("0.02 BTCUSDT" in each for each in made["warnings"])
        until(lambda: running.api.get(path).json()["stream"]["state"] == "live")
        until(lambda: standing(running) == ["foreign"])
        until(lambda: running.api.get("/api/v1/positions", params={"account": made["id"]}).json()["items"])

        assert running.api.get(path).json()["halt"] is None
        (held,) = running.api.get("/api/v1/positions", params={"account": made["id"]}).json()["items"]
        assert (held["symbol"], held["quantity"]) == ("BTCUSDT", "0.02")
        (theirs,) = (each for each in running.orders() if each["purpose"] == "foreign")
        assert (theirs["venue_order_id"], theirs["state"]) == (resting["id"], "working")

        gone = running.api.delete(path, params={"force": "true"}).json()
        assert any("0.02 BTCUSDT" in each for each in gone["warnings"])
        assert any(theirs["client_order_id"] in each for each in gone["warnings"]), "it is not ours to cancel"
        assert [each["id"] for each in client.fetch_open_orders(BTC)] == [resting["id"]]
        assert not [each for each in running.orders() if each["state"] == "working"]
        assert all(one["ok"] for one in running.api.get("/api/v1/invariants").json()["items"])
    finally:
        client.cancel_all_orders(BTC)
        client.create_order(BTC, "market", "sell", 0.02, params={"reduceOnly": True})


def test_an_account_is_removed_once_its_orders_are_gone_from_the_venue(
    running: Served, exchange: RunningExchange
) -> None:
    """An order that fills after nobody listens any more is a position that nobody knows of."""
    client = exchange.aster()
    made = add(running, exchange)
    path = f"/api/v1/accounts/{made['id']}"
    hook = running.api.post("/api/v1/hooks", json={"name": "live", "account_id": made["id"]}).json()
    until(lambda: running.api.get(path).json()["stream"]["state"] == "live")
    door = f"/hooks/{hook['token']}"

    try:
        opened = running.alert(door, action="open", side="BUY", quantity="0.02", stop_loss="5%")
        assert opened.status_code == 200, opened.text
        until(lambda: standing(running) == ["stop_loss"])
        running.alert(door, action="open", side="BUY", quantity="0.01", order_type="LIMIT", price="30000")
        until(lambda: standing(running) == ["entry", "stop_loss"])
        exchange.control("POST", "faults", kind="unavailable", method="DELETE", path="order", times=-1)

        refused = running.api.delete(path, params={"force": "true"})

        assert told(refused) == (409, "account_busy")
        assert "has not said that 1 order is gone" in refused.json()["detail"]
        assert running.api.get(path).json()["halt"] is None
        assert standing(running) == ["entry", "stop_loss"], "and the position is protected as before"

        exchange.control("DELETE", "faults")
        removed = running.api.delete(path, params={"force": "true"})
        assert removed.status_code == 200, removed.text
        assert any("0.02 BTCUSDT, without a stop-loss" in each for each in removed.json()["warnings"])
        assert standing(running) == []
        assert standing(running, "canceled") == ["entry", "stop_loss"]
        assert client.fetch_open_orders(BTC) == []
        assert all(one["ok"] for one in running.api.get("/api/v1/invariants").json()["items"])
    finally:
        exchange.control("DELETE", "faults")
        client.cancel_all_orders(BTC)
        client.create_order(BTC, "market", "sell", 0.02, params={"reduceOnly": True})


def test_orders_are_left_where_no_venue_answers_any_more(running: Served) -> None:
    """A testnet that was shut down must not keep its account in the list for ever."""
    with RunningExchange(profile="aster") as away:
        away.control("POST", "accounts", id="main", wallet=WALLET, agents=[AGENT])
        made = add(running, away)
        path = f"/api/v1/accounts/{made['id']}"
        until(lambda: running.api.get(path).json()["stream"]["state"] == "live")
        ticket = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "60000"}
        way = {"account": made["id"]}
        # There is no price before somebody has asked for one.
        until(lambda: running.api.post("/api/v1/orders", params=way, json=ticket).status_code == 200)
        until(lambda: [each for each in running.orders() if each["state"] == "working"])

    assert running.api.delete(path, params={"force": "true"}).status_code in {409, 503}
    assert running.api.get(path).json()["state"] == "active"
    removed = running.api.delete(path, params={"force": "true", "leave_orders": "true"}).json()

    assert removed["state"] == "closed"
    assert any("1 order stays at the venue" in each for each in removed["warnings"])
    assert not [each for each in running.orders() if each["state"] == "working"]


def test_reading_an_account_takes_no_more_than_reading(served: Served, exchange: RunningExchange) -> None:
    """Arming, adding and removing are for who administers, not for who trades."""
    made = add(served, exchange)
    issued = served.api.post("/api/v1/tokens", json={"label": "trader", "scopes": ["read", "trade"]}).json()
    trader = served.client({"Authorization": f"Bearer {issued['token']}"})
    path = f"/api/v1/accounts/{made['id']}"

    assert trader.get(path).status_code == 200
    for method, where in (
        ("POST", "/api/v1/accounts"),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", f"{path}/test"),
        ("PUT", f"{path}/credentials"),
        ("POST", f"{path}/arm"),
        ("POST", f"{path}/disarm"),
    ):
        assert trader.request(method, where, json=asked(exchange)).status_code == 403, (method, where)


def test_venues_are_shown_with_what_they_leave_out(served: Served) -> None:
    """Who chooses a venue reads what it cannot do here, and why."""
    rows = {row["name"]: row for row in served.api.get("/api/v1/venues").json()["items"]}
    aster = served.api.get("/api/v1/venues/aster").json()

    assert {"paper", "aster", "aster-testnet"} <= rows.keys()
    assert aster == rows["aster"]
    assert [each["name"] for each in aster["credential_fields"]] == ["user", "signer", "private_key"]
    assert [each["secret"] for each in aster["credential_fields"]] == [False, False, True]
    assert all(each["reason"] for each in aster["capabilities"] if each["state"] == "exempt")
    assert told(served.api.get("/api/v1/venues/nowhere-at-all")) == (404, "venue_unknown")
