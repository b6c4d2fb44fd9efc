"""Push, pull and login against a real registry: with and without TLS and passwords, whole and broken."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker as docker_py
import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Daemon, Hiveletd
from harness.images import import_busybox
from harness.machine import OUTSIDE, Machine
from harness.registry import DOMAIN, PASSWORD, USER, Registry
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NAME = f"{DOMAIN}/team/app"
OTHER = {"amd64": "arm64", "arm64": "amd64"}


@pytest.fixture
def daemon(machine: Machine) -> Iterator[Daemon]:
    """A daemon that may speak to the registry without TLS."""
    daemon = Hiveletd(machine, "--insecure-registry", DOMAIN)
    daemon.start()
    yield daemon
    if daemon.running:
        assert daemon.stop() == 0


@pytest.fixture(params=["docker-28", "docker-20", "hivelet"])
def cli(request: pytest.FixtureRequest, machine: Machine, daemon: Daemon) -> Cli:
    """Each command line, with the images bb and web."""
    import_busybox(make_cli("docker-20", daemon.host, machine.dir), machine.dir)
    return make_cli(request.param, daemon.host, machine.dir)


def image(cli: Cli, name: str) -> Any:
    """What the daemon has of an image."""
    return json.loads(cli("image", "inspect", name).out)[0]


def rubbish(daemon: Daemon) -> list[str]:
    """What transfers have left behind."""
    return [path.name for path in (daemon.dir / "root/images/tmp").iterdir()]


def test_what_is_pushed_is_pulled_by_tag_and_by_digest(
    cli: Cli, machine: Machine, daemon: Daemon
) -> None:
    Registry(machine)
    cli("image", "tag", "web", f"{NAME}:1")
    said = cli("image", "push", f"{NAME}:1").out
    assert f"The push refers to repository [{NAME}]" in said
    assert ": Pushed" in said
    pushed = image(cli, f"{NAME}:1")
    (digest_name,) = pushed["RepoDigests"]
    digest = digest_name.partition("@")[2]
    assert f"1: digest: {digest} size: " in said
    assert f"digest: {digest}" in cli("image", "push", f"{NAME}:1").out
    cli("image", "rm", "-f", f"{NAME}:1", "web", "bb")
    said = cli("image", "pull", f"{NAME}:1").out
    for line in (
        "1: Pulling from team/app",
        "Pull complete",
        f"Digest: {digest}",
        f"Status: Downloaded newer image for {NAME}:1",
    ):
        assert line in said
    again = image(cli, f"{NAME}:1")
    assert (again["Id"], again["RepoDigests"]) == (pushed["Id"], [digest_name])
    assert f"Status: Image is up to date for {NAME}:1" in cli("image", "pull", f"{NAME}:1").out
    cli("image", "rm", "-f", f"{NAME}:1")
    cli("image", "pull", digest_name)
    assert image(cli, digest_name)["RepoTags"] == []
    wrong = "sha256:" + hashlib.sha256(b"").hexdigest()
    assert "manifest unknown" in cli.fails("image", "pull", f"{NAME}@{wrong}").err
    assert "manifest unknown" in cli.fails("image", "pull", f"{NAME}:nope").err
    assert rubbish(daemon) == []


def test_all_tags_of_a_repository_are_pushed(machine: Machine, daemon: Daemon) -> None:
    registry = Registry(machine)
    cli = make_cli("docker-28", daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("tag", "bb", f"{NAME}:1")
    cli("tag", "web", f"{NAME}:2")
    cli("push", "--all-tags", NAME)
    tags = json.loads(machine.run(["curl", "-s", f"http://{DOMAIN}/v2/team/app/tags/list"]).stdout)
    assert sorted(tags["tags"]) == ["1", "2"]
    client = docker_py.APIClient(base_url=daemon.host)
    try:
        told = list(client.push(NAME, tag="2", stream=True, decode=True))
    finally:
        client.close()
    (aux,) = [line["aux"] for line in told if "aux" in line]
    assert aux["Tag"] == "2"
    assert image(cli, f"{NAME}:2")["RepoDigests"] == [f"{NAME}@{aux['Digest']}"]
    registry.stop()
    assert "can't be reached" in cli.fails("push", f"{NAME}:1").err


def test_passwords(cli: Cli, machine: Machine, daemon: Daemon) -> None:
    Registry(machine, password=True)
    cli("image", "tag", "bb", f"{NAME}:1")
    assert "denied" in cli.fails("image", "push", f"{NAME}:1").err
    login = make_cli("docker-28", daemon.host, machine.dir)
    said = login.fails("login", "-u", USER, "--password-stdin", DOMAIN, stdin="wrong")
    assert "unauthorized" in said.err
    login.home = cli.home
    assert (
        "Login Succeeded"
        in login("login", "-u", USER, "--password-stdin", DOMAIN, stdin=PASSWORD).out
    )
    cli("image", "push", f"{NAME}:1")
    cli("image", "rm", f"{NAME}:1")
    cli("image", "pull", f"{NAME}:1")
    login("logout", DOMAIN)
    cli("image", "rm", f"{NAME}:1")
    assert "docker login" in cli.fails("image", "pull", f"{NAME}:1").err


def test_certificates(machine: Machine, hiveletd: Daemon) -> None:
    """Without `--insecure-registry`, a registry needs a certificate that is known."""
    registry = Registry(machine, tls=True, password=True)
    cli = make_cli("docker-28", hiveletd.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("tag", "bb", f"{NAME}:1")
    assert "/etc/docker/certs.d" in cli.fails("push", f"{NAME}:1").err
    registry.trust()
    cli("login", "-u", USER, "--password-stdin", DOMAIN, stdin=PASSWORD)
    cli("push", f"{NAME}:1")
    cli("rmi", f"{NAME}:1")
    cli("pull", f"{NAME}:1")
    # A service's image is resolved and pulled with its user's credentials, which nobody is shown.
    cli("swarm", "init")
    cli("rmi", f"{NAME}:1")
    cli(
        "service",
        "create",
        "-d",
        "--with-registry-auth",
        "--name",
        "s",
        f"{NAME}:1",
        "sleep",
        "1000",
    )
    spec = json.loads(cli("service", "inspect", "s").out)[0]["Spec"]
    assert "@sha256:" in spec["TaskTemplate"]["ContainerSpec"]["Image"]
    wait_until(lambda: "1/1" in cli("service", "ls").out, timeout=60, what="the service runs")
    # An update of something else keeps them: the image that is gone is pulled anew.
    cli("service", "scale", "-d", "s=0")
    wait_until(lambda: not cli("ps", "-aq").lines, timeout=60, what="its task is gone")
    cli("rmi", *cli("images", "-q", NAME).lines, status=None)
    cli("service", "scale", "-d", "s=1")
    wait_until(lambda: "1/1" in cli("service", "ls").out, timeout=60, what="the service runs again")
    assert "Auth" not in cli("service", "inspect", "s").out


def test_without_tls_nothing_is_sent(machine: Machine, hiveletd: Daemon) -> None:
    Registry(machine)
    cli = make_cli("docker-28", hiveletd.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("tag", "bb", f"{NAME}:1")
    assert "--insecure-registry" in cli.fails("push", f"{NAME}:1").err
    assert "--insecure-registry" in cli.fails("pull", f"{NAME}:1").err


def test_the_architecture_that_is_asked_for(machine: Machine, daemon: Daemon) -> None:
    """Of an index, the manifest of this machine's or the named platform; zstd layers as well as gzip ones."""
    registry = Registry(machine)
    cli = make_cli("docker-28", daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    own = image(cli, "bb")["Architecture"]
    other = OTHER[own]
    cli(
        "import",
        "--platform",
        f"linux/{other}",
        str(machine.dir / "busybox.tar"),
        f"{NAME}:{other}",
    )
    cli("tag", "bb", f"{NAME}:{own}")
    cli("push", "-a", NAME)
    index = push_index(machine, [own, other])
    ids = {arch: image(cli, f"{NAME}:{arch}")["Id"] for arch in (own, other)}
    cli("rmi", "-f", f"{NAME}:{own}", f"{NAME}:{other}")
    cli("pull", f"{NAME}:both")
    assert image(cli, f"{NAME}:both")["Id"] == ids[own]
    assert image(cli, f"{NAME}:both")["RepoDigests"] == [f"{NAME}@{index}"]
    cli("pull", "--platform", f"linux/{other}", f"{NAME}:both")
    assert image(cli, f"{NAME}:both")["Id"] == ids[other]
    assert (
        "no matching manifest" in cli.fails("pull", "--platform", "linux/s390x", f"{NAME}:both").err
    )
    said = machine.run(
        [
            "curl",
            "-s",
            "--unix-socket",
            str(daemon.socket),
            f"http://d/distribution/{NAME}:both/json",
        ]
    )
    told = json.loads(said.stdout)
    assert told["Descriptor"]["digest"] == index
    assert [p["architecture"] for p in told["Platforms"]] == [own, other]
    assert registry.blobs()


def push_index(machine: Machine, architectures: list[str]) -> str:
    """An index of images that are in the registry, as `both`; its digest."""
    manifests = []
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    for architecture in architectures:
        url = f"http://{DOMAIN}/v2/team/app/manifests/{architecture}"
        raw = machine.run(["curl", "-s", "-H", f"Accept: {kind}", url]).stdout
        manifests.append(
            {
                "mediaType": kind,
                "digest": f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}",
                "size": len(raw),
                "platform": {"architecture": architecture, "os": "linux"},
            }
        )
    index_kind = "application/vnd.docker.distribution.manifest.list.v2+json"
    raw = json.dumps({"schemaVersion": 2, "mediaType": index_kind, "manifests": manifests})
    path = machine.dir / "index.json"
    path.write_text(raw)
    url = f"http://{DOMAIN}/v2/team/app/manifests/both"
    kind_header = ["-H", f"Content-Type: {index_kind}"]
    machine.run(["curl", "-sf", "-X", "PUT", *kind_header, "--data-binary", f"@{path}", url])
    return f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}"


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_layers_of_each_compression(machine: Machine, daemon: Daemon, compression: str) -> None:
    Registry(machine)
    cli = make_cli("docker-20", daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    archive = machine.dir / "bb.tar"
    cli("save", "-o", str(archive), "bb")
    words = ["--dest-tls-verify=false", "--format=oci", f"--dest-compress-format={compression}"]
    copy = ["skopeo", "--insecure-policy", "copy", *words]
    machine.run([*copy, f"docker-archive:{archive}", f"docker://{NAME}:{compression}"])
    before = image(cli, "bb")["RootFS"]
    cli("rmi", "bb", "web")
    cli("pull", f"{NAME}:{compression}")
    assert image(cli, f"{NAME}:{compression}")["RootFS"] == before
    assert cli("run", "--rm", f"{NAME}:{compression}", "echo", "hello").out == "hello\n"


def test_an_altered_blob_is_refused(machine: Machine, daemon: Daemon) -> None:
    registry = Registry(machine)
    cli = make_cli("docker-20", daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("tag", "bb", f"{NAME}:1")
    cli("push", f"{NAME}:1")
    cli("rmi", "-f", f"{NAME}:1", "bb", "web")
    largest = max(registry.blobs(), key=lambda path: path.stat().st_size)
    with largest.open("r+b") as blob:
        blob.seek(1000)
        blob.write(b"altered")
    registry.stop()
    registry.start()
    said = cli.fails("pull", f"{NAME}:1").err
    assert "sha256" in said
    assert cli("images", "-q").out == ""
    assert rubbish(daemon) == []


def test_a_pull_that_breaks_off_leaves_nothing(machine: Machine, daemon: Daemon) -> None:
    """The registry dies in the middle of a layer; the next pull has the whole."""
    registry = Registry(machine)
    cli = make_cli("docker-20", daemon.host, machine.dir)
    big = machine.dir / "big"
    big.mkdir()
    (big / "random").write_bytes(os.urandom(48 << 20))
    subprocess.run(["tar", "-C", str(big), "-cf", str(machine.dir / "big.tar"), "."], check=True)
    cli("import", str(machine.dir / "big.tar"), f"{NAME}:big")
    cli("push", f"{NAME}:big")
    cli("rmi", f"{NAME}:big")
    slow = [
        "tc",
        "qdisc",
        "add",
        "dev",
        "eth0",
        "root",
        "tbf",
        "rate",
        "80mbit",
        "burst",
        "64k",
        "latency",
        "400ms",
    ]
    machine.run(slow, where=OUTSIDE)
    pulling = subprocess.Popen(
        [*cli.argv, "pull", f"{NAME}:big"],
        env=dict(cli.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    scratch = daemon.dir / "root/images/tmp"

    def under_way() -> bool:
        with suppress(FileNotFoundError):  # skopeo renames its files
            return any(path.stat().st_size > 1 << 20 for path in scratch.rglob("*"))
        return False

    wait_until(under_way, timeout=60, what="a part of the layer is here")
    registry.stop()
    _, said = pulling.communicate(timeout=120)
    assert pulling.returncode == 1
    assert said.strip()
    assert rubbish(daemon) == []
    assert cli("images", "-q").out == ""
    machine.run(["tc", "qdisc", "del", "dev", "eth0", "root"], where=OUTSIDE)
    registry.start()
    cli("pull", f"{NAME}:big")


def test_services_without_their_registry(machine: Machine, daemon: Daemon) -> None:
    """A tag is resolved to a digest while the registry answers; without it the image that is here will do."""
    registry = Registry(machine)
    cli = make_cli("docker-28", daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("swarm", "init")
    cli("tag", "bb", f"{NAME}:1")
    cli("push", f"{NAME}:1")
    (digest_name,) = image(cli, f"{NAME}:1")["RepoDigests"]

    def create(name: str, *words: str) -> str:
        cli("service", "create", "-d", "--name", name, *words, f"{NAME}:1", "sleep", "1000")
        spec = json.loads(cli("service", "inspect", name).out)[0]["Spec"]
        return str(spec["TaskTemplate"]["ContainerSpec"]["Image"])

    def runs(name: str) -> bool:
        return any(
            f"{name} 1/1" in line
            for line in cli("service", "ls", "--format", "{{.Name}} {{.Replicas}}").lines
        )

    assert create("with") == f"{NAME}:1@{digest_name.partition('@')[2]}"
    assert create("never", "--no-resolve-image") == f"{NAME}:1"
    registry.stop()
    assert create("without") == f"{NAME}:1"
    for name in ("with", "never", "without"):
        wait_until(lambda name=name: runs(name), timeout=60, what=f"{name} runs")


def test_a_base_image_comes_from_the_registry(machine: Machine, daemon: Daemon) -> None:
    registry = Registry(machine, password=True)
    cli = make_cli("docker-28", daemon.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("login", "-u", USER, "--password-stdin", DOMAIN, stdin=PASSWORD)
    cli("tag", "bb", f"{NAME}:1")
    cli("push", f"{NAME}:1")
    (digest_name,) = image(cli, f"{NAME}:1")["RepoDigests"]
    cli("rmi", "-f", f"{NAME}:1", "bb", "web")
    text = f"FROM {digest_name} AS one\nRUN echo built >/built\nFROM {NAME}:1\nCOPY --from=one /built /\n"
    said = cli("build", "-t", "made", "-", stdin=text, env={"DOCKER_BUILDKIT": "0"}).out
    assert "Pulling from team/app" in said
    assert cli("run", "--rm", "made", "cat", "/built").out == "built\n"
    said = cli("build", "--pull", "-t", "made", "-", stdin=text, env={"DOCKER_BUILDKIT": "0"}).out
    assert "Image is up to date" in said
    registry.stop()
    said = cli.fails("build", "--pull", "-t", "made", "-", stdin=text, env={"DOCKER_BUILDKIT": "0"})
    assert "can't be reached" in said.err
    assert Path(daemon.dir / "root/build").exists()
