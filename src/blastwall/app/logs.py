"""The gateway's own log: structlog on standard error, JSON for machines or text for people."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog

from blastwall.config.model import Logging
from blastwall.visible import visible


class _Forgiving:
    """A stream that loses what it cannot write: a full disk under the log must not break what is being logged.

    What must not be lost is in the recordings, whose failure is an answer of its own.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # ValueError: the stream was closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up(settings: Logging) -> None:
    """Put the configured level and format in force, for loggers that were made before as well."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _visible,
            *_rendering(settings.format == "json"),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Forgiving(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    others = logging.StreamHandler(sys.stderr)
    others.addFilter(_one_line)
    logging.basicConfig(level=logging.WARNING, handlers=[others], format="%(name)s: %(message)s", force=True)


def _visible(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Let no text from outside act on a terminal that shows the log, or pass for a line of ours."""
    return {name: visible(value) if isinstance(value, str) else value for name, value in event.items()}


def _one_line(record: logging.LogRecord) -> bool:
    """The same for what libraries log; a traceback still has its lines."""
    record.msg, record.args = visible(record.getMessage()), None
    return True


def _rendering(machines: bool) -> list[structlog.typing.Processor]:
    """Return how a line is written. Tracebacks never show local variables: a token or password may be among them."""
    if machines:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
