"""What Prometheus reads."""

from __future__ import annotations

from prometheus_client import generate_latest

from blastwall.model.ruling import Decision
from blastwall.relay import Metrics


def test_everything_that_is_counted_is_exposed() -> None:
    metrics = Metrics()
    one = metrics.of("pg-prod")
    one.opened()
    one.opened()
    one.closed()
    one.login("admitted")
    one.ruled(Decision.DENY)
    one.held(+1)
    one.finished(0.003, {"email": 4})
    one.finished(1000.0, {})
    one.received(True, 10)
    one.received(False, 20)
    one.recording_failed()
    one.dial_failed()
    text = generate_latest(metrics.registry).decode()
    for line in (
        'blastwall_sessions{resource="pg-prod"} 1.0',
        'blastwall_sessions_opened_total{resource="pg-prod"} 2.0',
        'blastwall_logins_total{outcome="admitted",resource="pg-prod"} 1.0',
        'blastwall_statements_total{resource="pg-prod",ruling="deny"} 1.0',
        'blastwall_holds{resource="pg-prod"} 1.0',
        'blastwall_masked_cells_total{resource="pg-prod",rule="email"} 4.0',
        'blastwall_received_bytes_total{from="client",resource="pg-prod"} 10.0',
        'blastwall_received_bytes_total{from="resource",resource="pg-prod"} 20.0',
        'blastwall_recording_failures_total{resource="pg-prod"} 1.0',
        'blastwall_dial_failures_total{resource="pg-prod"} 1.0',
        'blastwall_statement_seconds_bucket{le="0.0025",resource="pg-prod"} 0.0',
        'blastwall_statement_seconds_bucket{le="0.005",resource="pg-prod"} 1.0',
        'blastwall_statement_seconds_bucket{le="+Inf",resource="pg-prod"} 2.0',
        'blastwall_statement_seconds_sum{resource="pg-prod"} 1000.003',
    ):
        assert line in text.splitlines(), line


def test_a_resource_has_one_set_of_numbers() -> None:
    metrics = Metrics()
    assert metrics.of("a") is metrics.of("a")
    assert metrics.of("a") is not metrics.of("b")
