"""Waiting for services while a person watches: bars on a terminal, plain lines otherwise.

Reads the daemon every 200 ms, decides with `convergence`, and writes nothing but text. Several services are waited for
at the same time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import click

from hivelet.cli.convergence import STATES, Progress, SlotProgress, Watch, assess, latest_failure
from hivelet.cli.session import Session
from hivelet.client.streams import iter_frames
from hivelet.errors import HiveletError, NotFound, Unavailable

if TYPE_CHECKING:
    from rich.live import Live

_PAUSE = 0.2
_BARS = 20
_ERROR_WIDTH = 75
_LOG_LINES = 10
_WAITING = "waiting for "
"""How a task that is held by a dependency begins its reason."""


class NotConverged(Unavailable):
    """A service did not become what was asked for; the message says why, with the last words of its task."""


class Reporter(Protocol):
    """Where progress is shown."""

    def show(self, name: str, progress: Progress) -> None:
        """Show the latest look at a service."""

    def close(self) -> None:
        """Nothing more comes."""


def wait_for_services(
    session: Session,
    services: Mapping[str, str],
    reporter: Reporter,
    *,
    timeout: float | None,
    rollback_wanted: bool = False,
    settled: Collection[str] = (),
) -> None:
    """Wait until all of `services` (names by id) have converged.

    Those of `settled` were not changed: they need not prove that they are stable.

    Raises:
        NotConverged: one failed, or `timeout` seconds have passed.
    """
    watches = {
        identifier: Watch(rollback_wanted=rollback_wanted, settled=identifier in settled)
        for identifier in services
    }
    failures: list[str] = []
    failed: set[str] = set()
    deadline = None if timeout is None else session.monotonic() + timeout
    try:
        while watches:
            nodes = {
                node["ID"]
                for node in session.engine.nodes()
                if node["Status"].get("State") != "down"
            }
            for identifier in list(watches):
                progress = _look(session, watches[identifier], identifier, nodes)
                reporter.show(services[identifier], progress)
                if progress.outcome == "waiting":
                    continue
                del watches[identifier]
                if progress.outcome == "failed":
                    failures.append(
                        _failure(session, services[identifier], identifier, progress.why)
                    )
                    failed.add(services[identifier])
            _drop_dependents(session, services, watches, failed, failures)
            if deadline is not None and session.monotonic() >= deadline:
                break
            if watches:
                session.sleep(_PAUSE)
    except KeyboardInterrupt:
        names = " ".join(services[identifier] for identifier in watches)
        reporter.close()
        click.echo(
            f"Operation continues in the background; `hivelet service ps {names}` shows how far it is.",
            err=True,
        )
        raise
    finally:
        reporter.close()
    for identifier in watches:
        why = f"it has not converged within {timeout:g} s"
        failures.append(_failure(session, services[identifier], identifier, why))
    if failures:
        raise NotConverged("\n".join(failures))


def _drop_dependents(
    session: Session,
    services: Mapping[str, str],
    watches: dict[str, Watch],
    failed: set[str],
    failures: list[str],
) -> None:
    """Wait no longer for services that are held until one starts that has failed."""
    for identifier in list(watches) if failed else ():
        held = [
            task["Status"].get("Err", "")
            for task in session.engine.tasks({"service": [identifier]})
            if task["Status"]["State"] == "pending"
        ]
        words = {word.rstrip(";,") for text in held if _WAITING in text for word in text.split()}
        if failed & words:
            del watches[identifier]
            failed.add(services[identifier])
            failures.append(f"service {services[identifier]}: {held[0]}")


def _look(session: Session, watch: Watch, identifier: str, nodes: set[str]) -> Progress:
    try:
        service = session.engine.service(identifier)
    except NotFound:
        return Progress(outcome="failed", why="the service was removed")
    if service.get("JobStatus") is not None:
        listed = session.engine.services({"id": [identifier]}, status=True)
        service = next((entry for entry in listed if entry["ID"] == identifier), service)
    tasks = session.engine.tasks({"service": [identifier], "_up-to-date": ["true"]})
    return assess(watch, service, tasks, nodes, session.monotonic())


def _failure(session: Session, name: str, identifier: str, why: str) -> str:
    """What went wrong with a service: the reason, its latest failed task, and what that wrote last."""
    lines = [f"service {name}: {why}"]
    task = latest_failure(session.engine.tasks({"service": [identifier]}))
    if task is None:
        return f"{lines[0]}\n  `hivelet service why {name}` says what stands in its way"
    status = task["Status"]
    reason = status.get("Err") or status.get("Message") or ""
    lines.append(f"  task {task['ID'][:12]} ({status.get('State')}): {reason}")
    lines += [f"  | {line}" for line in last_log_lines(session, task["ID"])]
    lines.append(f"  `hivelet service ps --no-trunc {name}` shows all tasks")
    return "\n".join(lines)


def last_log_lines(session: Session, task_id: str) -> list[str]:
    """The last lines that a task wrote; none where its log cannot be read."""
    query = {"stdout": True, "stderr": True, "tail": str(_LOG_LINES)}
    try:
        frames = list(iter_frames(session.engine.logs("tasks", task_id, query)))
    except HiveletError:
        return []
    text = b"".join(data for _, data in frames).decode("utf-8", "replace")
    return text.splitlines()[-_LOG_LINES:]


def make_reporter(session: Session, *, quiet: bool, several: bool) -> Reporter:
    """The reporter that fits: silent, one line for each of several services, or docker's lines and bars."""
    if quiet:
        return _Silent()
    if session.interactive:
        return _Bars(several=several)
    return _OneLineEach() if several else _Lines()


class _Silent:
    def show(self, name: str, progress: Progress) -> None:
        pass

    def close(self) -> None:
        pass


class _Lines:
    """Docker's progress without a terminal: a line whenever something has changed."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def show(self, name: str, progress: Progress) -> None:
        self._line("overall progress", progress.overall)
        for slot in progress.slots[:_BARS]:
            self._line(slot.label, slot.error[:_ERROR_WIDTH] or slot.state)
        if progress.verifying:
            self._line("verify", "Waiting to verify that tasks are stable...")
        elif progress.outcome == "converged":
            self._line("verify", progress.why)

    def _line(self, label: str, text: str) -> None:
        if self._shown.get(label) != text:
            self._shown[label] = text
            click.echo(f"{label}: {text}")

    def close(self) -> None:
        pass


class _OneLineEach:
    """A line for each service whenever its counts or its reason have changed."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def show(self, name: str, progress: Progress) -> None:
        text = one_line(progress)
        if self._shown.get(name) != text:
            self._shown[name] = text
            click.echo(f"{name}: {text}")

    def close(self) -> None:
        pass


def one_line(progress: Progress) -> str:
    """A service's progress in one line."""
    counts = f"{progress.running}/{progress.wanted}"
    if progress.outcome == "converged":
        return f"{counts} converged"
    if progress.outcome == "failed":
        return f"{counts} failed: {progress.why}"
    if progress.verifying:
        return f"{counts} running, verifying"
    if progress.failures:
        return f"{counts} after {progress.failures} failed: {progress.last_error[:_ERROR_WIDTH]}"
    errors = [slot.error for slot in progress.slots if slot.error]
    if errors:
        return f"{counts} {errors[0][:_ERROR_WIDTH]}"
    return f"{counts} {'rolling back' if progress.rolling_back else _slowest(progress.slots)}"


def _slowest(slots: Sequence[SlotProgress]) -> str:
    states = [slot.state for slot in slots if slot.state in STATES]
    return min(states, key=STATES.index, default="new")


class _Bars:
    """Rich's live display: one bar for each task, or one line for each of several services."""

    def __init__(self, *, several: bool) -> None:
        self._several = several
        self._latest: dict[str, Progress] = {}
        self._live: Live | None = None

    def show(self, name: str, progress: Progress) -> None:
        from rich.live import Live
        from rich.text import Text

        self._latest[name] = progress
        if self._live is None:
            self._live = Live(refresh_per_second=10, transient=False)
            self._live.start()
        self._live.update(Text(self._text()), refresh=True)

    def _text(self) -> str:
        if self._several:
            width = max(len(name) for name in self._latest)
            return "\n".join(
                f"{name.ljust(width)}  {one_line(progress)}"
                for name, progress in self._latest.items()
            )
        ((_, progress),) = self._latest.items()
        lines = [f"overall progress: {progress.overall}"]
        lines += [f"{slot.label}: {_bar(slot)}" for slot in progress.slots[:_BARS]]
        if progress.why:
            lines.append(f"verify: {progress.why}")
        return "\n".join(lines)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _bar(slot: SlotProgress) -> str:
    if slot.error:
        return slot.error[:_ERROR_WIDTH]
    if slot.state not in STATES:
        return slot.state
    done = STATES.index(slot.state) + 1
    width = 50
    filled = width * done // len(STATES)
    return f"{slot.state.ljust(9)} [{'=' * filled}{'>' if filled < width else ''}{' ' * max(0, width - filled - 1)}]"
