"""An account over REST: money, positions, settings, income, listen keys."""

from typing import Any

import msgspec

from pilothouse.simexchange import user_events
from pilothouse.simexchange.asking import KEYED, SIGNED, Asking, Route
from pilothouse.simexchange.figures import fixed, money, parsed, short
from pilothouse.simexchange.limits import rate_limits
from pilothouse.simexchange.order_intake import STP_MODES
from pilothouse.simexchange.records import ASTER, BINANCE, slots_of
from pilothouse.simexchange.wire_errors import WireError, missing, refused
from pilothouse.simulation import exchange as trading
from pilothouse.simulation.account import Standing, pending
from pilothouse.simulation.contracts import SETTLEMENT, Contract
from pilothouse.simulation.margin import bracket_for, initial, maintenance
from pilothouse.simulation.slots import SIDES, side_of, slot

_DONE = {"code": 200, "msg": "success"}


# ── money ─────────────────────────────────────────────────────────────────────────────────────────


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
    found = [_position(asking, symbol, key) for symbol, key in _slots(asking)]
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


# ── positions ─────────────────────────────────────────────────────────────────────────────────────


def _slots(asking: Asking) -> list[tuple[str, str]]:
    """Return every slot that is shown: instrument and slot."""
    sides = SIDES if asking.account.hedged else SIDES[:1]
    return [(symbol, slot(symbol, side)) for symbol in asking.listed for side in sides]


def _position(asking: Asking, symbol: str, key: str) -> dict[str, Any]:
    """Return a position as accounts show it."""
    exchange = asking.exchange
    holding, desk, grid = asking.account.holding(key), exchange.floor.desks[symbol], exchange.grids[symbol]
    mark, contract = desk.prices.mark, desk.contract
    notional = holding.notional(contract, mark)
    buys, sells = pending(asking.account, contract, mark, side_of(key))
    held = initial(abs(notional), holding.leverage)
    needs = initial(max(abs(notional), abs(notional + buys), abs(notional - sells)), holding.leverage)
    entry = grid.average(abs(holding.cost), abs(holding.lots), contract.unit)
    return {
        "symbol": symbol,
        "initialMargin": money(needs),
        "maintMargin": money(maintenance(contract, abs(notional)) if holding.lots else 0),
        "unrealizedProfit": money(holding.unrealised(contract, mark)),
        "positionInitialMargin": money(held),
        "openOrderInitialMargin": money(needs - held),
        "leverage": str(holding.leverage),
        "isolated": holding.is_isolated,
        "entryPrice": entry,
        "breakEvenPrice": entry,
        "maxNotional": _most(contract, holding.leverage),
        "bidNotional": "0",
        "askNotional": "0",
        "positionSide": side_of(key),
        "positionAmt": grid.quantity(holding.lots),
        "notional": money(notional),
        "isolatedMargin": money(holding.isolated + holding.unrealised(contract, mark) if holding.is_isolated else 0),
        "isolatedWallet": money(holding.isolated),
        "updateTime": asking.file.changed.get(symbol, 0),
    }


def position_risk(asking: Asking) -> Any:
    """Tell the positions with their risk."""
    wanted = asking.symbol() if asking.request.text("symbol") else ""
    busy = {each.symbol for each in asking.account.orders.values()}
    found = []
    for symbol, key in _slots(asking):
        if wanted and symbol != wanted:
            continue
        words = _risk(asking, symbol, key)
        if asking.version >= 3 and asking.profile == BINANCE:
            if not asking.account.holding(key).lots and symbol not in busy:
                continue
            words = _risk_of_the_third_kind(asking, symbol, key, words)
        found.append(words)
    return found


def _risk(asking: Asking, symbol: str, key: str) -> dict[str, Any]:
    exchange, words = asking.exchange, _position(asking, symbol, key)
    grid, desk = exchange.grids[symbol], exchange.floor.desks[symbol]
    holding = asking.account.holding(key)
    return {
        "symbol": symbol,
        "positionAmt": words["positionAmt"],
        "entryPrice": words["entryPrice"],
        "breakEvenPrice": words["breakEvenPrice"],
        "markPrice": grid.price(desk.prices.mark),
        "unRealizedProfit": words["unrealizedProfit"],
        "liquidationPrice": grid.price(exchange.liquidation_price(asking.account, key)),
        "leverage": words["leverage"],
        "maxNotionalValue": words["maxNotional"],
        "marginType": "isolated" if holding.is_isolated else "cross",
        "isolatedMargin": words["isolatedMargin"],
        "isAutoAddMargin": "false",
        "positionSide": words["positionSide"],
        "notional": words["notional"],
        "isolatedWallet": words["isolatedWallet"],
        "updateTime": words["updateTime"],
        "isolated": holding.is_isolated,
        "adlQuantile": 1 if holding.lots else 0,
    }


def _risk_of_the_third_kind(asking: Asking, symbol: str, key: str, words: dict[str, Any]) -> dict[str, Any]:
    """Return it as Binance's third version does: without settings, with margins."""
    margins = _position(asking, symbol, key)
    gone = {"leverage", "maxNotionalValue", "marginType", "isAutoAddMargin", "isolated", "adlQuantile"}
    kept = {name: value for name, value in words.items() if name not in gone}
    return kept | {
        "marginAsset": SETTLEMENT,
        "initialMargin": margins["initialMargin"],
        "maintMargin": margins["maintMargin"],
        "positionInitialMargin": margins["positionInitialMargin"],
        "openOrderInitialMargin": margins["openOrderInitialMargin"],
        "adl": 1,
        "bidNotional": "0",
        "askNotional": "0",
    }


def adl_quantile(asking: Asking) -> Any:
    """Tell where positions stand in the queue for deleveraging."""
    hedged = asking.account.hedged

    def queued(symbol: str) -> dict[str, int]:
        names = {"LONG": 0, "SHORT": 0, "HEDGE" if hedged else "BOTH": 0}
        for key in slots_of(asking.account, symbol):
            names[side_of(key)] = 1 if asking.account.holding(key).lots else 0
        return names

    return [
        {"symbol": symbol, "adlQuantile": queued(symbol)}
        for symbol in asking.symbols()
        if any(asking.account.holding(key).lots for key in slots_of(asking.account, symbol))
    ]


# ── settings ──────────────────────────────────────────────────────────────────────────────────────


def leverage_bracket(asking: Asking) -> Any:
    """Tell the brackets of leverage and maintenance margin."""
    found = [_brackets(asking.exchange.floor.contracts[symbol]) for symbol in asking.symbols()]
    return found[0] if asking.profile == ASTER and asking.request.text("symbol") else found


def _brackets(contract: Contract) -> dict[str, Any]:
    return {
        "symbol": contract.symbol,
        "notionalCoef": _number(100, 2),
        "brackets": [
            {
                "bracket": number,
                "initialLeverage": each.leverage_max,
                "notionalCap": each.notional_cap // 100_000_000,
                "notionalFloor": each.notional_floor // 100_000_000,
                "maintMarginRatio": _number(each.maintenance_ppm, 6),
                "cum": _number(each.deduction, 8),
            }
            for number, each in enumerate(contract.brackets, start=1)
        ],
    }


def _number(value: int, decimals: int) -> Any:
    """Return a JSON number, as the venues write these two fields: they are ratios and bounds, not booked."""
    return msgspec.Raw(short(value, decimals).encode())


def set_leverage(asking: Asking) -> Any:
    """Set the leverage of an instrument."""
    symbol, leverage = asking.symbol(), asking.request.need_whole("leverage")
    refusal = trading.set_leverage(asking.exchange.floor, asking.file.id, symbol, leverage)
    if refusal is not None:
        error = refused(refusal)
        raise WireError(error.code, f"Leverage {leverage} is not valid" if error.code == -4028 else error.text)
    asking.exchange.settle("ORDER")
    event = user_events.configured(symbol, leverage, asking.now)
    asking.exchange.telling.tell(asking.file.id, "ACCOUNT_CONFIG_UPDATE", event)
    most = _most(asking.exchange.floor.contracts[symbol], leverage)
    return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": most}


def _most(contract: Contract, leverage: int) -> str:
    caps = [each.notional_cap for each in contract.brackets if each.leverage_max >= leverage]
    return str(max(caps, default=bracket_for(contract, 0).notional_cap) // 100_000_000)


def set_margin_type(asking: Asking) -> Any:
    """Set whether an instrument's position risks its own margin only."""
    symbol, kind = asking.symbol(), asking.request.need("marginType").upper()
    if kind not in {"ISOLATED", "CROSSED", "CROSS"}:
        raise missing("marginType")
    isolated = kind == "ISOLATED"
    if asking.account.holding(symbol).is_isolated == isolated:
        raise WireError(-4046)
    if isolated and asking.file.multi_assets:
        raise WireError(-4168)
    refusal = trading.set_margin_type(asking.exchange.floor, asking.file.id, symbol, isolated=isolated)
    if refusal is not None:
        raise refused(refusal)
    asking.exchange.settle("MARGIN_TYPE_CHANGE")
    asking.exchange.telling.settings(asking.file, symbol, "MARGIN_TYPE_CHANGE")
    return _DONE


def position_margin(asking: Asking) -> Any:
    """Set more or less aside for an isolated position."""
    symbol, request = asking.symbol(), asking.request
    side = request.text("positionSide", "BOTH").upper()
    amount, kind = parsed(request.need("amount")), request.need_whole("type")
    if amount is None or amount[1] > 8 or kind not in {1, 2}:
        raise WireError(-4044 if amount is None else -1130)
    if amount[0] <= 0:
        raise WireError(-4055)
    units = amount[0] * 10 ** (8 - amount[1])
    key = slot(symbol, side)
    refusal = trading.add_isolated(asking.exchange.floor, asking.file.id, key, units if kind == 1 else -units)
    if refusal is not None:
        raise refused(refusal)
    asking.exchange.settle("MARGIN_TRANSFER")
    asking.exchange.telling.settings(asking.file, symbol, "MARGIN_TRANSFER")
    asking.file.margins.append((asking.now, symbol, side, units if kind == 1 else -units))
    return {
        "amount": _number(amount[0] * 10 ** (8 - amount[1]), 8),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": kind,
    }


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
    return _DONE


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
    return _DONE


def stp_mode(asking: Asking) -> Any:
    """Tell what happens when the account would trade with itself."""
    return {"stpMode": asking.account.stp}


def set_stp_mode(asking: Asking) -> Any:
    """Set what happens when the account would trade with itself."""
    mode = asking.request.need("stpMode").upper()
    if mode not in STP_MODES:
        raise missing("stpMode")
    asking.account.stp = mode
    return _DONE


def commission_rate(asking: Asking) -> Any:
    """Tell the account's commissions."""
    symbol = asking.symbol()
    contract, its = asking.exchange.floor.contracts[symbol], asking.account
    maker = contract.maker_ppm if its.maker_ppm is None else its.maker_ppm
    taker = contract.taker_ppm if its.taker_ppm is None else its.taker_ppm
    words = {"symbol": symbol, "makerCommissionRate": fixed(maker, 6), "takerCommissionRate": fixed(taker, 6)}
    return words if asking.profile == ASTER else words | {"rpiCommissionRate": fixed(maker, 6)}


def symbol_config(asking: Asking) -> Any:
    """Tell the settings of instruments."""
    found = []
    for symbol in asking.symbols():
        holding = asking.account.holding(symbol)
        found.append(
            {
                "symbol": symbol,
                "marginType": "ISOLATED" if holding.is_isolated else "CROSSED",
                "isAutoAddMargin": False,
                "leverage": holding.leverage,
                "maxNotionalValue": _most(asking.exchange.floor.contracts[symbol], holding.leverage),
            }
        )
    return found


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
    return _DONE


# ── history, keys ─────────────────────────────────────────────────────────────────────────────────


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


def margin_history(asking: Asking) -> Any:
    """Tell what was set aside for isolated positions by hand, or taken back; oldest first."""
    symbol, request = asking.symbol(), asking.request
    kind, start, end = request.whole("type"), request.whole("startTime"), request.whole("endTime")
    found = [
        {
            "symbol": symbol,
            "type": 1 if units > 0 else 2,
            "deltaType": "USER_ADJUST",
            "amount": money(abs(units)),
            "asset": SETTLEMENT,
            "time": at // 1_000,
            "positionSide": side,
        }
        for at, of, side, units in asking.file.margins
        if of == symbol
        and (kind is None or (units > 0) == (kind == 1))
        and (start is None or at // 1_000 >= start)
        and (end is None or at // 1_000 <= end)
    ]
    return found[-request.limit(500, 500) :]


def open_listen_key(asking: Asking) -> Any:
    """Give the account's listen key."""
    return {"listenKey": asking.exchange.listen_keys.issue(asking.file.id)}


def keep_listen_key(asking: Asking) -> Any:
    """Keep the account's listen key alive for another hour."""
    alive = any(owner == asking.file.id for owner, _ in asking.exchange.listen_keys.owners.values())
    given = asking.request.text("listenKey")
    if not alive or (given and asking.exchange.listen_keys.owners.get(given, ("", 0))[0] != asking.file.id):
        raise WireError(-1125)
    key = asking.exchange.listen_keys.issue(asking.file.id)
    return {"listenKey": key} if asking.profile == BINANCE else {}


def close_listen_key(asking: Asking) -> Any:
    """End the account's listen key; nobody hears anything by it any more."""
    asking.exchange.listen_keys.drop(asking.file.id, quietly=True)
    return {}


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


def portfolio_margin(asking: Asking) -> Any:
    """Tell what could be withdrawn under a margin that nobody has here."""
    asset = asking.request.need("asset").upper()
    worth = asking.exchange.floor.standing(asking.account)
    amount = money(_withdrawable(worth) if asset == SETTLEMENT else 0)
    return {"maxWithdrawAmountUSD": amount, "asset": asset, "maxWithdrawAmount": amount}


def sign_contract(_asking: Asking) -> Any:
    """Take the signature under terms for contracts on shares, of which there are none here."""
    return _DONE


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "balance"): Route(balance, SIGNED, 5),
    ("GET", "account"): Route(account, SIGNED, 5),
    ("GET", "accountWithJoinMargin"): Route(account, SIGNED, 5),
    ("GET", "positionRisk"): Route(position_risk, SIGNED, 5),
    ("GET", "leverageBracket"): Route(leverage_bracket, SIGNED),
    ("POST", "leverage"): Route(set_leverage, SIGNED),
    ("POST", "marginType"): Route(set_margin_type, SIGNED),
    ("POST", "positionMargin"): Route(position_margin, SIGNED),
    ("GET", "positionMargin/history"): Route(margin_history, SIGNED),
    ("GET", "positionSide/dual"): Route(position_side, SIGNED, 30),
    ("POST", "positionSide/dual"): Route(set_position_side, SIGNED),
    ("GET", "multiAssetsMargin"): Route(multi_assets, SIGNED, 30),
    ("POST", "multiAssetsMargin"): Route(set_multi_assets, SIGNED),
    ("GET", "stpMode"): Route(stp_mode, SIGNED),
    ("POST", "stpMode"): Route(set_stp_mode, SIGNED),
    ("GET", "commissionRate"): Route(commission_rate, SIGNED, 20),
    ("GET", "symbolConfig"): Route(symbol_config, SIGNED, 5),
    ("GET", "accountConfig"): Route(account_config, SIGNED, 5),
    ("GET", "adlQuantile"): Route(adl_quantile, SIGNED, 5),
    ("GET", "apiTradingStatus"): Route(trading_status, SIGNED),
    ("GET", "rateLimit/order"): Route(order_limits, SIGNED),
    ("GET", "feeBurn"): Route(fee_burn, SIGNED),
    ("POST", "feeBurn"): Route(set_fee_burn, SIGNED),
    ("GET", "income"): Route(income, SIGNED, 30),
    ("GET", "pmAccountInfo"): Route(portfolio_margin, SIGNED, 5),
    ("POST", "stock/contract"): Route(sign_contract, SIGNED, 50),
    **{("GET", f"{what}/asyn"): Route(download, SIGNED, 1_000) for what in ("income", "order", "trade")},
    **{("GET", f"{what}/asyn/id"): Route(download_state, SIGNED, 10) for what in ("income", "order", "trade")},
    ("POST", "listenKey"): Route(open_listen_key, KEYED),
    ("PUT", "listenKey"): Route(keep_listen_key, KEYED),
    ("DELETE", "listenKey"): Route(close_listen_key, KEYED),
}
