"""`docker run` and what is done to a container by hand, by both docker CLIs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Daemon
from harness.images import import_busybox
from harness.machine import Machine
from harness.terminal import Terminal
from harness.traffic import burst
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(params=["docker-28", "docker-20", "hivelet"])
def cli(request: pytest.FixtureRequest, machine: Machine, hiveletd: Daemon) -> Iterator[Cli]:
    """Each command line on an engine with two images and without a swarm; nothing is left at the end."""
    cli = make_cli(request.param, hiveletd.host, machine.dir)
    import_busybox(cli, machine.dir)
    yield cli
    for line in cli("ps", "-aq").lines:
        cli("rm", "-f", "-v", line, status=None)
    assert cli("ps", "-aq").lines == []


def inspect(cli: Cli, name: str) -> dict[str, Any]:
    """`docker inspect`."""
    found: dict[str, Any] = json.loads(cli("inspect", name).out)[0]
    return found


def test_streams_input_and_exit_code(cli: Cli) -> None:
    said = cli("run", "--rm", "bb", "sh", "-c", "echo out; echo err >&2; exit 5", status=5)
    assert (said.out, said.err) == ("out\n", "err\n")
    text = "".join(f"line {n}\n" for n in range(20_000))
    assert cli("run", "--rm", "-i", "bb", "cat", stdin=text).out == text
    assert cli("run", "--name", "kept", "bb", "echo", "once").out == "once\n"
    assert cli("start", "-a", "kept").out == "once\n"
    assert cli("logs", "kept").out == "once\nonce\n"
    assert cli("ps", "-aq").lines == [inspect(cli, "kept")["Id"][:12]]


def test_what_cannot_be_run(cli: Cli) -> None:
    missing = cli("run", "--rm", "bb", "nosuch", status=127)
    assert 'exec: "nosuch": executable file not found in $PATH' in missing.err
    assert cli("ps", "-aq").lines == []
    assert "Invalid container name (a)" in cli.fails("run", "--name", "a", "bb", "true").err
    cli("create", "--name", "taken", "bb", "true")
    twice = cli.fails("create", "--name", "taken", "bb", "true").err
    assert 'The container name "/taken" is already in use by container' in twice
    assert "network nowhere not found" in cli.fails("run", "--network", "nowhere", "bb", "true").err
    few = cli.fails("run", "--memory", "1m", "bb", "true").err
    assert "Minimum memory limit allowed is 6MB" in few


def test_everyday_flags(cli: Cli, machine: Machine) -> None:
    folder = machine.dir / "shared"
    folder.mkdir()
    (folder / "file").write_text("from the host\n")
    (machine.dir / "env").write_text("FROM_FILE=yes\n")
    script = """
        id -u; id -g; pwd; echo $A $FROM_FILE; hostname; ulimit -n; cat /shared/file
        touch /shared/x 2>/dev/null || echo read-only; touch /x 2>/dev/null || echo root read-only
        touch /tmpfs/x && touch /vol/x && echo writable; grep -c 1.2.3.4 /etc/hosts
        grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status
    """
    words = [
        "--user", "33:44", "--workdir", "/tmpfs", "-e", "A=b", "--env-file", str(machine.dir / "env"),
        "--hostname", "named", "--ulimit", "nofile=100:200", "-v", f"{folder}:/shared:ro", "--read-only",
        "--tmpfs", "/tmpfs:mode=1777", "--mount", "type=tmpfs,destination=/vol,tmpfs-mode=1777",
        "--add-host", "other:1.2.3.4", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
        "--memory", "64m", "--cpus", "0.5", "--pids-limit", "50", "--init", "--label", "l=1",
        "--entrypoint", "sh",
    ]  # fmt: skip
    said = cli("run", "--name", "all", *words, "bb", "-c", script).lines
    assert said == [
        "33", "44", "/tmpfs", "b yes", "named", "100", "from the host", "read-only", "root read-only", "writable", "1",
        "CapEff:\t0000000000000000", "NoNewPrivs:\t1",
    ]  # fmt: skip
    host = inspect(cli, "all")["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 << 20, 500_000_000, 50)
    privileged = cli(
        "run", "--rm", "--privileged", "bb", "sh", "-c", "grep CapEff /proc/self/status"
    )
    assert int(privileged.out.split()[1], 16) > 1 << 30
    added = ["--cap-drop", "ALL", "--cap-add", "CHOWN", "--device", "/dev/null:/dev/nothing"]
    some = cli(
        "run", "--rm", *added, "bb", "sh", "-c", "grep CapEff /proc/self/status; ls /dev/nothing"
    )
    assert some.lines == ["CapEff:\t0000000000000001", "/dev/nothing"]


def test_health_of_a_plain_container(cli: Cli) -> None:
    check = ["--health-cmd", "test -e /well", "--health-interval", "200ms", "--health-retries", "1"]
    cli("run", "-d", "--name", "checked", *check, "bb", "sleep", "1000")
    for wanted in ("unhealthy", "healthy"):
        wait_until(
            lambda: inspect(cli, "checked")["State"]["Health"]["Status"] == wanted,  # noqa: B023
            timeout=15,
            what=f"the container is {wanted}",
        )
        cli("exec", "checked", "touch", "/well")


def test_a_terminal_that_is_left_and_taken_up_again(cli: Cli) -> None:
    with Terminal(
        cli, "run", "-it", "--name", "shell", "bb", "sh", rows=31, columns=97
    ) as terminal:
        terminal.until("# ")
        wait_until(lambda: terminal.answers("stty size\n", "31 97"), timeout=10, what="its size")
        terminal.type("kept=still-here; echo now $kept\n")
        terminal.until("now still-here\r\n")
        terminal.type("\x10\x11")
        assert terminal.wait() == 0
    assert inspect(cli, "shell")["State"]["Running"]
    with Terminal(cli, "attach", "shell") as terminal:
        terminal.type("echo $kept\n")
        terminal.until("still-here\r\n")
        terminal.type("exit 4\n")
        assert terminal.wait() == 4


def test_published_ports(cli: Cli, machine: Machine, hiveletd: Daemon) -> None:
    cli("run", "-d", "--name", "web", "-p", "8081:8000", "-p", "127.0.0.1::8000", "web:latest")
    assert cli("port", "web", "8000").lines[0] == "0.0.0.0:8081"
    other = cli("port", "web", "8000").lines[1].rpartition(":")[2]
    for port in ("8081", other):
        wait_until(
            lambda: not burst(machine, f"http://127.0.0.1:{port}/", 2).failures,  # noqa: B023
            timeout=10,
            what=f"port {port} answers",
        )
    taken = cli.fails("run", "-d", "--name", "second", "-p", "8081:8000", "web:latest").err
    assert "Bind for 0.0.0.0:8081 failed: port is already allocated" in taken
    hiveletd.kill()
    assert not burst(machine, "http://127.0.0.1:8081/", 2).failures
    hiveletd.start()
    assert not burst(machine, "http://127.0.0.1:8081/", 2).failures
    cli("stop", "-t", "0", "web")
    assert burst(machine, "http://127.0.0.1:8081/", 2).failures
    cli("start", "second")
    assert not burst(machine, "http://127.0.0.1:8081/", 2).failures


def test_networks(cli: Cli) -> None:
    cli("network", "create", "net1")
    cli(
        "run",
        "-d",
        "--name",
        "first",
        "--network",
        "net1",
        "--network-alias",
        "alias",
        "bb",
        "sleep",
        "1000",
    )
    for name in ("first", "alias"):
        cli("run", "--rm", "--network", "net1", "bb", "ping", "-c", "1", name)
    links = cli("run", "--rm", "--network", "container:first", "bb", "ls", "/sys/class/net").lines
    assert links == ["eth0", "lo"]
    assert cli("run", "--rm", "--network", "none", "bb", "ls", "/sys/class/net").lines == ["lo"]
    host = cli("run", "--rm", "--network", "host", "bb", "ls", "/sys/class/net").lines
    assert len(host) > 2
    assert "has active endpoints" in cli.fails("network", "rm", "net1").err
    cli("rm", "-f", "first")
    cli("network", "rm", "net1")


def test_restart_policies(cli: Cli, hiveletd: Daemon) -> None:
    words = ["bb", "sh", "-c", "echo x; exit 3"]
    cli("run", "-d", "--name", "twice", "--restart", "on-failure:2", *words)
    wait_until(
        lambda: (
            (found := inspect(cli, "twice"))["RestartCount"] == 2
            and found["State"]["Status"] == "exited"
        ),
        timeout=15,
        what="it was started again twice",
    )
    assert cli("logs", "twice").lines == ["x"] * 3
    for name, policy in (("always", "always"), ("unless", "unless-stopped"), ("never", "no")):
        cli("run", "-d", "--name", name, "--restart", policy, "bb", "sleep", "1000")
    before = inspect(cli, "always")["State"]["Pid"]
    cli("exec", "-d", "--privileged", "always", "sh", "-c", "kill -9 -1")
    cli("stop", "-t", "0", "unless")
    cli("kill", "never")
    cli("stop", "-t", "0", "always")
    hiveletd.restart()
    wait_until(
        lambda: inspect(cli, "always")["State"]["Running"], timeout=15, what="always is started"
    )
    assert inspect(cli, "always")["State"]["Pid"] != before
    assert not inspect(cli, "unless")["State"]["Running"]
    assert not inspect(cli, "never")["State"]["Running"]


def test_pause_rename_update_and_wait(cli: Cli) -> None:
    cli("run", "-d", "--name", "one1", "bb", "sh", "-c", "while :; do echo tick; sleep 0.1; done")
    cli("pause", "one1")
    assert "(Paused)" in cli("ps", "--filter", "name=one1").out
    assert "is paused, unpause the container before exec" in cli.fails("exec", "one1", "true").err
    cli("unpause", "one1")
    cli("rename", "one1", "two2")
    assert "No such container: one1" in cli.fails("inspect", "--type", "container", "one1").err
    cli("update", "--memory", "50m", "--memory-swap", "60m", "--cpus", "0.7", "two2")
    host = inspect(cli, "two2")["HostConfig"]
    assert (host["Memory"], host["NanoCpus"]) == (50 << 20, 700_000_000)
    cli("pause", "two2")
    cli("stop", "-t", "1", "two2")
    assert cli("wait", "two2").out.strip() in ("137", "143")


def test_an_engine_without_a_daemon_keeps_its_containers(cli: Cli, hiveletd: Daemon) -> None:
    cli("run", "-d", "--name", "lives", "bb", "sleep", "1000")
    cli("run", "-d", "--rm", "--name", "goes", "bb", "sleep", "1000")
    pids = {name: inspect(cli, name)["State"]["Pid"] for name in ("lives", "goes")}
    hiveletd.kill()
    hiveletd.start()
    assert {name: inspect(cli, name)["State"]["Pid"] for name in pids} == pids
    assert Path(f"/proc/{hiveletd.pid}").exists()
    cli("kill", "goes")
    wait_until(lambda: "goes" not in cli("ps", "-a").out, timeout=10, what="it is removed")


def test_volumes_of_others(cli: Cli) -> None:
    script = "echo kept >/data/file; echo named >/named/file"
    cli("create", "--name", "lender", "-v", "/data", "-v", "shelf:/named", "bb", "sh", "-c", script)
    cli("start", "-a", "lender")
    reader = ["run", "--rm", "--volumes-from", "lender:ro", "-v", "other:/named", "bb"]
    assert cli(*reader, "cat", "/data/file").out == "kept\n"
    assert cli(*reader, "ls", "/named").out == ""
    assert "Read-only file system" in cli.fails(*reader, "touch", "/data/x").err
    cli("run", "--rm", "--volumes-from", "lender", "bb", "touch", "/data/x")
    assert "No such container: nobody" in cli.fails("run", "--volumes-from", "nobody", "bb").err
    assert "invalid mode: zz" in cli.fails("run", "--volumes-from", "lender:zz", "bb").err
    cli("run", "-d", "--name", "heir", "--volumes-from", "lender", "bb", "sleep", "1000")
    cli("rm", "-v", "lender")
    assert cli("exec", "heir", "cat", "/data/file").out == "kept\n"
