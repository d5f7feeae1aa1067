"""Check that the types of the compiled twins name every attribute that their sources set; `--write` writes them anew.

A class that a `.pxd` file declares keeps its attributes in fields instead of a dictionary. One that is not named there
still works, by a dictionary of its own, but slower: nobody would notice, so this looks.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "blastwall"
TYPED = {
    "gate/journal": ("Journal",),
    "gate/session": ("SessionGate",),
    "gate/statements": ("Statements",),
    "protocols/postgres/bound": ("Bound",),
    "protocols/postgres/conversation": ("Conversation",),
    "protocols/postgres/lane": ("Lane",),
    "protocols/postgres/learned": ("Learned",),
    "protocols/postgres/naming": ("Names",),
    "protocols/postgres/pipeline": ("Known", "Running", "Pipeline"),
    "protocols/postgres/requests": ("Requests",),
    "protocols/postgres/responses": ("Responses",),
    "protocols/postgres/rows": ("Rows",),
    "protocols/postgres/session": ("PostgresSession",),
    "recording/batch": ("Batch",),
    "recording/log": ("NodeLog",),
    "recording/recorder": ("Record", "Recorder"),
    "relay/tls": ("Tls",),
    "wire/inbox": ("Inbox",),
}
HEAD = "# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.\n"


def types(source: Path, classes: tuple[str, ...]) -> str:
    """Return the declarations of a module's classes."""
    found = {node.name: node for node in ast.parse(source.read_text()).body if isinstance(node, ast.ClassDef)}
    return HEAD + "".join(declaration(found[name]) for name in classes)


def declaration(node: ast.ClassDef) -> str:
    """Return one class with its attributes, in the order in which they are first set."""
    names = {one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    attributes = dict.fromkeys(
        target.attr
        for target in ast.walk(node)
        if isinstance(target, ast.Attribute)
        and isinstance(target.ctx, ast.Store)
        and isinstance(target.value, ast.Name)
        and target.value.id == "self"
        and target.attr not in names
    )
    lines = [
        f"\ncdef class {node.name}:",
        "    cdef dict __dict__",
        *(f"    cdef public object {a}" for a in attributes),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Check, or write; return the exit code."""
    stale = []
    for module, classes in TYPED.items():
        target = SOURCE / f"{module}.pxd"
        wanted = types(SOURCE / f"{module}.py", classes)
        if target.exists() and target.read_text() == wanted:
            continue
        stale.append(f"src/blastwall/{module}.pxd")
        if "--write" in arguments:
            target.write_text(wanted)
    if stale and "--write" not in arguments:
        sys.stderr.write(f"stale, run `make docs`: {', '.join(stale)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
