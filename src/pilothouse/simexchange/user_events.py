"""Events of the user data stream, as both futures venues shape them. Pure: what happened in, the event out."""

from typing import Any

from pilothouse.core.order import TimeInForce
from pilothouse.simexchange.figures import Grid, fixed, money
from pilothouse.simexchange.records import BINANCE, Algo, Fill, Told
from pilothouse.simulation.contracts import SETTLEMENT, Contract
from pilothouse.simulation.floor import Floor
from pilothouse.simulation.margin import maintenance
from pilothouse.simulation.orders import Order, Status
from pilothouse.simulation.slots import side_of, symbol_of


def order_update(
    told: Told,
    contract: Contract,
    grid: Grid,
    profile: str,
    execution: str,
    status: str,
    now: int,
    fill: Fill | None,
) -> dict[str, Any]:
    """Return an ORDER_TRADE_UPDATE.

    execution   NEW, TRADE, CANCELED, EXPIRED, CALCULATED or AMENDMENT
    fill        the trade it tells, if it tells one
    """
    order = told.order
    stop = order.stop if order.trail is None else None
    body: dict[str, Any] = {
        "s": order.symbol,
        "c": order.client_id,
        "S": "BUY" if order.sign > 0 else "SELL",
        "o": kind_now(told),
        "f": order.tif.value if not told.good_till else "GTD",
        "q": grid.quantity(order.lots),
        "p": grid.price(order.price),
        "ap": grid.average(told.told_worth, told.told, contract.unit),
        "sp": grid.price(stop),
        "x": execution,
        "X": status_word(order, status, profile),
        "i": order.number,
        "l": grid.quantity(fill.lots if fill else 0),
        "z": grid.quantity(told.told),
        "L": grid.price(fill.price if fill else None),
        "n": money(fill.commission if fill else 0),
        "N": SETTLEMENT,
        "T": (fill.at if fill else order.updated) // 1_000,
        "t": fill.trade if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.maker if fill else False,
        "R": order.reduce_only and not order.closes,
        "wt": told.working,
        "ot": told.kind,
        "ps": order.side,
        "cp": order.closes,
        "rp": money(fill.realised if fill else 0),
        "pP": told.protect,
        "si": 0,
        "ss": 0,
        "V": told.stp,
        "pm": told.match,
        "gtd": told.good_till,
    }
    if profile == BINANCE:
        body["er"] = expiry_reason(order)
    if execution == "AMENDMENT" and told.modify_id:
        body["M"] = told.modify_id
    if order.trail is not None:
        body["AP"] = grid.price(order.trail.activation)
        body["cr"] = fixed(order.trail.callback_ppm, 4).rstrip("0").rstrip(".")
    if profile == BINANCE and not fill:
        del body["n"], body["N"]
    return {"e": "ORDER_TRADE_UPDATE", "E": now // 1_000, "T": body["T"], "o": body}


def trade_lite(told: Told, grid: Grid, now: int, fill: Fill) -> dict[str, Any]:
    """Return the short form that Binance sends ahead of the long one."""
    order = told.order
    return {
        "e": "TRADE_LITE",
        "E": now // 1_000,
        "T": fill.at // 1_000,
        "s": order.symbol,
        "q": grid.quantity(order.lots),
        "p": grid.price(order.price),
        "m": fill.maker,
        "c": order.client_id,
        "S": "BUY" if order.sign > 0 else "SELL",
        "L": grid.price(fill.price),
        "l": grid.quantity(fill.lots),
        "t": fill.trade,
        "i": order.number,
    }


def account_update(
    floor: Floor,
    grids: dict[str, Grid],
    account_id: str,
    slots: list[str],
    reason: str,
    moved: int,
    now: int,
    later: int = 0,
) -> dict[str, Any]:
    """Return an ACCOUNT_UPDATE with the balance and the positions that were touched.

    moved   quote units that came without a trade
    later   quote units of what has come since, which another event tells
    """
    account = floor.accounts[account_id]
    worth = floor.standing(account)
    positions = []
    for key in slots:
        symbol = symbol_of(key)
        holding, desk, grid = account.holding(key), floor.desks[symbol], grids[symbol]
        unit = desk.contract.unit
        entry = grid.average(abs(holding.cost), abs(holding.lots), unit)
        positions.append(
            {
                "s": symbol,
                "pa": grid.quantity(holding.lots),
                "ep": entry,
                "bep": entry,
                "cr": "0",
                "up": money(holding.unrealised(desk.contract, desk.prices.mark)),
                "mt": "isolated" if holding.is_isolated else "cross",
                "iw": money(holding.isolated),
                "ps": side_of(key),
                "ma": SETTLEMENT,
            }
        )
    wallet, cross = worth.wallet - later, worth.cross_wallet - later
    balance = {"a": SETTLEMENT, "wb": money(wallet), "cw": money(cross), "bc": money(moved)}
    return {
        "e": "ACCOUNT_UPDATE",
        "E": now // 1_000,
        "T": now // 1_000,
        "a": {"m": reason, "B": [balance], "P": positions},
    }


def margin_call(floor: Floor, grids: dict[str, Grid], account_id: str, slots: list[str], now: int) -> dict[str, Any]:
    """Return a MARGIN_CALL about positions that are near to being closed by force."""
    account, positions = floor.accounts[account_id], []
    for key in slots:
        symbol = symbol_of(key)
        holding, desk, grid = account.holding(key), floor.desks[symbol], grids[symbol]
        mark = desk.prices.mark
        positions.append(
            {
                "s": symbol,
                "ps": side_of(key),
                "pa": grid.quantity(holding.lots),
                "mt": "ISOLATED" if holding.is_isolated else "CROSSED",
                "iw": money(holding.isolated),
                "mp": grid.price(mark),
                "up": money(holding.unrealised(desk.contract, mark)),
                "mm": money(maintenance(desk.contract, abs(holding.notional(desk.contract, mark)))),
            }
        )
    event = {"e": "MARGIN_CALL", "E": now // 1_000, "p": positions}
    if any(not account.holding(key).is_isolated for key in slots):
        event["cw"] = money(floor.standing(account).cross_wallet)
    return event


def configured(symbol: str, leverage: int, now: int) -> dict[str, Any]:
    """Return an ACCOUNT_CONFIG_UPDATE about leverage."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": now // 1_000, "T": now // 1_000, "ac": {"s": symbol, "l": leverage}}


def reconfigured(*, multi_assets: bool, now: int) -> dict[str, Any]:
    """Return an ACCOUNT_CONFIG_UPDATE about what counts as margin."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": now // 1_000, "T": now // 1_000, "ai": {"j": multi_assets}}


def algo_update(algo: Algo, contract: Contract, grid: Grid, now: int) -> dict[str, Any]:
    """Return an ALGO_UPDATE."""
    actual = algo.actual
    return {
        "e": "ALGO_UPDATE",
        "E": now // 1_000,
        "T": algo.updated // 1_000,
        "o": {
            "caid": algo.client_id,
            "aid": algo.number,
            "at": "CONDITIONAL",
            "o": algo.kind,
            "s": algo.symbol,
            "S": "BUY" if algo.sign > 0 else "SELL",
            "ps": algo.side,
            "f": algo.tif,
            "q": grid.quantity(algo.lots),
            "X": algo.status,
            "ai": str(actual.number) if actual else "",
            "ap": grid.average(actual.traded, actual.filled, contract.unit) if actual else "0",
            "aq": grid.quantity(actual.filled) if actual else "0",
            "act": actual.type.value if actual else "",
            "tp": grid.price(algo.stop),
            "p": grid.price(algo.price),
            "V": algo.stp,
            "wt": algo.working,
            "pm": algo.match,
            "cp": algo.closes,
            "pP": algo.protect,
            "R": algo.reduce_only,
            "tt": algo.triggered // 1_000,
            "gtd": algo.good_till,
            "rm": algo.reason,
            **({"ia": algo.trail.best is not None} if algo.trail is not None else {}),
        },
    }


def kind_now(told: Told) -> str:
    """Return the type of an order as it is now: one that has triggered is a market or limit order."""
    if not told.order.triggered and not told.conditional:
        return told.kind
    return "LIMIT" if told.order.type.has_limit else "MARKET"


_EXPIRY_REASONS = (
    ("self-trade prevention", "1"),
    ("the rest could not be filled at once", "2"),
    ("nothing is left that it could reduce", "4"),
    ("the position was liquidated", "5"),
    ("liquidation", "5"),
)


def expiry_reason(order: Order) -> str:
    """Return why an order expired, in the venue's numbers; "0": it did not, or there is no number for it."""
    if order.status is not Status.EXPIRED:
        return "0"
    found = next((code for start, code in _EXPIRY_REASONS if order.reason.startswith(start)), "0")
    immediate = order.tif in {TimeInForce.IOC, TimeInForce.FOK} and order.type.has_limit
    if found == "1" and immediate:
        return "3"
    return "9" if found == "2" and not immediate else found


def status_word(order: Order, status: str, profile: str) -> str:
    """Return a status in the venue's words: Binance tells apart what ended because it met its owner's other order."""
    prevented = status == Status.EXPIRED and order.reason == "self-trade prevention"
    return "EXPIRED_IN_MATCH" if prevented and profile == BINANCE else str(status)


def ending_of(status: Status) -> str:
    """Return the execution type with which an order ended without a trade."""
    return "CANCELED" if status is Status.CANCELED else "EXPIRED"
