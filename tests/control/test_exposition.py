from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from blastwall.control.exposition import merged


def text(sessions: int, odd: str) -> bytes:
    registry = CollectorRegistry()
    Gauge("sessions", "Open now.", registry=registry).set(sessions)
    counter = Counter("logins", "By outcome.", ["outcome"], registry=registry)
    counter.labels(odd).inc(2)
    return generate_latest(registry)


def test_every_sample_says_whose_it_is_and_families_stay_whole() -> None:
    odd = 'quo"ted {brace} \\ \n line'
    found = merged({1: text(3, "admitted"), 3: text(4, odd)}, 3).decode()
    families = {family.name: family for family in text_string_to_metric_families(found)}
    assert found.count("# TYPE sessions gauge") == 1
    assert {sample.labels["worker"]: sample.value for sample in families["sessions"].samples} == {"1": 3, "3": 4}
    logins = [sample for sample in families["logins"].samples if sample.name == "logins_total"]
    assert [sample.labels for sample in logins] == [
        {"worker": "1", "outcome": "admitted"},
        {"worker": "3", "outcome": odd},
    ]
    assert [sample.value for sample in families["blastwall_worker_up"].samples] == [1, 0, 1]
