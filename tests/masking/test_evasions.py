"""Every evasion and every false alarm once found stays found: `evasions.yaml`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from blastwall.masking.detectors import FINDERS
from blastwall.masking.kinds import ResultColumn, ValueKind
from blastwall.masking.plan import MaskPlan, plan
from blastwall.model.masks import DetectRule, MaskRules, MaskStyle

CORPUS = yaml.safe_load((Path(__file__).parent / "evasions.yaml").read_text(encoding="utf-8"))
HIDDEN = [(detector, text) for detector, texts in CORPUS.items() for text in texts["hidden"]]
KEPT = [(detector, text) for detector, texts in CORPUS.items() for text in texts["kept"]]


def masking(detectors: tuple[str, ...], kind: ValueKind) -> MaskPlan:
    made = plan(
        [ResultColumn("c", kind, frozenset(), exact=True)],
        MaskRules(detect=(DetectRule("pii", detectors, MaskStyle.REDACT),)),
    )
    assert made is not None
    return made


def test_the_corpus_has_every_detector() -> None:
    assert set(CORPUS) == set(FINDERS)


@pytest.mark.parametrize(("detector", "text"), HIDDEN)
def test_hidden_in_text(detector: str, text: str) -> None:
    mask = masking((detector,), ValueKind.TEXT)
    assert mask.may_match(text.encode())
    row: list[bytes | None] = [text.encode()]
    assert mask.mask(row), "found"
    assert f"[redacted:{detector}]".encode() in (row[0] or b"")


@pytest.mark.parametrize(("detector", "text"), HIDDEN)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_hidden_in_json(detector: str, text: str, ascii_only: bool) -> None:
    mask = masking((detector,), ValueKind.JSON)
    cell = json.dumps({"k": [text], text: 1.5}, ensure_ascii=ascii_only).encode()
    assert mask.may_match(cell)
    row: list[bytes | None] = [cell]
    assert mask.mask(row)
    assert text not in json.loads(row[0] or b"")
    assert f"[redacted:{detector}]" in json.loads(row[0] or b"")["k"][0]


@pytest.mark.parametrize(("detector", "text"), HIDDEN)
def test_hidden_in_bytes_shown_as_hexadecimal(detector: str, text: str) -> None:
    mask = masking((detector,), ValueKind.OPAQUE)
    cell = b"\\x00" + text.encode().hex().encode()
    assert mask.may_match(cell)
    row: list[bytes | None] = [cell]
    assert mask.mask(row)
    assert row == [None]


@pytest.mark.parametrize(("detector", "text"), KEPT)
def test_kept(detector: str, text: str) -> None:
    row: list[bytes | None] = [text.encode()]
    assert not masking((detector,), ValueKind.TEXT).mask(row)
    assert row == [text.encode()]
