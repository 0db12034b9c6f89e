"""Orders at AsterDEX: placed, cancelled, changed and asked for; each ends in exactly one outcome of the port."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from pilothouse.core.errors import Refused, Unavailable
from pilothouse.core.order import OrderType
from pilothouse.core.rounding import plain
from pilothouse.kit.throttle import Use
from pilothouse.venues.aster import wire
from pilothouse.venues.aster.codes import HEDGED, WOULD_TRIGGER, Outcome
from pilothouse.venues.aster.history import History, OrderNames
from pilothouse.venues.aster.rest import Call, Failed, Heard, Rest, Said, failure_of, is_error
from pilothouse.venues.aster.rules import CODES
from pilothouse.venues.aster.sign import AsterKeys
from pilothouse.venues.bounds import Market, refusal
from pilothouse.venues.port import (
    Absent,
    Accepted,
    AmendOutcome,
    CancelOutcome,
    FindOutcome,
    Gone,
    OrderReport,
    OrderRequest,
    PlaceOutcome,
    Rejected,
    Unknown,
    VenueAccount,
)
from pilothouse.venues.replace import replace_order

ORDER: Final = "/fapi/v3/order"
BATCH: Final = "/fapi/v3/batchOrders"
BATCH_MOST: Final = 5

_HEDGED: Final = "(the account is in hedge mode, and the house trades one-way: set it to one-way mode at the venue)"


class Orders:
    """The orders of every account at one endpoint."""

    def __init__(
        self,
        rest: Rest,
        keys_of: Callable[[VenueAccount], AsterKeys],
        names: OrderNames,
        history: History,
        market_of: Callable[[str], Market],
    ) -> None:
        """Sign with what `keys_of` finds; refuse what `market_of` says would be refused."""
        self._rest = rest
        self._keys_of = keys_of
        self._names = names
        self._history = history
        self._market_of = market_of

    # ── Place ─────────────────────────────────────────────────────────────────────────────────────

    def place(self, account: VenueAccount, orders: Sequence[OrderRequest]) -> list[PlaceOutcome]:
        """Place orders in their order.

        Neighbours that only wait for a trigger go together, up to five: the venue works on a batch in no order, and
        for these it does not matter.
        """
        outcomes: list[PlaceOutcome] = []
        try:
            keys = self._keys_of(account)
            for group in _groups(orders):
                outcomes += self._place_group(account, keys, group)
        except Refused as refused:  # the account cannot sign: none of what is left was sent
            no = Rejected(refused.code, str(refused))
            outcomes += [no] * (len(orders) - len(outcomes))
        return outcomes

    def _place_group(self, account: VenueAccount, keys: AsterKeys, group: Sequence[OrderRequest]) -> list[PlaceOutcome]:
        refused = [self._refusal(request) for request in group]
        sent = [request for request, why in zip(group, refused, strict=True) if why is None]
        outcomes = iter(self._send(account, keys, sent))
        return [why if why is not None else next(outcomes) for why in refused]

    def _refusal(self, request: OrderRequest) -> Rejected | None:
        return refusal(request, self._market_of(request.terms.symbol), CODES)

    def _send(self, account: VenueAccount, keys: AsterKeys, sent: Sequence[OrderRequest]) -> list[PlaceOutcome]:
        if not sent:
            return []
        stamped_at = sent[0].stamped_at
        if len(sent) == 1:
            params = tuple(wire.order_params(sent[0]))
            heard = self._rest.ask(Call("POST", ORDER, params, 1, 1, Use.ORDER, stamped_at), keys)
            return [self._placed(account, sent[0], heard)]
        params = (("batchOrders", wire.batch_param(sent)),)
        heard = self._rest.ask(Call("POST", BATCH, params, 5, len(sent), Use.ORDER, stamped_at), keys)
        if isinstance(heard, Failed):
            return [self._placed(account, request, heard) for request in sent]
        if not isinstance(heard.value, list) or len(heard.value) != len(sent):
            return [Unknown("the venue did not answer a batch with one answer for each order")] * len(sent)
        return [
            self._placed(account, request, failure_of(200, each) if is_error(each) else Said(each))
            for request, each in zip(sent, heard.value, strict=True)
        ]

    def _placed(self, account: VenueAccount, request: OrderRequest, heard: Heard) -> PlaceOutcome:
        """Return what became of an order, from what was said of it."""
        if isinstance(heard, Said):
            report = self._report(account, heard.value)
            if isinstance(report, str):
                return Unknown(report)
            if report.client_order_id != request.client_order_id:
                return Unknown(f"the venue answered for {report.client_order_id}, another order")
            return Accepted(report)
        match heard.outcome:
            case Outcome.REJECTED:
                code = int(heard.code) if heard.code.lstrip("-").isdigit() else 0
                message = f"{heard.message} {_HEDGED}" if code == HEDGED else heard.message
                return Rejected(heard.code, message, would_trigger=code in WOULD_TRIGGER)
            case Outcome.NOT_NOW | Outcome.STALE:
                return Rejected(heard.code, heard.message, may_be_repeated=True)
            case Outcome.EXISTS:
                return self._adopt(account, request, heard)
            case Outcome.UNKNOWN | Outcome.ABSENT | Outcome.GONE | Outcome.NO_CHANGE:
                return Unknown(str(heard))

    def _adopt(self, account: VenueAccount, request: OrderRequest, failed: Failed) -> PlaceOutcome:
        """Find the order that has this client id already: it is ours if it is the same order."""
        found = self.find(account, request.terms.symbol, request.client_order_id)
        if not isinstance(found, Accepted):
            return Unknown(f"{failed}, and it was not found")
        theirs, ours = found.report.terms, request.terms
        same = (theirs.symbol, theirs.side, theirs.type) == (ours.symbol, ours.side, ours.type)
        if not same or (not request.close_position and theirs.quantity != ours.quantity):
            return Rejected(
                failed.code,
                f"{request.client_order_id} is {theirs.side} {plain(theirs.quantity)} {theirs.symbol} there",
            )
        return found

    # ── Cancel and change ─────────────────────────────────────────────────────────────────────────

    def cancel(
        self, account: VenueAccount, symbol: str, client_order_id: str, stamped_at: datetime | None = None
    ) -> CancelOutcome:
        """Cancel one order. What cannot be done now is Unknown: to ask again does no harm."""
        params = (("symbol", symbol), ("origClientOrderId", client_order_id))
        heard = self._rest.ask(
            Call("DELETE", ORDER, params, use=Use.ORDER, stamped_at=stamped_at), self._keys_of(account)
        )
        if isinstance(heard, Said):
            report = self._report(account, heard.value)
            return Unknown(report) if isinstance(report, str) else Accepted(report)
        if heard.outcome in {Outcome.GONE, Outcome.ABSENT}:
            found = self.find(account, symbol, client_order_id)
            return Gone(found.report if isinstance(found, Accepted) else None)
        if heard.outcome is Outcome.REJECTED:
            return Rejected(heard.code, heard.message)
        return Unknown(str(heard))

    def amend(self, account: VenueAccount, client_order_id: str, wanted: OrderRequest) -> AmendOutcome:
        """Change a limit order in place; end and replace any other kind, which the venue cannot change."""
        if not self.changes_in_place(wanted):
            return replace_order(self, account, client_order_id, wanted)
        why = self._refusal(wanted)
        if why is not None:
            return why
        assert wanted.terms.price is not None, "a limit order has a price"
        params = (
            ("symbol", wanted.terms.symbol),
            ("origClientOrderId", client_order_id),
            ("quantity", plain(wanted.terms.quantity)),
            ("price", plain(wanted.terms.price)),
        )
        heard = self._rest.ask(Call("PUT", ORDER, params, 1, 1, Use.ORDER, wanted.stamped_at), self._keys_of(account))
        if isinstance(heard, Said):
            report = self._report(account, heard.value)
            return Unknown(report) if isinstance(report, str) else Accepted(report)
        if heard.outcome in {Outcome.GONE, Outcome.ABSENT}:
            found = self.find(account, wanted.terms.symbol, client_order_id)
            return Gone(found.report if isinstance(found, Accepted) else None)
        if heard.outcome is Outcome.REJECTED:
            return Rejected(heard.code, heard.message)
        if heard.outcome in {Outcome.NOT_NOW, Outcome.STALE}:
            return Rejected(heard.code, heard.message, may_be_repeated=True)
        return Unknown(str(heard))

    def changes_in_place(self, wanted: OrderRequest) -> bool:
        """Say whether the venue can change such an order."""
        return wanted.terms.type is OrderType.LIMIT

    # ── Ask ───────────────────────────────────────────────────────────────────────────────────────

    def find(self, account: VenueAccount, symbol: str, client_order_id: str) -> FindOutcome:
        """Ask for one order by our id, with all of its fills."""
        keys = self._keys_of(account)
        params = (("symbol", symbol), ("origClientOrderId", client_order_id))
        heard = self._rest.ask(Call("GET", ORDER, params, use=Use.ORDER), keys)
        if isinstance(heard, Failed):
            return Absent() if heard.outcome is Outcome.ABSENT else Unknown(str(heard))
        try:
            row = wire.row(heard.value)
            report = wire.report_of(row)
            if report.client_order_id != client_order_id:
                return Unknown(f"asked for {client_order_id}, the venue answered for {report.client_order_id}")
            self._names.learn(account.id, report.venue_order_id, report.client_order_id)
            fills = self._history.fills_of(account, row, report) if report.filled_quantity > 0 else ()
        except Unavailable as unavailable:
            return Unknown(str(unavailable))
        return Accepted(wire.report_of(row, fills))

    def _report(self, account: VenueAccount, value: object) -> OrderReport | str:
        """Return the report in an answer to an order, or why it cannot be read: then nobody can say what was done."""
        try:
            report = wire.report_of(wire.row(value))
        except Unavailable as unavailable:
            return str(unavailable)
        self._names.learn(account.id, report.venue_order_id, report.client_order_id)
        return report


def _goes_in_a_batch(request: OrderRequest) -> bool:
    """Say whether an order waits for a price; one that trails goes alone: in a batch it may trail by less only."""
    return request.terms.type.is_conditional and request.terms.trail_percent is None


def _groups(orders: Sequence[OrderRequest]) -> Iterator[list[OrderRequest]]:
    """Yield runs of orders that may be sent together."""
    group: list[OrderRequest] = []
    for request in orders:
        together = bool(group) and _goes_in_a_batch(request) and _goes_in_a_batch(group[-1])
        if group and not (together and len(group) < BATCH_MOST):
            yield group
            group = []
        group.append(request)
    if group:
        yield group
