"""Conditional orders of the Binance kind over REST: kept aside until they trigger."""

from typing import Any

from pilothouse.simexchange.asking import SIGNED, Asking, Route
from pilothouse.simexchange.order_intake import CONDITIONAL, read_order
from pilothouse.simexchange.order_words import algo_words
from pilothouse.simexchange.records import Algo
from pilothouse.simexchange.wire_errors import WireError, missing


def place(asking: Asking) -> Any:
    """Take a conditional order."""
    request = asking.request
    if request.need("algoType").upper() != "CONDITIONAL":
        raise missing("algoType")
    if request.need("type").upper() not in CONDITIONAL:
        raise WireError(-1116)
    asking.symbol()
    wanted = read_order(
        request, asking.exchange.floor, asking.account, asking.exchange.grids, asking.profile, "clientAlgoId",
        asking.now,
    )  # fmt: skip
    return _words(asking, asking.exchange.conditional.place(asking.file, wanted))


def cancel(asking: Asking) -> Any:
    """Cancel a conditional order that waits."""
    algo = _named(asking, -2011)
    if not algo.is_open:
        raise WireError(-2011)
    asking.exchange.conditional.end(asking.file, algo, "CANCELED")
    return {"algoId": algo.number, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}


def cancel_all(asking: Asking) -> Any:
    """Cancel every conditional order of an instrument."""
    for algo in asking.file.open_algos(asking.symbol()):
        asking.exchange.conditional.end(asking.file, algo, "CANCELED")
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def one(asking: Asking) -> Any:
    """Tell of one conditional order."""
    return _words(asking, _named(asking, -2013))


def open_ones(asking: Asking) -> Any:
    """Tell of those that wait."""
    symbol = asking.symbol() if asking.request.text("symbol") else ""
    number = asking.request.whole("algoId")
    return [_words(asking, algo) for algo in asking.file.open_algos(symbol) if number is None or algo.number == number]


def all_ones(asking: Asking) -> Any:
    """Tell of all of an instrument, oldest first."""
    symbol, request = asking.symbol(), asking.request
    number, start, end = request.whole("algoId"), request.whole("startTime"), request.whole("endTime")
    found = [
        algo
        for algo in asking.file.algos.values()
        if algo.symbol == symbol
        and (number is None or algo.number >= number)
        and (start is None or algo.created // 1_000 >= start)
        and (end is None or algo.created // 1_000 <= end)
    ]
    return [_words(asking, algo) for algo in found[-request.limit(500, 1_000) :]]


def _named(asking: Asking, code: int) -> Algo:
    number, client_id = asking.request.whole("algoId"), asking.request.text("clientAlgoId")
    if number is None and not client_id:
        raise WireError(-1102, "Either algoId or clientAlgoId must be sent.")
    if number is None:
        number = asking.file.algo_by_client.get(client_id)
    found = asking.file.algos.get(number) if number is not None else None
    if found is None:
        raise WireError(code)
    return found


def _words(asking: Asking, algo: Algo) -> dict[str, Any]:
    return algo_words(algo, asking.exchange.floor.contracts[algo.symbol], asking.exchange.grids[algo.symbol])


ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "algoOrder"): Route(place, SIGNED, 0, orders=1),
    ("DELETE", "algoOrder"): Route(cancel, SIGNED),
    ("GET", "algoOrder"): Route(one, SIGNED),
    ("GET", "openAlgoOrders"): Route(open_ones, SIGNED),
    ("GET", "allAlgoOrders"): Route(all_ones, SIGNED, 5),
    ("DELETE", "algoOpenOrders"): Route(cancel_all, SIGNED),
}
