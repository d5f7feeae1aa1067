"""CSV (RFC 4180), with the names in its first line as the names of fields, masked field by field.

Commas, semicolons, tabs or bars part the fields: what the first line has most of. Where readers would disagree, it is
not read: a quote that closes before its field's end, and where fields are named a line of more fields than the first,
which is then no line of names. Whole lines are settled.
"""

from __future__ import annotations

import re
from array import array

from blastwall.masking.documents import Unreadable
from blastwall.masking.documents.keys import HIDE
from blastwall.masking.documents.looked import Reading
from blastwall.masking.documents.writing import spliced
from blastwall.masking.fast.cells import NULL, Cells
from blastwall.masking.paths import DEAD, TooEntangled

_LONGEST = 1 << 20
_MOST_FIELDS = 4096
_PARTING = b",;\t|"
_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb'(?:[^"\r\n]++|"[^"]*+")*+(?:\r\n|\n|\r(?=[^\n]))')
_SEPARATOR = re.compile(rb"[sS][eE][pP]=")


class Table:
    """One CSV. Implements `Document`."""

    def __init__(self, reading: Reading) -> None:
        """Read it from its first line on."""
        self._reading = reading
        self._rest = b""
        self._field: re.Pattern[bytes] | None = None
        self._states: list[int] = []
        self._column = 0

    def feed(self, data: bytes) -> bytes:
        """See `Document`."""
        return self._read(self._rest + data, final=False)

    def finish(self) -> bytes:
        """See `Document`."""
        return self._read(self._rest, final=True)

    def _read(self, buffer: bytes, *, final: bool) -> bytes:
        if self._field is not None:
            return self._masked(buffer, 0, self._field, final)
        line = _LINE.match(buffer)
        if line is None and not final:
            if len(buffer) > _LONGEST:
                raise Unreadable("the first line of its CSV is too long")
            self._rest = buffer
            return b""
        end = len(buffer) if line is None else line.end()
        lead = len(_BOM) if buffer.startswith(_BOM) else 0
        if _SEPARATOR.match(buffer, lead):
            raise Unreadable("its CSV begins with a line for spreadsheets, not with the names of its fields")
        self._field = field = _field(_parting_of(buffer[lead:end]))
        self._name(buffer[lead:end], field)
        return self._masked(buffer, lead, field, final)

    def _name(self, line: bytes, field: re.Pattern[bytes]) -> None:
        """Take the names of the fields; those of the first line itself are no rule's."""
        looked, at = self._reading.looked, 0
        while at < len(line):
            found = field.match(line, at)
            if found is None or len(self._states) == _MOST_FIELDS:
                raise Unreadable("the first line of its CSV cannot be read")
            try:
                state = looked.keys.learn(looked.paths.member(looked.paths.row, _text(found[1]).strip()))
            except TooEntangled:
                raise Unreadable("its CSV has too many fields for those that are masked") from None
            self._states.append(state)
            at = found.end()
        self._column = -len(self._states)

    def _masked(self, buffer: bytes, start: int, field: re.Pattern[bytes], final: bool) -> bytes:
        """Mask whole fields: those after which there is what ends them."""
        at, stop, places, states = start, len(buffer), array("q"), list[int]()
        settled, whole, column = start, 0, self._column
        while at < stop:
            found = field.match(buffer, at)
            if found is None:
                break
            end = found[2]
            if not end and found.end() < stop:
                raise Unreadable("it is no CSV: a quote closes before its field ends")
            if not final and (not end or (end == b"\r" and found.end() == stop)):
                break
            places.extend((found.start(1), found.end(1) - found.start(1)))
            states.append(self._state())
            ends = not end or end in b"\r\n"
            self._column = 0 if ends else self._column + 1
            at = found.end()
            if ends:
                settled, whole = at, len(states)
        if final and at < stop:
            raise Unreadable("its CSV ends within quotes")
        if stop - settled > _LONGEST:
            raise Unreadable("a line of its CSV is too long")
        self._rest = buffer[settled:]
        self._column = 0 if whole else column
        return self._shown(buffer, places[: 2 * whole], states[:whole], settled)[start:]

    def _state(self) -> int:
        """Return the state of the next field: below 0 the column is one of the first line."""
        if self._column < 0:
            return DEAD
        if self._column < len(self._states):
            return self._states[self._column]
        if self._reading.looked.fields:
            raise Unreadable("a line of its CSV has more fields than there are names in the first")
        return DEAD

    def _shown(self, buffer: bytes, places: array[int], states: list[int], stop: int) -> bytes:
        reading, cells = self._reading, Cells(buffer, places, 1)
        acts = reading.looked.keys.acts
        decided: dict[int, int] = {}
        for cell, state in enumerate(states):
            chosen = acts[state] == HIDE
            doubled = buffer.find(b'""', places[2 * cell], _end(places, cell)) >= 0
            value = cells.value(cell) if chosen or doubled else b""
            if value:
                decided[cell] = len(value)
                text = _text(value)
                shown = reading.hidden(state, text) if chosen else reading.detected(text)
                if shown != text:
                    cells.show(cell, _quoted(shown))
        for cell in decided:
            cells.places[2 * cell + 1] = NULL
        for cell in reading.scan(cells) if reading.detection else ():
            cells.show(cell, _quoted(reading.detected(_text(cells.value(cell)))))
        for cell, size in decided.items():
            cells.places[2 * cell + 1] = size
        return spliced(cells, stop, b"")


def _end(places: array[int], cell: int) -> int:
    return places[2 * cell] + places[2 * cell + 1]


def _field(parting: bytes) -> re.Pattern[bytes]:
    """Return what matches a field and what ends it, which is empty at the end of what is there."""
    sign = re.escape(parting)
    return re.compile(rb'("[^"]*+(?:""[^"]*+)*+"(?!")|(?!")[^' + sign + rb"\r\n]*)(" + sign + rb"|\r\n|\n|\r|\Z|)")


def _parting_of(line: bytes) -> bytes:
    plain = re.sub(rb'"[^"]*+"', b"", line)
    best = max(_PARTING, key=plain.count)
    return bytes((best,))


def _text(raw: bytes) -> str:
    text = raw.decode("utf-8", "surrogateescape")
    return text[1:-1].replace('""', '"') if text.startswith('"') and text.endswith('"') and len(text) > 1 else text


def _quoted(shown: str | None) -> bytes:
    """Return what stands in a field's place; nothing for NULL."""
    if shown is None:
        return b""
    text = shown.encode("utf-8", "surrogateescape")
    return b'"' + text.replace(b'"', b'""') + b'"' if any(sign in b'",;|\t\r\n' for sign in text) else text
