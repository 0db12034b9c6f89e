"""How often a hook may be used: a bucket of tokens for each hook, in the memory of this process."""

import threading
from collections import OrderedDict

from pilothouse.accounts.hooks import Hook
from pilothouse.api.problems import RateExceeded

_KNOWN_MAX = 10_000


class Bucket:
    """As many uses at once as are allowed within a second, filled again at that rate."""

    __slots__ = ("at", "rate", "uses")

    def __init__(self, rate: int, now: float) -> None:
        """Begin full."""
        self.rate = rate
        self.uses = 1.0 * rate
        self.at = now

    def fill(self, now: float) -> None:
        """Add what has come since the last look."""
        self.uses = min(1.0 * self.rate, self.uses + (now - self.at) * self.rate)
        self.at = now


class Rates:
    """Buckets by hook, and by the credential that last opened the hook; safe for many threads."""

    def __init__(self) -> None:
        """Know no hook yet."""
        self._by_hook: OrderedDict[str, Bucket] = OrderedDict()
        self._by_credential: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def refuse_if_empty(self, credential: str, now: float) -> None:
        """Raise RateExceeded for a credential known to be used up, before the database is asked for anything."""
        with self._lock:
            bucket = self._by_credential.get(credential)
            if bucket is not None:
                bucket.fill(now)
                if bucket.uses < 1:
                    raise _exceeded(bucket)

    def use(self, hook: Hook, credential: str, now: float) -> None:
        """Count one use of a hook. Raises RateExceeded."""
        with self._lock:
            bucket = self._by_hook.get(hook.id)
            if bucket is None:
                bucket = self._by_hook[hook.id] = Bucket(hook.rate_per_s, now)
            bucket.rate = hook.rate_per_s
            bucket.fill(now)
            self._by_credential[credential] = bucket
            for known in (self._by_hook, self._by_credential):
                if len(known) > _KNOWN_MAX:
                    known.popitem(last=False)
            if bucket.uses < 1:
                raise _exceeded(bucket)
            bucket.uses -= 1


def _exceeded(bucket: Bucket) -> RateExceeded:
    return RateExceeded(f"this hook takes {bucket.rate} alerts a second; nothing was stored, send it again later")
