"""Archives that are small and unpack to much: the daemon's memory stays bounded, and what is refused leaves nothing."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker as docker_py
import pytest
from harness import bombs, figures
from harness.cli import Cli
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import Machine

LONG = bool(os.environ.get("HIVELET_TEST_LONG"))
PIECES = 512 if LONG else 40
MANY = 1_000_000 if LONG else 6_000
CEILING = 120 << 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if LONG else 600)]


@contextmanager
def bounded(daemon: Hiveletd) -> Iterator[None]:
    """What is done meanwhile takes the daemon no more than the ceiling, leaves nothing half done, and is told in words."""
    Path(f"/proc/{daemon.pid}/clear_refs").write_text("5")
    yield
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) << 10
    assert peak < CEILING, f"it took {peak >> 20} MiB"
    home = Path(f"{daemon.machine.proc}/1/root{daemon.root}")
    assert list((home / "images" / "tmp").iterdir()) == []
    assert "Traceback" not in daemon.log_path.read_text()


@pytest.fixture
def furnished(machine: Machine, hiveletd: Hiveletd, docker: Cli) -> Cli:
    """With a container, `box`, that archives are copied into."""
    import_busybox(docker, machine.dir)
    docker("create", "--name", "box", "bb:latest", "sleep", "1000")
    return docker


def docker_save(layer: Path, target: Path) -> Path:
    """An archive as `docker save` writes one, whose layer is what `layer` holds, and is not what its config says."""
    config = {"os": "linux", "rootfs": {"type": "layers", "diff_ids": [f"sha256:{'0' * 64}"]}}
    manifest = [{"Config": "c.json", "RepoTags": ["bomb:1"], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as tar:
        for name, data in (("c.json", config), ("manifest.json", manifest)):
            path = target.with_suffix(f".{name}")
            path.write_text(json.dumps(data))
            tar.add(path, name)
        tar.add(layer, "layer.tar")
    return target


@pytest.mark.parametrize("compression", bombs.COMPRESSIONS)
def test_archives_of_nothing(
    machine: Machine, hiveletd: Hiveletd, furnished: Cli, compression: str
) -> None:
    """As an image, a layer, a context and a copy."""
    wrong = bombs.file("Dockerfile", b"FROM bb:latest\nRUNN x\n")
    bomb = bombs.zeros(machine.dir / "bomb", compression, PIECES, wrong)
    assert bomb.stat().st_size < PIECES * bombs.PIECE // 100
    with bounded(hiveletd):
        furnished("import", str(bomb), "bomb:1", timeout=300)
        furnished("rmi", "bomb:1")
        archive = docker_save(bomb, machine.dir / "saved.tar")
        said = furnished("load", "-i", str(archive), status=None, timeout=300)
        assert "is altered" in said.err + said.out
        client = docker_py.APIClient(base_url=hiveletd.host, version="auto", timeout=300)
        with client:
            with (
                bomb.open("rb") as stream,
                pytest.raises(docker_py.errors.APIError, match="unknown instruction: RUNN"),
            ):
                list(client.build(fileobj=stream, custom_context=True))
            with bomb.open("rb") as stream:
                assert client.put_archive("box", "/tmp", stream)
        furnished("rm", "box")
    figures.measured("archives that unpack to much", injected=4 * len(bombs.COMPRESSIONS))


def refused(cli: Cli, *words: str, says: str) -> None:
    done = cli.fails(*words, timeout=300)
    assert says in done.err, done.err


def test_headers_and_documents_without_end(
    machine: Machine, hiveletd: Hiveletd, furnished: Cli
) -> None:
    size = 1 << 30
    folder = machine.dir
    start = bombs.header("x", size, b"x")
    pax = bombs.sparse(folder / "pax.tar", start[:-512], "PaxHeaders/x", size)
    with pax.open("r+b") as stream:
        stream.write(start)
    long_name = bombs.packed(folder / "name.tar", [bombs.header("d/" * 600_000)])
    old_sparse = bombs.packed(folder / "sparse.tar", [bombs.header("x", 512, b"S"), bytes(512)])
    huge = bombs.packed(folder / "huge.tar", [bombs.header("x", 1 << 60)])
    with bounded(hiveletd):
        refused(furnished, "import", str(pax), says="is larger than 1048576 bytes")
        refused(furnished, "import", str(long_name), says="is larger than 1048576 bytes")
        refused(furnished, "import", str(old_sparse), says="sparse tar entries are not supported")
        refused(furnished, "import", str(huge), says="unexpected EOF")
        manifest = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": []}]
        before = bombs.file("manifest.json", json.dumps(manifest).encode())
        for name, first in (("manifest.json", b""), ("index.json", b""), ("c.json", before)):
            document = bombs.sparse(folder / "document.tar", first, name, size // 8)
            refused(furnished, "load", "-i", str(document), says="in the archive is larger than")
        many = json.dumps(manifest * 5000).encode()
        one = json.dumps({"os": "linux", "rootfs": {}, "author": "x" * (3 << 20)}).encode()
        entries = [bombs.file("manifest.json", many), bombs.file("c.json", one)]
        archive = bombs.packed(folder / "many.tar", entries)
        refused(furnished, "load", "-i", str(archive), says="more than 1000 images")
    figures.measured("headers and documents without an end", injected=8)


def test_more_entries_than_anybody_needs(
    machine: Machine, hiveletd: Hiveletd, furnished: Cli
) -> None:
    files = bombs.packed(machine.dir / "files.tar", bombs.tiny(MANY))
    folders = bombs.packed(machine.dir / "folders.tar", bombs.deep_directories(MANY))
    with bounded(hiveletd):
        for path in (files, folders):
            furnished("import", str(path), "many:1", timeout=1800)
            furnished("rmi", "many:1", timeout=600)
    figures.measured("archives of millions of entries", injected=2 * MANY)
