"""Binance spot over REST, the private side: the same instruments as coins that are bought and held.

Public paths stand in `spot_market`, orders in `spot_order_rest`, lists of orders in `spot_lists`.
"""

from typing import Any

from pilothouse.simexchange import spot_lists, spot_market, spot_order_rest
from pilothouse.simexchange.asking import KEYED, SIGNED, Asking, Route
from pilothouse.simexchange.figures import money
from pilothouse.simexchange.limits import rate_limits as limits_told
from pilothouse.simexchange.spot_events import COMMISSION_RATE, NO_DISCOUNT
from pilothouse.simexchange.spot_intake import owner_of, spot_account
from pilothouse.simexchange.transfers import between_wallets
from pilothouse.simexchange.wire_errors import WireError
from pilothouse.simulation.contracts import SETTLEMENT


def account(asking: Asking) -> Any:
    """Tell the balances."""
    its = spot_account(asking)
    assets = dict.fromkeys(
        [SETTLEMENT, *(asking.exchange.floor.contracts[each].instrument.base for each in asking.listed)]
    )
    rate = "0.00100000"
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": rate, "taker": rate, "buyer": "0.00000000", "seller": "0.00000000"},
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": asking.now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": one, "free": money(its.free.get(one, 0)), "locked": money(its.locked.get(one, 0))}
            for one in assets
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def rate_limits(asking: Asking) -> Any:
    """Tell how many orders were sent."""
    ten, day = asking.file.spot_ten, asking.file.spot_day
    counts = {"SECOND": ten[1] if ten[0] == asking.now // 10_000_000 else 0,
              "DAY": day[1] if day[0] == asking.now // 86_400_000_000 else 0}  # fmt: skip
    return [
        each | {"count": counts[str(each["interval"])]}
        for each in limits_told(asking.exchange.limits_raised, is_spot=True)
        if each["rateLimitType"] == "ORDERS"
    ]


def filters(asking: Asking) -> Any:
    """Tell the account's own filters: none besides those of the instruments."""
    asking.symbol()
    return {"exchangeFilters": [], "symbolFilters": [], "assetFilters": []}


def nothing(asking: Asking) -> Any:
    """Tell that there is none of it: nobody trades with himself, no order is shared out, no block changes hands."""
    asking.symbol()
    return []


def rules(asking: Asking) -> Any:
    """Tell what else bounds the prices at which orders trade: nothing."""
    return {"symbolRules": [{"symbol": symbol, "rules": []} for symbol in asking.symbols()]}


def reference_price(asking: Asking) -> Any:
    """Tell the price that others are measured by: the mark."""
    symbol = asking.symbol()
    price = asking.exchange.grids[symbol].price(asking.exchange.floor.desks[symbol].prices.mark)
    return {"symbol": symbol, "referencePrice": price, "timestamp": asking.now_ms}


def reference_source(asking: Asking) -> Any:
    """Tell where that price comes from."""
    return {"symbol": asking.symbol(), "calculationType": "EXTERNAL", "externalCalculationId": 1}


def commission(asking: Asking) -> Any:
    """Tell the commissions."""
    each = {"maker": COMMISSION_RATE, "taker": COMMISSION_RATE, "buyer": "0.00000000", "seller": "0.00000000"}
    zero = dict.fromkeys(each, "0.00000000")
    return {
        "symbol": asking.symbol(),
        "standardCommission": each,
        "specialCommission": zero,
        "taxCommission": zero,
        "discount": NO_DISCOUNT,
    }


def listen_key(asking: Asking) -> Any:
    """Give the listen key of the spot side."""
    spot_account(asking)
    return {"listenKey": asking.exchange.listen_keys.issue(owner_of(asking))}


def keep_listen_key(asking: Asking) -> Any:
    """Keep it alive for another hour."""
    if asking.exchange.listen_keys.owners.get(asking.request.need("listenKey"), ("", 0))[0] != owner_of(asking):
        raise WireError(-1125)
    asking.exchange.listen_keys.issue(owner_of(asking))
    return {}


def close_listen_key(asking: Asking) -> Any:
    """End it; nobody hears anything by it any more."""
    if asking.exchange.listen_keys.owners.get(asking.request.need("listenKey"), ("", 0))[0] == owner_of(asking):
        asking.exchange.listen_keys.drop(owner_of(asking), quietly=True)
    return {}


def commission_in_short(asking: Asking) -> Any:
    """Tell the commissions in the other venue's words."""
    return {"symbol": asking.symbol(), "makerCommissionRate": COMMISSION_RATE, "takerCommissionRate": COMMISSION_RATE}


ROUTES: dict[tuple[str, str], Route] = (
    spot_market.ROUTES
    | spot_lists.ROUTES
    | spot_order_rest.ROUTES
    | {
        ("GET", "account"): Route(account, SIGNED, 20),
        ("GET", "account/commission"): Route(commission, SIGNED, 20),
        ("GET", "myPreventedMatches"): Route(nothing, SIGNED, 20),
        ("GET", "myFilters"): Route(filters, SIGNED, 40),
        ("GET", "executionRules"): Route(rules, weight=2),
        ("GET", "historicalBlockTrades"): Route(nothing, weight=25),
        ("GET", "referencePrice"): Route(reference_price, weight=2),
        ("GET", "referencePrice/calculation"): Route(reference_source, weight=2),
        ("GET", "myAllocations"): Route(nothing, SIGNED, 20),
        ("GET", "rateLimit/order"): Route(rate_limits, SIGNED, 40),
        ("POST", "userDataStream"): Route(listen_key, KEYED),
        ("PUT", "userDataStream"): Route(keep_listen_key, KEYED),
        ("DELETE", "userDataStream"): Route(close_listen_key, KEYED),
    }
)

ASTER_NAMES: dict[tuple[str, str], Route] = {
    ("GET", "userTrades"): Route(spot_order_rest.my_trades, SIGNED, 5),
    ("POST", "asset/wallet/transfer"): Route(between_wallets, SIGNED, 5),
    ("GET", "openOrder"): Route(spot_order_rest.open_order, SIGNED),
    ("DELETE", "allOpenOrders"): Route(spot_order_rest.cancel_all, SIGNED),
    ("GET", "commissionRate"): Route(commission_in_short, SIGNED, 20),
    ("POST", "listenKey"): Route(listen_key, SIGNED),
    ("PUT", "listenKey"): Route(keep_listen_key, SIGNED),
    ("DELETE", "listenKey"): Route(close_listen_key, SIGNED),
}
"""What the other venue calls some of them."""
