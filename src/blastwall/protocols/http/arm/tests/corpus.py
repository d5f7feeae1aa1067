"""Requests without a body, and what they are: lines `METHOD path | operation | effects` of `corpus.txt`.

In paths and ids `S` at the start stands for `/subscriptions/s1`, `G` for `/subscriptions/s1/resourceGroups/Shop`; a
word that starts with `Microsoft.` stands for itself after `/providers/`. Effects are `action id`. A line whose
operation is `?` is `unclassified`, and the third part is a part of the reason.
"""

from __future__ import annotations

from pathlib import Path

_CORPUS = Path(__file__).with_name("corpus.txt")


def _long(text: str) -> str:
    """Write out what stands for a scope or a provider."""
    group = "/subscriptions/s1/resourceGroups/Shop"
    for short, long in (("G", group), ("S", "/subscriptions/s1")):
        if text == short or text.startswith(f"{short}/"):
            text = long + text[1:]
    parts = text.split("/")
    for place, part in enumerate(parts):
        if part.lower().startswith("microsoft.") and parts[place - 1] != "providers":
            parts[place] = f"providers/{part}"
    return "/".join(parts)


def _effect(text: str) -> str:
    action, _, identity = text.partition(" ")
    return f"{action} {_long(identity).lower() if identity != 'resource' else identity}"


def cases() -> list[tuple[str, str, str, str]]:
    """Return method, path, operation and effects (or the reason) of each request."""
    found = []
    for line in _CORPUS.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        request, operation, effects = line.split(" | ")
        method, path = request.split(" ")
        said = effects if operation == "?" else "; ".join(map(_effect, effects.split("; ")))
        found.append((method, _long(path), operation, said))
    return found
