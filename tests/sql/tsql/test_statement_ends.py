from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import yaml
from tests.sql.tsql.outline import outline

from blastwall.sql.tsql.unparsed import UnparsedError

Case = dict[str, str | bool]
CASES = cast("list[Case]", yaml.safe_load((Path(__file__).parent / "endings.yaml").read_text()))


def test_the_corpus_is_as_large_as_it_was() -> None:
    assert len(CASES) >= 290


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["text"])[:60].encode("ascii", "replace").decode())
def test_a_statement_ends_where_the_grammar_says(case: Case) -> None:
    text, quoted = str(case["text"]), case.get("quoted", True) is True
    if "reads" in case:
        assert outline(text, quoted_identifier=quoted) == case["reads"]
        return
    with pytest.raises(UnparsedError) as refused:
        outline(text, quoted_identifier=quoted)
    assert str(case["refused"]) in refused.value.reason


def test_the_same_is_read_in_a_block() -> None:
    """Nothing escapes from BEGIN … END, but for what must stand first in its batch."""
    for case in CASES:
        text, quoted, reads = str(case["text"]), case.get("quoted", True) is True, str(case.get("reads", ""))
        first = reads.startswith(("CREATE PROC", "CREATE FUNC", "CREATE TRIG", "CreateView"))
        called = reads.startswith("Execute ") and not text.upper().startswith("EXEC")
        if reads and not first and not called:
            assert outline(f"BEGIN;{text}\nEND", quoted_identifier=quoted) == f"Block, {reads}"
