"""The types that the sections of `blastwall.yaml` are made of: durations, sizes, paths, names, and `Strict` itself."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = re.compile(r"(\d+)(B|KiB|MiB|GiB|TiB)")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
"""Labels of letters, digits and hyphens (RFC 1123, section 2.1); an IPv4 address is written alike."""
_LONGEST = timedelta(days=36_500)


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("write a number and a unit: 500ms, 30s, 5m, 1h or 7d")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise ValueError("longer than a hundred years")
    return timedelta(seconds=seconds)


def _size(value: object) -> object:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError("write a number and a unit: 512B, 64KiB, 1MiB or 2GiB")
        return int(match[1]) * _SIZES[match[2]]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("write a number and a unit: 512B, 64KiB, 1MiB or 2GiB")
    return value


def _beside(path: Path, info: ValidationInfo[object]) -> Path:
    """Read a relative path against the configuration's folder, which the loader gives as the context."""
    folder = info.context
    return folder / path.expanduser() if isinstance(folder, Path) else path


def text_beside(prefix: str, text: str, info: ValidationInfo[object]) -> str:
    """Read the path that follows `prefix` in `text` against the configuration's folder; other text stays as it is."""
    return prefix + str(_beside(Path(text.removeprefix(prefix)), info)) if text.startswith(prefix) else text


def _as_text(path: object) -> object:
    """Let a default pass the strict validation, which reads paths from text alone."""
    return str(path) if isinstance(path, Path) else path


def _network(value: object) -> object:
    try:
        ip_network(value if isinstance(value, str | IPv4Network | IPv6Network) else "")
    except ValueError:
        raise ValueError("expects a network such as 10.20.0.0/16, without host bits") from None
    return value


def _positive(period: timedelta) -> timedelta:
    if not period:
        raise ValueError("must be longer than 0s")
    return period


def _host_name(name: str) -> str:
    """Read a host name as DNS writes it, or an address; a URL's host is compared in lower case."""
    lower = name.lower()
    if _HOST_NAME.fullmatch(lower) is None:
        raise ValueError("expects a host name such as arm.gw.example, without scheme or port")
    return lower


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Period = Annotated[Duration, AfterValidator(_positive)]
File = Annotated[Path, BeforeValidator(_as_text), AfterValidator(_beside)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[int, Field(ge=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
HostName = Annotated[str, AfterValidator(_host_name)]
NonEmpty = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """Every section: unknown keys are errors, values are never coerced into another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, hide_input_in_errors=True)
