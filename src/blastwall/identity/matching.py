"""`match:` of agents and users: claims compared exactly, by `glob:` or by `regex:`, always as whole values.

In a glob `*` is any run of characters (also none) and `?` any one, as in Entra's flexible federated credentials: `*`
crosses `/` and `:`, so end what must not grow: `glob:repo:acme/*`, not `glob:repo:acme*`. Case counts everywhere.
Regular expressions are RE2's, which match in linear time, so no token can make one expensive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import re2

from blastwall.identity.claims import MUTABLE, Flat

_MEMORY = 1 << 20


class UnusableMatch(ValueError):
    """A `match:` of the configuration cannot be used; the text names its owner and the claim."""


Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Matcher:
    """All of one owner's tests. A claim that the token lacks fails its test."""

    tests: tuple[tuple[str, Test], ...]

    def matches(self, flat: Flat) -> bool:
        """Whether every claim has a text that passes."""
        return all(any(test(text) for text in flat.get(claim, ())) for claim, test in self.tests)


def compile_match(owner: str, match: Mapping[str, str]) -> Matcher:
    """Compile a `match:`.

    Args:
        owner: whose it is, for errors: "agent shop-ci".
        match: claim to value.

    Raises:
        UnusableMatch: it is empty, names a claim that can change hands, or holds a pattern that cannot be read.
    """
    if not match:
        raise UnusableMatch(f"{owner}: match: name at least one claim, or every token of the issuer would match")
    tests = []
    for claim, value in match.items():
        if claim in MUTABLE:
            raise UnusableMatch(
                f"{owner}: match: {claim} can be given to somebody else; match one that cannot, like `oid` or `sub`"
            )
        tests.append((claim, _test(f"{owner}: match: {claim}", value)))
    return Matcher(tuple(tests))


def _test(where: str, value: str) -> Test:
    if value.startswith("glob:"):
        return _pattern(where, glob_expression(_filled(where, value.removeprefix("glob:"))))
    if value.startswith("regex:"):
        return _pattern(where, _filled(where, value.removeprefix("regex:")))
    wanted = _filled(where, value)
    return lambda text: text == wanted


def _filled(where: str, value: str) -> str:
    if not value:
        raise UnusableMatch(f"{where}: an empty value would match by accident; write what the claim must be")
    return value


def glob_expression(glob: str) -> str:
    """Return the RE2 expression of a glob."""
    parts = {"*": ".*", "?": "."}
    return "(?s)" + "".join(parts.get(character) or re2.escape(character) for character in glob)


def _pattern(where: str, expression: str) -> Test:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        compiled = re2.compile(expression, options)
    except re2.error:
        raise UnusableMatch(f"{where}: the expression cannot be read (RE2 syntax, no look-around)") from None

    def test(text: str) -> bool:
        try:
            return compiled.fullmatch(text) is not None
        except UnicodeError:  # a lone surrogate, which UTF-8 cannot hold
            return False

    return test
