"""What every exchange of a proof for another goes through: the limit on failures, count, record and containment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog
from prometheus_client import CollectorRegistry, Counter

from blastwall.control.access import Remote
from blastwall.control.failures import FailureLimit, TooManyFailures
from blastwall.gate.ports import Containment, Grants, Policy, Refusal, Subject
from blastwall.identity import Unavailable
from blastwall.model.principal import Principal
from blastwall.model.resource import Resource
from blastwall.model.ruling import Decision

_log = structlog.get_logger("blastwall.control")


class NoSuchTarget(Exception):
    """There is no such resource, or none for this caller: the two look alike, so names cannot be probed for."""


class Exchanges:
    """Counts and limits exchanges, whatever is given in them."""

    def __init__(self, failures: FailureLimit, registry: CollectorRegistry) -> None:
        self._failures = failures
        exchanges = Counter(
            "blastwall_exchanges", "Token exchanges at the control port, by result.", ["result"], registry=registry
        )
        self._count = {name: exchanges.labels(name) for name in ("issued", "refused", "unavailable", "limited")}

    @contextmanager
    def attempt(self, caller: Remote) -> Iterator[None]:
        """Let a caller try, and note what comes of it.

        Raises:
            TooManyFailures: the source has failed too often.
        """
        try:
            self._failures.check(caller.source)
            yield
        except TooManyFailures:
            self._count["limited"].inc()
            raise
        except Unavailable as error:
            self._count["unavailable"].inc()
            _log.warning("exchange_unavailable", source=str(caller.source), reason=str(error))
            raise
        except (Refusal, NoSuchTarget) as error:
            self._failures.failed(caller.source)
            self._count["refused"].inc()
            _log.warning("exchange_refused", source=str(caller.source), reason=str(error))
            raise
        self._count["issued"].inc()


def refuse_contained(
    containment: Containment, principal: Principal, issued: float | None = None, resource: Resource | None = None
) -> None:
    """Let a principal go on; `issued` is the age of their proof, None where that was asked before.

    Raises:
        Refusal: they, or the resource, are contained, or their proof is from before a containment.
    """
    contained = containment.against(principal, resource)
    if contained is None and issued is not None:
        contained = containment.spoiled(principal, issued)
    if contained is not None:
        raise Refusal(f"{principal.kind} {principal.name}: {contained}", contained)


def may_connect(policy: Policy, grants: Grants, subject: Subject) -> bool:
    """Whether a subject may connect, or ask to: its login then tells how."""
    ruling = policy.rule_connect(replace(subject, granted=grants.open(subject)))
    return ruling.decision is not Decision.DENY or bool(ruling.grantable)
