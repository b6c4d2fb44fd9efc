"""`hivelet stack logs`: all services of a stack in one stream, in the order of time.

Without `--follow` the log of each task that has a container is read to its end. With it, each service's log is followed, services
that come are added, and it ends when the last service is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import click

from hivelet.cli.deploy.remove import stack_filter
from hivelet.cli.log_output import log_query
from hivelet.cli.logs.lines import LogLine, Printer, after, task_label
from hivelet.cli.logs.streams import Following, Read, merged, open_log
from hivelet.cli.session import Session, warn
from hivelet.errors import NotFound

Json: TypeAlias = dict[str, Any]

_PATIENCE = 10.0
_LOOK_AGAIN = 2.0


@dataclass(slots=True)
class StackLogs:
    """The logs of one stack; `chosen` are the full names of the services that were asked for, none for all."""

    session: Session
    stack: str
    options: Mapping[str, Any]
    chosen: frozenset[str] = frozenset()
    printer: Printer = field(default_factory=Printer)
    _labels: dict[str, str] = field(default_factory=dict)
    _services_of: dict[str, str] = field(default_factory=dict)

    def show(self) -> int:
        """Print them; the exit code is 1 where something could not be read."""
        services = self._services()
        self._learn_labels(services)
        query = {
            **log_query(self.session, self.options, details=True),
            "timestamps": True,
        }
        if self.options["follow"]:
            self._follow(services, query)
            return 0
        return self._print_past(services, query)

    def _services(self) -> dict[str, Json]:
        found = {
            entry["ID"]: entry for entry in self.session.engine.services(stack_filter(self.stack))
        }
        if not self.chosen:
            return found
        return {key: entry for key, entry in found.items() if entry["Spec"]["Name"] in self.chosen}

    def _learn_labels(self, services: Mapping[str, Json]) -> list[Json]:
        """Remember what tasks are called; the answer is the tasks."""
        nodes = {
            node["ID"]: node["Description"]["Hostname"] for node in self.session.engine.nodes()
        }
        tasks = self.session.engine.tasks(stack_filter(self.stack))
        for task in tasks:
            service = services.get(task.get("ServiceID", ""))
            if service is not None:
                name = service["Spec"]["Name"]
                self._services_of[task["ID"]] = service["ID"]
                self._labels[task["ID"]] = task_label(task, name, self.stack, nodes)
        width = max((len(label) for label in self._labels.values()), default=0)
        self.printer.width = max(self.printer.width, width)
        return [task for task in tasks if task.get("ServiceID") in services]

    def _print_past(self, services: Mapping[str, Json], query: Json) -> int:
        reads: dict[str, Read] = {}
        for task in self._learn_labels(services):
            if (task["Status"].get("ContainerStatus") or {}).get("ContainerID"):
                name = f"task {task['ID'][:12]} ({self._labels[task['ID']]})"
                terminal = _has_terminal(task["Spec"])
                reads[name] = open_log(self.session, "tasks", task["ID"], query, terminal=terminal)
        problems: list[str] = []
        for line in merged(reads, patience=_PATIENCE, complain=problems.append):
            self._print(line)
        for problem in problems:
            warn(problem)
        return 1 if problems else 0

    def _follow(self, services: dict[str, Json], query: Json) -> None:
        following = Following(self.session.monotonic)
        asked = dict.fromkeys(services, query)
        while services:
            for identifier, service in services.items():
                if identifier not in following.open:
                    terminal = _has_terminal(service["Spec"]["TaskTemplate"])
                    # A service that comes later is shown from its beginning.
                    own = asked.setdefault(identifier, {**query, "tail": "all", "since": None})
                    read = open_log(self.session, "services", identifier, own, terminal=terminal)
                    following.add(identifier, read)
            for line in following.lines(_LOOK_AGAIN):
                self._print(line)
                service_id = self._services_of.get(line.task_id, "")
                # Where a log breaks off, it goes on after its last line.
                asked[service_id] = {**query, "tail": "all", "since": after(line.moment)}
            services = self._services()
        for line in following.rest():
            self._print(line)

    def _print(self, line: LogLine) -> None:
        label = self._labels.get(line.task_id)
        if label is None:
            self._learn_labels(self._services())
            label = self._labels.setdefault(line.task_id, line.task_id[:12])
        click.echo(self.printer.render(line, label), err=line.to_stderr)


def show_stack_logs(
    session: Session, stack: str, wanted: Sequence[str], options: Mapping[str, Any]
) -> int:
    """Print the logs of a stack, or of some of its services; the answer is the exit code.

    Raises:
        NotFound: there is no such stack, or no such service in it.
    """
    names = {entry["Spec"]["Name"] for entry in session.engine.services(stack_filter(stack))}
    if not names:
        raise NotFound(f"nothing found in stack: {stack}; `hivelet stack ls` lists stacks")
    chosen = {name if name in names else f"{stack}_{name}" for name in wanted}
    for name in sorted(chosen - names):
        raise NotFound(f"there is no service {name} in stack {stack}: {', '.join(sorted(names))}")
    printer = Printer(timestamps=options["timestamps"], prefix=not options["no_log_prefix"])
    return StackLogs(session, stack, options, frozenset(chosen), printer).show()


def _has_terminal(template: Json) -> bool:
    return bool((template.get("ContainerSpec") or {}).get("TTY"))
