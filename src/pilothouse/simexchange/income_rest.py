"""History over REST: what came and went without an order of its own, and downloads that are never ready."""

from typing import Any

from pilothouse.simexchange.asking import SIGNED, Asking, Route
from pilothouse.simexchange.figures import money
from pilothouse.simulation.contracts import SETTLEMENT


def income(asking: Asking) -> Any:
    """Tell what came and went, oldest first."""
    request, limit = asking.request, asking.request.limit(100, 1_000)
    symbol, kind = request.text("symbol").upper(), request.text("incomeType").upper()
    start, end = request.whole("startTime"), request.whole("endTime")
    found = [
        each
        for each in asking.file.income
        if (not symbol or each.symbol == symbol)
        and (not kind or each.kind == kind)
        and (start is None or each.at // 1_000 >= start)
        and (end is None or each.at // 1_000 <= end)
    ]
    page = (request.whole("page", 1) or 1) - 1
    chosen = found[page * limit : (page + 1) * limit] if start is not None or page else found[-limit:]
    return [
        {
            "symbol": each.symbol,
            "incomeType": each.kind,
            "income": money(each.amount),
            "asset": SETTLEMENT,
            "info": each.info,
            "time": each.at // 1_000,
            "tranId": each.number,
            "tradeId": each.trade,
        }
        for each in chosen
    ]


def download(asking: Asking) -> Any:
    """Take an order for a download of history; nothing is ever made ready here."""
    return {"avgCostTimestampOfLast30d": 0, "downloadId": str(asking.now)}


def download_state(asking: Asking) -> Any:
    """Tell that a download is not ready yet."""
    return {
        "downloadId": asking.request.need("downloadId"),
        "status": "processing",
        "url": "",
        "notified": False,
        "expirationTimestamp": -1,
        "isExpired": None,
    }


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "income"): Route(income, SIGNED, 30),
    **{("GET", f"{what}/asyn"): Route(download, SIGNED, 1_000) for what in ("income", "order", "trade")},
    **{("GET", f"{what}/asyn/id"): Route(download_state, SIGNED, 10) for what in ("income", "order", "trade")},
}
