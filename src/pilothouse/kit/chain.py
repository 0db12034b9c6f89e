r"""The record: what happened, appended for ever, each row bound to the one before it by its hash.

In: what units of work recorded and announced, in the transaction that made it true. Out: rows whose hashes nobody can
bring to agree again after one of them was changed, taken away, swapped or added. One chain for each account.

    hash = SHA-256 of the UTF-8 text   hash before \n chain \n number \n at \n about \n body

`at` is in microseconds since 1970; before the first row stands the hash of `pilothouse \n chain`. Anybody with
`sha256sum` can do the sum again. The head of each chain is kept a second time, so that a cut end is missed too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pilothouse.core.clock import micros
from pilothouse.core.errors import PilothouseError
from pilothouse.kit.exact_json import as_json
from pilothouse.kit.hot import hot
from pilothouse.kit.tables import record_heads, records
from pilothouse.kit.transaction import Happening, Tx

BEGUN: Final = "begun"
"""The event of the first row of every chain: what is not in it, if it began later than its account."""

JUDGED: Final = "judged"
"""The event of a judgement."""

AS: Final = "as"
"""Where one judgement was given what the one before it in the row was given too, it says so: {"as": "view.quote"}."""

_SHARED = ("instrument", "quote")

UNWRITTEN: Final = "unwritten"
"""Stands for particulars that could not be written, with the reason."""

Line = tuple[str, str, str]
"""(chain, about, body) of a row to come."""

_ENCODER = msgspec.json.Encoder(decimal_format="string", enc_hook=as_json)

_HEAD_CELLS, _CELLS = record_heads.c, records.c
_HEAD = select(_HEAD_CELLS.number, _HEAD_CELLS.hash, _HEAD_CELLS.note).where(_HEAD_CELLS.chain == bindparam("of_chain"))
_HEAD_LOCKED = _HEAD.with_for_update()
_LAST = (
    select(_CELLS.number, _CELLS.hash).where(_CELLS.chain == bindparam("of_chain")).order_by(_CELLS.id.desc()).limit(1)
)
_BEGIN = {
    "sqlite": sqlite.insert(record_heads).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(record_heads).on_conflict_do_nothing(),
}
_MOVE = hot(
    update(record_heads).where(
        _HEAD_CELLS.chain == bindparam("of_chain"),
        _HEAD_CELLS.number == bindparam("behind_number"),
        _HEAD_CELLS.hash == bindparam("behind_hash"),
    )
)
_INSERT = hot(insert(records))
_BEHIND = select(records).where(_CELLS.id > bindparam("last_id")).order_by(_CELLS.id).limit(bindparam("most"))
_ABOUT = select(records).where(_CELLS.about.in_(bindparam("ids", expanding=True))).order_by(_CELLS.id)
_HEADS = select(record_heads).order_by(_HEAD_CELLS.chain)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: its last number and hash; number 0 before the first row."""

    number: int
    hash: str


Heads = dict[str, Head]
"""By chain."""


@dataclass(frozen=True, slots=True)
class StoredHead:
    """The end of a chain as it is kept beside it, and since when."""

    chain: str
    number: int
    hash: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One row of the record as it is stored."""

    id: int
    chain: str
    number: int
    about: str
    at: datetime
    body: str
    hash: str

    def events(self) -> list[tuple[str, Any]]:
        """Return (event, particulars) of everything it tells, in order; nothing if somebody spoiled it."""
        try:
            told = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return []
        if not isinstance(told, list):
            return []
        events = [
            (one[0], one[1]) for one in told if isinstance(one, list) and len(one) == 2 and isinstance(one[0], str)
        ]
        for (_, before), (_, after) in pairwise(events):
            _given_back(before, after)
        return events


def _given_back(before: Any, after: Any) -> None:
    """Put into a judgement what it shares with the one before it; leaves everything else as it is."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return
    shared, given = before.get("given"), after.get("given")
    if not isinstance(shared, dict) or not isinstance(given, dict) or not isinstance(shared.get("view"), dict):
        return
    for name in _SHARED:
        if given.get(name) == {AS: f"view.{name}"}:
            given[name] = shared["view"].get(name)


def before_the_first(chain: str) -> str:
    """Return the hash that stands before the first row of a chain."""
    return sha256(f"pilothouse\n{chain}".encode()).hexdigest()


def link(before: str, chain: str, number: int, at_micros: int, about: str, body: str) -> str:
    """Return the hash of a row: 64 hexadecimal digits.

    before      the hash of the row before it
    at_micros   microseconds since 1970
    """
    return sha256(f"{before}\n{chain}\n{number}\n{at_micros}\n{about}\n{body}".encode()).hexdigest()


def encoded(particulars: object) -> bytes:
    """Return particulars as the record holds them: compact JSON, decimals as text. Raises TypeError."""
    return _ENCODER.encode(particulars)


def judgement(rule: str, key: str, given: Mapping[str, object], answer: object) -> dict[str, object]:
    """Return how the record holds what a pure rule was asked and what it said, so that it can be asked again.

    rule     its name among the rules that can be asked again
    key      of the intent or alert that it was asked for
    given    its arguments by name
    answer   what it returned, or the error of ours that it raised
    """
    return {"rule": rule, "for": key, "given": given, **as_answer(answer)}


def as_answer(answer: object) -> dict[str, object]:
    """Return what a rule said with the name of its kind: `is` and `says`."""
    if isinstance(answer, PilothouseError):
        return {"is": type(answer).__name__, "says": {"code": answer.code, "message": str(answer)}}
    return {"is": type(answer).__name__, "says": answer}


def lines_of(happened: Iterable[Happening]) -> list[Line]:
    """Return the rows to come of one unit of work: one for each thing that it tells of, in the order of the first word.

    Particulars that have no exact JSON are an error of ours, and no reason to stop a trade: the row says so instead.
    """
    told: dict[tuple[str, str], list[tuple[str, object]]] = {}
    for chain, about, event, particulars in happened:
        events = told.setdefault((chain, about), [])
        events.append((event, _once(events, particulars) if event == JUDGED else particulars))
    return [(chain, about, _body(events)) for (chain, about), events in told.items()]


def _once(events: Sequence[tuple[str, object]], judged: object) -> object:
    """Return a judgement without the instrument and the quote that the one before it in the row was given too."""
    if not isinstance(judged, dict) or not events or events[-1][0] != JUDGED:
        return judged
    before, given = events[-1][1], judged["given"]
    seen = before["given"].get("view") if isinstance(before, dict) else None
    same = {name: {AS: f"view.{name}"} for name in _SHARED if given.get(name) is getattr(seen, name, judged)}
    return {**judged, "given": {**given, **same}} if same else judged


def _body(events: Sequence[tuple[str, object]]) -> str:
    try:
        return _ENCODER.encode(events).decode()
    except (TypeError, ValueError, UnicodeError, RecursionError):
        return _ENCODER.encode([(event, _writable(particulars)) for event, particulars in events]).decode()


def _writable(particulars: object) -> object:
    """Return particulars as JSON, or what is wrong with them."""
    try:
        return msgspec.Raw(_ENCODER.encode(particulars))
    except (TypeError, ValueError, UnicodeError, RecursionError) as error:
        return {UNWRITTEN: f"{type(error).__name__}: {error}"[:200].encode("ascii", "replace").decode()}


class Chains:
    """Where every chain ends, so that nothing need be asked before a row is added; for all writers of a database.

    What is remembered may be behind (another process writes too): then the head that is stored does not agree, and it
    is read again, under a lock, in the same transaction.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._heads: Heads = {}

    def keep(self, heads: Heads) -> None:
        """Remember heads whose rows are durable now."""
        for chain, head in heads.items():
            known = self._heads.get(chain)
            if known is None or known.number < head.number:
                self._heads[chain] = head

    def forget(self) -> None:
        """Remember nothing: a transaction failed, and the next one looks for itself."""
        self._heads = {}

    def append(self, tx: Tx, lines: Sequence[Line], now: datetime) -> Heads:
        """Append rows at the very end of a transaction; return the new heads, to be kept once it is durable."""
        by_chain: dict[str, list[Line]] = {}
        for line in lines:
            by_chain.setdefault(line[0], []).append(line)
        try:
            # In order, so that two transactions never wait for each other.
            return {chain: self._append(tx, chain, by_chain[chain], now) for chain in sorted(by_chain)}
        except BaseException:
            self.forget()
            raise

    def _append(self, tx: Tx, chain: str, lines: list[Line], now: datetime) -> Head:
        head = self._heads.get(chain)
        if head is None or head.number == 0:
            head, first = _found(tx, chain, now)
            lines = [*first, *lines]
        rows = _linked(head, lines, now)
        if not _moved(tx, chain, head, rows[-1], now):
            head, first = _found(tx, chain, now)
            rows = _linked(head, [*first, *lines], now)
            moved = _moved(tx, chain, head, rows[-1], now)
            assert moved, "the head was read under its lock"
        tx.execute(_INSERT, rows)
        return Head(rows[-1]["number"], rows[-1]["hash"])


def _linked(head: Head, lines: Sequence[Line], now: datetime) -> list[dict[str, Any]]:
    """Return rows that follow `head`."""
    rows = []
    number, before, at = head.number, head.hash, micros(now)
    for chain, about, body in lines:
        number += 1
        before = link(before, chain, number, at, about, body)
        rows.append({"chain": chain, "number": number, "about": about, "at": now, "body": body, "hash": before})
    return rows


def _moved(tx: Tx, chain: str, behind: Head, last: dict[str, Any], now: datetime) -> bool:
    """Move the stored head on; returns False if it is not where it was thought to be."""
    return (
        tx.execute(
            _MOVE,
            {
                "of_chain": chain,
                "behind_number": behind.number,
                "behind_hash": behind.hash,
                "number": last["number"],
                "hash": last["hash"],
                "at": now,
            },
        ).rowcount
        == 1
    )


def _found(tx: Tx, chain: str, now: datetime) -> tuple[Head, list[Line]]:
    """Return where a chain ends, its stored head locked, and the lines that must come first."""
    asked = _HEAD_LOCKED if tx.dialect == "postgresql" else _HEAD
    stored = tx.execute(asked, {"of_chain": chain}).first()
    if stored is None:
        # The first event of the account; or somebody took its head away, and the rows know where to go on.
        last = tx.execute(_LAST, {"of_chain": chain}).first()
        number, end = (last.number, last.hash) if last is not None else (0, before_the_first(chain))
        tx.execute(_BEGIN[tx.dialect], {"chain": chain, "number": number, "hash": end, "at": now, "note": ""})
        stored = tx.execute(asked, {"of_chain": chain}).first()
        assert stored is not None, "it was just stored"
    head = Head(stored.number, stored.hash)
    begins = encoded([[BEGUN, {"note": stored.note}]]).decode()
    return head, [(chain, chain, begins)] if head.number == 0 else []


def rows_behind(tx: Tx, last_id: int, most: int) -> list[RecordRow]:
    """Return the first `most` rows of all chains whose id is higher than `last_id`, as they were added."""
    return [RecordRow(*row) for row in tx.execute(_BEHIND, {"last_id": last_id, "most": most})]


def rows_about(tx: Tx, ids: Sequence[str]) -> list[RecordRow]:
    """Return the rows that tell of any of these, as they were added."""
    return [RecordRow(*row) for row in tx.execute(_ABOUT, {"ids": list(ids)})]


def stored_heads(tx: Tx) -> list[StoredHead]:
    """Return where every chain ends, as it is kept beside the rows."""
    return [StoredHead(row.chain, row.number, row.hash, row.at, row.note) for row in tx.execute(_HEADS)]
