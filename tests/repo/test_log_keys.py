"""Log calls against the table of keys in docs/operations.md: the same key for the same thing, everywhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from hivelet.objects.common import Annotations, ServiceId, TaskId
from hivelet.objects.log_fields import container_fields, task_fields
from hivelet.objects.task import Task

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
FIELDS = {"task_fields", "log_fields", "_fields", "about", "fields"}
"""What gives a line several keys at once: the functions below, and what passes them on."""


def documented() -> set[str]:
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("| key of a log line |")[2].partition("\n\n")[0]
    return {
        key
        for line in table.splitlines()
        for key in re.findall(r"`([\w.]+)`", line.split(" | ")[0])
    }


def log_calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)) if (
                level in LEVELS
            ):
                yield node


def keys_of(call: ast.Call) -> Iterator[str]:
    """The keys that a call names, and `**expression` for those that come from elsewhere."""
    for keyword in call.keywords:
        if keyword.arg == "exc_info":  # structlog's own
            continue
        if keyword.arg is not None:
            yield keyword.arg
            continue
        for node in ast.walk(keyword.value):
            match node:
                case ast.Dict():
                    yield from (
                        str(key.value) for key in node.keys if isinstance(key, ast.Constant)
                    )
        names = {n.attr for n in ast.walk(keyword.value) if isinstance(n, ast.Attribute)}
        names |= {n.id for n in ast.walk(keyword.value) if isinstance(n, ast.Name)}
        if not isinstance(keyword.value, ast.Dict) and not names & FIELDS:
            yield f"**{ast.unparse(keyword.value)}"


def test_every_key_is_in_the_table() -> None:
    known = documented()
    assert {"task.id", "service.id", "error"} <= known
    unknown = {
        f"{path.name}:{call.lineno}: {key}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for call in log_calls(path)
        for key in keys_of(call)
        if key not in known
    }
    assert unknown == set()


def test_fields_of_objects_are_in_the_table() -> None:
    task = Task(
        id=TaskId("t"), service_id=ServiceId("s"), service_annotations=Annotations(name="web")
    )
    labels = {"com.docker.swarm.service.id": "s", "com.docker.swarm.service.name": "web"}
    both = container_fields("c", "/web.1.t", "t", labels)
    assert both == {**task_fields(task), "container.id": "c", "container.name": "web.1.t"}
    assert both.keys() <= documented()
    assert container_fields("c", "/mine", "", {}).keys() == {"container.id", "container.name"}


def test_ids_are_told_whole() -> None:
    """What `inspect` shows is what one searches for."""
    cut = [
        f"{path.name}:{call.lineno}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for call in log_calls(path)
        if re.search(r"_id\[:|\.id\[:", ast.unparse(call))
    ]
    assert cut == []
