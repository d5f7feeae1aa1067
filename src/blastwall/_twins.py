"""Chooses between a module and its compiled twin, of the same source, when it is imported.

Python prefers the twin. It is passed by where `BLASTWALL_PURE` is set, and in a checkout where the source is newer than
it, so that nobody who edits a module runs the old one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

_PACKAGE = Path(__file__).parent
_CHECKOUT = (_PACKAGE.parents[1] / "pyproject.toml").exists()
_SUFFIX = EXTENSION_SUFFIXES[0]
_TOGETHER = (
    "masking/fast/addresses",
    "masking/fast/cells",
    "masking/fast/hiding",
    "masking/fast/hits",
    "masking/fast/ibans",
    "masking/fast/numbers",
    "masking/fast/parts",
    "masking/fast/scanner",
    "masking/fast/secrets",
    "protocols/postgres/runs",
)
"""Twins that call each other in C: a twin cannot call the plain source of another."""


class _Chooser:
    """Finds the plain source of a module whose twin must be passed by; leaves all others to the finders after it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        if not path or not name.startswith("blastwall."):
            return None
        source = Path(path[0], name.rpartition(".")[2] + ".py")
        twin = source.with_suffix(_SUFFIX)
        if not twin.exists() or not (_passed_by(source, twin) or _alone(source)):
            return None
        return spec_from_file_location(name, source)


def _passed_by(source: Path, twin: Path) -> bool:
    return bool(os.environ.get("BLASTWALL_PURE")) or (_CHECKOUT and source.stat().st_mtime > twin.stat().st_mtime)


def _alone(source: Path) -> bool:
    """Whether a module's twin cannot be used for lack of another's."""
    if source.with_suffix("").relative_to(_PACKAGE).as_posix() not in _TOGETHER:
        return False
    others = [_PACKAGE / f"{name}.py" for name in _TOGETHER]
    return any(not one.with_suffix(_SUFFIX).exists() or _passed_by(one, one.with_suffix(_SUFFIX)) for one in others)


def install() -> None:
    """Choose from now on."""
    if _Chooser not in sys.meta_path:
        sys.meta_path.insert(0, _Chooser)


def compiled() -> bool:
    """Whether the twins of the hot path are in use, as far as one of them tells for all."""
    module = sys.modules.get("blastwall.relay.pump")
    return module is not None and str(getattr(module, "__file__", "")).endswith(_SUFFIX)
