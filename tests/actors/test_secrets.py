"""No secret of the cluster or of the submitting user appears in any place that others can read."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from two_jobs import TwoJobs

pytestmark = pytest.mark.ray


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below the folder, and what it holds."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes()


def places(jobs: TwoJobs) -> Iterator[tuple[str, bytes]]:
    """Where one might look: the dashboard, Ray's session with its logs and copies, run folders, what was printed."""
    yield from ((path, answer.encode()) for path, answer in jobs.answers.items())
    yield from contents(jobs.session / "logs")
    yield from contents(jobs.session / "runtime_resources")
    for desk, (_, out, err) in ((jobs.stopped, jobs.stopped_end), (jobs.other, jobs.other_end)):
        yield from contents(desk.run_dir)
        yield f"stdout of {desk.run_dir}", out.encode()
        yield f"stderr of {desk.run_dir}", err.encode()


def test_no_secret_is_found_anywhere(two_jobs: TwoJobs) -> None:
    found = [
        (place, name)
        for place, content in places(two_jobs)
        for name, secret in two_jobs.hidden.items()
        if secret.encode() in content
    ]

    assert found == []


def test_what_is_no_secret_is_found_everywhere(two_jobs: TwoJobs) -> None:
    run_dir = str(two_jobs.stopped.run_dir).encode()
    telling = {place for place, content in places(two_jobs) if run_dir in content}

    job = two_jobs.stopped_job["submission_id"]
    assert telling >= {
        "/api/jobs/",
        f"/api/jobs/{job}",
        f"/api/jobs/{job}/logs meanwhile",
        str(two_jobs.session / "logs" / f"job-driver-{job}.log"),
        f"stdout of {two_jobs.stopped.run_dir}",
    }
    assert {name for name, _ in places(two_jobs)} >= {
        str(two_jobs.stopped.run_dir / name) for name in ("desk.log", "ledger.db", "summary.json", "report.html")
    }
