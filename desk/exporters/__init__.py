"""The ways out for the desk's metrics and health: OTLP, Prometheus, `/healthz`, and a heartbeat."""
