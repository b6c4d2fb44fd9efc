"""Runs a build's program, and ends it with everything it has started."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress

from hivelet.kit.process import CommandFailed, check_words

_CHUNK = 1 << 16


class Running:
    """A program whose output and errors come through one pipe; `status` is known once the output has ended."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._argv = list(argv)
        self._env = dict(env)
        self.status = -1

    async def output(self) -> AsyncGenerator[bytes, None]:
        """What it prints, as it comes; whoever stops listening ends it.

        Raises:
            CommandFailed: it could not be started.
            InvalidParameter: a word can't be an argument of a program at all.
        """
        check_words(self._argv)
        try:
            child = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self._env,
            )
        except OSError as error:
            raise CommandFailed(self._argv, 127, str(error)) from error
        assert child.stdout is not None
        try:
            while piece := await child.stdout.read(_CHUNK):
                yield piece
            self.status = await child.wait()
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.send_signal(signal.SIGKILL)
                await child.wait()
