"""Chooses between a module and its compiled twin, of the same source, when it is imported.

Python prefers the twin. All are passed by where `BLASTWALL_PURE` is set, where one of them was not built, and in a
checkout where a source is newer than its twin, so that nobody who edits a module runs the old one. All or none: twins
know each other's fields.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

FOLDERS = {
    "protocols": ("again", "standing"),
    "wire": ("inbox", "reader"),
    "protocols/postgres": (
        "bound",
        "conversation",
        "copy_runs",
        "lane",
        "learned",
        "messages",
        "naming",
        "pipeline",
        "plain_answers",
        "present",
        "requests",
        "responses",
        "rows",
        "runs",
        "session",
        "values",
    ),
    "protocols/tds": ("reply_writer", "row_cells", "row_forms", "row_masks", "rows"),
    "masking": ("hidden", "plan", "statements"),
    "masking/documents": ("tokens",),
    "masking/fast": ("addresses", "cells", "hiding", "hits", "ibans", "numbers", "parts", "scanner", "secrets"),
    "gate": ("each", "granted", "journal", "session", "statements"),
    "recording": ("batch", "events", "files", "frames", "log", "quick", "recorder", "segments", "streams", "summary"),
    "relay": ("carrier", "express", "lines", "metrics", "pump", "stream", "tls", "turn"),
    "budgets": ("budgets",),
    "containment": ("containment",),
    "sql/postgres": ("recall", "shape"),
}
"""The modules that have twins, by folder."""

_PACKAGE = Path(__file__).parent
_CHECKOUT = (_PACKAGE.parents[1] / "pyproject.toml").exists()
_SUFFIX = EXTENSION_SUFFIXES[0]


class _Chooser:
    """Finds the plain sources of all modules that have twins, where those must be passed by."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        if not path or not name.startswith("blastwall."):
            return None
        source = Path(path[0], name.rpartition(".")[2] + ".py")
        return spec_from_file_location(name, source) if _twin(source).exists() and source.exists() else None


def _twin(source: Path) -> Path:
    return source.with_suffix(_SUFFIX)


def passed_by() -> bool:
    """Whether the twins must not be used."""
    sources = [_PACKAGE / folder / f"{name}.py" for folder, names in FOLDERS.items() for name in names]
    return bool(os.environ.get("BLASTWALL_PURE")) or not all(map(_usable, sources))


def _usable(source: Path) -> bool:
    twin = _twin(source)
    return twin.exists() and not (_CHECKOUT and source.stat().st_mtime > twin.stat().st_mtime)


def install() -> None:
    """Choose, once and for all."""
    if _Chooser not in sys.meta_path and passed_by():
        sys.meta_path.insert(0, _Chooser)


def compiled() -> bool:
    """Whether the twins of the hot path are in use, as far as one of them tells for all."""
    module = sys.modules.get("blastwall.relay.pump")
    return module is not None and str(getattr(module, "__file__", "")).endswith(_SUFFIX)
