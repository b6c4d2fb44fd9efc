"""`docker cp`, `diff`, `export` and `commit`, of containers that run and of those that do not."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Daemon
from harness.images import import_busybox
from harness.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SCRIPT = "echo x >/new; rm /etc/group; echo y >>/etc/passwd; exec sleep 1000"


@pytest.fixture(params=["docker-28", "docker-20", "hivelet"])
def cli(request: pytest.FixtureRequest, machine: Machine, hiveletd: Daemon) -> Iterator[Cli]:
    """Each command line, and a container `one1` that has changed some files."""
    cli = make_cli(request.param, hiveletd.host, machine.dir)
    import_busybox(cli, machine.dir)
    cli("run", "-d", "--name", "one1", "-v", "vol:/data", "bb", "sh", "-c", SCRIPT)
    yield cli
    for line in cli("ps", "-aq").lines:
        cli("rm", "-f", line)


@pytest.mark.parametrize("running", [True, False])
def test_copies(cli: Cli, machine: Machine, running: bool) -> None:
    source, back = machine.dir / "source", machine.dir / "back"
    (source / "sub").mkdir(parents=True)
    (source / "sub/big").write_bytes(bytes(range(256)) * 10_000)
    (source / "link").symlink_to("/etc/shadow")
    if not running:
        cli("stop", "-t", "0", "one1")
    cli("cp", str(source), "one1:/tmp")
    cli("cp", "one1:/tmp/source", str(back))
    assert (back / "sub/big").read_bytes() == (source / "sub/big").read_bytes()
    assert (back / "link").is_symlink()
    new, whole = machine.dir / "new", machine.dir / "whole"
    cli("cp", "one1:/tmp/source/.", str(new))
    assert sorted(path.name for path in new.iterdir()) == ["link", "sub"]
    cli("cp", "one1:/.", str(whole))
    assert (whole / "tmp/source/sub/big").exists()
    assert list((whole / "proc").iterdir()) == []
    (machine.dir / "file").write_text("in the volume")
    cli("cp", str(machine.dir / "file"), "one1:/data/")
    assert "/nope" in cli.fails("cp", "one1:/nope", "-").err
    cli.fails("cp", str(machine.dir / "file"), "one1:/nowhere/x/")
    if not running:
        cli("start", "one1")
    assert cli("exec", "one1", "cat", "/data/file").out == "in the volume"


def test_volumes_of_one_that_has_never_run(cli: Cli, machine: Machine) -> None:
    file, single = machine.dir / "file", machine.dir / "single"
    file.write_text("copied")
    single.write_text("of the host")
    mounts = ["-v", "new:/new/volume", "-v", f"{single}:/new/single", "-v", f"{machine.dir}:/host:ro"]  # fmt: skip
    cli("create", "--name", "fresh", "--read-only", *mounts, "bb", "cat", "/new/volume/file")
    cli("cp", str(file), "fresh:/new/volume")
    assert cli("start", "-a", "fresh").out == "copied"
    cli("cp", "fresh:/new/volume/file", str(machine.dir / "back"))
    cli("cp", "fresh:/new/single", str(machine.dir / "back2"))
    assert (machine.dir / "back").read_text() + (machine.dir / "back2").read_text() == "copiedof the host"  # fmt: skip
    assert "container rootfs is marked read-only" in cli.fails("cp", str(file), "fresh:/etc").err
    words = "mounted volume is marked read-only"
    assert words in cli.fails("cp", str(file), "fresh:/host/other").err
    assert not (machine.dir / "other").exists()


def test_diff_export_and_commit(cli: Cli) -> None:
    assert cli("diff", "one1").lines == ["C /etc", "D /etc/group", "C /etc/passwd", "A /new"]
    done = subprocess.run(
        [*cli.argv, "export", "one1"], env=cli.env, capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        names = tar.getnames()
    assert {"new", "etc/passwd", "bin/busybox"} <= set(names)
    assert "etc/group" not in names
    change = 'CMD ["sh", "-c", "cat /new; ls /etc/group; tail -n 1 /etc/passwd"]'
    cli("commit", "-m", "a message", "-a", "somebody", "-c", change, "one1", "made:1")
    said = cli("run", "--rm", "made:1")
    assert said.lines == ["x", "y"]
    assert "No such file" in said.err
    assert "a message" in cli("history", "made:1").out
    assert cli("inspect", "--format", "{{.Author}}", "made:1").out.strip() == "somebody"
    cli("rmi", "made:1")
