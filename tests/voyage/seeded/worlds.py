"""Where a voyage sails: at which exchange, on which database, and how positions are protected there.

The seed draws it, from a source of its own. `FIRST` is the world in which all voyages sailed at first: seeds that found
something in it are kept in it.
"""

from dataclasses import dataclass, replace
from typing import Final

from pilothouse.accounts.trading_accounts import Mode
from pilothouse.kit.sealed import Secret
from pilothouse.simexchange import records
from pilothouse.venues.aster import codes as aster_codes
from pilothouse.venues.ccxt.codes import Fault, Outcome
from pilothouse.venues.ccxt.known import quirks_of
from pilothouse.venues.keys import VenueKey
from tests.voyage.seeded.chance import Chance

BASE = "http://127.0.0.1:9"
"""Where the house believes the exchange to be. Nothing listens there, and nothing is opened."""

ASTER, BINANCE, SPOT = "aster", "binanceusdm", "binance"
SQLITE, POSTGRESQL = "sqlite", "postgresql"
PLAIN, TRAILING, LADDER = "plain", "trailing", "ladder"
MODE: Final = Mode.TESTNET

WALLET = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
# The first of the well-known throw-away keys of every Ethereum test chain; it holds nothing anywhere.
WALLET_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
API_KEY, API_SECRET = "K", "S"

_ASTER_CERTAIN = {
    aster_codes.Outcome.REJECTED,
    aster_codes.Outcome.NOT_NOW,
    aster_codes.Outcome.STALE,
    aster_codes.Outcome.EXISTS,
}
_CERTAIN = {Outcome.REJECTED, Outcome.NOT_NOW, Outcome.STALE, Outcome.EXISTS}


@dataclass(frozen=True, slots=True)
class World:
    """One world.

    protection     what alerts ask for that protect: a stop and a target, a trail, or a ladder of targets
    is_shared      whether somebody else trades on the account too, by the exchange's own screens
    clock_most_s   how far the house's clock jumps; its machine may be started anew then
    over_http      whether alerts come in through the real door, with senders that wait 3 s
    """

    venue: str = ASTER
    database: str = SQLITE
    protection: str = PLAIN
    is_shared: bool = False
    clock_most_s: float = 3.0
    over_http: bool = False

    def __str__(self) -> str:
        """Return it in words."""
        more = (", shared" if self.is_shared else "") + (", over HTTP" if self.over_http else "")
        return f"{self.venue} on {self.database}, {self.protection}{more}, clocks by {self.clock_most_s:.0f} s"

    @property
    def key(self) -> str:
        """Return how the house calls the exchange."""
        return str(VenueKey(self.venue, BASE))

    @property
    def is_spot(self) -> bool:
        """Say whether positions are coins there: nothing is sold that is not held, and there is no leverage."""
        return self.venue == SPOT

    @property
    def trails(self) -> bool:
        """Say whether orders of the exchange's own trail there; elsewhere the house moves a stop."""
        return self.protection == TRAILING and not self.is_spot

    @property
    def profile(self) -> str:
        """Return which dialect the exchange speaks."""
        return records.ASTER if self.venue == ASTER else records.BINANCE

    @property
    def account_id(self) -> str:
        """Return how the exchange calls our account."""
        return f"aster-{WALLET}" if self.venue == ASTER else f"binance-{API_KEY}"

    @property
    def credential(self) -> dict[str, Secret]:
        """Return what the account signs with."""
        if self.venue == ASTER:
            return {"user": Secret(WALLET), "signer": Secret(WALLET), "private_key": Secret(WALLET_KEY)}
        return {"api_key": Secret(API_KEY), "api_secret": Secret(API_SECRET)}

    @property
    def window_s(self) -> float:
        """Return how long the exchange takes a request after its stamp, without what the house adds for clocks."""
        return 64.0 if self.venue == ASTER else 5.0

    @property
    def questions(self) -> tuple[str, ...]:
        """Return what the house asks of the account, by path; what is told of positions weighs most."""
        if self.is_spot:
            return (*["account"] * 4, "openOrders", "order", "myTrades", "allOrders", "orderList")
        usual = (*["positionRisk"] * 4, "openOrders", "order", "userTrades", "income", "allOrders")
        return usual if self.venue == ASTER else (*usual, "openAlgoOrders", "algoOrder", "allAlgoOrders")

    def is_certain(self, status: int, code: int, text: str) -> bool:
        """Say whether an answer means that what was asked for was not done, and never will be."""
        if self.venue == ASTER:
            return code < 0 and aster_codes.outcome_of(status, code) in _ASTER_CERTAIN
        return quirks_of(self.venue).outcome(Fault(status, str(code), text)) in _CERTAIN


FIRST: Final = World()
_ON_SPOT, _OVER_HTTP, _SHARED_ON_SPOT = 0.25, 0.3, 0.5


def drawn(chance: Chance) -> World:
    """Return the world that a seed sails in."""
    source = chance.of("world")
    world = World(
        venue=source.choice((ASTER, BINANCE)),
        database=POSTGRESQL if source.random() < 0.15 else SQLITE,
        protection=source.choice((PLAIN, TRAILING, LADDER)),
        is_shared=source.random() < 0.3,
        clock_most_s=source.choice((3.0, 3.0, 60.0, 240.0)),
    )
    # Drawn last: seeds that sail elsewhere go on as they did.
    if source.random() < _ON_SPOT:
        world = replace(world, venue=SPOT, is_shared=False)
    world = replace(world, over_http=source.random() < _OVER_HTTP)
    return replace(world, is_shared=source.random() < _SHARED_ON_SPOT) if world.is_spot else world
