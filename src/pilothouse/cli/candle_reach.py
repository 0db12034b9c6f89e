"""How the command line reaches candles: through the house that runs, or by itself where none does.

While a house runs, only the house writes: the command asks it one question after the other. Where none runs, the
command takes the data folder's lock for as long as it works, and does the same by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from pilothouse.core.errors import Refused, Unavailable, Unknown
from pilothouse.kit.settings import Settings

if TYPE_CHECKING:
    from pilothouse.cli.talk import House
    from pilothouse.wiring.data_only import DataHouse

Row = dict[str, Any]
FUNDING = "funding"
"""In the place of a length: funding rates are meant."""


class DataTaken(Unavailable):
    """Another process has the data folder and is no house that could be asked."""

    code = "data_taken"


class Reach(Protocol):
    """What a download asks, whoever answers; plain data, as the API shows it."""

    def plan(self, venue: str, symbol: str, wanted: str, start: datetime, until: datetime | None, again: bool) -> Row:  # noqa: FBT001  (asked by name below)
        """Return what is to be asked."""
        ...

    def fetch(self, series: Row, span: tuple[int, int], replace: bool) -> Row:  # noqa: FBT001  (as above)
        """Ask one question. Raises Unavailable if it may be asked again."""
        ...

    def follow(self, venue: str, symbol: str, wanted: str, since: datetime | None) -> Row:
        """Fetch candles as they close."""
        ...

    def unfollow(self, venue: str, symbol: str, wanted: str) -> Row:
        """Fetch them no more."""
        ...


class Here:
    """The command itself asks and keeps."""

    def __init__(self, house: "DataHouse") -> None:
        """Work with what is open."""
        self._house = house

    def plan(self, venue: str, symbol: str, wanted: str, start: datetime, until: datetime | None, again: bool) -> Row:  # noqa: FBT001  (as in Reach)
        """Return what is to be asked."""
        from pilothouse.wiring import candle_desk, funding_desk

        if wanted == FUNDING:
            return funding_desk.plan(self._house, venue, symbol, start, until, again=again)
        return candle_desk.plan(self._house, venue, symbol, wanted, start, until, again=again)

    def fetch(self, series: Row, span: tuple[int, int], replace: bool) -> Row:  # noqa: FBT001  (as in Reach)
        """Ask one question."""
        from pilothouse.wiring import candle_desk, funding_desk

        if series["timeframe"] == FUNDING:
            rates = funding_desk.kept_funding(series["venue"], series["symbol"])
            return funding_desk.fetch_once(self._house, rates, span, take_new=replace)
        kept = candle_desk.kept_series(series["venue"], series["symbol"], series["timeframe"])
        return candle_desk.fetch_once(self._house, kept, span, take_new=replace)

    def follow(self, venue: str, symbol: str, wanted: str, since: datetime | None) -> Row:
        """Note what is to be followed; the house does it when it runs."""
        from pilothouse.wiring import candle_desk, funding_desk

        if wanted == FUNDING:
            return funding_desk.follow(self._house, venue, symbol, since)
        return candle_desk.follow(self._house, venue, symbol, wanted, since)

    def unfollow(self, venue: str, symbol: str, wanted: str) -> Row:
        """Note that it is followed no more."""
        from pilothouse.wiring import candle_desk, funding_desk

        if wanted == FUNDING:
            return funding_desk.unfollow(self._house, venue, symbol)
        return candle_desk.unfollow(self._house, venue, symbol, wanted)


class Running:
    """A house that runs asks and keeps."""

    def __init__(self, house: "House") -> None:
        """Speak to this house."""
        self._house = house

    def plan(self, venue: str, symbol: str, wanted: str, start: datetime, until: datetime | None, again: bool) -> Row:  # noqa: FBT001  (as in Reach)
        """Return what is to be asked."""
        more = {"start": start.isoformat(), "again": again} | ({"until": until.isoformat()} if until else {})
        return self._post("plan", _named(venue, symbol, wanted) | more)

    def fetch(self, series: Row, span: tuple[int, int], replace: bool) -> Row:  # noqa: FBT001  (as in Reach)
        """Have one question asked."""
        named = _named(series["venue"], series["symbol"], series["timeframe"])
        return self._post("fetch", named | {"start_ms": span[0], "until_ms": span[1], "replace": replace})

    def follow(self, venue: str, symbol: str, wanted: str, since: datetime | None) -> Row:
        """Have it followed."""
        body = _named(venue, symbol, wanted)
        return self._post("follow", body | ({"since": since.isoformat()} if since else {}))

    def unfollow(self, venue: str, symbol: str, wanted: str) -> Row:
        """Have it followed no more."""
        return self._post("unfollow", _named(venue, symbol, wanted))

    def _post(self, what: str, body: Row) -> Row:
        from pilothouse.cli.talk import Answered

        is_funding = body.get("timeframe") == FUNDING
        path = f"/api/v1/funding-rates/{what}" if is_funding else f"/api/v1/candles/{what}"
        named = {name: value for name, value in body.items() if not (is_funding and name == "timeframe")}
        try:
            answer: Row = self._house.post(path, named)
        except Answered as no:
            if no.status in {429, 503}:
                raise Unavailable(str(no)) from None
            raise
        except Unknown as unheard:
            # Whatever came of it, asking the same again is harmless: a candle is kept once.
            raise Unavailable(str(unheard)) from None
        return answer


def _named(venue: str, symbol: str, wanted: str) -> Row:
    return {"venue": venue, "symbol": symbol, "timeframe": wanted}


@contextmanager
def opened(settings: Settings) -> Iterator[tuple["DataHouse", bool]]:
    """Open the data folder, to be read; the second says whether nobody else has it, so that it may be written too."""
    from pilothouse.kit.clocks import SystemClock
    from pilothouse.kit.lease import HouseTaken, house_lock
    from pilothouse.migrations.migrate import migrate
    from pilothouse.wiring.data_only import open_data

    try:
        lock = house_lock(settings.data)
    except HouseTaken:
        with open_data(settings) as house:
            yield house, False
        return
    with lock:
        migrate(settings.database_url, backup_to=settings.data / "backups", clock=SystemClock())
        with open_data(settings) as house:
            yield house, True


@contextmanager
def reach(settings: Settings) -> Iterator[Reach]:
    """Open the way to candles that may be written. Raises DataTaken if the folder is neither free nor a house's."""
    from pilothouse.cli import talk

    with opened(settings) as (house, is_free):
        if is_free:
            yield Here(house)
            return
    try:
        way = talk.open_house(None, None)
        with way as running:
            running.get("/api/v1/coverage", venue="-")
            yield Running(running)
    except talk.NotRunning:
        raise DataTaken(
            f"another process works on {settings.data} and answers nothing, such as another download: wait for it"
        ) from None


def since_when(text: str, now: datetime) -> datetime:
    """Return the instant that somebody typed: 2025-01-01, an instant of ISO 8601 (UTC without a zone), or 30d ago.

    Raises Refused.
    """
    import re
    from datetime import UTC, timedelta

    ago = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text)
    if ago:
        hours = {"h": 1, "d": 24, "w": 168}[ago[2]] * int(ago[1])
        return now - timedelta(hours=hours)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            f"{text[:40]!a} is no time: 2025-01-01, 2025-01-01T12:00:00Z, or 30d for thirty days ago"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
