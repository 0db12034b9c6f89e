"""The story of one order: what the record holds of it in; sentences with times, in the order in which it happened, out.

Nothing here fails on a record that somebody spoiled, or that another version wrote: what is not understood is shown as
it stands.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pilothouse.core.clock import iso
from pilothouse.execution import store
from pilothouse.execution.store import OrderRecord
from pilothouse.kit.chain import RecordRow, rows_about
from pilothouse.kit.db import Tx
from pilothouse.observability.record.words import SENTENCES, noted_in_words

_SHOWN_MAX = 300


@dataclass(frozen=True, slots=True)
class Told:
    """One happening: when, what kind, and a sentence; `number` and `hash` are of its row, None where there is none."""

    at: str
    event: str
    words: str
    number: int | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the record that belongs to an order."""

    row: RecordRow
    event: str
    said: Any


@dataclass(frozen=True, slots=True)
class Story:
    """What happened to one order.

    is_recorded   whether the record knows it; an order that is older has only the lines of its timeline
    """

    order: OrderRecord
    is_recorded: bool
    told: tuple[Told, ...]


def events_of(tx: Tx, order: OrderRecord) -> list[Event]:
    """Return what the record holds of an order: of itself, and of its alert as far as that made this order."""
    found = [one for one in _events(tx, order, order.about, order.id) if _belongs(one, order)]
    key = _key_of(found, order)
    if order.signal_id is None and key is not None:
        # An order by hand was judged before it had an id: its intent's key is what both know.
        found = [*_events(tx, order, key), *found]
    made_in = {one.row.id for one in found if one.event == "ordered"}
    return [one for one in found if not _is_of_another(one, order, key, made_in)]


def story(tx: Tx, order_id: str) -> Story | None:
    """Return what happened to an order, or None if there is no such order."""
    order = store.get(tx, order_id)
    if order is None:
        return None
    events = events_of(tx, order)
    if any(one.event in {"ordered", "noted"} for one in events):
        lines = sorted((told for one in events for told in _tell(one)), key=lambda told: told.at)
        return Story(order, is_recorded=True, told=tuple(lines))
    lines = [
        Told(iso(line.at), line.event, noted_in_words(line.event, line.state, line.detail))
        for line in store.timeline(tx, order.id)
    ]
    return Story(order, is_recorded=False, told=tuple(lines))


def _events(tx: Tx, order: OrderRecord, *about: str) -> list[Event]:
    return [
        Event(row, event, said)
        for row in rows_about(tx, sorted(set(about)))
        if row.chain == order.account_id
        for event, said in row.events()
    ]


def _belongs(one: Event, order: OrderRecord) -> bool:
    """Say whether an event is of this order, or of its alert and of no order at all."""
    named = one.said.get("order") if isinstance(one.said, Mapping) else None
    return named is None or named == order.id


def _key_of(events: list[Event], order: OrderRecord) -> str | None:
    """Return the key of the intent that an order was made of."""
    for one in events:
        if one.event == "ordered" and isinstance(one.said, Mapping) and one.said.get("order") == order.id:
            intent = one.said.get("intent")
            return str(intent.get("key")) if isinstance(intent, Mapping) else None
    return None


def _is_of_another(one: Event, order: OrderRecord, key: str | None, made_in: set[int]) -> bool:
    """Say whether an event is the judgement of another order of the same alert."""
    if one.event != "judged" or key is None or not isinstance(one.said, Mapping):
        return False
    if str(one.said.get("for")).endswith(":protection"):  # asked again and again: the one that made this order
        return not order.purpose.protects or one.row.id not in made_in
    return one.said.get("for") not in {key, order.id, None}  # a change is judged under the order's own id


def _tell(one: Event) -> Iterator[Told]:
    """Yield the sentences of one event."""
    at = _at(one)
    lines = one.said.get("lines") if one.event == "noted" and isinstance(one.said, Mapping) else None
    if isinstance(lines, list):
        for line in lines:
            if isinstance(line, list) and len(line) == 4:
                when, event, state, detail = (str(part) for part in line)
                yield Told(when, event, noted_in_words(event, state, detail), one.row.number, one.row.hash)
        return
    yield Told(at, one.event, _in_words(one, SENTENCES.get(one.event)), one.row.number, one.row.hash)


def _in_words(one: Event, sentence: Callable[[Any], str] | None) -> str:
    if sentence is not None:
        try:
            return sentence(one.said)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError):
            pass  # written by another version, or spoiled: as it stands
    text = json.dumps(one.said, ensure_ascii=False, separators=(", ", ": "))
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _at(one: Event) -> str:
    """Return when it happened, as it says itself, else when it was written."""
    if isinstance(one.said, Mapping):
        given = one.said.get("given")
        at = one.said.get("handed_at") or one.said.get("at") or (isinstance(given, Mapping) and given.get("now"))
        try:
            return iso(datetime.fromisoformat(at)) if isinstance(at, str) else iso(one.row.at)
        except (ValueError, OverflowError):
            pass
    return iso(one.row.at)
