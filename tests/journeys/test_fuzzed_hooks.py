"""What comes from outside may be anything: a 4xx with a reason each time, never a 5xx, an order or a secret told."""

import json
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.house_process import ORDER, STRATEGY, HouseProcess, eventually, fresh

pytestmark = pytest.mark.timeout(400)

SEED = 20261121
CANARY = "canary7secret7that7nobody7may7ever7see7again"

ORDER_BODY = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "order_type": "MARKET"}
STRATEGY_BODY = {"order_action": "buy", "symbol": "BTCUSDT", "contracts": "1", "position_size": "0.01"}

NUMBERS = [
    "NaN", "Infinity", "-Infinity", "1e400", "1e999999999", "-1e5", "1e-400", "9" * 400, "0." + "0" * 400 + "1",
    "0x10", "1_000", "+1", "--1", "1,5", "1.2.3", "٣", "०.०१", "１", "¼", "²", "∞", "1e", ".", "-", "1 0", "0.01abc",
    "\u00a01", "1e5e5", "1/3", "'1'", "$5", "0b1", "1n", "None", "true", "1%%",
]  # fmt: skip
VALUES: list[Any] = [
    *NUMBERS, True, False, [], {}, [1], {"value": 1}, "{{strategy.order.contracts}}", "{{plot_0}}", "\x00", "\ud800",
    "\u202e0.01", "x" * 5_000, [[[[]]]], "'; DROP TABLE orders; --", "<script>alert(1)</script>", "../../etc/passwd",
    "%s%n%x", "💣" * 50, -1, 0, 1e308,
]  # fmt: skip

TEXTS: list[bytes] = [
    b"", b" ", b"\n\t", b"null", b"true", b"0", b'"text"', b"[]", b"[{}]", b"{", b"}", b"{}{}", b'{"action"',
    b'{"a":}', b"{'action':'open'}", b'{"action":"open",}', b"\xff\xfe\x00", b"\x00" * 50, b"\xef\xbb\xbf",
    b"action=open&symbol=X", b"ENTER-LONG_BINANCE_BTCUSDT", b"Keys(BTCUSDT) { market(side=buy, amount=100); }",
    b"<xml/>", b"BUY BTCUSDT 1", b"{{strategy.order.alert_message}}", b'{"quantity":NaN}',
    b'{"quantity":{{strategy.order.contracts}}}', b"[" * 10_000, b'{"a":' * 10_000,
    b'{"a":' * 2_000 + b"1" + b"}" * 2_000, b"[" * 500 + b"]" * 500,
    b'{"symbol":"BTCUSDT","symbol":"ETHUSDT","action":"open","side":"BUY","quantity":"1"}',
    b'{"quantity":' + b"9" * 60_000 + b"}", b'{"quantity":1e' + b"9" * 5_000 + b"}", b'{"\\ud800":1}',
    b'{"a":"\\u0000"}', json.dumps({f"field{n}": n for n in range(3_000)}).encode(), "{“action”: “open”}".encode(),
    json.dumps({**ORDER_BODY, "symbol": "𝔹𝕋ℂ𝕌𝕊𝔻𝕋"}).encode(),
    json.dumps({**ORDER_BODY, "symbol": "BTCUSDТ"}).encode("utf-16"),
]  # fmt: skip


@pytest.fixture
def untouched(house: HouseProcess) -> Iterator[HouseProcess]:
    """Yield the house; afterwards there are as many orders as before, and it is well."""
    before = len(house.orders())
    yield house
    assert len(house.orders()) == before
    assert house.position() == 0
    assert house.get("/health/ready")["status"] == "ready"


def _refused(answer: httpx.Response, *, statuses: frozenset[int] = frozenset({400})) -> dict[str, Any]:
    """Return the body of a refusal after checking that it is one, with a reason for every field."""
    assert answer.status_code in statuses, (
        f"{answer.status_code} {answer.text[:500]} for {answer.request.content[:300]!r}"
    )
    told: dict[str, Any] = answer.json()
    assert told["detail"]
    assert told["code"]
    assert len(answer.content) < 20_000, "a refusal is bounded, whatever it refuses"
    if answer.status_code == 400:
        assert told["validation_errors"], told
        for one in told["validation_errors"]:
            assert one["field"]
            assert len(one["message"]) > len(one["field"]) + 3
    return told


def _doors(house: HouseProcess) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    """Return every door: path, headers that open it, and a body that would be an order."""
    key = {"X-Webhook-Secret": house.secret}
    return [(ORDER, key, ORDER_BODY), (STRATEGY, key, STRATEGY_BODY), (house.hook_path, {}, ORDER_BODY)]


def test_bytes_that_are_no_alert_are_refused_with_the_reason(untouched: HouseProcess) -> None:
    """Broken JSON, other products' dialects, wrong encodings, depths and lengths."""
    for path, headers, _ in _doors(untouched):
        for content in TEXTS:
            _refused(untouched.send(content, path, headers=headers))


def test_random_bytes_are_refused(untouched: HouseProcess) -> None:
    """Noise, and alerts with some of their bytes changed, cut off or doubled."""
    chance = random.Random(SEED)
    for path, headers, good in _doors(untouched):
        for _ in range(60):
            _refused(untouched.send(chance.randbytes(chance.randint(1, 400)), path, headers=headers))
        spoiled = json.dumps(good).encode()
        for _ in range(60):
            at = chance.randrange(len(spoiled) - 1)
            cut = spoiled[:at] + b'"' + spoiled[at + chance.randint(1, 3) :][: chance.randint(0, 12)]
            if _is_json(cut):
                continue
            _refused(untouched.send(cut, path, headers=headers))


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("door", "name"),
    [
        *((ORDER, name) for name in ("quantity", "price", "symbol", "side", "action", "order_type", "stop_loss")),
        *((STRATEGY, name) for name in ("position_size", "order_action", "market_position", "contracts")),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_the_name_of_its_field(
    door: str, name: str, untouched: HouseProcess
) -> None:
    """Numbers that are none, foreign digits, wrong types, unfilled placeholders: never taken for something else."""
    body = ORDER_BODY if door == ORDER else STRATEGY_BODY
    fits = {"position_size": [-1, 0], "contracts": [0]}.get(name, [])
    for value in VALUES:
        if type(value) is int and value in fits:
            continue
        sent = {**body, name: value, "webhook_secret": untouched.secret}
        if name == "price":
            sent["order_type"] = "LIMIT"
        answer = untouched.send(json.dumps(sent).encode("ascii"), door)
        if answer.status_code == 200:  # well-formed, and refused for what it asks: more than any limit allows
            assert answer.json()["state"] == "refused", (name, value, answer.text)
            assert answer.json()["message"]
            continue
        told = _refused(answer)
        assert name in {one["field"] for one in told["validation_errors"]}, (name, value, told)
        assert told["state"] == "refused"


def test_a_placeholder_that_was_not_filled_is_called_that(untouched: HouseProcess) -> None:
    """The commonest mistake of all: an alert of the wrong kind leaves the braces in."""
    template = (
        '{"order_action":"{{strategy.order.action}}","symbol":"BTCUSDT","contracts":"{{strategy.order.contracts}}",'
        '"position_size":"{{strategy.position_size}}","webhook_secret":"' + untouched.secret + '"}'
    )
    told = _refused(untouched.send(template.encode(), STRATEGY))
    assert {one["field"] for one in told["validation_errors"]} == {"order_action", "contracts", "position_size"}
    assert all("placeholder" in one["message"] for one in told["validation_errors"])

    bare = template.replace('"{{strategy.position_size}}"', "{{strategy.position_size}}")
    told = _refused(untouched.send(bare.encode(), STRATEGY))
    assert [one["field"] for one in told["validation_errors"]] == ["position_size"]
    told = _refused(untouched.send(json.dumps({**ORDER_BODY, "alert_id": "{{timenow}}"}).encode(), untouched.hook_path))
    assert [one["field"] for one in told["validation_errors"]] == ["alert_id"]


@pytest.mark.parametrize("name", ["qnty", "webhook_secret", "X" * 3_000, "", "quantity\u0000", "__proto__", "💣"])
def test_the_name_of_a_field_may_be_anything(name: str, house: HouseProcess) -> None:
    """Unknown fields are nobody's business: the alert is what it was without them."""
    for value in VALUES:
        sent = (
            {name: value, **ORDER_BODY, "dry_run_of": fresh()}
            if name != "webhook_secret"
            else {**ORDER_BODY, name: value}
        )
        sent["action"], sent["quantity"] = "close", None  # while flat: nothing to do, and no order
        answer = house.send(json.dumps(sent).encode("ascii"), house.hook_path)
        assert answer.status_code == 200, (name, value, answer.text)
        assert answer.json()["state"] == "noop"


def test_headers_may_be_anything(untouched: HouseProcess) -> None:
    """Content types, secrets and lengths that are no text, too long or doubled."""
    for value in (b"\xff\xfe", b"x" * 8_000, b"", b"null", "gehe\u00efm".encode(), b"'; DROP TABLE hooks; --"):
        for name in (b"X-Webhook-Secret", b"Content-Type", b"X-Request-Id", b"Authorization", b"X-Forwarded-For"):
            answer = untouched.client.post(
                ORDER, content=json.dumps(ORDER_BODY).encode(), headers=[(name, value), (b"Accept", b"*/*")]
            )
            _refused(answer, statuses=frozenset({401, 431}))
    for path in ("/webhook", "/webhook/", "/webhook/tradingview/", "/hooks", "/hooks/", "/hooks//", "/hooks/a/b"):
        _refused(untouched.send(ORDER_BODY, path), statuses=frozenset({404, 405}))


def _raw(house: HouseProcess, pieces: list[bytes], pause_s: float = 0.0, patience_s: float = 20.0) -> bytes:
    """Send bytes as they are, piece by piece, and return what is answered before the other side hangs up."""
    with socket.create_connection(("127.0.0.1", house.port), timeout=patience_s) as line:
        answer = b""
        try:
            for piece in pieces:
                line.sendall(piece)
                time.sleep(pause_s)
            while True:
                read = line.recv(65_536)
                if not read:
                    return answer
                answer += read
                if b"\r\n\r\n" in answer and b"connection: close" not in answer.lower():
                    return answer
        except (ConnectionError, TimeoutError):
            return answer


def _head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


def test_a_length_that_lies_makes_no_order(untouched: HouseProcess) -> None:
    """Shorter, longer, negative, huge, none at all, two of them: cut off or refused, never half an alert."""
    body = json.dumps(ORDER_BODY).encode()
    path = untouched.hook_path
    for lines, content in (
        ([f"Content-Length: {len(body) - 10}"], body),
        (["Content-Length: -1"], body),
        (["Content-Length: abc"], body),
        (["Content-Length: 99999999999999999999"], body),
        (["Content-Length: 70000"], body),
        (["Content-Length: 0"], b""),
        (["Transfer-Encoding: chunked"], b"zz\r\n" + body),
        (["Transfer-Encoding: chunked", f"Content-Length: {len(body)}"], b'5\r\n{"act\r\n0\r\n\r\n'),
        ([], b""),
    ):
        answer = _raw(untouched, [_head(path, *lines, "Connection: close"), content])
        status = int(answer.split(b" ", 2)[1]) if answer else 0
        assert status in {0, 400, 408, 411, 413}, answer[:200]


def test_a_sender_that_hangs_up_in_the_middle_leaves_nothing_behind(untouched: HouseProcess) -> None:
    """Half an alert is no alert."""
    body = json.dumps(ORDER_BODY).encode()
    before = len(untouched.signals())
    for cut in (0, 1, len(body) // 2, len(body) - 1):
        with socket.create_connection(("127.0.0.1", untouched.port), timeout=10) as line:
            line.sendall(_head(untouched.hook_path, f"Content-Length: {len(body)}") + body[:cut])
    time.sleep(0.2)
    assert len(untouched.signals()) == before


def test_a_slow_body_is_waited_for_a_while_and_others_are_served_meanwhile(untouched: HouseProcess) -> None:
    """A hundred open connections that drip hold nobody else up, and are let go after ten seconds."""
    body = b'{"action":"close","symbol":"BTCUSDT"' + b" " * 5_000 + b"}"
    head = _head(untouched.hook_path, f"Content-Length: {len(body)}")

    def drip(_: int) -> bytes:
        return _raw(untouched, [head, body[:20]], patience_s=25.0)

    with ThreadPoolExecutor(20) as pool:
        slow = [pool.submit(drip, n) for n in range(20)]
        quick = untouched.send({"action": "close", "symbol": "BTCUSDT", "n": fresh()}, untouched.hook_path)
        assert quick.json()["state"] == "noop"
        for answer in slow:
            assert b"408" in answer.result().split(b"\r\n", 1)[0]
    in_time = _raw(untouched, [head, body[:100], body[100:]], pause_s=0.3)
    assert b"200" in in_time.split(b"\r\n", 1)[0]


# ── Secrets ───────────────────────────────────────────────────────────────────────────────────────


def _files_with(data: Path, secret: str) -> list[str]:
    return [
        path.name
        for path in data.rglob("*")
        if path.is_file() and path.name != "first-steps.json" and secret.encode() in path.read_bytes()
    ]


def test_a_secret_is_never_answered_never_logged_and_never_stored(new_house: Any) -> None:
    """Right, wrong, misplaced, misspelt, in broken JSON, in headers, in addresses: it is looked for everywhere."""
    house: HouseProcess = new_house(settings={"LOG_LEVEL": "DEBUG"}).start()
    token = house.hook_path.rpartition("/")[2]
    hook = house.post("/api/v1/hooks", {"name": "canary"})
    answers: list[str] = []
    for secret in (CANARY, house.secret, hook["secret"]):
        for path in (ORDER, STRATEGY, house.hook_path, f"/hooks/{hook['token']}", f"/hooks/{CANARY}"):
            for body in (
                json.dumps({**ORDER_BODY, "webhook_secret": secret, "n": fresh()}).encode(),
                json.dumps({**ORDER_BODY, "webhook_secret": secret, "symbol": secret}).encode(),
                json.dumps({**ORDER_BODY, "webhook_secret": secret, "action": secret, "side": secret}).encode(),
                json.dumps({**ORDER_BODY, "webhook_secret": secret, "comment": f"my {secret}", "n": fresh()}).encode(),
                json.dumps({**ORDER_BODY, "webhook_secret": secret, "alert_id": f"{secret}-1"}).encode(),
                json.dumps({**ORDER_BODY, "passphrase": secret, "quantity": secret}).encode(),
                json.dumps(
                    {**ORDER_BODY, "webhook_secret": secret, "deep": {"secret": secret, "a": [secret]}}
                ).encode(),
                json.dumps({**STRATEGY_BODY, "webhook_secret": secret, "position_size": secret}).encode(),
                b'{"webhook_secret":"' + secret.encode() + b'","action":',
                b'{"webhook_secret":"' + secret.encode(),
            ):
                answer = house.send(body, path, headers={"X-Webhook-Secret": secret})
                assert answer.status_code < 500, answer.text
                answers.append(answer.text + str(answer.headers))
    answers += [house.client.get(f"/{CANARY}").text, house.client.get(f"/positions?account={CANARY}").text]
    answers += [json.dumps(house.signals()), json.dumps(house.orders()), json.dumps(house.get("/api/v1/hooks"))]
    answers += [house.client.get("/metrics").text, house.client.get("/health").text, house.client.get("/docs").text]
    for one in house.signals():
        answers.append(json.dumps(house.signal(one["id"])))
    secrets = [CANARY, house.secret, token, hook["secret"], hook["token"], house.facts["operator_token"]]
    for secret in secrets:
        assert not [text for text in answers if secret in text], secret

    assert house.stop() == 0
    for secret in secrets:
        assert secret not in house.said("err"), "nothing on standard error"
        assert _files_with(house.data, secret) == [], secret


def test_guessing_is_not_told_how_near_it_came(house: HouseProcess) -> None:
    """The answer to a wrong secret is the same for a wrong one, a nearly right one, and one of another kind."""
    guesses = [house.secret[:-1], house.secret[:-1] + "~", house.secret.upper(), house.secret + " x", "a", "b" * 500]

    told = [house.send({**ORDER_BODY, "webhook_secret": guess}) for guess in guesses]

    assert {answer.status_code for answer in told} == {401}
    assert len({answer.json()["detail"] for answer in told}) == 1
    eventually(lambda: house.get("/health/ready")["status"] == "ready", "it is well")
