"""Chooses the OCI runtime by really running a container with each candidate, and calls the one chosen.

crun comes first: creating and starting a container takes it a fifth of the processor time that runc needs. Some versions of it
refuse a machine whose v1 control groups leave a controller unclaimed beside an empty v2 hierarchy ("cgroups in hybrid
mode not supported"). Such leftovers are claimed by mounting them as v1 hierarchy in our own run directory: nothing is
limited by it, and unmounting gives them back.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from hivelet.errors import System, Unavailable
from hivelet.kit.failpoints import point
from hivelet.kit.process import CommandFailed, run_command
from hivelet.objects.common import ContainerId
from hivelet.runtime import commands
from hivelet.runtime.cgroupfs import CgroupTree, read_cgroup_tree, read_proc_cgroups
from hivelet.runtime.commands import OciRuntime
from hivelet.runtime.host import SEARCH_PATH
from hivelet.runtime.images.mounts import MountFailed, mount_tmpfs, unmount
from hivelet.runtime.seccomp_filter import ANNOTATION, compile_profile
from hivelet.runtime.spawn import Ended, run_quick

ENVIRONMENT = {"PATH": SEARCH_PATH}
_LAST_WORDS = 2000
_NO_UNAME = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["uname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
}


class RuntimeCallFailed(System):
    """The OCI runtime refused an order; the message has its last words."""


async def call_runtime(runtime: OciRuntime, argv: Sequence[str], *, stdin: bytes = b"") -> bytes:
    """Run one command of the OCI runtime and return what it printed; one that hangs is killed after the runtime's patience.

    Raises:
        RuntimeCallFailed: it ended with an error, or not at all.
    """
    point("runtime.call")
    ended = await _within_patience(runtime, argv, stdin)
    point("runtime.called")
    if ended.status != 0:
        raise RuntimeCallFailed(f"{runtime.name} {_verb(argv)} failed: {_last_words(ended)}")
    return ended.output


async def _within_patience(runtime: OciRuntime, argv: Sequence[str], stdin: bytes = b"") -> Ended:
    """Run a command of the runtime to its end.

    Raises:
        RuntimeCallFailed: it hangs.
    """
    try:
        async with asyncio.timeout(runtime.patience):
            return await run_quick(argv, env=ENVIRONMENT, stdin=stdin)
    except TimeoutError as error:
        raise RuntimeCallFailed(
            f"{runtime.name} {_verb(argv)} failed: it did not end within {runtime.patience:g} s and was killed"
        ) from error


def _verb(argv: Sequence[str]) -> str:
    return next((word for word in argv[1:] if not word.startswith("-")), "")


def _last_words(ended: Ended) -> str:
    text = ended.output.decode(errors="replace").strip()[-_LAST_WORDS:]
    return text or f"it ended with status {ended.status} and said nothing"


async def probe_runtime(
    run: Path,
    *,
    cgroup_parent: str,
    names: Sequence[str] = ("crun", "runc"),
    patience: float = 120.0,
) -> OciRuntime:
    """The first of `names` that runs a container on this machine.

    Args:
        run: our run directory; the runtime's state goes below it.
        cgroup_parent: where the trial's cgroup is made.
        names: the candidates, names or paths, best first.
        patience: seconds that one call of it may take.

    Raises:
        Unavailable: none is installed, or none can run a container here; the message says which package to install, or
            what each one said.
    """
    run.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - once, at start
    refusals: list[str] = []
    for wanted in names:
        name = Path(wanted).name
        path = shutil.which(wanted, path=SEARCH_PATH)
        if path is None:
            refusals.append(f"{name} is not installed")
            continue
        runtime = OciRuntime(
            name=name, path=path, root=str(run / name), version="unknown", patience=patience
        )
        try:
            runtime = replace(runtime, version=await _version(runtime))
        except RuntimeCallFailed as error:
            refusals.append(f"{name} cannot run containers here: {error.message}")
            continue
        reason = f"{name} runs containers here"
        if name == "crun" and await claim_leftover_controllers(run, read_cgroup_tree()):
            reason += ", with the unclaimed cgroup controllers mounted for it"
        refusal = await _refusal(runtime, run, cgroup_parent)
        if not refusal:
            if name == "crun":
                runtime = await _hastened(runtime, run, cgroup_parent)
            recursive = await _makes_all_read_only(runtime, run, cgroup_parent)
            runtime = replace(runtime, recursive_readonly=recursive)
            return replace(runtime, reason="; ".join([reason, *refusals]))
        refusals.append(f"{name} cannot run containers here: {refusal}")
    if all(refusal.endswith("is not installed") for refusal in refusals):
        raise Unavailable(
            f"no OCI runtime: install the package {' or '.join(names)} ({'; '.join(refusals)})"
        )
    raise Unavailable(f"no OCI runtime works on this machine: {'; '.join(refusals)}")


async def claim_leftover_controllers(run: Path, tree: CgroupTree) -> bool:
    """Mount the controllers that no v1 hierarchy has as one more; False where there are none or the kernel refuses.

    Also where another program has mounted them, as another daemon of ours may: a hierarchy stays while anyone mounts it.
    """
    place = run / "cgroup"
    if place.is_mount():
        return True
    leftovers = tree.leftover_controllers(read_proc_cgroups())
    if not leftovers:
        return False
    place.mkdir(parents=True, exist_ok=True)
    try:
        await run_command(
            ["mount", "-t", "cgroup", "-o", ",".join(leftovers), "hivelet", str(place)]
        )
    except CommandFailed:
        place.rmdir()
        return False
    return True


async def release_leftover_controllers(run: Path) -> None:
    """Undo `claim_leftover_controllers`."""
    place = run / "cgroup"
    if place.is_mount():
        await run_command(["umount", str(place)])
    if place.exists():
        place.rmdir()


async def _version(runtime: OciRuntime) -> str:
    said = (await _within_patience(runtime, [runtime.path, "--version"])).output
    match = re.search(rb"version\s+(\S+)", said)
    return match[1].decode() if match else "unknown"


async def _hastened(runtime: OciRuntime, run: Path, cgroup_parent: str) -> OciRuntime:
    """The runtime (crun) with what saves it most of its work, each tried before it is relied on.

    It copies itself into a sealed file at each call, so that a container cannot write to the program on disk
    (CVE-2019-5736); started from a sealed file in memory, it sees that this is done. And it takes a compiled filter: the
    trial is one that forbids `uname`, which must then fail.
    """
    sealed = replace(runtime, sealed=seal_program(runtime.path))
    if not await _refusal(sealed, run, cgroup_parent):
        runtime = sealed
    program = shutil.which("uname", path="/usr/bin:/bin")
    code = compile_profile(_NO_UNAME)
    if program is None or code is None:
        return runtime
    spec = _trial_spec(cgroup_parent, [program])
    if await _trial(runtime, run, spec):
        return runtime  # it does not even run without the filter
    spec["annotations"] = {ANNOTATION: base64.b64encode(code).decode()}
    return replace(runtime, takes_filters=bool(await _trial(runtime, run, spec)))


async def _makes_all_read_only(runtime: OciRuntime, run: Path, cgroup_parent: str) -> bool:
    """Whether a mount with `rro` is read-only below as well: the trial must then fail to write there."""
    program = shutil.which("touch", path="/usr/bin:/bin")
    if program is None:
        return False
    with tempfile.TemporaryDirectory(prefix="probe-", dir=run) as directory:
        inner = Path(directory) / "inner"
        inner.mkdir()
        try:
            mount_tmpfs(inner, size=4096, inodes=4)
        except MountFailed:
            return False
        try:
            spec = _trial_spec(cgroup_parent, [program, "/dev/outer/inner/file"])
            bind = {"destination": "/dev/outer", "type": "bind", "source": directory}
            spec["mounts"].append(bind | {"options": ["rbind", "rro", "rprivate"]})
            return "Read-only file system" in await _trial(runtime, run, spec)
        finally:
            unmount(inner)


@cache
def seal_program(path: str) -> str:
    """A sealed copy of a program in memory; the path stays good while this process lives."""
    descriptor = os.memfd_create(Path(path).name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(os.dup(descriptor), "wb") as stream:
        stream.write(Path(path).read_bytes())
    os.fchmod(descriptor, 0o755)
    fcntl.fcntl(
        descriptor,
        fcntl.F_ADD_SEALS,
        fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE,
    )
    return f"/proc/{os.getpid()}/fd/{descriptor}"


async def _refusal(runtime: OciRuntime, run: Path, cgroup_parent: str) -> str:
    """What stands in the way of a container that runs `true`; "" where nothing does."""
    return await _trial(runtime, run, _trial_spec(cgroup_parent, ["/bin/true"]))


async def _trial(runtime: OciRuntime, run: Path, spec: dict[str, Any]) -> str:
    """Run a container; "" where it ended well, else what was said."""
    with tempfile.TemporaryDirectory(prefix="probe-", dir=run) as directory:
        bundle = Path(directory)
        (bundle / "rootfs").mkdir()
        (bundle / "config.json").write_text(json.dumps(spec), encoding="utf-8")
        container = ContainerId(bundle.name)
        try:
            order = commands.runtime_run(runtime, container, bundle)
            ended = await _within_patience(runtime, order)
            words = "" if ended.status == 0 else _last_words(ended)
            if words:
                await _within_patience(runtime, commands.runtime_delete(runtime, container))
        except RuntimeCallFailed as error:
            words = error.message
        return words


def _trial_spec(cgroup_parent: str, args: Sequence[str]) -> dict[str, Any]:
    """A container of the host's own programs, read-only, that runs `args`."""
    shared = [path for path in ("/usr", "/bin", "/lib", "/lib64") if Path(path).exists()]
    binds = [
        {"destination": path, "type": "bind", "source": path, "options": ["bind", "ro"]}
        for path in shared
    ]
    kinds = ("mount", "pid", "ipc", "uts", "network")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": list(args),
            "env": ["PATH=/bin"],
            "cwd": "/",
        },
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            *binds,
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in kinds],
            "cgroupsPath": f"/{cgroup_parent.strip('/')}/probe",
            # Every container has such rules. On cgroup v2 they are a BPF program, for which crun 1.8 raises a limit: it
            # cannot without CAP_SYS_RESOURCE.
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        },
    }
