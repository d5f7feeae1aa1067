"""Text from outside, where a person looks at it: a terminal, a log. It can only be looked at."""

from __future__ import annotations


def visible(text: str) -> str:
    """Return `text` on one line with everything that a terminal might obey written as an escape (x1b)."""
    # What is not printable to Python are Unicode's controls, direction marks, surrogates, private characters and
    # separators other than the space.
    return text if text.isprintable() else "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if named is not None:
        return named
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
