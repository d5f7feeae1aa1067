"""What keys a section may have: read from the models, for error messages and for the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from blastwall.config.document import Path


def keys(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the model's fields by the key that stands in the file."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation names, at whatever depth of lists, unions and metadata."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def model_at(root: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """Return the model of the section at `path`; list positions and free keys lead to their values' model."""
    model = root
    for part in path:
        info = keys(model).get(part) if isinstance(part, str) else None
        if info is None:
            continue
        inner = next(models_in(info.annotation), None)
        if inner is None:
            return None
        model = inner
    return model
