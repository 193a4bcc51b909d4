"""[telemetry]: defaults, what is refused, and the environment's sample."""

from pathlib import Path

import pytest

from desk.config import TelemetryPlan, load_plan, load_settings, override
from desk.model.errors import PlanError


def written(tmp_path: Path, line: str) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(f'[session]\nname = "day"\n[telemetry]\n{line}\n')
    return path


def test_everything_is_off_by_default(tmp_path: Path) -> None:
    telemetry = load_plan(written(tmp_path, "")).telemetry

    assert telemetry == TelemetryPlan()
    assert (telemetry.host, telemetry.metric_prefix) == ("127.0.0.1", "raydesk")
    assert (telemetry.prometheus_port, telemetry.healthz_port) == (0, 0)
    assert (telemetry.otlp_endpoint, telemetry.heartbeat_url) == ("", "")
    assert (telemetry.trace_sample, telemetry.trace_older_ms) == (0.0, 1000.0)


@pytest.mark.parametrize(
    "line",
    [
        'otlp_endpoint = "http://127.0.0.1:4317"',
        'otlp_endpoint = "http://collector:4318/v1/metrics"',
        'otlp_endpoint = "grpc://collector:4317"',
        'otlp_endpoint = "grpcs://collector:4317"',
        'otlp_endpoint = "collector:4317"',
        'otlp_endpoint = "https://otlp.example.com"',
        'host = "::1"',
        'host = "monitoring.local"',
        'metric_prefix = ""',
        'metric_prefix = "desk.paper"',
        'heartbeat_url = "https://hc.example.com/ping/4f"',
        "trace_sample = 1",
    ],
)
def test_good_values_are_taken(tmp_path: Path, line: str) -> None:
    load_plan(written(tmp_path, line))


@pytest.mark.parametrize(
    "line",
    [
        'otlp_endpoint = "ftp://collector:1"',
        'otlp_endpoint = "collector"',
        'otlp_endpoint = "http://collector:99999"',
        'otlp_endpoint = "collector:0"',
        'otlp_endpoint = "http://user:secret@collector:4317"',
        'otlp_endpoint = "user:secret@collector:4317"',
        'heartbeat_url = "file:///etc/passwd"',
        'heartbeat_url = "https://example.com/?token=secret"',
        'host = ""',
        'host = "http://127.0.0.1"',
        'metric_prefix = "1st"',
        'metric_prefix = "with space"',
        "prometheus_port = 70000",
        "healthz_port = -1",
        "trace_sample = 1.5",
        "trace_older_ms = -1",
        'prometheus_prot = "9464"',
    ],
)
def test_each_bad_value_is_one_error_that_names_its_key_and_shows_no_secret(tmp_path: Path, line: str) -> None:
    with pytest.raises(PlanError) as caught:
        load_plan(written(tmp_path, line))

    text = str(caught.value)
    assert line.partition(" ")[0] in text
    assert "telemetry" in text
    assert "secret" not in text.replace("RAYDESK_SECRETS_DIR", "")


def test_the_environment_overrides_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = load_plan(written(tmp_path, "trace_sample = 0.1"))

    assert override(plan, load_settings(), None).telemetry.trace_sample == 0.1
    monkeypatch.setenv("RAYDESK_TRACE_SAMPLE", "0")
    assert override(plan, load_settings(), None).telemetry.trace_sample == 0.0
    monkeypatch.setenv("RAYDESK_TRACE_SAMPLE", "2")
    with pytest.raises(PlanError, match="RAYDESK_TRACE_SAMPLE"):
        load_settings()
