"""Who sends alerts on a voyage: by a call of what the doors call, or through the real door over HTTP.

Over HTTP some behave as TradingView does: it waits 3 s, sends again 5 s after a 5xx answer, four times in all, and
never what it waited for in vain. The others are scripts: they send until they hear that it was taken.
"""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Final

from pilothouse.bots.alert import Alert as Read
from pilothouse.bots.alert import read
from pilothouse.core.errors import Invalid, PilothouseError, Unavailable
from pilothouse.fleet import inbox
from pilothouse.fleet.inbox import Taken
from pilothouse.kit.db import Tx
from tests.voyage.seeded.alerts import Alert
from tests.voyage.seeded.books import HandDatabase
from tests.voyage.seeded.chance import Chance
from tests.voyage.seeded.life import Life
from tests.voyage.seeded.sea import Sea

_AGAIN_S: Final = 5.0
_PATIENCE_S: Final = 3.0
_DELIVERIES_MOST: Final = 4
_NEVER: Final = float("inf")


class Senders:
    """The senders of one voyage."""

    def __init__(self, chance: Chance, sea: Sea, note: Callable[[str], None]) -> None:
        """Draw by `chance` what gets lost on the way back; `note` what happens."""
        self._chance, self._sea, self._note = chance.of("senders"), sea, note
        self.token = self.secret = ""
        self.is_storm = True

    def send(self, life: Life, alert: Alert) -> None:
        """Deliver an alert once."""
        alert.attempts += 1
        self._note(f"alert {alert.number}, delivery {alert.attempts}")
        if life.door is not None:
            self._post(life, alert)
        else:
            self._call(life, alert)

    # ── By a call ─────────────────────────────────────────────────────────────────────────────────

    def _call(self, life: Life, alert: Alert) -> None:
        alert.due, alert.heard = self._sea.now() + _AGAIN_S, alert.attempts  # unless an answer comes, which it does now
        understood: Read | Invalid
        try:
            understood = read(alert.body, alert.door.shape)
        except Invalid as invalid:
            understood = invalid
        fingerprint = hashlib.sha256(alert.body).hexdigest()
        house = life.house

        def work(tx: Tx) -> Taken:
            hook = inbox.hook_by_token(tx, self.token)
            return inbox.take(
                tx, house.desk, hook, alert.door, understood, fingerprint=fingerprint, received_at=life.clock.now()
            )

        # The answer is on its way as soon as the outcome is told, whatever becomes of the house after that.
        assert isinstance(house.database, HandDatabase), "it was put in the place of the other"
        house.database.hand_in(work, name="alert").add_done_callback(partial(self._told, alert))
        house.database.do_what_waits()

    def _told(self, alert: Alert, outcome: "Future[Taken]") -> None:
        """Take in what the door answers: nothing, if the house died."""
        error = outcome.exception()
        if isinstance(error, Unavailable):
            self._note(f"not now: {error}")
        elif isinstance(error, PilothouseError):
            alert.refused, alert.due = str(error), _NEVER
        elif error is None and not self._is_lost():
            signal = outcome.result().signal
            self._answered(alert, signal.id, signal.message if signal.http_status != 200 else "")

    def _answered(self, alert: Alert, signal_id: str, refused: str) -> None:
        """Tell the sender; sometimes the alert comes again all the same."""
        self._keep(alert, signal_id, refused)
        if refused:
            return  # nobody sends again what was answered with what is wrong with it
        again = self._chance.random() < 0.2 and alert.attempts < 5
        alert.due = self._sea.now() + self._chance.uniform(0.0, 12.0) if again else _NEVER

    def _is_lost(self) -> bool:
        """Say whether an answer is lost on its way: then the alert comes again, or nobody knows of it."""
        return self._chance.random() < 0.15 and self.is_storm

    @staticmethod
    def _keep(alert: Alert, signal_id: str, refused: str) -> None:
        if alert.refused:  # what was refused is not remembered: it was decided anew
            alert.signal_ids.clear()
        alert.is_answered, alert.refused, alert.due = True, refused, _NEVER
        alert.signal_ids.add(signal_id)

    # ── Over HTTP ─────────────────────────────────────────────────────────────────────────────────

    def _post(self, life: Life, alert: Alert) -> None:
        if alert.attempts == 1:
            alert.is_script = self._chance.random() < 0.6
        assert life.door is not None, "it was asked for"
        alert.due = _NEVER
        query = self._chance.choice((b"", b"wait_ms=0", b"wait_ms=2500"))
        attempt = alert.attempts
        self._sea.later(_PATIENCE_S, lambda: self._in_vain(alert, attempt))
        life.door.post(alert.door, self.secret, query, alert.body, partial(self._heard, alert, attempt))

    def _heard(self, alert: Alert, attempt: int, status: int, body: bytes) -> None:
        """Take in an answer, unless it is lost on its way or nobody waits for it any more."""
        if alert.heard >= attempt or self._is_lost():
            return
        alert.heard = attempt
        self._note(f"alert {alert.number} is answered {status}")
        said = json.loads(body)
        if status >= 500:
            self._again(alert)
        elif status == 200:
            self._answered(alert, said["signal_id"], "")
        else:
            self._keep(alert, said.get("signal_id", ""), said["message"])

    def _in_vain(self, alert: Alert, attempt: int) -> None:
        """Wait no longer; an answer that comes now is not heard."""
        if alert.heard >= attempt:
            return
        alert.heard = attempt
        if alert.is_script:
            self._again(alert)
        else:
            self._give_up(alert)

    def _again(self, alert: Alert) -> None:
        if alert.is_script or alert.attempts < _DELIVERIES_MOST:
            alert.due = self._sea.now() + _AGAIN_S
        else:
            self._give_up(alert)

    def _give_up(self, alert: Alert) -> None:
        self._note(f"alert {alert.number} is given up by its sender")
        alert.is_given_up = not alert.is_answered
