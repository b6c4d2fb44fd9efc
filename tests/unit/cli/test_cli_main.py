from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon

from hivelet.cli.main import COMMANDS
from hivelet.cli.main import hivelet as root
from hivelet.cli.render.human import ago, binary_size, human_size, parse_time
from hivelet.kit.durations import human_duration


def test_help_imports_nothing_it_does_not_need() -> None:
    code = (
        "import sys; from hivelet.cli.main import run; run(['--help']); "
        "heavy = {'asyncio', 'aiohttp', 'rich', 'msgspec', 'ruamel.yaml', 'docker', 'requests', 'http.client'}; "
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_list_imports_neither_asyncio_nor_msgspec(daemon: FakeDaemon) -> None:
    code = (
        f"import sys; from hivelet.cli.main import run; run(['-H', '{daemon.host}', 'service', 'ls']); "
        "heavy = {'asyncio', 'aiohttp', 'rich', 'msgspec', 'ruamel.yaml', 'docker', 'requests'}; "
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_imported_and_explains_itself(name: str, hivelet) -> None:
    command = root.get_command(None, name)
    assert command is not None
    assert command.name == name
    if name != "daemon":
        assert hivelet(name, "--help").code == 0
    for inner in getattr(command, "commands", {}).values():
        assert inner.help, inner.name


def test_unknown_command(hivelet) -> None:
    result = hivelet("stak", "ls")
    assert result.code == 2
    assert result.err.splitlines()[0] == 'Error: there is no command "stak"; did you mean "stack"?'


def test_unknown_option(hivelet) -> None:
    result = hivelet("service", "ls", "--fomat", "x")
    assert result.code == 2
    assert result.err.splitlines()[0].startswith("Error: No such option")


def test_daemon_not_running(hivelet, tmp_path: Path) -> None:
    result = hivelet("service", "ls", host=f"unix://{tmp_path}/gone")
    assert result.code == 1
    assert result.err.startswith(
        f"Error: no daemon answers at unix://{tmp_path}/gone: there is no such socket; start it with"
    )


def test_version_tells_the_client_even_without_a_daemon(hivelet, tmp_path: Path) -> None:
    result = hivelet("version", host=f"unix://{tmp_path}/gone")
    assert result.code == 1
    assert result.out.startswith("Client: hivelet\n Version:")
    assert result.err.startswith("Error: no daemon answers")


def test_version_and_info(hivelet) -> None:
    version = hivelet("version")
    assert version.code == 0
    assert "Server: fake\n Version:           20.10.24\n" in version.out
    assert hivelet("version", "--format", "{{.Server.Version}}").out == "20.10.24\n"
    info = hivelet("info")
    assert " Swarm: active\n  NodeID: n0de" in info.out
    assert hivelet("info", "--format", "{{.Swarm.LocalNodeState}}").out == "active\n"


def test_events(daemon: FakeDaemon, hivelet) -> None:
    daemon.events = [
        {"Type": "service", "Action": "create", "Actor": {"ID": "abc", "Attributes": {"name": "web", "a": "b"}}, "timeNano": 1_700_000_000_123456789}
    ]  # fmt: skip
    assert (
        hivelet("events", "--until", "1s").out
        == "2023-11-14T22:13:20.123456789Z service create abc (a=b, name=web)\n"
    )
    assert hivelet("events", "--format", "{{.Action}}").out == "create\n"


def test_swarm_init_and_leave(daemon: FakeDaemon, hivelet) -> None:
    daemon.swarm = "inactive"
    result = hivelet("swarm", "init")
    assert result.code == 0
    assert (
        "Swarm initialized: current node (n0de00000000000000000node1) is now a manager."
        in result.out
    )
    assert "    hivelet swarm join --token SWMTKN-1-worker 192.168.0.2:2377\n" in result.out
    again = hivelet("swarm", "init")
    assert (again.code, again.err.split(".")[0]) == (
        1,
        "Error: This node is already part of a swarm",
    )
    assert hivelet("swarm", "leave", "--force").out == "Node left the swarm.\n"
    assert daemon.requests[-1][2] == {"force": "1"}


def test_network_create_as_in_the_guide(daemon: FakeDaemon, hivelet) -> None:
    result = hivelet(
        "network", "create", "--subnet", "172.20.0.0/20", "--gateway", "172.20.0.1",
        "-o", "com.docker.network.bridge.enable_icc=false", "-o", "com.docker.network.bridge.name=docker_gwbridge", "docker_gwbridge",
    )  # fmt: skip
    assert result.code == 0
    (body,) = daemon.bodies("POST", "/networks/create")
    assert body["IPAM"]["Config"] == [{"Subnet": "172.20.0.0/20", "Gateway": "172.20.0.1"}]
    assert body["Options"]["com.docker.network.bridge.name"] == "docker_gwbridge"
    bad = hivelet("network", "create", "--subnet", "10.0.0.0/24", "--gateway", "10.1.0.1", "x")
    assert bad.err == "Error: 10.1.0.1 lies in none of the subnets 10.0.0.0/24\n"


def test_several_removals_go_on_after_an_error(daemon: FakeDaemon, hivelet) -> None:
    daemon.add_service({"Name": "a", "TaskTemplate": {"ContainerSpec": {"Image": "x"}}})
    result = hivelet("service", "rm", "nope", "a")
    assert (result.code, result.out) == (1, "a\n")
    assert result.err == "Error: service nope not found\n"


def test_image_commands(daemon: FakeDaemon, hivelet, tmp_path: Path) -> None:
    archive = tmp_path / "root.tar"
    archive.write_bytes(b"tar")
    daemon.answers["POST", "/images/create"] = (200, b'{"status":"sha256:abc"}\r\n')
    assert (
        hivelet("image", "import", "-c", "CMD sh", str(archive), "bb:latest").out == "sha256:abc\n"
    )
    assert daemon.requests[-1][2] == {
        "repo": "bb",
        "tag": "latest",
        "fromSrc": "-",
        "changes": "CMD sh",
    }
    assert daemon.requests[-1][3] == b"tar"
    daemon.answers["POST", "/images/load"] = (200, b'{"stream":"Loaded image: a:1\\n"}\n')
    assert hivelet("image", "load", "-i", str(archive)).out == "Loaded image: a:1\n"
    daemon.answers["POST", "/images/create"] = (
        200,
        b'{"status":"Pulling"}\n{"error":"manifest unknown"}\n',
    )
    failed = hivelet("image", "pull", "gone")
    assert (failed.code, failed.err) == (1, "Error: manifest unknown\n")
    missing = hivelet("image", "load", "-i", str(tmp_path / "none"))
    assert missing.err == f"Error: {tmp_path}/none cannot be read: No such file or directory\n"


def test_completion(hivelet) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_HIVELET_COMPLETE" in hivelet("completion", shell).out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"), (119, "About a minute"), (120, "2 minutes"), (3599, "59 minutes"), (3600, "About an hour"), (7500, "2 hours"), (47 * 3600, "47 hours"), (48 * 3600, "2 days"), (13 * 86400, "13 days"), (14 * 86400, "2 weeks"), (59 * 86400, "8 weeks"), (60 * 86400, "2 months"), (729 * 86400, "24 months"), (730 * 86400, "2 years")],
)  # fmt: skip
def test_durations_in_words(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def test_sizes_and_moments() -> None:
    assert [human_size(n) for n in (0, 999, 1500, 123456789)] == ["0B", "999B", "1.5kB", "123MB"]
    assert [binary_size(n) for n in (67108864, 8000000000)] == ["64MiB", "7.451GiB"]
    moment = parse_time("2026-01-02T03:04:05.123456789Z")
    assert moment is not None
    assert ago("2026-01-02T03:04:02Z", moment) == "3 seconds ago"
    assert parse_time("0001-01-01T00:00:00Z") is None


@pytest.mark.parametrize(
    ("group", "alias", "name"),
    [
        ("container", "list", "ls"),
        ("container", "ps", "ls"),
        ("container", "remove", "rm"),
        ("image", "list", "ls"),
        ("image", "remove", "rm"),
        ("network", "list", "ls"),
        ("volume", "remove", "rm"),
        ("service", "list", "ls"),
        ("stack", "remove", "rm"),
        ("secret", "list", "ls"),
    ],
)
def test_docker_s_longer_names_of_commands(group: str, alias: str, name: str) -> None:
    found = root.get_command(None, group)
    assert found.get_command(None, alias).callback is found.get_command(None, name).callback


def test_only_containers_have_ps() -> None:
    assert root.get_command(None, "image").get_command(None, "ps") is None
