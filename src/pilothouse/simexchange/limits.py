"""Rate limits: request weight by address and minute, orders by account. Counted always; obeyed to only when asked.

Spot and futures are counted apart, as they are different places at the venue.
"""

from typing import Any

from pilothouse.simexchange.records import BINANCE, AccountFile
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.wire_errors import WireError

WEIGHT_PER_MINUTE = 2_400
ORDERS_PER_MINUTE = 1_200
ORDERS_PER_TEN_SECONDS = 300
SPOT_WEIGHT_PER_MINUTE = 6_000
SPOT_ORDERS_PER_TEN_SECONDS = 100
SPOT_ORDERS_PER_DAY = 200_000
_BANS_AFTER = 10
_MINUTE_US, _TEN_SECONDS_US, _DAY_US = 60_000_000, 10_000_000, 86_400_000_000

RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_PER_MINUTE},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": ORDERS_PER_MINUTE},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_PER_TEN_SECONDS},
]
SPOT_RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": SPOT_WEIGHT_PER_MINUTE},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": SPOT_ORDERS_PER_TEN_SECONDS},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": SPOT_ORDERS_PER_DAY},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
]


def rate_limits(raised: int, *, is_spot: bool = False) -> list[dict[str, Any]]:
    """Return the limits as they are told, `raised` times the usual ones."""
    return [
        each | {"limit": int(str(each["limit"])) * raised} for each in (SPOT_RATE_LIMITS if is_spot else RATE_LIMITS)
    ]


_BY_ROWS = {
    # path: ((up to so many rows, weight), ...), as the futures side and the spot side publish them
    (False, "depth"): ((50, 2), (100, 5), (500, 10), (1_000, 20)),
    (True, "depth"): ((100, 5), (500, 25), (1_000, 50), (5_000, 250)),
    (False, "klines"): ((99, 1), (499, 2), (1_000, 5), (1_500, 10)),
}
_WITHOUT_SYMBOL = {
    (False, "ticker/24hr"): 40, (False, "ticker/price"): 2, (False, "ticker/bookTicker"): 5,
    (False, "premiumIndex"): 10, (False, "openOrders"): 40,
    (True, "ticker/24hr"): 80, (True, "ticker/price"): 4, (True, "ticker/bookTicker"): 4, (True, "openOrders"): 80,
}  # fmt: skip
_ROWS_UNSAID = {"klines": 500}


def weight_of(name: str, request: Request, usual: int, *, is_spot: bool) -> int:
    """Return what a request weighs: more for more rows, and for every instrument instead of one."""
    kind = "klines" if name.endswith("lines") and not is_spot else name
    steps = _BY_ROWS.get((is_spot, kind))
    if steps is not None:
        text = request.text("limit")
        rows = int(text) if text.isdigit() and len(text) < 6 else _ROWS_UNSAID.get(kind, 100 if is_spot else 500)
        return next((weight for most, weight in steps if rows <= most), steps[-1][1])
    if request.text("symbol") or request.text("symbols"):
        return usual
    return _WITHOUT_SYMBOL.get((is_spot, name), usual)


class Limits:
    """What was used of the limits.

    enforced   whether going over them is refused
    raised     so many times the usual ones, as an exchange grants them to who trades much
    """

    def __init__(self, *, enforced: bool = False, raised: int = 1) -> None:
        self.enforced = enforced
        self.raised = raised
        self._used: dict[str, tuple[int, int]] = {}
        self._used_on_spot: dict[str, tuple[int, int]] = {}
        self._over: dict[str, int] = {}

    def forget(self) -> None:
        """Begin the minute anew for every address; bans end."""
        self._used.clear()
        self._used_on_spot.clear()
        self._over.clear()

    def weigh(self, ip: str, weight: int, now: int, *, is_spot: bool = False) -> int:
        """Count a request; return the weight used in this minute. Raises WireError over the limit, where enforced."""
        minute, counts = now // _MINUTE_US, self._used_on_spot if is_spot else self._used
        before, used = counts.get(ip, (minute, 0))
        used = weight if before != minute else used + weight
        counts[ip] = (minute, used)
        if before != minute:
            self._over.pop(ip, None)
        if self.enforced and used > self.raised * (SPOT_WEIGHT_PER_MINUTE if is_spot else WEIGHT_PER_MINUTE):
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
        minute, ten = now // _MINUTE_US, now // _TEN_SECONDS_US
        file.minute = (minute, orders + (file.minute[1] if file.minute[0] == minute else 0))
        file.ten_seconds = (ten, orders + (file.ten_seconds[1] if file.ten_seconds[0] == ten else 0))
        over = file.minute[1] > self.raised * ORDERS_PER_MINUTE or (
            file.profile == BINANCE and file.ten_seconds[1] > self.raised * ORDERS_PER_TEN_SECONDS
        )
        if self.enforced and over:
            raise WireError(-1015, status=429, retry_after=10)
        return file.minute[1], file.ten_seconds[1]

    def count_on_spot(self, file: AccountFile, orders: int, now: int) -> tuple[int, int]:
        """Count spot orders; return (in these ten seconds, in this day). Raises WireError likewise."""
        ten, day = now // _TEN_SECONDS_US, now // _DAY_US
        file.spot_ten = (ten, orders + (file.spot_ten[1] if file.spot_ten[0] == ten else 0))
        file.spot_day = (day, orders + (file.spot_day[1] if file.spot_day[0] == day else 0))
        most, most_in_day = self.raised * SPOT_ORDERS_PER_TEN_SECONDS, self.raised * SPOT_ORDERS_PER_DAY
        if self.enforced and (file.spot_ten[1] > most or file.spot_day[1] > most_in_day):
            text = f"Too many new orders; current limit is {most} orders per 10 SECOND."
            raise WireError(-1015, text, status=429, retry_after=10)
        return file.spot_ten[1], file.spot_day[1]
