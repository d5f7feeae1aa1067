"""A resource for tests: answers each request with what it was asked, in HTTP/1.1."""

from __future__ import annotations

from blastwall.protocols.contract import Side
from blastwall.protocols.http.framing import request_body
from blastwall.protocols.http.heads import head_end, read_request


class TinyServer:
    """Implements `playbook.Peer`. `answer` is sent instead of the usual answer, where it is set."""

    def __init__(self, answer: bytes = b"") -> None:
        self.answer = answer
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self._data = b""

    def receive(self, side: Side, data: bytes) -> bytes:
        self._data += data
        answers = b""
        while end := head_end(self._data):
            head = read_request(self._data[:end])
            body = request_body(head.headers)
            pieces, after = body.feed(self._data, end)
            if not body.done:
                break
            self._data = self._data[after:]
            sent = b"".join(pieces)
            self.requests.append((head.method, head.target, {n.lower(): v for n, v in head.headers}, sent))
            told = head.target.encode() + b" " + sent
            length = b"Content-Length: %d\r\n\r\n" % len(told)
            answers += self.answer or b"HTTP/1.1 200 OK\r\n" + length + (b"" if head.method == "HEAD" else told)
        return answers
