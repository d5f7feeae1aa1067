"""From `masking:` of the configuration to the rules that are in force."""

from __future__ import annotations

from collections.abc import Iterator

from blastwall.config.model import Configuration, MaskingRule
from blastwall.masking.configured import ConfiguredMasking, MaskEntry
from blastwall.model.masks import ColumnRule, DetectRule, FieldRule

_ANY_KEY = bytes(range(32))


def masking_of(configuration: Configuration) -> ConfiguredMasking:
    """Return masking as configured, but for its key: to tell what is masked, not to mask.

    Raises:
        ValueError: a rule cannot be applied; the text names it by its place in the file.
    """
    return ConfiguredMasking(mask_entries(configuration), _ANY_KEY)


def mask_entries(configuration: Configuration) -> tuple[MaskEntry, ...]:
    """Return one entry for each column and each set of detectors, named as recordings and metrics shall name it.

    Raises:
        ValueError: a rule cannot be applied; the text names it by its place in the file.
    """
    entries: list[MaskEntry] = []
    for position, rule in enumerate(configuration.masking):
        own = tuple(_entries(rule))
        try:
            ConfiguredMasking(own, _ANY_KEY)
        except ValueError as error:
            raise ValueError(f"masking[{position}]: {error}") from None
        entries += own
    return tuple(entries)


def _entries(rule: MaskingRule) -> Iterator[MaskEntry]:
    exempt = frozenset(rule.except_)
    for column in rule.columns:
        yield MaskEntry(rule.resource, ColumnRule(column, column, rule.with_), exempt)
    unread = tuple(rule.unread)
    for path in rule.fields:
        yield MaskEntry(rule.resource, FieldRule(path, path, rule.with_, unread), exempt)
    if rule.detect:
        detect = DetectRule("+".join(rule.detect), tuple(rule.detect), rule.with_, unread)
        yield MaskEntry(rule.resource, detect, exempt)
