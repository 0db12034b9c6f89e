"""A sweep is cut into pieces, so that several processes work on it: which pieces, each done once, and then the whole.

Each piece is a message of its own. In the transaction in which the last one is done, a message for the whole is put:
whoever claims it finds every trial made, and tells what came of them as if one process had made them all. Trials go
from hand to hand through the data folder (`wiring/bench_pieces.py`); here stands only what is left to do.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from pilothouse.backtest import progress, store
from pilothouse.backtest.store import Backtest, Kind
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.kit.outbox import Message

PIECE_TOPIC: Final = f"{outbox.PATIENT}piece"
WHOLE_TOPIC: Final = f"{outbox.PATIENT}whole"

_MOST: Final = 64
_WORK: Final = 50_000_000
"""Bars times combinations of one piece: a second or so of a compiled loop."""
_TRIALS: Final = 64
_WHOLE_PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Piece:
    """So many combinations of a sweep, in the order in which they are tried; `first` counts from 0."""

    first: int
    count: int


def cut(combinations: int, bars: int) -> list[Piece]:
    """Return the pieces of a sweep, all about as large, in order; one, where more would not be worth it."""
    wanted = max(-(-combinations * bars // _WORK), -(-combinations // _TRIALS))
    number = max(min(wanted, _MOST, combinations), 1)
    ends = [combinations * each // number for each in range(number + 1)]
    return [Piece(first, last - first) for first, last in pairwise(ends)]


def is_worth_cutting(backtest: Backtest) -> bool:
    """Say whether several processes can work on it: a sweep that knows beforehand what it tries, and is large enough.

    One that is led by Optuna is not cut: what it tries next depends on what came before.
    """
    return (
        backtest.kind is Kind.SWEEP
        and not backtest.asked.get("optuna")
        and len(cut(backtest.combinations, backtest.bars)) > 1
    )


def put(tx: Tx, backtest: Backtest, instead_of: Message, now: datetime) -> bool:
    """Put the pieces in the place of the message that asked for all; False if a later delivery has that."""
    if not outbox.done(tx, instead_of.id, instead_of.attempt):
        return False
    for piece in cut(backtest.combinations, backtest.bars):
        payload: dict[str, Any] = {"backtest_id": backtest.id, "first": piece.first, "count": piece.count}
        outbox.put(tx, PIECE_TOPIC, key=backtest.id, payload=payload, now=now)
    return True


def finish(tx: Tx, message: Message, now: datetime) -> bool:
    """Note that a piece is done, and ask for the whole if it was the last; False if a later delivery has the piece."""
    backtest_id = message.payload["backtest_id"]
    # One after the other: of two that end at once, each would see the other as not done yet.
    tx.lock(f"pieces:{backtest_id}")
    if not outbox.done(tx, message.id, message.attempt):
        return False
    backtest = store.by_id(tx, backtest_id)
    if backtest is None:
        return True
    left = outbox.waiting(tx, PIECE_TOPIC, backtest_id)
    if not left:
        outbox.put(tx, WHOLE_TOPIC, key=backtest_id, payload={"backtest_id": backtest_id}, now=now)
    every = len(cut(backtest.combinations, backtest.bars))
    done_ppm = _WHOLE_PPM * (every - left) // (every + 1)  # telling the whole is the last step
    progress.advance(tx, backtest, max(done_ppm, backtest.progress_ppm), now)
    return True
