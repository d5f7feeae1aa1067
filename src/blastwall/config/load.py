"""Read `blastwall.yaml`: every problem at once, each with file, line and key, or a configuration that can be used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import to_json

from blastwall.config.checks import Finding, cross_check
from blastwall.config.document import MAX_BYTES, Document, Problem, Unreadable, read
from blastwall.config.files import check_files
from blastwall.config.model import Configuration
from blastwall.config.resources import check_settings, with_scopes
from blastwall.config.wording import problems
from blastwall.protocols.discover import discover
from blastwall.protocols.kind import ProtocolKind


class ConfigurationError(Exception):
    """The configuration cannot be used. Its text is every problem, one a line: `blastwall.yaml:12: key: what`."""


def load(path: Path, kinds: Mapping[str, ProtocolKind] | None = None) -> Configuration:
    """Read and check a configuration file; relative paths in it are read against its folder.

    Args:
        path: the file.
        kinds: the protocols by kind; default: every folder under `protocols/`.

    Raises:
        ConfigurationError: the file cannot be read or used.
    """
    document = _read(path)
    try:
        configuration = _validate(document, Path(os.path.abspath(path)).parent)  # noqa: PTH100 - links stay as written
    except ValidationError as error:
        raise _error(path, problems(error, document, Configuration)) from None
    known = discover() if kinds is None else kinds
    found = [*check_settings(configuration, known, document)]
    found += _placed(document, cross_check(configuration, known))
    found += _placed(document, check_files(configuration))
    if found:
        raise _error(path, found)
    return with_scopes(configuration, known)


def _read(path: Path) -> Document:
    try:
        with path.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        document = read(data.decode("utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: there is no such file; give the configuration's with -c FILE") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: not UTF-8 text") from None
    except Unreadable as error:
        raise _error(path, error.problems) from None
    if not isinstance(document.value, dict):
        raise ConfigurationError(f"{path}:1: expects keys and values, such as `resources:`; see docs/configuration.md")
    return document


def _validate(document: Document, folder: Path) -> Configuration:
    """Validate as JSON in strict mode: text stays text, numbers stay numbers, paths and networks are read from text."""
    value = document.value if isinstance(document.value, dict) else {}
    given = {"recordings": {}, **value}  # so that the folder's default is read against `folder` too
    return Configuration.model_validate_json(to_json(given), strict=True, context=folder)


def _placed(document: Document, findings: Iterable[Finding]) -> list[Problem]:
    return [Problem(document.line(path), path, message) for path, message in findings]


def _error(path: Path, found: Iterable[Problem]) -> ConfigurationError:
    ordered = sorted(set(found), key=lambda problem: (problem.line, problem.message))
    return ConfigurationError("\n".join(problem.text(str(path)) for problem in ordered))
