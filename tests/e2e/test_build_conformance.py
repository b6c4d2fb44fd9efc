"""The recorded builds, played to hiveletd: what it says is, line by line, what Docker's classic builder said."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from harness.daemons import Daemon
from harness.machine import Machine

sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))

from compare import RECORDED, compare_scene, reason_for
from oracle import Recorder
from scenes_builds import CASES, builds, told
from session import Session

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MEANT = {
    "blank-from": "refused before the build begins",
    "bad-tag": "the sentence names the name",
    "bad-args": "the words of another reader of JSON",
    "bad-labels": "the words of another reader of JSON",
}
"""Cases that may differ, and why."""


def test_builds_say_what_docker_says(machine: Machine, hiveletd: Daemon) -> None:
    folder = machine.dir / "played"
    folder.mkdir()
    builds(Session(Recorder(hiveletd.host.removeprefix("unix://"), folder)))
    ours, theirs = read(folder / "builds.json"), read(RECORDED / "builds.json")
    differing = {
        name: (told(ours[name]["answer"]), told(theirs[name]["answer"]))
        for name in CASES
        if name not in MEANT and told(ours[name]["answer"]) != told(theirs[name]["answer"])
    }
    assert not differing, json.dumps(differing, indent=1)
    images = ("inspect-many:1", "inspect-target")
    for name in images:
        assert settings(ours[name]["answer"]) == settings(theirs[name]["answer"])
    found = [line for line in compare_scene(folder / "builds.json") if not reason_for(line)]
    assert not found, "\n".join(found)


def read(path: Path) -> Any:
    """A recording."""
    return json.loads(path.read_text())


def settings(image: Any) -> Any:
    """What a container is made of; Docker's builder notes the image and the host name of its last container as well."""
    config = image["Config"]
    return {
        key: value for key, value in config.items() if key not in {"Image", "Hostname"} and value
    }
