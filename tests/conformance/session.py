"""What the scenes share: how a question is put, a service asked for, and an end waited for."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from oracle import Recorder


class NotInTime(Exception):
    """What a scene waits for did not come."""


SLEEP = ["/bin/sleep", "100000"]


def filters(**wanted: Any) -> str:
    """`filters=…` for a query; an underscore stands for a hyphen, save at the beginning."""
    renamed = {key[0] + key[1:].replace("_", "-"): value for key, value in wanted.items()}
    return "filters=" + quote(json.dumps(renamed))


def busybox() -> bytes:
    """A root file system with nothing but busybox."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add("/bin/busybox", "bin/busybox")
        for name in ("sh", "sleep", "echo", "false", "ls", "cat"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return buffer.getvalue()


def until(look: Callable[[], Any], seconds: float = 40) -> Any:
    """The first true answer of `look`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise NotInTime("the engine did not get there in time")
        time.sleep(0.05)


def spec(
    name: str, *, image: str = "bb:latest", command: list[str] | None = None, **more: Any
) -> dict[str, Any]:
    """A service as the docker CLI would ask for it, with as little as can be said."""
    container = {"Image": image, "Command": command or SLEEP, **more.pop("ContainerSpec", {})}
    return {
        "Name": name,
        "TaskTemplate": {"ContainerSpec": container, **more.pop("TaskTemplate", {})},
        **more,
    }


class Session:
    """A recorder, and questions that it does not record."""

    def __init__(self, recorder: Recorder) -> None:
        self.r = recorder

    def tasks(self, service: str) -> list[Any]:
        """The tasks of a service, none where there is no such service."""
        found = self.r.ask("GET", "/tasks?" + filters(service=[service]))
        return found if isinstance(found, list) else []

    def running(self, service: str, count: int) -> Callable[[], Any]:
        """For `until`: the tasks of a service, once so many of them run."""

        def look() -> Any:
            found = [
                task
                for task in self.tasks(service)
                if task["Status"]["State"] == task["DesiredState"] == "running"
            ]
            return found if len(found) == count else None

        return look
