"""Settings of an account over REST: what holds for all of its instruments."""

from typing import Any

from pilothouse.simexchange import user_events
from pilothouse.simexchange.asking import DONE, SIGNED, Asking, Route
from pilothouse.simexchange.figures import fixed
from pilothouse.simexchange.limits import rate_limits
from pilothouse.simexchange.order_intake import STP_MODES
from pilothouse.simexchange.records import ASTER
from pilothouse.simexchange.wire_errors import WireError, missing, refused
from pilothouse.simulation import exchange as trading


def position_side(asking: Asking) -> Any:
    """Tell whether longs and shorts stand side by side."""
    return {"dualSidePosition": asking.account.hedged}


def set_position_side(asking: Asking) -> Any:
    """Set whether longs and shorts stand side by side."""
    hedged = asking.request.flag("dualSidePosition")
    if hedged is None:
        raise missing("dualSidePosition")
    if asking.file.open_algos() and hedged != asking.account.hedged:
        raise WireError(-4067)
    refusal = trading.set_hedged(asking.exchange.floor, asking.file.id, hedged=hedged)
    if refusal is not None:
        raise refused(refusal)
    return DONE


def multi_assets(asking: Asking) -> Any:
    """Tell whether several assets count as margin."""
    return {"multiAssetsMargin": asking.file.multi_assets}


def set_multi_assets(asking: Asking) -> Any:
    """Set whether several assets count as margin."""
    wanted = asking.request.flag("multiAssetsMargin")
    if wanted is None:
        raise missing("multiAssetsMargin")
    if wanted == asking.file.multi_assets:
        raise WireError(-4171)
    if wanted and any(each.is_isolated for each in asking.account.holdings.values()):
        raise WireError(-4167)
    if asking.account.orders:
        raise WireError(-4170)
    asking.file.multi_assets = wanted
    event = user_events.reconfigured(multi_assets=wanted, now=asking.now)
    asking.exchange.telling.tell(asking.file.id, "ACCOUNT_CONFIG_UPDATE", event)
    return DONE


def stp_mode(asking: Asking) -> Any:
    """Tell what happens when the account would trade with itself."""
    return {"stpMode": asking.account.stp}


def set_stp_mode(asking: Asking) -> Any:
    """Set what happens when the account would trade with itself."""
    mode = asking.request.need("stpMode").upper()
    if mode not in STP_MODES:
        raise missing("stpMode")
    asking.account.stp = mode
    return DONE


def commission_rate(asking: Asking) -> Any:
    """Tell the account's commissions."""
    symbol = asking.symbol()
    contract, its = asking.exchange.floor.contracts[symbol], asking.account
    maker = contract.maker_ppm if its.maker_ppm is None else its.maker_ppm
    taker = contract.taker_ppm if its.taker_ppm is None else its.taker_ppm
    words = {"symbol": symbol, "makerCommissionRate": fixed(maker, 6), "takerCommissionRate": fixed(taker, 6)}
    return words if asking.profile == ASTER else words | {"rpiCommissionRate": fixed(maker, 6)}


def account_config(asking: Asking) -> Any:
    """Tell the settings of the account."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": False,
        "dualSidePosition": asking.account.hedged,
        "updateTime": 0,
        "multiAssetsMargin": asking.file.multi_assets,
        "tradeGroupId": -1,
    }


def trading_status(asking: Asking) -> Any:
    """Tell that nothing is held against the account."""
    return {"indicators": {}, "updateTime": asking.now_ms}


def order_limits(asking: Asking) -> Any:
    """Tell the limits on orders."""
    return [each for each in rate_limits(asking.exchange.limits_raised) if each["rateLimitType"] == "ORDERS"]


def fee_burn(asking: Asking) -> Any:
    """Tell whether commissions would be paid in another asset; there is none here, so nothing comes of it."""
    return {"feeBurn": asking.file.fee_burn}


def set_fee_burn(asking: Asking) -> Any:
    """Set whether commissions would be paid in another asset."""
    wanted = asking.request.flag("feeBurn")
    if wanted is None:
        raise missing("feeBurn")
    asking.file.fee_burn = wanted
    return DONE


def sign_contract(_asking: Asking) -> Any:
    """Take the signature under terms for contracts on shares, of which there are none here."""
    return DONE


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "positionSide/dual"): Route(position_side, SIGNED, 30),
    ("POST", "positionSide/dual"): Route(set_position_side, SIGNED),
    ("GET", "multiAssetsMargin"): Route(multi_assets, SIGNED, 30),
    ("POST", "multiAssetsMargin"): Route(set_multi_assets, SIGNED),
    ("GET", "stpMode"): Route(stp_mode, SIGNED),
    ("POST", "stpMode"): Route(set_stp_mode, SIGNED),
    ("GET", "commissionRate"): Route(commission_rate, SIGNED, 20),
    ("GET", "accountConfig"): Route(account_config, SIGNED, 5),
    ("GET", "apiTradingStatus"): Route(trading_status, SIGNED),
    ("GET", "rateLimit/order"): Route(order_limits, SIGNED),
    ("GET", "feeBurn"): Route(fee_burn, SIGNED),
    ("POST", "feeBurn"): Route(set_fee_burn, SIGNED),
    ("POST", "stock/contract"): Route(sign_contract, SIGNED, 50),
}
