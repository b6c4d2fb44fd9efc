"""What is done to a container's life by hand: stop, kill, pause, wait, rename, update, prune."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import click

from hivelet.cli.containers.several import for_each
from hivelet.cli.options import prune_filter_option
from hivelet.cli.render.human import precise_size
from hivelet.cli.session import Session, pass_session, say, warn
from hivelet.compose.units import parse_cpus, parse_size, parse_swap
from hivelet.errors import InvalidParameter

Json: TypeAlias = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])

containers_argument = click.argument("refs", nargs=-1, required=True, metavar="CONTAINER...")


def stop_options(command: F) -> F:
    """`--time` and `--signal`."""
    time = click.option(
        "-t",
        "--timeout",
        "--time",
        "seconds",
        type=int,
        default=None,
        metavar="SECONDS",
        help="Seconds to wait before it is killed; -1 waits for ever.",
    )
    signal = click.option("-s", "--signal", default=None, help="Signal to stop it with.")
    return time(signal(command))


@click.command()
@stop_options
@containers_argument
@pass_session
def stop(session: Session, refs: tuple[str, ...], seconds: int | None, signal: str | None) -> int:
    """Stop containers: the stop signal, a time to end in, SIGKILL."""
    hand = session.engine.by_hand
    return for_each(refs, lambda ref: hand.do(ref, "stop", t=seconds, signal=signal))


@click.command()
@stop_options
@containers_argument
@pass_session
def restart(
    session: Session, refs: tuple[str, ...], seconds: int | None, signal: str | None
) -> int:
    """Stop containers and start them again."""
    hand = session.engine.by_hand
    return for_each(refs, lambda ref: hand.do(ref, "restart", t=seconds, signal=signal))


@click.command()
@click.option("-s", "--signal", default="KILL", show_default=True, help="Signal to send.")
@containers_argument
@pass_session
def kill(session: Session, refs: tuple[str, ...], signal: str) -> int:
    """Send containers a signal."""
    hand = session.engine.by_hand
    return for_each(refs, lambda ref: hand.do(ref, "kill", signal=signal))


@click.command()
@containers_argument
@pass_session
def pause(session: Session, refs: tuple[str, ...]) -> int:
    """Freeze all processes of containers."""
    return for_each(refs, lambda ref: session.engine.by_hand.do(ref, "pause"))


@click.command()
@containers_argument
@pass_session
def unpause(session: Session, refs: tuple[str, ...]) -> int:
    """Let the processes of frozen containers go on."""
    return for_each(refs, lambda ref: session.engine.by_hand.do(ref, "unpause"))


@click.command()
@containers_argument
@pass_session
def wait(session: Session, refs: tuple[str, ...]) -> int:
    """Wait until containers end, and print their exit codes."""

    def code(ref: str) -> str:
        answer = session.engine.by_hand.do(ref, "wait")
        return str(answer["StatusCode"])

    return for_each(refs, code)


@click.command()
@click.argument("ref", metavar="CONTAINER")
@click.argument("name", metavar="NEW_NAME")
@pass_session
def rename(session: Session, ref: str, name: str) -> None:
    """Give a container another name."""
    session.engine.by_hand.do(ref, "rename", name=name)


_LIMITS: tuple[tuple[str, str, Callable[[str], int], str], ...] = (
    ("--memory", "Memory", parse_size, "Memory at most."),
    ("--memory-swap", "MemorySwap", parse_swap, "Memory and swap together at most; -1: no limit."),
    ("--memory-reservation", "MemoryReservation", parse_size, "Memory that is kept for it."),
    ("--cpus", "NanoCpus", parse_cpus, "CPUs at most."),
    ("--cpu-shares", "CpuShares", int, "Weight of its share of the CPUs."),
    ("--cpu-period", "CpuPeriod", int, "Period of the CPU quota, in microseconds."),
    ("--cpu-quota", "CpuQuota", int, "CPU quota in a period, in microseconds."),
    ("--cpu-rt-period", "CpuRealtimePeriod", int, "Period of the real-time quota."),
    ("--cpu-rt-runtime", "CpuRealtimeRuntime", int, "Real-time quota in a period."),
    ("--blkio-weight", "BlkioWeight", int, "Weight of its share of block I/O."),
    ("--pids-limit", "PidsLimit", int, "Processes at most; -1: no limit."),
)
_SHORT = {"--memory": ("-m",), "--cpu-shares": ("-c",)}


def _limit_options(command: F) -> F:
    for name, _, _, text in reversed(_LIMITS):
        command = click.option(name, *_SHORT.get(name, ()), default=None, help=text)(command)
    return command


@click.command()
@_limit_options
@click.option("--cpuset-cpus", default=None, help="The CPUs to run on: 0-3, 0,1.")
@click.option("--cpuset-mems", default=None, help="The memory nodes to use: 0-3, 0,1.")
@click.option("--restart", default=None, metavar="POLICY", help="When it is started again.")
@containers_argument
@pass_session
def update(session: Session, /, refs: tuple[str, ...], **given: Any) -> int:
    """Give containers other limits, while they run."""
    request = update_request(given)

    def change(ref: str) -> None:
        for warning in session.engine.by_hand.update(ref, request):
            warn(warning)

    return for_each(refs, change)


def update_request(given: Json) -> Json:
    """What is asked of the daemon.

    Raises:
        InvalidParameter: nothing is to be changed, or a value is not right.
    """
    request: Json = {}
    for name, field, convert, _ in _LIMITS:
        text = given[name.lstrip("-").replace("-", "_")]
        if text is None:
            continue
        try:
            request[field] = convert(text)
        except ValueError as error:
            raise InvalidParameter(f"{name}: {error}") from error
    for option, field in (("cpuset_cpus", "CpusetCpus"), ("cpuset_mems", "CpusetMems")):
        if given[option] is not None:
            request[field] = given[option]
    if given["restart"] is not None:
        from hivelet.cli.containers.making.host import restart_policy

        request["RestartPolicy"] = restart_policy(given["restart"])
    if not request:
        raise InvalidParameter(
            "you must provide one or more options: `hivelet update --help` lists them"
        )
    return request


@click.command()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@prune_filter_option
@pass_session
def prune(session: Session, force: bool, filters: dict[str, list[str]]) -> None:
    """Remove all containers that do not run."""
    if not force:
        warn("this removes all stopped containers")
        click.confirm("Go on?", abort=True)
    show_removed("Containers", session.engine.by_hand.prune(filters), "ContainersDeleted")


def show_removed(title: str, answer: Json, field: str) -> None:
    """What a prune removed, and how much that was."""
    removed = answer.get(field) or []
    if removed:
        say(f"Deleted {title}:")
        for name in removed:
            say(name)
        say()
    say(f"Total reclaimed space: {precise_size(answer.get('SpaceReclaimed', 0))}")
