"""The event stream: every committed fact of the caller, in order, each once, none missed."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.slices.api.conftest import Served

OPEN: dict[str, Any] = {"action": "open", "side": "BUY", "quantity": "0.01"}


def _events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def _take(served: Served, count: int, **asked: Any) -> list[dict[str, Any]]:
    """Return the next `count` events."""
    with served.api.stream("GET", "/api/v1/events", **asked) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(itertools.islice(_events(response), count))


def test_a_listener_hears_an_alert_become_a_fill(running: Served) -> None:
    """A console follows an order without asking again and again."""
    with running.api.stream("GET", "/api/v1/events", params={"after": 0}) as response:
        events = _events(response)
        told = running.alert(**OPEN).json()
        heard: list[dict[str, Any]] = []
        for event in events:
            heard.append(event)
            if event["kind"] == "order.changed" and event["payload"]["state"] == "filled":
                break

    kinds = [event["kind"] for event in heard]
    assert {"order.changed", "signal.changed", "fill.booked"} <= set(kinds)
    assert heard[-1]["payload"]["signal_id"] == told["signal_id"]
    ids = [event["id"] for event in heard]
    assert ids == sorted(set(ids))


def test_who_comes_back_goes_on_where_it_stopped(running: Served) -> None:
    """A connection breaks; no fact is lost and none is told twice."""
    for number in range(3):
        running.alert(**OPEN, timenow=number)
    whole = _take(running, 9, params={"after": 0})
    rest = _take(running, 4, headers={"Last-Event-ID": str(whole[4]["id"])}, params={"after": 0})

    assert rest == whole[5:9]


def test_a_listener_may_ask_for_some_kinds_only(running: Served) -> None:
    """Who only counts fills need not hear of orders."""
    for number in range(2):
        running.alert(**OPEN, timenow=number)
    heard = _take(running, 2, params={"after": 0, "kind": "fill.booked"})

    assert {event["kind"] for event in heard} == {"fill.booked"}


@pytest.mark.parametrize(
    "asked",
    [
        {"headers": {"Last-Event-ID": "yesterday"}},
        {"headers": {"Last-Event-ID": "9" * 30}},
        {"params": {"after": -1}},
        {"params": {"kind": "nothing"}},
    ],
)
def test_a_place_that_is_none_is_refused(served: Served, asked: dict[str, Any]) -> None:
    """To begin somewhere else than asked would lose facts in silence."""
    assert served.api.get("/api/v1/events", **asked).status_code == 400


def test_streams_end_when_the_house_ends_them(served: Served) -> None:
    """A stop of the house does not wait for who listens."""
    with served.api.stream("GET", "/api/v1/events") as response:
        lines = response.iter_lines()
        assert next(lines).startswith(":")
        served.app.state.end_streams()
        assert [line for line in lines if line.startswith("data")] == []
