"""`Machine`: a private machine made of network, mount and PID namespaces, in which daemons and clients run.

It has an uplink at 198.18.0.2/30 to an "outside" network namespace at 198.18.0.1, so that clients can come from localhost,
from the machine's own address, and from elsewhere. `close()` ends everything by ending process 1 of the PID namespace,
then proves that nothing is left: no process, no cgroup.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from harness.traces import Traces, take_traces
from harness.waiting import wait_until

ADDRESS = "198.18.0.2"
OUTSIDE_ADDRESS = "198.18.0.1"
CGROUPS = Path("/sys/fs/cgroup")
OUTSIDE_NAME = "outside.test"

INSIDE = "inside"
OUTSIDE = "outside"
Where = str | int
"""INSIDE, OUTSIDE, or the PID (as the machine sees it) of a process whose network namespace to use."""


def children_of(pid: int) -> list[int]:
    """The children of a process's main thread, as the kernel lists them."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Process:
    """A program started in a machine by nsenter; `pid` is the program's own, as the host sees it."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen

        def born() -> list[int]:
            # A program that ends at once leaves no child behind to be seen.
            return children_of(popen.pid) or ([0] if popen.poll() is not None else [])

        self.pid = wait_until(born, timeout=10, what=f"{popen.args!r} has started", interval=0.001)[
            0
        ]

    def reap(self, timeout: float) -> int:
        """Close the pipe to it, if there is one, and wait for its end."""
        if self.popen.stdin is not None:
            self.popen.stdin.close()
        return self.popen.wait(timeout)

    def send(self, number: int) -> None:
        """Send a signal to the program itself, not to the nsenter around it."""
        if self.popen.poll() is None and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, number: int = signal.SIGTERM, timeout: float = 20) -> int:
        """Send `number`, then wait for the end; SIGKILL after `timeout` is an error of the program."""
        self.send(number)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.popen.wait(5)
            raise


class Machine:
    """See the module. `dir` is private to the machine and removed with it; `cgroup_parent` is its own in every hierarchy."""

    def __init__(self, name: str = "m") -> None:
        self.name = f"{name}-{secrets.token_hex(3)}"
        self.dir = Path(tempfile.mkdtemp(prefix=f"hv-{self.name}-"))
        self.cgroup_parent = f"hvtest-{self.name}"
        resolv_conf = self.dir / "resolv.conf"
        resolv_conf.write_text("nameserver 198.18.0.1\n")
        self._before = (os.readlink("/proc/self/ns/net"), os.readlink("/proc/self/ns/pid"))
        unshare = [
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--propagation",
            "private",
        ]
        holder = Path(__file__).with_name("holder.py")
        self._unshare = subprocess.Popen(
            [*unshare, sys.executable, str(holder), str(resolv_conf)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._unshare.stdout is not None
        if self._unshare.stdout.readline() != "ready\n":
            raise RuntimeError("the private machine did not come up; its words are above")
        self.holder_pid = children_of(self._unshare.pid)[0]
        self._started: list[Process] = [self._make_outside()]
        self._start_name_server()

    def _make_outside(self) -> Process:
        outside = Process(
            subprocess.Popen(
                [*self._nsenter(INSIDE), "unshare", "--net", "sleep", "infinity"],
                text=True,
                stdin=subprocess.DEVNULL,
            )
        )
        wait_until(
            lambda: (
                os.readlink(f"/proc/{outside.pid}/ns/net")
                != os.readlink(f"/proc/{self.holder_pid}/ns/net")
            ),
            timeout=10,
            what="the outside has a network namespace of its own",
            interval=0.001,
        )
        here = ["nsenter", "-t", str(self.holder_pid), "-n", "ip", "-batch", "-"]
        there = ["nsenter", "-t", str(outside.pid), "-n", "ip", "-batch", "-"]
        inner = f"""link add uplink0 type veth peer name eth0 netns {outside.pid}
            addr add {ADDRESS}/30 dev uplink0
            link set uplink0 up
            route add default via {OUTSIDE_ADDRESS}"""
        outer = f"""link set lo up
            addr add {OUTSIDE_ADDRESS}/30 dev eth0
            link set eth0 up"""
        subprocess.run(here, input=inner, text=True, check=True)
        subprocess.run(there, input=outer, text=True, check=True)
        self._outside_pid = outside.pid
        return outside

    def _start_name_server(self) -> None:
        """The machine's name server: knows OUTSIDE_NAME, and denies all others at once, so that nobody waits for it."""
        words = [
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--pid-file=",
            "--user=root",
            "--no-resolv",
        ]
        answers = ["--no-hosts", "--local=/#/", f"--host-record={OUTSIDE_NAME},{OUTSIDE_ADDRESS}"]
        self.popen(["dnsmasq", *words, *answers], where=OUTSIDE)

    # Running programs

    def _nsenter(self, where: Where, cwd: str = "/") -> list[str]:
        words = ["nsenter", f"--target={self.holder_pid}", "--mount", "--pid", f"--wdns={cwd}"]
        if where == INSIDE:
            return [*words, "--net"]
        if where == OUTSIDE:
            return [*words, f"--net=/proc/{self._outside_pid}/ns/net"]
        return [*words, f"--net={self.proc}/{where}/ns/net"]

    @property
    def proc(self) -> Path:
        """The machine's own /proc, read from the host."""
        return Path(f"/proc/{self.holder_pid}/root/proc")

    def run(
        self,
        argv: Sequence[str],
        *,
        where: Where = INSIDE,
        check: bool = True,
        timeout: float = 60,
        cwd: str = "/",
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the machine to its end; a failure carries what the program said."""
        done = subprocess.run(
            [*self._nsenter(where, cwd), *argv],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **options,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"{' '.join(argv)} ended with {done.returncode}: {done.stderr}{done.stdout}"
            )
        return done

    def popen(
        self,
        argv: Sequence[str],
        *,
        where: Where = INSIDE,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        cwd: str = "/",
    ) -> Process:
        """Start a program in the machine; it ends with the machine at the latest."""
        process = Process(
            subprocess.Popen(
                [*self._nsenter(where, cwd), *argv],
                env=None if env is None else dict(env),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                text=True,
            )
        )
        self._started.append(process)
        return process

    # Looking at it

    def processes(self) -> Iterator[tuple[int, Path]]:
        """PID (as the machine sees it) and /proc folder of everything in it but its process 1 and its outside."""
        outside = os.readlink(f"/proc/{self._outside_pid}/ns/net")
        for folder in self.proc.iterdir():
            if not folder.name.isdigit() or folder.name == "1":
                continue
            try:
                if os.readlink(folder / "ns/net") != outside and (folder / "cmdline").read_bytes():
                    yield int(folder.name), folder
            except (FileNotFoundError, ProcessLookupError):
                continue

    def host_pid(self, inner: int) -> int:
        """The host's number for a process of this machine."""
        inode = os.stat(f"{self.proc}/{inner}/ns/pid").st_ino
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                    status = (folder / "status").read_text()
                    numbers = status.split("NSpid:", 1)[1].split("\n", 1)[0].split()
                    if (
                        len(numbers) > 1
                        and numbers[1] == str(inner)
                        and os.stat(folder / "ns/pid").st_ino == inode
                    ):
                        return int(folder.name)
        raise ProcessLookupError(inner)

    def cgroups(self) -> list[Path]:
        """The machine's cgroup parent, and all below it, in every hierarchy; deepest first."""
        roots = [CGROUPS, *(path for path in CGROUPS.iterdir() if path.is_dir())]
        found: list[Path] = []
        for root in roots:
            top = root / self.cgroup_parent
            if top.is_dir():
                found += [top, *(path for path in top.rglob("*") if path.is_dir())]
        return sorted(found, key=lambda path: -len(path.parts))

    def traces(self) -> Traces:
        """All that a daemon can leave behind in this machine, to be compared with what was there before."""
        return take_traces(self)

    # The end

    def _survivors(self, spaces: set[str]) -> list[str]:
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                # What may not even be looked at belongs to someone else.
                with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                    if {os.readlink(folder / "ns/net"), os.readlink(folder / "ns/pid")} & spaces:
                        words = (
                            (folder / "cmdline")
                            .read_bytes()
                            .replace(b"\0", b" ")
                            .decode(errors="replace")
                        )
                        found.append(f"{folder.name} {words}")
        return found

    def close(self) -> None:
        """End all that runs in the machine, and prove that nothing is left of it."""
        spaces = set()
        for pid in (self.holder_pid, self._outside_pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                spaces |= {os.readlink(f"/proc/{pid}/ns/net"), os.readlink(f"/proc/{pid}/ns/pid")}
        spaces -= set(self._before)
        assert self._unshare.stdin is not None
        assert self._unshare.stdout is not None
        self._unshare.stdin.close()
        self._unshare.stdout.close()
        self._unshare.wait(30)
        for process in self._started:
            process.reap(10)
            for stream in (process.popen.stdout, process.popen.stderr):
                if stream is not None:
                    stream.close()
        wait_until(
            lambda: not self._survivors(spaces),
            timeout=10,
            what=f"nothing runs in {self.name} any more",
            evidence=lambda: "\n".join(self._survivors(spaces)),
        )
        wait_until(
            self._without_cgroups,
            timeout=10,
            what=f"the cgroups of {self.name} are empty and removed",
        )
        shutil.rmtree(self.dir)

    def _without_cgroups(self) -> bool:
        for path in self.cgroups():
            with contextlib.suppress(OSError):
                path.rmdir()
        return not self.cgroups()

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
