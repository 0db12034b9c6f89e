"""Signatures of both venues are checked over what was sent, byte for byte, and each nonce counts once."""

import base64
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from coincurve import PrivateKey
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kit.clocks import FrozenClock
from pilothouse.simexchange.keccak import keccak256
from pilothouse.simexchange.keys import NONCES_KEPT, ApiKey, KeyUnreadable, Nonces
from pilothouse.simexchange.old_signatures import old_digests
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.serve import Plan, SimulatedExchange
from pilothouse.simexchange.socket_calls import SocketCalls
from pilothouse.simexchange.typed_signatures import address_of, domain_separator, message_digest, recovered
from tests.slices.simexchange.raw_asking import NOON, Desk

USER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
ORDER = (
    f"nonce=1760000000000000&user={USER}&signer={USER}&symbol=BTCUSDT&side=BUY&type=LIMIT"
    "&newClientOrderId=sim-0001&timeInForce=GTC&quantity=0.010&price=50000.0"
)
ORDER_SIGNED = (
    "0x7f4ac69fd96ed14e799234e901682fd0801530d11e066eb957c27e8399ee0190"
    "1b083ea816f1f5b5c5f8fc0050c3ec20539d3d926a6e7985f4696fc2ff92251d1b"
)
SAMPLE = (
    "symbol=BTCUSDT&side=BUY&type=LIMIT&newClientOrderId=sim-0001&timeInForce=GTC&quantity=0.010&price=50000.0"
    "&nonce=1760000000000000&signer=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
)
SAMPLE_SIGNED = (
    "0x6d460bfe18165a99a242dd6cda1b6e31694aeabc8eefdd67643b7642ee779187"
    "56eecc538654bae4404085ce23cc22f9322e6dd9bfff36967fcad021487013aa1c"
)
KEY = PrivateKey(bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"))
AGENT = PrivateKey(b"\x11" * 32)


def sign(text: str, key: PrivateKey = KEY, chain: int = 1666) -> str:
    """Return a parameter string with its signature, the last byte in capitals as ccxt writes it."""
    raw = key.sign_recoverable(message_digest(text, chain), hasher=None)
    return f"{text}&signature=0x{raw[:64].hex()}{raw[64] + 27:02X}"


class AsterDesk:
    """A frozen exchange that is asked in Aster's way."""

    def __init__(self, sim: SimulatedExchange | None = None) -> None:
        self.sim = sim or SimulatedExchange(Plan(speed=0), FrozenClock(NOON))
        self.nonce = self.sim.exchange.clock.now()

    def status(self, text: str, method: str = "GET", path: str = "balance") -> tuple[int, bytes]:
        """Ask and return status and body."""
        query, body = (text, "") if method == "GET" else ("", text)
        reply = self.sim.front.answer(Request(method, f"/fapi/v3/{path}", query, body, {}, "test"))
        return reply.status, reply.body


def test_the_digest_is_ethereums() -> None:
    """Known digests of nothing, and of the domain on the main chain."""
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert domain_separator(1666).hex() == "a95d0a7a6f3f17fcebb0c2336645385ce79cde7523f71ab147fdb7f15e9f37f9"


@pytest.mark.parametrize(("text", "signature"), [(ORDER, ORDER_SIGNED), (SAMPLE, SAMPLE_SIGNED)])
def test_known_signatures_name_their_signer(text: str, signature: str) -> None:
    """Vectors made by two independent signers."""
    digest = message_digest(text, 1666)
    for spelled in (signature, signature[2:], signature.upper().replace("0X", "0x")):
        assert recovered(digest, spelled) == USER
    assert address_of(KEY.public_key) == USER


def test_a_wallet_speaks_for_itself_and_a_nonce_counts_once() -> None:
    """The same request again is a duplicate, not a second order."""
    desk = AsterDesk()
    text = sign(f"nonce={desk.nonce}&user={USER}&signer={USER}")
    assert desk.status(text)[0] == 200
    assert b"-4225" in desk.status(text)[1]


def test_a_changed_request_is_refused() -> None:
    """One byte of what was signed is enough."""
    desk = AsterDesk()
    text = sign(f"nonce={desk.nonce}&user={USER}&signer={USER}&symbol=BTCUSDT")
    assert b"-1022" in desk.status(text.replace("BTC", "ETH"))[1]


@pytest.mark.parametrize("off", [-10_000_001, 10_000_001])
def test_a_nonce_far_from_the_time_is_refused(off: int) -> None:
    """Ten seconds either way."""
    desk = AsterDesk()
    assert b"-1021" in desk.status(sign(f"nonce={desk.nonce + off}&user={USER}&signer={USER}"))[1]


def test_an_agent_acts_only_after_it_was_approved() -> None:
    """The main wallet says who may sign for it."""
    desk, agent = AsterDesk(), address_of(AGENT.public_key)
    status, body = desk.status(sign(f"nonce={desk.nonce}&user={USER}&signer={agent}", AGENT))
    assert (status, b"-2015" in body) == (401, True)
    approval = sign(f"agentAddress={agent}&nonce={desk.nonce + 1}&user={USER}", chain=56)
    assert desk.status(approval, "POST", "approveAgent")[0] == 200
    assert desk.status(sign(f"nonce={desk.nonce + 2}&user={USER}&signer={agent}", AGENT))[0] == 200
    assert desk.status(sign(f"nonce={desk.nonce + 3}&signer={agent}", AGENT))[0] == 200, "the user is its agent's"


def test_a_noop_voids_the_order_that_carries_its_nonce() -> None:
    """Whichever comes second has expired."""
    desk = AsterDesk()
    assert desk.status(sign(f"nonce={desk.nonce}&user={USER}&signer={USER}"), "POST", "noop")[0] == 200
    order = f"nonce={desk.nonce}&user={USER}&signer={USER}&symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01"
    assert b"Nonce Expired" in desk.status(sign(order), "POST", "order")[1]


@given(st.lists(st.integers(0, 400), max_size=300))
def test_no_nonce_counts_twice(nonces: list[int]) -> None:
    """Whatever is remembered or forgotten, what was taken is never taken again, and the newest always may come."""
    kept, taken = Nonces(), set()
    for nonce in nonces:
        if kept.take(nonce):
            assert nonce not in taken
            taken.add(nonce)
        assert len(kept.kept) <= NONCES_KEPT
    assert kept.take(1_000)


def test_a_request_is_signed_in_query_body_or_both() -> None:
    """Clients differ in where they put what; the signature is over both, one behind the other."""
    desk = Desk()
    import hashlib  # noqa: PLC0415  (this test signs by hand)
    import hmac  # noqa: PLC0415  (as above)

    now = desk.exchange.clock.now() // 1_000
    query, body = f"symbol=BTCUSDT&leverage=5&timestamp={now}", "recvWindow=5000"
    right = hmac.new(b"S", (query + body).encode(), hashlib.sha256).hexdigest().upper()
    for sent in ((query, f"{body}&signature={right}"), (f"{query}&signature={right}", body)):
        reply = desk.sim.front.answer(Request("POST", "/fapi/v1/leverage", *sent, {"x-mbx-apikey": "K"}, "t"))
        assert reply.status == 200, reply.body


@pytest.mark.parametrize(("off", "code"), [(-5_001, -1021), (1_001, -1021), (-4_900, 0), (900, 0)])
def test_a_request_stamped_off_the_window_is_refused(off: int, code: int) -> None:
    """Five seconds late, one second early."""
    desk = Desk()
    text = desk.signed({}, timestamp=desk.exchange.clock.now() // 1_000 + off)
    reply = desk.sim.front.answer(Request("GET", "/fapi/v2/balance", text, "", {"x-mbx-apikey": "K"}, "t"))
    assert (str(code).encode() in reply.body) if code else reply.status == 200


def test_a_missing_or_unknown_key_is_told_apart() -> None:
    """-2014 for no key, -2015 for one nobody knows; both 401."""
    desk = Desk()
    for headers, code in (({}, b"-2014"), ({"x-mbx-apikey": "nobody"}, b"-2015")):
        profile_headers = headers or {"x-mbx-apikey": ""}
        reply = desk.sim.front.answer(Request("GET", "/fapi/v1/balance", desk.signed({}), "", profile_headers, "t"))
        assert (reply.status, code in reply.body) == (401, True)


_OLD = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "newClientOrderId": "sim-0001", "timeInForce": "GTC",
    "quantity": "0.010", "price": "50000.0", "recvWindow": "50000", "timestamp": "1760000000000",
}  # fmt: skip


def test_the_older_scheme_is_what_was_published() -> None:
    """Hash and signature of a known order, from the recipe of 2025."""
    personal, bare = old_digests(_OLD, USER, USER, 1_760_000_000_000_000)
    assert bare.hex() == "f743b6fc5b4a44a198cecec3619bca546cbcc48e97bd7fce5cf80e8abafe9393"
    signed = (
        "0x38258c3e628506205760cd532272ab7b1c2b6c7d3b7e3932b747bf6245451278"
        "3d4ccb236c43f2551145aa69c7c44cb4e77f280522e53b87f784170162d800291c"
    )
    assert recovered(personal, signed) == USER


@pytest.mark.parametrize("personal", [True, False])
def test_the_older_scheme_is_taken_only_where_it_was_switched_on(personal: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    """Nothing is known of the venue still taking it, so that a client must not rely on it unawares."""
    desk = AsterDesk()
    asked = {"timestamp": str(desk.nonce // 1_000), "recvWindow": "5000"}

    def signed(nonce: int) -> str:
        digest = old_digests(asked, USER, USER, nonce)[0 if personal else 1]
        raw = KEY.sign_recoverable(digest, hasher=None)
        more = {"nonce": nonce, "user": USER, "signer": USER, "signature": f"0x{raw[:64].hex()}{raw[64] + 27:02x}"}
        return urlencode(asked | more)

    assert b"-1022" in desk.status(signed(desk.nonce))[1]
    desk.sim.exchange.keys.takes_old = True
    assert desk.status(signed(desk.nonce + 1))[0] == 200
    assert b"-4225" in desk.status(signed(desk.nonce + 1))[1]


def test_keys_of_the_first_version_still_sign_for_aster() -> None:
    """They sign as Binance's do, and are answered in Aster's words."""
    desk = Desk(profile="aster")
    order = desk.ask("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.010")
    assert "newChainData" in order
    assert desk.code("GET", "algoOrder", algoId=1) == -1000


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_pair_of_keys_signs_too(kind: str) -> None:
    """The exchange has the public half; a signature of another key is refused."""
    key, other = (_made(kind) for _ in range(2))
    desk = Desk(api_keys=(("P", _public_half(key)),))
    text = f"timestamp={desk.exchange.clock.now() // 1_000}"

    def status(signer: Any) -> int:
        query = f"{text}&signature={quote(base64.b64encode(_signed(signer, text)).decode(), safe='')}"
        return desk.sim.front.answer(Request("GET", "/fapi/v2/balance", query, "", {"x-mbx-apikey": "P"}, "t")).status

    assert (status(key), status(other)) == (200, 400)
    with pytest.raises(KeyUnreadable):
        desk.exchange.keys.add_api_key(ApiKey("X", "-----BEGIN PUBLIC KEY-----\nnone", "x"))


def test_who_has_logged_on_over_a_socket_need_not_sign_again() -> None:
    """Only with an Ed25519 key; everybody else signs each call."""
    key = _made("ed25519")
    desk = Desk(api_keys=(("P", _public_half(key)), ("K", "S")))
    calls = SocketCalls(desk.sim.front, desk.sim.hub, is_spot=False)
    listener = Silent()
    now = desk.exchange.clock.now() // 1_000
    assert (
        calls.answer({"id": 1, "method": "v2/account.balance", "params": {"timestamp": now}}, listener)["status"] == 401
    )
    text = f"apiKey=P&timestamp={now}"
    params = {"apiKey": "P", "timestamp": now, "signature": base64.b64encode(_signed(key, text)).decode()}
    logged = calls.answer({"id": 2, "method": "session.logon", "params": params}, listener)
    assert (logged["status"], logged["result"]["apiKey"]) == (200, "P")
    assert (
        calls.answer({"id": 3, "method": "v2/account.balance", "params": {"timestamp": now}}, listener)["status"] == 200
    )
    assert calls.answer({"id": 4, "method": "session.logout"}, listener)["result"]["apiKey"] is None
    assert (
        calls.answer({"id": 5, "method": "v2/account.balance", "params": {"timestamp": now}}, listener)["status"] == 401
    )


class Silent:
    """A connection that nobody reads."""

    def tell(self, name: str, text: bytes) -> None:
        """Take it and forget it."""

    def drop(self) -> None:
        """Be cut."""


def _made(kind: str) -> Any:
    return Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65_537, 2_048)


def _public_half(key: Any) -> str:
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return str(key.public_key().public_bytes(*form).decode())


def _signed(key: Any, text: str) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(text.encode())
    return bytes(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))
