"""Who listens to a paper venue: events of accounts and quotes go in, and out to everybody who asked for them."""

from collections.abc import Callable, Sequence

from pilothouse.core.quote import Quote
from pilothouse.venues.paper_faults import Fault, Strikes
from pilothouse.venues.port import AccountEvent, StreamState, VenueAccount


class PaperListeners:
    """The listeners of one venue; each is called on whichever thread caused what is told."""

    def __init__(self, strike: Strikes) -> None:
        self._strike = strike
        self._sinks: tuple[Callable[[AccountEvent], None], ...] = ()
        self._watchers: tuple[Callable[[Sequence[Quote]], None], ...] = ()

    def to_one(self, account: VenueAccount, sink: Callable[[AccountEvent], None]) -> Callable[[], None]:
        """Hand every event of one account to `sink`, on whichever thread caused it; return what stops it."""

        def its_own(event: AccountEvent) -> None:
            if event.account_id == account.id:
                sink(event)

        sink(AccountEvent(account.id, stream=StreamState.LIVE))
        return self.to_all(its_own)

    def to_all(self, sink: Callable[[AccountEvent], None]) -> Callable[[], None]:
        """Hand every event of every account to `sink`, on whichever thread caused it; return what stops it."""
        self._sinks = (*self._sinks, sink)

        def stop() -> None:
            self._sinks = tuple(other for other in self._sinks if other is not sink)

        return stop

    def to_quotes(self, sink: Callable[[Sequence[Quote]], None]) -> Callable[[], None]:
        """Hand quotes to `sink` from now on; return what stops it."""
        self._watchers = (*self._watchers, sink)

        def stop() -> None:
            self._watchers = tuple(other for other in self._watchers if other is not sink)

        return stop

    def tell(self, events: Sequence[AccountEvent]) -> None:
        """Tell what happened to whoever listens."""
        for event in events:
            struck = self._strike("event")
            if Fault.DROP_EVENTS in struck:
                continue
            for sink in self._sinks:
                sink(event)
                if Fault.REPEAT_EVENTS in struck:
                    sink(event)

    def tell_quotes(self, quotes: Sequence[Quote]) -> None:
        """Tell quotes to whoever watches, if there are any."""
        for watcher in self._watchers if quotes else ():
            watcher(quotes)
