"""Talking with a container's first process: attached before it starts, left by keys or by its end, its exit code passed on.

Signals go to the process, unless a terminal carries them. The wait for the end is in place before the start, in a thread of
its own, so that no end is missed.
"""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeAlias

from hivelet.cli.leaving import chosen_keys
from hivelet.cli.session import Session
from hivelet.convert.detach_keys import parse_detach_keys
from hivelet.errors import HiveletError, InvalidParameter, Unavailable

Json: TypeAlias = dict[str, Any]

_PROXIED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """How a conversation is held."""

    container: str
    tty: bool
    stdin: bool
    stdout: bool = True
    stderr: bool = True
    logs: bool = False
    detach_keys: str = ""
    proxy: bool = True
    condition: str = "next-exit"
    """What is waited for at the end: `removed` for a container that goes with its end."""


class Waiting:
    """A wait in a thread: in place when the object is made."""

    def __init__(self, session: Session, container: str, condition: str) -> None:
        self._answers: queue.Queue[Json | HiveletError] = queue.Queue()
        chunks = session.engine.by_hand.apart().waiting(container, condition)
        threading.Thread(target=self._run, args=(chunks,), daemon=True).start()

    def _run(self, chunks: Iterator[bytes]) -> None:
        try:
            self._answers.put(dict(json.loads(b"".join(chunks) or b"{}")))
        except HiveletError as error:
            self._answers.put(error)

    def exit_code(self) -> int:
        """How the container ended, once it has.

        Raises:
            HiveletError: that will not be known.
        """
        answer = self._answers.get()
        if isinstance(answer, HiveletError):
            raise answer
        message = (answer.get("Error") or {}).get("Message")
        if message:
            raise Unavailable(message)
        return int(answer.get("StatusCode", 0))


def check_terminal(*, tty: bool, stdin: bool) -> None:
    """Refuse a terminal for an input that is none.

    Raises:
        InvalidParameter: as docker refuses it.
    """
    if tty and stdin and not sys.stdin.isatty():
        raise InvalidParameter("the input device is not a TTY: leave out -t")


def converse_with(session: Session, talk: Talk, begin: Callable[[], None]) -> int | None:
    """Attach, `begin`, talk until the end; the answer is the container's exit code, or None where the user has left.

    Raises:
        HiveletError: the daemon refused.
    """
    from hivelet.cli.terminal import converse, on_resize, raw_terminal

    keys = chosen_keys(session, talk.detach_keys)
    query = {
        "stream": True,
        "stdin": talk.stdin,
        "stdout": talk.stdout,
        "stderr": talk.stderr,
        "logs": talk.logs,
        "detachKeys": keys or None,
    }
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(session.engine.by_hand.attach(talk.container, query))
        waiting = Waiting(session, talk.container, talk.condition)
        if talk.proxy and not talk.tty:
            stack.enter_context(_passing_signals(session, talk.container))
        begin()
        if talk.tty:
            if talk.stdin:
                stack.enter_context(raw_terminal())
            stack.enter_context(on_resize(lambda h, w: _resize(session, talk.container, h, w)))
        left = converse(
            stream,
            from_stdin=talk.stdin,
            raw=talk.tty,
            keys=parse_detach_keys(keys) if talk.tty and talk.stdin else b"",
            take=talk.stdout or talk.stderr,
        )
        return None if left else waiting.exit_code()


def _resize(session: Session, container: str, height: int, width: int) -> None:
    with contextlib.suppress(HiveletError):
        # It has ended meanwhile, or not begun: the next change of size is told again.
        session.engine.by_hand.do(container, "resize", h=height, w=width)


@contextlib.contextmanager
def _passing_signals(session: Session, container: str) -> Iterator[None]:
    hand = session.engine.by_hand.apart()

    def pass_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(HiveletError):  # it is over already
            hand.do(container, "kill", signal=signal.Signals(number).name.removeprefix("SIG"))

    before = {number: signal.signal(number, pass_on) for number in _PROXIED}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
