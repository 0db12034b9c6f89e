"""Who may act for which account: API keys with their secrets, wallets with their agents, nonces that were used."""

import hashlib
import heapq
import hmac
import re
from dataclasses import dataclass, field

from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.typed_signatures import (
    CHAIN_IDS,
    fields_of,
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
    """A key of the Binance kind."""

    name: str
    secret: str
    account_id: str
    may_trade: bool = True
    may_withdraw: bool = False


class Keys:
    """All keys of one exchange."""

    def __init__(self) -> None:
        self.api: dict[str, ApiKey] = {}
        self.wallets: dict[str, str] = {}
        self.agents: dict[str, str] = {}
        self._nonces: dict[str, Nonces] = {}

    def add_api_key(self, key: ApiKey) -> None:
        """Let an API key act for its account."""
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
        right = hmac.new(key.secret.encode(), payload.removeprefix("&").encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, given.lower()):
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
        if not any(recovered(message_digest(message, chain), given) == signer for chain in CHAIN_IDS[:2]):
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
