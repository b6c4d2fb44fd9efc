"""Where a scenario is played: a service of its own on a running engine, asked through the Docker Engine API.

What is kept of it says nothing of time: the events of the service in their order, for each slot its tasks in the order of
their creation with what became of them, how the update ended, the spec, and the answers that the scenario asked to keep.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import docker
from harness.waiting import wait_until

Json = dict[str, Any]

VERSION = "/v1.41"
PATIENCE = 60.0
SECOND = 10**9

# Process 1 has no default action for SIGTERM, so the shell catches it.
STAY = "trap 'exit 0' TERM; sleep 1000 & wait"


class Api:
    """The engine's API, with the service events of all stages as they come."""

    def __init__(self, host: str) -> None:
        self.client = docker.APIClient(base_url=host, timeout=120, version="auto")
        self._counter = itertools.count()
        self._events: list[Json] = []
        self._stream = self.client.events(decode=True, filters={"type": "service"})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """End the stream of events."""
        self._stream.close()
        self._reader.join(10)
        self.client.close()

    def _read(self) -> None:
        for event in self._stream:
            self._events.append(event)

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        """One request: the status, and the decoded answer."""
        url = f"{self.client.base_url}{VERSION}{path}?{urllib.parse.urlencode(query)}"
        answer = self.client.request(method, url, json=body)
        return answer.status_code, json.loads(answer.text) if answer.text else None

    def done(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """A request that must succeed; its answer."""
        status, answer = self.ask(method, path, body, **query)
        assert status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def events_of(self, service_id: str) -> list[str]:
        """What became known of a service until now, without times."""
        name = f"sentinel{next(self._counter)}"
        spec = {"Name": name, "TaskTemplate": {"ContainerSpec": {"Image": "bb:latest"}}}
        sentinel = self.done("POST", "/services/create", {**spec, "Mode": {"Replicated": {"Replicas": 0}}})["ID"]  # fmt: skip
        self.done("DELETE", f"/services/{sentinel}")
        wait_until(
            lambda: any(event["Actor"]["ID"] == sentinel for event in list(self._events)),
            timeout=PATIENCE,
            what="the sentinel's event",
        )
        return [
            " ".join(
                [
                    event["Action"],
                    *(f"{k}={v}" for k, v in sorted(event["Actor"]["Attributes"].items()) if k != "name"),
                ]
            )
            for event in self._events
            # That something was written is told as often as an engine writes.
            if event["Actor"]["ID"] == service_id and (event["Action"], len(event["Actor"]["Attributes"])) != ("update", 1)
        ]  # fmt: skip


class Stage:
    """One scenario's service, and what is kept of it."""

    def __init__(self, api: Api, name: str) -> None:
        self.api = api
        self.name = name
        self.id = ""
        self.answers: list[str] = []
        self._others: list[tuple[str, str]] = []

    # ---- what a user does

    def create(self, script: str = STAY, replicas: int = 1, **more: Any) -> None:
        """Create the scenario's service; `more` is merged into the spec."""
        self.id = self.api.done("POST", "/services/create", service(self.name, script, replicas, **more))["ID"]  # fmt: skip

    def update(self, change: Mapping[str, Any] | None = None, **query: str) -> None:
        """Update the service to its spec with `change` merged into it."""
        found = self.inspect()
        spec = merge(found["Spec"], change or {})
        version = str(found["Version"]["Index"])
        self.api.done("POST", f"/services/{self.id}/update", spec, version=version, **query)

    def script(self, script: str, **more: Any) -> None:
        """Update the service to another script."""
        self.update(merge({"TaskTemplate": {"ContainerSpec": {"Args": [script]}}}, more))

    def scale(self, replicas: int) -> None:
        """Update the service to so many replicas."""
        self.update({"Mode": {"Replicated": {"Replicas": replicas}}})

    def remove(self) -> None:
        """Remove the service, and wait until its tasks are gone."""
        self.api.done("DELETE", f"/services/{self.id}")
        self.until(lambda: not self.tasks(), "its tasks to go")

    def keep(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """A request whose answer is kept: the status and, where there is one, the message."""
        status, answer = self.api.ask(method, path, body, **query)
        message = answer.get("message", "") if isinstance(answer, dict) else ""
        self.answers.append(f"{method} {masked(path)}: {status} {masked(message)}".strip())
        return answer

    def other(self, kind: str, path: str, body: Json) -> str:
        """Make something beside the service (a secret, a network …), removed at the end; its id."""
        answer = self.api.done("POST", path, body)
        identity: str = answer.get("ID") or answer["Id"]
        self._others.append((kind, identity))
        return identity

    # ---- what is seen

    def update_state(self) -> str:
        """The state of the update, "" where there was none."""
        state: str = self.inspect().get("UpdateStatus", {}).get("State", "")
        return state

    def inspect(self) -> Json:
        """The service."""
        found: Json = self.api.done("GET", f"/services/{self.id}")
        return found

    def tasks(self) -> list[Json]:
        """Its tasks by creation."""
        filters = json.dumps({"service": [self.id]})
        status, found = self.api.ask("GET", "/tasks", filters=filters)
        # A service that is gone may not be named any more.
        return sorted(found, key=lambda task: task["CreatedAt"]) if status == 200 else []

    def until(self, look: Callable[[], Any], what: str) -> None:
        """Wait for something that can be seen."""
        wait_until(look, timeout=PATIENCE, what=f"{self.name}: {what}", evidence=self.story)

    def until_states(self, *wanted: str) -> None:
        """Wait until the tasks' states are these, in any order; those that are to be shut down are so or have ended."""

        def look() -> bool:
            tasks = self.tasks()
            states = [task["Status"]["State"] for task in tasks]
            return sorted(states) == sorted(wanted) and not any(map(is_awaited, tasks))

        self.until(look, f"states {wanted}")

    def until_update(self, state: str) -> None:
        """Wait for the state of the update, and for all that it ended."""
        self.until(lambda: self.update_state() == state, state)
        self.until_settled()

    def until_settled(self, running: int | None = None) -> None:
        """Wait until nobody is on the way: what shall run does, or has ended; what shall not has ended."""

        def look() -> bool:
            tasks = self.tasks()
            up = [t for t in tasks if t["Status"]["State"] == t["DesiredState"] == "running"]
            rest = [task for task in tasks if task not in up]
            gone = all(t["Status"]["State"] in ENDED and not is_awaited(t) for t in rest)
            return gone and (running is None or len(up) == running)

        self.until(look, f"{running} tasks to run")

    def until_message(self, words: str) -> None:
        """Wait until a task says so."""
        self.until(
            lambda: any(words in task["Status"].get("Err", "") for task in self.tasks()), words
        )

    def story(self) -> str:
        """The tasks, for a failure's text."""
        return json.dumps(self.slots(), indent=1)

    def slots(self) -> dict[str, list[str]]:
        """For each slot the tasks in the order of their creation: what was wanted, what it came to."""
        slots: dict[str, list[str]] = {}
        for task in self.tasks():
            slots.setdefault(str(task.get("Slot")), []).append(told(task))
        # Which slot an engine updates first is its own affair, so they are told in the order of what happened to them.
        return {str(number): slot for number, slot in enumerate(sorted(slots.values()), 1)}

    def record(self) -> Json:
        """All that is kept."""
        kept: Json = {}
        if self.id and self.api.ask("GET", f"/services/{self.id}")[0] == 200:
            found = self.inspect()
            kept["slots"] = self.slots()
            update = found.get("UpdateStatus")
            if update:
                kept["update"] = [update["State"], masked(update["Message"])]
            kept["spec"] = flat(found["Spec"])
        if self.id:
            kept["events"] = self.api.events_of(self.id)
        if self.answers:
            kept["answers"] = self.answers
        return kept

    def close(self) -> None:
        """Remove what is left."""
        if self.id and self.api.ask("DELETE", f"/services/{self.id}")[0] == 200:
            self.until(lambda: not self.tasks(), "its tasks to go")
        for kind, identity in reversed(self._others):
            self._remove(f"/{kind}/{identity}")

    def _remove(self, path: str) -> None:
        """Remove what may still be in use for a moment."""
        self.until(lambda: self.api.ask("DELETE", path)[0] in (200, 204, 404), f"{path} to go")


ENDED = frozenset({"complete", "failed", "rejected", "shutdown", "orphaned", "remove"})


def is_awaited(task: Json) -> bool:
    """Whether a task has ended, and the orchestrator has not yet said what it makes of that."""
    return task["Status"]["State"] in ENDED and task["DesiredState"] in ("ready", "running")


def service(name: str, script: str = STAY, replicas: int = 1, **more: Any) -> Json:
    """A spec as the docker command line would send it, with `more` merged into it.

    Tasks are not restarted but by a given policy: how long an engine waits before a restart is a difference of its own.
    """
    spec: Json = {
        "Name": name,
        "TaskTemplate": {
            "ContainerSpec": {"Image": "bb:latest", "Command": ["sh", "-c"], "Args": [script]},
            "RestartPolicy": {"Condition": "none"},
        },
        "Mode": {"Replicated": {"Replicas": replicas}},
    }
    if "Mode" in more:
        spec.pop("Mode")
    return merge(spec, more)


def merge(old: Any, change: Any) -> Any:
    """`old` with the keys of `change`, deep; None takes a key away."""
    if not (isinstance(old, dict) and isinstance(change, Mapping)):
        return copy.deepcopy(change)
    merged = copy.deepcopy(old)
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def told(task: Json) -> str:
    """One task in a line: desired state, state, message, error, exit code."""
    status = task["Status"]
    words = [f"{task['DesiredState']}/{status['State']}", status.get("Message", "")]
    if status.get("Err"):
        words.append(f"error: {status['Err']}")
    code = (status.get("ContainerStatus") or {}).get("ExitCode")
    if code and status["State"] in ENDED:
        words.append(f"exit {code}")
    return masked("; ".join(words))


def flat(value: Any, path: str = "") -> Json:
    """A nested value as paths and leaves, ids masked."""
    return dict(_leaves(value, path))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}".strip("."))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{number}")
    else:
        yield path, masked(value) if isinstance(value, str) else value


def masked(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "HEX", text)
    text = re.sub(r"\b[a-z0-9]{25}\b", "ID", text)
    return re.sub(r"\d\d:\d\d:\d\d", "TIME", text)
