"""What the configuration knows: the names that a policy may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blastwall.model.ids import azure_id
from blastwall.model.resource import Resource

CONTROL = "control"
"""`Resource.plane` of Azure Resource Manager."""

APPROVERS = "approvers"
"""The group that default packs ask for approval. It is always known; who is in it, the configuration says."""


@dataclass(frozen=True, slots=True)
class Known:
    """Groups, agents and users by name, resources by name. An entity outside these stops the load."""

    groups: frozenset[str] = frozenset()
    resources: Mapping[str, Resource] = field(default_factory=dict)
    agents: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()

    @property
    def control(self) -> bool:
        """Whether some resource is at the control plane, by which any Azure scope may be reached."""
        return any(resource.plane == CONTROL for resource in self.resources.values())

    @property
    def all_groups(self) -> frozenset[str]:
        """The configured groups and the built-in one."""
        return self.groups | {APPROVERS}

    def azure_scopes(self, entity_type: str) -> frozenset[str]:
        """Return the ids of the resource groups or subscriptions that configured resources are in."""
        return frozenset(
            scope for resource in self.resources.values() for kind, scope in azure_tree(resource) if kind == entity_type
        )


@dataclass(frozen=True, slots=True)
class PackSource:
    """A default pack: its name, its Cedar text, and the ids of its policies that do not apply."""

    name: str
    text: str
    except_ids: tuple[str, ...] = ()


def azure_tree(resource: Resource) -> tuple[tuple[str, str], ...]:
    """Return (entity type, id) of the Azure scopes above a resource, innermost first; empty without an Azure id.

    A resource group's id carries its subscription, as ARM writes it:
    `/subscriptions/{guid}/resourcegroups/{name}/providers/…`. A resource at the control plane is in none: it reaches
    whatever its credential does, and each thing behind it has its own.
    """
    parts = azure_id(resource.azure).split("/")
    scopes: list[tuple[str, str]] = []
    if resource.plane == CONTROL:
        return ()
    if len(parts) >= 5 and parts[3] == "resourcegroups" and parts[4]:
        scopes.append(("ResourceGroup", "/".join(parts[:5])))
    if len(parts) >= 3 and parts[1] == "subscriptions" and parts[2]:
        scopes.append(("Subscription", "/".join(parts[:3])))
    return tuple(scopes)
