"""The command lines of conmon and of the OCI runtime, and what conmon's first answer means. Runs nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hivelet.errors import System
from hivelet.objects.common import ContainerId

SYNC_FD = 3
"""The descriptor on which conmon reports the outcome of a create."""

START_FD = 4
"""The descriptor on which the conmon of an exec is told to go on."""

ATTACH_FD = 5
"""The descriptor on which the conmon of an exec says that it can be attached to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OciRuntime:
    """The OCI runtime in use: which program, where it keeps its state, and why it was chosen."""

    name: str
    path: str
    root: str
    version: str
    reason: str = ""
    sealed: str = ""
    """A sealed copy of the program in memory, which it need not make at every call to protect itself; "" is none."""
    takes_filters: bool = False
    """Whether it takes a seccomp filter that is compiled already."""
    recursive_readonly: bool = False
    """Whether it makes a mount read-only with all that is mounted below it (`rro`)."""
    patience: float = 120.0
    """Seconds that one call of it may take before it is taken to hang."""

    @property
    def program(self) -> str:
        """What is executed."""
        return self.sealed or self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePaths:
    """The files of one container. The caller makes the directory; this package makes what is in it.

    The log lies outside of the bundle's life: it is never removed here.
    """

    bundle: Path
    log: Path

    @property
    def config(self) -> Path:
        """The OCI spec."""
        return self.bundle / "config.json"

    @property
    def pid_file(self) -> Path:
        """Written by the OCI runtime: the pid of the container's first process."""
        return self.bundle / "init.pid"

    @property
    def exit_file(self) -> Path:
        """Written by conmon when the first process has ended: its exit code."""
        return self.bundle / "exit"

    @property
    def record(self) -> Path:
        """Written by us: which processes belong to the container, for adoption."""
        return self.bundle / "record.json"

    @property
    def conmon_log(self) -> Path:
        """What conmon itself had to say."""
        return self.bundle / "conmon.log"

    @property
    def attach_socket(self) -> Path:
        """Conmon's socket for attaching to the container's standard streams."""
        return self.bundle / "attach"

    @property
    def control_fifo(self) -> Path:
        """Conmon's control pipe: window size, reopening of logs."""
        return self.bundle / "ctl"

    def transient(self) -> tuple[Path, ...]:
        """All files that appear in the bundle while the container lives."""
        names = ("winsz", "oom", "shm")
        return (
            self.config,
            self.pid_file,
            self.exit_file,
            self.record,
            self.conmon_log,
            self.attach_socket,
            self.control_fifo,
            *(self.bundle / name for name in names),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOptions:
    """How a container is attached to the world: a terminal, an open standard input, and the size of its log."""

    terminal: bool = False
    stdin: bool = False
    stdin_once: bool = False
    """Whether the input ends with the first client that was attached to it."""
    log_size_max: int = 0
    """Bytes at which conmon starts the log anew; 0 lets it grow."""
    log_kept: bool = True
    """Whether there is a log at all."""


def conmon_create(
    conmon: str,
    runtime: OciRuntime,
    container: ContainerId,
    paths: BundlePaths,
    options: CreateOptions,
) -> list[str]:
    """Conmon, told to create a container and to stay with it.

    `--sync` saves a fork: conmon stays our child while we live, makes a session of its own, and is inherited by init
    when we die. Logs are not synced to disk at exit: that would cost each exit a disk flush.
    """
    argv = [conmon, "--api-version", "1", "--sync", "--no-sync-log", "--full-attach"]
    argv += ["--log-level", "error"]
    argv += ["--cid", container, "--cuuid", container, "--name", container[:12]]
    argv += ["--runtime", runtime.program, "--runtime-arg", f"--root={runtime.root}"]
    argv += ["--bundle", str(paths.bundle), "--persist-dir", str(paths.bundle)]
    argv += ["--container-pidfile", str(paths.pid_file)]
    argv += ["--log-path", f"k8s-file:{paths.log}" if options.log_kept else "none"]
    if options.log_size_max > 0:
        argv += ["--log-size-max", str(options.log_size_max)]
    if options.terminal:
        argv.append("--terminal")
    if options.stdin:
        argv.append("--stdin")
    if options.terminal or (options.stdin and not options.stdin_once):
        argv.append("--leave-stdin-open")
    return argv


@dataclass(frozen=True, slots=True)
class ExecPaths:
    """The files of one further process of a container."""

    directory: Path

    @property
    def process(self) -> Path:
        """The OCI process object."""
        return self.directory / "process.json"

    @property
    def pid_file(self) -> Path:
        """Written by the OCI runtime."""
        return self.directory / "pid"

    @property
    def conmon_log(self) -> Path:
        """What conmon itself had to say."""
        return self.directory / "conmon.log"

    @property
    def attach_socket(self) -> Path:
        """Conmon's socket for the process's standard streams."""
        return self.directory / "attach"

    @property
    def output(self) -> Path:
        """What it has written, as a log; begun anew at `EXEC_OUTPUT_LIMIT`."""
        return self.directory / "output"

    @property
    def control_fifo(self) -> Path:
        """Conmon's control pipe: window size."""
        return self.directory / "ctl"


EXEC_OUTPUT_LIMIT = 4 << 20
"""Bytes: what two full pipes (64 KiB each) are as a log, if they hold nothing but short lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecOptions:
    """How a process is attached: a terminal, an open standard input, and whether anybody attaches at all."""

    terminal: bool = False
    stdin: bool = False
    attach: bool = True


def conmon_exec(
    conmon: str,
    runtime: OciRuntime,
    container: ContainerId,
    paths: ExecPaths,
    options: ExecOptions,
) -> list[str]:
    """Conmon, told to run a further process in a container, and to stay with it."""
    argv = [conmon, "--api-version", "1", "--sync", "--full-attach", "--log-level", "error"]
    argv += ["--exec", "--exec-process-spec", str(paths.process)]
    argv += ["--cid", container, "--cuuid", container, "--name", container[:12]]
    argv += ["--runtime", runtime.program, "--runtime-arg", f"--root={runtime.root}"]
    argv += ["--bundle", str(paths.directory), "--persist-dir", str(paths.directory)]
    argv += ["--container-pidfile", str(paths.pid_file)]
    if options.attach:
        # Conmon accepts who attaches only after it has started the runtime: see `unheard_output`.
        argv += ["--exec-attach", "--log-path", f"k8s-file:{paths.output}"]
        argv += ["--log-size-max", str(EXEC_OUTPUT_LIMIT)]
    else:
        argv += ["--log-path", "none"]
    if options.terminal:
        # Its input is its output: closed when a user leaves, it would hang the process up.
        argv += ["--terminal", "--leave-stdin-open"]
    if options.stdin:
        argv.append("--stdin")
    return argv


def conmon_exec_environment(search_path: str) -> dict[str, str]:
    """The environment of an exec's conmon."""
    own = {"_OCI_STARTPIPE": str(START_FD), "_OCI_ATTACHPIPE": str(ATTACH_FD)}
    return {**conmon_environment(search_path), **own}


def conmon_environment(search_path: str) -> dict[str, str]:
    """Conmon's whole environment: nothing of ours leaks to it but where programs are."""
    return {"PATH": search_path, "_OCI_SYNCPIPE": str(SYNC_FD)}


def runtime_start(runtime: OciRuntime, container: ContainerId) -> list[str]:
    """Let a created container run its program."""
    return [*_runtime(runtime), "start", container]


def runtime_state(runtime: OciRuntime, container: ContainerId) -> list[str]:
    """Ask for a container's state, as JSON."""
    return [*_runtime(runtime), "state", container]


def runtime_pause(runtime: OciRuntime, container: ContainerId) -> list[str]:
    """Freeze all processes of a container."""
    return [*_runtime(runtime), "pause", container]


def runtime_resume(runtime: OciRuntime, container: ContainerId) -> list[str]:
    """Let a frozen container go on."""
    return [*_runtime(runtime), "resume", container]


def runtime_update(runtime: OciRuntime, container: ContainerId) -> list[str]:
    """Set new limits; `linux.resources` as JSON comes on standard input."""
    return [*_runtime(runtime), "update", "--resources", "/dev/stdin", container]


def runtime_delete(runtime: OciRuntime, container: ContainerId) -> list[str]:
    """Remove what the runtime holds of a container, killing what is left of it."""
    return [*_runtime(runtime), "delete", "--force", container]


def runtime_exec(
    runtime: OciRuntime, container: ContainerId, *, process: Path, pid_file: Path
) -> list[str]:
    """Run another process, described by an OCI process object, in a running container."""
    flags = ["--process", str(process), "--pid-file", str(pid_file)]
    return [*_runtime(runtime), "exec", *flags, container]


def runtime_run(runtime: OciRuntime, container: ContainerId, bundle: Path) -> list[str]:
    """Create, start and delete in one go."""
    return [*_runtime(runtime), "run", "--bundle", str(bundle), container]


def _runtime(runtime: OciRuntime) -> Sequence[str]:
    return (runtime.program, f"--root={runtime.root}")


def parse_sync_message(line: bytes) -> tuple[int, str]:
    """What conmon says on its sync pipe: the pid of the first process, or a negative number and the error."""
    try:
        message = json.loads(line)
        return int(message["data"]), str(message.get("message", ""))
    except (ValueError, KeyError, TypeError) as error:
        raise System(f"conmon answered what cannot be understood: {line[:200]!r}") from error
