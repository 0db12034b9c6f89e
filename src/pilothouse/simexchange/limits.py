"""Rate limits: request weight by address and minute, orders by account. Counted always; obeyed to only when asked."""

from pilothouse.simexchange.records import BINANCE, AccountFile
from pilothouse.simexchange.wire_errors import WireError

WEIGHT_PER_MINUTE = 2_400
ORDERS_PER_MINUTE = 1_200
ORDERS_PER_TEN_SECONDS = 300
_BANS_AFTER = 10


class Limits:
    """What was used of the limits. `enforced`: whether going over them is refused."""

    def __init__(self, *, enforced: bool = False) -> None:
        self.enforced = enforced
        self._used: dict[str, tuple[int, int]] = {}
        self._over: dict[str, int] = {}

    def forget(self) -> None:
        """Begin the minute anew for every address; bans end."""
        self._used.clear()
        self._over.clear()

    def weigh(self, ip: str, weight: int, now: int) -> int:
        """Count a request; return the weight used in this minute. Raises WireError over the limit, where enforced."""
        minute = now // 60_000_000
        before, used = self._used.get(ip, (minute, 0))
        used = weight if before != minute else used + weight
        self._used[ip] = (minute, used)
        if before != minute:
            self._over.pop(ip, None)
        if self.enforced and used > WEIGHT_PER_MINUTE:
            self._over[ip] = self._over.get(ip, 0) + 1
            wait = max(1, (minute + 1) * 60 - now // 1_000_000)
            if self._over[ip] > _BANS_AFTER:
                until = now // 1_000 + 120_000
                raise WireError(
                    -1003,
                    f"Way too many requests; IP({ip}) banned until {until}. Please use the websocket for live updates"
                    " to avoid bans.",
                    status=418,
                    retry_after=120,
                )
            raise WireError(-1003, status=429, retry_after=wait)
        return used

    def count(self, file: AccountFile, orders: int, now: int) -> tuple[int, int]:
        """Count orders of an account; return (in this minute, in these ten seconds). Raises WireError likewise."""
        minute, ten = now // 60_000_000, now // 10_000_000
        file.minute = (minute, orders + (file.minute[1] if file.minute[0] == minute else 0))
        file.ten_seconds = (ten, orders + (file.ten_seconds[1] if file.ten_seconds[0] == ten else 0))
        over = file.minute[1] > ORDERS_PER_MINUTE or (
            file.profile == BINANCE and file.ten_seconds[1] > ORDERS_PER_TEN_SECONDS
        )
        if self.enforced and over:
            raise WireError(-1015, status=429, retry_after=10)
        return file.minute[1], file.ten_seconds[1]
