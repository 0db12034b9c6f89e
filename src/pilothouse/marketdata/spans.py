"""Stretches of time: pairs (start, until) of milliseconds go in, sorted ones without overlap come out. Pure."""

from collections.abc import Iterable

Span = tuple[int, int]
"""From the first number up to, but without, the second."""


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same time in the fewest spans, the earliest first; empty spans are gone."""
    found: list[Span] = []
    for start, until in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((start, until))
    return found


def within(spans: Iterable[Span], window: Span) -> list[Span]:
    """Return what of `spans` lies inside of `window`."""
    return merged((max(start, window[0]), min(until, window[1])) for start, until in spans)


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return what of `spans` lies in none of `taken`."""
    left: list[Span] = []
    holes = merged(taken)
    for start, until in merged(spans):
        at = start
        for hole_start, hole_until in holes:
            if hole_until <= at:
                continue
            if hole_start >= until:
                break
            if hole_start > at:
                left.append((at, hole_start))
            at = max(at, hole_until)
        if at < until:
            left.append((at, until))
    return left


def length(spans: Iterable[Span]) -> int:
    """Return how much time `spans` cover; they do not overlap."""
    return sum(until - start for start, until in spans)


def covers(spans: Iterable[Span], at: int) -> bool:
    """Say whether the instant lies in one of `spans`."""
    return any(start <= at < until for start, until in spans)
