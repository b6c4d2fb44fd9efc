"""Names as programs in containers ask for them: by glibc and by musl, with a service's own settings, and through churn."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from harness.cli import make_cli
from harness.machine import ADDRESS, OUTSIDE_ADDRESS, OUTSIDE_NAME
from harness.swarm import Swarm
from harness.traffic import Traffic

pytestmark = [pytest.mark.slow]

LOOKUP = r"""
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int count, char **words)
{
    struct addrinfo wish = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    int failure = getaddrinfo(words[1], 0, &wish, &found);
    if (failure) { fprintf(stderr, "%s\n", gai_strerror(failure)); return 2; }
    for (; found; found = found->ai_next) {
        char text[64];
        inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof text);
        puts(text);
    }
    return 0;
}
"""
SETTINGS = [
    *["--dns", ADDRESS, "--dns-search", "corp.test", "--dns-search", "lab.test"],
    *["--dns-option", "timeout:1", "--dns-option", "attempts:2", "--host", "db.internal:10.1.2.3"],
]
STACK = f"""
version: "3.8"
services:
  web:
    image: web:latest
    dns: {ADDRESS}
    dns_search: [corp.test, lab.test]
    dns_opt: ["timeout:1", "attempts:2"]
    extra_hosts: ["db.internal:10.1.2.3"]
"""


@pytest.fixture
def lookups(swarm: Swarm) -> Path:
    """A folder with a program that looks a name up by musl, and the same linked with the host's glibc."""
    if shutil.which("musl-gcc") is None:
        pytest.skip("needs musl-gcc (Debian package musl-tools)")
    folder = swarm.machine.dir / "lookups"
    folder.mkdir()
    source = folder / "lookup.c"
    source.write_text(LOOKUP)
    subprocess.run(
        ["musl-gcc", "-static", "-o", folder / "musl", source], check=True, capture_output=True
    )
    subprocess.run(["gcc", "-o", folder / "glibc", source], check=True, capture_output=True)
    return folder


@pytest.fixture
def corporate(swarm: Swarm) -> None:
    """A name server of the user's own, which alone knows the names below corp.test."""
    swarm.machine.popen(
        [
            *["dnsmasq", "-k", "-C", "/dev/null", "-x", "", "-u", "root", "-R", "-h"],
            *["--bind-interfaces", "-a", ADDRESS, "--host-record=printer.corp.test,192.0.2.77"],
            *["--local=/test/", f"--host-record={OUTSIDE_NAME},192.0.2.78"],
        ]
    )


def inside(swarm: Swarm, service: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the service's first container."""
    process = swarm.process(swarm.tasks(service, running=True)[0])
    done: subprocess.CompletedProcess[str] = swarm.machine.run(
        ["nsenter", f"--target={process}", "--mount", "--net", "--root", "--wd", *words],
        check=False,
    )
    return done


def check_settings(swarm: Swarm, service: str) -> None:
    """What a container sees of the settings above."""
    lines = inside(swarm, service, "cat", "/etc/resolv.conf").stdout.splitlines()
    assert lines[0].startswith("nameserver 169.254.52.")
    assert "search corp.test lab.test" in lines
    options = next(line for line in lines if line.startswith("options ")).split()[1:]
    assert {"timeout:1", "attempts:2", "ndots:0"} <= set(options)
    hosts = inside(swarm, service, "cat", "/etc/hosts").stdout
    assert ["10.1.2.3", "db.internal"] in [line.split() for line in hosts.splitlines()]


def test_settings_of_a_service_are_seen(swarm: Swarm, corporate: None) -> None:
    swarm.create("web", 1, *SETTINGS)
    check_settings(swarm, "web")


def test_settings_of_a_stack_file_are_seen(swarm: Swarm, corporate: None, tmp_path: Path) -> None:
    hivelet = make_cli("hivelet", swarm.daemon.host, swarm.machine.dir)
    file = tmp_path / "stack.yml"
    file.write_text(STACK)
    hivelet("stack", "deploy", "--timeout", "60s", "-c", str(file), "app")
    check_settings(swarm, "app_web")


@pytest.mark.parametrize("library", ["musl", "glibc"])
def test_clients_of_both_c_libraries(
    swarm: Swarm, corporate: None, lookups: Path, library: str
) -> None:
    swarm.cli("network", "create", "--driver", "overlay", "back")
    swarm.create("web", 2, "--network", "back")
    mounts = [f"--mount=type=bind,src={lookups},dst=/lookups,readonly"]
    mounts += [
        f"--mount=type=bind,src={folder},dst={folder},readonly"
        for folder in ("/lib", "/lib64", "/usr/lib")
        if Path(folder).exists()
    ]
    swarm.create("plain", 1, "--network", "back", *mounts)
    swarm.create("asked", 1, "--network", "back", *SETTINGS, *mounts)
    dotted = [*SETTINGS, "--dns-option", "ndots:1"]
    swarm.create("dotted", 1, "--network", "back", *dotted, *mounts)
    vip = swarm.cli(
        *["service", "inspect", "--format", "{{(index .Endpoint.VirtualIPs 0).Addr}}", "web"]
    ).out.strip()
    own = {
        one["Addresses"][0].split("/")[0]
        for task in swarm.tasks("web", running=True)
        for one in task["NetworksAttachments"]
        if one["Network"]["Spec"]["Name"] == "back"
    }

    def look(service: str, name: str) -> set[str]:
        began = time.monotonic()
        done = inside(swarm, service, f"/lookups/{library}", name)
        assert time.monotonic() - began < 4, f"{name} took too long"
        assert done.returncode in (0, 2), done.stderr
        return set(done.stdout.split())

    for service in ("plain", "asked"):
        assert look(service, "web") == {vip.split("/")[0]}
        assert look(service, "WEB.back") == {vip.split("/")[0]}
        assert look(service, "tasks.web") == own
        assert look(service, "nobody-has-this-name") == set()
    assert look("plain", OUTSIDE_NAME) == {OUTSIDE_ADDRESS}
    assert look("plain", "printer") == set()
    assert look("asked", OUTSIDE_NAME) == {"192.0.2.78"}
    # With `ndots:0`, Docker's default, musl never looks at the search domains.
    assert look("asked", "printer") == ({"192.0.2.77"} if library == "glibc" else set())
    assert look("dotted", "printer") == {"192.0.2.77"}
    assert look("dotted", "web") == {vip.split("/")[0]}
    assert look("asked", "db.internal") == {"10.1.2.3"}


def test_no_answer_is_lost_or_late_while_services_change(swarm: Swarm) -> None:
    """And whoever is announced as running is in the answers by then."""
    swarm.cli("network", "create", "--driver", "overlay", "back")
    swarm.create("web", 1, "--network", "back")
    swarm.create("caller", 1, "--network", "back")
    caller = swarm.tasks("caller", running=True)[0]
    server, process = swarm.name_server(caller), swarm.process(caller)
    vips = Traffic.questions(swarm.machine, server, "web", "--rate", "100", where=process)
    tasks = Traffic.questions(swarm.machine, server, "tasks.web", "--rate", "100", where=process)
    announced: list[tuple[float, int]] = []
    with vips, tasks:
        for replicas in (3, 5, 8):
            swarm.cli("service", "scale", "--detach", f"web={replicas}")
            while (running := len(swarm.tasks("web", running=True))) < replicas:
                announced.append((time.monotonic(), running))
            announced.append((time.monotonic(), running))
            tasks.go_on(20)
        grown = time.monotonic()
        # New names make resolvers read all their records again; an update replaces every task.
        swarm.create("other", 2, "--network", "back")
        swarm.cli("service", "update", "--quiet", "--force", "--update-parallelism", "4", "web")
        swarm.cli("service", "rm", "other")
        swarm.cli("service", "scale", "--detach", "web=2")
        tasks.go_on(100)
    for asked in (vips, tasks):
        assert asked.failures == []
        assert max(record.took for record in asked.records) < 1.0
    assert {record.body for record in vips.records} == {"1"}
    for record in tasks.records:
        known = max([count for at, count in announced if at < record.at], default=1)
        if record.at < grown:
            assert int(record.body) >= known, (record, known)
