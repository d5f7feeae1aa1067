"""Ask Cedar which policies each effect of a statement satisfies.

Cedar's own answer names only the policies that determined it: the forbids of a Deny, the permits of an Allow. Blastwall
needs all of them, since approvals hang on permits and forbids alike. So every policy is handed to Cedar as a permit,
whose reasons are then complete, and `combine` weighs permits against forbids itself.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

import cedarpy
from cedarpy import pst

from blastwall.gate.ports import IPAddress, Subject
from blastwall.model.effects import Effect, Mark
from blastwall.model.statement import Statement
from blastwall.policy.entities import Entity, base_entities, object_entities, object_uid, principal_uid
from blastwall.policy.schema import schema

_ERRING = re.compile(r"^error while evaluating policy `([^`]+)`")


class Undecidable(Exception):
    """Cedar could not be asked: the request does not fit the schema."""


@dataclass(frozen=True, slots=True)
class Satisfied:
    """The ids of the policies that one effect satisfies, and of those whose evaluation failed."""

    ids: frozenset[str]
    erring: frozenset[str] = frozenset()


def compile_all(trees: Iterable[pst.Template]) -> cedarpy.PolicySet:
    """Return policies ready to be asked, each turned into a permit and keyed by its id."""
    permits = {tree.id: replace(tree, effect="permit") for tree in trees}
    return cedarpy.PolicySet.from_pst(pst.PolicySet(templates={}, static_policies=permits, template_links=()))


_numbers = itertools.count()


class Asker:
    """Asks on behalf of one subject; the entities that all its statements share are parsed once.

    `number` is its own for the life of the process: what is kept for an asker need not keep the asker.
    """

    __slots__ = ("_base", "_principal", "_resource", "_source", "number", "plane")

    def __init__(self, subject: Subject) -> None:
        self.number = next(_numbers)
        self._principal = principal_uid(subject.principal)
        self._resource = subject.resource.name
        self._source = _address(subject.source)
        self._base = cedarpy.Entities.from_json_str(json.dumps(base_entities(subject)), schema())
        self.plane = subject.plane

    def ask(self, policies: cedarpy.PolicySet, statement: Statement, effects: Sequence[Effect]) -> list[Satisfied]:
        """Return what each of `effects` satisfies, in their order.

        Raises:
            Undecidable: Cedar refused the question.
            ValueError: a name cannot be an entity (it is not Unicode text).
        """
        contexts = {marks: self._context(statement, marks) for marks in {effect.marks for effect in effects}}
        found: list[Satisfied] = []
        for group, entities in self._groups(effects):
            known = self._base.with_added_json_str(json.dumps(entities))
            requests = [self._request(effect, contexts[effect.marks]) for effect in group]
            answers = cedarpy.is_authorized_batch(requests, policies, known, schema())
            found += [_satisfied(answer) for answer in answers]
        return found

    def _groups(self, effects: Sequence[Effect]) -> Iterator[tuple[list[Effect], list[Entity]]]:
        """Cut the effects so that within a group one id means one thing.

        A table and a type of one name have the same id; judged together, one would be taken for the other's kind.
        """
        group: list[Effect] = []
        entities: dict[tuple[str, str], Entity] = {}
        for effect in effects:
            added = {
                (one["uid"]["type"], one["uid"]["id"]): one for one in object_entities(self._resource, effect.object)
            }
            if any(entities.get(key, entity) != entity for key, entity in added.items()):
                yield group, list(entities.values())
                group, entities = [], {}
            group.append(effect)
            entities.update(added)
        yield group, list(entities.values())

    def _request(self, effect: Effect, context: str) -> dict[str, object]:
        return {
            "principal": self._principal,
            "action": {"type": "Action", "id": effect.action.value},
            "resource": object_uid(self._resource, effect.object),
            "context": context,
        }

    def _context(self, statement: Statement, marks: frozenset[Mark]) -> str:
        followed = Mark.FOLLOWED in marks
        own = followed and Mark.PART not in marks
        return json.dumps(
            {
                "operation": statement.operation,
                "filtered": Mark.FILTERED in marks if own else statement.filtered,
                "filters_masked": statement.filters_masked,
                "followed": followed,
                "definer": Mark.DEFINER in marks,
                "in_transaction": statement.in_transaction,
                "stage": statement.stage.value,
                "database": statement.database,
                "plane": self.plane,
                "source": {"__extn": {"fn": "ip", "arg": self._source}},
            }
        )


def _satisfied(answer: cedarpy.AuthzResult) -> Satisfied:
    if answer.decision is cedarpy.Decision.NoDecision:
        raise Undecidable("; ".join(answer.diagnostics.errors))
    erring = (_ERRING.match(error) for error in answer.diagnostics.errors)
    return Satisfied(frozenset(answer.diagnostics.reasons), frozenset(match[1] if match else "?" for match in erring))


def _address(source: IPAddress) -> str:
    """Return an address as policies see it: an IPv4 client of a dual-stack listener is an IPv4 client."""
    if isinstance(source, IPv6Address):
        source = source.ipv4_mapped or IPv6Address(int(source))
    return str(source)
