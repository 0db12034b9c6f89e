"""An account over REST: its money, and all of it at once."""

from typing import Any

from pilothouse.simexchange.asking import SIGNED, Asking, Route
from pilothouse.simexchange.figures import money
from pilothouse.simexchange.position_rest import position_words, shown_slots
from pilothouse.simexchange.records import ASTER, BINANCE, slots_of
from pilothouse.simexchange.settings_rest import account_config
from pilothouse.simulation.account import Standing
from pilothouse.simulation.contracts import SETTLEMENT


def balance(asking: Asking) -> Any:
    """Tell the balances."""
    worth = asking.exchange.floor.standing(asking.account)
    return [
        {
            "accountAlias": asking.file.alias,
            "asset": SETTLEMENT,
            "balance": money(worth.wallet),
            "crossWalletBalance": money(worth.cross_wallet),
            "crossUnPnl": money(worth.cross_unrealised),
            "availableBalance": money(worth.available),
            "maxWithdrawAmount": money(_withdrawable(worth)),
            "marginAvailable": True,
            "updateTime": asking.now_ms,
        }
    ]


def account(asking: Asking) -> Any:
    """Tell everything about the account."""
    worth = asking.exchange.floor.standing(asking.account)
    for symbol in asking.listed:
        for key in slots_of(asking.account, symbol):
            asking.account.holding(key)
    found = [position_words(asking, symbol, key) for symbol, key in shown_slots(asking)]
    orders = sum(int(each["openOrderInitialMargin"].replace(".", "")) for each in found)
    totals = {
        "InitialMargin": worth.initial,
        "MaintMargin": worth.maintenance,
        "WalletBalance": worth.wallet,
        "UnrealizedProfit": worth.unrealised,
        "MarginBalance": worth.margin_balance,
        "PositionInitialMargin": worth.initial - orders,
        "OpenOrderInitialMargin": orders,
        "CrossWalletBalance": worth.cross_wallet,
        "CrossUnPnl": worth.cross_unrealised,
    }
    asset = {name[:1].lower() + name[1:]: money(value) for name, value in totals.items()}
    third = asking.version >= 3 and asking.profile == BINANCE
    if third:
        busy = {each.symbol for each in asking.account.orders.values()}
        found = [each for each in found if each["symbol"] in busy or each["notional"] != money(0)]
        found = [{name: each[name] for name in _POSITION_OF_THE_THIRD_KIND} for each in found]
    settings = account_config(asking) | {"feeBurn": asking.file.fee_burn}
    del settings["dualSidePosition"]
    if asking.profile == ASTER:
        del settings["feeBurn"]
    return {
        **({} if third else settings),
        **{f"total{name}": money(value) for name, value in totals.items()},
        "availableBalance": money(worth.available),
        "maxWithdrawAmount": money(_withdrawable(worth)),
        "assets": [
            {
                "asset": SETTLEMENT,
                **asset,
                "availableBalance": money(worth.available),
                "maxWithdrawAmount": money(_withdrawable(worth)),
                **({} if third else {"marginAvailable": True}),
                "updateTime": asking.now_ms,
            }
        ],
        "positions": found,
    }


_POSITION_OF_THE_THIRD_KIND = (
    "symbol", "positionSide", "positionAmt", "unrealizedProfit", "isolatedMargin", "notional", "isolatedWallet",
    "initialMargin", "maintMargin", "updateTime",
)  # fmt: skip


def _withdrawable(worth: Standing) -> int:
    return max(0, min(worth.available, worth.cross_wallet))


def portfolio_margin(asking: Asking) -> Any:
    """Tell what could be withdrawn under a margin that nobody has here."""
    asset = asking.request.need("asset").upper()
    worth = asking.exchange.floor.standing(asking.account)
    amount = money(_withdrawable(worth) if asset == SETTLEMENT else 0)
    return {"maxWithdrawAmountUSD": amount, "asset": asset, "maxWithdrawAmount": amount}


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "balance"): Route(balance, SIGNED, 5),
    ("GET", "account"): Route(account, SIGNED, 5),
    ("GET", "accountWithJoinMargin"): Route(account, SIGNED, 5),
    ("GET", "pmAccountInfo"): Route(portfolio_margin, SIGNED, 5),
}
