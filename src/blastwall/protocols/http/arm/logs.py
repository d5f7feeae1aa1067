"""Queries of logs that read more than the workspace whose address they are sent to.

Kusto's query language names other workspaces, applications and resources in a query (`workspace('other').Table`), takes
Resource Graph and clusters for tables (`arg("")`, `adx(…)`), and fetches addresses (`externaldata`): see "Query across
resources with Azure Monitor". A body may name further workspaces, too.
"""

from __future__ import annotations

import re

from blastwall.protocols.http.arm.documents import Json
from blastwall.protocols.http.arm.operations import Operation

_QUERIES = frozenset({f"microsoft.operationalinsights/workspaces/{word}/action" for word in ("query", "search")})
_BY_ADDRESS = frozenset(
    {"microsoft.operationalinsights/workspaces/query/read", "microsoft.operationalinsights/workspaces/api/read",
     "microsoft.operationalinsights/workspaces/api/query/read", "microsoft.insights/components/query/read",
     "microsoft.insights/components/api/read", "microsoft.insights/logs/read"}
)  # fmt: skip
_ELSEWHERE = re.compile(
    r"\b(?:workspace|app|resource|arg|adx|cluster|database|externaldata|external_table|[a-z_]+_request)"
    r"(?:\s|//[^\n]*\n)*\("
)
"""Functions that read elsewhere; a comment may stand before the parenthesis. They are written in lower case."""


def logs_queried(operation: Operation, body: Json) -> bool:
    """Whether a query of logs reads, or may read, what is outside the workspace that it is sent to."""
    if operation.key in _BY_ADDRESS:
        return True
    if operation.key not in _QUERIES:
        return False
    said = body if isinstance(body, dict) else {}
    query = said.get("query")
    plain = set(said) <= {"query", "timespan", "top"} and isinstance(query, str)
    return not plain or _ELSEWHERE.search(str(query)) is not None
