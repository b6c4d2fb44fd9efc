"""An image whose paths are links out of its root: whatever is mounted, copied up or made there stays inside."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from harness import figures
from harness.cli import Cli
from harness.images import busybox_tar, import_busybox
from harness.machine import Machine
from harness.swarm import Swarm

pytestmark = pytest.mark.slow

MARK = "of-the-host"


def linked_image(cli: Cli, machine: Machine, outside: Path) -> None:
    """`links`: busybox, with an absolute and a relative link to a directory of the host, whose name is a directory of the image, too."""
    path = busybox_tar(machine.dir / "links.tar")
    with tarfile.open(path, "a") as tar:
        for folder in [*reversed(outside.parents[:-1]), outside]:
            entry = tarfile.TarInfo(str(folder)[1:])
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, target in (("abs", str(outside)), ("up", "../" * 20 + str(outside)[1:])):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    cli("import", str(path), "links:latest")


def test_links_of_an_image_lead_nowhere(swarm: Swarm, machine: Machine, tmp_path: Path) -> None:
    cli = swarm.cli
    import_busybox(cli, machine.dir)
    outside = machine.dir / "outside"
    outside.mkdir()
    (outside / MARK).write_text(MARK)
    linked_image(cli, machine, outside)
    words = {
        "a named volume, copied up": ("-v", "data-{n}:/{link}", "links", "ls", "-a", "/{link}/"),
        "a volume below": ("-v", "more-{n}:/{link}/vol", "links", "ls", "/{link}/vol"),
        "a tmpfs": ("--tmpfs", "/{link}/tmp", "links", "ls", "-a", "/{link}"),
        "a bind": ("-v", f"{tmp_path}:/{{link}}/bound", "links", "ls", "-a", "/{link}"),
        "a working directory": ("-w", "/{link}/work", "links", "ls", "-a", "/{link}"),
        "a read-only root": ("--read-only", "links", "ls", "-a", "/{link}/"),
        "a file over a link": ("-v", "/etc/hostname:/{link}/name", "links", "ls", "/{link}"),
    }
    tried = 0
    for what, arguments in words.items():
        for number, link in enumerate(("abs", "up")):
            argv = [word.format(link=link, n=number) for word in arguments]
            done = cli("run", "--rm", *argv)
            assert MARK not in done.out, what
            assert [path.name for path in outside.iterdir()] == [MARK], what
            tried += 1
    cli("secret", "create", "key", "-", stdin="secret")
    cli("config", "create", "conf", "-", stdin="config")
    for number, link in enumerate(("abs", "up")):
        swarm.create(
            f"linked{number}",
            1,
            *("--secret", f"source=key,target=/{link}/key"),
            *("--config", f"source=conf,target=/{link}/conf"),
            image="links:latest",
            command=("/bin/sleep", "10000"),
        )
        (container,) = swarm.container_ids(f"linked{number}")
        found = cli("exec", container, "/bin/cat", f"/{link}/key", f"/{link}/conf")
        assert found.out == "secretconfig"
        assert [path.name for path in outside.iterdir()] == [MARK]
        tried += 2
    for name in cli("volume", "ls", "-q").lines:
        inside = Path(cli("volume", "inspect", "-f", "{{.Mountpoint}}", name).out.strip())
        assert not (inside / MARK).exists()
    figures.measured("an image's paths are links out of it", injected=tried)
