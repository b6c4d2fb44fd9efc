"""What differs between the record of Docker Swarm and that of hivelet, leaf by leaf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """At a path of a scenario's record Docker Swarm has one value and hivelet another; None where there is none."""

    scenario: str
    path: str
    docker: Any
    hivelet: Any

    def __str__(self) -> str:
        return f"{self.scenario} {self.path}: Docker {self.docker!r}, hivelet {self.hivelet!r}"


def differences(name: str, docker: dict[str, Any], hivelet: dict[str, Any]) -> list[Difference]:
    """All leaves that are not the same, by path."""
    left, right = leaves(docker), leaves(hivelet)
    return [
        Difference(name, path, left.get(path), right.get(path))
        for path in sorted(left.keys() | right.keys())
        if left.get(path) != right.get(path)
    ]


def leaves(record: dict[str, Any]) -> dict[str, Any]:
    """A record as paths and values: `slots.1.0`, `spec.Mode.Replicated.Replicas`, `events.2`."""
    found: dict[str, Any] = {}
    for part, value in record.items():
        if part == "spec":
            found |= {f"spec.{path}": leaf for path, leaf in value.items()}
        elif part == "slots":
            for slot, tasks in value.items():
                found |= {f"slots.{slot}.{number}": task for number, task in enumerate(tasks)}
        elif isinstance(value, list):
            found |= {f"{part}.{number}": line for number, line in enumerate(value)}
        else:
            found[part] = value
    return found
