"""What `pilothouse data` tells of funding rates: findings go in, plain data and tables come out."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from pilothouse.cli.candle_reach import Row
    from pilothouse.marketdata.funding_columns import Rates
    from pilothouse.marketdata.funding_kept import CheckedRates, KeptRates

_SHOWN_MOST = 20
_NEWEST = 10


def draw_rates(screen: "Console", rows: "list[Row]") -> None:
    """Draw what funding rates are kept and followed."""
    from pilothouse.cli import show

    made = show.table("*venue", "symbol", "", "from", "until", ">rates", ">gaps", "")
    for row in rows:
        notes = ["followed"] if row["followed"] else []
        notes += [f"{row['conflicts']} told differently"] if row["conflicts"] else []
        notes += [f"{len(row['covered']) - 1} holes not asked"] if len(row["covered"]) > 1 else []
        span = [str(row[name] or show.NOTHING)[:10] for name in ("start", "until")]
        counts = (f"{row['rates']:,}", f"{len(row['gaps']):,}")
        made.add_row(row["venue"], row["symbol"], "funding", *span, *counts, ", ".join(notes))
    screen.print(made)
    for row in rows:
        if row["error"]:
            screen.print(f"{row['symbol']} funding: {row['error']}", style="yellow")


def checked_rates(found: "CheckedRates") -> "Row":
    """Return what was found as plain data; of long lists the first, and how many there are."""
    from dataclasses import asdict

    from pilothouse.core.clock import iso_of_millis

    missing = [one.told() for one in found.missing]
    return {
        **asdict(found.series),
        "ok": found.is_sound,
        "rates": len(found.rates),
        "fingerprint": found.rates.fingerprint(),
        "missing": missing[:_SHOWN_MOST],
        "missing_count": len(missing),
        "lost": sum(one.why == "lost" for one in found.missing),
        "out_of_order": [iso_of_millis(at) for at in found.out_of_order[:_SHOWN_MOST]],
        "outside": [iso_of_millis(at) for at in found.outside[:_SHOWN_MOST]],
        "conflicts": [
            {
                "at": iso_of_millis(one.conflict.opened_ms),
                "kept": str(one.conflict.kept),
                "told": None if one.conflict.told is None else str(one.conflict.told),
                "told_at": one.told_at.isoformat(),
                "taken": one.taken,
            }
            for one in found.conflicts[:_SHOWN_MOST]
        ],
        "conflicts_count": len(found.conflicts),
        "damaged": found.damaged,
    }


def draw_checked_rates(screen: "Console", rows: "list[Row]") -> None:
    """Draw what was found in the funding rates of each perpetual."""
    from rich.text import Text

    for row in rows:
        mark = Text("✓ ", style="green") if row["ok"] else Text("✗ ", style="bold red")
        words = f"{row['venue']} {row['symbol']} funding  {row['rates']:,} rates"
        screen.print(mark.append(words, style="bold"), Text(f"  {row['fingerprint'][:16]}", style="dim"))
        if row["damaged"]:
            screen.print(f"  {row['damaged']}", style="red")
        _draw_missing(screen, row["missing"])
        if row["out_of_order"]:
            screen.print(f"  out of order: {', '.join(one[:16] for one in row['out_of_order'][:3])}", style="red")
        for one in row["conflicts"]:
            told = "no more" if one["told"] is None else one["told"]
            kept = "the new one was taken" if one["taken"] else "the first is kept"
            screen.print(f"  {one['at'][:16]} told as {one['kept']}, then {told}: {kept}", style="yellow")
    if any(row["lost"] or row["damaged"] for row in rows):
        screen.print("What is lost comes back with: pilothouse data download ... --funding --again", style="dim")


def shown_rates(found: "KeptRates") -> "Row":
    """Return the rates that are kept of one perpetual as plain data, with the newest of them."""
    from dataclasses import asdict

    from pilothouse.core.clock import iso_of_millis

    return {
        **asdict(found.series),
        "start": iso_of_millis(found.start_ms),
        "until": iso_of_millis(found.until_ms),
        "rates": len(found.rates),
        "fingerprint": found.rates.fingerprint(),
        "missing": [one.told() for one in found.missing],
        "newest": rows_of(found.rates, range(max(0, len(found.rates) - _NEWEST), len(found.rates))),
    }


def draw_kept_rates(screen: "Console", told: "Row") -> None:
    """Draw the rates that are kept of one perpetual."""
    from pilothouse.cli import show

    held = f"{told['rates']:,}, {told['start'][:16]} to {told['until'][:16]}"
    missing = f"{len(told['missing'])} stretches" if told["missing"] else "nothing"
    screen.print(show.pairs([("rates", held), ("fingerprint", told["fingerprint"]), ("missing", missing)]))
    _draw_missing(screen, told["missing"][:_SHOWN_MOST])
    made = show.table("due", ">rate")
    for one in told["newest"]:
        made.add_row(one["at"][:16], one["rate"])
    screen.print(made)


def rows_of(rates: "Rates", places: "Iterable[int]") -> "list[Row]":
    """Return some rates as plain data: when each was due, and the share as text."""
    from pilothouse.core.clock import iso
    from pilothouse.core.rounding import plain

    told = [rates.told(place) for place in places]
    return [{"at": iso(each.at), "rate": plain(each.rate)} for each in told]


def _draw_missing(screen: "Console", missing: "list[Row]") -> None:
    words = {"lost": "lost from the files", "venue_has_none": "the venue has none", "not_asked": "not asked"}
    for gap in missing:
        style = "red" if gap["why"] == "lost" else "dim"
        screen.print(f"  {gap['start'][:16]} to {gap['until'][:16]}  {words[gap['why']]}", style=style)
