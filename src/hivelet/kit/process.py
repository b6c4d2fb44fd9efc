"""The one door for helper programs: argv in, output out, no shell anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from hivelet.errors import InvalidParameter, System


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
            stdout, stderr = await child.communicate(stdin)
    except TimeoutError as error:
        raise CommandFailed(argv, -1, f"no end within {timeout} s") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        raise CommandFailed(argv, child.returncode or 0, stderr.decode(errors="replace"))
    return Output(stdout, stderr)


async def stream_command(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
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
    words = asyncio.ensure_future(child.stderr.read())
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
