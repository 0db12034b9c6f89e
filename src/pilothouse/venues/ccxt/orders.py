"""Orders at an exchange: placed, cancelled, changed and asked for; each ends in exactly one outcome of the port."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from pilothouse.core.errors import Refused
from pilothouse.core.rounding import plain
from pilothouse.kit.throttle import Use
from pilothouse.venues.bounds import Market, client_id_refusal, refusal
from pilothouse.venues.ccxt.codes import Outcome
from pilothouse.venues.ccxt.exchange import Failed, Keys
from pilothouse.venues.ccxt.rest import Rest, Said
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

CLIENT_ID_MOST: Final = 32


class Orders:
    """The orders of every account at one endpoint."""

    def __init__(self, rest: Rest, keys_of: Callable[[VenueAccount], Keys], market_of: Callable[[str], Market]) -> None:
        """Sign with what `keys_of` finds; refuse what `market_of` says would be refused."""
        self._rest = rest
        self._quirks = rest.quirks
        self._keys_of = keys_of
        self._market_of = market_of

    def place(self, account: VenueAccount, orders: Sequence[OrderRequest]) -> list[PlaceOutcome]:
        """Place orders one after the other, in their order."""
        outcomes: list[PlaceOutcome] = []
        try:
            keys = self._keys_of(account)
            for request in orders:  # one by one: what was sent before a refusal keeps its outcome
                outcome = self._refusal(request) or self._place(account, keys, request)
                outcomes.append(outcome)
        except Refused as refused:  # the account cannot sign, or must not send: none of what is left was sent
            no = Rejected(refused.code, str(refused))
            outcomes += [no] * (len(orders) - len(outcomes))
        return outcomes

    def _refusal(self, request: OrderRequest) -> Rejected | None:
        if request.terms.trail_percent is not None and not self._quirks.trails:
            return Rejected("trailing", "not sent: trailing orders of this exchange's own are not used here")
        market = self._market_of(request.terms.symbol)
        if market.rules is None:
            return None
        return client_id_refusal(request.client_order_id, CLIENT_ID_MOST) or refusal(request, market)

    def _place(self, account: VenueAccount, keys: Keys, request: OrderRequest) -> PlaceOutcome:
        if request.beside is not None:
            return self._place_pair(account, keys, request, request.beside)
        heard = self._rest.ask(
            lambda session: self._quirks.place(session, request),
            account.id,
            keys,
            use=Use.ORDER,
            stamped_at=request.stamped_at,
        )
        if isinstance(heard, Said):
            return _answered(request, heard.value)
        return self._not_placed(account, request, heard)

    def _place_pair(
        self, account: VenueAccount, keys: Keys, request: OrderRequest, beside: OrderRequest
    ) -> PlaceOutcome:
        """Place two orders of which one ends the other, by one request; the outcome is that of both."""
        why = self._refusal(beside)
        if why is not None:
            return why
        heard = self._rest.ask(
            lambda session: self._quirks.place_pair(session, request, beside),
            account.id,
            keys,
            use=Use.ORDER,
            stamped_at=request.stamped_at,
        )
        if isinstance(heard, Failed):
            outcome = self._not_placed(account, request, heard)
            if not isinstance(outcome, Accepted):
                return outcome
            found = self.find(account, beside.terms.symbol, beside.client_order_id)  # it had been placed before
            return Accepted(outcome.report, found.report if isinstance(found, Accepted) else None)
        mine, other = heard.value
        return Accepted(mine, other)

    def _not_placed(self, account: VenueAccount, request: OrderRequest, heard: Failed) -> PlaceOutcome:
        match heard.outcome:
            case Outcome.REJECTED:
                return Rejected(heard.code, heard.message, would_trigger=self._quirks.would_trigger(heard))
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

    def cancel(
        self, account: VenueAccount, symbol: str, client_order_id: str, stamped_at: datetime | None = None
    ) -> CancelOutcome:
        """Cancel one order. What cannot be done now is Unknown: to ask again does no harm."""
        heard = self._rest.ask(
            lambda session: self._quirks.cancel(session, symbol, client_order_id),
            account.id,
            self._keys_of(account),
            use=Use.ORDER,
            stamped_at=stamped_at,
        )
        if isinstance(heard, Said):
            if heard.value is not None:
                return Accepted(heard.value)
            found = self.find(account, symbol, client_order_id)
            return found if isinstance(found, Accepted) else Unknown("it was cancelled, and is not told of now")
        if heard.outcome in {Outcome.GONE, Outcome.ABSENT}:
            return self._gone(account, symbol, client_order_id)
        if heard.outcome is Outcome.REJECTED:
            return Rejected(heard.code, heard.message)
        return Unknown(str(heard))

    def _gone(self, account: VenueAccount, symbol: str, client_order_id: str) -> Gone:
        found = self.find(account, symbol, client_order_id)
        return Gone(found.report if isinstance(found, Accepted) else None)

    def amend(self, account: VenueAccount, client_order_id: str, wanted: OrderRequest) -> AmendOutcome:
        """Change an order in place where the exchange can; end and replace any other."""
        if not self.changes_in_place(wanted):
            return replace_order(self, account, client_order_id, wanted, coins=self._quirks.kind == "spot")
        why = self._refusal(wanted)
        if why is not None:
            return why
        heard = self._rest.ask(
            lambda session: self._quirks.amend(session, client_order_id, wanted),
            account.id,
            self._keys_of(account),
            use=Use.ORDER,
            stamped_at=wanted.stamped_at,
        )
        if isinstance(heard, Said):
            return Accepted(heard.value)
        if heard.outcome in {Outcome.GONE, Outcome.ABSENT}:
            return self._gone(account, wanted.terms.symbol, client_order_id)
        if heard.outcome is Outcome.NO_CHANGE:
            found = self.find(account, wanted.terms.symbol, client_order_id)
            return found if isinstance(found, Accepted) else Unknown(str(heard))
        if heard.outcome is Outcome.REJECTED:
            return Rejected(heard.code, heard.message)
        if heard.outcome in {Outcome.NOT_NOW, Outcome.STALE}:
            return Rejected(heard.code, heard.message, may_be_repeated=True)
        return Unknown(str(heard))

    def changes_in_place(self, wanted: OrderRequest) -> bool:
        """Say whether the exchange can change such an order."""
        return self._quirks.can_amend(wanted)

    def find(self, account: VenueAccount, symbol: str, client_order_id: str) -> FindOutcome:
        """Ask for one order by our id, with all of its fills."""
        heard = self._rest.ask(
            lambda session: self._quirks.find(session, symbol, client_order_id),
            account.id,
            self._keys_of(account),
            use=Use.ORDER,
        )
        if isinstance(heard, Failed):
            return Absent() if heard.outcome is Outcome.ABSENT else Unknown(str(heard))
        if heard.value.client_order_id != client_order_id:
            return Unknown(f"asked for {client_order_id}, the exchange answered for {heard.value.client_order_id}")
        return Accepted(heard.value)


def _answered(request: OrderRequest, report: OrderReport) -> PlaceOutcome:
    if report.client_order_id != request.client_order_id:
        return Unknown(f"the exchange answered for {report.client_order_id}, another order")
    return Accepted(report)
