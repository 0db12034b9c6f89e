"""Count from the raw files of a run what came of it: `python -m tests.chaos.count FOLDER`.

Nothing but the files is read, so whoever doubts the table may count again, or count in another way.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.chaos.plan import LANES, PROTECTED, STRATEGY
from tests.chaos.record import (
    ACKNOWLEDGED,
    BOOKS,
    CUT,
    EVENTS,
    FAILED,
    REFUSED,
    SENT,
    SILENT,
    TOLD,
    TRUTH,
    lines,
)

ACKNOWLEDGED_LEAST = Decimal(95)
"""Percent of the alerts that are to be acknowledged in the end."""

_KIND_OF = {symbol: kind for kind, (symbol, _) in LANES.items()}
_GIVEN_UP = {
    SILENT: "because no answer came in time",
    REFUSED: "after nobody was there the last time",
    CUT: "after it died over the last answer",
    TOLD: "after it was asked to come again the last time",
}
_SHOWN = 25
Row = dict[str, Any]


@dataclass
class Run:
    """The files of one run."""

    place: Path
    sent: dict[int, Row] = field(default_factory=dict)
    acknowledged: dict[int, Row] = field(default_factory=dict)
    given_up: Counter[str] = field(default_factory=Counter)
    events: list[Row] = field(default_factory=list)
    orders_there: list[Row] = field(default_factory=list)
    fills_there: list[Row] = field(default_factory=list)
    accounts_there: dict[str, Row] = field(default_factory=dict)
    signals: dict[str, Row] = field(default_factory=dict)
    orders: dict[tuple[str, str], Row] = field(default_factory=dict)
    fills: list[Row] = field(default_factory=list)
    accounts: dict[str, Row] = field(default_factory=dict)
    complaints: list[Any] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, place: Path) -> "Run":
        """Read the files in `place`."""
        run = cls(place)
        for row in lines(place, SENT):
            run.sent.setdefault(row["n"], row)
        for row in lines(place, ACKNOWLEDGED):
            if row["status"] == 200:
                run.acknowledged[row["n"]] = row
        last = {row["n"]: row["why"] for row in lines(place, FAILED)}
        run.given_up = Counter(_GIVEN_UP[last[n]] for n in run.sent if n not in run.acknowledged and n in last)
        run.events = list(lines(place, EVENTS))
        for row in lines(place, TRUTH):
            match row["row"]:
                case "order":
                    run.orders_there.append({"venue": row["venue"], **row["order"]})
                case "fill":
                    run.fills_there.append({"venue": row["venue"], **row["fill"]})
                case "account":
                    run.accounts_there[row["venue"]] = row
                case _:
                    run.complaints = row["complaints"]
        for row in lines(place, BOOKS):
            match row["row"]:
                case "signal":
                    run.signals[row["signal"]["id"]] = {"venue": row["venue"], **row["signal"]}
                case "order":
                    run.orders[row["venue"], row["order"]["client_order_id"]] = {"venue": row["venue"], **row["order"]}
                case "fill":
                    run.fills.append({"venue": row["venue"], **row["fill"]})
                case "account":
                    run.accounts[row["venue"]] = row
                case _:
                    run.broken = [each["detail"] for each in row["invariants"]["items"] if _is_broken(each)]
        return run


def _is_broken(invariant: Row) -> bool:
    return any(each["gravity"] == "breach" for each in invariant["findings"])


@dataclass
class Table:
    """What is printed: (what, figure, what it should be), and what differs, in words."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, figure: object, *, aim: str = "", wrong: Iterable[str] = ()) -> None:
        """Keep one row."""
        self.rows.append((what, str(figure), aim))
        self.wrong += [f"{what}: {each}" for each in wrong]

    def __str__(self) -> str:
        """Return the table for a terminal."""
        told = [f"  {what:<49} {figure:>14}   {aim}" for what, figure, aim in self.rows]
        differs = [f"  WRONG  {each}" for each in self.wrong[:_SHOWN]]
        if len(self.wrong) > _SHOWN:
            differs.append(f"  WRONG  and {len(self.wrong) - _SHOWN} more")
        return "\n".join([*told, *differs])


def count(place: Path) -> Table:
    """Return the table of a run."""
    run, table = Run.of(place), Table()
    _alerts(run, table)
    lost, doubled = _lost_and_doubled(run)
    table.add("acknowledged alerts that were lost", len(lost), aim="0", wrong=lost)
    table.add("orders that were doubled", len(doubled), aim="0", wrong=doubled)
    late = _overtaken(run)
    table.add("orders that a later one overtook", len(late), aim="0", wrong=late)
    unexplained = _unexplained(run)
    table.add("what books or exchange cannot explain", len(unexplained), aim="0", wrong=unexplained)
    naked = _naked(run)
    table.add("naked positions", len(naked), aim="0", wrong=naked)
    bare = _unprotected_seconds(run)
    table.add("protected positions opened or changed", len(bare))
    table.add("unprotected seconds, p50", f"{_at(bare, 50):.2f}")
    table.add("unprotected seconds, p99", f"{_at(bare, 99):.2f}")
    closed = sum(1 for order in run.orders.values() if _closes_unprotected(order))
    table.add("positions closed because their stop was refused", closed)
    _times(run, table)
    _fired(run, table)
    return table


def _alerts(run: Run, table: Table) -> None:
    share = Decimal(len(run.acknowledged) * 100) / Decimal(max(1, len(run.sent)))
    few = [] if share >= ACKNOWLEDGED_LEAST else [f"{share:.2f} %"]
    table.add("alerts sent", len(run.sent))
    table.add("acknowledged in the end, percent", f"{share:.2f}", aim=f"{ACKNOWLEDGED_LEAST} or more", wrong=few)
    for ended, number in sorted(run.given_up.items()):
        table.add(f"  given up, {ended}", number)
    again = sum(1 for each in run.acknowledged.values() if each["answer"]["duplicate"])
    table.add("of these: known already when they came again", again)
    outcomes = Counter(each["outcome"] for each in run.signals.values())
    for outcome, number in sorted(outcomes.items()):
        table.add(f"alerts that ended {outcome}", number)
    codes = Counter(each["code"] for each in run.signals.values() if each["outcome"] == "refused")
    for code, number in sorted(codes.items(), key=str):
        table.add(f"  refused: {code}", number)


def _made(run: Run) -> dict[str, list[Row]]:
    """Return the orders that alerts asked for, without protection, by the alert's id."""
    made: dict[str, list[Row]] = defaultdict(list)
    for order in run.orders.values():
        if order["signal_id"] and order["purpose"] in {"entry", "exit"} and not _closes_unprotected(order):
            made[order["signal_id"]].append(order)
    return made


def _lost_and_doubled(run: Run) -> tuple[list[str], list[str]]:
    """Return which acknowledged alerts did not become the orders they asked for, and which became more."""
    lost, doubled = [], []
    there = Counter((each["venue"], _id_of(each)) for each in run.orders_there)
    made = _made(run)
    for number, row in sorted(run.acknowledged.items()):
        signal_id = row["answer"]["signal_id"]
        signal = run.signals.get(signal_id)
        if signal is None:
            lost.append(f"alert {number} ({signal_id}) is not in the books")
            continue
        orders = [each for each in made[signal_id] if there[each["venue"], each["client_order_id"]]]
        said = f"{signal['outcome']}: {signal['outcome_message']}"
        words = f"alert {number} ({signal_id}, {row['venue']} {row['kind']}): {said}"
        if row["kind"] == STRATEGY:
            # A target needs no order where it is held already; but no fault of a run makes the exchange refuse one.
            if signal["outcome"] in {"pending", "rejected"} or not all(map(_is_whole, made[signal_id])):
                lost.append(words)
        elif len(orders) > 1:
            doubled.append(f"{words}: {len(orders)} orders")
        elif not orders or _terms(orders[0]) != f"{run.sent[number]['side']} {_plain(run.sent[number]['quantity'])}":
            lost.append(words)
    taken = Counter(each["signal_id"] for each in (row["answer"] for row in run.acknowledged.values()))
    doubled += [
        f"{signal_id} was acknowledged for {number} alerts" for signal_id, number in taken.items() if number > 1
    ]
    doubled += [f"{venue} {name} stands {number} times" for (venue, name), number in there.items() if number > 1]
    doubled += _more_than_asked(run)
    return lost, doubled


def _is_whole(order: Row) -> bool:
    """Say whether an order filled to the end, or was given up before anything of it filled."""
    filled = Decimal(order["filled_quantity"])
    return filled == Decimal(order["quantity"]) or (order["state"] in {"canceled", "expired"} and not filled)


def _overtaken(run: Run) -> list[str]:
    """Return the orders that reached the exchange behind one that was decided later, as if they had filled before.

    What was decided tells itself: ids in our books sort by time. The exchange numbers orders as they arrive.
    """
    late, youngest = [], dict[tuple[str, str], Row]()
    there = [one for one in run.orders_there if not _is_stop(one)]
    for one in sorted(there, key=lambda each: (each["venue"], int(each["orderId"]))):
        order = run.orders.get((one["venue"], _id_of(one)))
        if order is None or order["purpose"] not in {"entry", "exit"} or _closes_unprotected(order):
            continue
        lane = one["venue"], one["symbol"]
        before = youngest.get(lane)
        if before is not None and order["id"] < before["id"]:
            late.append(f"{one['venue']} {one['symbol']}: {before['id']} came before {order['id']}")
        else:
            youngest[lane] = order
    return late


def _closes_unprotected(order: Row) -> bool:
    """Say whether the house made an order by itself: what cannot be protected is closed."""
    return order["reason"] in {"protection refused", "not protected in time"}


def _more_than_asked(run: Run) -> list[str]:
    """Compare what stands at the exchange with what was sent, by size alone: our books have no say in it."""
    asked: Counter[tuple[str, str, str]] = Counter()
    for row in run.sent.values():
        if row["kind"] != STRATEGY:
            asked[row["venue"], LANES[row["kind"]][0], f"{row['side']} {_plain(row['quantity'])}"] += 1
    found: Counter[tuple[str, str, str]] = Counter()
    closing = {which for which, order in run.orders.items() if _closes_unprotected(order)}
    for each in run.orders_there:
        if (each["venue"], _id_of(each)) in closing:
            continue
        if _KIND_OF[each["symbol"]] != STRATEGY and not _is_stop(each):
            found[each["venue"], each["symbol"], f"{each['side']} {_plain(each['origQty'])}"] += 1
    return [
        f"{' '.join(which)}: {number} orders for {asked[which]} alerts sent"
        for which, number in found.items()
        if number > asked[which]
    ]


def _unexplained(run: Run) -> list[str]:
    """Return where the exchange's own truth and our books differ."""
    wrong = [f"the exchange complains: {each}" for each in run.complaints]
    wrong += [f"invariant broken: {each}" for each in run.broken]
    known = {(each["venue"], _id_of(each)): each for each in run.orders_there}
    for which, order in run.orders.items():
        if order["purpose"] == "foreign":
            wrong.append(f"{which} is foreign in our books")
        if which not in known and Decimal(order["filled_quantity"]):
            wrong.append(f"{which} filled in our books and is not at the exchange")
        if order["state"] in {"intended", "sending", "unknown"}:
            wrong.append(f"{which} is {order['state']} at the end")
    wrong += [f"{which} is at the exchange and not in our books" for which in known if which not in run.orders]
    ours = Counter((each["venue"], *_fill(each, "quantity", "realised")) for each in run.fills)
    theirs = Counter((each["venue"], *_fill(each, "qty", "realizedPnl")) for each in run.fills_there)
    wrong += [f"fill {each} is booked {number} times too often" for each, number in (ours - theirs).items()]
    wrong += [f"fill {each} is not booked ({number})" for each, number in (theirs - ours).items()]
    for venue, account in run.accounts_there.items():
        held = {one["symbol"]: Decimal(one["quantity"]) for one in account["positions"]}
        booked = {one["symbol"]: Decimal(one["quantity"]) for one in run.accounts[venue]["positions"]}
        if held != booked:
            wrong.append(f"{venue}: the exchange holds {held}, our books {booked}")
        if Decimal(account["wallet"]) != Decimal(run.accounts[venue]["balance"]["booked_wallet"]):
            wrong.append(f"{venue}: the wallet is {account['wallet']}, booked {run.accounts[venue]['balance']}")
    return wrong + _targets_missed(run)


def _targets_missed(run: Run) -> list[str]:
    """Return which positions that alerts asked for were not there when their last order had filled."""
    wrong = []
    by_alert = {
        row["answer"]["signal_id"]: run.sent[n] for n, row in run.acknowledged.items() if row["kind"] == STRATEGY
    }
    of_order = {which: order["signal_id"] for which, order in run.orders.items()}
    held: dict[str, Decimal] = defaultdict(Decimal)
    last: dict[str, tuple[str, Decimal]] = {}
    fills = [one for one in run.fills_there if _KIND_OF[one["symbol"]] == STRATEGY]
    for fill in sorted(fills, key=lambda one: (one["time"], one["id"])):
        venue, sign = fill["venue"], 1 if fill["side"] == "BUY" else -1
        signal_id = of_order.get((venue, fill["clientOrderId"]))
        before = last.get(venue)
        if before is not None and before[0] != signal_id:
            wrong += _missed(run, by_alert, venue, before)
        held[venue] += sign * Decimal(fill["qty"])
        last[venue] = (signal_id or "", held[venue])
    for venue, before in last.items():
        wrong += _missed(run, by_alert, venue, before)
    return wrong


def _missed(run: Run, by_alert: dict[str, Row], venue: str, ended: tuple[str, Decimal]) -> list[str]:
    signal_id, held = ended
    asked, signal = by_alert.get(signal_id), run.signals.get(signal_id)
    if asked is None or signal is None or signal["state"] != "decided" or signal["outcome"] != "filled":
        return []  # not acknowledged, or overtaken in the middle of a flip: nobody was promised its position
    target = Decimal(asked["quantity"])
    return [] if held == target else [f"{venue}: alert {asked['n']} asked for {target}, it ended at {held}"]


def _naked(run: Run) -> list[str]:
    """Return the positions that should be protected and whose stops are not as large as they are."""
    wrong = []
    for venue, account in run.accounts_there.items():
        for held in account["positions"]:
            if _KIND_OF[held["symbol"]] != PROTECTED:
                continue
            quantity = Decimal(held["quantity"])
            stops = [one for one in run.orders_there if one["venue"] == venue and one["symbol"] == held["symbol"]]
            closing = [
                one
                for one in stops
                if _is_stop(one) and _stands(one) and one["side"] == ("SELL" if quantity > 0 else "BUY")
            ]
            covered = sum((_size(one) for one in closing), Decimal(0))
            if covered != abs(quantity) and not any(one.get("closePosition") for one in closing):
                wrong.append(f"{venue} {held['symbol']} {quantity}: stops for {covered} stand")
    for one in run.orders_there:
        account = run.accounts_there[one["venue"]]
        held_now = {each["symbol"]: Decimal(each["quantity"]) for each in account["positions"]}.get(
            one["symbol"], Decimal(0)
        )
        if _is_stop(one) and _stands(one) and not held_now:
            wrong.append(f"{one['venue']} {one['symbol']}: a stop stands without a position")
    return wrong


def _unprotected_seconds(run: Run) -> list[float]:
    """Return, for each time a protected position was opened or grew, how long it was not covered by stops."""
    spans: list[float] = []
    end = max((int(each["time"]) for each in run.fills_there), default=0) + 60_000
    for venue in run.accounts_there:
        symbol = LANES[PROTECTED][0]
        steps: list[tuple[int, str, Decimal]] = []
        steps += [
            (int(fill["time"]), "held", Decimal(fill["qty"]) * (1 if fill["side"] == "BUY" else -1))
            for fill in run.fills_there
            if (fill["venue"], fill["symbol"]) == (venue, symbol)
        ]
        for one in run.orders_there:
            if (one["venue"], one["symbol"]) == (venue, symbol) and _is_stop(one) and _status(one) != "REJECTED":
                sign = 1 if one["side"] == "SELL" else -1
                begun, ended = _span(one, end)
                steps += [(begun, "stop", sign * _size(one)), (ended, "stop", -sign * _size(one))]
        spans += _bare_spans(sorted(steps, key=lambda step: step[0]), end)
    return sorted(spans)


def _bare_spans(steps: Sequence[tuple[int, str, Decimal]], end: int) -> list[float]:
    held, covered, since, spans = Decimal(0), Decimal(0), None, []
    for index, (at, what, change) in enumerate(steps):
        if what == "held":
            held += change
            opened = True
        else:
            covered += change
            opened = False
        if index + 1 < len(steps) and steps[index + 1][0] == at:
            continue
        is_bare = held > max(covered, Decimal(0)) if held >= 0 else held < min(covered, Decimal(0))
        if is_bare and since is None:
            since = at
        elif not is_bare and since is not None:
            spans.append((at - since) / 1000)
            since = None
        elif not is_bare and opened:
            spans.append(0.0)
    return [*spans, (end - since) / 1000] if since is not None else spans


_ACTED = ("position_unprotected", "watcher_in_charge", "cannot_act_alone", "house_let_go_on")
"""What a watcher writes down when it does more than look."""


def _times(run: Run, table: Table) -> None:
    deaths = Counter(each["kind"] for each in run.events if each["what"] == "death")
    table.add(
        "deaths", sum(deaths.values()), aim=", ".join(f"{kind} {number}" for kind, number in sorted(deaths.items()))
    )
    ready = sorted(each["at"] - each["died_at"] for each in run.events if each["what"] == "ready")
    table.add("seconds until it is ready again, p50", f"{_at(ready, 50):.2f}")
    table.add("seconds until it is ready again, p99", f"{_at(ready, 99):.2f}")
    died = [each["at"] for each in run.events if each["what"] == "death" and each["kind"] in {"kill", "term"}]
    taken = sorted(each["at"] for each in run.acknowledged.values())
    open_again = sorted(next((at - death for at in taken if at > death + 0.05), 0.0) for death in died)
    table.add("seconds until an alert is acknowledged again, p50", f"{_at(open_again, 50):.2f}")
    table.add("seconds until an alert is acknowledged again, p99", f"{_at(open_again, 99):.2f}")
    traded = sorted(int(each["time"]) / 1000 for each in run.fills_there)
    until = sorted(next((at - death for at in traded if at > death + 0.2), 0.0) for death in died)
    table.add("seconds until it trades again, p50", f"{_at(until, 50):.2f}")
    table.add("seconds until it trades again, p99", f"{_at(until, 99):.2f}")
    rest = next((each for each in run.events if each["what"] == "rest"), {"after_s": "never", "rests": False})
    never = [] if rest["rests"] else ["something still moves"]
    table.add("seconds until everything rests at the end", rest["after_s"], wrong=never)
    itself = [each["kind"] for each in run.events if each["what"] == "ended by itself"]
    table.add("times it ended by itself", len(itself), aim="0", wrong=itself)
    for each in run.events:
        if each["what"] == "watchers":
            left = [f"{each['left']} still run beside the house"] if each["left"] else []
            table.add("watchers of dead houses that stayed", each["left"], aim="0", wrong=left)
            told = {name: number for name, number in each["said"].items() if name in _ACTED}
            table.add("times a watcher acted", sum(told.values()), aim=", ".join(f"{n} {c}" for n, c in told.items()))


def _fired(run: Run, table: Table) -> None:
    begin = next(each for each in run.events if each["what"] == "begin")
    fired = {each["kind"]: each["fired"] for each in run.events if each["what"] == "fault"}
    deaths = {each["kind"] for each in run.events if each["what"] == "death"}
    never = [kind for kind in begin["expected"] if not fired.get(kind)]
    never += [kind for kind in ("kill", "term", "stop", "disk") if kind not in deaths]
    table.add("faults that struck", sum(fired.values()), aim=f"{len(fired)} kinds")
    table.add("kinds of faults that never struck", len(never), aim="0", wrong=never)


def _at(numbers: Sequence[float], percent: int) -> float:
    """Return the percentile of sorted numbers; zero if there are none."""
    return numbers[min(len(numbers) - 1, len(numbers) * percent // 100)] if numbers else 0.0


def _plain(number: str) -> str:
    return format(Decimal(number).normalize(), "f")


def _terms(order: Row) -> str:
    return f"{order['side']} {_plain(order['quantity'])}"


def _id_of(order: Row) -> str:
    return str(order.get("clientOrderId") or order.get("clientAlgoId"))


def _is_stop(order: Row) -> bool:
    return "algoStatus" in order or str(order.get("origType", "")).startswith(("STOP", "TAKE_PROFIT"))


def _status(order: Row) -> str:
    return str(order.get("status") or order.get("algoStatus"))


def _stands(order: Row) -> bool:
    return _status(order) in {"NEW", "PARTIALLY_FILLED"}


def _size(order: Row) -> Decimal:
    """Return what an order is for; one that closes the whole position covers whatever is held."""
    if order.get("closePosition"):
        return Decimal(10**9)
    return Decimal(order.get("origQty") or order["quantity"])


def _span(order: Row, end: int) -> tuple[int, int]:
    begun = int(order.get("time") or order.get("createTime") or 0)
    return begun, end if _stands(order) else int(order["updateTime"])


def _fill(fill: Row, quantity: str, realised: str) -> tuple[object, ...]:
    numbers = tuple(Decimal(fill[name]).normalize() for name in ("price", quantity, "commission", realised))
    return (fill["symbol"], fill["side"], *numbers)


def main() -> int:
    """Count the run in the folder that is named; returns 1 if anything is wrong."""
    table = count(Path(sys.argv[1]))
    print(table)
    return 1 if table.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
