"""Names of the world go on being resolved whatever becomes of the host's resolv.conf."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest
from network_lab import GATEWAY, HOST, OUTSIDE, VIP, WEBNET, sh, web_service

from hivelet.network.netns import inside

NAME = "example.test"


@pytest.fixture
def etc(home):
    """A private /etc, so that its resolv.conf can be replaced in every way there is."""
    copy = home / "etc"
    shutil.copytree("/etc", copy, symlinks=True)
    (copy / "resolv.conf").unlink()
    (copy / "resolv.conf").write_text(f"nameserver {OUTSIDE}\n")
    sh(f"mount --bind {copy} /etc")
    yield Path("/etc")
    sh("umount /etc")


@pytest.fixture
def servers():
    """Name servers that each answer with an address of their own."""
    started: list[subprocess.Popen[bytes]] = []

    def start(listen: str, answer: str, netns: Path | None = None) -> None:
        argv = ["dnsmasq", "-k", "-C", "/dev/null", "-x", "", "-u", "root", "-R", "-h"]
        argv += ["--bind-interfaces", "-a", listen, f"--host-record={NAME},{answer}"]
        if netns is None:
            started.append(subprocess.Popen(argv))
        else:
            with inside(netns):
                started.append(subprocess.Popen(argv))

    yield start
    for server in started:
        server.terminate()
    for server in started:
        server.wait()


async def until_answer(lab, answer: str) -> None:
    """Until the task's resolver asks the server that answers so. A refusal until then is an answer; a silence is not."""
    async with asyncio.timeout(10):
        while (found := await lab.dig("caller", NAME)) != (0, [answer]):
            assert found[0] in (0, 5), found
            await asyncio.sleep(0.05)
    assert await lab.dig("caller", "web") == (0, [VIP])


async def test_outside_names_follow_the_hosts_resolv_conf(etc, lab, servers):
    conf = etc / "resolv.conf"
    await asyncio.to_thread(servers, OUTSIDE, "192.0.2.1", lab.outside)
    await asyncio.to_thread(servers, HOST, "192.0.2.2")
    await asyncio.to_thread(servers, "127.0.0.53", "192.0.2.53")
    await asyncio.to_thread(servers, "127.0.0.1", "192.0.2.3")
    lab.plane.set_services(web_service())
    await lab.task("caller", (WEBNET, "10.0.1.10/24"), (GATEWAY, None), serve=False)
    await until_answer(lab, "192.0.2.1")

    # Replaced by another file, as resolvconf and NetworkManager do.
    (etc / "resolv.conf.new").write_text(f"nameserver {HOST}\n")
    (etc / "resolv.conf.new").rename(conf)
    await until_answer(lab, "192.0.2.2")

    # Written over, as an editor or `echo >` does: for a moment it is empty.
    with conf.open("w") as file:
        file.flush()
        await lab.dig("caller", NAME)
        file.write(f"nameserver {OUTSIDE}\n")
    await until_answer(lab, "192.0.2.1")

    # systemd-resolved: a link to a file elsewhere, whose server lives on the host's loopback.
    run = lab.home / "resolve"
    run.mkdir()
    (run / "stub-resolv.conf").write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\n")
    (etc / "resolv.conf.link").symlink_to(run / "stub-resolv.conf")
    (etc / "resolv.conf.link").rename(conf)
    await until_answer(lab, "192.0.2.53")

    # The linked file is replaced in turn.
    (run / "new").write_text(f"nameserver {OUTSIDE}\n")
    (run / "new").rename(run / "stub-resolv.conf")
    await until_answer(lab, "192.0.2.1")

    # A server on the host's loopback, and after that none at all.
    (etc / "resolv.conf.new").write_text("nameserver 127.0.0.1\n")
    (etc / "resolv.conf.new").rename(conf)
    await until_answer(lab, "192.0.2.3")
    conf.unlink()
    status, _ = await lab.dig("caller", NAME)
    assert status in (0, 5)
    conf.write_text(f"nameserver {HOST}\n")
    await until_answer(lab, "192.0.2.2")


async def test_a_resolver_never_asks_itself(etc, lab):
    """A host that is told to ask one of our own resolvers: refused, or empty, but no loop and no silence."""
    lab.plane.set_services(web_service())
    await lab.task("caller", (WEBNET, "10.0.1.10/24"), (GATEWAY, None), serve=False)
    own = lab.sandboxes["caller"].resolv_conf.split()[1]
    (etc / "new").write_text(f"nameserver {own}\n")
    (etc / "new").rename(etc / "resolv.conf")
    async with asyncio.timeout(20):
        while True:
            # Until it knows, it waits for the server that it had before, and that nobody has started.
            with contextlib.suppress(TimeoutError):
                if (await lab.dig("caller", NAME))[0] == 5:
                    break
            await asyncio.sleep(0.05)
    assert (await lab.dig("caller", NAME))[0] == 5
    assert await lab.dig("caller", "web") == (0, [VIP])
