"""What requests are to Azure: operation, object, effects, for each way of writing them that was ever thought of."""

from __future__ import annotations

import pytest

from blastwall.model.effects import Action
from blastwall.protocols.http.arm.tests.asking import ask
from blastwall.protocols.http.arm.tests.corpus import cases

CASES = cases()


@pytest.mark.parametrize(("method", "path", "operation", "said"), CASES, ids=[f"{one[0]} {one[1]}" for one in CASES])
def test_a_request_is_what_azure_calls_it(method: str, path: str, operation: str, said: str) -> None:
    judged = ask(method, path)
    shown = "; ".join(f"{each.action} {each.object.azure or each.object.kind}" for each in judged.effects)
    if operation == "?":
        assert Action.UNCLASSIFIED in {each.action for each in judged.effects}
        assert said in judged.doubt
    else:
        assert (judged.operation, shown, judged.doubt) == (operation, said, "")


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len({one[:2] for one in CASES}) >= 200
