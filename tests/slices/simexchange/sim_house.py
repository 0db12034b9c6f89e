"""A simulated exchange in a thread of its own, and public clients pointed at it with nothing changed but addresses."""

import asyncio
import json
import threading
from types import TracebackType
from typing import Any, Self

import ccxt
import ccxt.pro
import httpx

from pilothouse.kit.clocks import SystemClock
from pilothouse.simexchange.serve import Plan, SimulatedExchange
from tests.plain_http import NO_TLS

# The first of the well-known throw-away keys of every Ethereum test chain; it holds nothing anywhere.
WALLET_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
WALLET = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
BTC = "BTC/USDT:USDT"
SECRET = "S"
PATIENCE_S = 60.0
"""It is in a thread of this process, on a machine that others use: what is waited for comes long before, or never."""

# As long as a venue lets a signed request be on its way: it is signed by a client that may be kept waiting.
WINDOW_MS = 59_000
_CALM: dict[str, Any] = {"enableRateLimit": False, "timeout": PATIENCE_S * 1_000}


def awaits(client: Any, *names: str) -> bool:
    """Say whether a client of streams listens for all of these: what comes before that is told to nobody."""
    awaited = " ".join(name for each in client.clients.values() for name in each.futures)
    return all(name in awaited for name in names)


class RunningExchange:
    """An exchange that listens while the block lasts."""

    def __init__(self, **plan: Any) -> None:
        self._plan = Plan(port=0, api_keys=(("K", "S"), ("K2", "S2")), **plan)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.sim: SimulatedExchange

    def __enter__(self) -> Self:
        self._thread.start()

        async def begin() -> SimulatedExchange:
            sim = SimulatedExchange(self._plan, SystemClock())
            await sim.start()
            return sim

        self.sim = asyncio.run_coroutine_threadsafe(begin(), self._loop).result(PATIENCE_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.sim.stop(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    @property
    def base(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.sim.port}"

    def control(self, method: str, path: str, /, **body: Any) -> Any:
        """Ask its control."""
        answer = httpx.request(
            method,
            f"{self.base}/control/{path}",
            content=json.dumps(body) if body else None,
            headers={"X-Control-Token": "control"},
            timeout=PATIENCE_S,
            verify=NO_TLS,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def truth(self, account_id: str) -> Any:
        """Return what the exchange knows of an account; its books must be sound."""
        told = self.control("GET", "truth")
        assert told["complaints"] == []
        return next(each for each in told["accounts"] if each["id"] == account_id)

    def aster(self, *, pro: bool = False) -> Any:
        """Return ccxt's Aster client."""
        web, sock = self.base, self.base.replace("http", "ws")
        made = (ccxt.pro.aster if pro else ccxt.aster)(
            {
                **_CALM,
                "privateKey": WALLET_KEY,
                "options": {"defaultType": "swap", "builderFee": False, "recvWindow": WINDOW_MS},
                "urls": {
                    "api": {
                        "fapiPublic": web + "/fapi",
                        "fapiPrivate": web + "/fapi",
                        "sapiPublic": web + "/sapi/api",
                        "sapiPrivate": web + "/sapi/api",
                        "ws": {
                            "public": {"spot": sock + "/sstream/stream", "swap": sock + "/fstream/stream"},
                            "private": {"spot": sock + "/sstream/ws", "swap": sock + "/fstream/ws"},
                        },
                    }
                },
            }
        )
        if pro:
            made.balance["swap"] = {}
        return made

    def binance(self, *, pro: bool = False, secret: str = SECRET) -> Any:
        """Return ccxt's Binance USD-M client."""
        web, sock = self.base, self.base.replace("http", "ws")
        versions = {
            "fapiPublic": "v1", "fapiPublicV2": "v2", "fapiPublicV3": "v3",
            "fapiPrivate": "v1", "fapiPrivateV2": "v2", "fapiPrivateV3": "v3",
        }  # fmt: skip
        api: dict[str, Any] = {name: f"{web}/fapi/{version}" for name, version in versions.items()}
        api |= {
            "fapiData": web + "/futures/data",
            "sapi": web + "/sapi/v1",
            "sapiV2": web + "/sapi/v2",
            "sapiV3": web + "/sapi/v3",
            "public": web + "/api/v3",
            "private": web + "/api/v3",
            "dapiPublic": web + "/dapi/v1",
            "dapiPrivate": web + "/dapi/v1",
            "ws": {"linear": sock + "/ws", "ws-api": {"linear": sock + "/ws-fapi/v1"}},
        }
        made = (ccxt.pro.binanceusdm if pro else ccxt.binanceusdm)(
            {
                **_CALM,
                "apiKey": "K",
                "secret": secret,
                "options": {"fetchCurrencies": False, "recvWindow": WINDOW_MS},
                "urls": {"api": api},
            }
        )
        made.exceptions["exact"].update(made.exceptions["linear"]["exact"])
        return made

    def spot(self, *, pro: bool = False) -> Any:
        """Return ccxt's Binance client for spot."""
        web, sock = self.base, self.base.replace("http", "ws")
        families = ("fapiPublic", "fapiPrivate", "dapiPublic", "dapiPrivate", "eapiPublic", "eapiPrivate", "papi")
        api: dict[str, Any] = {name: f"{web}/{name[:4]}/v1" for name in families}
        api |= {f"sapi{version}": f"{web}/sapi/{version.lower() or 'v1'}" for version in ("", "V2", "V3", "V4")}
        api |= {"public": web + "/api/v3", "private": web + "/api/v3", "v1": web + "/api/v1"}
        api["ws"] = {"spot": sock + "/ws", "ws-api": {"spot": sock + "/ws-api/v3"}}
        spot: dict[str, Any] = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}
        return (ccxt.pro.binance if pro else ccxt.binance)(
            {
                **_CALM,
                "apiKey": "K",
                "secret": SECRET,
                "options": {"fetchCurrencies": False, "recvWindow": WINDOW_MS, **spot},
                "urls": {"api": api},
            }
        )
