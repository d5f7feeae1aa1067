"""The parameters of a call: by their places, by their names, and as a recording holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blastwall.model.statement import Parameter
from blastwall.protocols.tds.declarations import Declared
from blastwall.protocols.tds.rpc import BY_REFERENCE, DEFAULT, RpcParameter
from blastwall.protocols.tds.types import INT1, INT2, INT4, INT8, INTN, NCHAR, NTEXT, NVARCHAR
from blastwall.protocols.tds.values import decoded, value_of
from blastwall.sql.tsql.statement import Argument, Classified

_TEXTS = frozenset({NVARCHAR, NCHAR, NTEXT})
_NUMBERS = frozenset({INT1, INT2, INT4, INT8, INTN})


class UnreadableCall(Exception):
    """What a call would do cannot be told from its parameters; the text says which and why."""


class Arguments:
    """The parameters of a system procedure's call, by their places.

    A name is believed only where it is one that the parameter in its place has: what a server makes of a call whose
    names and places disagree is not written down. `names` are those of the first parameters, each with all its names.
    """

    def __init__(self, procedure: str, parameters: Sequence[RpcParameter], names: Sequence[frozenset[str]]) -> None:
        self.procedure = procedure
        self.all = parameters
        taken = frozenset[str]().union(*names)
        for position, one in enumerate(parameters):
            allowed = names[position] if position < len(names) else None
            name = one.name.lower()
            if name and (name not in allowed if allowed is not None else name in taken):
                raise UnreadableCall(f"the parameter {one.name} of {procedure} is not in its place")

    def text(self, position: int) -> str:
        """Return a Unicode text; "" where it is NULL or not there.

        Raises:
            UnreadableCall: it is anything else.
        """
        one = self._given(position)
        if one is None:
            return ""
        if one.type.type not in _TEXTS:
            raise UnreadableCall(
                f"parameter {position + 1} of {self.procedure} must be nvarchar, not {one.type.declared}"
            )
        try:
            return (value_of(one.field, one.type) or b"").decode("utf-16-le")
        except UnicodeDecodeError:
            # As text for a record it could be shown; what is judged must be what is run.
            raise UnreadableCall(f"parameter {position + 1} of {self.procedure} is no well-formed Unicode") from None

    def number(self, position: int) -> int | None:
        """Return an integer; None where it is NULL or not there.

        Raises:
            UnreadableCall: it is anything else.
        """
        one = self._given(position)
        if one is None:
            return None
        value = decoded(one.field, one.type)
        if one.type.type not in _NUMBERS or isinstance(value, bytes):
            raise UnreadableCall(f"parameter {position + 1} of {self.procedure} must be int, not {one.type.declared}")
        return None if value is None else int(value)

    def after(self, position: int) -> Sequence[RpcParameter]:
        """Return the parameters from this place on: the values of a statement's own."""
        return self.all[position:]

    def _given(self, position: int) -> RpcParameter | None:
        if position >= len(self.all):
            return None
        one = self.all[position]
        if one.flags & DEFAULT:
            raise UnreadableCall(f"parameter {position + 1} of {self.procedure} is left at its default")
        return one


def bound(given: Sequence[RpcParameter], declared: Sequence[Declared], classified: Classified) -> tuple[Parameter, ...]:
    """Return the values of a statement's parameters for the record, with the columns that they go to."""
    types: Mapping[str, str] = {one.name.lower(): one.type for one in declared}
    found: list[Parameter] = []
    for position, one in enumerate(given):
        name = one.name or (declared[position].name if position < len(declared) else f"@{position + 1}")
        key = name.lower()
        found.append(
            Parameter(
                None if one.flags & DEFAULT else decoded(one.field, one.type),
                classified.parameters.get(key),
                key in classified.secret_parameters,
                f"{name} {types.get(key) or one.type.declared}",
            )
        )
    return tuple(found)


def arguments(given: Sequence[RpcParameter]) -> tuple[Argument, ...]:
    """Return a procedure's arguments as the classifier takes them."""
    return tuple(
        Argument(
            one.name,
            None if one.flags & DEFAULT else decoded(one.field, one.type),
            bool(one.flags & BY_REFERENCE),
            one.type.declared,
            not one.flags & DEFAULT,
        )
        for one in given
    )


def outputs_of(parameters: Sequence[RpcParameter], names: Mapping[int, str]) -> tuple[str, ...]:
    """Return the names of a call's parameters by ordinal, lower-case; `names` are those that the call leaves open."""
    return tuple((one.name or names.get(position, "")).lower() for position, one in enumerate(parameters))
