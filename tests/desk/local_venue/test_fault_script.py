"""Fault scripts: what they may say, and the errors of those that are wrong."""

from pathlib import Path

import pytest
from venue_parts import START_NS, market

from desk.local_venue.faults.fault_kinds import KINDS, moment_keys
from desk.local_venue.faults.fault_schedule import FaultSchedule
from desk.local_venue.faults.fault_script import load_faults, parse_faults
from desk.local_venue.faults.scripted_market import scripted_market
from desk.model.errors import PlanError

PROJECT = Path(__file__).parents[3]
PAGE = PROJECT / "docs" / "reference" / "fault-scripts.md"


def fault(text: str) -> str:
    return f"[[faults]]\n{text}"


def test_a_script_is_read_with_its_defaults() -> None:
    script = parse_faults(
        'seed = 7\n[[faults]]\nkind = "mute"\nat = "09:45"\nfor_s = 60\nsymbols = ["SPY"]\n[[faults]]\nkind = "cut"',
        "f",
    )

    mute, cut = script.faults
    assert (script.seed, script.zone) == (7, "America/New_York")
    assert (mute.at, mute.for_s, mute.symbols, mute.number) == ("09:45", 60, {"SPY"}, 1)
    assert (cut.at, cut.step, cut.connection, cut.times, cut.number) == (0, "data", 0, 1, 2)


def test_a_time_of_day_is_that_of_the_market() -> None:
    script = parse_faults(fault('kind = "cut"\nat = "09:31:30"'), "f")

    assert script.start_ns(script.faults[0], START_NS) == 90 * 10**9  # the market starts at 09:30 in New York


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        ("seed = -1", "f.toml, seed", "-1"),
        ("sed = 1", "f.toml", "unknown key `sed`"),
        ('zone = "Mars/Base"', "f.toml, zone", "Mars/Base"),
        ("faults = 3", "f.toml, faults", "not a list of tables"),
        ("[[faults]]", "f.toml, [[faults]] 1, kind", "missing"),
        (fault('kind = "mut"'), "[[faults]] 1 (mut), kind", "'mut'"),
        (fault('kind = "mute"\nsymbol = ["SPY"]'), "[[faults]] 1 (mute)", "unknown key `symbol`"),
        (fault('kind = "mute"\nstep = "auth"'), "[[faults]] 1 (mute)", "unknown key `step`"),
        (fault('kind = "mute"\nsymbols = "SPY"'), "[[faults]] 1 (mute), symbols", "'SPY'"),
        (fault('kind = "error"'), "[[faults]] 1 (error), code", "missing"),
        (fault('kind = "error"\ncode = 418'), "[[faults]] 1 (error), code", "418"),
        (fault('kind = "cut"\nstep = "later"'), "[[faults]] 1 (cut), step", "'later'"),
        (fault('kind = "cut"\nat = "9:45"'), "[[faults]] 1 (cut), at", "'9:45'"),
        (fault('kind = "cut"\nat = 09:45:00'), "[[faults]] 1 (cut), at", "a time"),
        (fault('kind = "cut"\nat = -1'), "[[faults]] 1 (cut), at", "-1"),
        (fault('kind = "cut"\nat = nan'), "[[faults]] 1 (cut), at", "nan"),
        (fault('kind = "late"\nshare = 1.5'), "[[faults]] 1 (late), share", "1.5"),
        (fault('kind = "late"\nshare = nan'), "[[faults]] 1 (late), share", "nan"),
        (fault('kind = "cut"\ntimes = true'), "[[faults]] 1 (cut), times", "True"),
        (fault('kind = "luld"\nsymbols = ["A"]\ndown = 2\nup = 1'), "[[faults]] 1 (luld), down", "2"),
        (fault("kind = mute"), "f.toml", "Invalid value"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, place: str, found: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_faults(text, "f.toml")

    assert caught.value.place.endswith(place)
    assert found in caught.value.found
    assert caught.value.exit_status == 2


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(PlanError, match="Did you mean `half_open`"):
        parse_faults(fault('kind = "halfopen"'), "f")


def test_times_and_symbols_that_the_market_does_not_have_are_refused() -> None:
    source = market()

    with pytest.raises(PlanError, match="before the market data start"):
        FaultSchedule(parse_faults(fault('kind = "cut"\nat = "08:00"'), "f"), START_NS, 1.0)
    with pytest.raises(PlanError, match="NOSUCH, not traded in"):
        scripted_market(parse_faults(fault('kind = "mute"\nsymbols = ["NOSUCH"]'), "f"), source)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")

    for name, found in (("nowhere.toml", "cannot be read"), ("latin.toml", "not UTF-8")):
        with pytest.raises(PlanError, match=found):
            load_faults(tmp_path / name)


def test_the_page_names_every_kind_and_key() -> None:
    page = PAGE.read_text()

    for kind in KINDS:
        assert f"`{kind.name}`" in page
        for key in (*moment_keys(kind), *kind.parameters):
            assert f"`{key.name}`" in page, (kind.name, key.name)


def test_the_examples_of_the_page_are_right() -> None:
    blocks = PAGE.read_text().split("```toml\n")[1:]

    assert blocks
    for block in blocks:
        assert parse_faults(block.split("```")[0], "the page").faults
