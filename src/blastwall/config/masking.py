"""What is wrong between `masking:` and the resources that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from blastwall.config.document import Path
from blastwall.config.model import Configuration
from blastwall.config.wording import did_you_mean
from blastwall.protocols.kind import ProtocolKind


def masked_resources(configuration: Configuration) -> Iterator[tuple[Path, str]]:
    """Report rules for resources that are not there."""
    names = [resource.name for resource in configuration.resources]
    for position, rule in enumerate(configuration.masking):
        if rule.resource not in names:
            problem = f"no resource is named {rule.resource!r}" + did_you_mean(rule.resource, names)
            yield ("masking", position, "resource"), problem


def masked_columns(configuration: Configuration) -> Iterator[tuple[Path, str]]:
    """Report columns that cannot be read."""
    for position, rule in enumerate(configuration.masking):
        for place, column in enumerate(rule.columns):
            parts = column.split(".")
            if len(parts) not in {3, 4} or not all(parts):
                problem = f"{column!r} is not `[database.]schema.table.column`; `*` stands for one part"
                yield ("masking", position, "columns", place), problem


def masked_as_it_can_be(configuration: Configuration, kinds: Mapping[str, ProtocolKind]) -> Iterator[tuple[Path, str]]:
    """Report rules for what the answers of a resource's kind do not have: they would hide nothing."""
    found = {resource.name: kinds.get(resource.kind) for resource in configuration.resources}
    for position, rule in enumerate(configuration.masking):
        protocol = found.get(rule.resource)
        if protocol is None:
            continue
        given = {"columns": bool(rule.columns), "fields": bool(rule.fields), "unread": bool(rule.unread)}
        for key, there in given.items():
            if there and (key == "columns") != (protocol.masked_by == "columns"):
                problem = f"a resource of the kind {protocol.kind!r} is masked by `{protocol.masked_by}` and `detect`"
                yield ("masking", position, key), problem
