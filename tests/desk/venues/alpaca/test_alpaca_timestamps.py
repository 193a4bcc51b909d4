"""Times keep their nanoseconds in every form."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.msgpack import Ext

from desk.venues.timestamps import ext_ns, exts_ns, rfc3339_ns

NS = 1_000_000_000
TIMES = st.integers(0, 4_000_000_000 * NS)


def text_of(ts_ns: int, digits: int = 9) -> str:
    seconds, nanos = divmod(ts_ns, NS)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos:09d}"[: 20 + digits] + "Z"


def ext64(ts_ns: int) -> Ext:
    seconds, nanos = divmod(ts_ns, NS)
    return Ext(-1, (nanos << 34 | seconds).to_bytes(8))


@given(TIMES)
@example(1_680_782_066_839_159_730)
def test_every_form_gives_the_same_nanoseconds(ts_ns: int) -> None:
    seconds, nanos = divmod(ts_ns, NS)

    assert rfc3339_ns(text_of(ts_ns)) == ts_ns
    assert ext_ns(ext64(ts_ns)) == ts_ns
    assert ext_ns(Ext(-1, nanos.to_bytes(4) + seconds.to_bytes(8))) == ts_ns
    assert ext_ns(Ext(-1, seconds.to_bytes(4))) == seconds * NS


@given(st.lists(TIMES, min_size=1, max_size=80), st.booleans())
def test_many_at_once_are_the_same_as_one_by_one(times_ns: list[int], mixed: bool) -> None:
    exts = [ext64(ts_ns) for ts_ns in times_ns]
    if mixed:
        exts.append(Ext(-1, (77).to_bytes(4)))

    found = exts_ns(exts)

    assert found == times_ns + [77 * NS] * mixed
    assert all(type(ts_ns) is int for ts_ns in found)


@pytest.mark.parametrize(
    ("text", "ts_ns"),
    [
        ("1970-01-01T00:00:01Z", NS),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:01.000000001z", NS + 1),
        ("1970-01-01T01:00:01.25+01:00", 1_250_000_000),
        ("1969-12-31T20:00:01-04:00", NS),
        ("2022-04-19T13:45:04.981350886-04:00", 1_650_390_304_981_350_886),
    ],
)
def test_text_with_any_fraction_and_zone_is_read(text: str, ts_ns: int) -> None:
    assert rfc3339_ns(text) == ts_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "2023-04-06",
        "2023-04-06T11:54:21",
        "2023-04-06T11:54:21.Z",
        "2023-04-06T11:54:21.1234567890Z",
        "2023-04-06T11:54:21.1_0Z",
        "2023-04-06T11:54:21.٣Z",
        "2023-13-06T11:54:21Z",
        "2023-04-06T11:54:21+99:00",
        "2023-04-06T11:54:21.5+0100",
    ],
)
def test_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        rfc3339_ns(text)


@pytest.mark.parametrize("ext", [Ext(5, bytes(8)), Ext(-1, b"abc"), Ext(-1, b"\xff" * 8), Ext(-1, b"\xff" * 12)])
def test_an_extension_that_is_no_timestamp_is_refused(ext: Ext) -> None:
    with pytest.raises(ValueError, match="not a timestamp"):
        ext_ns(ext)
    with pytest.raises(ValueError, match="not a timestamp"):
        exts_ns([ext] * 40)
