"""What a container does to its own files hurts nobody: directories without end, links that change while they are read."""

from __future__ import annotations

import io
import tarfile
import threading
from pathlib import Path

import docker as docker_py
import pytest
from harness import figures
from harness.cli import Cli
from harness.daemons import Daemon, Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.waiting import wait_until

pytestmark = pytest.mark.slow

DEEP = """
for base in /tmp /data; do
  cd $base; i=0
  while [ $i -lt 1200 ]; do mkdir directory && cd directory; i=$((i+1)); done
  echo 12345 > file
done
echo done; exec sleep 1000
"""


def test_directories_that_are_deeper_than_a_path(
    machine: Machine, hiveletd: Hiveletd, docker: Cli
) -> None:
    """Twelve hundred in each other: measured and removed as all others, and refused where each would be told by its path."""
    import_busybox(docker, machine.dir)
    docker("run", "-d", "--name", "deep", "-v", "vol:/data", "bb", "sh", "-c", DEEP)
    wait_until(
        lambda: "done" in docker("logs", "deep").out, timeout=60, what="the directories are made"
    )
    assert "6B (virtual" in docker("ps", "-s").out
    assert docker("system", "df", "--format", "{{.Type}} {{.Size}}").lines[2] == "Local Volumes 6B"
    for words in (("diff", "deep"), ("commit", "deep", "x")):
        assert "nested more than 256 deep" in docker.fails(*words).err
    # An archive that has begun is cut off, so that nobody takes it for the whole.
    docker.fails("export", "-o", str(machine.dir / "out.tar"), "deep")
    docker.fails("cp", "deep:/tmp", str(machine.dir / "out"))
    docker("rm", "-f", "deep")
    docker("volume", "rm", "vol")
    left = [hiveletd.root / name for name in ("snapshots", "volumes", "containers")]
    assert [path for folder in left for path in folder.glob("[!.]*")] == []
    assert "Traceback" not in hiveletd.log_path.read_text()


SWAP = """
mkdir -p /real /area
echo inside > /real/shadow; echo inside > /real/marker
cd /area; ln -s /real there; ln -s OUTSIDE other
echo ready
while true; do mv -T there x; mv -T other there; mv -T x other; done
"""


def test_links_that_change_while_files_are_copied_lead_nowhere(
    machine: Machine, hiveletd: Daemon, docker: Cli
) -> None:
    """A link goes to and fro between a directory of the container and one that the host has at the same path."""
    outside = machine.dir / "outside"
    outside.mkdir()
    (outside / "marker").write_text("of the host")
    import_busybox(docker, machine.dir)
    script = SWAP.replace("OUTSIDE", str(outside))
    docker("run", "-d", "--name", "swap", "bb", "sh", "-c", script)
    wait_until(lambda: "ready" in docker("logs", "swap").out, timeout=20, what="links change")
    seen: dict[str, int] = {}
    lock = threading.Lock()

    def copy() -> None:
        client = docker_py.APIClient(base_url=hiveletd.host, version="auto", timeout=60)
        for number in range(24):
            try:
                if number % 2:
                    client.put_archive("swap", "/area/there", _tar("marker", b"overwritten"))
                    outcome = "written"
                else:
                    chunks, _ = client.get_archive("swap", "/area/there/marker")
                    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
                        member = tar.extractfile(tar.getmembers()[0])
                        assert member is not None
                        assert b"of the host" not in member.read()
                    outcome = "read"
            except docker_py.errors.APIError as error:
                outcome = "refused" if error.status_code in (400, 404) else str(error)
            with lock:
                seen[outcome] = seen.get(outcome, 0) + 1
        client.close()

    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            copy()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    assert sorted(path.name for path in Path(outside).iterdir()) == ["marker"]
    assert (outside / "marker").read_text() == "of the host"
    assert seen.keys() <= {"read", "written", "refused"}, seen
    assert seen.get("read", 0) > 0
    assert seen.get("written", 0) > 0
    figures.measured(
        "links that change under docker cp", injected=sum(seen.values()), requests=96, lost=0
    )
    docker("rm", "-f", "swap")


def _tar(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
