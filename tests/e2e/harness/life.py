"""The life of a small swarm, step by step, with a daemon that dies meanwhile: what must hold whenever it does.

Two services are served to clients from outside all the time: `web`, which nobody changes, and `front`, which is updated again
and again, new tasks first. Beside them a service with all that one can have (network, secret, volume, image) comes and goes.
A step that was answered must have been done whenever the daemon died after that; one that was not may have been, or not.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import docker
import requests

from harness.daemons import Hiveletd
from harness.leftovers import until_nothing_is_left
from harness.machine import ADDRESS, OUTSIDE
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

Api = docker.APIClient

KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
GONE = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
_QUIET = {"StopGracePeriod": 2_000_000_000}
_SERVED = "/cgi-bin/whoami"


class DaemonDied(Exception):
    """The daemon ended where it was meant to: nobody answers."""


@dataclass(frozen=True)
class Step:
    """One thing that a user does, how to see that it is done, and what of before need not hold once it has begun."""

    name: str
    do: Callable[[Api], object]
    done: Callable[[Api], bool]
    undoes: tuple[str, ...] = ()


@dataclass
class Deaths:
    """What has been seen: how often the daemon died, and the longest time until all was as wanted again."""

    count: int = 0
    slowest: float = 0.0
    places: list[str] = field(default_factory=list)


def tiny_image() -> bytes:
    """A root file system of one file, as `import` takes it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"tiny"))
    return stream.getvalue()


class Life:
    """See the module. As a context manager: traffic runs from its beginning to its end, and none of it may be lost."""

    def __init__(self, swarm: Swarm, daemon: Hiveletd, rate: int = 20) -> None:
        self.swarm = swarm
        self.daemon = daemon
        self.deaths = Deaths()
        self.started_in = 0.0
        """How long the daemon's last start took, until it was ready."""
        self._edition = 0
        self._acknowledged: dict[str, Step] = {}
        self._steps = self._endless()
        self._next = next(self._steps)
        machine = swarm.machine
        self._traffic = [
            Traffic.requests(
                machine, f"http://{ADDRESS}:{port}{_SERVED}", "--rate", str(rate), where=OUTSIDE
            )
            for port in (8080, 8081)
        ]
        self._dead_since: float | None = None

    # Its beginning and its end

    def __enter__(self) -> Self:
        order = ("--update-order", "start-first", "--stop-grace-period", "5s")
        self.swarm.create("web", 2, "--publish", "8080:8000")
        self.swarm.create("front", 2, "--publish", "8081:8000", *order)
        self._before = self._unchanged()
        for traffic in self._traffic:
            traffic.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for traffic in self._traffic:
            traffic.stop()

    @property
    def requests(self) -> int:
        """How many requests clients have made."""
        return sum(len(traffic.records) for traffic in self._traffic)

    @property
    def lost(self) -> list[Any]:
        """Those that failed."""
        return [record for traffic in self._traffic for record in traffic.failures]

    # Going on

    @contextlib.contextmanager
    def api(self) -> Iterator[Api]:
        """A fresh client: a daemon may have been started since the last one.

        Raises:
            DaemonDied: nobody answered, or not to the end, and the daemon is gone.
        """
        client = docker.APIClient(base_url=self.daemon.host, timeout=30, version="1.41")
        try:
            yield client
        except GONE:
            if not self.ends():
                raise
            raise DaemonDied from None
        finally:
            client.close()

    def ends(self) -> bool:
        """Whether the daemon's end is seen soon, where its connections have ended."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.daemon.running, timeout=5, what="the daemon is gone")
        return not self.daemon.running

    def step(self) -> None:
        """The next step, and what comes of it.

        Raises:
            DaemonDied: in the middle of it.
        """
        step = self._next
        for name in step.undoes:
            self._acknowledged.pop(name, None)
        with self.api() as api:
            if not step.done(api):
                step.do(api)
        self._acknowledged[step.name] = step
        self._next = next(self._steps)
        self.settle()

    def settle(self) -> None:
        """Wait until all is as wanted.

        Raises:
            DaemonDied: it never was.
        """

        def settled() -> bool:
            with self.api() as api:
                return self._is_settled(api)

        wait_until(settled, timeout=60, what="all is as wanted", evidence=self._story)
        if self._dead_since is not None:
            self.deaths.slowest = max(self.deaths.slowest, time.monotonic() - self._dead_since)
            self._dead_since = None

    def died(self, where: str) -> None:
        """Note that the daemon is dead."""
        assert self.ends(), f"hiveletd lives on after {where}\n{self.daemon.log_tail()}"
        self.deaths.count += 1
        self.deaths.places.append(where)
        print(f"{time.monotonic():.1f} dead at {where}, at {self._next.name!r}", flush=True)
        self._dead_since = time.monotonic()

    def revive(
        self,
        where: str,
        environment: Mapping[str, str] | None = None,
        *,
        fatal: bool = False,
        ready: Callable[[], None] | None = None,
    ) -> bool:
        """Start the daemon, and have all as wanted again; False where it was killed meanwhile, as it may be.

        It may where it is given an `environment` that makes it die, or where `fatal` says that somebody kills it. `ready` is
        called as soon as it says that it is.
        """
        self.daemon.also = dict(environment or {})
        began = time.monotonic()
        try:
            self.daemon.start()
        except AssertionError:
            process = self.daemon.process
            mortal = environment or fatal
            if not mortal or process is None or process.popen.wait(5) not in KILLED:
                raise
            self.died(f"{where}, while it started")
            return False
        self.started_in = time.monotonic() - began
        if ready is not None:
            ready()
        try:
            self.check()
            self.settle()
        except DaemonDied:
            self.died(where)
            return False
        return True

    @property
    def at_beginning(self) -> bool:
        """Whether a round has just ended: there is no guest."""
        return self._next.name == "secret made"

    def check(self) -> None:
        """What must hold as soon as a daemon is ready again.

        Raises:
            DaemonDied: it is not any more.
        """
        with self.api() as api:
            undone = [name for name, step in self._acknowledged.items() if not step.done(api)]
        assert not undone, f"acknowledged, and lost: {undone}\n{self._story()}"
        assert self._unchanged() == self._before, f"what nobody has touched:\n{self._story()}"

    def check_leftovers(self) -> None:
        """Nothing is there of containers that are not.

        Raises:
            DaemonDied: while it was asked for those that are.
        """
        try:
            until_nothing_is_left(self.swarm, self.daemon)
        except GONE:
            if not self.ends():
                raise
            raise DaemonDied from None

    # What is looked at

    def _unchanged(self) -> dict[str, tuple[str, int]]:
        with self.api() as api:
            tasks = api.tasks({"service": "web", "desired-state": "running"})
        return {
            task["ID"]: (status["ContainerID"], status["PID"])
            for task in tasks
            if (status := task["Status"].get("ContainerStatus"))
        }

    def _is_settled(self, api: Api) -> bool:
        services = api.services(status=True)
        for service in services:
            status = service["ServiceStatus"]
            if status["RunningTasks"] != status["DesiredTasks"]:
                return False
        front = [one for one in services if one["Spec"]["Name"] == "front"]
        return all(self._is_current(api, one) for one in front)

    def _is_current(self, api: Api, service: dict[str, Any]) -> bool:
        """Whether all that runs of a service is of its present specification."""
        wanted = service["Spec"]["TaskTemplate"].get("ForceUpdate", 0)
        tasks = api.tasks({"service": service["ID"]})
        here = [task for task in tasks if task["Status"]["State"] in ("starting", "running")]
        return all(task["Spec"].get("ForceUpdate", 0) == wanted for task in here)

    def _story(self) -> str:
        return self.swarm.story() if self.daemon.running else self.daemon.log_tail(80)

    # The steps

    def _endless(self) -> Iterator[Step]:
        while True:
            self._edition += 1
            yield from self._round(self._edition)

    def finish_round(self) -> None:
        """Go on until the guest is gone, and look for what is left of it.

        Raises:
            DaemonDied: in between.
        """
        while not self.at_beginning:
            self.step()
        self.check_leftovers()

    def _round(self, edition: int) -> Iterator[Step]:
        yield Step(
            "secret made",
            lambda api: api.create_secret("hush", b"word"),
            lambda api: "hush" in _names(api.secrets()),
            undoes=("secret gone",),
        )
        yield Step(
            "network made",
            lambda api: api.create_network("back", driver="overlay"),
            lambda api: _has_network(api),
            undoes=("network gone",),
        )
        yield Step(
            "guest made",
            self._create_guest,
            lambda api: _find(api, "guest") is not None,
            undoes=("guest gone", "volume gone"),
        )
        yield Step(
            "image made",
            lambda api: _import(api),
            lambda api: _has_image(api),
            undoes=("image gone",),
        )
        yield Step(
            "front updated",
            lambda api: _update(api, "front", force=edition),
            lambda api: _force(api, "front") >= edition,
        )
        yield Step(
            "guest scaled",
            lambda api: _update(api, "guest", replicas=2),
            lambda api: _replicas(api, "guest") == 2,
        )
        yield Step(
            "guest gone",
            lambda api: api.remove_service("guest"),
            lambda api: _find(api, "guest") is None,
            undoes=("guest made", "guest scaled"),
        )
        yield Step(
            "network gone",
            lambda api: _once_unused(api, lambda: api.remove_network("back")),
            lambda api: not _has_network(api),
            undoes=("network made",),
        )
        yield Step(
            "secret gone",
            lambda api: api.remove_secret(_secret(api)),
            lambda api: "hush" not in _names(api.secrets()),
            undoes=("secret made",),
        )
        yield Step(
            "volume gone",
            lambda api: _once_unused(api, lambda: api.remove_volume("store")),
            lambda api: "store" not in _volumes(api),
        )
        yield Step(
            "image gone",
            lambda api: api.remove_image("tiny:latest"),
            lambda api: not _has_image(api),
            undoes=("image made",),
        )

    def _create_guest(self, api: Api) -> None:
        container = {
            "Image": "bb:latest",
            "Command": ["/bin/sleep", "10000"],
            **_QUIET,
            "Mounts": [{"Type": "volume", "Source": "store", "Target": "/store"}],
            "Secrets": [
                {
                    "SecretID": _secret(api),
                    "SecretName": "hush",
                    "File": {"Name": "hush", "UID": "0", "GID": "0", "Mode": 0o400},
                }
            ],
        }
        api.create_service(
            {
                "ContainerSpec": container,
                "Networks": [{"Target": "back"}],
            },
            name="guest",
            mode={"Replicated": {"Replicas": 1}},
        )


def _names(objects: list[dict[str, Any]]) -> set[str]:
    return {one["Spec"]["Name"] for one in objects}


def _secret(api: Api) -> str:
    return next(str(one["ID"]) for one in api.secrets() if one["Spec"]["Name"] == "hush")


def _volumes(api: Api) -> set[str]:
    return {one["Name"] for one in api.volumes()["Volumes"] or []}


def _has_network(api: Api) -> bool:
    return any(one["Name"] == "back" for one in api.networks())


def _has_image(api: Api) -> bool:
    return any("tiny:latest" in (one["RepoTags"] or ()) for one in api.images())


def _import(api: Api) -> None:
    """Import the small image; an answer without an id is none."""
    text = api.import_image_from_data(tiny_image(), repository="tiny", tag="latest")
    if "sha256:" not in str(json.loads(text.splitlines()[-1]).get("status", "")):
        raise requests.exceptions.ChunkedEncodingError(text)


def _find(api: Api, name: str) -> dict[str, Any] | None:
    found = [one for one in api.services() if one["Spec"]["Name"] == name]
    return found[0] if found else None


def _force(api: Api, name: str) -> int:
    found = _find(api, name)
    assert found is not None
    return int(found["Spec"]["TaskTemplate"].get("ForceUpdate", 0))


def _replicas(api: Api, name: str) -> int:
    found = _find(api, name)
    assert found is not None
    return int(found["Spec"]["Mode"]["Replicated"]["Replicas"])


def _update(api: Api, name: str, *, force: int | None = None, replicas: int | None = None) -> None:
    """`service update`, once the service is not being updated by the manager itself at this moment."""
    while True:
        found = _find(api, name)
        assert found is not None
        spec = found["Spec"]
        if force is not None:
            spec["TaskTemplate"]["ForceUpdate"] = force
        if replicas is not None:
            spec["Mode"]["Replicated"]["Replicas"] = replicas
        answer = api._post_json(
            api._url("/services/{0}/update", found["ID"]),
            data=spec,
            params={"version": found["Version"]["Index"]},
        )
        if "out of sequence" not in answer.text:
            api._raise_for_status(answer)
            return


def _once_unused(api: Api, remove: Callable[[], object]) -> None:
    """Remove what the last tasks may still hold for a moment, which the disk may make long: overlays are flushed first."""
    refusals = [""]

    def removed() -> bool:
        try:
            remove()
        except docker.errors.APIError as error:
            if "use" not in str(error):
                raise
            refusals.append(str(error))
            return False
        return True

    def held() -> str:
        there = [f"{one['Names']} {one['Status']}" for one in api.containers(all=True)]
        return "\n".join([refusals[-1], *there])

    wait_until(removed, timeout=120, what="it is unused", interval=0.02, evidence=held)
