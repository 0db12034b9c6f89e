"""The picture in the README: what the product drew, complete in itself, and without what opens anything."""

import re
from xml.etree import ElementTree as ET

from tools.draw_first_alert import ALERT, PICTURE

TEXT = "{http://www.w3.org/2000/svg}text"


def shown() -> str:
    """Return the words of the picture, without the spaces that hold its columns apart."""
    root = ET.parse(PICTURE).getroot()  # noqa: S314 - our own file, in our own repository
    words = "".join("".join(each.itertext()) for each in root.iter(TEXT))
    return " ".join(words.replace("\xa0", " ").split())


def test_the_picture_shows_an_alert_that_becomes_a_filled_order() -> None:
    """It is the first thing that a visitor sees: it must be what `pilothouse alert send` shows."""
    words = shown()

    assert ALERT in words
    steps = [words.index(f"● {step} ") for step in ("sent", "stored", "decided", "sending", "accepted", "filled")]
    assert steps == sorted(steps)
    assert "LONG 0.01 BTCUSDT at" in words


def test_the_picture_fetches_nothing_and_opens_nothing() -> None:
    """A page that shows it must not call home, and no token may be in it."""
    svg = PICTURE.read_text(encoding="utf-8")

    assert re.findall(r"https?://[^\s\"')]+", svg) == ["http://www.w3.org/2000/svg"]
    assert "@font-face" not in svg
    assert "/hooks/…" in svg
    assert not re.search(r"/hooks/[a-z0-9]{8}|ph_op_", svg)
