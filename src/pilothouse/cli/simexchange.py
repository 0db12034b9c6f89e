"""`pilothouse simexchange`: a simulated Binance and AsterDEX on this machine, to trade against without money."""

import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilothouse.core.errors import Refused

if TYPE_CHECKING:
    from pilothouse.simexchange.given_keys import GivenWallet


class NotUnderstood(Refused):
    """An option that cannot be read."""

    code = "not_understood"


def simexchange(
    *,
    port: Annotated[int, typer.Option(help="The port to listen on; 0: any that is free.", min=0, max=65_535)] = 18_100,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    profile: Annotated[str, typer.Option(help="Which venue it is: aster, binance or both.")] = "both",
    seed: Annotated[int, typer.Option(help="The same seed is the same market.", min=0)] = 1,
    tape: Annotated[
        Path | None, typer.Option(help="A CSV or Parquet file of trades or candles that leads the prices.")
    ] = None,
    speed: Annotated[int, typer.Option(help="How fast its time runs; 0: only when told to.", min=0)] = 1,
    latency_ms: Annotated[str, typer.Option(help="How long each answer waits, such as 5..20.")] = "0",
    faults: Annotated[Path | None, typer.Option(help="A JSON file with rules of what is to go wrong.")] = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option(help="A Binance key and its secret, KEY:SECRET, or KEY:@FILE with a public key; may be repeated."),
    ] = None,
    wallet: Annotated[
        list[str] | None, typer.Option(help="An Aster wallet and its agent, ADDRESS[:AGENT]; may be repeated.")
    ] = None,
    deposit: Annotated[int, typer.Option(help="USDT that each account starts with.", min=0)] = 100_000,
    old_signatures: Annotated[bool, typer.Option(help="Take Aster signatures of the older scheme too.")] = False,
    enforce_limits: Annotated[bool, typer.Option(help="Refuse what goes over the rate limits.")] = False,
    raised_limits: Annotated[
        int, typer.Option(help="So many times the usual rate limits, as for who trades much.", min=1)
    ] = 1,
    control_token: Annotated[str, typer.Option(help="What control requests must carry.")] = "control",  # noqa: S107  (it guards a toy on loopback)
) -> None:
    """Start a simulated exchange that Binance and AsterDEX clients take for a real one; Ctrl-C stops it."""
    from pilothouse.kit.clocks import SystemClock
    from pilothouse.simexchange.given_keys import given_wallet
    from pilothouse.simexchange.serve import Plan, SimulatedExchange, run

    if profile not in {"aster", "binance", "both"}:
        raise NotUnderstood(f"--profile {profile} is none of aster, binance, both")
    keys = tuple(_pair(each, "--api-key KEY:SECRET") for each in api_key or ["sim-key:sim-secret"])
    wallets = tuple((owner, agent) for owner, _, agent in (each.partition(":") for each in wallet or []))
    if any(not re.fullmatch(r"0[xX][0-9a-fA-F]{40}", one) for pair in wallets for one in pair if one):
        raise NotUnderstood("--wallet is an address, or two with a colon between: 0x and forty hex digits each")
    given = given_wallet(seed)
    if profile != "binance" and not wallets:
        wallets = ((given.wallet, given.agent),)
    plan = Plan(
        port=port, host=host, profile=profile, seed=seed, tape=tape, speed=speed, latency_ms=_span(latency_ms),
        faults=faults, api_keys=keys, wallets=wallets, deposit=deposit, enforce_limits=enforce_limits,
        raised_limits=raised_limits,         token=control_token, old_signatures=old_signatures,
    )  # fmt: skip

    import asyncio

    def ready(exchange: SimulatedExchange) -> None:
        base = f"{host}:{exchange.port}"
        print(f"simulated exchange ({profile}) at http://{base} and ws://{base}; control at http://{base}/control/")
        accounts = []
        if profile != "binance":
            print("  aster: any wallet that signs for itself has an account")
            if not wallet:
                accounts.append(("sim-aster", "aster", _aster_words(given)))
        if profile != "aster":
            print(f"  binance key {keys[0][0]}, secret {keys[0][1]}")
            words = f"BINANCE_API_KEY={keys[0][0]} BINANCE_API_SECRET={keys[0][1]} \\\n"
            accounts += [("sim-futures", "binanceusdm", words), ("sim-spot", "binance", words)]
        print("\nTo trade here, paste in another terminal; the keys are worth nothing anywhere else.")
        for name, venue, words in accounts:
            print(f"\n{words}  {sys.argv[0]} account add {name} --venue {venue} --base-url http://{base}")
        print(flush=True)

    async def until_stopped() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for kind in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(kind, stop.set)
        await run(plan, SystemClock(), ready, stop)

    try:
        asyncio.run(until_stopped())
    except OSError as error:
        raise NotUnderstood(f"cannot listen on {host}:{port}: {error.strerror}") from error


def _aster_words(given: "GivenWallet") -> str:
    return (
        f"ASTERDEX_USER_ADDRESS={given.wallet} \\\n"
        f"ASTERDEX_SIGNER_ADDRESS={given.agent} \\\n"
        f"ASTERDEX_PRIVATE_KEY={given.agent_key} \\\n"
    )


def _pair(text: str, shape: str) -> tuple[str, str]:
    name, _, secret = text.partition(":")
    if not name or not secret:
        raise NotUnderstood(f"{text} is not of the shape {shape}")
    if not secret.startswith("@"):
        return name, secret
    try:
        return name, Path(secret[1:]).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotUnderstood(f"the public key of {name} cannot be read from {secret[1:]}: {error}") from error


def _span(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,6})(?:\.\.([0-9]{1,6}))?", text)
    if found is None:
        raise NotUnderstood(f"--latency-ms {text} is neither a number nor two with dots between, such as 5..20")
    low, high = int(found.group(1)), int(found.group(2) or found.group(1))
    if low > high:
        raise NotUnderstood(f"--latency-ms {text}: the first is the least")
    return low, high
