"""Ask a real Docker Swarm how updates go: `python tests/conformance/record_updates.py`, as root; takes about two minutes.

Each story is played on a service of its own. What is kept in `recorded/update_rules.json` is the story and what `UpdateStatus`
said in its course: state, message (task ids masked), and the number of the update, counted by its `StartedAt`; at the end the
images that run and the one that a rollback would bring back. tests/sim/test_update_rules.py plays the same stories on hivelet.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parent))
from oracle import Oracle, ask
from session import filters

OUT = Path(__file__).parent / "recorded" / "update_rules.json"
SECOND = 10**9
IMAGES = {
    "good:1": "exec sleep 100000",
    "good:2": "exec sleep 100000",
    "good:3": "exec sleep 100000",
    "crash:1": "sleep 0.5; exit 1",
    "crash:2": "sleep 0.5; exit 1",
}
QUICK = {"Parallelism": 1, "Monitor": 2 * SECOND}
ROLL = {**QUICK, "FailureAction": "rollback"}
SLOW = {**QUICK, "Delay": 4 * SECOND}

Story = dict[str, Any]
BAD = ["update", "crash:1"]
GOOD = ["update", "good:2"]
PAUSED = ["until", "paused"]
# Docker Swarm ignores a spec that comes in the very second in which it pauses: no update begins, for minutes.
CALM = ["after", 4]
DONE = ["until", "completed"]
BACK = ["until", "rollback_completed"]

STORIES: dict[str, Story] = {
    "all at once": {"update": {**QUICK, "Parallelism": 0}, "steps": [GOOD, DONE]},
    "start first": {"update": {**QUICK, "Order": "start-first"}, "steps": [GOOD, DONE]},
    "forced": {"update": QUICK, "steps": [["force"], DONE]},
    "unchanged": {"update": QUICK, "steps": [["again"], ["after", 3]]},
    "paused": {"update": QUICK, "steps": [BAD, PAUSED]},
    "paused, then the same again": {
        "update": QUICK,
        "steps": [BAD, PAUSED, CALM, ["again"], ["until", "updating"], PAUSED],
    },
    "paused, then scaled": {
        "update": QUICK,
        "steps": [BAD, PAUSED, CALM, ["scale", 4], ["until", "updating"], PAUSED],
    },
    "paused, then mended": {"update": QUICK, "steps": [BAD, PAUSED, GOOD, DONE]},
    "paused, then rolled back": {"update": QUICK, "steps": [BAD, PAUSED, ["rollback"], BACK]},
    "rolled back by itself": {"update": ROLL, "steps": [BAD, BACK]},
    "rolled back by itself, then by hand": {
        "update": ROLL,
        "steps": [BAD, BACK, ["rollback"], ["after", 1]],
    },
    "the rollback fails too": {
        "image": "crash:2",
        "update": ROLL,
        "rollback": QUICK,
        "steps": [BAD, ["until", "rollback_paused"]],
    },
    "a rollback of a rollback": {
        "update": QUICK,
        "rollback": QUICK,
        "steps": [
            GOOD,
            DONE,
            ["rollback"],
            BACK,
            ["rollback"],
            ["until", "rollback_started"],
            BACK,
        ],
    },
    "failures that do not matter": {
        "update": {**QUICK, "FailureAction": "continue"},
        "steps": [BAD, DONE],
    },
    "one failure of three is allowed": {
        "update": {**QUICK, "MaxFailureRatio": 0.4},
        "steps": [BAD, PAUSED],
    },
    "failures after the monitor period": {
        "update": {**QUICK, "Monitor": SECOND // 10},
        "steps": [BAD, DONE],
    },
    "overtaken": {
        "update": SLOW,
        "steps": [GOOD, ["until", "updating"], ["after", 1.5], ["update", "good:3"], DONE],
    },
    "overtaken by a rollback": {
        "update": SLOW,
        "rollback": QUICK,
        "steps": [GOOD, ["until", "updating"], ["after", 1.5], ["rollback"], BACK],
    },
    "bad, overtaken by the mended one": {
        "update": {**QUICK, "Parallelism": 2},
        "steps": [BAD, ["until", "updating"], ["update", "good:3"], DONE],
    },
}


def image_of(name: str) -> bytes:
    """A busybox of its own for each image, so that no two are the same to the engine."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add("/bin/busybox", "bin/busybox")
        for name in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        mark = tarfile.TarInfo("mark")
        mark.size = len(name)
        archive.addfile(mark, io.BytesIO(name.encode()))
    return buffer.getvalue()


class Player:
    """One story on one service of a swarm."""

    def __init__(self, socket: str, name: str, story: Story) -> None:
        self._socket = socket
        self._name = name
        self._story = story
        self._path: list[list[Any]] = []
        self._starts: list[str] = []

    def play(self) -> Story:
        """The story with what was observed."""
        first = self._story.get("image", "good:1")
        spec = {
            "Name": self._name,
            "TaskTemplate": {
                "ContainerSpec": {"Image": first, "StopGracePeriod": 0},
                "RestartPolicy": {"Condition": "any", "Delay": 30 * SECOND},
            },
            "Mode": {"Replicated": {"Replicas": 3}},
            "UpdateConfig": self._story["update"],
            "RollbackConfig": self._story.get("rollback"),
        }
        self._ask("POST", "/services/create", spec)
        self._look_until(lambda: len(self._tasks("running")) == 3 or first.startswith("crash"))
        answers = [self._step(*step) for step in self._story["steps"]]
        service = self._ask("GET", f"/services/{self._name}")
        before = service.get("PreviousSpec")
        self._ask("DELETE", f"/services/{self._name}")
        return {
            **self._story,
            "refused": [answer for answer in answers if answer],
            "status": self._path,
            "spec": service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"],
            "previous": before and before["TaskTemplate"]["ContainerSpec"]["Image"],
        }

    def _step(self, verb: str, *words: Any) -> str:
        service = self._ask("GET", f"/services/{self._name}")
        spec = service["Spec"]
        match verb:
            case "until":
                self._look_until(lambda: bool(self._path) and self._path[-1][0] == words[0])
                return ""
            case "after":
                end = time.monotonic() + words[0]
                self._look_until(lambda: time.monotonic() > end)
                return ""
            case "update":
                spec["TaskTemplate"]["ContainerSpec"]["Image"] = words[0]
            case "scale":
                spec["Mode"]["Replicated"]["Replicas"] = words[0]
            case "force":
                spec["TaskTemplate"]["ForceUpdate"] += 1
        how = "&rollback=previous" if verb == "rollback" else ""
        index = service["Version"]["Index"]
        answer = self._ask("POST", f"/services/{self._name}/update?version={index}{how}", spec)
        if "message" not in answer:
            self._path.append(["posted", "", 0])
        return self._masked(answer.get("message", ""))

    def _look_until(self, done: Any) -> None:
        deadline = time.monotonic() + 90
        while True:
            self._look()
            if done():
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._name}: {self._path}")
            time.sleep(0.03)

    def _look(self) -> None:
        status = self._ask("GET", f"/services/{self._name}").get("UpdateStatus")
        if status is None:
            return
        if status["StartedAt"] not in self._starts:
            self._starts.append(status["StartedAt"])
        number = self._starts.index(status["StartedAt"]) + 1
        seen = [status["State"], self._masked(status["Message"]), number]
        if not self._path or self._path[-1] != seen:
            self._path.append(seen)

    def _tasks(self, state: str) -> list[Any]:
        found = self._ask("GET", "/tasks?" + filters(service=[self._name]))
        return [task for task in found if task["Status"]["State"] == state]

    @staticmethod
    def _masked(message: str) -> str:
        return re.sub(r"\b[a-z0-9]{25}\b", "ID", message)

    def _ask(self, method: str, target: str, body: Any = None) -> Any:
        text = ask(self._socket, method, "/v1.41" + target, body)[2].decode()
        return json.loads(text) if text else {}


def main() -> None:
    """Play all stories, four at a time."""
    with Oracle() as oracle:
        ask(oracle.socket, "POST", "/v1.41/swarm/init", {"ListenAddr": "192.168.77.2:2377"})
        for image, command in IMAGES.items():
            change = quote(f'CMD ["/bin/sh", "-c", "{command}"]')
            query = f"fromSrc=-&repo={image.replace(':', '&tag=')}&changes={change}"
            status, _, said = ask(
                oracle.socket, "POST", f"/v1.41/images/create?{query}", image_of(image)
            )
            assert status == 200, said

        def play(numbered: tuple[int, str]) -> Story:
            number, name = numbered
            return Player(oracle.socket, f"story{number}", STORIES[name]).play()

        with ThreadPoolExecutor(4) as pool:
            played = list(pool.map(play, enumerate(STORIES)))
    text = json.dumps(dict(zip(STORIES, played, strict=True)), indent=1)
    OUT.write_text(text + "\n")


if __name__ == "__main__":
    main()
