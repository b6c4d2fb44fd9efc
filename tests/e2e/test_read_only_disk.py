"""The disk fails, and the kernel closes its file system to writes: what runs goes on until somebody mends the disk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.daemons import Daemon, Hiveletd
from harness.disks import mount_failing
from harness.figures import measured
from harness.machine import ADDRESS, OUTSIDE, Machine
from harness.swarm import Swarm
from harness.traffic import Traffic

pytestmark = [pytest.mark.slow]

URL = f"http://{ADDRESS}:8080/cgi-bin/whoami"


class FailingHiveletd(Hiveletd):
    """Its state is on a disk that can be made to fail."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.trigger = mount_failing(machine, self.root)


@pytest.fixture
def hiveletd(machine: Machine) -> Iterator[Daemon]:
    daemon = FailingHiveletd(machine)
    daemon.start()
    yield daemon
    if daemon.running:
        assert daemon.stop() == 0


def test_services_go_on_above_a_read_only_disk(swarm: Swarm, hiveletd: FailingHiveletd) -> None:
    cli, machine = swarm.cli, swarm.machine
    swarm.create("web", 2, "--publish", "8080:8000")
    before = swarm.container_ids("web")
    with Traffic.requests(machine, URL, "--rate", "50", where=OUTSIDE) as requests:
        hiveletd.trigger.write_text("a test")
        assert machine.run(["touch", str(hiveletd.root / "probe")], check=False).returncode != 0
        said = cli.fails("service", "scale", "--detach", "web=3").err
        assert "Nothing was changed" in said
        assert cli.fails("volume", "create", "data").err
        assert cli("service", "ls", "--format", "{{.Name}} {{.Replicas}}").lines == ["web 2/2"]
        assert "the cluster state can't be written" in cli("info").err
        requests.go_on(50)
        hiveletd.kill()
        with pytest.raises(AssertionError, match=r"(?is)ended before it was ready.*read-?only"):
            hiveletd.start()
        assert "Traceback" not in hiveletd.log_path.read_text()
        requests.go_on(50)
    assert requests.failures == []
    assert len(before) == 2
    measured("disk read-only", injected=1, requests=len(requests.records))
