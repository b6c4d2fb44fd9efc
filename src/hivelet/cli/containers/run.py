"""`hivelet run`, `create`, `start` and `attach`."""

from __future__ import annotations

from typing import Any, TypeAlias

import click

from hivelet.cli.containers.conversation import Talk, check_terminal, converse_with
from hivelet.cli.containers.go_flags import GoFlags
from hivelet.cli.containers.making.flags import create_flags
from hivelet.cli.containers.making.make import make_container
from hivelet.cli.containers.making.request import attached
from hivelet.cli.leaving import detach_keys_option, tell_left
from hivelet.cli.session import Session, complain, pass_session, say
from hivelet.errors import Conflict, HiveletError, InvalidParameter

Json: TypeAlias = dict[str, Any]

REFUSED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
"""Exit codes of `run` where nothing ran: the daemon refused, the command can't be run, there is no such command."""

sig_proxy_option = click.option(
    "--sig-proxy/--no-sig-proxy",
    "sig_proxy",
    default=True,
    help="Pass signals on to the process (not with a terminal).",
)
_COMMAND = {"allow_interspersed_args": False}


class WrongCommandLine(click.UsageError):
    """The command line of a command that passes on a container's exit code."""

    exit_code = REFUSED


class RunCommand(GoFlags):
    """A command whose own errors have an exit code that no container's command has."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """As click's; a wrong command line is told apart from a container's exit code."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise WrongCommandLine(error.format_message(), error.ctx) from error


@click.command("run", cls=RunCommand, context_settings=_COMMAND)
@create_flags
@click.option("-d", "--detach", is_flag=True, help="Leave it to itself, and print its id.")
@detach_keys_option
@sig_proxy_option
@click.argument("image")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_session
def run_container(session: Session, /, image: str, command: tuple[str, ...], **given: Any) -> int:
    """Make a container of an image, start it, and pass its exit code on.

    125 is the exit code where hivelet or the daemon refuses, 126 where the command can't be run, 127 where there is none.
    """
    try:
        return _run(session, image, command, given)
    except HiveletError as error:
        complain(error.message)
        return REFUSED


def _run(session: Session, image: str, command: tuple[str, ...], given: Json) -> int:
    if given["detach"] and given["attach"]:
        raise InvalidParameter("conflicting options: cannot specify both --attach and --detach")
    if not given["detach"]:
        check_terminal(tty=given["tty"], stdin=given["interactive"])
    identity = make_container(session, image, command, given)
    streams = attached(given)
    if not streams:
        code = _start(session, identity)
        if code == 0:
            say(identity)
        return code
    talk = Talk(
        container=identity,
        tty=given["tty"],
        stdin="stdin" in streams,
        stdout="stdout" in streams,
        stderr="stderr" in streams,
        detach_keys=given["detach_keys"],
        proxy=given["sig_proxy"],
        condition="removed" if given["rm"] else "next-exit",
    )
    return _talk_from_start(session, talk, identity)


class _NotStarted(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


def _talk_from_start(session: Session, talk: Talk, identity: str) -> int:
    def begin() -> None:
        code = _start(session, identity)
        if code != 0:
            raise _NotStarted(code)

    try:
        return converse_with(session, talk, begin) or 0
    except _NotStarted as failure:
        return failure.code


def _start(session: Session, ref: str) -> int:
    """Start it; the answer is 0, or the exit code that says why it did not."""
    try:
        session.engine.by_hand.do(ref, "start")
    except HiveletError as error:
        complain(error.message)
        return start_failure(error.message)
    return 0


def start_failure(message: str) -> int:
    """The exit code for a container that could not be started."""
    lowered = message.lower()
    if "executable file not found" in lowered or "no such file or directory" in lowered:
        return NOT_FOUND
    if "permission denied" in lowered or "is a directory" in lowered:
        return NOT_EXECUTABLE
    return REFUSED


@click.command("create", cls=RunCommand, context_settings=_COMMAND)
@create_flags
@click.argument("image")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_session
def create_container(session: Session, /, image: str, command: tuple[str, ...], **given: Any) -> int:  # fmt: skip
    """Make a container of an image, and print its id; `hivelet start` starts it."""
    try:
        say(make_container(session, image, command, given))
    except HiveletError as error:
        complain(error.message)
        return REFUSED
    return 0


@click.command("start", cls=GoFlags)
@click.option("-a", "--attach", is_flag=True, help="Attach to its output, and pass signals on.")
@click.option("-i", "--interactive", is_flag=True, help="Attach to its input.")
@detach_keys_option
@click.argument("refs", nargs=-1, required=True, metavar="CONTAINER...")
@pass_session
def start_containers(
    session: Session, refs: tuple[str, ...], attach: bool, interactive: bool, detach_keys: str
) -> int:
    """Start containers that do not run."""
    if not attach and not interactive:
        failed = [ref for ref in refs if _start_one(session, ref)]
        return 1 if failed else 0
    if len(refs) > 1:
        raise InvalidParameter("you cannot start and attach multiple containers at once")
    container = session.engine.container(refs[0])
    config = container.get("Config") or {}
    check_terminal(tty=bool(config.get("Tty")), stdin=interactive)
    removed = (container.get("HostConfig") or {}).get("AutoRemove")
    talk = Talk(
        container=str(container["Id"]),
        tty=bool(config.get("Tty")),
        stdin=interactive and bool(config.get("OpenStdin")),
        stdout=True,
        detach_keys=detach_keys,
        condition="removed" if removed else "next-exit",
    )
    if (container.get("State") or {}).get("Running"):
        raise Conflict(f"{refs[0]} runs already; `hivelet attach {refs[0]}` attaches to it")
    code = _talk_from_start(session, talk, talk.container)
    return 1 if code == REFUSED else code


def _start_one(session: Session, ref: str) -> bool:
    """Start one of several; True where that failed."""
    try:
        session.engine.by_hand.do(ref, "start")
    except HiveletError as error:
        complain(error.message)
        return True
    say(ref)
    return False


@click.command("attach", cls=GoFlags)
@detach_keys_option
@click.option("--no-stdin", is_flag=True, help="Do not attach to its input.")
@sig_proxy_option
@click.argument("ref", metavar="CONTAINER")
@pass_session
def attach_container(
    session: Session, ref: str, detach_keys: str, no_stdin: bool, sig_proxy: bool
) -> int:
    """Attach to the input and the output of a container that runs."""
    container = session.engine.container(ref)
    state, config = container.get("State") or {}, container.get("Config") or {}
    if not state.get("Running"):
        raise Conflict("cannot attach to a stopped container, start it first")
    if state.get("Paused"):
        raise Conflict("cannot attach to a paused container, unpause it first")
    if state.get("Restarting"):
        raise Conflict("cannot attach to a restarting container, wait until it is running")
    stdin = not no_stdin and bool(config.get("OpenStdin"))
    check_terminal(tty=bool(config.get("Tty")), stdin=stdin)
    talk = Talk(
        container=str(container["Id"]),
        tty=bool(config.get("Tty")),
        stdin=stdin,
        detach_keys=detach_keys,
        proxy=sig_proxy,
    )
    code = converse_with(session, talk, lambda: None)
    return tell_left() if code is None else code
