"""`hivelet info`, `hivelet version` and `hivelet events`: what the daemon says of itself and of what happens."""

from __future__ import annotations

import platform
from typing import Any, TypeAlias

import click

from hivelet import __version__
from hivelet.cli import space
from hivelet.cli.log_output import since as moment_of
from hivelet.cli.options import filter_option, format_option, inspect_format_option
from hivelet.cli.render.human import binary_size, parse_time
from hivelet.cli.session import Session, pass_session, say, warn
from hivelet.errors import HiveletError

Json: TypeAlias = dict[str, Any]


@click.command()
@inspect_format_option
@pass_session
def info(session: Session, template: str) -> None:
    """Show what the daemon says of itself."""
    answer = session.engine.info()
    if template:
        _render(answer, template)
        return
    for line in _info_lines(session, answer):
        say(line)
    for warning in answer.get("Warnings") or []:
        warn(warning)


@click.command()
@inspect_format_option
@pass_session
def version(session: Session, template: str) -> int:
    """Show the versions of client and daemon."""
    client = {
        "Version": __version__,
        "ApiVersion": "1.47",
        "PythonVersion": platform.python_version(),
        "Os": platform.system().lower(),
        "Arch": platform.machine(),
    }
    try:
        server: Json | None = session.engine.version()
        client["ApiVersion"] = session.engine.transport.api_version
        failure: HiveletError | None = None
    except HiveletError as error:
        server, failure = None, error
    if template:
        _render({"Client": client, "Server": server}, template)
    else:
        _print_versions(client, server)
    if failure is not None:
        raise failure
    return 0


@click.command()
@format_option
@filter_option
@click.option("--since", default=None, help="From this time on.")
@click.option(
    "--until", default=None, help="Up to this time; without it the command goes on for ever."
)
@pass_session
def events(
    session: Session,
    template: str,
    filters: dict[str, list[str]],
    since: str | None,
    until: str | None,
) -> None:
    """Watch what happens."""
    now = session.now()
    stream = session.engine.events(
        since=moment_of(since, now), until=moment_of(until, now), filters=filters
    )
    for event in stream:
        if template:
            _render(event, template)
        else:
            say(_event_line(event))


def _render(answer: Any, template: str) -> None:
    from hivelet.kit.gotemplate import DOCKER_FUNCTIONS, Template

    source = (
        "{{json .}}" if template == "json" else template.replace("\\t", "\t").replace("\\n", "\n")
    )
    say(Template(source, DOCKER_FUNCTIONS).render(answer))


def _event_line(event: Json) -> str:
    from datetime import UTC, datetime

    nanoseconds = event.get("timeNano") or event.get("time", 0) * 1_000_000_000
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    actor = event.get("Actor") or {}
    attributes = ", ".join(
        f"{key}={value}" for key, value in sorted((actor.get("Attributes") or {}).items())
    )
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}Z"
    line = f"{stamp} {event.get('Type', '')} {event.get('Action', '')} {actor.get('ID', '')}"
    return f"{line} ({attributes})" if attributes else line


def _print_versions(client: Json, server: Json | None) -> None:
    say("Client: hivelet")
    _print_fields(
        [
            ("Version", client["Version"]),
            ("API version", client["ApiVersion"]),
            ("Python version", client["PythonVersion"]),
            ("OS/Arch", f"{client['Os']}/{client['Arch']}"),
        ]
    )
    if server is None:
        return
    say()
    say(f"Server: {(server.get('Platform') or {}).get('Name') or 'Engine'}")
    built = parse_time(server.get("BuildTime", ""))
    _print_fields(
        [
            ("Version", server.get("Version", "")),
            (
                "API version",
                f"{server.get('ApiVersion', '')} (minimum version {server.get('MinAPIVersion', '')})",
            ),
            ("Git commit", server.get("GitCommit", "")),
            ("Built", f"{built:%a %b %e %H:%M:%S %Y}" if built else ""),
            ("OS/Arch", f"{server.get('Os', '')}/{server.get('Arch', '')}"),
            ("Kernel version", server.get("KernelVersion", "")),
        ]
    )
    for component in server.get("Components") or []:
        if component.get("Name") != "Engine":
            say(f" {component['Name']}:")
            say(f"  Version:          {component.get('Version', '')}")


def _print_fields(fields: list[tuple[str, str]]) -> None:
    for name, value in fields:
        if value:
            say(f" {name + ':':<18} {value}")


def _info_lines(session: Session, answer: Json) -> list[str]:
    swarm = answer.get("Swarm") or {}
    lines = [
        "Client: hivelet",
        f" Version: {__version__}",
        f" Daemon:  {session.engine.transport.address.url}",
        "",
        "Server:",
        f" Containers: {answer.get('Containers', 0)}",
        f"  Running: {answer.get('ContainersRunning', 0)}",
        f"  Paused: {answer.get('ContainersPaused', 0)}",
        f"  Stopped: {answer.get('ContainersStopped', 0)}",
        f" Images: {answer.get('Images', 0)}",
        f" Server Version: {answer.get('ServerVersion', '')}",
        f" Storage Driver: {answer.get('Driver', '')}",
        f" Logging Driver: {answer.get('LoggingDriver', '')}",
        f" Cgroup Driver: {answer.get('CgroupDriver', '')}",
        f" Cgroup Version: {answer.get('CgroupVersion', '')}",
        f" Default Runtime: {answer.get('DefaultRuntime', '')}",
        f" Swarm: {swarm.get('LocalNodeState', 'inactive')}",
    ]
    if swarm.get("NodeID"):
        lines += _swarm_lines(swarm)
    memory = binary_size(answer.get("MemTotal", 0))
    lines += [
        f" Kernel Version: {answer.get('KernelVersion', '')}",
        f" Operating System: {answer.get('OperatingSystem', '')}",
        f" OSType: {answer.get('OSType', '')}",
        f" Architecture: {answer.get('Architecture', '')}",
        f" CPUs: {answer.get('NCPU', 0)}",
        f" Total Memory: {memory}",
        f" Name: {answer.get('Name', '')}",
        f" Root Dir: {answer.get('DockerRootDir', '')}",
    ]
    return [line for line in lines if not line.endswith(": ")]


def _swarm_lines(swarm: Json) -> list[str]:
    lines = [f"  NodeID: {swarm['NodeID']}"]
    if swarm.get("Error"):
        lines.append(f"  Error: {swarm['Error']}")
    lines.append(f"  Is Manager: {str(bool(swarm.get('ControlAvailable'))).lower()}")
    if swarm.get("ControlAvailable"):
        lines += [f"  Managers: {swarm.get('Managers', 0)}", f"  Nodes: {swarm.get('Nodes', 0)}"]
    lines.append(f"  Node Address: {swarm.get('NodeAddr', '')}")
    managers = [manager.get("Addr", "") for manager in swarm.get("RemoteManagers") or []]
    return [*lines, "  Manager Addresses:", *(f"   {address}" for address in sorted(managers))]


@click.group()
def system() -> None:
    """Look at the daemon itself."""


system.add_command(info)
system.add_command(events)
system.add_command(space.df)
system.add_command(space.prune)


@system.command("dial-stdio")
@pass_session
def dial_stdio(session: Session) -> None:
    """Join the standard streams to the daemon's socket: what -H ssh://HOST runs on the other machine."""
    from hivelet.cli.dial_stdio import dial_stdio as join

    join(session)
