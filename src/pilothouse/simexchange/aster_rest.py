"""What only AsterDEX has over REST: agents and builders of a wallet, and the request that voids a nonce."""

from typing import Any

from pilothouse.simexchange.asking import DONE, MANAGED, SIGNED, Asking, Route
from pilothouse.simexchange.market_rest import constituents
from pilothouse.simexchange.transfers import between_wallets
from pilothouse.simexchange.typed_signatures import is_address
from pilothouse.simexchange.wire_errors import missing


def builder(asking: Asking) -> Any:
    """Tell the approved builders."""
    return [{"builder": asking.file.builder, "maxFeeRate": "0.001"}] if asking.file.builder else []


def approve_builder(asking: Asking) -> Any:
    """Approve a builder."""
    asking.file.builder = asking.request.need("builder")
    return DONE


def drop_builder(asking: Asking) -> Any:
    """Take an approval back."""
    asking.file.builder = ""
    return DONE


def agents(asking: Asking) -> Any:
    """Tell the agents of the wallet."""
    keys = asking.exchange.keys
    return [
        {"agentAddress": agent, "agentName": "", "canPerpTrade": True, "canSpotTrade": True, "canWithdraw": False}
        for agent, wallet in keys.agents.items()
        if wallet == asking.wallet
    ]


def approve_agent(asking: Asking) -> Any:
    """Let another key act for the wallet."""
    address = _agent_of(asking)
    asking.exchange.keys.add_agent(address, asking.wallet)
    return DONE


def drop_agent(asking: Asking) -> Any:
    """No longer let a key act for the wallet."""
    asking.exchange.keys.agents.pop(_agent_of(asking).lower(), None)
    return DONE


def noop(_asking: Asking) -> Any:
    """Do nothing, with a nonce: whatever else carries it comes too late."""
    return DONE


def protection(asking: Asking) -> Any:
    """Tell how a market maker is protected: what was set, and nothing comes of it here."""
    return asking.file.protection


def set_protection(asking: Asking) -> Any:
    """Set how a market maker is protected."""
    names = ("windowTime", "freezeTime", "qtyLimit", "deltaLimit")
    asking.file.protection = {name: asking.request.need(name) for name in names}
    return asking.file.protection


def drop_protection(asking: Asking) -> Any:
    """No longer protect a market maker."""
    asking.file.protection = {}
    return DONE


def _agent_of(asking: Asking) -> str:
    request = asking.request
    found = request.text("agentAddress") or request.text("AgentAddress") or request.text("agent")
    if not is_address(found):
        raise missing("agentAddress")
    return found


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "builder"): Route(builder, SIGNED),
    ("POST", "approveBuilder"): Route(approve_builder, MANAGED),
    ("POST", "updateBuilder"): Route(approve_builder, MANAGED),
    ("DELETE", "builder"): Route(drop_builder, MANAGED),
    ("GET", "agent"): Route(agents, SIGNED),
    ("POST", "approveAgent"): Route(approve_agent, MANAGED),
    ("POST", "updateAgent"): Route(approve_agent, MANAGED),
    ("POST", "registerAndApproveAgent"): Route(approve_agent, MANAGED),
    ("DELETE", "agent"): Route(drop_agent, MANAGED),
    ("POST", "noop"): Route(noop, SIGNED),
    ("GET", "mmp"): Route(protection, SIGNED),
    ("POST", "mmp"): Route(set_protection, SIGNED),
    ("DELETE", "mmp"): Route(drop_protection, SIGNED),
    ("POST", "mmpReset"): Route(noop, SIGNED),
    ("GET", "indexreferences"): Route(constituents),
    ("POST", "asset/wallet/transfer"): Route(between_wallets, SIGNED, 5),
}
