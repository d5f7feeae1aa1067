r"""Runs of COPY rows: what is masked at once is what is masked row by row, and what is not plain is left to that."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.masking.kinds import ResultColumn, ValueKind
from blastwall.masking.plan import MaskPlan, plan
from blastwall.model.masks import ColumnRule, DetectRule, MaskRules, MaskStyle
from blastwall.model.statement import Column
from blastwall.protocols.postgres.copy_rows import CopyMask, TextFormat
from blastwall.protocols.postgres.copy_runs import plain_rows
from blastwall.protocols.postgres.messages import frame

EMAIL = Column("shop", "public", "customers", "email")
WIDTH = 3
VALUES = st.none() | st.sampled_from(
    [b"", b"ann@example.com", b"N", b"4111111111111111", b"x y", b"a\\b@c.de", b"1\t2\n"]
)
KINDS = st.sampled_from([ValueKind.TEXT, ValueKind.JSON, ValueKind.NUMBER, ValueKind.OPAQUE])


def planned(kinds: list[ValueKind], style: MaskStyle, *, named: bool) -> MaskPlan:
    columns = [
        ResultColumn("c", kind, frozenset({EMAIL} if named and at == 1 else ()), exact=True)
        for at, kind in enumerate(kinds)
    ]
    rules = MaskRules(
        (ColumnRule("column", "public.customers.email", style),),
        (DetectRule("found", ("email", "card"), style),),
        b"a key that is long enough for it",
    )
    made = plan(columns, rules)
    assert made is not None
    return made


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.lists(VALUES, min_size=WIDTH, max_size=WIDTH), max_size=5),
    kinds=st.lists(KINDS, min_size=WIDTH, max_size=WIDTH),
    style=st.sampled_from(list(MaskStyle)),
    named=st.booleans(),
)
def test_a_run_is_masked_like_its_rows(
    rows: list[list[bytes | None]], kinds: list[ValueKind], style: MaskStyle, named: bool
) -> None:
    made, model = planned(kinds, style, named=named), planned(kinds, style, named=named)
    bodies = [TextFormat().encode(row) for row in rows]
    buffer = b"#" + b"".join(frame(b"d", body) for body in bodies) + frame(b"c", b"")
    end, count = plain_rows(buffer, 1, WIDTH)
    escaped = [body.replace(b"\\N", b"").count(b"\\") > 0 for body in bodies]
    assert count == (escaped.index(True) if True in escaped else len(rows))
    masked, stop, found = CopyMask(TextFormat(), made, WIDTH).mask_run(buffer, 1)
    ordinary = CopyMask(TextFormat(), model, WIDTH)
    assert (masked or b"") == b"".join(frame(b"d", ordinary.mask(body)) for body in bodies[:count])
    assert (stop, found) == (end, count)
    assert made.counts == model.counts


@given(data=st.binary(max_size=60), cut=st.integers(0, 60))
def test_what_is_not_a_whole_plain_row_is_left(data: bytes, cut: int) -> None:
    buffer = frame(b"d", data)[: 5 + cut]
    end, rows = plain_rows(buffer, 0, 2)
    if rows:
        assert end == len(buffer)
        assert TextFormat().decode(data) == [None if one == b"\\N" else one for one in data[:-1].split(b"\t")]
        assert data.count(b"\t") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a\tb",
        b"a\tb\n\n",
        b"a\nb\tc\n",
        b"a\tb\tc\n",
        b"a\n",
        b"\\Nx\tb\n",
        b"a\\N\tb\n",
        b"a\t\\\n",
        b"a\t\\.\n",
        b"\\\\N\tb\n",
    ],
)
def test_rows_that_are_not_plain(body: bytes) -> None:
    assert plain_rows(frame(b"d", body), 0, 2) == (0, 0)


def test_another_delimiter_null_or_header_is_left_to_each_row() -> None:
    made = planned([ValueKind.TEXT] * 2, MaskStyle.REDACT, named=True)
    buffer = frame(b"d", b"a\tb\n")
    for form in (TextFormat(b"|"), TextFormat(null=b""), TextFormat(header=True)):
        assert CopyMask(form, made, 2).mask_run(buffer, 0) == (None, 0, 0)
    headed = TextFormat(header=True)
    assert headed.decode(b"name\temail\n") is None
    assert CopyMask(headed, made, 2).mask_run(buffer, 0) == (frame(b"d", b"a\t[redacted]\n"), len(buffer), 1)
