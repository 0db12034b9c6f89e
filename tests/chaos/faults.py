"""What goes wrong at the exchange while a run lasts: one fault after the other, each of them counted when it struck."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx

from tests.chaos.plan import REQUEST_FAULTS, SOCKETS, STREAM_FAULTS, Plan
from tests.chaos.record import EVENTS, Record
from tests.exchange_process import AT_EXCHANGE, FUTURES, ExchangeProcess

_REJECTED_STOP = {"kind": "reject", "code": -2010, "text": "chaos: this stop is rejected", "method": "POST"}
_STOPS = (
    {**_REJECTED_STOP, "path": "order", "where": {"type": "STOP_MARKET"}},
    {**_REJECTED_STOP, "path": "algoOrder"},
)


class Faults:
    """Breaks one thing after the other; `run` on a thread of its own."""

    def __init__(self, plan: Plan, record: Record, exchange: ExchangeProcess) -> None:
        """Prepare; nothing goes wrong before `run`."""
        self._plan, self._record, self._exchange = plan, record, exchange
        self._chance = plan.chance("faults")
        self._seen = 0
        self.ending = threading.Event()
        self.fired: Counter[str] = Counter()
        self._streams_added: Counter[str] = Counter()

    def run(self) -> None:
        """Break things until `ending` is set; what has not struck by then is taken back."""
        stops = _STOPS if FUTURES in self._plan.venues else _STOPS[:1]
        kinds: list[Mapping[str, Any]] = [*REQUEST_FAULTS, *STREAM_FAULTS, *stops, {"kind": SOCKETS}]
        waiting: list[Mapping[str, Any]] = []
        while not self.ending.wait(self._plan.fault_every_s):
            if not waiting:
                waiting = self._chance.sample(kinds, len(kinds))
            with contextlib.suppress(httpx.TransportError):
                self._break(waiting.pop())
                self._count()
        self._count()
        self._exchange.control("DELETE", "faults")
        for kind, number in self.fired.items():
            self._record.write(EVENTS, what="fault", kind=kind, fired=number)

    def _break(self, fault: Mapping[str, Any]) -> None:
        if fault["kind"] == SOCKETS:
            venue = self._chance.choice(self._plan.venues)
            told = self._exchange.control("POST", "streams", {"do": "drop", "account": AT_EXCHANGE[venue]})
            if told["dropped"]:
                self.fired[SOCKETS] += told["dropped"]
            return
        self._exchange.control("POST", "faults", fault)
        if fault.get("stream"):
            self._streams_added[fault["kind"]] += 1

    def _count(self) -> None:
        """Count what struck since it was counted last."""
        for request in self._exchange.control("GET", f"requests?after={self._seen}"):
            self._seen = max(self._seen, request["number"])
            if request["fault"]:
                self.fired[request["fault"]] += 1
                self._record.write(EVENTS, what="struck", kind=request["fault"], at=time.time(), path=request["path"])
        left: Counter[str] = Counter()
        for rule in self._exchange.control("GET", "faults")["streams"]:
            left[rule["kind"]] += max(0, rule["times"])
        for kind, added in self._streams_added.items():
            if added > left[kind]:
                self.fired[f"stream {kind}"] = added - left[kind]


def expected(plan: Plan) -> set[str]:
    """Return the kinds that must have struck at least once."""
    kinds = {str(each["kind"]) for each in REQUEST_FAULTS} | {f"stream {each['kind']}" for each in STREAM_FAULTS}
    return kinds | {"reject", SOCKETS}
