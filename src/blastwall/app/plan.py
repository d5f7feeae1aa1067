"""Everything that can be decided from the configuration alone, checked whole before any of it is put in force.

`check`, a start and a reload all go through `prepare`, so what one accepts the others do too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from blastwall.config.files import policy_files
from blastwall.config.load import ConfigurationError, load
from blastwall.config.model import Configuration
from blastwall.config.resources import resources
from blastwall.control.masks import mask_entries
from blastwall.control.policy import known_names, pack_sources
from blastwall.identity.directory import Directory
from blastwall.masking.configured import MaskEntry
from blastwall.model.resource import Resource
from blastwall.policy.known import PackSource
from blastwall.policy.load import PolicyError
from blastwall.policy.load import load as load_policies
from blastwall.policy.policy_set import PolicySet
from blastwall.protocols.discover import discover
from blastwall.protocols.kind import ProtocolKind


class Unusable(Exception):
    """The configuration or what it names cannot be used; the text is every problem, one a line, with its file."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a gateway would be: checked, and nothing of it in force yet."""

    path: Path
    configuration: Configuration
    kinds: Mapping[str, ProtocolKind]
    resources: Mapping[str, Resource]
    packs: tuple[PackSource, ...]
    policies: PolicySet
    masks: tuple[MaskEntry, ...]


def prepare(path: Path) -> Plan:
    """Read and check the configuration at `path` and the policies that it names. Nothing is written or dialled.

    Raises:
        Unusable: anything is wrong.
    """
    kinds = discover()
    try:
        configuration = load(path, kinds)
        Directory(configuration.agents, configuration.users)
        found = resources(configuration, kinds)
        packs = pack_sources(configuration, kinds)
        policies = load_policies(policy_files(configuration), packs, known_names(configuration, found))
        masks = mask_entries(configuration)
    except (ConfigurationError, PolicyError) as error:
        raise Unusable(str(error)) from None
    except ValueError as error:  # of a match or a mask, which name themselves; pydantic's never get this far
        raise Unusable(f"{path}: {error}") from None
    return Plan(path, configuration, kinds, found, packs, policies, masks)
