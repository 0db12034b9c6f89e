"""Voyages in fair weather in which one thing is made to happen, because a seed seldom draws it."""

from datetime import timedelta

from tests.voyage.seeded.port import Port
from tests.voyage.seeded.voyage import Course, Ended, Voyage
from tests.voyage.seeded.worlds import FIRST


def a_clock_is_set(port: Port, *, minutes: int, boot: str | None) -> Ended:
    """Let a request get lost and the clock be set by so many minutes, while the order is in doubt.

    boot   of the machine when the house starts again, for which it dies then; None: it lives on
    """
    fair = Course(alerts=2, storm_s=40.0, storm_every_s=1e9, crash_every=(0,), dies=False, world=FIRST)
    voyage = Voyage(1, port.folder / "sea", port, fair)
    voyage.place.mkdir()
    for alert in voyage.alerts:
        alert.due = 3.0
    voyage.sea.front.faults.add({"kind": "unknown_undone", "method": "POST", "path": "order"})

    def is_set() -> None:
        voyage.clock.off = timedelta(minutes=minutes)
        if boot is not None:
            voyage.sea.time.boot = boot
            voyage._crash_in = 0

    voyage.sea.later(16.0, is_set)
    return voyage.sail()
