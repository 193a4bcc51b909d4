"""Settings from the environment and from secrets files."""

from pathlib import Path

import pytest

from desk.config import load_settings
from desk.model.errors import PlanError

VARIABLES = (
    "NUM_CONSUMERS",
    "DATA_CONNECTOR",
    "ALPACA_API_KEY",
    "ALPACA_SECRET_KEY",
    "POLYGON_API_KEY",
    "RAYDESK_RUNS_DIR",
    "RAYDESK_SECRETS_DIR",
)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_an_empty_environment_says_nothing() -> None:
    settings = load_settings()

    assert settings.num_consumers is None
    assert settings.data_connector is None
    assert settings.alpaca_api_key is None
    assert settings.runs_dir == Path("runs")


def test_variables_are_read(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("NUM_CONSUMERS", "0")
    clean.setenv("DATA_CONNECTOR", "polygon")
    clean.setenv("RAYDESK_RUNS_DIR", "/data/runs")

    settings = load_settings()

    assert (settings.num_consumers, settings.data_connector) == (0, "polygon")
    assert settings.runs_dir == Path("/data/runs")


def test_an_empty_variable_counts_as_unset(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("NUM_CONSUMERS", "")
    clean.setenv("RAYDESK_SECRETS_DIR", "")

    assert load_settings().num_consumers is None


def test_secrets_are_never_printed(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("ALPACA_SECRET_KEY", "hidden")

    settings = load_settings()

    assert settings.alpaca_secret_key is not None
    assert settings.alpaca_secret_key.get_secret_value() == "hidden"
    assert "hidden" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_secrets_come_from_files_unless_the_environment_has_them(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ALPACA_API_KEY").write_text("of the file\n")
    (tmp_path / "POLYGON_API_KEY").write_text("of the file")
    clean.setenv("RAYDESK_SECRETS_DIR", str(tmp_path))
    clean.setenv("POLYGON_API_KEY", "of the environment")

    settings = load_settings()

    assert settings.alpaca_api_key is not None
    assert settings.polygon_api_key is not None
    assert settings.alpaca_api_key.get_secret_value() == "of the file"
    assert settings.polygon_api_key.get_secret_value() == "of the environment"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("NUM_CONSUMERS", "many", "a whole number ≥ 0"),
        ("NUM_CONSUMERS", "-1", "a whole number ≥ 0"),
        ("DATA_CONNECTOR", "bloomberg", '"alpaca" or "alpaca_crypto" or "polygon" or "json"'),
        ("RAYDESK_SECRETS_DIR", "/nowhere/at/all", "a folder"),
    ],
)
def test_a_bad_variable_is_named(clean: pytest.MonkeyPatch, variable: str, value: str, expected: str) -> None:
    clean.setenv(variable, value)

    with pytest.raises(PlanError) as caught:
        load_settings()

    assert caught.value.place == f"environment, {variable}"
    assert f"`{value}`" in caught.value.found
    assert expected in caught.value.expected
    assert caught.value.remedy
