"""What the docker CLI sends for `create` with each of its options: recorded, and read back by the tests.

`python tests/unit/cli/record_create_requests.py` refreshes tests/golden/cli/create-requests.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from fake_daemon import FakeDaemon  # noqa: E402

GOLDEN = HERE.parents[1] / "golden" / "cli" / "create-requests.json"
IDENTITY = "c" * 64

FILES = {
    "env": "# a comment\nFROM_FILE=yes\n\nHOST_VARIABLE\n  SPACES= kept \nUNSET_VARIABLE\n",
    "labels": "from.file=yes\nalone\n",
}
ENVIRONMENT = {"HOST_VARIABLE": "from the host"}

# One row for each option, or for several that belong together. `@name` stands for the path of one of FILES.
ROWS: tuple[str, ...] = (
    "",
    "-a stdout",
    "-a stdin -a stderr",
    "-i",
    "-t",
    "-it",
    "--name named",
    "--hostname h --domainname example.com",
    "-h h.example.com",
    "-u 33:44 -w /work",
    "-e A=1 -e B= -e HOST_VARIABLE -e UNSET_VARIABLE",
    "--env-file @env -e A=1",
    "-l a=b -l c --label-file @labels",
    "--entrypoint /bin/sh",
    "--entrypoint=",
    "--expose 80 --expose 90-92/udp",
    "-p 80",
    "-p 8080:80 -p 9000-9002:90-92/udp",
    "-p 127.0.0.1:8080:80 -p [::1]:81:81 -p 127.0.0.1::82",
    "-P",
    "-v /data",
    "-v vol:/data:ro -v /host:/h:rslave,ro -v other:/o:nocopy",
    "-v relative/path:/x",
    "--volume-driver local -v vol:/data",
    "--volumes-from one --volumes-from two:ro",
    "--mount type=bind,source=/a,target=/b,readonly,bind-propagation=rslave",
    "--mount type=volume,src=v,dst=/v,volume-nocopy,volume-label=a=b,volume-driver=local,volume-opt=type=tmpfs",
    "--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770",
    "--mount type=volume,src=v,dst=/v,volume-subpath=inner",
    "--tmpfs /t --tmpfs /u:size=1m,mode=1777",
    "--read-only",
    "--network none",
    "--network host",
    "--network container:other",
    "--network net1 --network-alias a --network-alias b --ip 10.1.1.5 --ip6 fd00::5",
    "--network name=net1,alias=a,ip=10.1.1.6,driver-opt=x=y --network net2",
    "--network net1 --link db:database --link-local-ip 169.254.1.1",
    "--link db:database --link other",
    "--mac-address 02:42:ac:11:00:02",
    "--network net1 --mac-address 02:42:ac:11:00:02",
    "--dns 1.1.1.1 --dns-search example.com --dns-option ndots:2",
    "--add-host a:1.2.3.4 --add-host b=::1 --add-host gw:host-gateway",
    "--cap-add NET_ADMIN --cap-drop ALL",
    "--cap-add cap_sys_time --cap-add all",
    "--privileged",
    "--device /dev/null --device /dev/zero:/dev/z:r --device /dev/full:rw",
    "--device-cgroup-rule 'c 1:3 mr'",
    "--group-add wheel --group-add 44",
    "--security-opt no-new-privileges --security-opt label=disable",
    "--ulimit nofile=100:200 --ulimit nproc=5",
    "--sysctl net.core.somaxconn=1024",
    "-m 64m --memory-swap 128m --memory-reservation 32m --memory-swappiness 10",
    "-m 1g --memory-swap -1 --oom-kill-disable",
    "--cpus 1.5 -c 512 --cpuset-cpus 0-1 --cpuset-mems 0",
    "--cpu-period 100000 --cpu-quota 50000 --cpu-rt-period 10000 --cpu-rt-runtime 5000",
    "--blkio-weight 300 --blkio-weight-device /dev/null:200",
    "--device-read-bps /dev/null:1mb --device-write-bps /dev/null:2mb --device-read-iops /dev/null:10 --device-write-iops /dev/null:20",
    "--pids-limit 50 --oom-score-adj 100",
    "--shm-size 128m",
    "--restart always",
    "--restart on-failure:3",
    "--restart unless-stopped",
    "--rm",
    "--init",
    "--init=false",
    "--runtime runc --platform linux/amd64",
    "--ipc host --pid host --uts host --userns host --cgroupns host --isolation default",
    "--ipc shareable --pid container:other",
    "--cgroup-parent /parent",
    "--stop-signal SIGINT --stop-timeout 5",
    "--log-driver json-file --log-opt max-size=1m",
    "--storage-opt size=10G",
    "--annotation a=b",
    "--health-cmd 'test -e /x' --health-interval 5s --health-timeout 2s --health-retries 3 --health-start-period 1m --health-start-interval 1s",
    "--no-healthcheck",
    "--gpus all",
    "--gpus device=1,capabilities=utility",
    "--pull never -q",
)  # fmt: skip


def words_of(row: str, folder: Path) -> list[str]:
    """The words of a row, with the paths of the files that it names."""
    import shlex

    return [str(folder / word[1:]) if word.startswith("@") else word for word in shlex.split(row)]


def prepared(daemon: FakeDaemon, folder: Path) -> None:
    """The files that rows name, and a daemon that makes containers."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    daemon.answers["POST", "/containers/create"] = (201, {"Id": IDENTITY, "Warnings": []})


_NAMED = ("ExposedPorts", "Volumes", "EndpointsConfig", "Tmpfs", "Labels")
"""Where a name says something though nothing stands behind it."""


def meaningful(value: Any, key: str = "") -> Any:
    """A request without what is empty: there is more than one way to say nothing. Env is in one order: docker's is by chance."""
    if isinstance(value, dict):
        kept = {name: meaningful(item, name) for name, item in value.items()}
        if key in _NAMED:
            return kept
        return {name: item for name, item in kept.items() if item not in (None, "", [], {}, 0)}
    if isinstance(value, list):
        items = [meaningful(item) for item in value]
        return sorted(items) if key == "Env" else items
    return value


def main() -> None:
    recorded: dict[str, Any] = {}
    for row in ROWS:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            daemon = FakeDaemon(folder / "socket")
            prepared(daemon, folder)
            environment = {"PATH": os.environ["PATH"], "HOME": scratch, **ENVIRONMENT}
            command = ["docker", "-H", daemon.host, "create", *words_of(row, folder), "image", "a"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            made = [
                {"query": query, "body": meaningful(body)}
                for method, path, query, body in daemon.requests
                if (method, path) == ("POST", "/containers/create")
            ]
            daemon.close()
            if not made:
                print(row, done.stderr)
                continue
            recorded[row] = made[0]
    GOLDEN.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
