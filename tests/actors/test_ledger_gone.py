"""On Ray: a ledger that is removed or damaged in mid-run is one error without a traceback."""

from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk
from session_ray import RayHead


@pytest.mark.ray
def test_a_ledger_that_is_deleted_ends_the_run_with_one_error(ray_head: RayHead, endless: Path, tmp_path: Path) -> None:
    with closing(RunningDesk(endless, tmp_path / "run", ray_head.environment, "--address", ray_head.address)) as desk:
        desk.wait_for_ticks()
        (desk.run_dir / "ledger.db").unlink()

        status, out, err = desk.finish()

        assert status == 1
        assert "failed · not balanced" in out
        assert err.startswith("error: ")
        assert "ledger.db: deleted or moved" in err
        assert "remedy:" in err
        assert "Traceback" not in err + desk.log()
        assert "deleted or moved" in desk.summary()["problems"][0]
        assert {path.stat().st_mode & 0o777 for path in desk.run_dir.rglob("*") if path.is_file()} == {0o600}
