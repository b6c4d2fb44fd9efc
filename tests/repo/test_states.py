"""docs/states.md against the code: every state, every message of a task, and nothing that is no longer said."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivelet.agent.exec import step
from hivelet.agent.exec.drain import describe_drain, describe_stop
from hivelet.agent.runner import INTERNAL
from hivelet.convert.task import WAITS_FOR_PREDECESSOR
from hivelet.objects.task import TaskState

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "hivelet"
PAGE = (ROOT / "docs" / "states.md").read_text()

# Where errors come from that end up in a task's status: all that happens between its assignment and its end.
RAISED_IN = (
    "agent/exec/adapter.py",
    "engine/volumes/binds.py",
    "engine/dependencies/known.py",
    "engine/readings/devices.py",
    "engine/health/policy.py",
    "engine/merge.py",
    "engine/volumes/mounts.py",
    "engine/storage.py",
    "engine/volumes/mounted.py",
    "manager/allocator/services.py",
    "network/dns/files.py",
    "network/dns/server.py",
    "network/sysctls.py",
    "objects/capability_names.py",
    "objects/mount_rules.py",
    "objects/name_rules.py",
    "objects/signals.py",
    "objects/templating.py",
    "objects/volume_options.py",
    "runtime/capabilities.py",
    "runtime/oci.py",
    "runtime/oci_spec.py",
    "runtime/seccomp.py",
    "runtime/spawn.py",
    "runtime/images/users.py",
    "runtime/images/snapshots.py",
)
# What they raise beside that: answers to requests, or what is caught and told otherwise.
NOT_OF_TASKS = (
    "volume is in use",
    "is already in use by service",
    "is not a container id",
    "is no block device",  # services have no rates of devices
    "No exec command specified",
    "failed: ",
)


def template(node: ast.expr) -> str | None:
    """A string, a formatted string or a sum of them, with `…` for what is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    if isinstance(node, ast.BinOp):
        return (template(node.left) or "…") + (template(node.right) or "…")
    return None


def raised(path: Path) -> list[str]:
    """What the exceptions say that a module raises."""
    calls = [
        node.exc
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    ]
    told = [said for call in calls for word in call.args[:1] if (said := template(word))]
    return [said for said in told if " " in said]


def longest_part(said: str) -> str:
    """The longest piece of a message in which nothing is filled in."""
    return max(said.split("…"), key=len).strip(" :;,.(")


@pytest.mark.parametrize("name", RAISED_IN)
def test_every_error_of_a_task_is_explained(name: str) -> None:
    told = raised(SOURCE / name)
    assert told
    missing = [
        said
        for said in told
        if longest_part(said) not in PAGE and not any(part in said for part in NOT_OF_TASKS)
    ]
    assert missing == []


def test_every_state_is_explained() -> None:
    section = PAGE.partition("## States of a task")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == {str(state) for state in TaskState}


def test_every_message_of_a_step_is_explained() -> None:
    said = {message for _, message in step._WELL.values()}
    assert [message for message in said if f"`{message}`" not in PAGE] == []


def test_every_message_of_a_leaving_task_is_explained() -> None:
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    told = [describe_drain(1, moment), describe_drain(3, moment), describe_stop(moment)]
    said = [re.sub(r"3|\d+(:\d+)+", "…", message) for message in told]
    assert [message for message in said if f"`{message}`" not in PAGE] == []


def test_what_is_told_of_a_task_that_waits_or_met_a_defect_is_explained() -> None:
    assert f"`{WAITS_FOR_PREDECESSOR}`" in PAGE
    assert f"`{INTERNAL}" in PAGE


def test_every_filter_of_the_scheduler_is_explained() -> None:
    text = (SOURCE / "manager/scheduler/filters.py").read_text()
    reasons = re.findall(r'_on\("([^"]+)"\)', text) + re.findall(r'\["([^"]+)"\] \* 2', text)
    assert len(reasons) >= 5
    assert [reason for reason in reasons if reason not in PAGE] == []
