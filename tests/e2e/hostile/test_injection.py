"""Words of requests that would be more than words elsewhere: none is run, is an option, a line of a file, or a line of the log."""

from __future__ import annotations

import re
from itertools import cycle
from pathlib import Path
from typing import Any

import docker as docker_py
import pytest
import requests
from harness import figures
from harness.swarm import Swarm
from harness.waiting import wait_until

from hostile.words import OTHERS, container, places, plain, replaced, service, words

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EACH = 4
"""How many of the words each place gets, in turn."""

EARLY = {"new", "pending", "assigned", "accepted", "preparing", "ready", "starting"}

RESOLVERS = re.compile(
    r"(listen-address|port|hostsdir|servers-file|pid-file|user|cache-size|dns-forward-max|edns-packet-max|local|server|auth-\w+|\w[\w-]*)"
    r"(=[-\w./:@#]*)?"
)
RECORDS = re.compile(r"[0-9a-f.:]+[ \t][^\s\x00-\x1f]+([ \t][^\s\x00-\x1f]+)*")


class Asking:
    """Asks the daemon, and notes what it answers that it should not."""

    def __init__(self, client: docker_py.APIClient) -> None:
        self.client = client
        self.asked = 0
        self.wrong: list[str] = []
        self.refused = ""

    def __call__(self, path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
        """The answer's JSON; None where the request is refused, which must be in words."""
        self.asked += 1
        url = self.client._url(path)
        answer: requests.Response = self.client.post(url, json=body, params=query)
        if answer.status_code < 300:
            return answer.json() if answer.content else {}
        message = self.refused = answer.json()["message"]
        # The kernel's and the runtime's own refusals are told in their words.
        theirs = "OCI runtime" in message or "Invalid argument" in message
        if not message or (answer.status_code == 500 and not theirs):
            self.wrong.append(f"{answer.status_code} {path} {str(body)[:1500]}: {message[:500]}")
        return None


def test_words_stay_words(swarm: Swarm) -> None:
    swarm.cli("network", "create", "wire")
    trace = swarm.machine.dir / "trace"
    turns = cycle(words(trace))
    pid = swarm.daemon.pid
    with docker_py.APIClient(base_url=swarm.daemon.host, version="auto", timeout=120) as client:
        asking = Asking(client)
        for path, document in OTHERS.items():
            for way in places(document):
                for _ in range(EACH):
                    asking(path, replaced(document, way, next(turns)))
        by_hand(asking, turns)
        by_name(asking, turns)
        as_services(swarm, asking, turns)
    assert asking.wrong == []
    assert not trace.exists()
    assert swarm.daemon.pid == pid
    log = swarm.daemon.log_path.read_text()
    assert "Traceback" not in log
    lines = log.removesuffix("\n").split("\n")
    assert [line[:300] for line in lines if not re.match(r"\d{4}-\d\d-\d\dT", line)] == []
    figures.measured("words that would be more elsewhere", injected=asking.asked)


def by_hand(asking: Asking, turns: Any) -> None:
    """Containers, which are started where they are accepted."""
    document = container("bb:latest")
    made = asking("/containers/create", plain(document))
    assert made is not None, asking.refused[:500]
    asking.client.remove_container(made["Id"], force=True, v=True)
    for way in places(document):
        for _ in range(EACH):
            made = asking("/containers/create", replaced(document, way, next(turns)))
            if made is not None:
                asking(f"/containers/{made['Id']}/start")
                asking.client.remove_container(made["Id"], force=True, v=True)


def by_name(asking: Asking, turns: Any) -> None:
    """What is named in the address and the query."""
    made = asking("/containers/create", {"Image": "bb:latest", "Cmd": ["/bin/sleep", "1000"]})
    asking(f"/containers/{made['Id']}/start")
    for _ in range(2 * EACH):
        asking("/containers/create", {"Image": "bb:latest"}, name=next(turns))
        asking(f"/containers/{made['Id']}/rename", name=next(turns)[:4000])
        asking("/images/bb:latest/tag", repo=next(turns)[:4000], tag=next(turns)[:4000])
        asking("/images/create", fromImage=next(turns)[:4000])
        asking("/images/create", fromSrc="-", changes=next(turns)[:4000])
        asking("/commit", container=made["Id"], repo=next(turns)[:4000], changes=next(turns)[:4000])
        asking("/build", dockerfile=next(turns)[:4000], t=next(turns)[:4000])
        asking("/build", buildargs=f'{{"a": "{next(turns)[:4000]}"}}')
        asking(f"/containers/{made['Id']}/kill", signal=next(turns)[:4000])
        command = {"Cmd": ["/bin/true"], "User": next(turns), "Env": [next(turns)]}
        if (there := asking(f"/containers/{made['Id']}/exec", command)) is not None:
            asking(f"/exec/{there['Id']}/start", {"Detach": True})
    asking.client.remove_container(made["Id"], force=True)


def as_services(swarm: Swarm, asking: Asking, turns: Any) -> None:
    """Services, whose tasks run or come to an end; what their names became in the resolvers' files is looked at meanwhile."""
    network = swarm.cli("network", "create", "--driver", "overlay", "net").out.strip()
    secret = asking("/secrets/create", {"Name": "plain", "Data": "eA=="})
    document = service("bb:latest", network, {"SecretID": secret["ID"], "SecretName": "plain"})
    assert asking("/services/create", plain(document)) is not None, asking.refused[:500]
    number = 0
    for way in places(document):
        for _ in range(EACH):
            number += 1
            asked = replaced({**document, "Name": f"s{number}"}, way, next(turns))
            asking("/services/create", asked)

    def settled() -> bool:
        with swarm.api() as api:
            waiting = [t for t in api.tasks() if t["Status"]["State"] in EARLY]
        # A place that no node is, is waited for.
        waiting = [t for t in waiting if "no suitable node" not in str(t["Status"])]
        assert not waiting, [(t["Spec"], t["Status"]) for t in waiting]
        return True

    wait_until(settled, timeout=300, what="every task runs or has ended")
    home = Path(f"{swarm.machine.proc}/1/root{swarm.daemon.dir}/run/network/dns")
    for conf in home.glob("*/conf"):
        for line in conf.read_text().removesuffix("\n").split("\n"):
            assert RESOLVERS.fullmatch(line), line
    found = 0
    for zone in home.glob("*/zones/*"):
        for line in filter(None, zone.read_text().split("\n")):
            found += 1
            assert RECORDS.fullmatch(line), line
            assert "198.51.100.1" not in line
    assert found
    with swarm.api() as api:
        for made in api.services():
            api.remove_service(made["ID"])

    def gone() -> bool:
        with swarm.api() as api:
            return not api.containers(all=True)

    wait_until(gone, timeout=120, what="all tasks are gone")
