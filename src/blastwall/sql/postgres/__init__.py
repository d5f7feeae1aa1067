"""PostgreSQL's SQL: text to effects, lineage and literals; changes when PostgreSQL's grammar or functions do."""

from blastwall.sql.lineage import OutputColumn
from blastwall.sql.postgres.attached import Attached, Attachments, Cascade, Operator, Rule, Trigger, Types
from blastwall.sql.postgres.catalog import NO_FUNCTIONS, Catalog, Check, Function, Functions, Relation
from blastwall.sql.postgres.classify import classify, unread
from blastwall.sql.postgres.deciding import SAMPLES
from blastwall.sql.postgres.findings import OverBudgetError
from blastwall.sql.postgres.guard import Limits
from blastwall.sql.postgres.hanging import EVERYTHING, Lost, joined
from blastwall.sql.postgres.isolated import Reading, UnreadableReply, decode, reading
from blastwall.sql.postgres.parameters import bound_as
from blastwall.sql.postgres.parse import Source
from blastwall.sql.postgres.recall import Alike, Template, Texts
from blastwall.sql.postgres.shape import shape_in
from blastwall.sql.postgres.state import (
    NameState,
    before,
    either,
    facts,
    goes_by_names,
    losing,
    named,
    same_names,
    settled,
)
from blastwall.sql.postgres.statement import Changes, Classified, Copy

__all__ = [
    "EVERYTHING",
    "NO_FUNCTIONS",
    "SAMPLES",
    "Alike",
    "Attached",
    "Attachments",
    "Cascade",
    "Catalog",
    "Changes",
    "Check",
    "Classified",
    "Copy",
    "Function",
    "Functions",
    "Limits",
    "Lost",
    "NameState",
    "Operator",
    "OutputColumn",
    "OverBudgetError",
    "Reading",
    "Relation",
    "Rule",
    "Source",
    "Template",
    "Texts",
    "Trigger",
    "Types",
    "UnreadableReply",
    "before",
    "bound_as",
    "classify",
    "decode",
    "either",
    "facts",
    "goes_by_names",
    "joined",
    "losing",
    "named",
    "reading",
    "same_names",
    "settled",
    "shape_in",
    "unread",
]
