"""A locked swarm, with docker's own command line: what goes on, what waits for the key, and where the key is not."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from harness.cli import Cli
from harness.daemons import Hiveletd
from harness.figures import measured
from harness.machine import ADDRESS, OUTSIDE
from harness.swarm import Swarm
from harness.traffic import Traffic
from harness.waiting import wait_until

URL = f"http://{ADDRESS}:8080/cgi-bin/whoami"
LOCKED = 'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.'
SECRET = "correct horse battery staple"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def read_everything(folder: Path) -> bytes:
    found = b""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # the daemon runs, and its scratch files come and go
            found += path.read_bytes() if path.is_file() else b""
    return found


def test_a_locked_swarm_goes_on_and_waits_for_its_key(
    swarm: Swarm, hiveletd: Hiveletd, hivelet_cli: Cli
) -> None:
    cli = swarm.cli
    cli("secret", "create", "password", "-", stdin=SECRET)
    swarm.create("web", 2, "--publish", "8080:8000", "--secret", "password")
    assert "swarm unlock" in cli("swarm", "update", "--autolock=true").out
    key = cli("swarm", "unlock-key", "--quiet").out.strip()
    before = {task["ID"]: swarm.process(task) for task in swarm.tasks("web", running=True)}
    with Traffic.requests(swarm.machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        hiveletd.kill()
        hiveletd.start()
        with swarm.api() as api:
            info = api.info()["Swarm"]
        assert (info["LocalNodeState"], info["ControlAvailable"]) == ("locked", False)
        assert LOCKED in cli.fails("service", "ls").err
        assert LOCKED in cli.fails("swarm", "unlock-key").err
        assert "Swarm: locked" in cli("info").out
        found = map(json.loads, hivelet_cli("doctor", "--format", "json", status=1).lines)
        assert [one["Seen"] for one in found if one["Name"] == "swarm"] == ["the swarm is locked"]
        assert "already part of a swarm" in cli.fails("swarm", "init").err
        assert "unlock it first or use `--force`" in cli.fails("swarm", "leave").err
        assert len(cli("ps", "-q").lines) == 2
        assert "ingress" not in cli("network", "ls").out
        requests.go_on(100)
        wrong = f"SWMKEY-1-{'A' * 43}"
        assert "invalid key provided" in cli.fails("swarm", "unlock", stdin=wrong).err
        began = time.monotonic()
        cli("swarm", "unlock", stdin=f"{key}\n")
        swarm.until_running("web", 2)
        unlocked = time.monotonic() - began
        requests.go_on(50)
        assert requests.failures == []
        made = len(requests.records)
    assert {task["ID"]: swarm.process(task) for task in swarm.tasks("web", running=True)} == before
    assert "swarm is not locked" in cli.fails("swarm", "unlock", stdin=key).err

    # It is in charge again: what dies is replaced.
    victim = swarm.tasks("web", running=True)[0]
    swarm.machine.run(["kill", "-KILL", str(swarm.process(victim))])
    wait_until(
        lambda: victim["ID"] not in swarm.task_ids("web"), timeout=20, what="the death is noticed"
    )
    swarm.until_running("web", 2)

    # Neither the key nor what it protects is told anywhere.
    newer = cli("swarm", "unlock-key", "--rotate", "--quiet").out.strip()
    words = [word.encode() for word in (key, newer, SECRET)]
    told = {
        "files": read_everything(hiveletd.root),
        "log": hiveletd.log_path.read_bytes(),
        "environment": Path(f"/proc/{hiveletd.pid}/environ").read_bytes(),
        "command": Path(f"/proc/{hiveletd.pid}/cmdline").read_bytes(),
        "inspect": "".join(
            cli(*command).out
            for command in (
                ("info", "--format", "{{json .}}"),
                ("secret", "inspect", "password"),
                ("service", "inspect", "web"),
                ("inspect", *swarm.container_ids("web")),
            )
        ).encode(),
    }
    assert [name for name, text in told.items() if any(word in text for word in words)] == []

    # The old key is void at once, and without autolock a restart needs none.
    hiveletd.restart()
    assert "invalid key provided" in cli.fails("swarm", "unlock", stdin=key).err
    cli("swarm", "unlock", stdin=newer)
    cli("swarm", "update", "--autolock=false")
    assert "no unlock key is set" in cli.fails("swarm", "unlock-key").err
    hiveletd.restart()
    swarm.until_running("web", 2)
    measured("the swarm is locked", injected=2, requests=made, seconds=unlocked)


def test_whoever_has_lost_the_key_leaves_and_begins_anew(
    swarm: Swarm, hiveletd: Hiveletd, hivelet_cli: Cli
) -> None:
    swarm.create("web", 1, "--publish", "8080:8000")
    assert hivelet_cli.fails("swarm", "unlock-key").err.startswith("Error: no unlock key is set")
    assert "SWMKEY-1-" in hivelet_cli("swarm", "update", "--autolock", "true").out
    first = hivelet_cli("swarm", "unlock-key", "-q").out
    assert hivelet_cli("swarm", "unlock-key", "--rotate", "-q").out != first
    hiveletd.restart()
    assert "needs to be unlocked" in hivelet_cli.fails("service", "ls").err
    assert "invalid key string" in hivelet_cli.fails("swarm", "unlock", stdin="nonsense").err
    hivelet_cli("swarm", "leave", "--force")
    assert swarm.cli("ps", "-q", "--all").out == ""
    hivelet_cli("swarm", "init", "--autolock")
    swarm.create("web", 1, "--publish", "8080:8000")
    with Traffic.requests(swarm.machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        requests.go_on(20)
    assert requests.failures == []
    key = hivelet_cli("swarm", "unlock-key", "-q").out
    hiveletd.restart()
    hivelet_cli("swarm", "unlock", stdin=key)
    swarm.until_running("web", 1)


def test_join_tokens_are_made_anew(swarm: Swarm) -> None:
    cli = swarm.cli
    for role, other in (("worker", "manager"), ("manager", "worker")):
        before = {each: cli("swarm", "join-token", "-q", each).out for each in (role, other)}
        cli("swarm", "join-token", "--rotate", role)
        after = {each: cli("swarm", "join-token", "-q", each).out for each in (role, other)}
        assert after[role] != before[role]
        assert after[other] == before[other]
