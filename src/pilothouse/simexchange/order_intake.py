"""An order as a request asks for it, checked against the rules of its instrument, in whole ticks and lots."""

import re
from dataclasses import dataclass

from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simexchange.figures import MONEY_DECIMALS, Grid, parsed, short
from pilothouse.simexchange.records import ASTER, BINANCE
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.wire_errors import WireError, missing
from pilothouse.simulation.account import Account
from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.floor import Desk, Floor
from pilothouse.simulation.slots import BOTH, LONG, SHORT
from pilothouse.simulation.trailing import Trail

PRICE_UP_PPM, PRICE_DOWN_PPM = 1_050_000, 950_000
"""PERCENT_PRICE: how far a limit may lie above (a buy) or below (a sell) the mark."""

PROTECT_PPM = 50_000
MARKET_BOUND_PPM = 50_000

GOOD_TILL_MIN_MS, GOOD_TILL_MAX_MS = 600_000, 253_402_300_799_000

CONDITIONAL = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
_LIMITED = frozenset({"LIMIT", "STOP", "TAKE_PROFIT"})
_CLOSING = frozenset({"STOP_MARKET", "TAKE_PROFIT_MARKET"})
CLIENT_ID = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")
STP_MODES = frozenset({"NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"})


@dataclass(slots=True)
class Wanted:
    """What a request asks for, read and checked; lots are zero where the whole position is to be closed.

    origin   the type of the conditional order that it came of, if it did
    """

    symbol: str
    sign: int
    side: str
    kind: str
    tif: str
    lots: int
    price: int | None
    stop: int | None
    trail: Trail | None
    reduce_only: bool
    closes: bool
    working: str
    protect: bool
    client_id: str
    match: str
    stp: str
    good_till: int
    origin: str = ""

    @property
    def type(self) -> OrderType:
        """Return the type the floor knows; one that trails is a stop there."""
        return OrderType.STOP_MARKET if self.kind == "TRAILING_STOP_MARKET" else OrderType(self.kind)

    @property
    def time_in_force(self) -> TimeInForce:
        """Return how long it stands, as the floor knows it."""
        return TimeInForce(self.tif) if self.tif in TimeInForce.__members__ else TimeInForce.GTC


def desk_of(floor: Floor, request: Request) -> Desk:
    """Return the market a request names."""
    found = floor.desks.get(request.need("symbol").upper())
    if found is None:
        raise WireError(-1121)
    return found


def read_order(
    request: Request, floor: Floor, account: Account, grids: dict[str, Grid], profile: str, id_name: str, now: int
) -> Wanted:
    """Read an order; raises WireError for the first thing that is wrong with it.

    id_name   the parameter with the client id; empty text is returned where none came
    now       microseconds since 1970
    """
    desk = desk_of(floor, request)
    grid, contract = grids[desk.contract.symbol], desk.contract
    side_text = request.need("side").upper()
    if side_text not in {"BUY", "SELL"}:
        raise WireError(-1117)
    sign = 1 if side_text == "BUY" else -1
    kind = request.need("type").upper()
    if kind not in CONDITIONAL and kind not in {"LIMIT", "MARKET"}:
        raise WireError(-1116)
    algo = id_name == "clientAlgoId"
    closes = request.flag("closePosition") or False
    side, reduce_only = _position(request, account, sign, closes=closes)
    tif = _time_in_force(request, kind)
    if kind == "MARKET" and profile == BINANCE:
        for name in ("timeInForce", "price"):
            if request.text(name):
                raise WireError(-1106, f"Parameter '{name}' sent when not required.")
    if request.text("newOrderRespType", "ACK").upper() not in {"ACK", "RESULT"}:
        raise WireError(-1136)
    client_id = request.text(id_name)
    if client_id and not CLIENT_ID.fullmatch(client_id):
        raise WireError(-4015, "Client order id length should not be more than 36 chars" if len(client_id) > 36 else "")
    if closes and kind not in _CLOSING:
        raise WireError(-4136)
    lots = _lots(request, grid, contract, closes=closes)
    held = account.reducible(contract.symbol, sign, side)
    if side != BOTH and reduce_only and kind not in CONDITIONAL and lots > held > 0:
        raise WireError(-2022)
    match = request.text("priceMatch", "NONE").upper()
    price = _price(request, desk, grid, kind, sign, match)
    working = request.text("workingType", "CONTRACT_PRICE").upper()
    if working not in {"CONTRACT_PRICE", "MARK_PRICE"}:
        raise WireError(-4031)
    stop, trail = _trigger(request, desk, grid, kind, sign, working, algo=algo)
    stp = request.text("selfTradePreventionMode", account.stp).upper()
    if stp not in STP_MODES:
        raise WireError(-5039)
    good_till = (request.whole("goodTillDate", 0) or 0) if tif == "GTD" else 0
    if tif == "GTD" and not good_till:
        raise missing("goodTillDate")
    if good_till and not now // 1_000 + GOOD_TILL_MIN_MS < good_till < GOOD_TILL_MAX_MS:
        raise WireError(-5040)
    _percent_price(desk, grid, kind, sign, price)
    whole = profile == BINANCE and tif == "FOK" and kind == "LIMIT"
    if whole and floor.takeable(account, contract.symbol, sign, lots, price) < lots:
        raise WireError(-5021)
    return Wanted(
        contract.symbol, sign, side, kind, tif, lots, price, stop, trail, reduce_only, closes, working,
        request.flag("priceProtect") or False, client_id, match, stp, good_till,
    )  # fmt: skip


def read_number(request: Request, name: str, grid: Grid, *, is_price: bool) -> int:
    """Return a price in ticks or a quantity in lots; raises WireError where it does not lie on the grid."""
    found = parsed(request.need(name))
    if found is None:
        raise WireError(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^([0-9]{{1,20}})(\\.[0-9]{{1,20}})?$'.",
        )
    digits, decimals = found
    if digits < 0:
        raise WireError(-4001 if is_price else -4003)
    if decimals > (grid.price_digits if is_price else grid.lot_digits):
        raise WireError(-1111)
    count = grid.ticks(digits, decimals) if is_price else grid.lots(digits, decimals)
    if count is None:
        raise WireError(-4014 if is_price else -4023)
    return count


def _position(request: Request, account: Account, sign: int, *, closes: bool) -> tuple[str, bool]:
    """Return the side of the slot, and whether the order may only reduce what is there."""
    side = request.text("positionSide", BOTH).upper()
    reduce_only = request.flag("reduceOnly")
    if side not in {BOTH, LONG, SHORT}:
        raise WireError(-4060)
    if (side == BOTH) == account.hedged:
        raise WireError(-4061)
    if not account.hedged:
        return side, bool(reduce_only) or closes
    if reduce_only is not None and reduce_only:
        raise WireError(-1106, "Parameter 'reduceonly' sent when not required.")
    exits = (sign < 0) == (side == LONG)
    if closes and not exits:
        raise WireError(-4136)
    return side, exits


def _time_in_force(request: Request, kind: str) -> str:
    found = request.text("timeInForce").upper()
    if request.flag("postOnly") and kind == "LIMIT":
        found = "GTX"
    if not found:
        if kind == "LIMIT":
            raise missing("timeInForce")
        return "GTC"
    if found not in {"GTC", "IOC", "FOK", "GTX", "GTD", "GTE_GTC", "RPI", "HIDDEN"}:
        raise WireError(-1115)
    if found in {"RPI", "HIDDEN"}:
        return "GTX" if found == "RPI" else "GTC"
    return found


def _lots(request: Request, grid: Grid, contract: Contract, *, closes: bool) -> int:
    if closes:
        if request.text("quantity"):
            raise WireError(-4137)
        if request.flag("reduceOnly"):
            raise WireError(-1106, "Parameter 'reduceonly' sent when not required.")
        return 0
    lots = read_number(request, "quantity", grid, is_price=False)
    if lots <= 0:
        raise WireError(-4003)
    if lots < contract.lots_min:
        raise WireError(-4004)
    if lots > contract.lots_max:
        raise WireError(-4005)
    return lots


def _price(request: Request, desk: Desk, grid: Grid, kind: str, sign: int, match: str) -> int | None:
    if kind not in _LIMITED:
        if match != "NONE":
            raise WireError(-5038)
        return None
    if match != "NONE":
        best = desk.prices.ask if sign > 0 else desk.prices.bid
        own = desk.prices.bid if sign > 0 else desk.prices.ask
        if not re.fullmatch(r"(OPPONENT|QUEUE)(_(5|10|20))?", match):
            raise WireError(-5037)
        if request.text("price"):
            raise WireError(-1106, "Parameter 'price' sent when not required.")
        deep = int(match.partition("_")[2] or 0)
        return best + sign * deep if match.startswith("OPPONENT") else own - sign * deep
    ticks = read_number(request, "price", grid, is_price=True)
    _in_bounds(desk.contract, grid, ticks)
    return ticks


def grid_ticks(contract: Contract, grid: Grid, *, low: bool) -> int:
    """Return the lowest or highest price of an instrument, in ticks."""
    instrument = contract.instrument
    found = parsed(format(instrument.price_min if low else instrument.price_max, "f"))
    assert found is not None, "a table of ours holds plain numbers"
    ticks = grid.ticks(*found)
    assert ticks is not None, "bounds lie on the grid"
    return ticks


def _trigger(
    request: Request, desk: Desk, grid: Grid, kind: str, sign: int, working: str, *, algo: bool
) -> tuple[int | None, Trail | None]:
    """Return the trigger price in ticks, or how it trails."""
    if kind not in CONDITIONAL:
        return None, None
    if kind != "TRAILING_STOP_MARKET":
        found = read_number(request, "triggerPrice" if algo else "stopPrice", grid, is_price=True)
        if found <= 0:
            raise WireError(-4006)
        return found, None
    rate = parsed(request.need("callbackRate"))
    if rate is None or rate[1] > 4:
        raise missing("callbackRate")
    ppm = rate[0] * 10 ** (4 - rate[1])
    if not 1_000 <= ppm <= (200_000 if algo else 50_000):
        raise WireError(-2007, "Invalid callBack rate")
    name = "activatePrice" if request.text("activatePrice") else "activationPrice"
    activation = read_number(request, name, grid, is_price=True) if request.text(name) else None
    last = desk.working(by_last=working == "CONTRACT_PRICE")
    if activation is not None and (last - activation) * sign < 0:
        raise WireError(-2021)
    return None, Trail(ppm, activation)


def check_amended(desk: Desk, grid: Grid, sign: int, lots: int, price: int, *, reduces: bool) -> None:
    """Check the new size and price of an order; raises WireError for the first thing that is wrong with them."""
    contract = desk.contract
    if lots <= 0:
        raise WireError(-4003)
    if lots > contract.lots_max:
        raise WireError(-4005)
    _in_bounds(contract, grid, price)
    _percent_price(desk, grid, "LIMIT", sign, price)
    if not reduces and lots * price * contract.unit < contract.notional_min:
        least = short(contract.notional_min, MONEY_DECIMALS)
        raise WireError(-5029, f"Order's notional must be no smaller than {least}")


def _in_bounds(contract: Contract, grid: Grid, ticks: int) -> None:
    if ticks < grid_ticks(contract, grid, low=True):
        raise WireError(-4013)
    if ticks > grid_ticks(contract, grid, low=False):
        raise WireError(-4002)


def _percent_price(desk: Desk, grid: Grid, kind: str, sign: int, price: int | None) -> None:
    mark = desk.prices.mark
    up, down = mark * PRICE_UP_PPM // 1_000_000, mark * PRICE_DOWN_PPM // 1_000_000
    if kind == "LIMIT" and price is not None:
        if sign > 0 and price > up:
            raise WireError(-4016, f"Limit price can't be higher than {grid.price(up)}.")
        if sign < 0 and price < down:
            raise WireError(-4024, f"Limit price can't be lower than {grid.price(down)}.")
    if kind == "MARKET":
        best = desk.ladder(sign).best()
        if best is None:
            resting = (each.price for each in desk.orders.values() if each.sign == -sign and not each.waits)
            best = min((each for each in resting if each is not None), key=lambda each: each * sign, default=None)
        if best is not None and (best > up or best < down):
            raise WireError(-4131)


def refuses_old_path(kind: str, profile: str) -> bool:
    """Say whether an order of that type no longer goes through the ordinary path."""
    return profile == BINANCE and kind.upper() in CONDITIONAL


def post_only_expires(profile: str) -> bool:
    """Say whether a post-only order that would take is accepted and expires."""
    return profile == ASTER
