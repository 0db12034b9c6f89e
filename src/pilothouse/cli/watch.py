"""An alert on its way: bytes and a hook's path in; the timeline of its orders drawn live, and how it ended, out.

The picture is drawn from what the house recorded: the event stream only says when to look, so an event that is lost
or told twice changes nothing.
"""

import contextlib
import io
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from pilothouse.cli import positions, show, signals, timeline
from pilothouse.cli.talk import Answered, House, Way, said
from pilothouse.cli.timeline import Timeline
from pilothouse.kit.clocks import SystemClock

_LOOK_EVERY_S: Final = 0.25
_PROTECTION_S: Final = 3.0
_WAIT_MS_MAX: Final = 2_500
_OVER: Final = frozenset({"filled", "canceled", "expired", "rejected"})
_RESTING: Final = frozenset({"working", "partly_filled"})

_HINTS: Final[Mapping[int, str]] = {
    401: ". The secret was shown when the hook was made; `pilothouse hooks rotate` makes a new one",
    404: ". `pilothouse hooks list` tells which hooks there are; `pilothouse hooks rotate` makes a new address",
}


class _Ear:
    """Hears on a thread to which alerts something happened; whoever watches one of them is woken."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._heard: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.open = threading.Event()
        threading.Thread(target=self._listen, daemon=True, name="events").start()

    def _listen(self) -> None:
        with House(self._way) as house:
            for event in house.events():
                self.open.set()
                payload = event.get("payload")
                if isinstance(payload, dict) and payload.get("signal_id"):
                    self._heard.put(str(payload["signal_id"]))
        self.open.set()

    def wait(self, signal_id: str, seconds: float) -> None:
        """Return when something happened to the alert, or after `seconds`."""
        clock = SystemClock()
        deadline = clock.monotonic() + seconds
        with contextlib.suppress(queue.Empty):
            while self._heard.get(timeout=max(deadline - clock.monotonic(), 0.0)) != signal_id:
                pass


@dataclass(slots=True)
class Sender:
    """One alert on its way.

    path      where it goes
    headers   what goes with it
    """

    house: House
    path: str
    headers: dict[str, str]

    def send(self, body: bytes, screen: Console, *, wait: int, follow: bool, quiet: bool) -> dict[str, Any]:
        """Send it, draw what happens, and return the answer with the alert as it stood at last."""
        ear = _Ear(self.house.way)
        ear.open.wait(2.0)
        sent_at = show.now()
        # A person watches it happen; a script gets the answer that a chart would get.
        answer, status = self._post(body, wait_ms=min(wait * 1_000, _WAIT_MS_MAX) if quiet else 0)
        signal_id = answer.get("signal_id")
        if quiet:
            screen = _nowhere()
        if signal_id is None:
            raise Answered(status, answer, said(answer) + _HINTS.get(status, ""))
        signal = self.house.get(f"/api/v1/signals/{signal_id}")
        drawn = Timeline(screen, _began(sent_at, signal))
        if answer.get("duplicate"):
            drawn.say(None, "repeated", "yellow", f"this alert came before; {show.short(signal_id)} is shown as it is")
            drawn.began = show.instant(signal.get("received_at")) or drawn.began
        else:
            drawn.say(drawn.began, "sent", "default", f"{len(body)} bytes to {masked(self.path)}")
        drawn.say(show.instant(signal.get("received_at")), "stored", "default", _asked(signal))
        last = self._watch(str(signal_id), signal, drawn, ear, wait=wait, follow=follow)
        if not quiet:
            _draw_end(screen, self.house, last, drawn)
        return {**answer, **self._as_it_is(answer, last), "signal": last}

    def _as_it_is(self, answer: Mapping[str, Any], last: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the answer would say by now; its order and position are asked for again if it is older."""
        final = _final(answer, last)
        if final["state"] == answer.get("state") or not last["orders"]:
            return final
        where = {"symbol": last["symbol"], "account": last["account_id"]}
        made = last["orders"][-1]["id"]
        orders = self.house.get("/orders", **where, limit=1_000)
        positions_now = self.house.get("/positions", account=last["account_id"])
        return {
            **final,
            "order": next((each for each in orders if each["id"] == made), answer.get("order")),
            "position": next((each for each in positions_now if each["symbol"] == last["symbol"]), None),
        }

    def _post(self, body: bytes, *, wait_ms: int) -> tuple[dict[str, Any], int]:
        """Return what the hook answered at once, and its status."""
        response = self.house.raw("POST", self.path, body=body, query={"wait_ms": wait_ms}, headers=self.headers)
        try:
            answer = response.json()
        except ValueError:
            answer = {"detail": response.text[:500]}
        return (answer if isinstance(answer, dict) else {"detail": str(answer)}), response.status_code

    def _watch(
        self, signal_id: str, signal: dict[str, Any], drawn: Timeline, ear: _Ear, *, wait: int, follow: bool
    ) -> dict[str, Any]:
        """Draw what happens until the alert has come to rest, or `wait` seconds have gone by; return it as it is."""
        clock = SystemClock()
        deadline = clock.monotonic() + wait
        rested_at: float | None = None
        while True:
            signal = self._with_orders(signal)
            drawn.learn(signal["orders"] + signal["protective"])
            rests = _rests(signal, follow=follow)
            if rests and not _waits_for_protection(signal):
                return signal
            moment = clock.monotonic()
            rested_at = (rested_at or moment) if rests else None
            if moment >= deadline or (rested_at is not None and moment - rested_at > _PROTECTION_S):
                return signal
            ear.wait(signal_id, min(_LOOK_EVERY_S, deadline - moment))
            signal = self.house.get(f"/api/v1/signals/{signal_id}")

    def _with_orders(self, signal: dict[str, Any]) -> dict[str, Any]:
        """Return the alert with its orders and their timelines."""
        full = dict(signal)
        for name in ("orders", "protective"):
            full[name] = [
                order if order.get("timeline") else self.house.get(f"/api/v1/orders/{order['id']}")
                for order in signal.get(name) or []
            ]
        return full


def _nowhere() -> Console:
    """Return a console that nobody sees."""
    return Console(file=io.StringIO())


def _began(sent_at: datetime, signal: Mapping[str, Any]) -> datetime:
    """Return when it was sent by the clock of the house: ours, if the two agree within a second, else its receipt."""
    received = show.instant(signal.get("received_at"))
    if received is None:
        return sent_at
    return sent_at if 0 <= (received - sent_at).total_seconds() < 1 else received


def _asked(signal: Mapping[str, Any]) -> str:
    return f"{signals.asked(signal)} {signal.get('symbol') or ''}".strip() + f"  (alert {show.short(signal.get('id'))})"


def outcome(signal: Mapping[str, Any]) -> str:
    """Return what became of an alert, in the word that its sender is told."""
    return str(signal.get("outcome") or signal.get("state") or "")


def _rests(signal: Mapping[str, Any], *, follow: bool) -> bool:
    """Say whether nothing more is to be expected soon."""
    if outcome(signal) in {"pending", "active"}:
        return False
    over = _OVER if follow else _OVER | _RESTING
    return all(order.get("state") in over for order in signal["orders"])


def _waits_for_protection(signal: Mapping[str, Any]) -> bool:
    """Say whether the alert wants a stop-loss or take-profit that does not stand yet."""
    asked = signal.get("signal")
    if not isinstance(asked, dict) or not any(order.get("state") == "filled" for order in signal["orders"]):
        return False
    wanted = sum(asked.get(name) is not None for name in ("stop_loss", "take_profit"))
    standing = [order for order in signal["protective"] if order.get("state") in _OVER | _RESTING]
    return len(standing) < wanted


def _final(answer: Mapping[str, Any], last: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the answer would say by now."""
    state = outcome(last)
    return {
        "state": state,
        "success": state not in {"rejected", "refused"} and bool(answer.get("success", True)),
        "message": last.get("outcome_message") or last.get("message") or answer.get("message"),
    }


def masked(path: str) -> str:
    """Return the path without the token that opens it."""
    return "/hooks/…" if path.startswith("/hooks/") else path


# ── the end of the story ──────────────────────────────────────────────────────────────────────────


def _draw_end(screen: Console, house: House, signal: Mapping[str, Any], drawn: Timeline) -> None:
    """Say what it came to: the outcome, the position, and how long it took."""
    state = outcome(signal)
    rows: list[tuple[str, Any]] = [
        (state.replace("_", " "), Text(signals.said(signal))),
    ]
    if signal.get("symbol"):
        rows.append(("position", _position(house, signal)))
    took = _took(signal, drawn.began)
    if took:
        rows.append(("took", took))
    if state in {"pending", "working"}:
        rows.append(("look again", f"pilothouse signals {show.short(signal.get('id'))}"))
    screen.print()
    table = show.pairs(rows)
    table.columns[0].style = ""
    screen.print(table)


def _position(house: House, signal: Mapping[str, Any]) -> Any:
    symbol = signal["symbol"]
    try:
        answer = house.get("/api/v1/positions", account=signal.get("account_id"))
    except Answered as unanswered:
        return f"not known now: {unanswered}"
    row = next((each for each in show.items(answer) if each.get("symbol") == symbol), None)
    held = positions.quantity_of(row) if row else 0
    if row is None or not held:
        return f"flat in {symbol}"
    made = Text().append_text(show.side("LONG" if held > 0 else "SHORT")).append(" ")
    simulated = " (simulated)" if row.get("simulated") else ""
    made.append(
        f"{show.number(abs(held))} {symbol} at {show.number(row.get('entry_price'))}, "
        f"mark {show.number(row.get('mark_price'))}{simulated}, result "
    )
    return made.append_text(show.gain(row.get("unrealised")))


def _took(signal: Mapping[str, Any], began: datetime) -> str:
    """Return how long it took from sending to the last fill, or nothing."""
    ends = [
        show.instant(event.get("at"))
        for order in signal["orders"]
        for event in timeline.events_of(order)
        if event.get("event") == "fill_rest"
    ]
    last = max((end for end in ends if end is not None), default=None)
    return f"{timeline.clock_text(last - began).strip()} from alert to fill" if last and last >= began else ""
