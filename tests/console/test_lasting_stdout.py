import os
from pathlib import Path

import pytest

from console.display.lasting_stdout import LastingStdout


def test_what_is_seen_arrives_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "out"

    with path.open("w", encoding="utf-8") as stream:
        written = LastingStdout(stream).write("figures\n")
        LastingStdout(stream).flush()

    assert (written, path.read_text(encoding="utf-8")) == (8, "figures\n")


def test_a_reader_that_went_away_raises_nothing_then_or_later() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        unseen = LastingStdout(stream)
        for _ in range(3):
            unseen.write("figures\n")
            unseen.flush()

        assert not unseen.isatty()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_raises_nothing() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        unseen = LastingStdout(stream)
        unseen.write("figures\n")
        unseen.flush()

        assert unseen.write("more\n") == 5
