"""Files of candles that users send over the wire: read, named by what is wrong with them, and backtested."""

import gzip
import hashlib
import io
import json
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from pilothouse.accounts.audit import list_audit
from pilothouse.core.errors import Conflict, Invalid, NotFound
from pilothouse.marketdata.candle_uploads import TooManyUploads, Uploads
from tests.bench_files import SharedBenches, request, swing
from tests.slices.api.conftest import Served
from tests.slices.api.test_backtests import _awake, _follow  # noqa: F401 - a fixture for whoever waits for benches

AT = "/api/v1/candle-files"


@pytest.fixture
def sending(running: Served, benches: SharedBenches) -> Served:
    """Return a house whose benches look where it keeps what is sent."""
    (benches.folder / "uploads").mkdir(exist_ok=True)
    (running.house.settings.data / "uploads").symlink_to(benches.folder / "uploads")
    return running


def _send(served: Served, name: str, content: bytes | str, **query: str) -> httpx.Response:
    return served.api.post(f"{AT}/{name}", content=content, params=query)


def _forms() -> dict[str, bytes]:
    """Return the same 600 hours as files of every kind."""
    heads, *rows = (line.split(",") for line in swing().splitlines())
    columns = {head: [row[place] for row in rows] for place, head in enumerate(heads)}
    table, packed, feathered = pa.table(columns), io.BytesIO(), io.BytesIO()
    parquet.write_table(table, packed)
    feather.write_feather(table, feathered)
    told = json.dumps([dict(zip(heads, row, strict=True)) for row in rows])
    return {
        "a.csv": swing().encode(), "b.csv.gz": gzip.compress(swing().encode()), "c.parquet": packed.getvalue(),
        "d.feather": feathered.getvalue(), "e.json": told.encode(),
    }  # fmt: skip


@pytest.mark.soak_on("postgresql")
def test_a_file_of_every_kind_is_read_kept_and_backtested(sending: Served) -> None:
    """As the command takes them: the same candles are the same fingerprint and the same backtest."""
    prints = set()
    for name, content in _forms().items():
        answer = _send(sending, name, content, symbol="BTCUSDT")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["bars"], told["timeframe"], told["symbol"], told["faults"]) == (600, "1h", "BTCUSDT", {})
        assert told["sha256"] == hashlib.sha256(content).hexdigest()
        prints.add(told["fingerprint"])
    assert len(prints) == 1
    listed = sending.api.get(AT).json()["items"]
    assert [each["reference"] for each in listed] == [f"upload:{name}" for name in sorted(_forms())]

    asked = request(files=["upload:c.parquet"], capital="777")
    done = _follow(sending, sending.api.post("/api/v1/backtests", json=asked).json())
    assert done["data"] == {"BTCUSDT": prints.pop()}
    again = sending.api.post("/api/v1/backtests", json=asked | {"files": ["BTCUSDT=upload:e.json"]})
    assert (again.status_code, again.json()["name"]) == (200, done["name"]), "the same candles are the same backtest"

    assert sending.api.delete(f"{AT}/c.parquet").json()["name"] == "c.parquet"
    assert sending.api.get(f"{AT}/c.parquet").status_code == 404
    assert sending.api.post("/api/v1/backtests", json=asked | {"capital": "778"}).status_code == 404
    assert sending.api.get(done["address"]).json()["state"] == "done"
    lines = sending.house.database.read(lambda tx: list_audit(tx, sending.house.operator_id))
    whats = [line.what for line in lines]
    assert (whats.count("candles.uploaded"), whats.count("candles.removed")) == (5, 1)


@pytest.mark.soak_on("postgresql")
def test_what_is_wrong_with_a_file_is_named_and_nothing_is_repaired(sending: Served) -> None:
    """Gaps stay gaps; a backtest over faulty rows is refused until it leaves them out on purpose."""
    head, *rows = swing().splitlines()
    broken = rows[3].split(",")
    broken[2] = "0.5"
    spoilt = [*rows[:3], ",".join(broken), *rows[4:50], rows[49], *rows[60:]]
    told = _send(sending, "spoilt.csv", "\n".join([head, *spoilt]) + "\n").json()
    assert told["gaps"]["count"] == 1
    assert told["gaps"]["candles"] == 10
    assert told["faults"] == {"duplicates": {"rows": 1, "first": [51]}, "impossible": {"rows": 1, "first": [4]}}
    assert told["leave_out"] == ["duplicates", "impossible"]

    asked = request(files=["upload:spoilt.csv"])
    refused = sending.api.post("/api/v1/backtests", json=asked)
    assert (refused.status_code, {each["field"] for each in refused.json()["errors"]}) == (
        422, {"duplicates", "impossible"},
    )  # fmt: skip
    taken = sending.api.post("/api/v1/backtests", json=asked | {"leave_out": told["leave_out"]})
    assert _follow(sending, taken.json())["data"] == {"spoilt": told["fingerprint"]}


@pytest.mark.soak_on("postgresql")
def test_what_is_no_file_of_candles_leaves_nothing_behind(sending: Served) -> None:
    """Each refusal names the field, and neither a file nor a draft is left; nobody learns our folders."""
    bomb = gzip.compress(b"0" * 300_000_000, 1)
    for name, content, query, status, words in (
        ("x.csv", b"", {}, 400, "empty body"),
        ("x.csv", b"one,two\n1,2\n", {}, 400, "columns for time"),
        ("x.parquet", b"PAR1 no", {}, 400, "whole file"),
        ("x.csv.gz", bomb, {}, 400, "holds more than"),
        ("x.exe", swing(), {}, 400, "ending"),
        ("..csv", swing(), {}, 400, "name"),
        ("x%2Fy.csv", swing(), {}, 404, ""),
        ("x.csv", swing(), {"timezone": "Mars/Base"}, 400, "timezone"),
        ("x.csv", swing(), {"symbol": "a=b"}, 400, "symbol"),
    ):
        answer = _send(sending, name, content, **query)
        assert (answer.status_code, words in answer.text) == (status, True), (name, answer.text)
        assert str(sending.house.settings.data) not in answer.text
        assert "uploads/" not in answer.text
    large = sending.house.settings.upload_mb * 1_000_000 + 1
    assert _send(sending, "x.csv", b"1" * large).status_code == 413
    assert sending.api.get(AT).json()["items"] == []
    folder = sending.house.settings.data / "uploads" / sending.house.operator_id
    assert list(folder.iterdir()) == []

    assert _send(sending, "mine.csv", swing()).status_code == 200
    assert _send(sending, "mine.csv", swing()).status_code == 409, "a file is not replaced in silence"
    assert sending.client().post(f"{AT}/theirs.csv", content=swing()).status_code == 401


@pytest.mark.soak_on("postgresql")
def test_files_belong_to_whoever_sent_them(sending: Served) -> None:
    """Another user sees none of them, may name none of them, and nobody says whose they are but the house."""
    assert _send(sending, "mine.csv", swing()).status_code == 200
    stranger = sending.api.post("/api/v1/backtests", json=request(files=["upload:mine.csv"], uploads_of="usr_other"))
    assert stranger.status_code == 400, "whose files are meant is no field of a request"
    for name in ("upload:../mine.csv", "upload:theirs.csv", "upload:", "upload:upload:mine.csv"):
        answer = sending.api.post("/api/v1/backtests", json=request(files=[name]))
        assert answer.status_code == 404, name


def test_uploads_are_whole_bounded_and_of_one_owner(tmp_path: Path) -> None:
    """A draft is no file; the number is bounded; rests of who died are cleared; no name leads out of the folder."""
    uploads = Uploads(tmp_path)
    draft = uploads.begin("usr_1", "a.csv", most=1, now_s=0.0)
    draft.add(b"12")
    assert draft.end() == hashlib.sha256(b"12").hexdigest()
    assert list(uploads.every("usr_1")) == []
    uploads.keep("usr_1", draft, {"name": "a.csv"})
    draft.drop()
    assert uploads.path("usr_1", "a.csv").read_bytes() == b"12"
    assert not [path for path in (tmp_path / "usr_1").rglob("*") if path.stat().st_mode & 0o077]
    with pytest.raises(NotFound):
        uploads.path("usr_2", "a.csv")
    with pytest.raises(Conflict):
        uploads.begin("usr_1", "a.csv", most=9, now_s=0.0)
    with pytest.raises(TooManyUploads):
        uploads.begin("usr_1", "b.csv", most=1, now_s=0.0)
    for name in ("../b.csv", ".b.csv", "b", "b..csv", "b/c.csv", "told.json/../x.csv", "b" * 130 + ".csv"):
        with pytest.raises(Invalid):
            uploads.begin("usr_1", name, most=9, now_s=0.0)
    with pytest.raises(Invalid):
        uploads.begin("../usr_1", "b.csv", most=9, now_s=0.0)
    left = uploads.begin("usr_1", "c.csv", most=9, now_s=0.0)
    left.end()
    uploads.begin("usr_1", "d.csv", most=9, now_s=left.folder.stat().st_mtime + 100_000).drop()
    assert not left.folder.exists()
    twice = [uploads.begin("usr_1", "e.csv", most=9, now_s=0.0) for _ in range(2)]
    assert [each.end() for each in twice]
    uploads.keep("usr_1", twice[0], {"name": "e.csv"})
    with pytest.raises(Conflict):
        uploads.keep("usr_1", twice[1], {"name": "e.csv"})
    uploads.remove("usr_1", "e.csv")
    assert [each["name"] for each in uploads.every("usr_1")] == ["a.csv"]
