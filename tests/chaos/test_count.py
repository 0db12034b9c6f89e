"""The counting of a chaos run sees every difference that is planted into the files of a run in which all went well."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.count import count
from tests.chaos.plan import LANES, ORDERS, PROTECTED, STRATEGY
from tests.chaos.record import ACKNOWLEDGED, BOOKS, EVENTS, FAILED, SENT, TRUTH

Row = dict[str, Any]
Files = dict[str, list[Row]]
VENUE = "binanceusdm"
PRICE = "100"
ALERTS = [
    (ORDERS, "BUY", "0.003"), (PROTECTED, "BUY", "0.02"), (STRATEGY, None, "0.8"), (STRATEGY, None, "0.3"),
    (STRATEGY, None, "0.3"), (STRATEGY, None, "0.5"),
]  # fmt: skip
"""Kind, side, and quantity or position; the second 0.3 asks for what is held."""


def _a_run_in_which_all_went_well() -> Files:
    files: Files = {name: [] for name in (SENT, ACKNOWLEDGED, FAILED, EVENTS, TRUTH, BOOKS)}
    held: dict[str, Decimal] = {}
    for number, (kind, side, quantity) in enumerate(ALERTS):
        symbol = LANES[kind][0]
        known = {"n": number, "venue": VENUE, "kind": kind}
        files[SENT].append({**known, "quantity": quantity, "side": side})
        answer = {"signal_id": f"sig_{number}", "duplicate": False}
        files[ACKNOWLEDGED].append({**known, "at": number, "status": 200, "answer": answer})
        moves = Decimal(quantity) - (held.get(symbol, Decimal(0)) if kind == STRATEGY else Decimal(0))
        outcome = "filled" if moves else "noop"
        signal = {"id": f"sig_{number}", "state": "decided", "outcome": outcome, "outcome_message": "", "code": None}
        files[BOOKS].append({"row": "signal", "venue": VENUE, "signal": signal})
        if moves:
            held[symbol] = held.get(symbol, Decimal(0)) + moves
            _fill(files, number, symbol, "BUY" if moves > 0 else "SELL", abs(moves))
    stop = {
        "clientAlgoId": "stop", "symbol": LANES[PROTECTED][0], "side": "SELL", "quantity": "0.02", "algoStatus": "NEW",
        "createTime": 3_000, "updateTime": 3_000,
    }  # fmt: skip
    files[TRUTH].append({"row": "order", "venue": VENUE, "order": stop})
    files[BOOKS].append(_booked("ord_stop", "stop", "sig_1", "stop_loss", "SELL", "0.02", "working", "0"))
    positions = [{"symbol": symbol, "quantity": str(quantity)} for symbol, quantity in held.items()]
    account = {"venue": VENUE, "row": "account", "positions": positions}
    files[TRUTH] += [{**account, "wallet": "1000"}, {"row": "exchange", "complaints": []}]
    files[BOOKS] += [{**account, "balance": {"booked_wallet": "1000"}}, {"row": "invariants", "invariants": _WELL}]
    deaths = ("kill", "term", "stop", "disk")
    files[EVENTS] += [
        {"what": "begin", "at": 0, "expected": ["lost"]}, {"what": "fault", "kind": "lost", "fired": 1},
        {"what": "rest", "rests": True, "after_s": 1}, *({"what": "death", "kind": kind, "at": 1} for kind in deaths),
    ]  # fmt: skip
    return files


_WELL: Row = {"items": [{"detail": "", "findings": []}]}


def _fill(files: Files, number: int, symbol: str, side: str, quantity: Decimal) -> None:
    """Write an order and its fill, at the exchange and in the books."""
    name, size = f"ph{number}", str(quantity)
    there = {
        "clientOrderId": name, "orderId": number, "symbol": symbol, "side": side, "origQty": size, "status": "FILLED",
        "origType": "MARKET", "time": 1_000 * number, "updateTime": 1_000 * number,
    }  # fmt: skip
    fill = {"symbol": symbol, "side": side, "price": PRICE, "commission": "0.1", "clientOrderId": name}
    told = {**fill, "qty": size, "realizedPnl": "0", "time": 1_000 * number, "id": number}
    files[TRUTH] += [
        {"row": "order", "venue": VENUE, "order": there}, {"row": "fill", "venue": VENUE, "fill": told},
    ]  # fmt: skip
    files[BOOKS] += [
        _booked(f"ord_{number}", name, f"sig_{number}", "entry", side, size, "filled", size),
        {"row": "fill", "venue": VENUE, "fill": {**fill, "quantity": size, "realised": "0"}},
    ]


def _booked(
    order_id: str, name: str, signal_id: str, purpose: str, side: str, size: str, state: str, filled: str
) -> Row:
    order = {
        "id": order_id, "client_order_id": name, "signal_id": signal_id, "purpose": purpose, "side": side,
        "quantity": size, "state": state, "filled_quantity": filled, "reason": "",
    }  # fmt: skip
    return {"row": "order", "venue": VENUE, "order": order}


def _wrong(files: Files, place: Path) -> list[str]:
    for name, rows in files.items():
        (place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return count(place).wrong


def _one(files: Files, name: str, kind: str, number: int) -> Row:
    """Return the n-th row of a kind, to be changed."""
    row: Row = [row for row in files[name] if row["row"] == kind][number][kind]
    return row


def _without(files: Files, name: str, kind: str, number: int) -> None:
    files[name].remove([row for row in files[name] if row["row"] == kind][number])


def _is_lost(files: Files) -> None:
    _without(files, BOOKS, "signal", 0)


def _never_arrived(files: Files) -> None:
    _without(files, TRUTH, "order", 0)


def _is_doubled(files: Files) -> None:
    order = _one(files, TRUTH, "order", 0)
    files[TRUTH].append({"row": "order", "venue": VENUE, "order": {**order, "clientOrderId": "ph9", "orderId": 9}})


def _stands_twice(files: Files) -> None:
    files[TRUTH].append({"row": "order", "venue": VENUE, "order": dict(_one(files, TRUTH, "order", 2))})


def _is_shorter_than_asked(files: Files) -> None:
    _one(files, BOOKS, "order", 0)["quantity"] = "0.002"


def _filled_in_part(files: Files) -> None:
    _one(files, BOOKS, "order", 2)["filled_quantity"] = "0.7"


def _is_refused_by_the_exchange(files: Files) -> None:
    """A reduction that overtook the purchase it reduces: nothing of it is at the exchange, and the alert is done."""
    _one(files, BOOKS, "signal", 3)["outcome"] = "rejected"


def _left_out_of_turn(files: Files) -> None:
    first, second = _one(files, TRUTH, "order", 2), _one(files, TRUTH, "order", 3)
    first["orderId"], second["orderId"] = second["orderId"], first["orderId"]


def _ended_elsewhere(files: Files) -> None:
    files[SENT][3]["quantity"] = "0.4"


def _is_booked_twice(files: Files) -> None:
    files[BOOKS].append({"row": "fill", "venue": VENUE, "fill": dict(_one(files, BOOKS, "fill", 0))})


def _is_not_booked(files: Files) -> None:
    _without(files, BOOKS, "fill", 1)


def _holds_something_else(files: Files) -> None:
    account = next(row for row in files[BOOKS] if row["row"] == "account")
    account["positions"] = account["positions"][1:]


def _has_another_wallet(files: Files) -> None:
    next(row for row in files[TRUTH] if row["row"] == "account")["wallet"] = "999.99"


def _is_naked(files: Files) -> None:
    _one(files, TRUTH, "order", -1)["algoStatus"] = "CANCELED"


def _is_covered_in_part(files: Files) -> None:
    _one(files, TRUTH, "order", -1)["quantity"] = "0.01"


def _is_unknown_at_the_end(files: Files) -> None:
    _one(files, BOOKS, "order", 1)["state"] = "unknown"


def _is_not_ours(files: Files) -> None:
    _without(files, BOOKS, "order", 1)


def _breaks_an_invariant(files: Files) -> None:
    row = next(row for row in files[BOOKS] if row["row"] == "invariants")
    row["invariants"] = {"items": [{"detail": "it is broken", "findings": [{"gravity": "breach"}]}]}


def _never_rests(files: Files) -> None:
    next(row for row in files[EVENTS] if row["what"] == "rest")["rests"] = False


def _is_answered_too_seldom(files: Files) -> None:
    del files[ACKNOWLEDGED][4]


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (_is_lost, "is not in the books"),
        (_never_arrived, "acknowledged alerts that were lost: alert 0"),
        (_is_doubled, "2 orders for 1 alerts sent"),
        (_stands_twice, "ph2 stands 2 times"),
        (_is_shorter_than_asked, "acknowledged alerts that were lost: alert 0"),
        (_filled_in_part, "acknowledged alerts that were lost: alert 2"),
        (_is_refused_by_the_exchange, "acknowledged alerts that were lost: alert 3"),
        (_left_out_of_turn, "ord_3 came before ord_2"),
        (_ended_elsewhere, "alert 3 asked for 0.4, it ended at 0.3"),
        (_is_booked_twice, "is booked 1 times too often"),
        (_is_not_booked, "is not booked"),
        (_holds_something_else, "the exchange holds"),
        (_has_another_wallet, "the wallet is 999.99"),
        (_is_naked, "naked positions"),
        (_is_covered_in_part, "stops for 0.01 stand"),
        (_is_unknown_at_the_end, "is unknown at the end"),
        (_is_not_ours, "is at the exchange and not in our books"),
        (_breaks_an_invariant, "invariant broken: it is broken"),
        (_never_rests, "something still moves"),
        (_is_answered_too_seldom, "acknowledged in the end, percent"),
    ],
)
def test_what_is_planted_is_found(tmp_path: Path, plant: Callable[[Files], None], found: str) -> None:
    """One difference in otherwise good files."""
    files = _a_run_in_which_all_went_well()
    plant(files)
    assert any(found in each for each in _wrong(files, tmp_path)), _wrong(files, tmp_path)


def test_nothing_is_wrong_with_a_run_in_which_all_went_well(tmp_path: Path) -> None:
    """Else the other tests would show nothing."""
    assert _wrong(_a_run_in_which_all_went_well(), tmp_path) == []


def test_a_stop_that_closes_whatever_is_held_covers_all_of_it(tmp_path: Path) -> None:
    """The exchange tells no quantity of it: it is the second form of a stop that was refused."""
    files = _a_run_in_which_all_went_well()
    stop = next(row["order"] for row in files[TRUTH] if row["row"] == "order" and "algoStatus" in row["order"])
    stop |= {"quantity": "0", "closePosition": True}
    assert _wrong(files, tmp_path) == []
    stop["closePosition"] = False
    assert _wrong(files, tmp_path)
