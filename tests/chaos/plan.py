"""What a chaos run does: how many alerts, of which seed, at which venues, and everything that is to go wrong."""

import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from tests.exchange_process import ASTER, FUTURES

ORDERS, PROTECTED, STRATEGY = "orders", "protected", "strategy"
"""What alerts of an instrument ask for: single orders, single orders with a stop, or a position."""

LANES: Mapping[str, tuple[str, Decimal]] = {
    ORDERS: ("BTCUSDT", Decimal("0.001")),
    PROTECTED: ("ETHUSDT", Decimal("0.01")),
    STRATEGY: ("SOLUSDT", Decimal("0.1")),
}
"""By kind: the instrument, and its lot."""

ORDER = {"method": "POST", "path": "order"}
REQUEST_FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "lost", **ORDER},
    {"kind": "unknown", **ORDER},
    {"kind": "unavailable", "method": "GET"},
    {"kind": "slow", "value": 900, **ORDER},
    {"kind": "timeout", **ORDER},
    {"kind": "too_many", "value": 1, "method": "GET"},
    {"kind": "reset", **ORDER},
    {"kind": "unknown_undone", **ORDER},
    {"kind": "partial", "value": 1, "where": {"symbol": LANES[ORDERS][0]}, **ORDER},
    {"kind": "gateway", "method": "GET"},
    {"kind": "throttled", **ORDER},
    {"kind": "too_many", "value": 1, **ORDER},
    {"kind": "hang", **ORDER},
    {"kind": "silent", **ORDER},
    {"kind": "internal", "method": "DELETE"},
    {"kind": "unexpected", **ORDER},
)
"""Faults of the exchange, each for one request: what `POST /control/faults` takes."""

STREAM_FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "drop", "stream": True},
    {"kind": "duplicate", "stream": True},
    {"kind": "reorder", "stream": True},
    {"kind": "delay", "stream": True, "value": 700},
)
SOCKETS = "sockets"
"""Every user stream is cut."""

_MORE_MOST = 4

KILL, TERM, STOP, DISK = "kill", "term", "stop", "disk"
DEATHS = (KILL, TERM, STOP, DISK)


@dataclass(frozen=True)
class Plan:
    """One run; the same plan sends the same alerts and breaks the same things in the same order.

    rate          alerts in a second
    gives_up_s    a sender waits so long for its answer; TradingView waits 3 s
    again_after_s and sends again so long after an answer that asks for it; TradingView 5 s
    deliveries_most   so often at most; TradingView 4 times
    settle_s      so long the house has, once nothing is broken any more, until everything has come to rest
    raised        so many times its usual rate limits the exchange grants
    fault_every_s one more thing goes wrong at the exchange as often as this
    alive_s       the house dies so long after it was ready, never before
    watched       whether the house has its watcher beside it, as `pilothouse up` has
    deaths        how the house ends or is held up, one after the other, before chance decides
    """

    place: Path
    alerts: int = 10_000
    seed: int = 1
    venues: tuple[str, ...] = (ASTER, FUTURES)
    rate: float = 50.0
    gives_up_s: float = 3.0
    again_after_s: float = 5.0
    deliveries_most: int = 4
    settle_s: float = 400.0
    raised: int = 10
    fault_every_s: float = 0.7
    deaths: tuple[str, ...] = (KILL, TERM, STOP, DISK)
    deaths_most: int | None = None
    alive_s: tuple[float, float] = (1.0, 5.0)
    watched: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_environment(cls, place: Path) -> Self:
        """Return the plan that ALERTS, SEED, VENUES, PATIENT and WATCHER (on or off) ask for."""
        watcher = os.environ.get("WATCHER", "on")
        if watcher not in {"on", "off"}:
            message = f"WATCHER is {watcher!r}; it is on or off"
            raise SystemExit(message)
        venues = tuple(os.environ.get("VENUES", f"{ASTER},{FUTURES}").split(","))
        alerts, seed = int(os.environ.get("ALERTS", "10000")), int(os.environ.get("SEED", "1"))
        patient = float(os.environ.get("PATIENT", "1"))
        return cls(
            place, alerts, seed, venues, gives_up_s=cls.gives_up_s * patient,
            again_after_s=cls.again_after_s * patient, watched=watcher == "on",
        )  # fmt: skip

    def chance(self, of: str) -> random.Random:
        """Return a source of chance of its own for one part of the run."""
        return random.Random(f"{self.seed}:{of}")

    def alerts_sent(self, secrets: Mapping[str, str], enough: Callable[[], bool]) -> "Iterator[Alert]":
        """Yield the alerts in order; more of them until it is `enough`, on a slow machine.

        secrets   of each venue's hook
        """
        chance, held = self.chance("alerts"), dict.fromkeys([(v, k) for v in self.venues for k in LANES], 0)
        for number in range(self.alerts * _MORE_MOST):
            if number >= self.alerts and enough():
                return
            venue, kind = chance.choice(self.venues), chance.choice(list(LANES))
            lots = chance.randint(1, 5)
            symbol, lot = LANES[kind]
            common = {"webhook_secret": secrets[venue], "symbol": f"{symbol}.P", "timenow": _stamp(), "seq": number}
            if chance.random() < 0.5:
                common["alert_id"] = f"chaos-{self.seed}-{number}"
            if kind == STRATEGY:
                target = chance.randint(-10, 10)
                body = {**common, "order_action": "buy", "contracts": "1", "position_size": str(lot * target)}
                yield Alert(number, venue, kind, "/webhook/tradingview-strategy", body, lot * target, None)
                continue
            before = held[venue, kind]
            side = "BUY" if before < -30 or (before <= 30 and chance.random() < 0.5) else "SELL"
            held[venue, kind] += lots if side == "BUY" else -lots
            body = {**common, "action": "open", "side": side, "quantity": str(lot * lots)}
            if kind == PROTECTED:
                body["stop_loss"] = "25%"
            yield Alert(number, venue, kind, "/webhook/tradingview", body, lot * lots, side)


@dataclass(frozen=True)
class Alert:
    """One alert; its body is sent as it is, however often.

    quantity   what an order is for; what the position shall be, of a strategy
    """

    number: int
    venue: str
    kind: str
    path: str
    body: Mapping[str, Any]
    quantity: Decimal
    side: str | None


def _stamp() -> str:
    return datetime.now(UTC).isoformat()
