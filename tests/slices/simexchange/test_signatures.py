"""Signatures of both venues are checked over what was sent, byte for byte, and each nonce counts once."""

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kit.clocks import FrozenClock
from pilothouse.simexchange.keccak import keccak256
from pilothouse.simexchange.keys import NONCES_KEPT, Nonces
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.serve import Plan, SimulatedExchange
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
