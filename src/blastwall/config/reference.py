"""The configuration reference, written from the models: `make docs` puts it into docs/configuration.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from blastwall.config import model, types
from blastwall.config.shape import keys, models_in
from blastwall.protocols.discover import discover
from blastwall.protocols.kind import ProtocolKind

_INTRO = """\
# Configuration

<!-- Written by `make docs` from the models in src/blastwall/config. Change the descriptions there. -->

Blastwall reads one file, `blastwall.yaml`. `blastwall check -c FILE` says whether it can be used; each problem is
named with its line and key. A relative path is read against the folder of the file. An unknown key is an error.

A value is never turned into another type: text that looks like a number (`repository_id: "123"`) must stand in quotes.
Words and numbers that YAML readers disagree about (`on`, `yes`, `0123`, `1:30`) are errors until they are quoted.

| type | how it is written |
| --- | --- |
| duration | a number and a unit: `500ms`, `30s`, `5m`, `1h`, `7d` |
| size | a number and a unit, `512B`, `64KiB`, `1MiB`, `2GiB`, or a number of bytes |
| name | letters, digits, `.`, `_` and `-`, at most 63 of them, the first a letter or digit |
| network | an address and a prefix length: `10.20.0.0/16` |
| file | a path, relative to the folder of the configuration file |

See also: [operations](operations.md) for reloading, [policy](policy.md), [masking](masking.md),
[recordings](recordings.md), [the command line](cli.md). A complete
example: [blastwall.yaml](../examples/blastwall.yaml).
"""

_WORDS: tuple[tuple[object, str], ...] = (
    (types.Duration, "duration"),
    (types.Period, "duration"),
    (types.Size, "size"),
    (types.Port, "port"),
    (types.Name, "name"),
    (types.File, "file"),
    (types.Network, "network"),
    (timedelta, "duration"),
    (str, "text"),
    (int, "whole number"),
    (float, "number"),
    (bool, "true or false"),
    (object, "any"),
    (NoneType, ""),
)


def reference() -> str:
    """Return the whole reference as Markdown."""
    parts = [_INTRO, _section("Top level", model.Configuration)]
    first: dict[type[BaseModel], str] = {}
    for path, section in _sections(model.Configuration, "", frozenset()):
        known = first.setdefault(section, path)
        parts.append(_section(_title(path), section) if known == path else _again(path, section, known))
    parts += [_settings(kind, protocol) for kind, protocol in sorted(discover().items())]
    return "\n".join(parts)


def _again(path: str, section: type[BaseModel], known: str) -> str:
    about = (section.__doc__ or "").strip().splitlines()[0]
    return f"## {_title(path)}\n\n{about} The same keys as in `{known}`, above.\n"


def _sections(
    root: type[BaseModel], prefix: str, seen: frozenset[type[BaseModel]]
) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield each section's path and model, depth first, in the order of the keys; nothing below a model in `seen`."""
    told = set(seen)
    for key, info in keys(root).items():
        inner = next(models_in(info.annotation), None)
        if inner is not None:
            path = f"{prefix}.{key}" if prefix else key
            yield path, inner
            if inner not in told:
                below = tuple(_sections(inner, path, frozenset({*told, inner})))
                yield from below
                told |= {inner, *(section for _, section in below)}


def _title(path: str) -> str:
    return f"`{path}`"


def _section(title: str, section: type[BaseModel]) -> str:
    about = (section.__doc__ or "").strip().splitlines()[0]
    return "\n".join([f"## {title}", "", about, "", *_table(section), ""])


def _settings(kind: str, protocol: ProtocolKind) -> str:
    title = f"`resources.settings` of the kind `{kind}`"
    if not protocol.settings.model_fields:
        return f"## {title}\n\nNone.\n"
    inner = _sections(protocol.settings, "resources.settings", frozenset())
    parts = [_section(title, protocol.settings)]
    parts += [_section(f"`{path}` of the kind `{kind}`", section) for path, section in inner]
    return "\n".join(parts)


def _table(section: type[BaseModel]) -> Iterator[str]:
    hints = get_type_hints(section, include_extras=True)
    names = {info.alias or name: name for name, info in section.model_fields.items()}
    yield "| key | type | default | what it is |"
    yield "| --- | --- | --- | --- |"
    for key, info in keys(section).items():
        kind = describe(hints[names[key]])
        cells = (f"`{key}`", kind, default(info, kind), info.description or "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def describe(annotation: object) -> str:
    """Return an annotation in the words of the reference."""
    for known, word in _WORDS:
        if annotation == known:
            return word
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "keys, below"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    return _composed(get_origin(annotation), get_args(annotation))


def _composed(origin: object, arguments: tuple[object, ...]) -> str:
    if origin is Annotated:
        return describe(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin in {Union, UnionType}:
        return " or ".join(dict.fromkeys(word for word in map(describe, arguments) if word))
    if origin is list:
        return f"list of {describe(arguments[0])}"
    if origin is dict:
        return f"{describe(arguments[0])}: {describe(arguments[1])}"
    raise TypeError(f"the reference has no word for {origin!r}")


def default(info: FieldInfo, kind: str) -> str:
    """Return a key's default as it would stand in the file; `required` where there is none."""
    if info.is_required():
        return "required"
    value: object = info.default
    if info.default_factory is not None:
        if info.default_factory_takes_validated_data:
            return "see there"
        value = info.get_default(call_default_factory=True)
    if kind == "size" and isinstance(value, int):
        return f"`{_size(value)}`"
    return written(value)


def written(value: object) -> str:
    """Return a default value as the file would have it."""
    if value is None or value in ([], {}, "") or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, timedelta):
        return f"`{_duration(value)}`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, str | int | Path):
        return f"`{value}`"
    raise TypeError(f"the reference cannot write {value!r}")


def _duration(value: timedelta) -> str:
    seconds = value.total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


def _size(value: int) -> str:
    for unit, length in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value % length == 0:
            return f"{value // length}{unit}"
    return f"{value}B"


if __name__ == "__main__":
    sys.stdout.write(reference())
