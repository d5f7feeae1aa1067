"""The schema that every policy is validated against, parsed once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import cedarpy


def schema_text() -> str:
    """Return the schema as it is packaged."""
    return files("blastwall.policy").joinpath("blastwall.cedarschema").read_text(encoding="utf-8")


@cache
def schema() -> cedarpy.Schema:
    """Return the parsed schema."""
    return cedarpy.Schema.from_str(schema_text())
