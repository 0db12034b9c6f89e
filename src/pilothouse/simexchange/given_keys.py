"""Keys that an exchange gives away: a wallet and its agent, made from the seed. Whoever reads this has them too."""

from dataclasses import dataclass

from coincurve import PrivateKey

from pilothouse.simexchange.keccak import keccak256


@dataclass(frozen=True, slots=True)
class GivenWallet:
    """A wallet with an account, and an agent that may trade for it but not withdraw.

    wallet, agent   addresses
    agent_key       private key of the agent, worth nothing anywhere
    """

    wallet: str
    agent: str
    agent_key: str


def given_wallet(seed: int) -> GivenWallet:
    """Return the wallet of an exchange: the same seed gives the same one."""
    wallet, agent = (keccak256(f"pilothouse simexchange {who} {seed}".encode()) for who in ("wallet", "agent"))
    return GivenWallet(_address(wallet), _address(agent), "0x" + agent.hex())


def _address(key: bytes) -> str:
    public = PrivateKey(key).public_key.format(compressed=False)
    return "0x" + keccak256(public[1:])[-20:].hex()
