"""Logs of services, tasks and containers: asking for them, taking frames apart, and naming each line's task."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias, TypeVar
from urllib.parse import unquote_plus

import click

from hivelet.cli.render.human import parse_time, truncate_id
from hivelet.cli.session import Session, warn
from hivelet.client.streams import iter_frames
from hivelet.client.transport import Stalled
from hivelet.errors import InvalidParameter, NotFound
from hivelet.kit.durations import parse_duration

Json: TypeAlias = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])

_PATIENCE = 10.0
"""Seconds for which a log that should come to its end may say nothing."""

_ORIGIN = "com.docker.swarm."


def log_options(command: F) -> F:
    """The options that `service logs` and `logs` share."""
    for option in (
        click.option(
            "-f", "--follow", is_flag=True, help="Go on with what is written from now on."
        ),
        click.option(
            "--since",
            default=None,
            help="From this time on: 2013-01-02T13:23:37Z, or 42m for 42 minutes ago.",
        ),
        click.option("-n", "--tail", default="all", help="Number of lines from the end."),
        click.option("-t", "--timestamps", is_flag=True, help="Show when each line was written."),
        click.option("--details", is_flag=True, help="Show what the log driver was given besides."),
    ):
        command = option(command)
    return command


def log_query(session: Session, options: Mapping[str, Any], *, details: bool) -> Json:
    """The query of the API's log routes."""
    return {
        "stdout": True,
        "stderr": True,
        "follow": options["follow"],
        "since": since(options["since"], session.now()),
        "until": since(options.get("until"), session.now()),
        "tail": options["tail"],
        "timestamps": options["timestamps"],
        "details": details,
    }


def since(text: str | None, now: datetime) -> str | None:
    """A moment as the API takes it: seconds since 1970.

    Raises:
        InvalidParameter: it is neither a moment nor a duration.
    """
    if text is None:
        return None
    if text.replace(".", "", 1).isdecimal():
        return text
    try:
        return f"{now.timestamp() - parse_duration(text) / 1_000_000_000:.9f}"
    except ValueError:
        pass
    try:
        moment = parse_time(text)
    except ValueError as error:
        raise InvalidParameter(f'"{text}" is neither a time nor a duration such as 42m') from error
    return f"{moment.timestamp():.9f}" if moment else None


def show_service_logs(session: Session, ref: str, options: Mapping[str, Any]) -> None:
    """Print the log of the service or task called `ref`.

    Raises:
        NotFound: there is neither.
    """
    kind, entry = _find(session, ref)
    spec = entry["Spec"]["TaskTemplate"] if kind == "services" else entry["Spec"]
    terminal = bool((spec.get("ContainerSpec") or {}).get("TTY"))
    if terminal and not options["raw"]:
        raise InvalidParameter("the log of a service with a terminal can only be shown with --raw")
    query = log_query(session, options, details=options["details"] or not options["raw"])
    # A log that is followed may be silent for days. Any other comes to its end, unless a machine does not answer.
    patience = None if options["follow"] else _PATIENCE
    stream = session.engine.logs(kind, entry["ID"], query, patience=patience)
    try:
        _show(session, stream, entry, options, terminal=terminal)
    except Stalled:
        warn(
            f"the log of {ref} ends here, for nothing more came for {_PATIENCE:g} s{_absent(session, kind, entry)}"
        )


def _show(
    session: Session,
    stream: Iterator[bytes],
    entry: Json,
    options: Mapping[str, Any],
    *,
    terminal: bool,
) -> None:
    if terminal:
        write_raw(stream)
    elif options["raw"]:
        write_frames(stream)
    else:
        replicas = (
            ((entry["Spec"].get("Mode") or {}).get("Replicated") or {}).get("Replicas")
            or entry.get("Slot")
            or 1
        )
        _write_named(stream, _Names(session, options, padding=len(str(replicas))), options)


def _absent(session: Session, kind: str, entry: Json) -> str:
    """Which machines of the tasks are not there, as far as the swarm knows."""
    tasks = session.engine.tasks({"service": [entry["ID"]]}) if kind == "services" else [entry]
    used = {task.get("NodeID") for task in tasks}
    away = sorted(
        str((node.get("Description") or {}).get("Hostname") or node["ID"])
        for node in session.engine.nodes()
        if node["ID"] in used and (node.get("Status") or {}).get("State") != "ready"
    )
    return (
        f"; not to be reached: {', '.join(away)}"
        if away
        else "; `hivelet node ls` shows the machines"
    )


def _find(session: Session, ref: str) -> tuple[str, Json]:
    try:
        return "services", session.engine.service(ref)
    except NotFound:
        pass
    try:
        return "tasks", session.engine.task(ref)
    except NotFound as error:
        raise NotFound(f"no such task or service: {ref}") from error


def write_raw(stream: Iterable[bytes]) -> None:
    """Bytes to the standard output as they come."""
    for chunk in stream:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def write_frames(stream: Iterable[bytes]) -> None:
    """Frames to the stream that each was written to."""
    for kind, data in iter_frames(stream):
        target = sys.stderr.buffer if kind == 2 else sys.stdout.buffer
        target.write(data)
        target.flush()


def _write_named(stream: Iterable[bytes], names: _Names, options: Mapping[str, Any]) -> None:
    for kind, line in _lines(stream):
        click.echo(
            names.render(line, timestamps=options["timestamps"], details=options["details"]),
            err=kind == 2,
        )


def _lines(stream: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    for kind, data in iter_frames(stream):
        for line in data.decode("utf-8", "replace").splitlines():
            yield kind, line


class _Names:
    """Turns a line's details into `web.1.abcdef@host    | text`."""

    def __init__(self, session: Session, options: Mapping[str, Any], padding: int) -> None:
        self._session = session
        self._options = options
        self._padding = padding
        self._prefixes: dict[str, str] = {}

    def render(self, line: str, *, timestamps: bool, details: bool) -> str:
        moment, line = line.partition(" ")[::2] if timestamps else ("", line)
        first, _, text = line.partition(" ")
        pairs = dict(pair.partition("=")[::2] for pair in first.split(",") if pair)
        given = {unquote_plus(key): unquote_plus(value) for key, value in pairs.items()}
        task_id = given.get(f"{_ORIGIN}task.id")
        if task_id is None:
            return f"{moment} {line}" if timestamps else line
        others = sorted(
            f"{key}={value}" for key, value in given.items() if not key.startswith(_ORIGIN)
        )
        shown = f"{','.join(others)} {text}" if details else text
        prefix = f"{moment} " if timestamps else ""
        return f"{prefix}{self._prefix(task_id, given)}    | {shown}"

    def _prefix(self, task_id: str, given: Mapping[str, str]) -> str:
        if task_id not in self._prefixes:
            self._prefixes[task_id] = self._make_prefix(task_id, given)
        return self._prefixes[task_id]

    def _make_prefix(self, task_id: str, given: Mapping[str, str]) -> str:
        engine, options = self._session.engine, self._options
        service, node = given.get(f"{_ORIGIN}service.id", ""), given.get(f"{_ORIGIN}node.id", "")
        slot = _or_none(engine.task, task_id).get("Slot", 0)
        if not options["no_resolve"]:
            service = (_or_none(engine.service, service).get("Spec") or {}).get("Name", service)
            node = (_or_none(engine.node, node).get("Description") or {}).get("Hostname", node)
        shown_id = (
            ""
            if options["no_task_ids"]
            else f".{task_id if options['no_trunc'] else truncate_id(task_id)}"
        )
        return f"{service}.{slot}{shown_id}@{node}" + " " * max(0, self._padding - len(str(slot)))


def _or_none(find: Callable[[str], Json], ref: str) -> Json:
    """What `find` finds; an empty object where it is gone, as the task of an old log line may be."""
    try:
        return find(ref)
    except NotFound:
        return {}
