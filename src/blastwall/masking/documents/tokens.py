"""The tokens of JSON (RFC 8259) that masking has to look at, found in one pass over bytes as they come.

What is read is held against the grammar as strictly as a parser would, so that no two readers can see two documents;
only `NaN` and `Infinity`, which many write, and several documents one after the other pass too. The compiled twin is
typed by `tokens.pxd`.
"""

from __future__ import annotations

from array import array

from blastwall.masking.documents import Unreadable
from blastwall.masking.documents.keys import MOST_SIZE, Keys
from blastwall.masking.fast.cells import KEPT, NULL, Cells
from blastwall.masking.fast.numbers import digits_end
from blastwall.wire import memory

KEY, TEXT, ESCAPED, NUMBER, CHOSEN, SCALAR, HIDDEN, DROPPED, CUT = range(9)
"""Kinds of tokens: a key; a string; one with escapes; a number in which something may be found; a string, another
scalar and the beginning of an array or object to which a path leads; more of that; a string too long to be read."""

_VALUE, _FIRST_VALUE, _KEY, _FIRST_KEY, _COLON, _AFTER, _DOCUMENT = range(7)
_KEPT, _NULL = KEPT, NULL
_MOST_SIZE = MOST_SIZE
_KEY_KIND, _TEXT_KIND, _ESCAPED_KIND, _NUMBER_KIND, _CHOSEN_KIND, _SCALAR_KIND = range(6)
_HIDDEN_KIND, _DROPPED_KIND, _CUT_KIND = 6, 7, 8
_QUOTE, _BACKSLASH, _COMMA, _COLON_SIGN, _MINUS, _PLUS, _POINT, _ZERO = 0x22, 0x5C, 0x2C, 0x3A, 0x2D, 0x2B, 0x2E, 0x30
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY = 0x7B, 0x7D, 0x5B, 0x5D
_LOWER_E, _LOWER_U = 0x65, 0x75
_STRIDE = 4
_LONG_NUMBER = 13
"""Characters of the shortest number that could be a card's."""
_LONGEST_NUMBER = 4096

_SPACE, _PLAIN, _DIGIT, _HEX, _ESCAPE, _OF_NUMBER = 1, 2, 4, 8, 16, 32
_CLASS = bytes(
    _SPACE * (byte in b" \t\n\r")
    | _PLAIN * (byte >= 0x20 and byte not in b'"\\')
    | _DIGIT * (byte in b"0123456789")
    | _HEX * (byte in b"0123456789abcdefABCDEF")
    | _ESCAPE * (byte in b'"\\/bfnrtu')
    | _OF_NUMBER * (byte in b"0123456789+-.eE")
    for byte in range(256)
)
_WORDS = (b"true", b"false", b"null", b"NaN", b"Infinity", b"-Infinity")
_NOTHING = b"null"
_REDACTED = b"[redacted]"


class Tokens:
    """Reads documents in pieces. `count` tokens of the last piece stand in `found`, four numbers each.

    These are where it begins and ends (of a string, what stands between its quotes), its kind, and its path's state.
    `asked` are the numbers of those that are not simply read by detectors.
    """

    def __init__(self, keys: Keys, root: int, scanned: bool, depth: int, longest: int) -> None:
        """Take what is looked for, and the bounds: levels of nesting, and bytes of the longest string that is read."""
        self.keys = keys
        self.acts = keys.acts
        self.known = keys.known
        self.sizes = keys.sizes
        self.elements = keys.elements
        self.root = root
        self.scanned = scanned
        self.most_depth = depth
        self.longest = longest
        self.expected = _DOCUMENT
        self.depth = 0
        self.kinds = bytearray(depth + 1)
        self.states = array("q", (0,)) * (depth + 1)
        self.state = root
        self.hidden = 0
        self.resumed = 0
        self.escaped = False
        self.cutting = False
        self.begun = False
        self.room = array("q", (0,)) * 256
        self.found = self.room
        self.count = 0
        self.asked: list[int] = []

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, buffer: bytes, final: bool) -> int:
        """Read whole tokens and return where the first that is not whole begins: the next piece must begin there.

        Raises:
            Unreadable: this is no JSON, or goes over a bound.
            TooEntangled: its paths cannot be followed.
        """
        self.count = 0
        self.asked = []
        if self.hidden:
            self._note(0, 0, _DROPPED_KIND, 0)
        at = self._read(buffer, len(buffer), final)
        if final and (at < len(buffer) or self.cutting or self.expected != _DOCUMENT):
            raise Unreadable("its JSON ends too early")
        if self.hidden:
            self.found[_STRIDE * (self.count - 1) + 1] = at
        return at

    def _read(self, buffer: bytes, stop: int, final: bool) -> int:
        data, classes = buffer, _CLASS
        at = self._cut(buffer, stop) if self.cutting else self._mark(buffer, stop, final)
        while not self.cutting:
            while at < stop and classes[data[at]] & _SPACE:
                at += 1
            if at >= stop:
                break
            end = self._token(buffer, at, stop, final)
            if end < 0:
                return self._incomplete(buffer, at, stop)
            at = end
        return at

    def _mark(self, buffer: bytes, stop: int, final: bool) -> int:
        """Return where reading begins: behind a byte order mark, at the very beginning."""
        if self.begun or stop == 0:
            return 0
        if buffer[0] != 0xEF or final or stop >= 3:
            self.begun = True
            return 3 if buffer.startswith(b"\xef\xbb\xbf") else 0
        return 0

    def _token(self, buffer: bytes, at: int, stop: int, final: bool) -> int:
        """Read the token at `at` and return where it ends, -1 where it does not."""
        byte, expected = buffer[at], self.expected
        if expected == _AFTER:
            return self._after(byte, at)
        if expected == _COLON:
            if byte != _COLON_SIGN:
                raise Unreadable("it is no JSON: a colon is missing")
            self.expected = _VALUE
            return at + 1
        if byte == _QUOTE:
            return self._string(buffer, at, stop)
        if expected in (_KEY, _FIRST_KEY):
            if byte == _CLOSE_OBJECT and expected == _FIRST_KEY:
                return self._close(at)
            raise Unreadable("it is no JSON: a key is missing")
        if byte in (_OPEN_OBJECT, _OPEN_ARRAY):
            return self._open(byte, at)
        if byte == _CLOSE_ARRAY and expected == _FIRST_VALUE:
            return self._close(at)
        return self._scalar(buffer, at, stop, final)

    def _after(self, byte: int, at: int) -> int:
        inside = self.kinds[self.depth]
        if byte == _COMMA:
            self.expected = _KEY if inside == _OPEN_OBJECT else _VALUE
            if inside == _OPEN_ARRAY:
                self.state = self.states[self.depth]
            return at + 1
        if byte != (_CLOSE_OBJECT if inside == _OPEN_OBJECT else _CLOSE_ARRAY):
            raise Unreadable("it is no JSON: a comma is missing")
        return self._close(at)

    def _open(self, byte: int, at: int) -> int:
        """Go into an object or array. Of an array the state of its elements is kept, of an object its own."""
        if self.depth >= self.most_depth:
            raise Unreadable(f"its JSON is nested more than {self.most_depth} levels deep")
        state = self.state
        self.depth += 1
        if not self.hidden and self.acts[state] == 1:
            self.hidden = self.depth
            self._note(at, at, _HIDDEN_KIND, state)
            self.asked.append(self.count - 1)
        if self.hidden:
            state = 0
        elif byte == _OPEN_ARRAY:
            state = self.keys.element(state)
        self.kinds[self.depth] = byte
        self.states[self.depth] = state
        self.state = state
        self.expected = _FIRST_KEY if byte == _OPEN_OBJECT else _FIRST_VALUE
        return at + 1

    def _close(self, at: int) -> int:
        if self.hidden == self.depth:
            self.hidden = 0
            self.found[_STRIDE * (self.count - 1) + 1] = at + 1
        self.depth -= 1
        self._ended()
        return at + 1

    def _ended(self) -> None:
        """A value ended."""
        if self.depth:
            self.expected = _AFTER
        else:
            self.expected = _DOCUMENT
            self.state = self.root

    # ── strings ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _string(self, buffer: bytes, at: int, stop: int) -> int:
        end = self._string_end(buffer, at + 1 + self.resumed, stop)
        if end < 0:
            self.resumed = -1 - end - at - 1
            return -1
        self.resumed = 0
        escaped, self.escaped = self.escaped, False
        if self.expected in (_KEY, _FIRST_KEY):
            if not self.hidden:
                self._key(buffer, at + 1, end, escaped)
            self.expected = _COLON
            return end + 1
        state = self.state
        if not self.hidden:
            act = self.acts[state]
            if act:
                self._note(at + 1, end, _CHOSEN_KIND, state)
                self.asked.append(self.count - 1)
            elif escaped and (self.scanned or state):
                self._note(at + 1, end, _ESCAPED_KIND, state)
                self.asked.append(self.count - 1)
            elif self.scanned:
                self._note(at + 1, end, _TEXT_KIND, state)
        self._ended()
        return end + 1

    def _key(self, buffer: bytes, start: int, end: int, escaped: bool) -> None:
        state = self.states[self.depth]
        self.state = 0
        if state and not escaped and not self._matters(buffer, start, end, state):
            found = self.elements[state]
            self.state = found if found >= 0 else self.keys.element(state)
        elif state:
            raw, known = buffer[start:end], self.known[state]
            self.state = known[raw] if raw in known else self.keys.member(state, raw)
        if self.scanned:
            self._note(start, end, _KEY_KIND, 0)

    def _matters(self, buffer: bytes, start: int, end: int, state: int) -> bool:
        """Whether a key could be a name that leads elsewhere than any other: by its length, if it is ASCII."""
        data, sizes = buffer, self.sizes[state]
        table = sizes
        if table[min(end - start, _MOST_SIZE)]:
            return True
        place = start
        while place < end and data[place] < 0x80:
            place += 1
        return place < end

    def _string_end(self, buffer: bytes, at: int, stop: int) -> int:
        """Return where the closing quote is, or -1 less the place from which to go on where there is none yet."""
        data, classes = buffer, _CLASS
        while True:
            while at < stop and classes[data[at]] & _PLAIN:
                at += 1
            if at >= stop:
                return -1 - at
            if data[at] == _QUOTE:
                return at
            if data[at] != _BACKSLASH:
                raise Unreadable("it is no JSON: a control character in a string")
            self.escaped = True
            end = escape_end(buffer, at, stop)
            if end < 0:
                return -1 - at
            at = end

    def _incomplete(self, buffer: bytes, at: int, stop: int) -> int:
        """Decide on a token that has no end yet: where it is a string that is too long, all that is there is cut."""
        if stop - at <= self.longest or buffer[at] != _QUOTE:
            return at
        if self.expected in (_KEY, _FIRST_KEY):
            raise Unreadable(f"a key in its JSON is longer than {self.longest} bytes")
        end = at + 1 + self.resumed
        if not self.hidden:
            self._note(at, end, _CUT_KIND, self.state)
            self.asked.append(self.count - 1)
        self.cutting = True
        self.resumed = 0
        self.escaped = False
        return end

    def _cut(self, buffer: bytes, stop: int) -> int:
        """Leave out more of a string that is too long; return where that ends."""
        end = self._string_end(buffer, 0, stop)
        self.escaped = False
        self.cutting = end < 0
        place = end + 1 if end >= 0 else -1 - end
        if not self.hidden:
            self._note(0, place, _DROPPED_KIND, 0)
        if end >= 0:
            self._ended()
        return place

    # ── numbers and words ────────────────────────────────────────────────────────────────────────────────────────────

    def _scalar(self, buffer: bytes, at: int, stop: int, final: bool) -> int:
        """Read a number or a word."""
        data, classes = buffer, _CLASS
        first = at + (data[at] == _MINUS)
        number = first < stop and classes[data[first]] & _DIGIT
        end = self._number_end(buffer, at, stop, final) if number else self._word_end(buffer, at, stop, final)
        if end < 0:
            return -1
        if not self.hidden:
            if self.acts[self.state] == 1:
                if end - at != 4 or buffer[at:end] != _NOTHING:
                    self._note(at, end, _SCALAR_KIND, self.state)
                    self.asked.append(self.count - 1)
            elif number and self.scanned and end - at >= _LONG_NUMBER:
                self._note(at, end, _NUMBER_KIND, 0)
                self.asked.append(self.count - 1)
        self._ended()
        return end

    def _number_end(self, buffer: bytes, at: int, stop: int, final: bool) -> int:
        data, classes = buffer, _CLASS
        end = at
        while end < stop and classes[data[end]] & _OF_NUMBER:
            end += 1
        if end - at > _LONGEST_NUMBER:
            raise Unreadable(f"a number in its JSON has more than {_LONGEST_NUMBER} characters")
        if end == stop and not final:
            return -1
        if number_end(buffer, at, end) != end:
            raise Unreadable("it is no JSON: a number is malformed")
        return end

    def _word_end(self, buffer: bytes, at: int, stop: int, final: bool) -> int:
        for word in _WORDS:
            if buffer.startswith(word, at, stop):
                return at + len(word)
        if not final and stop - at < 9 and any(word.startswith(buffer[at:stop]) for word in _WORDS):
            return -1
        raise Unreadable("it is no JSON: a value is missing")

    # ── what was found ───────────────────────────────────────────────────────────────────────────────────────────────

    def _note(self, start: int, end: int, kind: int, state: int) -> None:
        place = _STRIDE * self.count
        if place == len(self.found):
            self._grow()
        self.found[place] = start
        self.found[place + 1] = end
        self.found[place + 2] = kind
        self.found[place + 3] = state
        self.count += 1

    def _grow(self) -> None:
        """Make room for twice as many tokens."""
        self.room = self.room + self.room
        self.found = self.room

    def cells(self, buffer: bytes) -> Cells:
        """Return a cell for each token; those that detectors do not read are NULL to them."""
        found = self.found
        places = array("q", (0,)) * (2 * self.count)
        view = places
        for number in range(self.count):
            place = _STRIDE * number
            read = self.scanned and found[place + 2] <= _ESCAPED_KIND
            view[2 * number] = found[place]
            view[2 * number + 1] = found[place + 1] - found[place] if read else _NULL
        return Cells(buffer, places, 1)

    def written(self, cells: Cells, stop: int) -> bytes:
        """Write the buffer up to `stop` anew, with what is shown in the place of its tokens.

        What is NULL to be shown becomes `null`, quotes and all; a key cannot, and what is dropped is left out.
        """
        data, text, found, shown = cells.buffer, cells.text, self.found, cells.shown
        size = stop
        for number in range(self.count):
            if shown[2 * number + 1] != _KEPT:
                size += max(shown[2 * number + 1], 10)
        written = bytearray(size)
        target = written
        kept = at = 0
        for number in range(self.count):
            length, place = shown[2 * number + 1], _STRIDE * number
            kind = found[place + 2]
            if kind == _DROPPED_KIND:
                length = 0
            if length == _KEPT:
                continue
            start, end = found[place], found[place + 1]
            if length == _NULL and kind in (_TEXT_KIND, _ESCAPED_KIND, _CHOSEN_KIND):
                start -= 1
                end += 1
            memory.copy(target, at, data, kept, start - kept)
            at += start - kept
            kept = end
            if length > 0:
                memory.copy(target, at, text, shown[2 * number], length)
                at += length
            elif length == _NULL:
                instead = _REDACTED if kind == _KEY_KIND else _NOTHING
                memory.copy(target, at, instead, 0, len(instead))
                at += len(instead)
        memory.copy(target, at, data, kept, stop - kept)
        return bytes(written[: at + stop - kept])


def escape_end(buffer: bytes, at: int, stop: int) -> int:
    """Return where the escape at `at` ends, -1 where that is not there yet.

    Raises:
        Unreadable: there is no such escape.
    """
    data, classes = buffer, _CLASS
    if at + 1 >= stop:
        return -1
    if not classes[data[at + 1]] & _ESCAPE:
        raise Unreadable("it is no JSON: an unknown escape")
    if data[at + 1] != _LOWER_U:
        return at + 2
    if at + 6 > stop:
        return -1
    for place in range(at + 2, at + 6):
        if not classes[data[place]] & _HEX:
            raise Unreadable("it is no JSON: an escape without four digits")
    return at + 6


def number_end(buffer: bytes, at: int, stop: int) -> int:
    """Return where the number at `at` ends by the grammar, -1 where it is none."""
    data = buffer
    first = at + (data[at] == _MINUS)
    place = digits_end(buffer, first, stop)
    if place == first or (data[first] == _ZERO and place > first + 1):
        return -1
    if place < stop and data[place] == _POINT:
        first = place + 1
        place = digits_end(buffer, first, stop)
        if place == first:
            return -1
    if place < stop and data[place] | 32 == _LOWER_E:
        first = place + 1
        if first < stop and data[first] in (_PLUS, _MINUS):
            first += 1
        place = digits_end(buffer, first, stop)
        if place == first:
            return -1
    return place
