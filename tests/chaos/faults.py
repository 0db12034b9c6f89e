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
_LOOK_S = 2.0
_ROOM = 4
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
        self.ending, self.only_missing = threading.Event(), threading.Event()
        self.fired: Counter[str] = Counter()
        self._pending: list[Mapping[str, Any]] = []
        self._is_calm = False

    def run(self) -> None:
        """Break things until `ending` is set; what has not struck by then is taken back.

        From `only_missing` on, nothing goes wrong any more but what has never struck: in the calm it strikes soon.
        """
        stops = _STOPS if FUTURES in self._plan.venues else _STOPS[:1]
        kinds: list[Mapping[str, Any]] = [*REQUEST_FAULTS, *STREAM_FAULTS, *stops, {"kind": SOCKETS}]
        waiting: list[Mapping[str, Any]] = []
        looked, cycles = time.monotonic(), 0
        # Each thing goes wrong once soon; then there must be room between them, or nothing would ever be heard again.
        while not self.ending.wait(self._plan.fault_every_s * (1 if cycles < 2 else _ROOM)):
            if self.only_missing.is_set():
                self._calm_down()
                missing = [each for each in kinds if _named(each) not in self.fired]
                waiting = self._chance.sample(missing, len(missing))
            elif not waiting:
                cycles += 1
                waiting = self._chance.sample(kinds, len(kinds))
            with contextlib.suppress(httpx.TransportError):
                if waiting:
                    self._break(waiting.pop())
                if time.monotonic() - looked > _LOOK_S:
                    looked = time.monotonic()
                    self._count()
        self._count()
        self._exchange.control("DELETE", "faults")
        for kind, number in self.fired.items():
            self._record.write(EVENTS, what="fault", kind=kind, fired=number)

    def _calm_down(self) -> None:
        """Take back, once, what waits to strike; what strikes from here on is seen soon."""
        if not self._is_calm:
            with contextlib.suppress(httpx.TransportError):
                self._count()
                self._exchange.control("DELETE", "faults")
                self._pending.clear()
                self._is_calm = True

    def _break(self, fault: Mapping[str, Any]) -> None:
        """Let one more thing go wrong, unless the same waits to go wrong already: then nothing piles up."""
        if fault["kind"] == SOCKETS:
            venue = self._chance.choice(self._plan.venues)
            told = self._exchange.control("POST", "streams", {"do": "drop", "account": AT_EXCHANGE[venue]})
            if told["dropped"]:
                self.fired[SOCKETS] += told["dropped"]
        elif fault not in self._pending:
            self._exchange.control("POST", "faults", fault)
            self._pending.append(fault)

    def _count(self) -> None:
        """Count what struck since it was counted last, and forget the rules that are used up."""
        for request in self._exchange.control("GET", f"requests?after={self._seen}"):
            self._seen = max(self._seen, request["number"])
            if request["fault"]:
                self.fired[request["fault"]] += 1
                self._record.write(EVENTS, what="struck", kind=request["fault"], at=time.time(), path=request["path"])
        told = self._exchange.control("GET", "faults")
        left = Counter(rule["kind"] for rule in told["streams"] if rule["times"])
        for fault in [each for each in self._pending if each.get("stream") and not left[each["kind"]]]:
            self.fired[f"stream {fault['kind']}"] += 1
            self._pending.remove(fault)
        rules = [rule for rule in told["rules"] if rule["times"]]
        for fault in [each for each in self._pending if not each.get("stream")]:
            if not any(_is_the_same(fault, rule) for rule in rules):
                self._pending.remove(fault)
        if not self._pending:
            self._exchange.control("DELETE", "faults")


def _named(fault: Mapping[str, Any]) -> str:
    """Return under which name it is counted."""
    return f"stream {fault['kind']}" if fault.get("stream") else str(fault["kind"])


def _is_the_same(fault: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    return all(rule[name] == value for name, value in fault.items())


def expected(plan: Plan) -> set[str]:
    """Return the kinds that must have struck at least once."""
    kinds = {str(each["kind"]) for each in REQUEST_FAULTS} | {f"stream {each['kind']}" for each in STREAM_FAULTS}
    return kinds | {"reject", SOCKETS}
