"""Draw docs/images/first-alert.svg: a real desk is started, a real alert is sent, and what the terminal shows is kept.

    python tools/draw_first_alert.py

Nothing in the picture is made up: it is the output of `pilothouse alert send` against `pilothouse up` on a fresh data
folder. The picture needs nothing from elsewhere: no font is fetched.
"""

import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from pilothouse.cli import show, talk, watch

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "first-alert.svg"
WIDTH = 80
READY_S = 30.0

ALERT = '{"action":"buy","symbol":"BTCUSDT","quantity":"0.01","stop_loss":"2%"}'

THEME = TerminalTheme(
    background=(18, 24, 30),
    foreground=(219, 228, 236),
    normal=[
        (90, 107, 123),
        (232, 98, 92),
        (94, 190, 128),
        (224, 179, 84),
        (98, 160, 234),
        (190, 140, 220),
        (92, 196, 204),
        (219, 228, 236),
    ],
)

FONTS = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def main() -> int:
    """Start a desk on a free port, send one alert, write the picture, stop the desk."""
    with tempfile.TemporaryDirectory(prefix="pilothouse-picture-") as folder:
        port = _free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PILOTHOUSE_")}
        environment |= {"PILOTHOUSE_DATA": folder, "PILOTHOUSE_PORT": str(port)}
        command = [sys.executable, "-m", "pilothouse.cli.main", "up"]
        with (Path(folder) / "output").open("wb") as output:
            desk = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # noqa: S603 - our own product
        try:
            _wait_until_ready(desk, f"http://127.0.0.1:{port}")
            way = _way(Path(folder))
            # The first one finds everything cold; it is another alert, and it is closed again.
            _send(way, ALERT.replace("0.01", "0.02"), Console(file=io.StringIO(), width=WIDTH))
            _close(way)
            screen = Console(
                record=True,
                width=WIDTH,
                file=sys.stdout,
                force_terminal=True,
                color_system="truecolor",
                highlight=False,
            )
            screen.print(Text.assemble(("$ ", "dim"), ("pilothouse alert send --text \\", "bold")))
            screen.print(Text(f"    '{ALERT}'"), soft_wrap=True)
            screen.print()
            _send(way, ALERT, screen)
        finally:
            desk.terminate()
            desk.wait(15)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    svg = screen.export_svg(title="pilothouse: an alert becomes a filled order", theme=THEME, unique_id="first-alert")
    PICTURE.write_text(_without_fonts_from_elsewhere(svg), encoding="utf-8")
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(desk: subprocess.Popen[bytes], url: str) -> None:
    """Return once the desk answers; raises RuntimeError if it does not."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and desk.poll() is None:
        if _is_ready(url):
            return
        time.sleep(0.1)
    message = f"the desk did not become ready on {url}"
    raise RuntimeError(message)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _way(folder: Path) -> talk.Way:
    known = json.loads((folder / talk.FIRST_STEPS).read_text(encoding="utf-8"))
    return talk.Way(known["url"], known["operator_token"], known["hook_url"], known["webhook_secret"], known["account"])


def _send(way: talk.Way, alert: str, screen: Console) -> None:
    """Send the alert as the command does, and draw what happens."""
    with talk.House(way) as house:
        path = "/hooks/" + way.hook_url.rpartition("/")[2]
        watch.Sender(house, path, {}).send(alert.encode(), screen, wait=10, follow=False, quiet=False)


def _close(way: talk.Way) -> None:
    """Be flat again, so that the picture begins as a newcomer does."""
    with talk.House(way) as house:
        house.post("/api/v1/positions/BTCUSDT/close")
        deadline = time.monotonic() + 10
        while show.items(house.get("/api/v1/positions")) and time.monotonic() < deadline:
            time.sleep(0.1)


def _without_fonts_from_elsewhere(svg: str) -> str:
    """Return the picture with fonts that every machine has, instead of one that would be fetched."""
    svg = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", FONTS).replace("Fira Code", "monospace")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


if __name__ == "__main__":
    sys.exit(main())
