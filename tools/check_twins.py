"""Check that the types of the compiled twins name every attribute and method of their sources; `--write` writes them.

A class that a `.pxd` file declares keeps its attributes in fields, and calls its methods without looking them up. What
is annotated with a class that is declared in any of them has its type, so that calls between those are direct, too:
attributes, parameters, results, and locals that have an annotation. `Whole`, `Real` and `Flag` (`wire.native`) are C's
own. Whatever Cython cannot declare (keyword-only parameters, closures, coroutines, properties) stays as it is, and
works as well.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "blastwall"
TYPED = {
    "budgets/budgets": ("StoredBudgets", "StoredPurse"),
    "containment/containment": ("StoredContainment",),
    "gate/each": ("Awaiting", "Carrier", "Cutoff", "EachMeter", "Generation", "Purse", "QuickRecord"),
    "gate/granted": ("Granted",),
    "gate/journal": ("Unrecorded", "Journal"),
    "gate/session": ("SessionGate",),
    "gate/statements": ("Answered", "Statements"),
    "protocols/again": ("Again", "Repeating"),
    "protocols/standing": ("Standing",),
    "protocols/postgres/bound": ("Bound",),
    "protocols/postgres/conversation": ("Waiting", "Conversation"),
    "protocols/postgres/lane": ("Lane",),
    "protocols/postgres/learned": ("Similar", "Learned"),
    "protocols/postgres/naming": ("Names",),
    "protocols/postgres/pipeline": ("Known", "Running", "Prepared", "Pipeline"),
    "protocols/postgres/plain_answers": ("Plain",),
    "protocols/postgres/present": ("Present",),
    "protocols/postgres/requests": ("Requests",),
    "protocols/postgres/responses": ("Responses",),
    "protocols/postgres/rows": ("Rows",),
    "protocols/postgres/session": ("PostgresSession",),
    "protocols/tds/reply_writer": ("ReplyWriter",),
    "recording/batch": ("Batch",),
    "recording/files": ("AppendFile",),
    "recording/log": ("NodeLog",),
    "recording/recorder": ("Counters", "Told", "Record", "Recorder"),
    "recording/segments": ("OpenSegment",),
    "recording/streams": ("Stream",),
    "relay/express": ("Express", "Granting"),
    "relay/lines": ("Receiver", "Lines", "Line"),
    "relay/metrics": ("ResourceMetrics",),
    "relay/stream": ("Shortcut", "Stream"),
    "relay/tls": ("Tls",),
    "relay/turn": ("Turn",),
    "wire/inbox": ("Inbox",),
}
BASES = (
    "Awaiting",
    "Carrier",
    "Cutoff",
    "EachMeter",
    "Purse",
    "QuickRecord",
    "Receiver",
    "Repeating",
    "Shortcut",
    "Standing",
)
"""Typed classes that others inherit from."""
BY_HAND = "\n# By hand:"
"""What follows this in a file is kept."""
HEAD = "# Written by `make docs` (tools/check_twins.py) from the source of the same name.\n"
NATIVE = {"Whole": "long long", "Real": "double", "Flag": "bint", "Octets": "bytes"}
_RAISES = {"long long": " except *", "double": " except? -1", "bint": " except -1"}
_DEFERRED = (ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef, ast.GeneratorExp, ast.Yield, ast.YieldFrom, ast.Await)
"""What a function that is declared may not contain."""

Places = Mapping[str, str]
"""Where the classes are declared that a module may name: by their name, the module."""


@cache
def _handed_on(folder: str) -> frozenset[str]:
    """The names of methods that the folder takes as values, to be called later: Cython would not bind those."""
    found = set()
    for source in (SOURCE / folder).glob("*.py"):
        tree = ast.parse(source.read_text())
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        found |= {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and id(node) not in called
        }
    return frozenset(found)


def types(module: str, classes: tuple[str, ...]) -> str:
    """Return the declarations of a module's classes."""
    folder = module.rpartition("/")[0]
    tree = ast.parse((SOURCE / f"{module}.py").read_text())
    found = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    seen = {**_imported(tree), **dict.fromkeys(classes, module)}
    known = {name: at for name, at in seen.items() if name in TYPED.get(at, ())}
    declared = "".join(declaration(found[name], known, _handed_on(folder)) for name in classes)
    used = sorted((at, name) for name, at in known.items() if at != module and re.search(rf"\b{name}[ ):,]", declared))
    brought = "".join(f"from blastwall.{at.replace('/', '.')} cimport {name}\n" for at, name in used)
    return HEAD + "cimport cython\n" + brought + declared


def _imported(tree: ast.Module) -> Places:
    """The names that a module imports from others of the product."""
    package = "blastwall."
    return {
        alias.name: node.module.removeprefix(package).replace(".", "/")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith(package)
        for alias in node.names
        if alias.asname is None
    }


def declaration(node: ast.ClassDef, known: Places, handed_on: frozenset[str]) -> str:
    """Return one class with its attributes, in the order in which they are first set, and its methods."""
    methods = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    names = {one.name for one in methods}
    attributes: dict[str, str] = {}
    for one in methods:
        for attribute, kind in _set_in(one, known):
            if attribute not in names and attributes.get(attribute, "object") == "object":
                attributes[attribute] = kind
    bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in known]
    lines = [
        "" if bases or node.name in BASES else "\n@cython.final",  # Cython lets no final class override a method
        f"cdef class {node.name}({', '.join(bases)}):" if bases else f"cdef class {node.name}:",
        *(f"    cdef public {kind} {attribute}" for attribute, kind in attributes.items()),
        *(line for one in methods if one.name not in handed_on and (line := _method(one, known)) is not None),
    ]
    return "\n".join(lines if len(lines) > 2 else [*lines, "    pass"]) + "\n"


def _set_in(function: ast.FunctionDef | ast.AsyncFunctionDef, known: Places) -> Iterator[tuple[str, str]]:
    """The attributes that a method sets on its object, with their types."""
    parameters = {one.arg: _type(one.annotation, known) for one in function.args.args}
    for node in ast.walk(function):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if _assigns(node) else []
        for target in targets:
            value = getattr(node, "value", None)
            for leaf in ast.walk(target):
                if not (isinstance(leaf, ast.Attribute) and isinstance(leaf.value, ast.Name)):
                    continue
                if leaf.value.id == "self" and isinstance(leaf.ctx, ast.Store):
                    yield leaf.attr, _kind(node, leaf is target, value, parameters, known)


def _assigns(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign | ast.AugAssign)


def _kind(node: ast.AST, alone: bool, value: ast.expr | None, parameters: Places, known: Places) -> str:
    if isinstance(node, ast.AnnAssign):
        return _own(node.annotation, known)
    if not alone:
        return "object"
    if isinstance(value, ast.Name):
        return parameters.get(value.id, "object")
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in known:
        return value.func.id
    return "object"


def _type(annotation: ast.expr | None, known: Places) -> str:
    """What an annotation says, as far as it is declared: `Name` or `Name | None`."""
    match annotation:
        case ast.Name(id=name) if name in known or name in NATIVE:
            return NATIVE.get(name, name)
        case ast.BinOp(left=ast.Name(id=name), op=ast.BitOr(), right=ast.Constant(value=None)) if name in known:
            return name
        case _:
            return "object"


def _own(annotation: ast.expr, known: Places) -> str:
    """The same of an attribute: it holds what its annotation says and no subclass of that."""
    match annotation:
        case ast.Subscript(value=ast.Name(id="dict" | "list" | "set" as name)):
            return name
        case _:
            return _type(annotation, known)


def _method(function: ast.FunctionDef | ast.AsyncFunctionDef, known: Places) -> str | None:
    """A method's declaration; None where it cannot have one."""
    given = function.args
    if isinstance(function, ast.AsyncFunctionDef) or function.decorator_list or function.name.startswith("__"):
        return None
    if given.kwonlyargs or given.vararg is not None or given.kwarg is not None or given.posonlyargs:
        return None
    if len(given.defaults) > 1:
        return None  # a call may leave out the first of them only
    if any(isinstance(node, _DEFERRED) for one in function.body for node in ast.walk(one)):
        return None
    first = len(given.args) - len(given.defaults)
    told = ", ".join(
        _parameter(one, known) + ("" if place < first else "=*") for place, one in enumerate(given.args) if place
    )
    result = _type(function.returns, known)
    declared = f"    cpdef {result} {function.name}({', '.join(filter(None, ('self', told)))}){_RAISES.get(result, '')}"
    typed = _locals(function, known)
    return f"    @cython.locals({typed})\n{declared}" if typed else declared


def _parameter(one: ast.arg, known: Places) -> str:
    kind = _type(one.annotation, known)
    return one.arg if kind == "object" else f"{kind} {one.arg}"


def _locals(function: ast.FunctionDef, known: Places) -> str:
    """The locals whose annotation is of use."""
    typed = {}
    for node in ast.walk(function):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            kind = _type(node.annotation, known)
            if kind != "object":
                typed[node.target.id] = kind
    return ", ".join(f'{name}="{kind}"' if " " in kind else f"{name}={kind}" for name, kind in typed.items())


def main(arguments: list[str]) -> int:
    """Check, or write; return the exit code."""
    stale = []
    for module, classes in TYPED.items():
        target = SOURCE / f"{module}.pxd"
        before = target.read_text() if target.exists() else ""
        wanted = types(module, classes) + "".join(before.partition(BY_HAND)[1:])
        if before == wanted:
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
