"""resume.json: its content, and the lock that admits one desk at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from desk.model.errors import RunFolderError
from desk.runs.resume_file import ResumeFile

HOLD = """
import sys
from pathlib import Path
from desk.runs.resume_file import ResumeFile
file = ResumeFile(Path(sys.argv[1]))
file.claim()
print("claimed", flush=True)
sys.stdin.read()
"""


def test_a_folder_belongs_to_one_desk_until_that_ends_however_it_does(tmp_path: Path) -> None:
    file = ResumeFile(tmp_path / "resume.json")
    command = [sys.executable, "-c", HOLD, str(file.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"

        with pytest.raises(RunFolderError, match="another desk is at work on it"):
            file.claim()

        other.kill()
        other.wait()
        file.claim()

    file.done()
    assert list(tmp_path.iterdir()) == []


def test_no_second_desk_gets_in_when_files_are_removed_beside_a_running_one(tmp_path: Path) -> None:
    file = ResumeFile(tmp_path / "resume.json")
    command = [sys.executable, "-c", HOLD, str(file.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        for name in ("resume.lock", "resume.json"):
            (tmp_path / name).touch()
            (tmp_path / name).unlink()

        with pytest.raises(RunFolderError, match="another desk is at work on it"):
            file.claim()

        other.kill()


def test_without_an_interrupted_run_there_is_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no run to go on with"):
        ResumeFile(tmp_path / "resume.json").read()
