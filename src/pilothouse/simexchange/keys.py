"""Who may act for which account: API keys with their secrets, wallets with their agents, nonces that were used."""

import base64
import binascii
import hashlib
import heapq
import hmac
import re
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pilothouse.core.errors import Refused
from pilothouse.simexchange.old_signatures import old_digests
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.typed_signatures import (
    CHAIN_IDS,
    fields_of,
    is_address,
    message_digest,
    operation_digest,
    recovered,
    without_signature,
)
from pilothouse.simexchange.wire_errors import WireError, missing

NONCE_WINDOW_US = 10_000_000
NONCES_KEPT = 100
RECEIVE_WINDOW_MS = 5_000
_AHEAD_MAX_MS = 1_000
_API_KEY = re.compile(r"[\x21-\x7e]{1,256}")
_SIGNATURE = re.compile(r"&?signature=([^&]*)")


@dataclass(slots=True)
class Nonces:
    """The newest nonces of one wallet; what is older than all of them is taken for used."""

    kept: list[int] = field(default_factory=list)
    used: set[int] = field(default_factory=set)

    def take(self, nonce: int) -> bool:
        """Use a nonce; False if it was used, or lies below the window."""
        if nonce in self.used:
            return False
        if len(self.kept) >= NONCES_KEPT:
            if nonce < self.kept[0]:
                return False
            self.used.discard(heapq.heappop(self.kept))
        heapq.heappush(self.kept, nonce)
        self.used.add(nonce)
        return True


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of the Binance kind.

    secret   what it signs with; of a key that signs with Ed25519 or RSA, its public half in PEM
    """

    name: str
    secret: str
    account_id: str
    may_trade: bool = True
    may_withdraw: bool = False

    @property
    def is_public(self) -> bool:
        """Say whether `secret` is the public half of a pair."""
        return self.secret.startswith("-----BEGIN PUBLIC KEY-----")

    def has_signed(self, payload: str, given: str) -> bool:
        """Say whether a signature over `payload` is this key's."""
        if not self.is_public:
            right = hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
            return hmac.compare_digest(right, given.lower())
        public = _loaded(self.secret)
        try:
            raw = base64.b64decode(given, validate=True)
            if isinstance(public, Ed25519PublicKey):
                public.verify(raw, payload.encode())
            else:
                public.verify(raw, payload.encode(), PKCS1v15(), SHA256())
        except (binascii.Error, InvalidSignature):
            return False
        return True


class KeyUnreadable(Refused, ValueError):
    """A public key that is none of the kinds that sign here."""

    code = "key_unreadable"


@lru_cache(maxsize=64)
def _loaded(pem: str) -> Ed25519PublicKey | RSAPublicKey:
    try:
        found = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnreadable(f"the public key cannot be read: {error}") from error
    if not isinstance(found, Ed25519PublicKey | RSAPublicKey):
        raise KeyUnreadable("a public key is of Ed25519 or RSA")
    return found


class Keys:
    """All keys of one exchange.

    takes_old   whether signatures of Aster's older scheme are taken too
    """

    def __init__(self) -> None:
        self.api: dict[str, ApiKey] = {}
        self.wallets: dict[str, str] = {}
        self.agents: dict[str, str] = {}
        self.takes_old = False
        self._nonces: dict[str, Nonces] = {}

    def add_api_key(self, key: ApiKey) -> None:
        """Let an API key act for its account; raises KeyUnreadable for a public half that cannot be read."""
        if key.is_public:
            _loaded(key.secret)
        self.api[key.name] = key

    def add_wallet(self, address: str, account_id: str) -> None:
        """Make a wallet the owner of an account."""
        self.wallets[address.lower()] = account_id

    def add_agent(self, address: str, wallet: str) -> None:
        """Let another key act for a wallet."""
        self.agents[address.lower()] = wallet.lower()

    # ── Binance: an HMAC over what was sent ───────────────────────────────────────────────────────

    def named(self, request: Request) -> ApiKey:
        """Return the API key that a request names, without asking for a signature."""
        name = request.headers.get("x-mbx-apikey", "")
        if not _API_KEY.fullmatch(name):
            raise WireError(-2014, status=401)
        found = self.api.get(name)
        if found is None:
            raise WireError(-2015, status=401)
        return found

    def signed(self, request: Request, now_ms: int) -> ApiKey:
        """Return the API key that signed a request; raises WireError for a wrong key, time or signature."""
        if request.logged_on:
            return self.api[request.logged_on]
        key = self.named(request)
        stamp = request.whole("timestamp")
        if stamp is None:
            raise missing("timestamp")
        window = request.whole("recvWindow", RECEIVE_WINDOW_MS) or RECEIVE_WINDOW_MS
        if not 0 < window <= 60_000:
            raise WireError(-1131, "recvWindow must be less than 60000.")
        given = request.params.get("signature", "")
        if not given:
            raise missing("signature")
        if stamp > now_ms + _AHEAD_MAX_MS:
            raise WireError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if stamp < now_ms - window:
            raise WireError(-1021)
        query, body = request.query, request.body
        payload = (_SIGNATURE.sub("", query, count=1) if "signature=" in query else query) + (
            _SIGNATURE.sub("", body, count=1) if "signature=" in body else body
        )
        if not key.has_signed(payload.removeprefix("&"), given):
            raise WireError(-1022)
        return key

    # ── AsterDEX: typed data over what was sent ───────────────────────────────────────────────────

    def wallet_of(self, request: Request, now_us: int) -> str:
        """Return the wallet (lower case) a signed request acts for; it may not be known yet.

        Raises WireError for a wrong signature, signer or nonce. A wallet that signs for itself needs nobody's
        permission; any other signer must be its agent.
        """
        raw = _raw(request)
        signer = request.need("signer").lower()
        nonce = request.need_whole("nonce")
        given = request.need("signature")
        user = request.text("user").lower() or self.agents.get(signer, signer)
        if abs(nonce - now_us) > NONCE_WINDOW_US:
            raise WireError(-1021)
        message = without_signature(raw)
        digests = [message_digest(message, chain) for chain in CHAIN_IDS[:2]]
        if self.takes_old and is_address(user) and is_address(signer) and 0 <= nonce < 1 << 256:
            digests += old_digests(request.params, user, signer, nonce)
        if not any(recovered(digest, given) == signer for digest in digests):
            raise WireError(-1022)
        if signer != user and self.agents.get(signer) != user:
            raise WireError(-2015, status=401)
        self._use(user, nonce)
        return user

    def managed_by(self, request: Request, operation: str, now_us: int) -> str:
        """Return the wallet that signed a management call with its own key; raises WireError."""
        raw = without_signature(_raw(request))
        given, user = request.need("signature"), request.need("user").lower()
        nonce = request.need_whole("nonce")
        if abs(nonce - now_us) > NONCE_WINDOW_US:
            raise WireError(-1021)
        chains = dict.fromkeys((*CHAIN_IDS, request.whole("signatureChainId") or CHAIN_IDS[0]))
        fields = fields_of(raw)
        forms = (fields, [each for each in fields if each[0] not in {"signatureChainId", "signer"}])
        for chain in chains:
            digests = [message_digest(raw, chain), *(operation_digest(operation, form, chain) for form in forms)]
            if any(recovered(digest, given) == user for digest in digests):
                self._use(user, nonce)
                return user
        raise WireError(-1022)

    def _use(self, wallet: str, nonce: int) -> None:
        if not self._nonces.setdefault(wallet, Nonces()).take(nonce):
            raise WireError(-4225)


def _raw(request: Request) -> str:
    """Return the parameter string that was signed: that of the query or that of the body, whichever holds it."""
    if "signature=" in request.query:
        return request.query
    return request.body
