"""Whatever is asked: judging never fails, and no other way of writing a request makes another of it."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from blastwall.model.effects import Action
from blastwall.protocols.http.arm.documents import Unreadable, read_document
from blastwall.protocols.http.arm.expressions import NoExpression, parse
from blastwall.protocols.http.arm.paths import Unplaced, segments_of
from blastwall.protocols.http.arm.tests.asking import ask
from blastwall.protocols.http.arm.tests.corpus import cases

PLACED = [(method, path) for method, path, operation, _ in cases() if operation != "?"]
requests = st.sampled_from(PLACED)
names = st.text("aZ09-_.()é店 %/\\", min_size=1, max_size=6)
paths = st.lists(names | st.sampled_from(["providers", "subscriptions", "Microsoft.Compute", "x"]), max_size=9).map(
    lambda parts: "/" + "/".join(parts)
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
expressions = st.recursive(
    st.sampled_from(["'a'", "1", "parameters('n')", "resourceGroup().name", "uniqueString('a')", "listKeys('x')"]),
    lambda inner: st.tuples(
        st.sampled_from(["concat", "if", "format", "take", "replace", "reference", "first", "resourceId", "split"]),
        st.lists(inner, max_size=3),
    ).map(lambda pair: f"{pair[0]}({', '.join(pair[1])})"),
    max_leaves=12,
)


@given(requests, st.data())
@settings(max_examples=60, deadline=None)
def test_case_a_slash_at_the_end_and_escapes_change_nothing(one: tuple[str, str], data: st.DataObject) -> None:
    method, path = one
    flips = data.draw(st.lists(st.booleans(), min_size=len(path), max_size=len(path)))
    escaped = data.draw(st.sets(st.integers(0, len(path) - 1), max_size=5))
    written = "".join(
        f"%{ord(letter):02X}" if place in escaped and letter.isalnum() and letter.isascii() and path[place - 1] != "%"
        and path[place - 2 : place - 1] != "%" else letter.swapcase() if flip and letter.isascii() else letter
        for place, (letter, flip) in enumerate(zip(path, flips, strict=True))
    )  # fmt: skip
    slash = data.draw(st.sampled_from(["", "/"])) if not path.endswith("/") else ""
    plain, other = ask(method, path), ask(method, written + slash)
    assert (other.operation, other.effects, other.reveals) == (plain.operation, plain.effects, plain.reveals)


@given(st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH", "X"]), paths)
@settings(max_examples=80, deadline=None)
@example("POST", "/")
def test_every_request_has_effects_on_azure_ids_or_is_a_poll(method: str, path: str) -> None:
    for effect in ask(method, path).effects:
        assert effect.object.azure.startswith("/") or effect.action is Action.CONNECT
        assert "/" in effect.object.kind or effect.action is Action.CONNECT
        assert effect.object.azure == effect.object.azure.lower()


@given(paths, paths)
@settings(max_examples=80, deadline=None)
def test_two_paths_are_one_only_if_azure_compares_them_as_one(one: str, other: str) -> None:
    try:
        same = segments_of(one) == segments_of(other)
    except Unplaced:
        return
    assert same == (one.rstrip("/").lower() == other.rstrip("/").lower())


@given(documents)
@settings(max_examples=60, deadline=None)
def test_documents_are_read_as_json_is_or_refused(value: object) -> None:
    text = json.dumps(value)
    try:
        read = read_document(text, lambda _: False).value
    except Unreadable:
        return
    assert read == _lower(json.loads(text))


def _lower(value: object) -> object:
    if isinstance(value, dict):
        return {name.lower(): _lower(each) for name, each in value.items()}
    return [_lower(each) for each in value] if isinstance(value, list) else value


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.sampled_from(["PUT", "POST", "PATCH"]))
@settings(max_examples=60, deadline=None)
def test_no_body_makes_judging_fail(body: bytes, method: str) -> None:
    for path in ("/batch", "/subscriptions/s/resourceGroups/g/providers/Microsoft.Resources/deployments/d"):
        assert ask(method, path, body).effects


@given(documents)
@settings(max_examples=40, deadline=None)
def test_no_template_makes_judging_fail(value: object) -> None:
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Resources/deployments/d"
    resource = {"type": "Microsoft.Web/sites", "name": "x", "properties": value, "tags": value}
    for template in (
        value,
        {"resources": value},
        {"resources": [resource, value]},
        {"resources": [], "outputs": value},
    ):
        assert ask("PUT", path, {"properties": {"template": template, "mode": "Incremental"}}).effects


@given(expressions)
@settings(max_examples=60, deadline=None)
def test_a_template_is_judged_whatever_its_expressions_are(expression: str) -> None:
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Resources/deployments/d"
    resource = {"type": "Microsoft.Web/sites", "name": f"[{expression}]"}
    judged = ask("PUT", path, {"properties": {"template": {"resources": [resource]}, "mode": "Incremental"}})
    actions = {each.action for each in judged.effects}
    if "listKeys" in expression:
        assert actions & {Action.REVEAL, Action.UNCLASSIFIED}
    if "reference" in expression:
        assert Action.UNCLASSIFIED in actions


@given(st.text("[]()',.aB1 {}?", max_size=30))
@settings(max_examples=80, deadline=None)
def test_no_expression_makes_reading_fail(text: str) -> None:
    try:
        parse(f"[{text}]")
    except NoExpression:
        return
