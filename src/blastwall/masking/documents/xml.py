"""XML (1.0), read strictly, with names of elements and `@names` of attributes as the names of fields.

No document type, no entities but the five and characters by number, one root, every element closed: what a reader would
have to look up or to guess is not read. Prefixes of names do not count. What stands between two tags is one text,
whatever comments and CDATA sections it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from blastwall.masking.documents import Unreadable
from blastwall.masking.documents.keys import EDIT, HIDE
from blastwall.masking.documents.looked import Reading
from blastwall.masking.paths import DEAD, TooEntangled

_MOST_DEPTH = 512
_LONGEST = 1 << 20
_NAME = r"[^\s<>/=&'\"!?;\x00-\x20]+"
_TOKEN = re.compile(
    r"(?P<text>[^<]+)"
    r"|<!--(?P<comment>(?:[^-]|-(?!-))*)-->"
    r"|<!\[CDATA\[(?P<data>.*?)\]\]>"
    r"|<\?(?P<instruction>.*?)\?>"
    rf"|</(?P<close>{_NAME})\s*>"
    rf"|<(?P<open>{_NAME})(?P<attributes>(?:\s+{_NAME}\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*(?P<empty>/?)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rf"(\s+)({_NAME})(\s*=\s*)(\"[^\"]*\"|'[^']*')")
_REFERENCE = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([a-z]+))?;?")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_ENCODING = re.compile(r"encoding\s*=\s*[\"']([^\"']*)[\"']")
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BOM = "\ufeff"


class XmlDocument:
    """One XML document. Implements `Document`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._rest = b""
        self._names: list[str] = []
        self._states = [reading.looked.paths.root]
        self._run: list[tuple[str, str]] = []
        self._run_size = 0
        self._hidden = 0
        self._begun = self._ended = False

    def feed(self, data: bytes) -> bytes:
        """See `Document`."""
        buffer = self._rest + data
        text, self._rest = _decoded(buffer, final=False)
        return self._read(text, final=False)

    def finish(self) -> bytes:
        """See `Document`."""
        text, _ = _decoded(self._rest, final=True)
        self._rest = b""
        shown = self._read(text, final=True)
        if self._names or (self._begun and not self._ended):
            raise Unreadable("its XML ends too early")
        return shown

    def _read(self, text: str, *, final: bool) -> bytes:
        pieces: list[str] = []
        at = 0
        if not self._begun and text.startswith(_BOM):
            pieces.append(_BOM)
            at = 1
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None or (token.end() == len(text) and token["text"] is not None and not final):
                break
            at = token.end()
            pieces += self._token(token)
        left = text[at:].encode("utf-8", "surrogatepass")
        if left and final:
            raise Unreadable("it is no XML, or ends too early")
        if len(left) > _LONGEST or self._run_size > _LONGEST:
            raise Unreadable(f"a text or tag in its XML is longer than {_LONGEST} bytes")
        if left.startswith(b"<!D"):
            raise Unreadable("its XML declares a document type")
        self._rest = left + self._rest
        if final:
            pieces += self._settle()
        return "".join(pieces).encode("utf-8", "surrogatepass")

    # ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _token(self, token: re.Match[str]) -> Iterator[str]:
        kind = token.lastgroup if token["open"] is None else "open"
        whole = token[0]
        if _CONTROL.search(whole):
            raise Unreadable("it is no XML: there is a control character in it")
        match kind:
            case "text":
                self._add(whole, _referenced(token["text"]))
            case "data":
                self._add(whole, token["data"])
            case "comment":
                yield from self._aside(f"<!--{self._aside_text(token['comment'], '--')}-->")
            case "instruction":
                yield from self._aside(self._instruction(token["instruction"]))
            case "close":
                yield from self._settle()
                yield from self._close(token["close"], whole)
            case _:
                yield from self._settle()
                yield from self._open(token)

    def _add(self, whole: str, value: str) -> None:
        """Take a piece of the text between two tags."""
        if not self._names and value.strip(" \t\r\n"):
            raise Unreadable("it is no XML: there is text outside its root")
        self._run.append((whole, value))
        self._run_size += len(whole)

    def _aside(self, whole: str) -> Iterator[str]:
        """Take a comment or the like, which parts no text: it stays where it is unless that text is hidden."""
        self._begun = True
        if self._run:
            self._run.append((whole, ""))
            self._run_size += len(whole)
        elif not self._hidden:
            yield whole

    def _aside_text(self, text: str, unwanted: str) -> str:
        shown = self._reading.detected(text)
        return " " if shown is None or unwanted in shown else shown

    def _instruction(self, text: str) -> str:
        if re.match(r"xml\s", text):
            if self._begun:
                raise Unreadable("it is no XML: a declaration that is not at its beginning")
            encoding = _ENCODING.search(text)
            if encoding is not None and encoding[1].lower() not in _UTF8:
                raise Unreadable(f"it is XML in {encoding[1][:40]}, and only UTF-8 is read")
            return f"<?{text}?>"
        return f"<?{self._aside_text(text, '?>')}?>"

    def _open(self, token: re.Match[str]) -> Iterator[str]:
        name, empty = token["open"], bool(token["empty"])
        if not self._names and self._ended:
            raise Unreadable("it is no XML: it has two roots")
        if len(self._names) >= _MOST_DEPTH:
            raise Unreadable(f"its XML is nested more than {_MOST_DEPTH} levels deep")
        self._begun = True
        state = DEAD if self._hidden else self._member(self._states[-1], name)
        if not self._hidden:
            attributes = "".join(self._attributes(token["attributes"], state))
            same = attributes == token["attributes"]
            yield token[0] if same else f"<{name}{attributes}{'/' if empty else ''}>"
        if empty:
            self._ended = not self._names
            return
        self._names.append(name)
        self._states.append(state)
        if not self._hidden and self._reading.looked.keys.acts[state] == HIDE:
            self._hidden = len(self._names)

    def _close(self, name: str, whole: str) -> Iterator[str]:
        if not self._names or self._names[-1] != name:
            raise Unreadable("it is no XML: an element is closed that is not open")
        if self._hidden == len(self._names):
            self._hidden = 0
        if not self._hidden:
            yield whole
        self._names.pop()
        self._states.pop()
        self._ended = not self._names

    def _attributes(self, text: str, state: int) -> Iterator[str]:
        seen: set[str] = set()
        for space, name, equals, quoted in _ATTRIBUTE.findall(text):
            if name in seen:
                raise Unreadable("it is no XML: an attribute stands twice in one element")
            seen.add(name)
            value = _referenced(quoted[1:-1])
            shown = value if name.startswith("xmlns") else self._shown(self._member(state, f"@{_local(name)}"), value)
            new = quoted if shown == value else f'"{_escaped(shown or "")}"'
            yield f"{space}{name}{equals}{new}"

    def _member(self, state: int, name: str) -> int:
        looked = self._reading.looked
        try:
            return looked.keys.learn(looked.paths.member(state, name if name.startswith("@") else _local(name)))
        except TooEntangled:
            raise Unreadable("its XML has too many combinations of names for the fields that are masked") from None

    # ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _settle(self) -> Iterator[str]:
        """Show the text since the last tag."""
        run, self._run, self._run_size = self._run, [], 0
        if not run or (self._hidden and self._hidden < len(self._names)):
            return
        value = "".join(text for _, text in run)
        shown = self._shown(self._states[-1], value) if value.strip() else "" if self._hidden else value
        yield "".join(whole for whole, _ in run) if shown == value else _escaped(shown or "")

    def _shown(self, state: int, value: str) -> str | None:
        act = self._reading.looked.keys.acts[state]
        if act == HIDE:
            return self._reading.hidden(state, value)
        return self._reading.detected(self._reading.edited(state, value) if act == EDIT else value)


def _decoded(data: bytes, *, final: bool) -> tuple[str, bytes]:
    """Return the text of whole characters, and the bytes of one that is not whole."""
    cut = len(data)
    if not final:
        while cut > max(0, len(data) - 3) and data[cut - 1] & 0xC0 == 0x80:
            cut -= 1
        cut = cut - 1 if cut and data[cut - 1] >= 0xC0 else len(data)
    try:
        return data[:cut].decode(), data[cut:]
    except UnicodeDecodeError:
        raise Unreadable("it is no XML in UTF-8") from None


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _referenced(text: str) -> str:
    """Return a text with the characters that it refers to."""
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if not found[0].endswith(";") or (name is not None and name not in _NAMED):
        raise Unreadable("its XML refers to an entity")
    if name is not None:
        return _NAMED[name]
    point = int(decimal) if decimal is not None else int(hexadecimal or "0", 16)
    if not 0 < point < 0x110000 or 0xD800 <= point < 0xE000:
        raise Unreadable("it is no XML: it refers to no character")
    return chr(point)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
