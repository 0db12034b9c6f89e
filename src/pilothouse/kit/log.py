"""The log: one line for each event, with the correlation of whoever caused it, and with secrets masked.

Rooms write `_log = structlog.get_logger("pilothouse.room")` and `_log.info("order_sent", order_id=...)`. The event is
a name, in the past tense; what varies goes into fields. What libraries say through `logging` comes out the same way.
"""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TextIO

import msgspec
import structlog

from pilothouse.core.clock import Clock, iso
from pilothouse.kit.redaction import Redactor
from pilothouse.kit.sealed import Secret

Event = MutableMapping[str, Any]

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}
_FIRST = ("time", "level", "event", "logger")

_redactor = Redactor()


def hide(*values: str | Secret) -> None:
    """Mask these values in every line from now on."""
    _redactor.hide(*values)


def bind(**values: object) -> AbstractContextManager[None]:
    """Add `values` (such as correlation=...) to every line written inside of the `with`, here and in units of work."""
    return structlog.contextvars.bound_contextvars(**values)


def correlation() -> str | None:
    """Return the correlation id that is bound here, if one is."""
    found = structlog.contextvars.get_contextvars().get("correlation")
    return found if isinstance(found, str) else None


def configure(
    *,
    clock: Clock,
    level: str = "INFO",
    form: str = "json",
    stream: TextIO | None = None,
    file: Path | None = None,
) -> None:
    """Say where log lines go; called once, at start. Called again, it replaces what was said before.

    level    DEBUG, INFO, WARNING or ERROR: what is less grave is not written
    form     "json": one object a line, for machines; "text": for people
    stream   standard error when None
    file     lines are appended there too (mode 0600)
    """
    number = _LEVELS[level]
    sink = _Sink(stream if stream is not None else sys.stderr, file)
    lines = _Lines(clock, _as_json if form == "json" else _as_text, sink)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, lines.process],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *names: _Line(str(names[0]) if names else "pilothouse", sink),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _Bridge)]:
        root.removeHandler(handler)
        handler.close()
    root.addHandler(_Bridge(lines))
    # Libraries that speak of each of their steps are only asked for what went wrong.
    root.setLevel(max(number, logging.INFO))


class _Sink:
    """Where finished lines go. A full disk or a closed terminal costs the line, never the trade."""

    def __init__(self, stream: TextIO, file: Path | None) -> None:
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        if file is not None:
            file.touch(mode=0o600)
            self._file = file.open("a", encoding="utf-8")
        self._outputs = [stream] if self._file is None else [stream, self._file]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, line: str) -> None:
        with self._lock:
            for output in self._outputs:
                try:
                    output.write(line + "\n")
                    output.flush()
                except (OSError, ValueError):  # ValueError: it was closed, or its encoding lacks a character
                    continue


class _Line:
    """What structlog hands a finished line to; one for each logger."""

    def __init__(self, name: str, sink: _Sink) -> None:
        self.name = name
        self._sink = sink

    def msg(self, line: str) -> None:
        self._sink.write(line)

    debug = info = warning = error = critical = exception = msg


class _Lines:
    """Makes an event into a line."""

    def __init__(self, clock: Clock, render: Callable[[dict[str, Any]], str], sink: _Sink) -> None:
        self._clock = clock
        self._render = render
        self.sink = sink

    def process(self, logger: Any, _: str, event: Event) -> str:
        """Be the last processor of structlog."""
        return self.line(logger.name if isinstance(logger, _Line) else "pilothouse", event)

    def line(self, name: str, event: Event) -> str:
        """Return the line of `event`: time and level first, the rest masked."""
        trace = _trace(event.pop("exc_info", None))
        first = {"time": iso(self._clock.now()), "level": str(event.pop("level", "info"))}
        said = {**first, "event": event.pop("event", ""), "logger": name, **event}
        shown = _redactor.fields(said)
        if trace:
            shown["exception"] = _redactor.text(trace)
        return self._render(shown)


class _Bridge(logging.Handler):
    """Lets what libraries say through `logging` come out as lines of the same kind."""

    def __init__(self, lines: _Lines) -> None:
        super().__init__()
        self._lines = lines

    def close(self) -> None:
        self._lines.sink.close()
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # the library's format and its arguments do not fit
            message = str(record.msg)
        event: Event = {"event": message, "level": record.levelname.lower(), "exc_info": record.exc_info}
        event = {**structlog.contextvars.get_contextvars(), **event}
        self._lines.sink.write(self._lines.line(record.name, event))


def _trace(exc_info: Any) -> str:
    """Return the traceback that was asked for, if any."""
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if not isinstance(error, BaseException):
        return ""
    return "".join(traceback.format_exception(error)).rstrip()


def _as_json(shown: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(shown).decode()
    except UnicodeEncodeError:  # half a character
        return json.dumps(shown)


def _as_text(shown: dict[str, Any]) -> str:
    time, level, event, name = (shown.pop(key) for key in _FIRST)
    trace = shown.pop("exception", "")
    rest = "".join(f" {key}={_word(value)}" for key, value in shown.items())
    # A line break in what somebody sent must not look like a line of ours.
    line = f"{time} {level.upper():<8} {name}: {event}{rest}".replace("\n", "\\n").replace("\r", "\\r")
    return f"{line}\n{trace}" if trace else line


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text
