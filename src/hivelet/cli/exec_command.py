"""Running a command in a container: prepared, started, talked with, and its exit code passed on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import click

from hivelet.cli.containers.making.environment import environment_of
from hivelet.cli.leaving import chosen_keys, detach_keys_option, tell_left
from hivelet.cli.session import Session
from hivelet.convert.detach_keys import parse_detach_keys
from hivelet.errors import HiveletError, InvalidParameter, Unavailable

Json: TypeAlias = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])

_LOOKS = 100
_PAUSE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecOptions:
    """How a command is run."""

    interactive: bool
    terminal: bool
    detach: bool = False
    user: str = ""
    workdir: str = ""
    env: tuple[str, ...] = ()
    privileged: bool = False
    env_file: tuple[str, ...] = ()
    detach_keys: str = ""


def exec_options(command: F) -> F:
    """The options that every `exec` has."""
    for option in (
        click.option("-i", "--interactive", is_flag=True, help="Pass the standard input on."),
        click.option("-t", "--tty", "terminal", is_flag=True, help="Give the command a terminal."),
        click.option("-d", "--detach", is_flag=True, help="Leave the command to itself."),
        click.option("-u", "--user", default="", metavar="USER[:GROUP]", help="As this user."),
        click.option("-w", "--workdir", default="", metavar="PATH", help="In this directory."),
        click.option(
            "-e", "--env", multiple=True, metavar="NAME=VALUE", help="With this variable set."
        ),
        click.option("--env-file", multiple=True, metavar="FILE", help="With those of a file."),
        click.option("--privileged", is_flag=True, help="With all rights on the machine."),
        detach_keys_option,
    ):
        command = option(command)
    return command


def exec_request(argv: Sequence[str], options: ExecOptions, size: tuple[int, int] | None) -> Json:
    """What the API is told of a command."""
    request: Json = {
        "Cmd": list(argv),
        "AttachStdin": options.interactive and not options.detach,
        "AttachStdout": not options.detach,
        "AttachStderr": not options.detach,
        "Tty": options.terminal,
        "Privileged": options.privileged,
    }
    if options.user:
        request["User"] = options.user
    if options.workdir:
        request["WorkingDir"] = options.workdir
    env = environment_of(options.env_file, options.env, os.environ)
    if env:
        request["Env"] = [entry for entry in env if "=" in entry]
    if size is not None:
        request["ConsoleSize"] = list(size)
    return request


def run_in_container(
    session: Session, container: str, argv: Sequence[str], options: ExecOptions
) -> int:
    """Run `argv` in a container; the answer is its exit code.

    Raises:
        InvalidParameter: there is no command, or a terminal was asked for where none is.
        HiveletError: the daemon refused.
    """
    from hivelet.cli.terminal import terminal_size

    words = list(argv[1:] if argv[:1] == ("--",) else argv)
    if not words:
        raise InvalidParameter(
            "no command was given; write it behind the name, as in `… web.1 -- sh`"
        )
    if options.terminal and options.interactive and not sys.stdin.isatty():
        raise InvalidParameter("the standard input is not a terminal; leave out -t")
    size = terminal_size() if options.terminal and not options.detach else None
    engine = session.engine
    keys = chosen_keys(session, options.detach_keys)
    request = exec_request(words, options, size) | ({"DetachKeys": keys} if keys else {})
    exec_id = engine.create_exec(container, request)
    start: Json = {"Detach": False, "Tty": options.terminal}
    if options.detach:
        engine.start_detached_exec(exec_id, start)
        return 0
    if size is not None:
        start["ConsoleSize"] = list(size)
    if _talk(session, exec_id, start, options, parse_detach_keys(keys)):
        return tell_left()
    return _exit_code(session, exec_id)


def _talk(session: Session, exec_id: str, start: Json, options: ExecOptions, keys: bytes) -> bool:
    """Talk until the end; True where the user has left by `keys` before."""
    from hivelet.cli.terminal import converse, on_resize, raw_terminal

    def resize(rows: int, columns: int) -> None:
        try:
            session.engine.resize_exec(exec_id, height=rows, width=columns)
        except HiveletError:
            # It has ended meanwhile, or not begun: the next change of size is told again.
            return

    with ExitStack() as stack:
        stream = stack.enter_context(session.engine.start_exec(exec_id, start))
        if options.terminal:
            if options.interactive:
                stack.enter_context(raw_terminal())
            stack.enter_context(on_resize(resize))
        leaving = options.terminal and options.interactive
        return converse(
            stream,
            from_stdin=options.interactive,
            raw=options.terminal,
            keys=keys if leaving else b"",
        )


def _exit_code(session: Session, exec_id: str) -> int:
    """The command's exit code; its streams may end a moment before it does."""
    for _ in range(_LOOKS):
        found = session.engine.exec(exec_id)
        if not found.get("Running"):
            return int(found.get("ExitCode") or 0)
        session.sleep(_PAUSE)
    raise Unavailable("the command has closed its output and goes on; its exit code is not known")
