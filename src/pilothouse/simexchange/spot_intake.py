"""A spot order as a request asks for it, alone or as one of a list, checked against the filters of its instrument."""

from typing import Any

from pilothouse.simexchange.asking import Asking
from pilothouse.simexchange.exchange import SPOT
from pilothouse.simexchange.figures import parsed
from pilothouse.simexchange.order_intake import CLIENT_ID, grid_ticks, read_number
from pilothouse.simexchange.wire_errors import WireError, missing
from pilothouse.simulation.contracts import UNITS_PER_QUOTE
from pilothouse.simulation.spot_orders import LIMITED, SpotAccount, SpotOrder
from pilothouse.simulation.trailing import Trail

START_QUOTE = 100_000
KINDS = [
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
]  # fmt: skip
TRAIL_BIPS_MIN, TRAIL_BIPS_MAX = 10, 2_000
ICEBERG_PARTS_MAX = 100
PRICE_TIMES_MAX = 5
"""How many times the market a price may be, and how small a part of it."""

_TRIGGERED = frozenset(KINDS[3:])
_ASTER_KINDS = {"STOP": "STOP_LOSS_LIMIT", "STOP_MARKET": "STOP_LOSS", "TAKE_PROFIT": "TAKE_PROFIT_LIMIT",
                "TAKE_PROFIT_MARKET": "TAKE_PROFIT"}  # fmt: skip
"""The other venue's words for the same orders."""


class Names:
    """What the parameters of one order are called in a request: `price` alone, `abovePrice` in a list.

    shared   what it has in common with another order of the list: field -> parameter
    """

    def __init__(self, prefix: str = "", **shared: str) -> None:
        self.prefix, self._shared = prefix, shared

    def __getitem__(self, field: str) -> str:
        """Return the parameter of a field."""
        if field in self._shared:
            return self._shared[field]
        if not self.prefix:
            return "newClientOrderId" if field == "clientOrderId" else field
        return f"{self.prefix}{field[:1].upper()}{field[1:]}"


ALONE = Names()


def spot_account(asking: Asking) -> SpotAccount:
    """Return the spot side of the account that asks, opened at first sight."""
    found = asking.exchange.spot.accounts.get(asking.file.id)
    return found or asking.exchange.spot.open_account(asking.file.id, START_QUOTE * UNITS_PER_QUOTE)


def owner_of(asking: Asking) -> str:
    """Return the name under which events of the account's spot side are heard."""
    return SPOT + asking.file.id


def read_spot_order(asking: Asking, names: Names = ALONE, kind: str = "") -> SpotOrder:
    """Read an order; raises WireError for the first thing that is wrong with it.

    kind   its type, where the request does not name it
    """
    request, symbol = asking.request, asking.symbol()
    contract, grid = asking.exchange.floor.contracts[symbol], asking.exchange.grids[symbol]
    side = request.need(names["side"]).upper()
    if side not in {"BUY", "SELL"}:
        raise WireError(-1117)
    kind = (kind or request.need(names["type"])).upper()
    if asking.profile == "aster":
        kind = _ASTER_KINDS.get(kind, kind)
    if kind not in KINDS:
        raise WireError(-1116)
    client_id = _client_id(asking, names, kind)
    quote, lots = _size(asking, names, kind)
    ticks = _filtered(asking, names["price"], is_price=True) if kind in LIMITED else None
    trigger, trail = _trigger(asking, names, kind, 1 if side == "BUY" else -1)
    tif = request.text(names["timeInForce"], "" if kind == "LIMIT" else "GTC").upper()
    if tif not in {"GTC", "IOC", "FOK"}:
        raise missing(names["timeInForce"]) if not tif else WireError(-1115)
    market = asking.exchange.floor.desks[symbol].prices.last
    for at in (ticks, trigger):
        if at is not None and not market // PRICE_TIMES_MAX <= at <= market * PRICE_TIMES_MAX:
            raise WireError(-1013, "Filter failure: PERCENT_PRICE_BY_SIDE")
    if (quote or lots * (ticks or trigger or market) * contract.unit) < contract.notional_min:
        raise WireError(-1013, "Filter failure: NOTIONAL")
    if ticks is not None and ticks > grid_ticks(contract, grid, low=False):
        raise WireError(-1013, "Filter failure: PRICE_FILTER")
    return SpotOrder(
        0, asking.file.id, client_id, symbol, 1 if side == "BUY" else -1, kind, tif, lots, ticks, trigger, quote,
        asking.now, asking.now, trail=trail, shown=_shown(asking, names, kind, tif, lots),
        strategy=(request.whole(names["strategyId"], 0) or 0, request.whole(names["strategyType"], 0) or 0),
    )  # fmt: skip


def _client_id(asking: Asking, names: Names, kind: str) -> str:
    spot = asking.exchange.spot
    found = (
        asking.request.text(names["clientOrderId"]) or f"sim{spot.next_number}x{spot.next_list}{names.prefix}{kind[0]}"
    )
    if not CLIENT_ID.fullmatch(found):
        raise WireError(
            -1100,
            f"Illegal characters found in parameter '{names['clientOrderId']}'; legal range is"
            " '^[a-zA-Z0-9-_]{1,36}$'.",
        )
    return found


def _size(asking: Asking, names: Names, kind: str) -> tuple[int, int]:
    """Return the quote to spend or receive, and the lots; one of them is zero."""
    request = asking.request
    contract = asking.exchange.floor.contracts[asking.symbol()]
    if kind == "MARKET" and request.text("quoteOrderQty"):
        if request.text(names["quantity"]):
            raise WireError(-1106, "Parameter 'quoteOrderQty' sent when not required.")
        number = parsed(request.text("quoteOrderQty"))
        if number is None or number[0] <= 0 or number[1] > 8:
            raise missing("quoteOrderQty")
        return number[0] * 10 ** (8 - number[1]), 0
    lots = _filtered(asking, names["quantity"], is_price=False)
    if not contract.lots_min <= lots <= contract.lots_max:
        raise WireError(-1013, "Filter failure: LOT_SIZE")
    return 0, lots


def _trigger(asking: Asking, names: Names, kind: str, sign: int) -> tuple[int | None, Trail | None]:
    """Return where an order triggers, and how that follows the market."""
    if kind not in _TRIGGERED:
        return None, None
    bips = asking.request.whole(names["trailingDelta"])
    if bips is None:
        return _filtered(asking, names["stopPrice"], is_price=True), None
    if not TRAIL_BIPS_MIN <= bips <= TRAIL_BIPS_MAX:
        raise WireError(-1013, "Filter failure: TRAILING_DELTA")
    given = asking.request.text(names["stopPrice"])
    start = _filtered(asking, names["stopPrice"], is_price=True) if given else None
    last = asking.exchange.floor.desks[asking.symbol()].prices.last
    # A stop price that the market has passed already is where the trail begins: at once.
    begins = start if start is not None and (last - start) * sign > 0 else None
    return start, Trail(bips * 100, begins)


def _shown(asking: Asking, names: Names, kind: str, tif: str, lots: int) -> int:
    if not asking.request.text(names["icebergQty"]):
        return 0
    shown = _filtered(asking, names["icebergQty"], is_price=False)
    if kind not in LIMITED or tif != "GTC":
        raise WireError(-1106, "Parameter 'icebergQty' sent when not required.")
    if not 0 < shown <= lots or lots > shown * ICEBERG_PARTS_MAX:
        raise WireError(-1013, "Filter failure: ICEBERG_PARTS")
    return shown if shown < lots else 0


def _filtered(asking: Asking, name: str, *, is_price: bool) -> int:
    try:
        return read_number(asking.request, name, asking.exchange.grids[asking.symbol()], is_price=is_price)
    except WireError as error:
        if error.code in {-4014, -4023}:
            raise WireError(-1013, f"Filter failure: {'PRICE_FILTER' if is_price else 'LOT_SIZE'}") from None
        raise


def placed(asking: Asking, order: SpotOrder, tied: SpotOrder | None = None) -> None:
    """Place an order; raises WireError where the market does not take it."""
    spot_account(asking)
    refusal = asking.exchange.spot.place(order, asking.now, tied)
    if refusal is not None:
        raise WireError(int(refusal.code), refusal.message)
    asking.exchange.settle_spot()


def changed(asking: Asking, refusal: Any) -> None:
    """Tell what changed; raises WireError for a refusal."""
    if refusal is not None:
        raise WireError(int(refusal.code), refusal.message)
    asking.exchange.settle_spot()
