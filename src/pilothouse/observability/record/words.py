"""What the events of the record are in words: particulars in, one sentence out. May fail on what it does not know."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pilothouse.core.rounding import plain

_NOTES: Mapping[str, str] = {
    "decide": "Decided",
    "send": "Handed over to be sent",
    "accept": "Accepted",
    "fill_part": "Filled in part",
    "fill_rest": "Filled",
    "reject": "Rejected",
    "lose": "Nobody knows what became of it",
    "put_off": "Put off: the venue was too busy",
    "warned": "A warning level was reached",
    "deny": "It certainly never arrived",
    "cancel_asked": "Its cancellation was asked for",
    "cancel_refused": "The venue does not cancel it",
    "cancel": "Cancelled",
    "expire": "Expired",
    "withdraw": "Given up before it was sent",
    "resized": "Made smaller before it was sent",
    "amend_asked": "A change was asked for",
    "amend_refused": "The change was refused",
    "amend_unknown": "Nobody knows what became of the change",
    "amended": "Changed",
    "broken": "A LAW OF THE HOUSE WAS BROKEN",
}


def noted_in_words(event: str, state: str, detail: str) -> str:
    """Return a line of an order's timeline as a sentence, with the state it led to."""
    words = _NOTES.get(event, event.replace("_", " "))
    return f"{words}: {detail}; it is {_spaced(state)}" if detail else f"{words}; it is {_spaced(state)}"


def _alert(said: Any) -> str:
    body = ", ".join(f"{name} {value}" for name, value in said["body"].items()) or "nothing that could be read"
    return f"An alert came in at {said['door']} (hook {said['hook']}): {body}. SHA-256 of its bytes: {said['sha256']}"


def _again(_: Any) -> str:
    return "The same alert came once more; it was answered as the first time, and nothing was done"


def _judged(said: Any) -> str:
    given, answer = said["given"], said["says"]
    if said["rule"] == "follow.decide":
        return f"{_seen(given['view'])}, {_decision(said['is'], answer)}"
    if said["rule"] == "risk.check":
        return _gate(said["is"], answer, given)
    if said["rule"] == "bracket.guard":
        wanted = [_terms(planned["terms"]) for _, planned in [*answer["place"], *answer["exits"]]]
        moves = "; ".join(wanted) or ("end the protection" if answer["ended"] else "cancel what is too much")
        return f"{_seen(given['view'])}, the protection wants to {moves}"
    return f"The rule {said['rule']} was asked and said {said['is']}"


def _seen(view: Any) -> str:
    quote, position = view["quote"], view["position"]
    held = f"a position of {_number(position['quantity'])} {position['symbol']}"
    orders = f"{len(view['orders'])} live orders" if view["orders"] else "no live order"
    price = f"mark {_number(quote['mark'])} ({quote['source']}, told at {_time(quote['at'])})"
    return f"Seeing {held}, {orders}, {price} and equity {_number(view['equity'])}"


def _decision(kind: str, answer: Any) -> str:
    if kind != "Decision":
        return f"it was refused: {answer['message']} ({answer['code']})"
    cancels = f"; {len(answer['cancels'])} orders are cancelled first" if answer["cancels"] else ""
    order = answer.get("order")
    wants = f"decided to {_terms(order['terms'])}" if order else f"decided to {answer['verdict']}"
    return f"{wants}: {answer['message']}{cancels}"


def _gate(kind: str, answer: Any, given: Any) -> str:
    checks = answer.get("checks") if isinstance(answer, Mapping) else None
    asked = [_check(one) for one in checks] if isinstance(checks, list) else _limits(given.get("limits"))
    if kind == "Denied":
        reasons = "; ".join(f"{one['message']} ({one['code']})" for one in answer["reasons"])
        return f"The risk gate said no: {reasons}"
    return f"The risk gate let it pass; asked were {', '.join(asked)}" if asked else "The risk gate let it pass"


def _check(one: Any) -> str:
    if not isinstance(one, Mapping):
        return str(one)
    number, limit = one.get("number"), one.get("limit")
    name = str(one.get("code") or one.get("rule") or one.get("name") or "a limit")
    return f"{name} {_number(number)} of {_number(limit)}" if number is not None and limit is not None else name


def _limits(limits: Any) -> list[str]:
    if not isinstance(limits, Mapping):
        return []
    return [f"{name} {_number(value)}" for name, value in limits.items() if isinstance(value, str | int)]


def _ordered(said: Any) -> str:
    intent = said["intent"]
    purpose = str(intent["purpose"]).replace("_", " ")
    return (
        f"Order {said['order']} was made: {_terms(intent['terms'])}, as {purpose}, because of {intent['reason']!r}; "
        f"its client id is {said['client_order_id']}"
    )


def _sent(said: Any) -> str:
    request = said["request"]
    took = datetime.fromisoformat(said["answered_at"]) - datetime.fromisoformat(said["handed_at"])
    ms = took // timedelta(milliseconds=1)
    return (
        f"The venue was asked to {_terms(request['terms'])} under {request['client_order_id']} (stamped "
        f"{_time(request['stamped_at'])}); its answer after {ms} ms: {str(said['answer']).lower()}{_wire(said)}"
    )


def _wire(said: Any) -> str:
    """Return what went over the wire, with what came back."""
    words = [
        f"{one['method']} {one['path']} {one['sent']} -> "
        f"{one['status'] if one['status'] is not None else 'no answer'} {one['said']}"
        for one in said.get("wire") or ()
    ]
    return f". Over the wire: {'; '.join(words)}" if words else ""


def _cancel_sent(said: Any) -> str:
    answer = str(said["answer"]).lower()
    stamped = _time(said["stamped_at"])
    return f"The venue was asked to cancel {said['client_order_id']} (stamped {stamped}): {answer}{_wire(said)}"


def _amend_sent(said: Any) -> str:
    request, answer = said["request"], str(said["answer"]).lower()
    return f"The venue was asked to change it: {_terms(request['terms'])}; its answer: {answer}{_wire(said)}"


def _asked(said: Any) -> str:
    answers = {"Accepted": "it knows it", "Absent": "it knows no such order", "Unknown": "no answer"}
    return f"The venue was asked what became of it: {answers.get(said['answer'], said['answer'])}{_wire(said)}"


def _told(said: Any) -> str:
    by = {"answer": "In its answer", "question": "When asked", "stream": "By its stream"}.get(said["by"], said["by"])
    fills = "; ".join(
        f"{_number(one['quantity'])} at {_number(one['price'])}, fee {_number(one['commission'])} "
        f"{one['commission_currency']}, trade {one['venue_trade_id']}"
        for one in said["fills"]
    )
    reason = f", because {said['reason']}" if said["reason"] else ""
    words = f"{by} the venue said: order {said['venue_order_id']} is {_spaced(said['status']).lower()}{reason}"
    return f"{words}, {_number(said['filled_quantity'])} filled" + (f" ({fills})" if fills else "")


def _rejected(said: Any) -> str:
    refusal = said["refusal"]
    return f"The venue refused it: {refusal['message']} ({refusal['code']})"


def _unanswered(said: Any) -> str:
    return f"No answer that says what became of it ({said['why']}); asked {said['asked']} times"


def _booked(said: Any) -> str:
    sums: dict[str, Decimal] = {}
    for _, book, unit, amount in said["entries"]:
        if book in {"position", "wallet"}:
            sums[unit] = sums.get(unit, Decimal(0)) + Decimal(amount)
    moved = ", ".join(f"{'+' if one > 0 else ''}{plain(one)} {unit}" for unit, one in sums.items()) or "nothing of ours"
    return f"Booked as {said['posting']} with {len(said['entries'])} entries: {moved}"


def _signal(said: Any) -> str:
    code = f" ({said['code']})" if said.get("code") else ""
    return f"The alert is {_spaced(said['state'])}: {said['message']}{code}"


def _alarm(said: Any) -> str:
    return f"An alarm was raised: {said.get('message') or said.get('words') or said.get('code')}"


SENTENCES: Mapping[str, Callable[[Any], str]] = {
    "alert": _alert,
    "again": _again,
    "judged": _judged,
    "ordered": _ordered,
    "sent": _sent,
    "cancel_sent": _cancel_sent,
    "amend_sent": _amend_sent,
    "asked": _asked,
    "told": _told,
    "rejected": _rejected,
    "unanswered": _unanswered,
    "booked": _booked,
    "signal.changed": _signal,
    "alarm.raised": _alarm,
    "invariant.broken": _alarm,
}
"""By event; one that is not here is shown as it stands."""


def _terms(terms: Any) -> str:
    words = [str(terms["side"]).lower(), _number(terms["quantity"]), terms["symbol"], "at"]
    kind = str(terms["type"])
    words.append("the market" if kind == "MARKET" else kind.lower().replace("_", " "))
    if terms.get("trail_percent"):
        words.append(f"{_number(terms['trail_percent'])} % behind the best price")
        words += [f"from {_number(terms['stop_price'])} on"] if terms.get("stop_price") else []
    elif terms.get("stop_price"):
        words.append(f"if the mark is {_number(terms['stop_price'])}")
    if terms.get("price"):
        words.append(_number(terms["price"]))
    if terms.get("whole_position"):
        words.append("(closing all that is held)")
    elif terms.get("reduce_only"):
        words.append("(only reducing)")
    return " ".join(words)


def _number(value: Any) -> str:
    return "none" if value is None else plain(Decimal(str(value)))


def _time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%H:%M:%S.%f")[:-3]


def _spaced(word: Any) -> str:
    return str(word).replace("_", " ")
