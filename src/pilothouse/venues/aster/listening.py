"""What AsterDEX tells of accounts: their streams held open, and what was missed asked for after each gap."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from pilothouse.core.clock import Clock
from pilothouse.core.errors import Unavailable
from pilothouse.kit.throttle import Use
from pilothouse.venues.aster import wire
from pilothouse.venues.aster.codes import Outcome
from pilothouse.venues.aster.history import History, OrderNames
from pilothouse.venues.aster.rest import Call, Failed, Rest
from pilothouse.venues.aster.sign import AsterKeys
from pilothouse.venues.aster.stream import UserSpeech
from pilothouse.venues.held_streams import AccountStream, Patience, StreamEnded, Streams
from pilothouse.venues.port import AccountEvent, FindOutcome, VenueAccount
from pilothouse.venues.standing_orders import StandingOrders

LISTEN_KEY: Final = "/fapi/v3/listenKey"


class Listening:
    """The streams of accounts at one endpoint; they end with `streams`."""

    def __init__(
        self,
        rest: Rest,
        keys_of: Callable[[VenueAccount], AsterKeys],
        streams: Streams,
        patience: Patience,
        clock: Clock,
        *,
        history: History,
        names: OrderNames,
        standing: StandingOrders,
        find: Callable[[VenueAccount, str, str], FindOutcome],
    ) -> None:
        """Open nothing yet.

        names      learns the client ids of what is told
        standing   learns what stands, and says what stood before a gap
        find       asks for one order; blocks
        """
        self._rest, self._keys_of, self._streams, self._patience, self._clock = rest, keys_of, streams, patience, clock
        self._history, self._names, self._standing, self._find = history, names, standing, find

    def listen(self, account: VenueAccount, sink: Callable[[AccountEvent], None]) -> Callable[[], None]:
        """Hand every event of one account to `sink`, on the streams' thread; return what stops it."""
        funded_at = self._clock.now()

        def learn_and_tell(event: AccountEvent) -> None:
            if event.report is not None:
                self._names.learn(account.id, event.report.venue_order_id, event.report.client_order_id)
                self._standing.note(account.id, event.report)
            sink(event)

        speech = UserSpeech(
            account.id,
            self._rest.endpoint.stream_url,
            open_key=partial(self._open_key, account),
            keep_key=partial(self._keep_key, account),
            funded=lambda: self._funded(account, funded_at),
            keep_s=self._patience.keep_s,
        )
        stream = AccountStream(
            account.id, speech, partial(self._missed, account), learn_and_tell, self._clock, self._patience
        )
        return self._streams.start(stream.run())

    def _missed(self, account: VenueAccount, when: datetime) -> list[AccountEvent]:
        """Return what happened since an instant. Raises Unavailable.

        An old order that was cancelled meanwhile stands in none of the venue's lists of what is new: those that stood
        here and are not told there are asked for, one by one.
        """
        stood = self._standing.of(account.id)
        events = self._history.since(account, when, tuple(self._standing.symbols(account.id)))
        told = {event.report.client_order_id for event in events if event.report is not None}
        unheard = {name: symbol for name, symbol in stood.items() if name not in told}
        return events + self._standing.found_out(account, unheard, self._find)

    def _funded(self, account: VenueAccount, since: datetime) -> list[AccountEvent]:
        """Return funding of the last hour, or since listening began: who books it knows each by its id."""
        begun = max(since, self._clock.now() - timedelta(hours=1)) - timedelta(seconds=10)
        return self._history.funding_since(account, begun)

    def _open_key(self, account: VenueAccount) -> str:
        call = Call("POST", LISTEN_KEY, use=Use.ORDER)
        return wire.text(wire.row(self._rest.read(call, self._keys_of(account))), "listenKey")

    def _keep_key(self, account: VenueAccount) -> None:
        heard = self._rest.ask(Call("PUT", LISTEN_KEY, use=Use.ORDER), self._keys_of(account))
        if isinstance(heard, Failed):
            if heard.outcome is Outcome.REJECTED:
                raise StreamEnded(f"the listen key is no more ({heard})")
            raise Unavailable(f"the listen key was not extended ({heard})")
