"""Process 1 of a private machine: mounts what the namespaces need, says so, reaps orphans, and ends with its parent.

Its standard input is a pipe that only the harness holds: when that closes (close() or the death of the test run), this
process ends and the kernel kills everything else in its PID namespace.

Run as `python holder.py RESOLV_CONF`, inside `unshare --net --mount --pid --fork`.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path


def mount(*words: str) -> None:
    """One mount(8) that must succeed."""
    subprocess.run(["mount", *words], check=True)


def prepare(resolv_conf: str) -> None:
    """A /proc and /sys of these namespaces, an empty /run, a resolv.conf, and a loopback that is up."""
    mount("-t", "proc", "proc", "/proc")
    mount("-t", "tmpfs", "tmpfs", "/run")
    os.mkdir("/run/cgroup-tree")
    mount("--rbind", "/sys/fs/cgroup", "/run/cgroup-tree")
    mount("-t", "sysfs", "sysfs", "/sys")
    mount("--rbind", "/run/cgroup-tree", "/sys/fs/cgroup")
    subprocess.run(["umount", "--recursive", "/run/cgroup-tree"], check=True)
    os.rmdir("/run/cgroup-tree")
    os.mkdir("/run/lock", 0o1777)
    mount("--bind", resolv_conf, "/etc/resolv.conf")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # A namespace begins with what the host has set; a fresh machine forwards nothing.
    for family in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        switch = Path("/proc/sys/net", family)
        if switch.exists():
            switch.write_text("0")


def serve() -> None:
    """Reap until the standard input closes."""
    wakeup, alarm = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(alarm)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([sys.stdin.fileno(), wakeup], [], [])
        if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 1):
            return
        if wakeup in ready:
            os.read(wakeup, 512)
            while True:
                try:
                    if os.waitpid(-1, os.WNOHANG)[0] == 0:
                        break
                except ChildProcessError:
                    break


if __name__ == "__main__":
    prepare(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    serve()
