"""Text in another charset than UTF-8, turned into it as it streams."""

from __future__ import annotations

import codecs
import re

from blastwall.masking.documents import Document, Unreadable

_UTF8 = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_KNOWN = re.compile(
    r"utf-?(?:16|32)(?:[-_]?[lb]e)?|iso-?8859-?\d{1,2}|latin-?[19]|(?:windows-|cp)\d{3,4}|shift[-_]jis|euc-(?:jp|kr)|"
    r"iso-2022-(?:jp|kr)|gbk|gb2312|gb18030|big5|koi8-[ru]|macintosh"
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def is_utf8(charset: str) -> bool:
    """Whether text in a charset of this name is UTF-8 as well."""
    return charset in _UTF8


def marked(head: bytes) -> str:
    """Return the charset that a byte order mark at the beginning gives away, empty where there is none."""
    return next((charset for mark, charset in _MARKS if head.startswith(mark)), "")


class Transcoded:
    """A document in another charset: it is read and shown as UTF-8. Implements `Document`."""

    def __init__(self, charset: str, document: Document) -> None:
        """Take the charset's name, and what reads the text.

        Raises:
            Unreadable: there is no such charset.
        """
        if not _KNOWN.fullmatch(charset):
            raise Unreadable(f"its charset {charset[:40]!r} is not known")
        try:
            self._decoder = codecs.getincrementaldecoder(charset)()
        except LookupError:
            raise Unreadable(f"its charset {charset[:40]!r} is not known") from None
        self._charset = charset
        self._document = document

    def feed(self, data: bytes) -> bytes:
        """See `Document`."""
        return self._document.feed(self._decoded(data, final=False))

    def finish(self) -> bytes:
        """See `Document`."""
        return self._document.feed(self._decoded(b"", final=True)) + self._document.finish()

    def _decoded(self, data: bytes, *, final: bool) -> bytes:
        try:
            return self._decoder.decode(data, final).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise Unreadable(f"it is not {self._charset}, as it says") from None
