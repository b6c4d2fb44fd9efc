"""Images as the docker command lines handle them: made, named, listed, saved, loaded, removed, pruned."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Daemon
from harness.images import import_busybox
from harness.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(params=["docker-28", "docker-20"])
def cli(request: pytest.FixtureRequest, machine: Machine, hiveletd: Daemon) -> Iterator[Cli]:
    """Each docker CLI, with the images bb and web, which share their only layer."""
    cli = make_cli(request.param, hiveletd.host, machine.dir)
    import_busybox(cli, machine.dir)
    yield cli
    for line in cli("ps", "-aq").lines:
        cli("rm", "-f", line)


def image(cli: Cli, name: str) -> Any:
    """An image, as the daemon has it."""
    return json.loads(cli("image", "inspect", name).out)[0]


def names(cli: Cli, *filters: str) -> list[str]:
    """The names that a list with these filters has."""
    words = [word for value in filters for word in ("-f", value)]
    return cli("images", "--format", "{{.Repository}}:{{.Tag}}", *words).lines


def test_import_with_changes_and_history(cli: Cli, machine: Machine) -> None:
    changes = [
        "ENV A=b",
        'CMD ["sh", "-c", "echo $A"]',
        "LABEL kind=made",
        "EXPOSE 80",
        "USER nobody",
        "WORKDIR /tmp",
    ]
    words = [word for change in changes for word in ("-c", change)]
    cli("import", "-m", "a message", *words, str(machine.dir / "busybox.tar"), "made:1")
    config = image(cli, "made:1")["Config"]
    assert (config["Env"], config["User"], config["WorkingDir"]) == (["A=b"], "nobody", "/tmp")
    assert cli("run", "--rm", "made:1").out == "b\n"
    (step,) = cli.json("history", "--no-trunc", "made:1")
    assert (step["Comment"], step["ID"]) == ("a message", image(cli, "made:1")["Id"])
    assert (
        "not a valid change"
        in cli.fails("import", "-c", "RUN x", str(machine.dir / "busybox.tar")).err
    )


def test_save_of_several_and_load(cli: Cli, machine: Machine) -> None:
    cli("tag", "bb", "reg.example/team/bb:2")
    before = {name: image(cli, name)["Id"] for name in ("bb", "web", "reg.example/team/bb:2")}
    archive = machine.dir / "several.tar"
    cli("save", "-o", str(archive), *before)
    with tarfile.open(archive) as tar:
        layers = [entry for entry in tar.getmembers() if entry.size > 500_000]
    assert len(layers) == 1, "the layer that they share is in it once"
    cli("rmi", "-f", *before)
    assert names(cli) == []
    said = cli("load", "-i", str(archive)).out
    assert sorted(said.splitlines()) == sorted(
        f"Loaded image: {name if ':' in name else f'{name}:latest'}" for name in before
    )
    assert {name: image(cli, name)["Id"] for name in before} == before
    # The same archive is an OCI layout; so is what others write.
    cli("rmi", "-f", *before)
    layout = machine.dir / "oci.tar"
    copy = ["skopeo", "--insecure-policy", "copy", "-q"]
    machine.run([*copy, f"docker-archive:{archive}:bb:latest", f"oci-archive:{layout}:bb:oci"])
    assert "Loaded image" in cli("load", "-i", str(layout)).out
    (archive).write_bytes(b"this is no archive" * 100)
    assert cli.fails("load", "-i", str(archive)).err


def test_removal_counts_references(cli: Cli) -> None:
    cli("tag", "bb", "other:1")
    identity = image(cli, "bb")["Id"]
    assert "Untagged: other:1" in cli("rmi", "other:1").out
    cli("tag", "bb", "other:1")
    assert "must be forced" in cli.fails("rmi", identity).err
    cli("run", "-d", "--name", "user", "other:1", "sleep", "1000")
    cli("rmi", "bb")
    assert "is using its referenced image" in cli.fails("rmi", "other:1").err
    assert "cannot be forced" in cli.fails("rmi", "-f", identity).err
    cli("rmi", "-f", "other:1")
    assert image(cli, identity)["RepoTags"] == []
    cli("stop", "-t", "0", "user")
    assert "must be forced" in cli.fails("rmi", identity).err
    cli("rm", "user")
    assert f"Deleted: {identity}" in cli("rmi", identity).out
    assert "No such image" in cli.fails("rmi", identity).err
    assert names(cli) == ["web:latest"], "the layer that another image has stays"
    assert cli("run", "--rm", "web", "echo", "there").out == "there\n"


def test_filters(cli: Cli, machine: Machine) -> None:
    rootfs = str(machine.dir / "busybox.tar")
    cli("import", "-c", "LABEL a=1", "-c", "LABEL b=2", rootfs, "reg.example/x/labelled:v1")
    cli("import", "-c", "LABEL a=2", rootfs, "labelled:v2")
    nameless = cli("import", rootfs).out.strip()
    assert names(cli, "label=a=1") == ["reg.example/x/labelled:v1"]
    assert sorted(names(cli, "label=a")) == ["labelled:v2", "reg.example/x/labelled:v1"]
    assert names(cli, "label=a", "label=b=2") == ["reg.example/x/labelled:v1"]
    assert names(cli, "reference=lab*:v*") == ["labelled:v2"]
    assert names(cli, "reference=reg.example/*/*") == ["reg.example/x/labelled:v1"]
    assert names(cli, "dangling=true") == ["<none>:<none>"]
    assert "<none>:<none>" not in names(cli, "dangling=false")
    assert set(names(cli, "before=web")) == {"bb:latest"}
    assert set(names(cli, "since=labelled:v2")) == {"<none>:<none>"}
    assert "No such image" in cli.fails("images", "-f", "since=nope").err
    assert "Invalid filter" in cli.fails("images", "-f", "nope=1").err
    assert cli("images", "-q", "--no-trunc", "-f", "dangling=true").lines == [nameless]
    assert cli("images", "--digests", "labelled").out.count("<none>") == 1


def test_prune(cli: Cli, machine: Machine) -> None:
    rootfs = str(machine.dir / "busybox.tar")
    nameless = [
        cli("import", "-c", f"LABEL keep={number}", rootfs).out.strip() for number in range(2)
    ]
    said = cli("image", "prune", "-f", "--filter", "label!=keep=1").out
    assert nameless[0] in said
    assert nameless[1] not in said
    assert nameless[1] not in cli("image", "prune", "-f", "--filter", "until=24h").out
    assert nameless[1] in cli("image", "prune", "-f").out
    cli("run", "-d", "bb", "sleep", "1000")
    said = cli("image", "prune", "-a", "-f").out
    assert "untagged: web:latest" in said
    assert names(cli) == ["bb:latest"]
    assert "Total reclaimed space: 0B" in cli("image", "prune", "-a", "-f").out
