"""A large catalog is put together in slices, so that no session of the same loop waits for all of it."""

from __future__ import annotations

import pytest

from blastwall.protocols.contract import Output
from blastwall.protocols.postgres.catalog import Row, Snapshot, snapshot_in_slices
from blastwall.protocols.slices import AT_ONCE, Sliced, at_once, slice_by_slice

COUNT = 10 * AT_ONCE
PATH = ("$user", "public")


def results(columns: str = '["a"]') -> list[list[Row]]:
    relations: list[Row] = [(str(n), "public", f"t{n}", "r", columns, "[23]") for n in range(20_000, 20_000 + COUNT)]
    keys: list[Row] = [(oid, "k", '["a"]', oid, '["a"]') for oid, *_ in relations]
    return [relations, [], [], [("public",)], [], [], keys, [], [], [], []]


def test_a_large_catalog_is_put_together_in_slices() -> None:
    work, slices = snapshot_in_slices("shop", None, results(), PATH), 0
    read: Snapshot | None = None
    while read is None:
        try:
            next(work)
            slices += 1
        except StopIteration as end:
            read = end.value
    assert slices >= 3 * COUNT // AT_ONCE
    last = read.catalog.relation("public", f"t{20_000 + COUNT - 1}")
    assert last is not None
    assert [sorted(check.written) for check in read.catalog.checks(last)] == [["a"]]


def test_what_is_as_it_was_is_not_kept_twice() -> None:
    first = at_once(snapshot_in_slices("shop", None, results(), PATH)).catalog
    rows = results()
    rows[0][0] = ("20000", "public", "other", "r", '["a"]', "[23]")
    second = at_once(snapshot_in_slices("shop", first, rows, PATH)).catalog
    assert second.version == first.version + 1
    assert second.relation("public", "t20001") is first.relation("public", "t20001")
    assert second.relation("public", "t20000") is None
    assert second.relation("public", "other") is not None


@pytest.mark.parametrize("columns", ["[", "{"])
def test_what_cannot_be_read_fails_in_its_slice(columns: str) -> None:
    told: list[str] = []

    def failed(error: Exception) -> list[Output]:
        told.append(type(error).__name__)
        return []

    work: Sliced[Snapshot] = snapshot_in_slices("shop", None, results(columns), PATH)
    assert slice_by_slice(work, lambda _read: [], failed, (ValueError,)) == []
    assert told == ["JSONDecodeError"]
