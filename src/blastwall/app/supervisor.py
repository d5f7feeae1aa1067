"""The process above a node's workers: starts them, passes on what it is told, starts anew what ends by itself.

    SIGHUP   ─▶ the configuration is checked here, once ─▶ "reload" to every worker
    SIGTERM  ─▶ "end" to every worker, which drains; a second one "end now"
    SIGCHLD  ─▶ a worker ended: before all were ready, all end; later it is started again, after a pause that grows

Workers are forked from this process, which runs no loop and no thread, so they start in an instant, with the plan that
is in force: what stands in the files meanwhile is nobody's before a reload. Where this process is killed, the pipe that
only it writes ends, and the workers end too.
"""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import structlog

from blastwall import __version__
from blastwall.app.certificate import certificate_of
from blastwall.app.gateway import refuse_unset_variables
from blastwall.app.logs import set_up
from blastwall.app.once import make_once, places, refuse_taken
from blastwall.app.places import node_name
from blastwall.app.plan import Plan, Unusable, prepare
from blastwall.app.reload import NeedsRestart, refuse_restarts
from blastwall.app.serve import CANNOT_START
from blastwall.app.worker import END, END_NOW, GOOD, READY, REFUSED, RELOAD, RELOADED, run_worker
from blastwall.workers import Board, Mail
from blastwall.workers.bus import SUPERVISOR
from blastwall.workers.mail import Assembly, Kind, Message, packets

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
_STEADY = 60.0
"""Seconds after which a worker that ends is a first failure again."""
_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

_log = structlog.get_logger("blastwall.app")


@dataclass(slots=True)
class _Worker:
    """A worker as the supervisor sees it; `due` is when it is to be started, on the monotonic clock."""

    number: int
    pid: int = 0
    due: float | None = None
    started: float = 0.0
    ready: bool = False
    failures: int = 0
    restarts: int = -1


class Supervisor:
    """Runs `count` workers of a plan."""

    def __init__(self, plan: Plan, count: int) -> None:
        self._plan = plan
        self._workers = {number: _Worker(number) for number in range(1, count + 1)}
        self._mail = Mail(count)
        self._board = Board(count)
        self._assembly = Assembly()
        self._lifeline, self._held = os.pipe()
        self._woken, self._wake = socket.socketpair()
        self._complete = False
        self._ending = False
        self._unreloaded: set[int] = set()
        self._code = 0

    def run(self) -> int:
        """Run until told to end; return the exit code."""
        try:
            asyncio.run(make_once(self._plan, len(self._workers)))
        except CANNOT_START as error:
            _log.error("not_started", reason=str(error))
            return 1
        self._listen_to_signals()
        gc.collect()
        gc.freeze()  # what is here already is shared with the workers for longer, if no collector touches it
        for worker in self._workers.values():
            self._start(worker)
        while any(worker.pid or worker.due is not None for worker in self._workers.values()):
            self._wait()
            self._take_signals()
            self._take_mail()
            self._reap()
            self._start_due()
        self._mail.close()
        _log.info("stopped", workers=len(self._workers))
        return self._code

    def _listen_to_signals(self) -> None:
        for end in (self._woken, self._wake):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno())
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)  # what counts is the number that wakes the loop

    # ── starting ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, worker: _Worker) -> None:
        worker.due, worker.ready, worker.started = None, False, time.monotonic()
        worker.restarts += 1
        for _ in self._mail.read(worker.number):
            """What was meant for the one before is dropped."""
        self._board.clear(worker.number)
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            self._become(worker)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        worker.pid = pid

    def _become(self, worker: _Worker) -> NoReturn:
        """Be the worker, in the process that was forked for it, to its end."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(self._held)
            code = run_worker(
                self._plan, worker.number, self._mail, self._board, restarts=worker.restarts, lifeline=self._lifeline
            )
        except BaseException:  # noqa: BLE001 - nothing may go on in this process as if it were the supervisor
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stderr.flush()
            os._exit(code)

    def _start_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.due is not None and (worker.due <= now or self._ending):
                if self._ending:
                    worker.due = None
                else:
                    self._start(worker)

    # ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _wait(self) -> None:
        due = [worker.due for worker in self._workers.values() if worker.due is not None]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        select.select([self._woken, self._mail.inbox(SUPERVISOR)], [], [], timeout)

    def _take_signals(self) -> None:
        numbers = b""
        with suppress(BlockingIOError):
            numbers = self._woken.recv(4096)
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._end()
        if signal.SIGHUP in numbers and not self._ending:
            self._reload()

    def _take_mail(self) -> None:
        for packet in self._mail.read(SUPERVISOR):
            message = self._assembly.take(packet)
            if message is None:
                continue
            worker = self._workers[message.sender]
            if message.topic == READY:
                self._worker_ready(worker)
            elif message.topic == RELOADED:
                self._worker_reloaded(worker, message.payload == GOOD)

    def _worker_ready(self, worker: _Worker) -> None:
        worker.ready = True
        if self._complete:
            _log.info("worker_back", worker=worker.number, restarts=worker.restarts)
        elif all(each.ready for each in self._workers.values()):
            self._complete = True
            node = node_name(self._plan.configuration)
            _log.info("all_ready", version=__version__, node=node, workers=len(self._workers))

    def _tell(self, topic: str, to: int | None = None) -> None:
        message = Message(Kind.TELL, SUPERVISOR, 0, topic, b"")
        for number in self._workers if to is None else (to,):
            for packet in packets(message):
                if self._workers[number].pid and not self._mail.send(number, packet):
                    _log.error("worker_does_not_read", worker=number, topic=topic)

    # ── the ends of workers ──────────────────────────────────────────────────────────────────────────────────────────

    def _reap(self) -> None:
        for worker in self._workers.values():
            if worker.pid:
                pid, status = os.waitpid(worker.pid, os.WNOHANG)
                if pid:
                    worker.pid = 0
                    self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: _Worker, code: int) -> None:
        self._board.clear(worker.number)
        self._unreloaded.discard(worker.number)
        if self._ending:
            self._code = self._code or (1 if code else 0)
        elif not self._complete:
            _log.error("not_started", worker=worker.number, end=_told(code), reason="a worker did not start; all end")
            self._code = 1
            self._ending = True
            self._tell(END_NOW)
        else:
            self._again(worker, code)

    def _again(self, worker: _Worker, code: int) -> None:
        now = time.monotonic()
        worker.failures = 1 if now - worker.started > _STEADY else worker.failures + 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (min(worker.failures, 20) - 1))
        worker.due = now + pause
        _log.error("worker_ended", worker=worker.number, end=_told(code), started_again_in=pause)

    def _end(self) -> None:
        """Drain; told a second time, end what is left at once."""
        self._tell(END_NOW if self._ending else END)
        self._ending = True

    # ── reload ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _reload(self) -> None:
        """Check the configuration once, and let every worker put it in force; the log says what came of it."""
        try:
            plan = prepare(self._plan.path)
            old, new = self._plan.configuration, plan.configuration
            refuse_restarts(old, new)
            refuse_unset_variables(plan)
            refuse_taken(places(new), places(old))
            certificate_of(new)  # a development one is made here and not by all workers at once
        except (Unusable, NeedsRestart, *CANNOT_START) as error:
            _log.error("reload_refused", problems=str(error).splitlines())
            self._tell(REFUSED, to=1)
            return
        self._plan = plan
        set_up(new.log)
        self._unreloaded = {worker.number for worker in self._workers.values() if worker.pid}
        self._tell(RELOAD)

    def _worker_reloaded(self, worker: _Worker, good: bool) -> None:
        if not good:
            remedy = (
                "its log says why; mend that and reload, or send SIGTERM to it, and it starts with what is in force"
            )
            _log.error("worker_not_reloaded", worker=worker.number, pid=worker.pid, remedy=remedy)
        self._unreloaded.discard(worker.number)
        if not self._unreloaded:
            _log.info("all_reloaded", policies=self._plan.policies.version)


def _told(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
