"""Whatever is sent: an alert or its problems, never anything else, and never a secret in either."""

import json
from datetime import UTC
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.bots.alert import Alert, Shape, read, secret_in
from pilothouse.core.errors import Invalid
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.core.rounding import plain
from pilothouse.core.signals import Level, Signal, SignalKind, Size, SizeKind

SECRET = "canary-7f3a91c2"
ORDER = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "webhook_secret": SECRET}


def outcome(body: bytes, shape: Shape = Shape.ORDER) -> Alert | Invalid:
    """Return what reading `body` gives, after checking that it may be stored and shown."""
    result: Alert | Invalid
    try:
        result = read(body, shape)
    except Invalid as invalid:
        result = invalid
    if isinstance(result, Alert):
        json.dumps(result.masked, allow_nan=False, ensure_ascii=False).encode()
        return result
    assert result.problems
    for problem in result.problems:
        assert 0 < len(problem.field) <= 60
        assert 0 < len(problem.came) <= 60
        assert 0 < len(problem.allowed) <= 250
        assert str(problem).isprintable()
    return result


def problems(body: bytes | str, shape: Shape = Shape.ORDER) -> dict[str, str]:
    """Return the code of every problem that reading `body` gives, by field."""
    result = outcome(body if isinstance(body, bytes) else body.encode(), shape)
    assert isinstance(result, Invalid)
    return {problem.field: problem.code for problem in result.problems}


def with_quantity(literal: str) -> str:
    """Return an alert whose quantity is `literal`, as it stands, in the JSON text."""
    return f'{{"action":"open","symbol":"BTCUSDT","side":"BUY","quantity":{literal}}}'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b" \n", "not_json"),
        (b"buy BTCUSDT", "not_json"),
        (b"[]", "not_json"),
        (b'"open"', "not_json"),
        (b"null", "not_json"),
        (b"NaN", "not_json"),
        (b'{"action": "open"', "not_json"),
        (b'{"action": "open"} {}', "not_json"),
        (b"\xff\xfe{}", "not_json"),
        ('{"action": "open"}'.encode("utf-16"), "not_json"),
        (b"[" * 60_000, "too_deep"),
        (b'{"a":' * 10_000, "too_deep"),
        (b'{"a":"]]]]]]]]","b":' + b"[" * 16 + b"]" * 16 + b"}", "too_deep"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, code: str) -> None:
    """Each with its own reason; deep nesting must not reach the decoder at all."""
    assert problems(body) == {"body": code}


def test_brackets_inside_of_texts_do_not_nest() -> None:
    """Comments may hold anything."""
    fields = {**ORDER, "comment": '[[[{{[["\\[[[[[[[[[[[[[[[', "levels": [[1], [2], [3]] * 20}

    assert isinstance(outcome(json.dumps(fields).encode()), Alert)


def test_a_byte_order_mark_and_raw_line_breaks_are_tolerated() -> None:
    """A placeholder may fill in several lines; editors add marks."""
    body = b"\xef\xbb\xbf" + json.dumps(ORDER | {"comment": "a|b"}).replace("|", "\n").encode()
    alert = outcome(body)

    assert isinstance(alert, Alert)
    assert alert.fingerprint == sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"action":"open","action":"close"}', "action"),
        ('{"stop_loss":{"price":1,"price":2}}', "price"),
        ('{"":1,"":2}', '""'),
        ('{"a\\u0000b":1,"a\\u0000b":2}', "a\\x00b"),
    ],
)
def test_a_key_named_twice_is_refused_by_name(body: str, field: str) -> None:
    """JSON libraries differ on which of the two they keep."""
    assert problems(body) == {field: "duplicate_key"}


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", '"NaN"', '"nan"', '"-inf"', '"Infinity"'])
def test_a_number_that_is_none_is_refused(literal: str) -> None:
    """A chart fills in NaN where it has no value."""
    assert problems(with_quantity(literal)) == {"quantity": "not_finite"}


@pytest.mark.parametrize(
    "literal",
    [
        "1e999999999",
        "-1e-999999999",
        "1e400",
        "9" * 5000,
        "0." + "0" * 5000 + "1",
        '"1e99999999999999999999"',
        '"1,000"',
        '"1 000"',
        '"1_000"',
        '"+1"',
        '"0x10"',
        '"1."',
        '"١٢"',
        '"１２"',
        '"½"',
        '"5 BTC"',
        '"50%"',
        '"--1"',
        "true",
        "false",
        "[1]",
        '{"value":1}',
        "1e30",
        "0.0000000000000000001",
    ],
)
def test_a_number_is_exact_bounded_and_in_plain_ascii_digits(literal: str) -> None:
    """Anything else would have to be guessed; a huge exponent must cost nothing."""
    assert set(problems(with_quantity(literal))) == {"quantity"}


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("0.1", "0.1"),
        ('"0.10"', "0.1"),
        ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),
        ("1e-3", "0.001"),
        ('"1E3"', "1000"),
        ('" 7 "', "7"),
        ('".5"', "0.5"),
        ('"007"', "7"),
    ],
)
def test_a_number_means_exactly_what_was_written(literal: str, value: str) -> None:
    """No float ever stands between the alert and the order."""
    alert = outcome(with_quantity(literal).encode())

    assert isinstance(alert, Alert)
    assert alert.signal.size == Size(SizeKind.QUANTITY, Decimal(value))


@pytest.mark.parametrize("field", ["action", "symbol", "side", "quantity", "price", "order_type", "stop_loss"])
def test_a_placeholder_that_was_not_filled_is_named(field: str) -> None:
    """In quotes or bare: it is the most common mistake in an alert."""
    assert problems(json.dumps(ORDER | {field: "{{close}}"})) == {field: "placeholder_not_filled"}
    bare = json.dumps(ORDER | {field: "?"}).replace('"?"', "{{close}}")
    assert problems(bare) == {field: "placeholder_not_filled"}


@pytest.mark.parametrize(
    "symbol", ["", 5, True, ["BTCUSDT"], "BTC USDT", "ＢＴＣ", "B" * 65, ".P", "BTC\u0000", "'; --"]
)
def test_what_is_no_symbol_is_refused(symbol: Any) -> None:
    """Before anybody looks for it."""
    assert set(problems(json.dumps(ORDER | {"symbol": symbol}))) == {"symbol"}


@pytest.mark.parametrize(
    "body",
    [
        {"webhook_secret": SECRET},
        {"webhookSecret": SECRET, "secret": "another one"},
        {"SECRET": SECRET, "passphrase": "another one"},
        {"passphrase": SECRET},
        {"webhook_secret": "", "secret": SECRET},
    ],
)
def test_the_secret_is_found_under_each_of_its_names(body: dict[str, str]) -> None:
    """`webhook_secret` goes before the others."""
    assert secret_in(json.dumps(body).encode()) == SECRET
    alert = outcome(json.dumps({"action": "close", "symbol": "BTCUSDT", **body}).encode())
    assert isinstance(alert, Alert)
    assert alert.secret == SECRET


@pytest.mark.parametrize(
    "body",
    [
        '{"action": {{x}}, "webhook_secret": "s\\u0065cret"}',
        '{"webhook_secret" : "secret", "a": 1, "a": 2}',
        '{"secret": "other", "webhook_secret":\n"secret", "a": ',
        '{"webhook_secret": "secret", "deep": ' + "[" * 5000,
        '\ufeff{"webhook_secret": "secret"',
    ],
)
def test_the_secret_is_found_where_the_rest_cannot_be_read(body: str) -> None:
    """A stranger must be told that the secret is wrong, and not what else is."""
    assert secret_in(body.encode()) == "secret"


@pytest.mark.parametrize("body", [b"", b"\xff", b"{}", b"[]", b'{"webhook_secret": true}', b'{"webhook_secret": null}'])
def test_no_secret_is_none(body: bytes) -> None:
    """So that the answer says "required", not "invalid"."""
    assert secret_in(body) is None


def test_a_secret_of_any_letters_can_be_compared() -> None:
    """A lone surrogate would make the comparison itself fail."""
    secret = secret_in(b'{"webhook_secret": "\\ud800 \\u00e9"}')

    assert secret is not None
    assert secret.encode()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"comment": f"my secret is {SECRET}!", SECRET: 1, "list": [{"x": SECRET}], "n": {"password": "hunter22"}},
        {"alert_id": SECRET},
        {"symbol": SECRET},
        {"action": SECRET},
        {"action": "x" * 55 + SECRET},
        {"quantity": SECRET, "stop_loss": f"{SECRET}%"},
        {"order_type": [SECRET]},
        {"Webhook-Secret": SECRET + "2"},
        {"secret": SECRET[:6], "comment": SECRET},
        {f"secret {n}": f"other-{n}" for n in range(40)} | {"comment": SECRET},
        {"secret": int("7" * 12), "quantity": "7" * 12 + "x"},
    ],
)
def test_a_secret_is_never_stored_nor_told(fields: dict[str, Any]) -> None:
    """Not in the stored alert, not in what is kept of it, not in an error."""
    result = outcome(json.dumps(ORDER | fields).encode())

    told = str(result) if isinstance(result, Invalid) else f"{result.masked} {result.signal}"
    assert SECRET not in told
    assert "hunter22" not in told
    assert "7" * 12 not in told


@pytest.mark.parametrize(
    "body",
    [
        f'{{"{SECRET}": 1, "{SECRET}": 2, "webhook_secret": "{SECRET}"}}',
        f'{{"webhook_secret": "{SECRET}" "{SECRET}"}}',
        f'{{"webhook_secret": {SECRET}}}',
    ],
)
def test_a_broken_body_does_not_tell_the_secret_either(body: str) -> None:
    """The place where JSON breaks may be the secret itself."""
    assert SECRET not in str(outcome(body.encode()))


def test_the_stored_alert_is_what_was_sent_bounded_and_printable() -> None:
    """It is shown on a page and kept in a database that takes no NUL."""
    fields = {"note": "x" * 10_000, "nul": "a\u0000b\u202ec", "n": 7, "x": 0.10, "big": 10**40, "ok": True, "no": None}
    fields |= {"token": "BTC", "list": [1, "2", {"api_key": "k"}], "k" * 10_000: 1}
    alert = outcome(json.dumps(ORDER | fields).encode())

    assert isinstance(alert, Alert)
    stored = alert.masked
    assert stored["webhook_secret"] == stored["token"] == "•••"
    assert stored["symbol"] == "BTCUSDT"
    assert (stored["n"], stored["x"], stored["big"], stored["ok"], stored["no"]) == (7, "0.1", str(10**40), True, None)
    assert stored["list"] == [1, "2", {"api_key": "•••"}]
    assert stored["nul"] == "a\ufffdb\ufffdc"
    assert all(len(key) <= 200 for key in stored)
    assert len(stored["note"]) == 200


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=80),
    st.sampled_from([
        "open", "buy", "sell", "close", "long", "short", "flat", "LIMIT", "BTCUSDT", "0.01", "-1", "2%", "NaN",
        "1e999999999", "{{close}}", "١", "1,5", " ", SECRET, f"<{SECRET}>",
    ]),
)  # fmt: skip
NAMES = st.sampled_from([
    "action", "symbol", "ticker", "side", "quantity", "qty", "quote_amount", "equity_percent", "risk_percent", "price",
    "order_type", "orderType", "stop_loss", "stopLoss", "take_profit", "order_action", "contracts", "position_size",
    "positionSize", "position_after", "market_position", "market_position_size", "prev_market_position", "alert_id",
    "timenow", "timestamp", "comment", "secret", "passphrase", "token",
])  # fmt: skip
BODIES = st.dictionaries(
    NAMES | st.text(max_size=20),
    st.recursive(
        VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_size=12,
)


@given(st.binary(max_size=300), st.sampled_from(Shape))
def test_any_bytes_are_an_alert_or_its_problems(body: bytes, shape: Shape) -> None:
    """The hook is open to the world."""
    outcome(body, shape)
    secret_in(body)


@given(st.text(alphabet='{}[]":,\\ abNaN01eE.-+tsecret\u0661\ud800', max_size=300), st.sampled_from(Shape))
def test_any_text_that_is_nearly_json_is_an_alert_or_its_problems(text: str, shape: Shape) -> None:
    """Broken templates break in every place."""
    body = text.encode("utf-8", "surrogatepass")
    outcome(body, shape)
    secret_in(body)


@given(BODIES, st.sampled_from(Shape))
def test_any_fields_are_an_alert_or_its_problems_and_tell_no_secret(fields: dict[str, Any], shape: Shape) -> None:
    """Right names with wrong values are what people really send."""
    body = json.dumps(fields | {"webhook_secret": SECRET}).encode()
    result = outcome(body, shape)

    assert secret_in(body) == SECRET
    assert SECRET not in (str(result) if isinstance(result, Invalid) else f"{result.masked} {result.signal}")


@given(BODIES, st.sampled_from(Shape))
def test_a_right_alert_stays_right_among_unknown_fields(fields: dict[str, Any], shape: Shape) -> None:
    """Unknown fields never change what an alert asks for."""
    unknown = {f"x {name}": value for name, value in fields.items()}
    told = ORDER | ({"position_size": 1} if shape is Shape.STRATEGY else {})

    alert = read(json.dumps(unknown | told).encode(), shape)

    assert alert.signal == read(json.dumps(told).encode(), shape).signal


NUMBERS = st.decimals(min_value="0.00000001", max_value="99999999999", places=8)
LEVELS = st.none() | st.builds(Level, price=NUMBERS) | st.builds(Level, percent=st.decimals("0.01", "1000", places=2))
SIZES = st.none() | st.builds(
    Size, st.sampled_from([SizeKind.QUANTITY, SizeKind.QUOTE_AMOUNT, SizeKind.EQUITY_PERCENT]), NUMBERS
)
INSTANTS = st.none() | st.datetimes(timezones=st.just(UTC))
SYMBOLS = st.from_regex(r"[A-Z0-9]{2,10}(USDT|USDT\.P|/USDT:USDT)", fullmatch=True)
WORDS = st.none() | st.text(alphabet="abcXYZ019 -_#", min_size=1, max_size=40).map(str.strip).filter(bool)


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    """Draw a signal as an alert can carry it."""
    kind = draw(st.sampled_from([kind for kind in SignalKind if kind is not SignalKind.HEARTBEAT]))
    adds = kind not in {SignalKind.DECREASE, SignalKind.CLOSE}
    order_type = draw(st.sampled_from([OrderType.MARKET, OrderType.LIMIT]))
    return Signal(
        kind=kind,
        symbol=draw(SYMBOLS),
        side=draw(st.sampled_from(Side)) if kind in {SignalKind.OPEN, SignalKind.INCREASE} else None,
        size=draw(SIZES) if kind not in {SignalKind.CLOSE, SignalKind.TARGET} else None,
        target=draw(st.decimals(-10000, 10000, places=8)) if kind is SignalKind.TARGET else None,
        order_type=order_type,
        price=draw(NUMBERS) if order_type is OrderType.LIMIT else None,
        stop_loss=draw(LEVELS) if adds else None,
        take_profit=draw(LEVELS) if adds else None,
        alert_id=draw(WORDS),
        sent_at=draw(INSTANTS),
        comment=draw(WORDS),
        bar_time=draw(INSTANTS),
        counter=draw(st.none() | st.integers(0, 10**15 - 1)),
        position_before=draw(st.none() | NUMBERS) if kind is SignalKind.TARGET else None,
    )


def written(signal: Signal) -> dict[str, Any]:
    """Return the fields of an alert that asks for `signal`."""
    fields: dict[str, Any] = {"symbol": signal.symbol, "order_type": signal.order_type.value}
    if signal.target is None:
        fields["action"] = signal.kind.value
    else:
        fields["position_size"] = plain(signal.target)
    if signal.size is not None:
        fields[signal.size.kind.value] = plain(signal.size.value)
    for name, level in (("stop_loss", signal.stop_loss), ("take_profit", signal.take_profit)):
        if level is not None:
            fields[name] = plain(level.price) if level.price is not None else f"{level.percent}%"
    simple = {"side": signal.side, "price": signal.price, "alert_id": signal.alert_id, "comment": signal.comment}
    fields |= {name: str(value) for name, value in simple.items() if value is not None}
    if signal.sent_at is not None:
        fields["timenow"] = signal.sent_at.isoformat()
    if signal.bar_time is not None:
        fields["bar_time"] = signal.bar_time.isoformat()
    if signal.counter is not None:
        fields["counter"] = signal.counter
    if signal.position_before is not None:
        fields["position_before"] = plain(signal.position_before)
    return fields


@given(signals(), st.randoms(use_true_random=False))
def test_a_signal_that_is_written_out_is_read_back_as_itself(signal: Signal, random: Any) -> None:
    """In any order of its fields and any case of their names."""
    fields = list(written(signal).items())
    random.shuffle(fields)
    body = json.dumps({random.choice([name, name.upper(), name.replace("_", "")]): value for name, value in fields})

    assert read(body.encode(), Shape.EITHER).signal == signal
