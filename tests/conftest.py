"""What every test may ask for."""

from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says something of the machine, nothing of the code.
settings.register_profile("desk", deadline=None)
settings.load_profile("desk")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded market data beside the project; without it the test is skipped."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"recorded market data is not here: {SHARED_DATA.name} beside the project is absent")
    return SHARED_DATA
