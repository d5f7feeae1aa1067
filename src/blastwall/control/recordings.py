"""Use-cases of reading recordings: find sessions, show one, replay it, prove that all are untouched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from blastwall.config.model import Configuration
from blastwall.control.access import Access, Operator, UseCases, use_case
from blastwall.recording.encryption import NO_KEYS, Keyring
from blastwall.recording.keys import load_public_key
from blastwall.recording.reader import Query, Reader, Recorded
from blastwall.recording.report import Report
from blastwall.recording.summary import Summary
from blastwall.recording.verify import verify


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where recordings are, the folders that their checkpoints are anchored in, and the keys that decrypt them."""

    folder: Path
    anchors: tuple[Path, ...] = ()
    keyring: Keyring = NO_KEYS


def shelf_of(configuration: Configuration, keyring: Keyring) -> Shelf:
    """Return where a configuration's recordings are, to be read with these keys."""
    anchors = tuple(each.folder for each in configuration.recordings.anchors if each.folder is not None)
    return Shelf(configuration.recordings.to, anchors, keyring)


class Recordings(UseCases):
    """The recordings on one shelf; who may read its files may read them here."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    @use_case(Access.AUDITOR)
    def find(self, caller: Operator, query: Query) -> list[Summary]:
        """Return the sessions that match, newest first.

        Raises:
            NoRecordings: there are no recordings at all, or none that can be decrypted.
        """
        return Reader(self._shelf.folder, self._shelf.keyring).sessions(query)

    @use_case(Access.AUDITOR)
    def session(self, caller: Operator, session: str) -> tuple[Summary, Iterator[Recorded]]:
        """Return one session, by its id or the only id that starts so, and its records in their order.

        Raises:
            NoRecordings: there is none, or there are several, or its key is not at hand.
        """
        reader = Reader(self._shelf.folder, self._shelf.keyring)
        summary = reader.session(session)
        return summary, reader.replay(summary)

    @use_case(Access.LOCAL)
    def prove(self, caller: Operator, keys: Sequence[Path] = (), anchors: Sequence[Path] = ()) -> Report:
        """Verify everything; without `anchors`, against the configured ones that exist.

        Raises:
            KeyUnusable: a key file holds no public key.
            NoRecordings: there are no recordings at all, and no anchor says that there were.
            OSError: a folder cannot be read.
        """
        read = [load_public_key(path) for path in keys]
        given = anchors or [path for path in self._shelf.anchors if path.is_dir()]
        if not given:
            Reader(self._shelf.folder)
        return verify(self._shelf.folder, read, given, self._shelf.keyring)
