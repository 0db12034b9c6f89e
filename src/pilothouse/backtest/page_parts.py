"""What every page is made of: numbers as people read them, cells in colour, and the frame around all of it. Pure."""

import html
import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

_NUMBER: Final = re.compile(r"|–|[-+]?[0-9][0-9,]*(\.[0-9]+)?( %)?")
"""What stands at the right of its column; words stand at the left."""


def text(words: str) -> str:
    """Return words so that no page takes them for its own."""
    return html.escape(words)


@cache
def asset(name: str) -> str:
    """Return a style or a script that stands in the page itself."""
    found = (Path(__file__).parent / "page" / name).read_text(encoding="utf-8")
    return found.replace("</script", "<\\/script") if name.endswith(".js") else found


def framed(title: str, subtitle: str, parts: Iterable[str], behind: str = "") -> str:
    """Return a whole page; `behind`: scripts at its end."""
    return "".join((
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{text(title)}</title><style>{asset('report.css')}</style></head><body><main>",
        f"<h1>{text(title)}</h1><div class=dim>{text(subtitle)}</div>",
        *parts,
        f"</main>{behind}</body></html>",
    ))  # fmt: skip


def indented(spec: str) -> str:
    """Return JSON as people read it."""
    return json.dumps(json.loads(spec), indent=2, ensure_ascii=False)


def spec_shown(spec: str) -> str:
    """Return the spec behind a line that opens it."""
    return f"<details><summary>Spec</summary><pre>{text(indented(spec))}</pre></details>"


def shown(unit: str, value: float | None) -> str:
    """Return a metric as people read it."""
    if value is None:
        return "–"
    match unit:
        case "share":
            return f"{value * 100:z,.2f} %"
        case "count":
            return f"{value:z,.0f}"
        case "bars" | "days":
            return f"{value:z,.1f}"
        case _:
            return f"{value:z,.2f}"


def card(label: str, value: str, kind: str = "") -> str:
    """Return one large number; `kind`: up or down, for its colour."""
    mark = f" class={kind}" if kind else ""
    return f"<div class=card><span>{text(label)}</span><b{mark}>{text(value)}</b></div>"


def way(value: float | None) -> str:
    """Return the colour of a number that is good above zero: up, down, or none."""
    return "" if not value else "up" if value > 0 else "down"


def warning(words: str) -> str:
    """Return what must not be overlooked, in red."""
    return f"<div class=warn>{text(words)}</div>"


def notes(words: Iterable[str]) -> str:
    """Return what a reader should know, a box for each that is not empty."""
    return "".join(f"<div class=note>{text(each)}</div>" for each in words if each)


def coloured(share: float, words: str, tip: str = "") -> str:
    """Return a cell of a heat map; `share`: -1 to 1, down to up."""
    colour = "--up" if share >= 0 else "--down"
    strength = min(100, whole_percent(abs(share)))
    style = f"background:color-mix(in srgb,var({colour}) {strength // 2 + 4}%,transparent)"
    hover = f' title="{text(tip)}"' if tip else ""
    return f"<td style='{style}'{hover}>{text(words)}</td>"


def whole_percent(share: float) -> int:
    """Return a share as whole percent, for colours."""
    return int(share * 100 + 0.5)


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table of words that may be wider than the page."""
    shown_rows = [[str(cell) for cell in row] for row in rows]
    words = [any(not _NUMBER.fullmatch(row[place]) for row in shown_rows) for place in range(len(heads))]
    marks = [" class=word" if is_word else "" for is_word in words]
    head = "".join(f"<th{mark}>{text(each)}</th>" for each, mark in zip(heads, marks, strict=True))
    lines = "".join(
        "<tr>" + "".join(f"<td{mark}>{text(cell)}</td>" for cell, mark in zip(row, marks, strict=True)) + "</tr>"
        for row in shown_rows
    )
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"


UNFUNDED = "WITHOUT FUNDING: no history of it was used. A perpetual pays or gets it every few hours; this run did not."
COSTLESS = "WITHOUT COSTS: no fee, no slippage. A result without costs says nothing about trading."


def underfunded(lacks: str) -> str:
    """Return the warning of a run that pays funding and lacks some of it."""
    return f"FUNDING IN PART: {lacks}. Nothing was paid or got there."
