"""The one door for helper programs: argv in, output out, no shell anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hivelet.errors import InvalidParameter, System

TIMED_OUT = -1000
"""The status of a program that was ended because it took too long; that of no signal."""


class CommandFailed(System):
    """A helper program could not be run or returned a non-zero status; the message has its last words."""

    def __init__(self, argv: Sequence[str], status: int, stderr: str) -> None:
        self.argv = tuple(argv)
        self.status = status
        self.stderr = stderr
        super().__init__(
            f"{argv[0]} failed with status {status}: {stderr.strip()[-2000:] or 'it said nothing'}"
        )


@dataclass(frozen=True, slots=True)
class Output:
    """What a program that ended well has printed."""

    stdout: bytes
    stderr: bytes


_WORDS = 64 << 10
"""Bytes of a program's complaints that are kept, the last ones: who is asked by it may have made them endless."""


def check_words(argv: Sequence[str]) -> None:
    """Refuse what the kernel can't give to a program.

    Raises:
        InvalidParameter: a word has a NUL in it, or is no text.
    """
    for word in argv:
        if "\0" in word:
            raise InvalidParameter(
                f"{word!r} has a NUL character in it, which no program can be given"
            )
        try:
            word.encode(errors="surrogateescape")
        except UnicodeEncodeError as error:
            raise InvalidParameter(f"{word!r} is no text: half of a character") from error


async def run_command(
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    pass_fds: Sequence[int] = (),
) -> Output:
    """Run `argv` and wait for its end.

    Raises:
        CommandFailed: it could not be started, ended with a non-zero status, or took more than `timeout` seconds.
        InvalidParameter: a word can't be an argument of a program at all.
    """
    check_words(argv)
    try:
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=None if env is None else dict(env),
            pass_fds=pass_fds,
        )
    except OSError as error:
        raise CommandFailed(argv, 127, str(error)) from error
    try:
        async with asyncio.timeout(timeout):
            stdout, stderr = await _communicate(child, stdin)
    except TimeoutError as error:
        raise CommandFailed(argv, TIMED_OUT, f"no end within {timeout} s") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        raise CommandFailed(argv, child.returncode or 0, stderr.decode(errors="replace"))
    return Output(stdout, stderr)


async def stream_command(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None
) -> AsyncGenerator[str, None]:
    """Run `argv` and yield the lines it prints, as it prints them; whoever stops listening ends it.

    Raises:
        CommandFailed: as `run_command`, after the last line.
        InvalidParameter: as `run_command`.
    """
    check_words(argv)
    try:
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=None if env is None else dict(env),
        )
    except OSError as error:
        raise CommandFailed(argv, 127, str(error)) from error
    assert child.stdout is not None
    assert child.stderr is not None
    words = asyncio.ensure_future(_last_words(child.stderr))
    try:
        async for line in child.stdout:
            yield line.decode(errors="replace").rstrip("\n")
        stderr = await words
        status = await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        words.cancel()
    if status != 0:
        raise CommandFailed(argv, status, stderr.decode(errors="replace"))


async def _communicate(
    child: asyncio.subprocess.Process, stdin: bytes | None
) -> tuple[bytes, bytes]:
    """Its output, and its last words, when it has ended."""
    assert child.stdout is not None
    assert child.stderr is not None
    stdout, stderr, _ = await asyncio.gather(
        child.stdout.read(), _last_words(child.stderr), _feed(child, stdin)
    )
    await child.wait()
    return stdout, stderr


async def _feed(child: asyncio.subprocess.Process, data: bytes | None) -> None:
    if child.stdin is None or data is None:
        return
    # A program need not read all of its input.
    with suppress(BrokenPipeError, ConnectionResetError):
        child.stdin.write(data)
        await child.stdin.drain()
    child.stdin.close()


async def _last_words(stream: asyncio.StreamReader) -> bytes:
    words = b""
    while piece := await stream.read(_WORDS):
        words = (words + piece)[-_WORDS:]
    return words
