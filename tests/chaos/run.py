"""One chaos run: exchange and house as processes, senders, deaths and faults side by side; raw files at the end."""

import contextlib
import itertools
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.deaths import Deaths, Disk
from tests.chaos.faults import Faults, expected
from tests.chaos.plan import Plan
from tests.chaos.record import BOOKS, EVENTS, TRUTH, Record
from tests.chaos.senders import send_all
from tests.exchange_process import AT_EXCHANGE, ExchangeProcess, add_account
from tests.house_process import HouseProcess, fresh

_MOVING = {"intended", "sending", "unknown"}
_QUIET_LOOKS = 3
_ORPHANS_S = 60.0
_BUDGET_S = 90.0
"""The exchange counts by the minute: what a run has spent is there again after one."""


def run(plan: Plan) -> None:
    """Send, break and kill as the plan says; what came of it is in `plan.place`, for `count` to read."""
    record = Record(plan.place)
    watcher = {"WATCHER": "yes" if plan.watched else "no"}
    house = HouseProcess(plan.place / "house", settings={"LOG_LEVEL": "INFO", **watcher, **plan.settings})
    disk = Disk(house)
    exchange = ExchangeProcess(plan.place / "exchange", ("--raised-limits", str(plan.raised), "--enforce-limits"))
    try:
        with exchange, house:
            try:
                _run(plan, record, house, disk, exchange)
                record.write(EVENTS, what="watchers", left=_watchers_left(house), said=watchers_said(house.data))
            finally:
                for pid in _watchers(house):
                    os.kill(pid, signal.SIGKILL)
    finally:
        disk.close()
        record.close()


def _run(plan: Plan, record: Record, house: HouseProcess, disk: Disk, exchange: ExchangeProcess) -> None:
    house.start()
    accounts = {venue: add_account(house, exchange, venue, venue) for venue in plan.venues}
    secrets = {
        venue: house.post("/api/v1/hooks", {"name": f"hook {fresh()}", "account_id": account_id})["secret"]
        for venue, account_id in accounts.items()
    }
    deaths, faults = Deaths(plan, record, house, disk), Faults(plan, record, exchange)
    threads = {
        "deaths": threading.Thread(target=deaths.run, daemon=True),
        "faults": threading.Thread(target=faults.run, daemon=True),
    }
    wanted = expected(plan)
    record.write(EVENTS, what="begin", at=time.time(), alerts=plan.alerts, seed=plan.seed, expected=sorted(wanted))
    for thread in threads.values():
        thread.start()

    def enough() -> bool:
        """Say, when all alerts of the plan are sent, whether everything has happened that was to happen."""
        if deaths.died >= set(plan.deaths):
            faults.only_missing.set()
        return deaths.failure is not None or (faults.only_missing.is_set() and faults.fired.keys() >= wanted)

    try:
        send_all(plan, record, house.url, secrets, enough)
    finally:
        deaths.ending.set()
        faults.ending.set()
        for thread in threads.values():
            thread.join(120)
    if deaths.failure is not None:
        raise deaths.failure
    begun = time.time()
    record.write(EVENTS, what="sent", at=begun)
    rests = _comes_to_rest(plan, house, exchange, accounts)
    record.write(EVENTS, what="rest", at=time.time(), after_s=round(time.time() - begun, 1), rests=rests)
    _keep_truth(plan, record, exchange)
    _keep_books(record, house, accounts)


def _watchers_left(house: HouseProcess) -> int:
    """Return how many watchers live when the house is there, without its own; a dead house's has to end by then."""
    deadline = time.monotonic() + _ORPHANS_S
    while len(_watchers(house)) > 1 and time.monotonic() < deadline:
        time.sleep(0.5)
    return max(0, len(_watchers(house)) - 1)


def _watchers(house: HouseProcess) -> list[int]:
    """Return the watchers of all lives of the house that are alive."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            words, where = (folder / "cmdline").read_bytes().split(b"\0"), (folder / "environ").read_bytes()
            if b"watcher" in words and f"PILOTHOUSE_DATA={house.data}\0".encode() in where:
                found.append(int(folder.name))
    return found


def watchers_said(data: Path) -> dict[str, int]:
    """Return what the watchers of a house wrote into their log, counted."""
    file = data / "logs" / "watcher.log"
    lines = file.read_text("utf-8", "replace").splitlines() if file.exists() else []
    return dict(Counter(json.loads(line).get("event", "") for line in lines if line.startswith("{")))


def _comes_to_rest(plan: Plan, house: HouseProcess, exchange: ExchangeProcess, accounts: Mapping[str, str]) -> bool:
    """Wait until nothing waits or moves any more, several looks in a row; say whether that came true in time."""
    deadline = time.monotonic() + plan.settle_s
    quiet, was = 0, -1
    while quiet < _QUIET_LOOKS:
        if time.monotonic() > deadline:
            return False
        time.sleep(1.0)
        try:
            now = exchange.control("GET", "truth")["requests"]
            orders = sum(len(exchange.orders(venue)) for venue in accounts)
            quiet, was = (quiet + 1 if orders == was and not _moves(house) else 0), orders
            del now
        except httpx.TransportError:
            quiet = 0
    return True


def _moves(house: HouseProcess) -> bool:
    """Say whether an alert waits or an order is on its way."""
    for state in ("pending", "active"):
        if house.get("/api/v1/signals", state=state, limit=1)["items"]:
            return True
    return any(one["state"] in _MOVING or one["cancel_asked_at"] for one in house.orders(live=True))


def _keep_truth(plan: Plan, record: Record, exchange: ExchangeProcess) -> None:
    """Write down what the exchange has in its own books."""
    truth = exchange.control("GET", "truth")
    record.write(TRUTH, row="exchange", complaints=truth["complaints"], requests=truth["requests"])
    for venue in plan.venues:
        account = next(one for one in truth["accounts"] if one["id"] == AT_EXCHANGE[venue])
        record.write(TRUTH, row="account", venue=venue, wallet=account["wallet"], positions=account["positions"])
        for order in exchange.orders(venue):
            record.write(TRUTH, row="order", venue=venue, order=order)
        for fill in exchange.fills(venue):
            record.write(TRUTH, row="fill", venue=venue, fill=fill)


def _keep_books(record: Record, house: HouseProcess, accounts: Mapping[str, str]) -> None:
    """Write down what our books say, as anybody may read them."""
    for venue, account_id in accounts.items():
        balance = _answered(house, "/api/v1/balances", account_id)["items"][0]
        held = _answered(house, "/api/v1/positions", account_id)["items"]
        record.write(BOOKS, row="account", venue=venue, balance=balance, positions=held)
        kinds: dict[str, list[dict[str, Any]]] = {
            "signal": house.signals(account=account_id),
            "order": house.orders(account=account_id),
            "fill": house.pages("/api/v1/fills", account=account_id),
        }
        for row, one in itertools.chain.from_iterable(
            zip(itertools.repeat(k), each, strict=False) for k, each in kinds.items()
        ):
            record.write(BOOKS, row=row, venue=venue, **{row: one})
    record.write(BOOKS, row="invariants", invariants=house.get("/api/v1/invariants"))


def _answered(house: HouseProcess, path: str, account_id: str) -> Any:
    """Return what is answered with the exchange's help, once the account's budget there allows to ask for it."""
    deadline = time.monotonic() + _BUDGET_S
    while True:
        answer = house.ask("GET", path, account=account_id)
        if answer.status_code != 503 or time.monotonic() > deadline:
            assert answer.status_code == 200, answer.text
            return answer.json()
        time.sleep(1.0)
